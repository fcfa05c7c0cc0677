//! What Flux does with what is rendered: it replaces variables in it, and asks the objects how they are.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test that cannot go on has failed")]

use std::fs;

use render::{DesiredState, Renderer, Stage};
use serde_json::{Value, json};
use support::{clusters, examples, flux_health, kstatus, root, yaml_files};

/// Post-build substitution, where no variable is known: `$$` becomes `$`, and `${…}` what it falls back to, or nothing.
/// <https://fluxcd.io/flux/components/kustomize/kustomizations/#post-build-variable-substitution>
fn substituted(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find('$') {
        let (before, from) = rest.split_at(at);
        out += before;
        rest = if let Some(after) = from.strip_prefix("$$") {
            out.push('$');
            after
        } else if let Some((name, after)) = from.strip_prefix("${").and_then(|inner| inner.split_once('}')) {
            out += name.split_once(":-").map_or("", |(_, fallback)| fallback);
            after
        } else {
            out.push('$');
            &from[1..]
        };
    }
    out + rest
}

#[test]
fn the_substitution_of_this_test_is_that_of_flux() {
    for (text, wanted) in [("a$$b", "a$b"), ("${a}", ""), ("${a:-b}c", "bc"), ("$a $1 $(b) ^a$", "$a $1 $(b) ^a$")] {
        assert_eq!(substituted(text), wanted);
    }
}

#[test]
fn what_is_rendered_survives_substitution_byte_for_byte() {
    for path in examples() {
        for cluster in clusters(&fs::read_to_string(&path).unwrap()) {
            for form in [DesiredState::ConfigMap, DesiredState::CustomResource] {
                let text = Renderer::with(form).render(&cluster).unwrap().to_yaml();
                assert!(text.contains('$'), "there is something to be replaced");
                assert_eq!(substituted(&text), text, "{}", path.display());
            }
        }
    }
    let definition = render::custom_resource_definition().unwrap();
    assert_eq!(substituted(&definition), definition);
}

fn documents(file: &str) -> Vec<Value> {
    let text = fs::read_to_string(root().join("deploy/flux").join(file)).unwrap();
    serde_saphyr::from_multiple(&text).unwrap()
}

/// The files that have Flux apply clusters, and where in each the Kustomization with the StatefulSet stands.
const CLUSTERS: [(&str, usize); 3] = [("oci.yaml", 1), ("branch.yaml", 1), ("staged.yaml", 2)];

#[test]
fn flux_takes_an_object_for_what_kstatus_does() {
    let folder = root().join("deploy/argocd/resource_customizations/valkey-gitops.dev/ValkeyCluster/testdata");
    let mut seen = Vec::new();
    for (file, at) in CLUSTERS {
        let expressions = &documents(file)[at]["spec"]["healthCheckExprs"][0];
        for path in yaml_files(&folder) {
            let object: Value = serde_saphyr::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
            assert_eq!(flux_health(expressions, &object), kstatus(&object), "{file} {}", path.display());
            seen.push(kstatus(&object));
        }
    }
    assert!(["InProgress", "Failed", "Current"].iter().all(|health| seen.contains(health)), "{seen:?}");
}

#[test]
fn a_certificate_of_an_earlier_spec_keeps_the_clusters_waiting() {
    let expressions = &documents("staged.yaml")[1]["spec"]["healthCheckExprs"][0];
    assert_eq!(
        (&expressions["apiVersion"], &expressions["kind"]),
        (&"cert-manager.io/v1".into(), &"Certificate".into())
    );
    let certificate = |conditions: Value| json!({"metadata": {"generation": 2}, "status": {"conditions": conditions}});
    let ready = |status: &str, of: u64| json!([{"type": "Ready", "status": status, "observedGeneration": of}]);
    for (object, wanted) in [
        (certificate(ready("True", 2)), "Current"),
        (certificate(ready("True", 1)), "InProgress"),
        (certificate(ready("False", 2)), "InProgress"),
        (certificate(json!([{"type": "Issuing", "status": "True", "observedGeneration": 2}])), "InProgress"),
        (json!({"metadata": {"generation": 1}}), "InProgress"),
    ] {
        assert_eq!(flux_health(expressions, &object), wanted, "{object}");
    }
}

#[test]
fn the_definition_is_there_before_the_clusters_and_stays() {
    let documents = documents("custom-resource.yaml");
    let (source, first) = (&documents[0], &documents[1]);
    assert_eq!((&first["spec"]["prune"], &first["spec"]["wait"]), (&false.into(), &true.into()));
    assert_eq!(first["spec"]["sourceRef"]["name"], source["metadata"]["name"]);
    assert_eq!(source["spec"]["ref"]["tag"], format!("v{}", env!("CARGO_PKG_VERSION")));
    let folder = root().join(first["spec"]["path"].as_str().unwrap());
    assert!(folder.join("kustomization.yaml").exists() && folder.join("definition.yaml").exists());
    let page = fs::read_to_string(root().join("docs/flux.md")).unwrap();
    assert!(page.contains(&format!("dependsOn:\n  - name: {}\n", first["metadata"]["name"].as_str().unwrap())));
}

#[test]
fn what_vanishes_by_mistake_takes_no_data_along() {
    for (file, at) in CLUSTERS {
        let documents = documents(file);
        let spec = &documents[at]["spec"];
        assert_eq!((&spec["prune"], &spec["wait"]), (&true.into(), &true.into()));
        assert_eq!(spec["sourceRef"]["kind"], documents[0]["kind"]);
        assert_eq!(spec["sourceRef"]["name"], documents[0]["metadata"]["name"]);
        let patch = &spec["patches"][0];
        assert_eq!(patch["target"]["kind"], "StatefulSet");
        // Of any cluster, by a label that nobody writes over.
        assert_eq!(patch["target"]["labelSelector"], spec::names::CLUSTER_LABEL);
        let patch: Value = serde_saphyr::from_str(patch["patch"].as_str().unwrap()).unwrap();
        assert_eq!(patch["metadata"]["annotations"]["kustomize.toolkit.fluxcd.io/prune"], "Disabled");
        assert!(spec.get("force").is_none() && spec.get("targetNamespace").is_none());
    }
}

#[test]
fn each_stage_has_a_kustomization_and_the_clusters_wait_for_the_base_alone() {
    let documents = documents("staged.yaml");
    let (source, stages) = documents.split_first().unwrap();
    let paths: Vec<&str> = stages.iter().map(|stage| stage["spec"]["path"].as_str().unwrap()).collect();
    assert_eq!(paths, Stage::ALL.map(|stage| format!("./{}", stage.folder())));
    let waits = |stage: &Value| stage["spec"]["dependsOn"].as_array().cloned().unwrap_or_default();
    let base = serde_json::json!([{"name": stages[0]["metadata"]["name"]}]);
    assert_eq!(
        stages.iter().map(|stage| Value::Array(waits(stage))).collect::<Vec<_>>(),
        [Value::Array(Vec::new()), base, Value::Array(Vec::new())]
    );
    for stage in stages {
        let spec = &stage["spec"];
        assert_eq!(spec["sourceRef"]["name"], source["metadata"]["name"]);
        assert_eq!((&spec["prune"], &spec["wait"]), (&true.into(), &true.into()));
        assert!(spec.get("force").is_none() && spec.get("targetNamespace").is_none());
    }
    let flat = self::documents("oci.yaml");
    assert_eq!(&flat[0], source, "the same artifact");
    for field in ["healthCheckExprs", "patches", "timeout", "wait"] {
        assert_eq!(stages[1]["spec"][field], flat[1]["spec"][field], "{field}");
    }
}
