//! Applied as Argo CD applies it: wave after wave, the next when all of this one is healthy.

use std::collections::BTreeMap;

use render::Renderer;
use serde_json::{Value, json};
use support::small_with;

use crate::forming::every_server_says_so;
use crate::story::{Story, without_password};
use crate::wait::wait;

/// The objects of each wave, in the order of the waves.
fn waves(story: &Story) -> BTreeMap<i64, Vec<Value>> {
    let manifest = Renderer::with_waves().render(&story.cluster).unwrap();
    let mut waves: BTreeMap<i64, Vec<Value>> = BTreeMap::new();
    for object in serde_saphyr::from_multiple::<Value>(&manifest.to_yaml()).unwrap() {
        let wave = object.pointer("/metadata/annotations/argocd.argoproj.io~1sync-wave").and_then(Value::as_str);
        waves.entry(wave.unwrap_or("0").parse().unwrap()).or_default().push(object);
    }
    waves
}

/// Argo CD's own rules: what they do not name is healthy once it is there.
fn is_healthy(story: &Story, object: &Value) -> Result<(), String> {
    let name = object["metadata"]["name"].as_str().unwrap();
    let is_true = |found: &Value, wanted: &str| {
        let conditions = found["status"]["conditions"].as_array().cloned().unwrap_or_default();
        conditions.iter().any(|condition| condition["type"] == wanted && condition["status"] == "True")
    };
    let number = |found: &Value, pointer: &str| found.pointer(pointer).and_then(Value::as_u64).unwrap_or_default();
    let (found, healthy) = match object["kind"].as_str().unwrap() {
        "Certificate" => {
            let found = story.get("apis/cert-manager.io/v1", &format!("certificates/{name}"))?;
            (found.clone(), is_true(&found, "Ready"))
        }
        "Deployment" => {
            let found = story.get("apis/apps/v1", &format!("deployments/{name}"))?;
            (found.clone(), number(&found, "/status/availableReplicas") >= number(&found, "/spec/replicas"))
        }
        "StatefulSet" => {
            let found = story.get("apis/apps/v1", &format!("statefulsets/{name}"))?;
            (found.clone(), number(&found, "/status/readyReplicas") >= number(&found, "/spec/replicas"))
        }
        _ => return Ok(()),
    };
    if healthy { Ok(()) } else { Err(found.to_string()) }
}

#[test]
fn no_wave_waits_for_a_later_one() {
    let story =
        Story::prepare(small_with(&[without_password(), ("/spec/monitoring", json!({"prometheusRule": true}))]));
    let waves = waves(&story);
    assert_eq!(waves.keys().copied().collect::<Vec<_>>(), [-3, -2, -1, 0, 1]);
    for (wave, objects) in waves.into_iter().filter(|(wave, _)| *wave < 1) {
        objects.iter().for_each(|object| story.place.apply(&object.to_string()).unwrap());
        for object in &objects {
            wait(&format!("a healthy wave {wave}"), || is_healthy(&story, object));
        }
    }
    every_server_says_so(&story);
}
