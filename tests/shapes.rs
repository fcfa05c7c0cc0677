//! Every shape that templates can take, judged.
//!
//! A template cannot look into a text; what it makes depends on which values there are and which are none. These are few: all of
//! them together are tried, so that no user is the first to see one.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test that cannot go on has failed")]

use serde_json::{Value, json};
use support::{clusters, manifest, small_with};

/// The product of the choices for each field.
fn product(choices: &[(&'static str, Vec<Value>)]) -> Vec<Vec<(&'static str, Value)>> {
    choices.iter().fold(vec![Vec::new()], |combinations, (field, values)| {
        let extended = combinations.iter().flat_map(|combination| {
            values.iter().map(move |value| {
                let mut longer = combination.clone();
                if !value.is_null() {
                    longer.push((*field, value.clone()));
                }
                longer
            })
        });
        extended.collect()
    })
}

fn judge_all(choices: &[(&'static str, Vec<Value>)], at_least: usize) {
    let combinations = product(choices);
    assert!(combinations.len() >= at_least, "{}", combinations.len());
    for combination in combinations {
        for cluster in clusters(&small_with(&combination).to_string()) {
            let _ = manifest(&cluster);
        }
    }
}

fn certificates() -> Vec<Value> {
    vec![
        json!({"issuerRef": {"name": "ca"}}),
        json!({"secretName": "certificate", "clientAuth": "Required"}),
        json!({"disabled": true}),
    ]
}

fn passwords() -> Vec<Value> {
    vec![json!({"passwordSecret": {"name": "secret"}}), json!({"disabled": true})]
}

#[test]
fn of_the_pods() {
    judge_all(
        &[
            ("/spec/tls", certificates()),
            ("/spec/auth", passwords()),
            (
                "/spec/storage",
                vec![
                    Value::Null,
                    json!({"className": "fast"}),
                    json!({"ephemeral": {}}),
                    json!({"ephemeral": {"sizeLimit": "1Gi"}}),
                ],
            ),
            ("/spec/resources", vec![Value::Null, json!({})]),
            ("/spec/placement/zoneSpread", vec![json!("Required"), json!("Off")]),
            ("/spec/placement/hostSpread", vec![json!("Preferred"), json!("Off")]),
            ("/spec/placement/nodeSelector", vec![Value::Null, json!({"a": "b"})]),
            ("/spec/placement/tolerations", vec![Value::Null, json!([{"operator": "Exists"}])]),
            ("/spec/placement/priorityClassName", vec![Value::Null, json!("high")]),
            ("/spec/image/pullSecrets", vec![Value::Null, json!(["one", "two"])]),
        ],
        3072,
    );
}

#[test]
fn of_everything_around_them() {
    judge_all(
        &[
            ("/spec/version", ["8.0", "8.1", "9.0", "9.1"].map(Value::from).to_vec()),
            ("/spec/tls", certificates()),
            ("/spec/auth", passwords()),
            (
                "/spec/persistence",
                vec![Value::Null, json!({"appendOnly": false}), json!({"appendOnly": false, "snapshots": ["60 1"]})],
            ),
            ("/spec/config", vec![Value::Null, json!({"hz": 20}), json!({"databases": 4})]),
            ("/spec/access/clients", vec![Value::Null, json!([])]),
            ("/spec/monitoring", vec![Value::Null, json!({"podMonitor": true}), json!({"prometheusRule": true})]),
            ("/spec/disruptionBudget", vec![Value::Null, json!("PerShard")]),
            ("/spec/agent/resources", vec![Value::Null, json!({})]),
        ],
        5000,
    );
}
