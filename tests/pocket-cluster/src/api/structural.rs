//! What a definition says of its objects: what is filled in, and what stands in their columns.
//!
//! <https://kubernetes.io/docs/tasks/extend-kubernetes/custom-resources/custom-resource-definitions/#defaulting>

use serde_json::Value;

use crate::json::{items, text};
use crate::kinds::Kind;
use crate::store::Store;

/// The version of a definition that a kind comes from; none for kinds that are built in.
pub(super) fn version(store: &Store, kind: &Kind) -> Option<Value> {
    let definitions = store.all("customresourcedefinitions.apiextensions.k8s.io");
    let own = definitions.iter().find(|definition| {
        text(definition, "/spec/group") == kind.group && text(definition, "/spec/names/plural") == kind.plural
    })?;
    items(own, "/spec/versions").iter().find(|version| text(version, "/name") == kind.version).cloned()
}

/// Fills an object in, as far as the version of its definition says with what.
pub(super) fn fill(version: Option<&Value>, object: &mut Value) {
    if let Some(schema) = version.and_then(|version| version.pointer("/schema/openAPIV3Schema")) {
        fill_in(schema, object);
    }
}

fn fill_in(schema: &Value, value: &mut Value) {
    match value {
        Value::Object(fields) => {
            for (name, inner) in schema.get("properties").and_then(Value::as_object).into_iter().flatten() {
                if let Some(default) = inner.get("default").filter(|_| !fields.contains_key(name)) {
                    fields.insert(name.clone(), default.clone());
                }
                if let Some(field) = fields.get_mut(name) {
                    fill_in(inner, field);
                }
            }
        }
        Value::Array(elements) => {
            let of_elements = schema.get("items").unwrap_or(&Value::Null);
            elements.iter_mut().for_each(|element| fill_in(of_elements, element));
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// What stands at a path of the simple kind: fields, and one element of a list by one of its fields.
pub(super) fn at(object: &Value, path: &str) -> String {
    let mut place = Some(object);
    for step in path.replace("[?(@.", ".?").split('.').filter(|step| !step.is_empty()) {
        place = match step.strip_prefix('?') {
            None => place.and_then(|place| place.get(step)),
            Some(wanted) => {
                let (field, wanted) = wanted.split_once("==").unwrap_or((wanted, ""));
                let wanted = wanted.trim_end_matches(")]").trim_matches(['"', '\'']);
                let elements = place.and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
                elements.iter().find(|element| text(element, &format!("/{field}")) == wanted)
            }
        };
    }
    match place {
        Some(Value::String(text)) => text.clone(),
        Some(value) => value.to_string(),
        None => String::new(),
    }
}
