//! Where each pod keeps its data.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::checks::Checks;
use crate::text::{ObjectName, Quantity};

/// Where each pod keeps its data: a volume, or `ephemeral`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct StorageSpec {
    /// The size that volumes are created with. It cannot change later: see `expandTo`.
    #[schemars(extend("x-default" = "10Gi"))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub size: Option<Quantity>,
    /// The storage class; by default that of the Kubernetes cluster. It cannot change later.
    #[schemars(extend("examples" = ["fast-ssd"]))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub class_name: Option<ObjectName>,
    /// The size to which the agent grows the volumes, where their class allows it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expand_to: Option<Quantity>,
    /// What becomes of the volumes when the cluster is deleted.
    #[schemars(extend("x-default" = "Retain"))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub on_delete: Option<Retention>,
    /// What becomes of a volume when its pod is scaled in.
    #[schemars(extend("x-default" = "Retain"))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub on_scale_in: Option<Retention>,
    /// No volumes: data lives and dies with its pod.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ephemeral: Option<Ephemeral>,
}

/// Data lives and dies with its pod.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Ephemeral {
    /// How much the pod may write before it is evicted; unlimited by default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub size_limit: Option<Quantity>,
}

/// What becomes of a volume that is no longer used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub enum Retention {
    /// It stays, with its data.
    #[default]
    Retain,
    /// It is deleted, with its data.
    Delete,
}

/// Where each pod keeps its data.
#[derive(Debug, Clone, PartialEq)]
pub enum Storage {
    /// On a volume of its own.
    Volume {
        /// The size that volumes are created with.
        size: Quantity,
        /// The storage class; none for that of the Kubernetes cluster.
        class_name: Option<ObjectName>,
        /// The size to which the agent grows the volumes; none to leave them.
        expand_to: Option<Quantity>,
        /// What becomes of them when the cluster is deleted.
        on_delete: Retention,
        /// What becomes of one when its pod is scaled in.
        on_scale_in: Retention,
    },
    /// In its own, with which it is gone.
    Ephemeral {
        /// How much it may write; none for no limit.
        size_limit: Option<Quantity>,
    },
}

/// Less than this, and the unit was forgotten.
const SMALLEST: Quantity = Quantity::mebibytes(64);

impl StorageSpec {
    pub(crate) fn check(self, checks: &mut Checks) -> Storage {
        for (field, quantity) in [("size", self.size), ("expandTo", self.expand_to)] {
            check_not_tiny(&format!("spec.storage.{field}"), quantity, checks);
        }
        self.check_expansion(checks);
        if let Some(ephemeral) = &self.ephemeral {
            check_not_tiny("spec.storage.ephemeral.sizeLimit", ephemeral.size_limit, checks);
            self.check_no_volume_fields(checks);
            return Storage::Ephemeral { size_limit: ephemeral.size_limit };
        }
        Storage::Volume {
            size: self.size.unwrap_or(Quantity::mebibytes(10 * 1024)),
            class_name: self.class_name,
            expand_to: self.expand_to,
            on_delete: self.on_delete.unwrap_or_default(),
            on_scale_in: self.on_scale_in.unwrap_or_default(),
        }
    }

    fn check_expansion(&self, checks: &mut Checks) {
        let size = self.size.unwrap_or(Quantity::mebibytes(10 * 1024));
        if let Some(expand_to) = self.expand_to.filter(|expand_to| *expand_to < size) {
            checks.refuse(
                "spec.storage.expandTo",
                format!("`{expand_to}` is less than the size, `{size}`, and volumes cannot shrink"),
                format!("write more than {size}, or remove the line"),
            );
        }
    }

    fn check_no_volume_fields(&self, checks: &mut Checks) {
        let given = [
            ("size", self.size.is_some()),
            ("className", self.class_name.is_some()),
            ("expandTo", self.expand_to.is_some()),
            ("onDelete", self.on_delete.is_some()),
            ("onScaleIn", self.on_scale_in.is_some()),
        ];
        for (field, _) in given.into_iter().filter(|(_, given)| *given) {
            let message = "is about volumes, and `ephemeral` says that there are none";
            checks.refuse(&format!("spec.storage.{field}"), message, "keep one of the two");
        }
    }
}

fn check_not_tiny(path: &str, quantity: Option<Quantity>, checks: &mut Checks) {
    if let Some(quantity) = quantity.filter(|quantity| *quantity < SMALLEST) {
        let message = format!("`{quantity}` is less than Valkey needs to start");
        checks.refuse(path, message, quantity.hint_to_reach(SMALLEST));
    }
}

impl From<&Storage> for StorageSpec {
    fn from(storage: &Storage) -> Self {
        match storage.clone() {
            Storage::Volume { size, class_name, expand_to, on_delete, on_scale_in } => Self {
                size: Some(size),
                class_name,
                expand_to,
                on_delete: Some(on_delete),
                on_scale_in: Some(on_scale_in),
                ephemeral: None,
            },
            Storage::Ephemeral { size_limit } => Self { ephemeral: Some(Ephemeral { size_limit }), ..Self::default() },
        }
    }
}
