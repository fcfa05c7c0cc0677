//! One side of a comparison: Kubernetes objects, and the clusters that they were rendered from.

use std::collections::BTreeMap;

use serde_json::Value;
use spec::{Cluster, names};

use crate::document::WRITTEN_BY_THE_CLUSTER;

/// Objects, by the cluster that they belong to.
#[derive(Debug, Clone, Default)]
pub struct Side {
    owners: BTreeMap<Owner, Belongings>,
}

/// What belongs to one cluster, or to none.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Belongings {
    /// By `Kind/name`, without the version: an object stays the same when its version is promoted. As JSON, which takes a tenth
    /// of the memory: most objects are the same on both sides, and nobody looks into them.
    pub(super) objects: BTreeMap<String, String>,
    pub(super) cluster: Option<Cluster>,
}

/// The cluster that an object belongs to.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Owner {
    pub(super) namespace: String,
    pub(super) cluster: String,
}

/// Why an object cannot be compared.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SideError {
    /// It has no `kind` or no `metadata.name`.
    #[error("is not a Kubernetes object: it has no kind or no metadata.name")]
    NoObject,
    /// The same object has been added before.
    #[error("{0} is there a second time")]
    Twice(String),
}

impl Side {
    /// Adds one object.
    ///
    /// # Errors
    /// When it is none, or there already.
    pub fn add(&mut self, mut object: Value) -> Result<(), SideError> {
        forget_what_the_cluster_wrote(&mut object);
        let text = |pointer: &str| object.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned();
        let (kind, name) = (text("/kind"), text("/metadata/name"));
        if kind.is_empty() || name.is_empty() {
            return Err(SideError::NoObject);
        }
        let cluster = object.pointer("/metadata/labels").and_then(|labels| labels.get(names::CLUSTER_LABEL));
        let cluster = cluster.and_then(Value::as_str).unwrap_or_default().to_owned();
        let owner = Owner { namespace: text("/metadata/namespace"), cluster };
        let belongings = self.owners.entry(owner).or_default();
        belongings.cluster = super::desired_state(&object).or(belongings.cluster.take());
        let known_by = format!("{kind}/{name}");
        match belongings.objects.insert(known_by.clone(), serde_json::to_string(&object).unwrap_or_default()) {
            None => Ok(()),
            Some(_) => Err(SideError::Twice(known_by)),
        }
    }

    /// Whether there is nothing to compare.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.owners.is_empty()
    }

    /// Whether there are objects of the cluster.
    #[must_use]
    pub fn holds(&self, cluster: &Cluster) -> bool {
        let owner = Owner { namespace: cluster.namespace.to_string(), cluster: cluster.name.to_string() };
        self.owners.contains_key(&owner)
    }

    pub(super) fn owners(&self) -> impl Iterator<Item = &Owner> {
        self.owners.keys()
    }

    pub(super) fn of(&self, owner: &Owner) -> Option<&Belongings> {
        self.owners.get(owner)
    }
}

/// What `kubectl get` shows and no file has.
fn forget_what_the_cluster_wrote(object: &mut Value) {
    if let Some(fields) = object.as_object_mut() {
        fields.remove("status");
    }
    if let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) {
        for field in WRITTEN_BY_THE_CLUSTER {
            metadata.remove(field);
        }
    }
}
