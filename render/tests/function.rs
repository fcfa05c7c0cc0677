//! The function on lists of objects, as kustomize and kpt call it.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test that cannot go on has failed")]

mod support;

use std::fs;
use std::os::unix::fs::symlink;
use std::process::{Command, Stdio};

use serde_json::{Value, json};
use support::{root, run, run_with_input, text};

fn spec(name: &str) -> Value {
    serde_saphyr::from_str(&fs::read_to_string(root().join(format!("examples/{name}.yaml"))).unwrap()).unwrap()
}

fn rendered(spec: &Value) -> Vec<Value> {
    rendered_by(spec, &[])
}

fn rendered_by(spec: &Value, flags: &[&str]) -> Vec<Value> {
    let words = [&["render", "--format", "json"], flags].concat();
    let output = run_with_input(&words, spec.to_string().as_bytes()).stdout;
    serde_json::Deserializer::from_slice(&output).into_iter().collect::<Result<_, _>>().unwrap()
}

fn list(items: &[Value]) -> Value {
    json!({"apiVersion": "config.kubernetes.io/v1", "kind": "ResourceList", "items": items})
}

/// The exit code, the list that is answered, and what standard error says.
fn call(list: &Value) -> (i32, Value, String) {
    let output = run_with_input(&["fn"], list.to_string().as_bytes());
    let answer = serde_saphyr::from_str(&text(&output.stdout)).unwrap();
    (output.status.code().unwrap(), answer, text(&output.stderr))
}

fn items(list: &Value) -> Vec<Value> {
    let (code, answer, stderr) = call(list);
    assert_eq!((code, stderr.as_str(), answer.get("results")), (0, "", None), "{answer}");
    assert_eq!((&answer["kind"], &answer["apiVersion"]), (&json!("ResourceList"), &json!("config.kubernetes.io/v1")));
    answer["items"].as_array().unwrap().clone()
}

fn with(mut object: Value, pointer: &str, value: Value) -> Value {
    *object.pointer_mut(pointer).unwrap() = value;
    object
}

fn annotated(mut object: Value, notes: &[(&str, &str)]) -> Value {
    for (key, value) in notes {
        object["metadata"]["annotations"][*key] = json!(value);
    }
    object
}

fn other(name: &str) -> Value {
    let notes = json!({"config.kubernetes.io/index": "0", "internal.config.kubernetes.io/path": "other.yaml"});
    json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name, "annotations": notes}, "data": {"a": "eA=="}})
}

#[test]
fn specs_become_their_objects_and_others_stay_as_they_are() {
    let specs = [spec("production"), spec("minimal")];
    let objects = specs.iter().flat_map(rendered);
    let expected: Vec<Value> = [other("one"), other("two")].into_iter().chain(objects).collect();
    let [first, second] = specs.clone();
    assert_eq!(items(&list(&[first, other("one"), second, other("two")])), expected);
    assert_eq!(items(&list(&[other("one")])), [other("one")]);
    assert_eq!(items(&list(&[])), [] as [Value; 0]);
}

#[test]
fn a_configuration_that_is_a_spec_is_rendered_once_though_it_comes_twice() {
    let local = annotated(spec("production"), &[("config.kubernetes.io/local-config", "true")]);
    let mut twice = list(&[annotated(local.clone(), &[("config.kubernetes.io/index", "0")])]);
    twice["functionConfig"] = local.clone();
    assert_eq!(items(&twice), rendered(&spec("production")));
    twice["items"][0] = annotated(local, &[("internal.config.kubernetes.io/path", "spec.yaml")]);
    let answered = items(&twice);
    assert_eq!(answered[1..], rendered(&spec("production")));
    assert_eq!(answered[0], twice["items"][0], "it stands in a file of a package, and stays");

    let mut among_others = list(&[spec("production"), other("one")]);
    among_others["functionConfig"] = spec("production");
    assert_eq!(items(&among_others)[1..], rendered(&spec("production")));
    let mut alone = list(&[]);
    alone["functionConfig"] = spec("production");
    assert_eq!(items(&alone), rendered(&spec("production")));
}

#[test]
fn what_was_rendered_before_is_replaced_where_it_stood() {
    let notes = [("config.kubernetes.io/local-config", "true"), ("internal.config.kubernetes.io/path", "spec.yaml")];
    let local = annotated(spec("production"), &notes);
    let mut package = items(&list(&[local.clone(), other("one")]));
    for (index, item) in package.iter_mut().enumerate() {
        *item = annotated(item.take(), &[("internal.config.kubernetes.io/path", &format!("file-{index}.yaml"))]);
    }
    assert_eq!(items(&list(&package)), package, "nothing to change");

    let position = package.iter().position(|item| item["kind"] == "PodMonitor").unwrap();
    package[0] = with(package[0].take(), "/spec/shards", json!(5));
    package[0] = with(package[0].take(), "/spec/monitoring", json!({}));
    let again = items(&list(&package));
    assert_eq!(again.len(), package.len() - 2, "no longer monitored");
    assert!(again.iter().all(|item| !["PodMonitor", "PrometheusRule"].contains(&item["kind"].as_str().unwrap())));
    let desired =
        |items: &[Value]| items.iter().find(|item| item["metadata"]["name"] == "sessions-desired").unwrap().clone();
    assert_ne!(desired(&again)["data"], desired(&package)["data"]);
    assert_eq!(desired(&again)["metadata"], desired(&package)["metadata"]);
    assert!(position > 0);
}

