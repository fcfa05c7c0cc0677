//! What holds for every manifest, whatever the spec.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test that cannot go on has failed")]

use std::collections::BTreeSet;

use render::{DesiredState, Renderer};
use serde_json::{Value, json};
use support::{clusters, examples, manifest, small, small_with};

fn yaml_of(spec: &Value) -> String {
    manifest(&clusters(&spec.to_string())[0]).to_yaml()
}

fn names_of(spec: &Value) -> BTreeSet<String> {
    manifest(&clusters(&spec.to_string())[0])
        .documents()
        .iter()
        .map(|document| document.identity().to_string())
        .collect()
}

#[test]
fn the_set_of_objects_is_the_same_for_three_shards_and_for_five_hundred() {
    assert_eq!(
        names_of(&small_with(&[("/spec/shards", json!(3))])),
        names_of(&small_with(&[("/spec/shards", json!(500))]))
    );
}

#[test]
fn budgets_per_shard_are_the_one_thing_that_follows_the_number_of_shards() {
    let with =
        |shards: u16| small_with(&[("/spec/shards", json!(shards)), ("/spec/disruptionBudget", json!("PerShard"))]);
    let (few, many) = (names_of(&with(7)), names_of(&with(9)));
    assert_eq!(
        many.difference(&few).cloned().collect::<Vec<_>>(),
        ["PodDisruptionBudget/small-shard-7", "PodDisruptionBudget/small-shard-8"]
    );
    assert!(few.is_subset(&many));
}

/// Lines that are not in the other text, on either side.
fn changed_lines(old: &str, new: &str) -> usize {
    let diff = |one: &str, other: &str| {
        let mut rest: Vec<&str> = other.lines().collect();
        one.lines()
            .filter(|line| rest.iter().position(|found| found == line).map(|at| rest.swap_remove(at)).is_none())
            .count()
    };
    diff(old, new) + diff(new, old)
}

