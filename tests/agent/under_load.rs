//! Shards and replicas come and go, and servers restart, while a witness writes and reads.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use serde_json::{Value, json};

use crate::forming::every_server_says_so;
use crate::story::{Story, open};
use crate::wait::wait;
use crate::watched::{PATIENT, keep, nobody_noticed, timed, watched};

/// Keys that are there before.
const LOAD: &str = "--load=20000";
/// Where slots move, a hundred thousand in each of three shards.
const MUCH: &str = "--load=300000";
/// Of such stories, one at a time.
static HEAVY: Mutex<()> = Mutex::new(());

/// An open cluster with these changes, and a witness while this happens to it; nobody notices.
fn nobody_notices(sentence: &str, changes: &[(&str, Value)], happens: impl FnOnce(&mut Story)) {
    nobody_notices_with(LOAD, sentence, changes, happens);
}

fn nobody_notices_with(load: &str, sentence: &str, changes: &[(&str, Value)], happens: impl FnOnce(&mut Story)) {
    let _alone = (load == MUCH).then(|| HEAVY.lock().unwrap_or_else(PoisonError::into_inner));
    let mut story = Story::begin_observed(&[&open()[..], changes].concat());
    story.until_at_rest();
    let mut took = Duration::ZERO;
    let report = watched(&mut story, &[load, PATIENT], |story| took = timed(|| happens(story)));
    keep(sentence, took, &report);
    story.until_at_rest();
    every_server_says_so(&story);
    nobody_noticed(&report);
}

/// One change after the other, each of them brought to its end.
fn changes_to(story: &mut Story, pointer: &str, values: &[Value]) {
    for value in values {
        story.change(&[(pointer, value.clone())]);
        story.until_checked();
    }
}

#[test]
fn from_3_shards_to_4_and_6_and_back_and_out_again_where_slots_move_as_a_whole() {
    let sentence = "From 3 shards to 4, 6, 3, and to 4 again on the volumes left behind, on 9.1";
    nobody_notices_with(MUCH, sentence, &[], |story| {
        changes_to(story, "/spec/shards", &[json!(4), json!(6), json!(3), json!(4)]);
    });
}

#[test]
fn from_3_shards_to_4_and_back_where_slots_move_key_by_key() {
    let older = [("/spec/version", json!("8.1"))];
    nobody_notices_with(MUCH, "From 3 shards to 4 and back, on 8.1", &older, |story| {
        changes_to(story, "/spec/shards", &[json!(4), json!(3)]);
    });
}

#[test]
fn every_server_restarts_for_a_directive_that_it_reads_only_then() {
    nobody_notices("A directive that needs a restart of all six servers, on 9.1", &[], |story| {
        changes_to(story, "/spec/config", &[json!({"tcp-backlog": 1000})]);
        let deleted = story.writes().into_iter().filter(|write| write.starts_with("delete pods"));
        assert_eq!(deleted.count(), 6);
    });
}

#[test]
fn every_server_goes_from_8_1_to_9_1() {
    nobody_notices("Upgrade from 8.1 to 9.1", &[("/spec/version", json!("8.1"))], |story| {
        changes_to(story, "/spec/version", &[json!("9.1")]);
    });
}

#[test]
fn every_server_of_three_a_shard_goes_from_8_1_to_9_1() {
    let nine = [("/spec/version", json!("8.1")), ("/spec/replicasPerShard", json!(2))];
    nobody_notices("Upgrade of 3 x 3 from 8.1 to 9.1", &nine, |story| {
        changes_to(story, "/spec/version", &[json!("9.1")]);
    });
}

#[test]
fn replicas_come_and_go() {
    let none = ("/spec/acknowledgeNoReplicas", json!(true));
    nobody_notices("From 1 replica to 2, to none and back to 1", &[none], |story| {
        changes_to(story, "/spec/replicasPerShard", &[json!(2), json!(0), json!(1)]);
    });
}

#[test]
fn a_spec_that_is_taken_back_while_slots_move_is_as_if_it_had_never_been() {
    nobody_notices("4 shards, taken back while slots move", &[], |story| {
        story.change(&[("/spec/shards", json!(4))]);
        story.until_told("Migrate");
        changes_to(story, "/spec/shards", &[json!(3)]);
    });
}

#[test]
fn a_spec_that_changes_again_while_slots_move_is_followed_from_there() {
    nobody_notices("4 shards, then 5 while slots move, then 3 while they move again", &[], |story| {
        story.change(&[("/spec/shards", json!(4))]);
        story.until_told("Migrate");
        story.change(&[("/spec/shards", json!(5))]);
        wait("a tenth server", || {
            let pods = story.pod_names();
            if pods.len() < 10 { Err(format!("{pods:?}")) } else { Ok(()) }
        });
        changes_to(story, "/spec/shards", &[json!(3)]);
    });
}

#[test]
fn a_spec_that_is_taken_back_while_servers_restart_is_as_if_it_had_never_been() {
    nobody_notices("A directive, taken back after the first restart", &[], |story| {
        story.change(&[("/spec/config", json!({"tcp-backlog": 1000}))]);
        story.until_told("DeletePod");
        changes_to(story, "/spec/config", &[json!({})]);
    });
}