/// As `labels` of kustomize and `set-labels` of kpt write over those that many programs share, and others add what they note.
fn labelled_by_others(mut object: Value) -> Value {
    object["metadata"]["annotations"]["example.com/note"] = json!("mine");
    for key in ["app.kubernetes.io/managed-by", "app.kubernetes.io/instance", "app.kubernetes.io/name"] {
        object["metadata"]["labels"][key] = json!("other");
    }
    object
}

#[test]
fn what_was_rendered_is_known_whatever_others_made_of_its_labels() {
    for form in ["--desired-state=config-map", "--desired-state=custom-resource"] {
        let labelled = rendered_by(&spec("production"), &[form]).into_iter().map(labelled_by_others);
        let labelled: Vec<Value> = labelled.collect();
        assert_eq!(items(&list(&labelled)), labelled, "{form}: no spec is among them");
        let mut configured = list(&[&[spec("production")], &labelled[..]].concat());
        configured["functionConfig"] = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "options"},
            "data": {"desired-state": form.trim_start_matches("--desired-state=")}});
        assert_eq!(items(&configured), rendered_by(&spec("production"), &[form]), "{form}: each once");
    }
}

#[test]
fn objects_of_other_clusters_stay() {
    let foreign = rendered(&with(spec("production"), "/metadata/namespace", json!("elsewhere")));
    let all = items(&list(&[&foreign[..], &[spec("production")]].concat()));
    assert_eq!(all, [foreign, rendered(&spec("production"))].concat());
}

#[test]
fn every_mistake_is_a_result_with_its_object_file_and_field() {
    let notes = [
        ("config.kubernetes.io/path", "old.yaml"),
        ("internal.config.kubernetes.io/path", "specs/a.yaml"),
        ("internal.config.kubernetes.io/index", "1"),
    ];
    let bad = annotated(with(spec("production"), "/spec/shards", json!(2)), &notes);
    let worse = with(spec("minimal"), "/spec/version", json!("7.2"));
    let near = with(spec("zones"), "/spec/placement/zoneSpread", json!("Requird"));
    let (code, answer, stderr) = call(&list(&[other("one"), bad.clone(), worse.clone(), near.clone()]));
    assert_eq!(code, 3);
    assert_eq!(answer["items"], json!([other("one"), bad, worse, near]), "nothing is done by halves");
    let reference = json!({"apiVersion": "valkey-gitops.dev/v1alpha1", "kind": "ValkeyCluster", "name": "sessions", "namespace": "shop"});
    let results = answer["results"].as_array().unwrap();
    let expected = json!({
        "message": "spec.shards: 2 is not between 3 and 500; fewer than three cannot outvote a lost one",
        "severity": "error",
        "resourceRef": reference,
        "field": {"path": "spec.shards", "currentValue": 2},
        "file": {"path": "specs/a.yaml", "index": 1},
    });
    assert_eq!((&results[0], results.len()), (&expected, 3));
    assert_eq!(results[1]["field"], json!({"path": "spec.version", "currentValue": "7.2"}));
    let proposal = json!({"path": "spec.placement.zoneSpread", "currentValue": "Requird", "proposedValue": "Required"});
    assert_eq!(results[2]["field"], proposal);
    assert!(stderr.starts_with("error: spec.shards: 2 is not between 3 and 500\n"), "{stderr}");
    assert!(stderr.contains("ValkeyCluster/sessions in specs/a.yaml"), "{stderr}");
}

#[test]
fn what_is_worth_a_look_is_a_warning_and_no_failure() {
    let risky = with(spec("production"), "/spec/resources", json!({}));
    let (code, answer, stderr) = call(&list(&[risky]));
    assert_eq!((code, &answer["results"][0]["severity"]), (0, &json!("warning")));
    assert!(stderr.starts_with("warning: spec.resources.limits"), "{stderr}");
}

#[test]
fn an_object_of_others_by_the_name_of_one_that_is_rendered_is_refused() {
    let mut service = rendered(&spec("production")).into_iter().find(|object| object["kind"] == "Service").unwrap();
    service["metadata"]["labels"] = json!({"app": "mine"});
    let service = annotated(service, &[("internal.config.kubernetes.io/path", "mine.yaml")]);
    let given = [spec("production"), service.clone()];
    let (code, answer, stderr) = call(&list(&given));
    assert_eq!((code, &answer["items"]), (3, &json!(given)), "nothing is done by halves");
    assert_eq!(answer["results"][0]["file"], json!({"path": "mine.yaml"}));
    assert!(stderr.starts_with("error: metadata.name: is the name of an object that is rendered"), "{stderr}");
    assert!(stderr.contains("Service/sessions-nodes in mine.yaml") && stderr.contains("rename it"), "{stderr}");

    // Elsewhere, and for tools alone, the name is free.
    for other in [
        with(service.clone(), "/metadata/namespace", json!("checkout")),
        annotated(service, &[("config.kubernetes.io/local-config", "true")]),
    ] {
        let answered = items(&list(&[spec("production"), other.clone()]));
        assert_eq!(answered, [&[other], &rendered(&spec("production"))[..]].concat());
    }
}