/// A field, another value of it, and how many lines differ in the output, old and new together.
type Case = (&'static str, Value, usize);

fn cases() -> Vec<Case> {
    vec![
        // Nowhere.
        ("/metadata/annotations", json!({"note": "kept by others"}), 0),
        ("/spec/acknowledgeNoReplicas", json!(true), 0),
        // In the desired state alone.
        ("/spec/shards", json!(4), 2),
        ("/spec/replicasPerShard", json!(2), 2),
        ("/spec/rebalance/auto", json!(false), 2),
        ("/spec/rebalance/maxConcurrentMigrations", json!(8), 2),
        ("/spec/upgrade/paused", json!(true), 2),
        ("/spec/upgrade/canary", json!(false), 2),
        ("/spec/upgrade/syncTimeout", json!("10m"), 2),
        ("/spec/storage/expandTo", json!("20Gi"), 1),
        // There, and in the one object that it is about.
        ("/spec/upgrade/allowDowngrade", json!(true), 8),
        ("/spec/storage/size", json!("20Gi"), 4),
        ("/spec/storage/className", json!("fast"), 2),
        ("/spec/storage/onDelete", json!("Delete"), 4),
        ("/spec/storage/onScaleIn", json!("Delete"), 4),
        ("/spec/storage/ephemeral", json!({"sizeLimit": "1Gi"}), 24),
        ("/spec/version", json!("9.1.3"), 8),
        ("/spec/image/repository", json!("example.com/valkey"), 8),
        ("/spec/image/tag", json!("9.1.2-alpine"), 7),
        ("/spec/image/digest", json!(format!("sha256:{}", "ab".repeat(32))), 7),
        ("/spec/image/pullPolicy", json!("Always"), 8),
        ("/spec/image/pullSecrets", json!(["regcred"]), 10),
        ("/spec/resources/requests/cpu", json!("200m"), 8),
        ("/spec/resources/limits/memory", json!("1Gi"), 8),
        ("/spec/maxMemoryPercent", json!(60), 4),
        ("/spec/config/maxmemory-policy", json!("allkeys-lru"), 3),
        ("/spec/config/databases", json!(4), 11),
        ("/spec/persistence/fsync", json!("always"), 4),
        ("/spec/persistence/snapshots", json!(["3600 1"]), 4),
        ("/spec/placement/zoneSpread", json!("Required"), 8),
        ("/spec/placement/hostSpread", json!("Off"), 14),
        ("/spec/placement/nodeSelector", json!({"disk": "ssd"}), 10),
        ("/spec/placement/tolerations", json!([{"operator": "Exists"}]), 10),
        ("/spec/placement/priorityClassName", json!("high"), 7),
        ("/spec/disruptionBudget", json!("PerShard"), 45),
        ("/spec/access/clients", json!([]), 8),
        ("/spec/monitoring/prometheusRule", json!(true), 98),
        ("/spec/monitoring/podMonitor", json!(true), 26),
        ("/spec/tls/issuerRef/name", json!("other-ca"), 4),
        ("/spec/tls/clientAuth", json!("Required"), 4),
        ("/spec/tls/duration", json!("4320h"), 4),
        ("/spec/agent/logLevel", json!("debug"), 4),
        ("/spec/agent/image", json!("example.com/agent:1"), 3),
        ("/spec/tls/renewBefore", json!("240h"), 4),
        ("/spec/tls/issuerRef/kind", json!("ClusterIssuer"), 4),
        ("/spec/tls/issuerRef/group", json!("example.com"), 4),
        ("/spec/auth/passwordSecret/name", json!("other"), 10),
        ("/spec/auth/passwordSecret/key", json!("other"), 10),
        ("/spec/agent/resources/requests/cpu", json!("20m"), 4),
        ("/spec/agent/resources/limits/memory", json!("256Mi"), 4),
        // In all that are about it.
        ("/spec/persistence/appendOnly", json!(false), 10),
        ("/spec/clusterDomain", json!("example.com"), 18),
        ("/spec/tls/secretName", json!("own"), 58),
        ("/spec/tls/disabled", json!(true), 84),
        ("/spec/auth/disabled", json!(true), 35),
        ("/metadata/labels", json!({"team": "a"}), 16),
        ("/spec/podLabels", json!({"mesh": "off"}), 8),
        ("/metadata/namespace", json!("other"), 60),
        ("/metadata/name", json!("other"), 180),
    ]
}

/// The small spec with one field changed.
fn small_but((field, value, _): &Case) -> Value {
    // `resources` has defaults as a whole: changing one keeps the others.
    let whole = |cpu: &str, memory: &str, limit: &str| json!({"requests": {"cpu": cpu, "memory": memory}, "limits": {"memory": limit}});
    let start = [
        ("/spec/resources", whole("100m", "512Mi", "512Mi")),
        ("/spec/agent/resources", whole("10m", "32Mi", "128Mi")),
    ];
    // Of these, one excludes the others.
    let change = match *field {
        "/spec/tls/secretName" => ("/spec/tls", json!({"secretName": value})),
        "/spec/tls/disabled" => ("/spec/tls", json!({"disabled": value})),
        "/spec/auth/disabled" => ("/spec/auth", json!({"disabled": value})),
        field => (field, value.clone()),
    };
    small_with(&[start.as_slice(), &[change]].concat())
}

#[test]
fn a_change_of_one_field_changes_as_few_lines_as_it_can() {
    let before = yaml_of(&small());
    let surprise = |case: &Case| {
        let counted = changed_lines(&before, &yaml_of(&small_but(case)));
        let (field, _, expected) = case;
        (counted != *expected).then(|| format!("{field}: {counted}, and {expected} were expected"))
    };
    let surprises: Vec<String> = cases().iter().filter_map(surprise).collect();
    assert!(surprises.is_empty(), "{}", surprises.join("\n"));
}

/// The pointers of the fields that have none within them, and of lists and maps.
fn leaves(pointer: &str, schema: &Value) -> Vec<String> {
    match schema["properties"].as_object() {
        Some(fields) => fields.iter().flat_map(|(name, field)| leaves(&format!("{pointer}/{name}"), field)).collect(),
        None => vec![pointer.to_owned()],
    }
}

#[test]
fn every_field_has_a_case() {
    let mut missing = leaves("", &spec::json_schema());
    missing.retain(|leaf| !["/apiVersion", "/kind"].contains(&leaf.as_str()));
    missing.retain(|leaf| {
        !cases().iter().any(|(field, ..)| field.starts_with(leaf) || leaf.starts_with(&format!("{field}/")))
    });
    assert!(missing.is_empty(), "{missing:?}");
}

#[test]
fn a_cluster_read_back_from_its_desired_state_renders_to_the_same_bytes() {
    for path in examples() {
        for cluster in clusters(&std::fs::read_to_string(&path).unwrap()) {
            let rendered = manifest(&cluster).to_yaml();
            let documents: Vec<Value> = serde_saphyr::from_multiple(&rendered).unwrap();
            let desired =
                documents.iter().find_map(|document| document.pointer("/data/cluster.yaml")?.as_str()).unwrap();
            assert_eq!(manifest(&clusters(desired)[0]).to_yaml(), rendered, "{}", path.display());
        }
    }
}

#[test]
fn what_is_written_as_yaml_and_as_json_is_the_same() {
    for path in examples() {
        for cluster in clusters(&std::fs::read_to_string(&path).unwrap()) {
            for document in manifest(&cluster).documents() {
                let from_yaml: Value = serde_saphyr::from_str(document.yaml()).unwrap();
                let from_json: Value = serde_json::from_str(&document.json().unwrap()).unwrap();
                assert_eq!(from_yaml, from_json, "{}", document.identity());
            }
        }
    }
}

fn stateful_set(spec: &Value) -> String {
    let manifest = manifest(&clusters(&spec.to_string())[0]);
    let set = manifest.documents().iter().find(|document| document.identity().kind == "StatefulSet").unwrap();
    set.yaml().to_owned()
}

#[test]
fn what_a_running_server_can_change_stands_in_no_pod_template() {
    for live in [
        ("/spec/config/maxmemory-policy", json!("allkeys-lru")),
        ("/spec/maxMemoryPercent", json!(60)),
        ("/spec/persistence/fsync", json!("always")),
        ("/spec/persistence/snapshots", json!(["3600 1"])),
        ("/spec/tls/clientAuth", json!("Required")),
        ("/spec/replicasPerShard", json!(3)),
    ] {
        assert_eq!(stateful_set(&small()), stateful_set(&small_with(std::slice::from_ref(&live))), "{live:?}");
    }
}

#[test]
fn what_needs_a_restart_changes_the_pod_template() {
    for restarting in [("/spec/config/databases", json!(4)), ("/spec/persistence/appendOnly", json!(false))] {
        let changed = small_with(std::slice::from_ref(&restarting));
        assert_ne!(stateful_set(&small()), stateful_set(&changed), "{restarting:?}");
    }
}

/// What the custom resource and the `StatefulSet` say of the template.
fn template_told(spec: &Value) -> [String; 2] {
    let cluster = &clusters(&spec.to_string())[0];
    let objects = Renderer::with(DesiredState::CustomResource).objects(cluster).unwrap();
    let said = |kind: &str, pointer: &str| {
        let object = objects.iter().find(|object| object["kind"] == kind).unwrap();
        object.pointer(pointer).and_then(Value::as_str).unwrap().to_owned()
    };
    [
        said("ValkeyCluster", "/spec/renderedTemplate"),
        said("StatefulSet", "/metadata/annotations/valkey-gitops.dev~1template-hash"),
    ]
}

#[test]
fn a_custom_resource_names_the_template_of_its_pods() {
    let before = template_told(&small());
    assert_eq!(before[0], before[1]);
    for (change, is_other) in [
        (("/spec/shards", json!(9)), false),
        (("/spec/config", json!({"hz": 20})), false),
        (("/spec/config", json!({"databases": 4})), true),
        (("/metadata/labels", json!({"team": "checkout"})), false),
        (("/spec/podLabels", json!({"mesh": "off"})), true),
    ] {
        let after = template_told(&small_with(std::slice::from_ref(&change)));
        assert_eq!(after[0], after[1]);
        assert_eq!(after != before, is_other, "{change:?}");
    }
}

#[test]
fn people_do_not_write_which_template_was_rendered() {
    let written = small_with(&[("/spec/renderedTemplate", json!("0123456789abcdef"))]);
    let refusal = spec::read(&written.to_string(), None).unwrap_err();
    assert!(refusal[0].to_string().contains("is for valkey-render to write"), "{refusal:?}");
}

#[test]
fn pods_meet_the_restricted_pod_security_standard() {
    for path in examples() {
        for cluster in clusters(&std::fs::read_to_string(&path).unwrap()) {
            for document in manifest(&cluster).documents() {
                let object: Value = serde_saphyr::from_str(document.yaml()).unwrap();
                let Some(pod) = object.pointer("/spec/template/spec") else {
                    continue;
                };
                assert_eq!(pod.pointer("/securityContext/runAsNonRoot"), Some(&json!(true)));
                assert_eq!(pod.pointer("/securityContext/seccompProfile/type"), Some(&json!("RuntimeDefault")));
                for container in pod["containers"].as_array().unwrap() {
                    assert_eq!(container.pointer("/securityContext/allowPrivilegeEscalation"), Some(&json!(false)));
                    assert_eq!(container.pointer("/securityContext/capabilities/drop"), Some(&json!(["ALL"])));
                    assert_eq!(container.pointer("/securityContext/readOnlyRootFilesystem"), Some(&json!(true)));
                }
                for volume in pod["volumes"].as_array().into_iter().flatten() {
                    let kinds = ["configMap", "emptyDir", "secret", "persistentVolumeClaim"];
                    assert!(kinds.iter().any(|kind| volume.get(kind).is_some()), "{volume}");
                }
            }
        }
    }
}

#[test]
fn the_agent_may_delete_claims_only_where_the_spec_allows_a_downgrade() {
    for allowed in [false, true] {
        let spec = small_with(&[("/spec/upgrade/allowDowngrade", json!(allowed))]);
        let manifest = manifest(&clusters(&spec.to_string())[0]);
        let role = manifest.documents().iter().find(|document| document.identity().kind == "Role").unwrap();
        let role: Value = serde_saphyr::from_str(role.yaml()).unwrap();
        let deletes = |rule: &&Value| {
            let has = |list: &str, word: &str| rule[list].as_array().unwrap().contains(&json!(word));
            has("resources", "persistentvolumeclaims") && has("verbs", "delete")
        };
        assert_eq!(role["rules"].as_array().unwrap().iter().any(|rule| deletes(&rule)), allowed);
    }
}

#[test]
fn what_the_agent_owns_is_absent() {
    let rendered = yaml_of(&small());
    let documents: Vec<Value> = serde_saphyr::from_multiple(&rendered).unwrap();
    let set = documents.iter().find(|document| document["kind"] == "StatefulSet").unwrap();
    assert_eq!(set["spec"].get("replicas"), None);
    for label in [spec::names::ROLE_LABEL, spec::names::SHARD_LABEL] {
        assert_eq!(set["spec"]["template"]["metadata"]["labels"].get(label), None);
    }
    assert!(documents.iter().all(|document| document.get("status").is_none() && document["kind"] != "Secret"));
}

#[test]
fn a_cluster_that_is_not_as_it_should_be_is_not_ready_at_the_next_look() {
    let manifest = manifest(&clusters(&small().to_string())[0]);
    let agent = manifest.documents().iter().find(|document| document.identity().kind == "Deployment").unwrap();
    let agent: Value = serde_saphyr::from_str(agent.yaml()).unwrap();
    let probe = &agent["spec"]["template"]["spec"]["containers"][0]["readinessProbe"];
    assert_eq!([&probe["periodSeconds"], &probe["failureThreshold"]], [&json!(1), &json!(1)]);
}
