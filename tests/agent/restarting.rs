//! Servers start anew: because they are told to, and because they died.

use serde_json::{Value, json};

use crate::forming::every_server_says_so;
use crate::story::{Story, is_ready, open};
use crate::wait::wait;

const KEYS: usize = 200;

fn with_keys(changes: &[(&str, Value)]) -> Story {
    let story = Story::begin(&[&open()[..], changes].concat());
    story.until_at_rest();
    story.write_keys("small-0", KEYS);
    story
}

/// The pod of the primary of this shard, or of its first replica.
fn member(story: &Story, shard: usize, role: &str) -> String {
    let status = story.status().unwrap();
    let shard = &status["shards"][shard];
    let found = if role == "primary" { &shard["primary"] } else { &shard["replicas"][0] };
    found.as_str().unwrap().to_owned()
}

#[test]
fn an_upgrade_from_8_1_to_9_1_keeps_every_key() {
    let mut story = with_keys(&[("/spec/version", json!("8.1"))]);
    story.change(&[("/spec/version", json!("9.1"))]);
    story.until_at_rest();
    every_server_says_so(&story);
    for pod in story.pod_names() {
        let said = story.ask(&pod, "INFO server");
        assert!(said.contains("valkey_version:9.1"), "{pod}: {said}");
    }
    story.has_keys("small-0", KEYS);
}

#[test]
fn an_upgrade_to_an_image_that_does_not_start_halts_at_one_replica_and_can_be_taken_back() {
    let mut story = with_keys(&[("/spec/upgrade", json!({"syncTimeout": "10s"}))]);
    let replicas: Vec<String> = (0..3).map(|shard| member(&story, shard, "replica")).collect();
    story.change(&[("/spec/image", json!({"tag": "0.0-no-such"}))]);
    story.until_said("Ready", "did not come up on the new template");
    story.until_condition("Stalled", "True");
    wait("an event that says so", || {
        let events = story.events();
        if events.iter().any(|(reason, note)| reason == "Stuck" && note.contains("halted")) {
            Ok(())
        } else {
            Err(format!("{events:?}"))
        }
    });
    let pods = story.pods();
    let down: Vec<&Value> = pods.iter().filter(|pod| !is_ready(pod)).collect();
    assert_eq!(down.len(), 1, "{down:?}");
    assert!(replicas.contains(&crate::story::name(down[0])), "{down:?}");
    let serving = pods.iter().find(|pod| is_ready(pod)).map(crate::story::name).unwrap();
    story.has_keys(&serving, KEYS);
    story.change(&[("/spec/image", json!({}))]);
    story.until_at_rest();
    every_server_says_so(&story);
    story.has_keys("small-0", KEYS);
}

/// First a replica, then a primary.
fn survives_kills(changes: &[(&str, Value)]) {
    let story = with_keys(changes);
    for role in ["replica", "primary"] {
        let pod = member(&story, 1, role);
        let before = story.ask(&pod, "INFO server");
        story.kill(&pod);
        wait("another process", || {
            let now = story.ask(&pod, "INFO server");
            if now.contains("run_id:") && run(&now) != run(&before) { Ok(()) } else { Err(now) }
        });
        story.until_at_rest();
        every_server_says_so(&story);
        story.has_keys(&member(&story, 0, "primary"), KEYS);
    }
}

fn run(info: &str) -> Option<&str> {
    info.lines().find_map(|line| line.strip_prefix("run_id:"))
}

#[test]
fn a_server_that_keeps_its_keys_on_disk_is_killed_and_comes_back() {
    survives_kills(&[]);
}

#[test]
fn a_server_that_keeps_nothing_is_killed_and_its_keys_are_elsewhere() {
    survives_kills(&[("/spec/persistence", json!({"appendOnly": false}))]);
}

#[test]
fn a_directive_is_changed_on_every_server_while_it_runs() {
    let mut story = with_keys(&[]);
    let before = story.lives();
    // And back to what it was, when nobody chooses any more: by an agent that does not know what was chosen, too.
    for (chosen, policy) in [(json!({"maxmemory-policy": "allkeys-lru"}), "allkeys-lru"), (json!({}), "noeviction")] {
        story.kill(&story.agent_pod());
        story.change(&[("/spec/config", chosen)]);
        story.until_at_rest();
        for pod in story.pod_names() {
            assert_eq!(story.ask(&pod, "CONFIG GET maxmemory-policy"), format!("maxmemory-policy\n{policy}\n"));
        }
    }
    assert_eq!(story.lives(), before);
    wait("an event", || {
        let events = story.events();
        if events.iter().any(|(reason, _)| reason == "Configure") { Ok(()) } else { Err(format!("{events:?}")) }
    });
}