#[test]
fn two_specs_of_one_cluster_are_one_too_many() {
    let (code, answer, _) = call(&list(&[spec("production"), with(spec("production"), "/spec/shards", json!(5))]));
    assert_eq!(
        (code, &answer["results"][0]["message"]),
        (3, &json!("metadata.name: is there twice; rename one of the two, or remove it"))
    );
}

#[test]
fn what_was_renamed_after_it_was_rendered_is_refused() {
    for form in ["--desired-state=config-map", "--desired-state=custom-resource"] {
        let objects = rendered_by(&spec("production"), &[form]);
        assert_eq!(items(&list(&objects)), objects);
        for (pointer, value) in [("/metadata/name", "blue-sessions-config"), ("/metadata/namespace", "checkout")] {
            let is_meant = |object: &Value| object["metadata"]["name"] == "sessions-config";
            let rename = |object: Value| if is_meant(&object) { with(object, pointer, json!(value)) } else { object };
            let renamed: Vec<Value> = objects.iter().cloned().map(rename).collect();
            // Labels that are changed as well change nothing about it.
            for renamed in [renamed.clone(), renamed.into_iter().map(labelled_by_others).collect()] {
                let (code, answer, _) = call(&list(&renamed));
                let message = answer["results"][0]["message"].as_str().unwrap_or_default();
                assert_eq!(code, 3, "{form} {value}");
                assert!(message.contains("was rendered as `sessions-config` in namespace `shop`"), "{message}");
            }
        }
    }
}

#[test]
fn options_come_in_a_config_map_and_are_known() {
    let config =
        |data: Value| json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "options"}, "data": data});
    let configured = |config: Value| {
        let mut list = list(&[spec("production")]);
        list["functionConfig"] = config;
        list
    };
    let waves = items(&configured(config(json!({"argocd-waves": "true"}))));
    assert_eq!(waves[0]["metadata"]["annotations"]["argocd.argoproj.io/sync-wave"], "-3");
    assert_eq!(items(&configured(config(json!({"argocd-waves": "false"})))), rendered(&spec("production")));
    assert_eq!(items(&configured(config(json!({"desired-state": "config-map"})))), rendered(&spec("production")));
    let custom = items(&configured(config(json!({"desired-state": "custom-resource"}))));
    assert_eq!(custom, rendered_by(&spec("production"), &["--desired-state=custom-resource"]));
    assert_eq!(items(&list(&custom)), custom, "what was rendered is no spec");
    let wrong = [
        (config(json!({"argocd-wave": "true"})), "data.argocd-wave: there is no such option"),
        (config(json!({"argocd-waves": "yes"})), "data.argocd-waves: is not \"true\" or \"false\""),
        (config(json!({"desired-state": "crd"})), "data.desired-state: is not one of its values; write config-map or"),
        (
            json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "a"}}),
            "kind: is nothing that this function",
        ),
    ];
    for (config, expected) in wrong {
        let (code, answer, _) = call(&configured(config));
        assert!(code == 3 && answer["results"][0]["message"].as_str().unwrap().starts_with(expected), "{answer}");
    }
}

#[test]
fn older_lists_are_taken_and_other_things_are_not() {
    for version in ["config.kubernetes.io/v1beta1", "config.kubernetes.io/v1alpha1"] {
        assert_eq!(items(&with(list(&[spec("minimal")]), "/apiVersion", json!(version))), rendered(&spec("minimal")));
    }
    for input in
        ["", "a: [\n", "kind: ResourceList\n", "apiVersion: v1\nkind: List\nitems: []\n", "[]", "a: 1\n---\nb: 2\n"]
    {
        let output = run_with_input(&["fn"], input.as_bytes());
        assert_eq!((output.status.code(), text(&output.stdout).as_str()), (Some(3), ""), "{input}");
        assert!(text(&output.stderr).starts_with("error: "), "{input}");
    }
}

#[test]
fn its_other_name_says_what_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let link = folder.path().join("valkey-render-fn");
    symlink(env!("CARGO_BIN_EXE_valkey-render"), &link).unwrap();
    let input = folder.path().join("list.yaml");
    fs::write(&input, list(&[spec("minimal")]).to_string()).unwrap();
    let output = Command::new(&link).stdin(fs::File::open(&input).unwrap()).stderr(Stdio::piped()).output().unwrap();
    assert!(output.status.success() && text(&output.stdout).contains("kind: ResourceList"));
    assert_eq!(run(&["fn", "--no-such-flag"]).status.code(), Some(2));
}
