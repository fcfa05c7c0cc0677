//! What `diff` takes as a side, however it is written.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test that cannot go on has failed")]

mod support;

use std::fs;

use support::{root, run, run_with_input, text};

const PRODUCTION: &str = "examples/production.yaml";
const WITHOUT_TLS: &str = "examples/changes/tls-off.yaml";

fn code(old: &str, new: &str) -> Option<i32> {
    run(&["diff", old, new]).status.code()
}

fn example(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap()
}

fn json(path: &str) -> serde_json::Value {
    serde_saphyr::from_str(&example(path)).unwrap()
}

/// A file in the folder that holds the text.
fn file(folder: &tempfile::TempDir, name: &str, text: &str) -> String {
    let path = folder.path().join(name);
    fs::write(&path, text).unwrap();
    path.to_str().unwrap().to_owned()
}

#[test]
fn a_spec_is_one_however_it_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let old = file(&folder, "old.json", &json(PRODUCTION).to_string());
    let expected = run(&["diff", PRODUCTION, WITHOUT_TLS]);
    assert_eq!(expected.status.code(), Some(4));
    for new in [
        json(WITHOUT_TLS).to_string(),
        serde_json::to_string_pretty(&json(WITHOUT_TLS)).unwrap(),
        example(WITHOUT_TLS).replace("kind: ValkeyCluster", "kind: \"ValkeyCluster\""),
        example(WITHOUT_TLS).replace("kind: ValkeyCluster", "kind:   ValkeyCluster"),
        example(WITHOUT_TLS).replace("kind: ValkeyCluster", "\"kind\": 'ValkeyCluster'"),
    ] {
        let output = run(&["diff", &old, &file(&folder, "new", &new)]);
        assert_eq!((output.status.code(), text(&output.stdout)), (Some(4), text(&expected.stdout)), "{new}");
    }
}

#[test]
fn every_cluster_that_stands_in_two_files_is_named_with_both_places() {
    let folder = tempfile::tempdir().unwrap();
    let spec = |name: &str| example("examples/minimal.yaml").replace("name: minimal\n", &format!("name: {name}\n"));
    let one = file(&folder, "1.yaml", &[spec("a"), spec("b")].join("---\n"));
    let other = file(&folder, "2.yaml", &[spec("b"), spec("c"), spec("a")].join("---\n"));
    let again = file(&folder, "3.yaml", &spec("a"));
    for arguments in [vec!["validate", &one, &other, &again], vec!["diff", PRODUCTION, folder.path().to_str().unwrap()]]
    {
        let output = run(&arguments);
        let said = text(&output.stderr);
        assert_eq!((output.status.code(), said.matches("error:").count()), (Some(3), 3), "{said}");
        for place in [
            format!("`a` in namespace `default` stands in {one}:2:1 as"),
            format!("`b` in namespace `default` stands in {one}:15:1 as"),
        ] {
            assert!(said.contains(&place), "{said}");
        }
        assert!(said.contains("3 problems in 2 files") && !said.contains("nothing was written"), "{said}");
    }
}

#[test]
fn a_misspelled_spec_is_refused_and_not_compared_as_something_else() {
    let folder = tempfile::tempdir().unwrap();
    let wrong = |from: &str, to: &str| file(&folder, "new.yaml", &example(PRODUCTION).replace(from, to));
    assert_eq!(code(PRODUCTION, &wrong("kind: ValkeyCluster", "kind: Valkeycluster")), Some(3));
    assert_eq!(code(PRODUCTION, &wrong("valkey-gitops.dev/v1alpha1", "valkey-gitops.dev/v1")), Some(3));
    let list = format!("{{\"kind\": \"List\", \"items\": [{}]}}", json(PRODUCTION));
    assert_eq!(code(PRODUCTION, &file(&folder, "list.json", &list)), Some(3));
}

#[test]
fn every_problem_of_a_file_is_told_with_its_place() {
    let folder = tempfile::tempdir().unwrap();
    let wrong = example(PRODUCTION).replace("shards:", "shard:");
    let tabs = example(PRODUCTION).replace("  shards:", "\tshards:");
    let new = file(&folder, "new.yaml", &format!("{wrong}---\n{tabs}---\n{wrong}"));
    let output = run(&["diff", PRODUCTION, &new]);
    assert_eq!(output.status.code(), Some(3));
    let lines = example(PRODUCTION).lines().count();
    let shards = example(PRODUCTION).lines().position(|line| line.contains("shards:")).unwrap() + 1;
    for place in [shards, shards + lines + 1, shards + 2 * (lines + 1)] {
        assert!(text(&output.stderr).contains(&format!("new.yaml:{place}:")), "{place}: {}", text(&output.stderr));
    }
}

