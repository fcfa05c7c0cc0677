//! One side of a comparison: Kubernetes objects, and the clusters that they were rendered from.

use std::collections::BTreeMap;

use serde_json::Value;
use spec::{Cluster, names};

/// Objects, by what they are known by.
#[derive(Debug, Clone, Default)]
pub struct Side {
    objects: BTreeMap<Key, Value>,
    clusters: BTreeMap<Owner, Cluster>,
}

/// The version is no part of it: an object stays the same object when its version is promoted.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Key {
    owner: Owner,
    object: String,
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
        if let Some(cluster) = super::desired_state(&object) {
            self.clusters.insert(owner.clone(), cluster);
        }
        let key = Key { owner, object: format!("{kind}/{name}") };
        match self.objects.insert(key.clone(), object) {
            None => Ok(()),
            Some(_) => Err(SideError::Twice(key.object)),
        }
    }

    /// Whether there is nothing to compare.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.objects.is_empty()
    }

    pub(super) fn owners(&self) -> impl Iterator<Item = Owner> {
        self.objects.keys().map(|key| key.owner.clone())
    }

    pub(super) fn cluster(&self, owner: &Owner) -> Option<&Cluster> {
        self.clusters.get(owner)
    }

    pub(super) fn objects_of(&self, owner: &Owner) -> BTreeMap<String, &Value> {
        let own = self.objects.iter().filter(|(key, _)| key.owner == *owner);
        own.map(|(key, object)| (key.object.clone(), object)).collect()
    }
}

/// What `kubectl get` shows and no file has.
fn forget_what_the_cluster_wrote(object: &mut Value) {
    if let Some(fields) = object.as_object_mut() {
        fields.remove("status");
    }
    if let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) {
        for field in ["creationTimestamp", "generation", "managedFields", "resourceVersion", "uid"] {
            metadata.remove(field);
        }
    }
}
