//! Kubernetes does not do what it is asked for, or what it was given is taken away.

use std::thread::sleep;
use std::time::Duration;

use serde_json::json;

use crate::by_hand::UNNOTICED;
use crate::story::{PASSWORD, Story, is_ready, name, open, without_tls};
use crate::struck::{primary, replica, struck_in, struck_there, survives, until_deleted};
use crate::wait::{hold, wait};
use crate::watched::{PLANNED, nothing_is_lost};

fn quota(story: &Story, pods: usize) {
    let metadata = json!({"name": "few", "namespace": story.namespace()});
    let hard = json!({"hard": {"pods": pods.to_string()}});
    let quota = json!({"apiVersion": "v1", "kind": "ResourceQuota", "metadata": metadata, "spec": hard});
    story.place.apply(&quota.to_string()).unwrap();
}

/// What is there goes on; what is missing is told, and comes when there is room.
#[test]
fn a_quota_holds_back_the_pods_of_a_new_shard() {
    survives("A quota without room for the pods of a new shard", &[], UNNOTICED, |story| {
        let others = story.agent_pods().len() + 1;
        quota(story, 7 + others);
        story.change(&[("/spec/shards", json!(4))]);
        story.until_said("Ready", "7 of 8 pods answer");
        hold(Duration::from_secs(3), || assert!(!story.has_told("Migrate"), "{:?}", story.events()));
        quota(story, 8 + others);
        story.until_checked();
    });
}

/// Nobody else restarts meanwhile.
#[test]
fn a_finalizer_holds_a_pod_that_restarts() {
    survives("A finalizer holds the first pod that restarts for 10 s", &[], PLANNED, |story| {
        for pod in story.pod_names() {
            story.kubectl(&format!(
                r#"patch pod/{pod} --type=merge --patch={{"metadata":{{"finalizers":["example.com/held"]}}}}"#
            ));
        }
        story.change(&[("/spec/config", json!({"tcp-backlog": 1000}))]);
        let held = || story.pods().into_iter().filter(|pod| !pod["metadata"]["deletionTimestamp"].is_null()).count();
        wait("a pod that is held", || if held() > 0 { Ok(()) } else { Err(String::new()) });
        hold(Duration::from_secs(10), || assert_eq!(held(), 1));
        for pod in story.pod_names() {
            story.kubectl(&format!(r#"patch pod/{pod} --type=merge --patch={{"metadata":{{"finalizers":null}}}}"#));
        }
        story.until_checked();
    });
}

/// A pod that restarts does not come up without it, and no other of its shard restarts.
#[test]
fn the_secret_with_the_password_is_deleted_while_servers_restart() {
    let sentence = "The Secret with the password is deleted during a restart of all six";
    let report = struck_in(&[without_tls()], sentence, &[], |story| {
        let shards = [0, 1, 2].map(|shard| [primary(story, shard), replica(story, shard)]);
        story.change(&[("/spec/config", json!({"tcp-backlog": 1000}))]);
        until_deleted(story, 1);
        story.kubectl(&format!("delete secret/{}", story.name("auth")));
        let down = || story.pods().iter().filter(|pod| !is_ready(pod)).map(name).collect::<Vec<_>>();
        let is_whole = |shard: [String; 2]| shard.iter().all(|pod| down().contains(pod));
        hold(Duration::from_secs(10), || assert!(!shards.clone().into_iter().any(is_whole), "{:?}", down()));
        assert!(!down().is_empty(), "{:?}", story.events());
        story.set_password(PASSWORD);
        story.until_checked();
    });
    nothing_is_lost(&report, PLANNED);
}

/// Nobody knows what should be, so nothing is done.
#[test]
fn what_should_be_is_deleted_while_a_shard_comes() {
    let sentence = "The ConfigMap that says what should be is deleted while a shard comes";
    let report = struck_there(Story::begin(&open()), sentence, &[], |story| {
        story.change(&[("/spec/shards", json!(4))]);
        story.until_told("Scale");
        story.kubectl("delete configmap/small-desired");
        story.until_said("Ready", "small-desired");
        let sizes = || story.writes().into_iter().filter(|write| write.starts_with("patch statefulsets")).count();
        let before = (sizes(), story.lives());
        hold(Duration::from_secs(5), || assert_eq!((sizes(), story.lives()), before));
        story.apply();
        story.until_checked();
    });
    nothing_is_lost(&report, PLANNED);
}

/// The Service of the primaries goes by them.
#[test]
fn labels_of_role_and_shard_are_written_over() {
    survives("A human's labels of role and shard on two servers", &[], UNNOTICED, |story| {
        let (first, second) = (primary(story, 1), replica(story, 1));
        story.kubectl(&format!("label pod/{first} valkey-gitops.dev/role=replica --overwrite"));
        story.kubectl(&format!("label pod/{second} valkey-gitops.dev/shard=7 valkey-gitops.dev/role-"));
        wait("labels that are true", || {
            let label = |pod: &str, label: &str| {
                let pod = story.get("api/v1", &format!("pods/{pod}")).unwrap();
                pod["metadata"]["labels"][format!("valkey-gitops.dev/{label}")].as_str().unwrap_or("none").to_owned()
            };
            let found = [label(&first, "role"), label(&second, "role"), label(&second, "shard")];
            if found == ["primary", "replica", "1"] { Ok(()) } else { Err(format!("{found:?}")) }
        });
    });
}

/// Where keys move one by one, each is refused by a server without room for it. The agent gives the server its own limit back.
#[test]
fn the_target_of_slots_runs_short_of_memory_in_the_middle() {
    let changes = [&open()[..], &[("/spec/version", json!("8.1"))]].concat();
    let report = struck_in(&changes, "The target of slots has no memory left for 5 s, on 8.1", &[], |story| {
        story.write_keys("small-0", 2000);
        story.change(&[("/spec/shards", json!(4))]);
        story.until_told("Migrate");
        for _ in 0..10 {
            for pod in ["small-6", "small-7"] {
                assert_eq!(story.ask(pod, "CONFIG SET maxmemory 100kb"), "OK\n");
            }
            sleep(Duration::from_millis(500));
        }
        story.until_checked();
        story.has_keys("small-0", 2000);
    });
    nothing_is_lost(&report, PLANNED * 5);
}
