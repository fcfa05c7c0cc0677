//! What stateful sets and deployments have in common: pods that they own, made from a template.
//!
//! <https://kubernetes.io/docs/concepts/overview/working-with-objects/owners-dependents/>

use std::sync::Arc;

use serde_json::{Value, json};

use crate::cluster::Cluster;
use crate::json::{controller, is_leaving, is_true, name, namespace, set, set_entry, text, uid};
use crate::kinds;
use crate::store::Key;

pub(super) fn reference(owner: &Value) -> Value {
    json!({
        "apiVersion": text(owner, "/apiVersion"), "kind": text(owner, "/kind"), "name": name(owner), "uid": uid(owner),
        "controller": true, "blockOwnerDeletion": true,
    })
}

pub(super) fn pods_of(cluster: &Cluster, owner: &Value) -> Vec<Arc<Value>> {
    let mut pods = cluster.store.in_namespace("pods", namespace(owner));
    pods.retain(|pod| controller(pod) == uid(owner));
    pods
}

/// A pod from a template, without a name.
pub(super) fn pod_from(template: &Value, owner: &Value) -> Value {
    let mut pod = json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": template.get("metadata").cloned().unwrap_or_else(|| json!({})),
        "spec": template.get("spec"),
    });
    set(&mut pod, "/metadata/namespace", namespace(owner));
    set(&mut pod, "/metadata/ownerReferences", json!([reference(owner)]));
    pod
}

pub(super) fn label(pod: &mut Value, key: &str, value: &str) {
    set_entry(pod, "/metadata/labels", key, value);
}

/// Creates an object as its owner; what is refused is told and tried again at the next look.
pub(super) fn create(cluster: &Cluster, owner: &Value, plural: &str, object: Value) -> bool {
    let kinds = kinds::all(&cluster.store);
    let Some(kind) = kinds.iter().find(|kind| kind.plural == plural) else { return false };
    match crate::api::create_object(&cluster.store, kind, object) {
        Ok(_) => true,
        Err(refusal) => {
            cluster.tell(owner, "FailedCreate", &format!("create {plural} failed: {refusal}"));
            false
        }
    }
}

pub(super) fn delete(cluster: &Cluster, pod: &Value) {
    if !is_leaving(pod) {
        drop(crate::api::delete_object(&cluster.store, &Key::of("pods", pod), &json!({})));
    }
}

pub(super) fn is_ready(pod: &Value) -> bool {
    is_true(pod, "Ready") && !is_leaving(pod)
}

pub(super) fn count(pods: &[Arc<Value>], is: impl Fn(&Value) -> bool) -> usize {
    pods.iter().filter(|pod| is(pod)).count()
}

pub(super) fn template_of(owner: &Value) -> &Value {
    owner.pointer("/spec/template").unwrap_or(&Value::Null)
}
