//! Upgrades that go wrong, or are held, while a witness writes and reads.

use std::time::Duration;

use pocket_cluster::Fault;
use serde_json::{Value, json};
use support::kstatus;

use crate::custom_resource::keep;
use crate::story::{Story, is_ready, name, open};
use crate::struck::{deleted, others, struck_in, survives, until_deleted};
use crate::wait::{hold, wait};
use crate::watched::{PATIENT, PLANNED, nobody_noticed};

const BACKLOG: &str = "/spec/config";

/// The only pod that is not ready.
fn the_one_down(story: &Story) -> String {
    let pods = story.pods();
    let down: Vec<&Value> = pods.iter().filter(|pod| !is_ready(pod)).collect();
    assert_eq!(down.len(), 1, "{down:?}");
    name(down[0])
}

/// What is rendered from an upgrade is patched in this way, and taken back when it has stopped.
fn stops_at_one_replica(sentence: &str, patched: impl FnOnce(&Story) -> String) {
    survives(sentence, &[], PLANNED, |story| {
        story.write(&[("/spec/upgrade", json!({"syncTimeout": "10s"})), (BACKLOG, json!({"tcp-backlog": 1000}))]);
        story.place.apply(&patched(story)).unwrap();
        story.until_said("Ready", "did not come up on the new template");
        the_one_down(story);
        hold(Duration::from_secs(5), || assert_eq!(deleted(story), 1));
        story.change(&[(BACKLOG, json!({}))]);
    });
}

/// No spec takes such a directive, but a patch of what is rendered can bring one in.
#[test]
fn a_directive_with_which_no_server_starts_stops_at_one_replica_until_it_is_taken_back() {
    stops_at_one_replica("A directive with which no server starts, taken back", |story| {
        story.rendered().replace("tcp-backlog 1000", "loadmodule /no/such")
    });
}

/// As one that asks for more than any host has.
#[test]
fn an_upgrade_that_no_host_takes_stops_at_one_replica_until_it_is_taken_back() {
    stops_at_one_replica("An upgrade that no host takes, taken back", |story| {
        let mut documents: Vec<Value> = serde_saphyr::from_multiple(&story.rendered()).unwrap();
        let set = documents.iter_mut().find(|document| document["kind"] == "StatefulSet").unwrap();
        set["spec"]["template"]["spec"]["nodeSelector"] = json!({"no": "such-host"});
        documents.iter().map(Value::to_string).collect::<Vec<_>>().join("\n---\n")
    });
}

/// Each starts on an empty volume, for it cannot read the files of the newer series, and gets its keys from the others.
#[test]
fn an_upgrade_to_a_newer_series_is_taken_back_wherever_it_stands() {
    let older =
        [&open()[..], &[("/spec/version", json!("8.1")), ("/spec/upgrade", json!({"syncTimeout": "10s"}))]].concat();
    let sentence = "Upgrade from 8.1 to 9.1, taken back with leave after two and after six of six restarts";
    let report = struck_in(&older, sentence, &[PATIENT], |story| {
        for restarts in [2, 6] {
            let before = deleted(story);
            story.change(&[("/spec/version", json!("9.1")), ("/spec/upgrade", json!({"syncTimeout": "10s"}))]);
            until_deleted(story, before + restarts);
            let leave = json!({"syncTimeout": "10s", "allowDowngrade": true});
            story.change(&[("/spec/version", json!("8.1")), ("/spec/upgrade", leave)]);
            story.until_checked();
        }
    });
    nobody_noticed(&report);
}

#[test]
fn a_newer_series_is_not_left_without_leave() {
    survives("From 9.1 to 8.1 without leave, and back", &[], PLANNED, |story| {
        story.change(&[("/spec/version", json!("8.1"))]);
        story.until_said("Ready", "the older series cannot read the files of the newer one");
        hold(Duration::from_secs(5), || assert_eq!(deleted(story), 0));
        story.change(&[("/spec/version", json!("9.1"))]);
    });
}

#[test]
fn a_replica_that_never_syncs_stops_an_upgrade_until_it_does() {
    survives("A replica that does not sync after its restart", &[], PLANNED, |story| {
        story.change(&[("/spec/upgrade", json!({"syncTimeout": "10s"})), (BACKLOG, json!({"tcp-backlog": 1000}))]);
        let gone = wait("a pod that restarts", || {
            let pods = story.pods();
            pods.iter().find(|pod| !is_ready(pod)).map(name).ok_or_else(String::new)
        });
        story.inject(&Fault::Partition { pods: vec![gone.clone()], from: others(story, &gone) });
        story.until_said("Ready", "did not");
        hold(Duration::from_secs(5), || assert_eq!(deleted(story), 1));
        story.inject(&Fault::Heal);
    });
}

/// As the actions of Argo CD do it. Nobody waits for it in vain, and nobody is called to help.
fn paused_by_annotation(story: &Story) {
    story.kubectl("annotate vkc small valkey-gitops.dev/paused=true");
    story.until_said("Ready", "upgrades are paused");
    let before = deleted(story);
    assert!(before < 6, "{before} restarted before the pause");
    hold(Duration::from_secs(5), || assert_eq!(deleted(story), before));
    // Its last replica is back, and all that is open is the pause.
    story.until_condition("ReplicasInSync", "True");
    let object = story.object().unwrap();
    assert_eq!(kstatus(&object), "InProgress");
    keep("paused", &object);
    story.kubectl("annotate vkc small valkey-gitops.dev/paused-");
}

#[test]
fn an_upgrade_is_paused_and_goes_on_when_it_is_told_to() {
    survives("An upgrade, paused in the middle and resumed", &[], PLANNED, |story| {
        story.change(&[(BACKLOG, json!({"tcp-backlog": 1000}))]);
        // The first goes alone.
        until_deleted(story, 1);
        story.change(&[("/spec/upgrade", json!({"paused": true}))]);
        story.until_said("Ready", "upgrades are paused");
        let before = deleted(story);
        assert!(before < 6, "{before} restarted before the pause");
        hold(Duration::from_secs(5), || assert_eq!(deleted(story), before));
        story.change(&[("/spec/upgrade", json!({}))]);
        until_deleted(story, before + 1);
        paused_by_annotation(story);
        story.until_checked();
        assert_eq!(deleted(story), 6);
    });
}

/// At a third and at two thirds of the way.
#[test]
fn an_upgrade_is_taken_back_wherever_it_stands() {
    survives("A directive, taken back after two and after four of six restarts", &[], PLANNED, |story| {
        for (restarts, backlog) in [(2, 1000), (4, 1001)] {
            let before = deleted(story);
            story.change(&[(BACKLOG, json!({"tcp-backlog": backlog}))]);
            until_deleted(story, before + restarts);
            story.change(&[(BACKLOG, json!({}))]);
            story.until_checked();
        }
    });
}

/// No container may protect itself from the lack of memory: a server says so, and the agent passes it on.
#[test]
fn a_directive_that_running_servers_refuse_is_told_until_it_is_taken_back() {
    survives("A directive that running servers refuse, taken back", &[], PLANNED, |story| {
        let refused = json!({"oom-score-adj": "absolute", "oom-score-adj-values": "-1000 -1000 -1000"});
        story.change(&[(BACKLOG, refused)]);
        story.until_said("Ready", "Failed to set current oom_score_adj");
        story.change(&[(BACKLOG, json!({}))]);
    });
}