#[test]
fn a_side_without_objects_is_refused() {
    for empty in ["", "---\n---\n", "# nothing\n", "null\n"] {
        let output = run_with_input(&["diff", PRODUCTION, "-"], empty.as_bytes());
        assert_eq!(output.status.code(), Some(3), "{empty:?}");
        assert!(text(&output.stderr).contains("standard input: there is no object in it"), "{}", text(&output.stderr));
    }
    assert_eq!(code("/dev/null", "/dev/null"), Some(3));
    assert_eq!(code("/dev/null", PRODUCTION), Some(3));
}

#[test]
fn standard_input_cannot_be_both_sides() {
    let output = run_with_input(&["diff", "-", "-"], example(PRODUCTION).as_bytes());
    assert_eq!(output.status.code(), Some(2));
}

#[test]
fn a_switch_to_the_log_is_no_danger_where_replicas_keep_the_keys() {
    let folder = tempfile::tempdir().unwrap();
    let [old, new] = ["from/log-without-replicas.yaml", "log-without-replicas.yaml"].map(|name| {
        let spec = example(&format!("examples/changes/{name}")).replace("replicasPerShard: 0", "replicasPerShard: 1");
        file(&folder, &name.replace('/', "-"), &spec)
    });
    assert_eq!(code(&old, &new), Some(1));
}

#[test]
fn specs_and_objects_may_stand_in_one_file() {
    let folder = tempfile::tempdir().unwrap();
    let secret = "apiVersion: v1\nkind: Secret\nmetadata: {name: sessions-auth, namespace: shop}\n";
    let old = file(&folder, "old.yaml", &format!("{secret}---\n{}", example(PRODUCTION)));
    let new = file(&folder, "new.yaml", &format!("{}---\n{secret}", example(WITHOUT_TLS)));
    assert_eq!(run(&["diff", &old, &new]).stdout, run(&["diff", PRODUCTION, WITHOUT_TLS]).stdout);
    assert_eq!(code(&old, &old), Some(0));
    assert_eq!(code(PRODUCTION, &old), Some(1));
}

#[test]
fn a_cluster_cannot_be_there_twice_as_a_spec_and_rendered() {
    let folder = tempfile::tempdir().unwrap();
    let rendered = text(&run(&["render", PRODUCTION]).stdout);
    let both = file(&folder, "both.yaml", &format!("{rendered}---\n{}", example(PRODUCTION)));
    assert_eq!(code(PRODUCTION, &both), Some(3));
    assert_eq!(code(&both, &both), Some(3));
}

#[test]
fn rendered_json_compares_like_yaml() {
    let folder = tempfile::tempdir().unwrap();
    let rendered = text(&run(&["render", PRODUCTION, "--format", "json"]).stdout);
    assert_eq!(code(PRODUCTION, &file(&folder, "stream.json", &rendered)), Some(0));
    let objects: Vec<serde_json::Value> =
        serde_json::Deserializer::from_str(&rendered).into_iter().collect::<Result<_, _>>().unwrap();
    let list = serde_json::json!({"apiVersion": "v1", "kind": "List", "items": objects});
    assert_eq!(code(PRODUCTION, &file(&folder, "list.json", &list.to_string())), Some(0));
}

#[test]
fn what_a_hundred_clusters_render_to_can_be_compared() {
    let folder = tempfile::tempdir().unwrap();
    let specs: String = (0..100)
        .map(|number| example(PRODUCTION).replace("name: sessions\n", &format!("name: sessions-{number}\n")) + "---\n")
        .collect();
    let specs = file(&folder, "specs.yaml", &specs);
    let rendered = folder.path().join("rendered.yaml");
    assert_eq!(run(&["render", &specs, "-o", rendered.to_str().unwrap()]).status.code(), Some(0));
    assert_eq!(code(rendered.to_str().unwrap(), rendered.to_str().unwrap()), Some(0));
    assert_eq!(code(&specs, rendered.to_str().unwrap()), Some(0));
}
