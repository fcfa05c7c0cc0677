//! Which lists are merged by keys, and which are replaced as one value, in the kinds that are built in.
//!
//! <https://kubernetes.io/docs/reference/using-api/server-side-apply/#merge-strategy>

use serde_json::{Value, json};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lists {
    /// One value: whoever writes a part writes all.
    Atomic,
    /// A set of plain values.
    Set,
    /// Items are told apart by these keys.
    Keyed(&'static [&'static str]),
}

/// The lists of custom kinds are atomic.
pub(super) fn are_known(group: &str) -> bool {
    !group.contains('.') || group.ends_with(".k8s.io")
}

/// How the list under the last of these names is merged.
pub(super) fn strategy(path: &[&str]) -> Lists {
    match path {
        [.., "metadata", "finalizers"] => Lists::Set,
        [.., "metadata", "ownerReferences"] => Lists::Keyed(&["uid"]),
        [.., "status", "conditions" | "addresses"] => Lists::Keyed(&["type"]),
        [.., "containers" | "initContainers", "ports"] => Lists::Keyed(&["containerPort", "protocol"]),
        ["spec", "ports"] => Lists::Keyed(&["port", "protocol"]),
        [.., "volumeMounts"] => Lists::Keyed(&["mountPath"]),
        [.., "spec", "topologySpreadConstraints"] => Lists::Keyed(&["topologyKey", "whenUnsatisfiable"]),
        [.., "containers" | "initContainers" | "volumes" | "env" | "imagePullSecrets"] | ["secrets"] => {
            Lists::Keyed(&["name"])
        }
        _ => Lists::Atomic,
    }
}

/// What tells an item apart from its neighbours.
pub(super) fn identity(keys: &[&str], item: &Value) -> Value {
    let value = |key: &str| match item.get(key) {
        Some(value) => value.clone(),
        None if key == "protocol" => json!("TCP"),
        None => Value::Null,
    };
    Value::Object(keys.iter().map(|key| ((*key).to_owned(), value(key))).collect())
}
