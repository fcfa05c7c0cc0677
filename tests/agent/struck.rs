//! Something breaks while a witness writes and reads.

use std::thread::sleep;
use std::time::Duration;

use pocket_cluster::Fault;
use serde_json::{Value, json};
use witness::Report;

use crate::forming::every_server_says_so;
use crate::story::{Story, open};
use crate::wait::wait;
use crate::watched::{keep, nothing_is_lost, timed, watched};

/// How long servers take at most to elect a primary: they wait for five seconds before they take one for failed, and then vote.
pub(crate) const ELECTION: Duration = Duration::from_secs(15);
/// A write counts when a replica has it, too: what was only on a primary dies with it.
pub(crate) const WITH_REPLICA: &[&str] = &["--wait=1"];

/// An open cluster, and a witness while this happens to it; in the end all is well again.
pub(crate) fn struck(sentence: &str, arguments: &[&str], happens: impl FnOnce(&mut Story)) -> Report {
    struck_in(&open(), sentence, arguments, happens)
}

/// The same, in a cluster with these changes.
pub(crate) fn struck_in(
    changes: &[(&str, Value)],
    sentence: &str,
    arguments: &[&str],
    happens: impl FnOnce(&mut Story),
) -> Report {
    struck_there(Story::begin_observed(changes), sentence, arguments, happens)
}

/// The same, in the cluster of this story.
pub(crate) fn struck_there(
    mut story: Story,
    sentence: &str,
    arguments: &[&str],
    happens: impl FnOnce(&mut Story),
) -> Report {
    story.until_at_rest();
    let mut took = Duration::ZERO;
    let report = watched(&mut story, arguments, |story| {
        took = timed(|| {
            happens(story);
            story.until_checked();
        });
    });
    keep(sentence, took, &report);
    story.until_at_rest();
    every_server_says_so(&story);
    report
}

/// The same, and nothing is lost; no shard stands still for longer than this.
pub(crate) fn survives(sentence: &str, arguments: &[&str], longest: Duration, happens: impl FnOnce(&mut Story)) {
    nothing_is_lost(&struck(sentence, arguments, happens), longest);
}

/// How many pods the agent has deleted.
pub(crate) fn deleted(story: &Story) -> usize {
    story.writes().iter().filter(|write| write.starts_with("delete pods")).count()
}

/// Waits until it has deleted so many.
pub(crate) fn until_deleted(story: &Story, wanted: usize) {
    wait("restarts", || if deleted(story) < wanted { Err(format!("{:?}", story.writes())) } else { Ok(()) });
}

/// The pod of the primary of this shard.
pub(crate) fn primary(story: &Story, shard: usize) -> String {
    story.status().unwrap()["shards"][shard]["primary"].as_str().unwrap().to_owned()
}

pub(crate) fn replica(story: &Story, shard: usize) -> String {
    story.status().unwrap()["shards"][shard]["replicas"][0].as_str().unwrap().to_owned()
}

pub(crate) fn until_led_by_another(story: &Story, shard: usize, before: &str) {
    wait("another primary", || match primary(story, shard) {
        now if now == before => Err(now),
        _ => Ok(()),
    });
}

/// All servers but this one.
pub(crate) fn others(story: &Story, pod: &str) -> Vec<String> {
    story.pod_names().into_iter().filter(|other| other != pod).collect()
}

/// It comes back as itself, with its keys, before anyone takes it for failed.
#[test]
fn a_primary_is_killed_and_nothing_is_lost_that_a_replica_had() {
    survives("A primary is killed (kill -9)", WITH_REPLICA, ELECTION, |story| {
        let pod = primary(story, 1);
        let run = |said: &str| said.lines().find(|line| line.starts_with("run_id:")).map(str::to_owned);
        let before = run(&story.ask(&pod, "INFO server"));
        story.kill(&pod);
        wait("another process", || match run(&story.ask(&pod, "INFO server")) {
            Some(now) if Some(&now) != before.as_ref() => Ok(()),
            now => Err(format!("{now:?}")),
        });
    });
}

#[test]
fn a_primary_stands_still_for_a_moment_and_stays() {
    survives("A primary is frozen for two seconds", &[], Duration::from_secs(5), |story| {
        let pod = primary(story, 1);
        story.inject(&Fault::Freeze { pods: vec![pod.clone()] });
        sleep(Duration::from_secs(2));
        story.inject(&Fault::Thaw { pods: vec![pod.clone()] });
        assert_eq!(primary(story, 1), pod);
    });
}

#[test]
fn a_primary_stands_still_for_long_and_another_takes_over() {
    survives("A primary is frozen for long", WITH_REPLICA, ELECTION, |story| {
        let pod = primary(story, 1);
        story.inject(&Fault::Freeze { pods: vec![pod.clone()] });
        until_led_by_another(story, 1, &pod);
        story.inject(&Fault::Thaw { pods: vec![pod] });
    });
}

fn cut_off(story: &Story) {
    let pod = primary(story, 1);
    story.inject(&Fault::Partition { pods: vec![pod.clone()], from: others(story, &pod) });
    until_led_by_another(story, 1, &pod);
    story.inject(&Fault::Heal);
}

#[test]
fn a_primary_is_cut_off_from_the_others_and_nothing_is_lost_that_a_replica_had() {
    survives("A primary is cut off from all other servers", WITH_REPLICA, ELECTION, |story| cut_off(story));
}

/// For as long as it does not know that it was replaced it acknowledges writes, and gives them up when it does.
#[test]
fn what_only_a_primary_had_that_was_cut_off_is_lost_and_the_witness_says_so() {
    let report = struck("A primary is cut off from all other servers, and no replica is waited for", &[], |story| {
        cut_off(story);
    });
    assert!(report.lost > 0 && !report.lost_ones.is_empty(), "{report:?}");
    assert_eq!((report.unread, report.wrong), (0, 0), "{report:?}");
}

#[test]
fn a_primary_loses_its_volume_and_nothing_is_lost_that_a_replica_had() {
    survives("A primary loses its volume", WITH_REPLICA, ELECTION, |story| {
        let pod = primary(story, 1);
        story.inject(&Fault::LoseVolume { claim: format!("data-{pod}") });
        until_led_by_another(story, 1, &pod);
    });
}

#[test]
fn the_agent_is_killed_over_and_over_while_shards_and_servers_come_and_go() {
    survives("The agent is killed every second while 3 shards become 4, and 3", &[], ELECTION, |story| {
        for shards in [4, 3] {
            story.change(&[("/spec/shards", json!(shards))]);
            for _ in 0..3 {
                sleep(Duration::from_secs(1));
                story.kill(&story.agent_pod());
            }
            story.until_checked();
        }
    });
}
