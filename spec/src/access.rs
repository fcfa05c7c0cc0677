//! Who may reach the client port.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::checks::Checks;
use crate::problem::{Complaint, Path};
use crate::text;

/// Who may reach the client port.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Access {
    /// The pods that may; by default those of the cluster's own namespace. An empty list lets nobody in but the cluster itself.
    pub clients: Vec<Peer>,
}

/// A set of pods: those that both selectors match.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Peer {
    /// Pods with these labels; `{}` for all. Alone, it means pods of the cluster's own namespace.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pod_selector: Option<LabelSelector>,
    /// Pods of namespaces with these labels; `{}` for all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub namespace_selector: Option<LabelSelector>,
}

/// Labels to select by; empty for everything.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct LabelSelector {
    /// Labels and the values that they must have.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub match_labels: BTreeMap<String, String>,
    /// Conditions that must all hold.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub match_expressions: Vec<LabelRequirement>,
}

/// A condition on one label.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct LabelRequirement {
    /// The label.
    pub key: String,
    /// How its value is judged.
    pub operator: LabelOperator,
    /// The values, for `In` and `NotIn`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub values: Vec<String>,
}

/// How the value of a label is judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum LabelOperator {
    /// It is one of the values.
    In,
    /// It is none of the values.
    NotIn,
    /// The label is there.
    Exists,
    /// The label is not there.
    DoesNotExist,
}

impl Default for Access {
    fn default() -> Self {
        let everyone_here = Peer { pod_selector: Some(LabelSelector::default()), namespace_selector: None };
        Self { clients: vec![everyone_here] }
    }
}

impl Access {
    pub(crate) fn check(&self, checks: &mut Checks) {
        for (index, peer) in self.clients.iter().enumerate() {
            peer.check(&Path::of("spec.access.clients").index(index), checks);
        }
    }
}

impl Peer {
    fn check(&self, at: &Path, checks: &mut Checks) {
        if self.pod_selector.is_none() && self.namespace_selector.is_none() {
            let hint = "write podSelector, namespaceSelector or both; `podSelector: {}` means the whole namespace";
            checks.refuse_at(at.clone(), Complaint::new("selects nobody", hint));
        }
        for (field, selector) in [("podSelector", &self.pod_selector), ("namespaceSelector", &self.namespace_selector)]
        {
            if let Some(selector) = selector {
                selector.check(&at.key(field), checks);
            }
        }
    }
}

impl LabelSelector {
    fn check(&self, at: &Path, checks: &mut Checks) {
        for (key, value) in &self.match_labels {
            checks.label(&at.key("matchLabels"), key, value);
        }
        for (index, requirement) in self.match_expressions.iter().enumerate() {
            requirement.check(&at.key("matchExpressions").index(index), checks);
        }
    }
}

impl LabelRequirement {
    fn check(&self, at: &Path, checks: &mut Checks) {
        if let Err(complaint) = text::label_key(&self.key) {
            checks.refuse_at(at.key("key"), complaint);
        }
        for (index, value) in self.values.iter().enumerate() {
            if let Err(complaint) = text::label_value(value) {
                checks.refuse_at(at.key("values").index(index), complaint);
            }
        }
        let wants_values = matches!(self.operator, LabelOperator::In | LabelOperator::NotIn);
        if wants_values == self.values.is_empty() {
            let message = if wants_values { "is empty" } else { "has no effect with this operator" };
            let complaint =
                Complaint::new(message, "`In` and `NotIn` have values, `Exists` and `DoesNotExist` have none");
            checks.refuse_at(at.key("values"), complaint);
        }
    }
}
