//! The ways in that the documents describe, walked from an empty cluster.

use std::env;
use std::os::unix::fs::symlink;
use std::process::Command;

use serde_json::{Value, json};
use support::{root, small_with};

use crate::story::Story;
use crate::wait::wait;

/// Every block of `sh` in a page, as one script.
fn script(page: &str) -> String {
    let text = std::fs::read_to_string(root().join("docs").join(page)).unwrap();
    let blocks: Vec<&str> =
        text.split("```sh\n").skip(1).map(|rest| rest.split("```").next().unwrap_or_default()).collect();
    assert!(!blocks.is_empty(), "{page} has nothing to run");
    blocks.concat()
}

/// Runs a page's commands where it says: with the programs on the path, and kubectl's cluster an empty one.
fn walk(story: &Story, page: &str) -> String {
    let folder = story.pocket().folder().join("walk");
    let programs = story.pocket().folder().join("programs");
    [&folder, &programs].into_iter().for_each(|folder| std::fs::create_dir(folder).unwrap());
    let renderer = env::current_exe().unwrap().ancestors().nth(2).unwrap().join("valkey-render");
    for (program, name) in [
        (renderer.clone(), "valkey-render"),
        (renderer, "valkey-render-fn"),
        (root().join("target/kustomize/5.6/kustomize"), "kustomize"),
    ] {
        assert!(program.exists(), "there is no {}: run `make programs kustomize`", program.display());
        symlink(program, programs.join(name)).unwrap();
    }
    let output = Command::new("sh")
        .args(["-euc", &script(page)])
        .current_dir(folder)
        .env("PATH", format!("{}:{}", programs.display(), env::var("PATH").unwrap()))
        .env("KUBECONFIG", story.pocket().kubeconfig())
        .env("HOME", story.pocket().folder())
        .output()
        .unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    said
}

#[test]
fn with_kubectl_alone() {
    // Only for the room that its servers take: the page makes the cluster.
    let story = Story::prepare(small_with(&[]));
    let said = walk(&story, "kubectl.md");
    assert!(said.contains("successfully rolled out"), "{said}");
    assert!(said.contains("adds 1 shard: about 4,096 of 16,384 slots move, no restart"), "{said}");
    let (_, rows) = said.rsplit_once("condition met\n").unwrap();
    let words: Vec<&str> = rows.split_whitespace().collect();
    assert_eq!(
        words[..11],
        ["NAME", "READY", "SHARDS", "SLOTS", "VERSION", "AGE", "sessions", "True", "3", "16384", "9.1.2"]
    );
}

#[test]
fn with_kustomize() {
    // Only for the room that its servers take in the end: the page makes the cluster.
    let story = Story::prepare(small_with(&[("/spec/shards", json!(4))]));
    let said = walk(&story, "kustomize.md");
    let (_, status) = said.split_once("successfully rolled out").unwrap();
    assert!(status.contains("- type: Ready\n") && status.contains("slots: 10923-16383"), "{said}");
    wait("the fourth shard", || {
        let map = story.pocket().get("/api/v1/namespaces/shop/configmaps/sessions-status");
        let map = map.map_err(|error| error.to_string())?;
        let text = map["data"]["status.yaml"].as_str().unwrap_or_default();
        let status: Value = serde_saphyr::from_str(text).map_err(|error| error.to_string())?;
        let has_slots = |shard: &Value| shard["slotCount"].as_u64().is_some_and(|slots| slots > 4000);
        let served = status["shards"]
            .as_array()
            .is_some_and(|shards| shards.iter().filter(|shard| has_slots(shard)).count() == 4);
        let is_ready = text.contains("- type: Ready\n  status: \"True\"");
        if served && is_ready { Ok(()) } else { Err(text.to_owned()) }
    });
}
