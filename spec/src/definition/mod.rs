//! `ValkeyCluster` as a custom resource, made from the types that read it.
//!
//! ```text
//! types --schemars--> JSON Schema --structural--> what the API server takes --rules--> with what no schema can say
//! ```
//!
//! What the API server fills in is what the renderer writes anyway, so that an object that was rendered stays as it is.

mod formats;
mod rules;
mod structural;
mod values;

use serde_json::{Value, json};

use crate::schema::json_schema_of;
use crate::status::Status;
use crate::wire::Spec;
use rules::{RULES, Rule};

pub use crate::wire::{GROUP, PLURAL, VERSION};

/// The `CustomResourceDefinition` of a `ValkeyCluster`.
#[must_use]
pub fn custom_resource_definition() -> Value {
    let names = json!({
        "categories": ["all"], "kind": "ValkeyCluster", "listKind": "ValkeyClusterList", "plural": PLURAL,
        "shortNames": ["vkc"], "singular": "valkeycluster",
    });
    json!({
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": format!("{PLURAL}.{GROUP}")},
        "spec": {"conversion": {"strategy": "None"}, "group": GROUP, "names": names, "scope": "Namespaced", "versions": [version()]},
    })
}

fn version() -> Value {
    json!({
        "name": VERSION,
        "served": true,
        "storage": true,
        "additionalPrinterColumns": columns(),
        "schema": {"openAPIV3Schema": schema()},
        "subresources": {
            "status": {},
            "scale": {
                "specReplicasPath": ".spec.shards",
                "statusReplicasPath": ".status.shardCount",
                "labelSelectorPath": ".status.selector",
            },
        },
    })
}

fn columns() -> Value {
    let column = |name: &str, kind: &str, path: &str, description: &str| json!({"name": name, "type": kind, "jsonPath": path, "description": description});
    let ready = ".status.conditions[?(@.type==\"Ready\")].status";
    json!([
        column("Ready", "string", ready, "Whether everything is as it should be."),
        column("Shards", "integer", ".spec.shards", "How many shards there should be."),
        column("Slots", "integer", ".status.servedSlots", "How many slots are served, of 16384."),
        column("Version", "string", ".spec.version", "The version of Valkey."),
        column("Age", "date", ".metadata.creationTimestamp", "Since when the object is there."),
    ])
}

fn schema() -> Value {
    let (mut spec, mut status) = (json_schema_of::<Spec>(), json_schema_of::<Status>());
    structural::bring_into_shape(&mut spec);
    structural::add_rendered_template(&mut spec);
    structural::bring_into_shape(&mut status);
    structural::say_status(&mut status);
    let mut schema = json!({
        "type": "object",
        "description": "A Valkey cluster: shards of one primary and its replicas, over which all keys are spread.",
        "required": ["spec"],
        "properties": {
            "apiVersion": {"type": "string", "description": "The version of this format."},
            "kind": {"type": "string", "description": "Always `ValkeyCluster`."},
            "metadata": {"type": "object", "properties": {"name": formats::cluster_name()}},
            "spec": spec,
            "status": status,
        },
    });
    for rule in RULES.iter().chain(&made_from_lists()) {
        rule.at.iter().for_each(|at| lay_down(&mut schema, at, rule));
    }
    schema
}

/// The rules that follow from what the servers of each series know, and from which labels are taken.
fn made_from_lists() -> Vec<Rule> {
    let mut rules = vec![rules::pod_labels(), rules::directives()];
    rules.extend(values::rules());
    rules
}

/// Writes a rule where it belongs. That each place is there, a test sees.
fn lay_down(schema: &mut Value, at: &str, rule: &Rule) {
    if let Some(Value::Object(place)) = schema.pointer_mut(&rules::pointer(at)) {
        let all = place.entry("x-kubernetes-validations").or_insert_with(|| json!([]));
        if let Value::Array(all) = all {
            all.push(rule.as_json());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_rule_has_its_place() {
        let text = custom_resource_definition().to_string();
        let places: usize = RULES.iter().map(|rule| rule.at.len()).sum();
        assert_eq!(text.matches("\"rule\":").count(), places + made_from_lists().len());
    }
}
