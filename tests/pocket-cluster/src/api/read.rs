//! Get and list.

use std::sync::Arc;

use serde_json::{Value, json};

use super::answer::{Answer, ok};
use super::request::Request;
use super::selector::Selection;
use super::{events, table};
use crate::json::set;
use crate::kinds::Kind;
use crate::refusal::Refusal;
use crate::store::Store;

/// The object as this version of its kind shows it.
pub(super) fn shown(kind: &Kind, object: &Value) -> Value {
    let mut shown = if kind.name == "Event" { events::shown(&kind.group, object) } else { object.clone() };
    set(&mut shown, "/apiVersion", kind.api_version());
    set(&mut shown, "/kind", kind.name.clone());
    shown
}

pub(super) fn get(store: &Store, request: &Request) -> Result<Answer, Refusal> {
    let object = store.find(&request.target.key())?;
    Ok(ok(&represented(request, &object)))
}

/// An object in the form that the client asks for.
pub(super) fn represented(request: &Request, object: &Value) -> Value {
    let kind = &request.target.kind;
    if table::is_wanted(request) {
        return table::of(kind, &[object], &json!({}), &request.query);
    }
    shown(kind, object)
}

pub(super) fn list(store: &Store, request: &Request) -> Result<Answer, Refusal> {
    let selection = Selection::of(&request.query)?;
    let kind = &request.target.kind;
    let (mut objects, version) = store.list(&kind.resource(), request.target.namespace.as_deref());
    objects.retain(|object| selection.matches(object));
    let mut metadata = json!({"resourceVersion": version.to_string()});
    let objects = page(objects, request, &mut metadata);
    if table::is_wanted(request) {
        let rows: Vec<&Value> = objects.iter().map(Arc::as_ref).collect();
        return Ok(ok(&table::of(kind, &rows, &metadata, &request.query)));
    }
    let items: Vec<Value> = objects.iter().map(|object| shown(kind, object)).collect();
    Ok(ok(&json!({
        "kind": format!("{}List", kind.name), "apiVersion": kind.api_version(), "metadata": metadata, "items": items,
    })))
}

/// The part of a list that was asked for. What changes between two pages shows in the later one; Kubernetes would keep them
/// consistent. <https://kubernetes.io/docs/reference/using-api/api-concepts/#retrieving-large-results-sets-in-chunks>
fn page(objects: Vec<Arc<Value>>, request: &Request, metadata: &mut Value) -> Vec<Arc<Value>> {
    let skipped = request.query.get("continue").parse().unwrap_or(0);
    let limit = request.query.get("limit").parse().ok().filter(|limit| *limit > 0).unwrap_or(usize::MAX);
    let total = objects.len();
    let page: Vec<_> = objects.into_iter().skip(skipped).take(limit).collect();
    let remaining = total.saturating_sub(skipped.saturating_add(page.len()));
    if remaining > 0 {
        set(metadata, "/continue", (skipped + page.len()).to_string());
        set(metadata, "/remainingItemCount", remaining);
    }
    page
}
