//! The part of an object's metadata that belongs to the server.
//!
//! <https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/object-meta/>

use serde_json::{Map, Value};

use crate::json::{items, now, number, remove, set};

/// An object that is written for the first time. Uids are counted, so that two runs of one story look alike.
pub(super) fn born(object: &mut Value, count: u64) {
    set(object, "/metadata/uid", format!("00000000-0000-4000-8000-{count:012x}"));
    set(object, "/metadata/creationTimestamp", now());
    remove(object, "/metadata/deletionTimestamp");
    remove(object, "/metadata/deletionGracePeriodSeconds");
    if object.get("spec").is_some() {
        set(object, "/metadata/generation", 1);
    }
}

/// An object that is written again: what the server owns stays, and the generation counts changes of what is desired.
pub(super) fn changed(before: &Value, after: &mut Value) {
    for field in ["uid", "creationTimestamp", "generation", "resourceVersion", "namespace", "name"] {
        let path = format!("/metadata/{field}");
        match before.pointer(&path) {
            Some(value) => set(after, &path, value.clone()),
            None => drop(remove(after, &path)),
        }
    }
    if let Some(generation) = number(before, "/metadata/generation")
        && desired(before) != desired(after)
    {
        set(after, "/metadata/generation", generation + 1);
    }
}

/// Nothing holds the object any more: no finalizer, and no kubelet that has to stop its containers first.
/// <https://kubernetes.io/docs/concepts/overview/working-with-objects/finalizers/>
pub(super) fn may_go(object: &Value) -> bool {
    crate::json::is_leaving(object)
        && items(object, "/metadata/finalizers").is_empty()
        && number(object, "/metadata/deletionGracePeriodSeconds").unwrap_or(0) == 0
}

fn desired(object: &Value) -> Option<Map<String, Value>> {
    let mut desired = object.as_object()?.clone();
    desired.remove("metadata");
    desired.remove("status");
    Some(desired)
}
