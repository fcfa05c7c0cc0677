//! What is around a cluster changes while the agent relies on it: its rights, its lease, its way to Kubernetes, and itself.

use std::thread::sleep;
use std::time::Duration;

use pocket_cluster::Fault;
use serde_json::json;

use crate::broken::RETURN;
use crate::by_hand::UNNOTICED;
use crate::story::{Story, open};
use crate::struck::{WITH_REPLICA, primary, survives, until_deleted};
use crate::wait::{hold, wait};
use crate::watched::PLANNED;

/// Longer than an agent trusts the lease that it cannot renew.
const LEASE: Duration = Duration::from_secs(15);

fn restart_all(story: &mut Story) {
    story.change(&[("/spec/config", json!({"tcp-backlog": 1000}))]);
}

#[test]
fn a_directive_that_a_human_sets_on_a_server_is_set_back() {
    survives("A human's CONFIG SET on one server", &[], UNNOTICED, |story| {
        let pod = primary(story, 1);
        assert_eq!(story.ask(&pod, "CONFIG SET maxmemory-policy allkeys-lru"), "OK\n");
        wait("the directive as it should be", || {
            let said = story.ask(&pod, "CONFIG GET maxmemory-policy");
            if said.contains("noeviction") { Ok(()) } else { Err(said) }
        });
    });
}

/// Nothing is done without them, and nothing that was done before is undone.
#[test]
fn the_agent_loses_its_rights_and_goes_on_when_it_has_them_again() {
    survives("The agent's RoleBinding is deleted, and applied again", &[], UNNOTICED, |story| {
        story.kubectl("delete rolebinding/small-agent");
        sleep(LEASE);
        let before = story.lives();
        story.write(&[("/spec/shards", json!(4))]);
        story.apply_all_but("RoleBinding");
        hold(Duration::from_secs(5), || assert_eq!(story.lives(), before));
        story.apply();
    });
}

#[test]
fn somebody_else_takes_the_lease_and_never_renews_it() {
    survives("A stranger writes itself into the lease during a restart of all six", &[], PLANNED, |story| {
        restart_all(story);
        until_deleted(story, 2);
        story.kubectl(r#"patch lease/small-agent --type=merge --patch={"spec":{"holderIdentity":"a-stranger"}}"#);
        story.until_checked();
    });
}

#[test]
fn the_lease_is_deleted_in_the_middle_of_a_restart_of_all() {
    survives("The lease is deleted during a restart of all six", &[], PLANNED, |story| {
        restart_all(story);
        until_deleted(story, 2);
        story.kubectl("delete lease/small-agent");
        story.until_checked();
    });
}

#[test]
fn the_agent_is_cut_off_from_the_api_server_in_the_middle_of_a_restart_of_all() {
    survives("The agent is cut off from the API server for 20 s during a restart of all six", &[], PLANNED, |story| {
        restart_all(story);
        until_deleted(story, 2);
        let pods = vec![story.agent_pod()];
        story.inject(&Fault::Partition { pods, from: Vec::new() });
        sleep(Duration::from_secs(20));
        story.inject(&Fault::Heal);
        story.until_checked();
    });
}

#[test]
fn the_agent_is_taken_away_in_the_middle_of_a_restart_of_all() {
    survives("The agent's Deployment is scaled to none and back during a restart of all six", &[], PLANNED, |story| {
        restart_all(story);
        until_deleted(story, 2);
        story.kubectl("scale deployment/small-agent --replicas=0");
        wait("no agent", || if story.agent_pods().is_empty() { Ok(()) } else { Err(String::new()) });
        story.kubectl("scale deployment/small-agent --replicas=1");
        story.until_checked();
    });
}

/// All at once, and their volumes stay.
#[test]
fn a_human_deletes_the_stateful_set_with_its_pods_and_it_is_applied_again() {
    survives("A human's kubectl delete of the StatefulSet, pods and all", WITH_REPLICA, RETURN, |story| {
        story.kubectl("delete sts/small --wait=false");
        wait("no pods", || if story.pods().is_empty() { Ok(()) } else { Err(format!("{:?}", story.pod_names())) });
        story.apply();
    });
}

/// The servers call the migration off, and it is begun anew.
#[test]
fn a_human_empties_a_primary_while_its_slots_move() {
    let mut story = Story::begin(&open());
    story.until_at_rest();
    story.write_keys("small-0", 500);
    story.change(&[("/spec/shards", json!(4))]);
    story.until_told("Migrate");
    assert_eq!(story.ask(&primary(&story, 0), "FLUSHALL"), "OK\n");
    story.until_at_rest();
    story.write_keys("small-0", 500);
    story.has_keys("small-7", 500);
}
