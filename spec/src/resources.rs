//! CPU and memory of a container.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::checks::Checks;
use crate::problem::{Complaint, Path};
use crate::text::{self, Quantity};

/// CPU and memory of a container.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Resources {
    /// What the scheduler sets aside.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub requests: BTreeMap<String, Quantity>,
    /// What the container may not exceed.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub limits: BTreeMap<String, Quantity>,
}

/// What a container may use more of than it requests. Of anything else, Kubernetes wants the request to be the limit.
const OVERCOMMITTED: [&str; 3] = ["cpu", "memory", "ephemeral-storage"];

/// A process with less memory does not start; more likely, the unit was forgotten.
const LEAST_MEMORY: Quantity = Quantity::mebibytes(16);

impl Resources {
    /// What a Valkey server gets by default.
    #[must_use]
    pub fn of_a_server() -> Self {
        let memory = Quantity::mebibytes(512);
        Self::new(Quantity::millicores(100), memory, memory)
    }

    /// What the agent gets by default.
    #[must_use]
    pub fn of_the_agent() -> Self {
        Self::new(Quantity::millicores(10), Quantity::mebibytes(32), Quantity::mebibytes(128))
    }

    fn new(cpu: Quantity, memory: Quantity, memory_limit: Quantity) -> Self {
        Self {
            requests: BTreeMap::from([("cpu".to_owned(), cpu), ("memory".to_owned(), memory)]),
            limits: BTreeMap::from([("memory".to_owned(), memory_limit)]),
        }
    }

    /// The memory that the container may not exceed, in bytes.
    #[must_use]
    pub fn memory_limit(&self) -> Option<u64> {
        self.limits.get("memory").map(|quantity| quantity.rounded_up())
    }

    pub(crate) fn check(&self, path: &str, checks: &mut Checks) {
        for (list, amounts) in [("requests", &self.requests), ("limits", &self.limits)] {
            let at = Path::of(path).key(list);
            for (name, amount) in amounts {
                check_amount(&at, name, *amount, checks);
            }
        }
        for (name, request) in &self.requests {
            if let Some(complaint) = self.complaint_about_request(name, *request) {
                checks.refuse_at(Path::of(path).key("requests").key(name), complaint);
            }
        }
    }

    fn complaint_about_request(&self, name: &str, request: Quantity) -> Option<Complaint> {
        let limit = self.limits.get(name).copied();
        if is_resource(name) && !OVERCOMMITTED.contains(&name) && limit.is_none_or(|limit| request < limit) {
            let message = "is not what the limit is, and of such a resource Kubernetes wants it to be";
            return Some(Complaint::new(message, format!("write the same amount as limits[{name:?}]")));
        }
        let limit = limit.filter(|limit| request > *limit)?;
        let message = format!("`{request}` is more than the limit, `{limit}`");
        Some(Complaint::new(message, "request at most what the limit allows"))
    }
}

/// Whether Kubernetes would take it for the name of a resource.
fn is_resource(name: &str) -> bool {
    let is_extended = name.contains('/') && text::label_key(name).is_ok();
    let page = name.strip_prefix("hugepages-");
    OVERCOMMITTED.contains(&name) || is_extended || page.is_some_and(|size| size.parse::<Quantity>().is_ok())
}

fn check_amount(at: &Path, name: &str, amount: Quantity, checks: &mut Checks) {
    if !is_resource(name) {
        let hint = "Kubernetes knows cpu, memory, ephemeral-storage, hugepages-… and extended resources such as example.com/disk";
        checks.refuse_at(at.name(name), Complaint::new(format!("`{name}` is not a resource"), hint));
    } else if name == "memory" && amount < LEAST_MEMORY {
        let message = format!("`{amount}` is less than a server needs to start");
        checks.refuse_at(at.key(name), Complaint::new(message, amount.hint_to_reach(LEAST_MEMORY)));
    }
}
