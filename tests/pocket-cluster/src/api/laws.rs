//! What the API server refuses to store.

use serde_json::{Map, Value, json};

use super::quota;
use crate::json::{name, namespace, text};
use crate::kinds::Kind;
use crate::quantity;
use crate::refusal::{Reason, Refusal};
use crate::store::{Key, Store};

pub(super) fn check_new(store: &Store, kind: &Kind, object: &Value) -> Result<(), Refusal> {
    check_name(kind, object)?;
    if kind.is_namespaced {
        store.find(&Key::new("namespaces", "", namespace(object)))?;
    }
    match kind.name.as_str() {
        "Pod" => check_pod(store, object),
        "StatefulSet" | "Deployment" => check_workload(kind, object),
        _ => Ok(()),
    }
}

/// What is wrong, told twice: as a text, and field by field, which is what kubectl shows.
fn invalid(kind: &Kind, object: &Value, field: &str, why: &str) -> Refusal {
    let full = if kind.group.is_empty() { kind.name.clone() } else { format!("{}.{}", kind.name, kind.group) };
    let mut refusal = Refusal::invalid(format!("{full} {:?} is invalid: {field}: {why}", name(object)));
    refusal.details = json!({
        "name": name(object), "group": kind.group, "kind": kind.name,
        "causes": [{"reason": "FieldValueInvalid", "message": why, "field": field}],
    });
    refusal
}

/// <https://kubernetes.io/docs/concepts/overview/working-with-objects/names/>
fn check_name(kind: &Kind, object: &Value) -> Result<(), Refusal> {
    let is_plain = |letter: char| letter.is_ascii_lowercase() || letter.is_ascii_digit() || "-.".contains(letter);
    // Roles and their bindings may be called anything that fits into a path.
    let is_free = kind.group == "rbac.authorization.k8s.io";
    let own = name(object);
    if !own.is_empty() && own.len() <= 253 && (is_free || own.chars().all(is_plain)) {
        return Ok(());
    }
    let rule = "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.'";
    Err(invalid(kind, object, "metadata.name", &format!("Invalid value: {own:?}: {rule}")))
}

/// <https://kubernetes.io/docs/reference/access-authn-authz/admission-controllers/#serviceaccount>
fn check_pod(store: &Store, pod: &Value) -> Result<(), Refusal> {
    let account = text(pod, "/spec/serviceAccountName");
    let key = Key::new("serviceaccounts", namespace(pod), account);
    if store.get(&key).is_some() {
        return quota::check_pod(store, pod);
    }
    let message = format!(
        "pods {:?} is forbidden: error looking up service account {}/{account}: serviceaccount {account:?} not found",
        name(pod),
        namespace(pod)
    );
    Err(Refusal::new(Reason::Forbidden, message).about("", "pods", name(pod)))
}

fn check_workload(kind: &Kind, workload: &Value) -> Result<(), Refusal> {
    let labels = workload.pointer("/spec/template").unwrap_or(&Value::Null);
    let selector = workload.pointer("/spec/selector").unwrap_or(&Value::Null);
    if super::LabelSelector::of(selector).matches(labels) && !selector.is_null() {
        return Ok(());
    }
    Err(invalid(kind, workload, "spec.template.metadata.labels", "`selector` does not match template `labels`"))
}

/// <https://kubernetes.io/docs/concepts/workloads/controllers/statefulset/#limitations>
const CHANGEABLE_OF_STATEFUL_SETS: [&str; 7] = [
    "replicas",
    "ordinals",
    "template",
    "updateStrategy",
    "revisionHistoryLimit",
    "persistentVolumeClaimRetentionPolicy",
    "minReadySeconds",
];

pub(super) fn check_change(kind: &Kind, before: &Value, after: &Value) -> Result<(), Refusal> {
    match kind.name.as_str() {
        "StatefulSet" => {
            check_workload(kind, after)?;
            let fixed = |object: &Value| without(object.get("spec"), &CHANGEABLE_OF_STATEFUL_SETS);
            let why = format!(
                "Forbidden: updates to statefulset spec for fields other than '{}' are forbidden",
                CHANGEABLE_OF_STATEFUL_SETS.join("', '")
            );
            if fixed(before) == fixed(after) { Ok(()) } else { Err(invalid(kind, after, "spec", &why)) }
        }
        "Deployment" => {
            check_workload(kind, after)?;
            let same = before.pointer("/spec/selector") == after.pointer("/spec/selector");
            if same { Ok(()) } else { Err(invalid(kind, after, "spec.selector", "field is immutable")) }
        }
        "RoleBinding" => {
            let same = before.get("roleRef") == after.get("roleRef");
            if same { Ok(()) } else { Err(invalid(kind, after, "roleRef", "cannot change roleRef")) }
        }
        "PersistentVolumeClaim" => check_claim(kind, before, after),
        _ => Ok(()),
    }
}

/// <https://kubernetes.io/docs/concepts/storage/persistent-volumes/#expanding-persistent-volumes-claims>
fn check_claim(kind: &Kind, before: &Value, after: &Value) -> Result<(), Refusal> {
    let fixed = |claim: &Value| without(claim.get("spec"), &["resources", "volumeName"]);
    if fixed(before) != fixed(after) {
        let why = "Forbidden: spec is immutable after creation except resources.requests";
        return Err(invalid(kind, after, "spec", why));
    }
    let size = |claim: &Value| quantity::bytes(text(claim, "/spec/resources/requests/storage")).unwrap_or(0);
    if size(after) < size(before) {
        let why = "Forbidden: field can not be less than previous value";
        return Err(invalid(kind, after, "spec.resources.requests.storage", why));
    }
    Ok(())
}

fn without(spec: Option<&Value>, fields: &[&str]) -> Map<String, Value> {
    let mut spec = spec.and_then(Value::as_object).cloned().unwrap_or_default();
    fields.iter().for_each(|field| drop(spec.remove(*field)));
    spec
}
