//! Who may apply what is rendered: no right is asked of anybody that is not said, and none for the whole Kubernetes cluster.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test that cannot go on has failed")]

use std::collections::BTreeSet;
use std::fs;

use render::{DesiredState, Renderer};
use serde_json::{Value, json};
use support::{clusters, examples, root, small_with};

/// What is rendered of all examples, and of a spec whose agent may do most.
fn rendered(form: DesiredState) -> Vec<Value> {
    let most = small_with(&[("/spec/upgrade/allowDowngrade", json!(true))]).to_string();
    let texts = examples().into_iter().map(|path| fs::read_to_string(path).unwrap()).chain([most]);
    let manifests =
        texts.flat_map(|text| clusters(&text)).map(|cluster| Renderer::with(form).render(&cluster).unwrap());
    manifests.flat_map(|manifest| serde_saphyr::from_multiple::<Value>(&manifest.to_yaml()).unwrap()).collect()
}

fn documents(file: &str) -> Vec<Value> {
    serde_saphyr::from_multiple(&fs::read_to_string(root().join("deploy/kubernetes").join(file)).unwrap()).unwrap()
}

fn rules<'d>(documents: impl IntoIterator<Item = &'d Value>) -> Vec<Value> {
    documents.into_iter().flat_map(|role| role["rules"].as_array().unwrap().clone()).collect()
}

fn has(rule: &Value, list: &str, wanted: &Value) -> bool {
    rule[list].as_array().is_some_and(|words| words.contains(wanted))
}

fn words<'r>(rule: &'r Value, list: &str) -> &'r [Value] {
    rule[list].as_array().unwrap()
}

/// What is asked for and not held, for objects of any name.
fn missing(held: &[Value], asked: &[Value]) -> BTreeSet<String> {
    let mut missing = BTreeSet::new();
    for rule in asked {
        for (group, resource) in words(rule, "apiGroups")
            .iter()
            .flat_map(|group| words(rule, "resources").iter().map(move |resource| (group, resource)))
        {
            let covers = |rule: &&Value| {
                rule.get("resourceNames").is_none() && has(rule, "apiGroups", group) && has(rule, "resources", resource)
            };
            let fit: Vec<&Value> = held.iter().filter(covers).collect();
            let lacks = words(rule, "verbs").iter().filter(|verb| !fit.iter().any(|rule| has(rule, "verbs", verb)));
            missing.extend(lacks.map(|verb| format!("{verb} {resource} of {group}").replace('"', "")));
        }
    }
    missing
}

/// What applying an object asks for, and taking it away again.
fn applying(object: &Value) -> Value {
    let version = object["apiVersion"].as_str().unwrap();
    let group = version.split_once('/').map_or("", |(group, _)| group);
    let kind = object["kind"].as_str().unwrap().to_lowercase();
    let plural = kind.strip_suffix('y').map_or(format!("{kind}s"), |stem| format!("{stem}ies"));
    json!({"apiGroups": [group], "resources": [plural], "verbs": ["create", "delete", "get", "patch"]})
}

/// All that applying and granting asks for.
fn asked(form: DesiredState) -> Vec<Value> {
    let objects = rendered(form);
    let mut granted = rules(objects.iter().filter(|object| object["kind"] == "Role"));
    // Whoever grants does not know the names.
    granted.iter_mut().for_each(|rule| drop(rule.as_object_mut().unwrap().remove("resourceNames")));
    objects.iter().map(applying).chain(granted).collect()
}

#[test]
fn the_deployers_role_is_enough_to_apply_and_to_grant() {
    let role = documents("deployer.yaml").pop().unwrap();
    let held = rules([&role]);
    for form in DesiredState::ALL {
        assert_eq!(missing(&held, &asked(form)), BTreeSet::new());
    }
    let everything = [asked(DesiredState::ConfigMap), asked(DesiredState::CustomResource)].concat();
    for verb in missing(&everything, &held) {
        assert!(verb.starts_with("list ") || verb.starts_with("watch "), "{verb}: held for nothing but waiting");
    }
}

/// What Kubernetes' own role `admin` holds, as far as what is rendered is concerned.
/// <https://github.com/kubernetes/kubernetes/blob/master/plugin/pkg/auth/authorizer/rbac/bootstrappolicy/testdata/cluster-roles.yaml>
/// Those of Certificates are added by cert-manager.
fn admin() -> Vec<Value> {
    let all = json!(["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"]);
    let held: [(&str, &[&str]); 7] = [
        ("", &["configmaps", "events", "persistentvolumeclaims", "pods", "serviceaccounts", "services"]),
        ("apps", &["deployments", "statefulsets", "statefulsets/scale"]),
        ("cert-manager.io", &["certificates"]),
        ("coordination.k8s.io", &["leases"]),
        ("networking.k8s.io", &["networkpolicies"]),
        ("policy", &["poddisruptionbudgets"]),
        ("rbac.authorization.k8s.io", &["rolebindings", "roles"]),
    ];
    held.map(|(group, resources)| json!({"apiGroups": [group], "resources": resources, "verbs": all})).to_vec()
}

#[test]
fn whoever_administers_a_namespace_may_run_clusters_there() {
    let without_monitoring = |rule: &Value| !has(rule, "apiGroups", &json!("monitoring.coreos.com"));
    let asked = |form| asked(form).into_iter().filter(without_monitoring).collect::<Vec<_>>();
    assert_eq!(missing(&admin(), &asked(DesiredState::ConfigMap)), BTreeSet::new());

    let added = documents("custom-resource/cluster-roles.yaml");
    let label = "rbac.authorization.k8s.io/aggregate-to-admin";
    assert!(added.iter().all(|role| role["metadata"]["labels"][label] == "true"));
    let held = [admin(), rules(&added)].concat();
    assert_eq!(missing(&held, &asked(DesiredState::CustomResource)), BTreeSet::new());
}

#[test]
fn whoever_only_looks_may_change_nothing() {
    let added = documents("custom-resource/cluster-roles.yaml");
    let label = "rbac.authorization.k8s.io/aggregate-to-view";
    let viewing = rules(added.iter().filter(|role| role["metadata"]["labels"].get(label).is_some()));
    assert!(viewing.iter().all(|rule| rule["verbs"] == json!(["get", "list", "watch"])), "{viewing:?}");
}

#[test]
fn the_definition_that_is_shipped_is_the_one_that_is_printed() {
    let path = root().join("deploy/kubernetes/custom-resource/definition.yaml");
    let definition = render::custom_resource_definition().unwrap();
    if std::env::var_os("UPDATE").is_some() {
        fs::write(&path, &definition).unwrap();
    }
    assert!(
        fs::read_to_string(&path).unwrap() == definition,
        "{} is out of date: run `make snapshots`",
        path.display()
    );
    let listed: Value = documents("custom-resource/kustomization.yaml").remove(0);
    assert_eq!(listed["resources"], json!(["definition.yaml", "cluster-roles.yaml"]));
}
