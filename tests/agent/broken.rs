//! More than one server breaks at once, or what they run on does.

use std::thread::sleep;
use std::time::Duration;

use pocket_cluster::{ApiFault, Fault};
use serde_json::json;

use crate::story::Story;
use crate::struck::{ELECTION, WITH_REPLICA, primary, replica, struck, survives, until_led_by_another};
use crate::wait::wait;

/// How long it takes at most until servers are back that have died together: they are started again one by one.
pub(crate) const RETURN: Duration = Duration::from_secs(30);

pub(crate) fn host(story: &Story, pod: &str) -> String {
    let pod = story.get("api/v1", &format!("pods/{pod}")).unwrap();
    pod["spec"]["nodeName"].as_str().unwrap().to_owned()
}

/// A primary that shares its host neither with the witness nor with the agent.
fn lonely_primary(story: &Story) -> (usize, String) {
    let taken = [host(story, "witness"), host(story, &story.agent_pod())];
    let shards = (0..3).map(|shard| (shard, primary(story, shard)));
    shards.into_iter().find(|(_, pod)| !taken.contains(&host(story, pod))).unwrap()
}

#[test]
fn most_primaries_are_killed_at_once() {
    survives("Two of three primaries are killed at once", WITH_REPLICA, RETURN, |story| {
        let pods = [primary(story, 0), primary(story, 1)];
        pods.iter().for_each(|pod| story.kill(pod));
    });
}

#[test]
fn both_members_of_a_shard_are_killed_and_come_back_with_their_volumes() {
    survives("Both members of a shard are killed", WITH_REPLICA, RETURN, |story| {
        let pods = [replica(story, 1), primary(story, 1)];
        pods.iter().for_each(|pod| story.kill(pod));
    });
}

#[test]
fn all_pods_come_back_with_new_addresses() {
    survives("All servers restart with new addresses", WITH_REPLICA, RETURN, |story| {
        story.inject(&Fault::Move { pods: story.pod_names() });
    });
}

/// Too few are left to vote, and those that are gone are proven gone: their replicas are told to take over.
#[test]
fn most_primaries_lose_their_volumes_at_once() {
    survives("Two of three primaries lose their volumes at once", WITH_REPLICA, RETURN * 2, |story| {
        let pods = [primary(story, 0), primary(story, 1)];
        pods.iter().for_each(|pod| story.inject(&Fault::LoseVolume { claim: format!("data-{pod}") }));
        let told = || story.events().into_iter().filter(|(reason, _)| reason == "Failover").count();
        wait("takeovers", || if told() < 2 { Err(format!("{:?}", story.events())) } else { Ok(()) });
    });
}

/// Nobody has the keys any more: that is said, the other shards serve, and one of the new servers can be given the slots. It has never
/// heard who had them; its epoch must be above that of the lost owner for the others to believe it.
#[test]
fn a_shard_whose_volumes_are_all_lost_is_given_back_its_slots_by_people() {
    let report = struck("Both members of a shard lose their volumes", &[], |story| {
        let pods = [replica(story, 1), primary(story, 1)];
        let range = story.status().unwrap()["shards"][1]["slots"].as_str().unwrap().replace('-', " ");
        pods.iter().for_each(|pod| story.inject(&Fault::LoseVolume { claim: format!("data-{pod}") }));
        let message = wait("a loss that is told", || {
            let [_, _, message] = story.condition("Ready")?;
            if message.contains("all members were lost") { Ok(message) } else { Err(message) }
        });
        assert!(message.contains("5461 slots") || message.contains("5462 slots"), "{message}");
        let bumped = story.ask(&pods[0], "CLUSTER BUMPEPOCH");
        assert!(["BUMPED", "STILL"].iter().any(|said| bumped.starts_with(said)), "{bumped}");
        assert_eq!(story.ask(&pods[0], &format!("CLUSTER ADDSLOTSRANGE {range}")), "OK\n");
    });
    assert!(report.lost > 0 && report.wrong == 0, "{report:?}");
}

#[test]
fn a_server_of_a_new_shard_is_killed_while_it_takes_its_slots() {
    let arguments = [WITH_REPLICA, &["--load=20000"]].concat();
    survives("3 shards become 4, and the new primary is killed while slots move", &arguments, ELECTION, |story| {
        story.change(&[("/spec/shards", json!(4))]);
        story.until_told("Migrate");
        story.kill("small-6");
    });
}

#[test]
fn a_host_goes_down_and_comes_back() {
    survives("The host of a primary goes down, and comes back", WITH_REPLICA, ELECTION, |story| {
        let (shard, pod) = lonely_primary(story);
        let host = host(story, &pod);
        story.inject(&Fault::HostDown { host: host.clone() });
        until_led_by_another(story, shard, &pod);
        story.inject(&Fault::HostUp { host });
    });
}

#[test]
fn a_host_is_drained_and_no_client_notices() {
    survives("The host of a primary is drained", &[], Duration::from_secs(2), |story| {
        let (_, pod) = lonely_primary(story);
        let host = host(story, &pod);
        let said = story.kubectl(&format!("drain {host} --timeout=100s"));
        assert!(said.contains("drained"), "{said}");
        story.kubectl(&format!("uncordon {host}"));
    });
}

#[test]
fn the_agent_does_not_reach_half_of_the_servers_and_takes_none_of_them_for_gone() {
    survives("The agent is cut off from three of six servers", &[], Duration::from_secs(1), |story| {
        let before = story.writes();
        let pods = vec![story.agent_pod()];
        story.inject(&Fault::Partition { pods, from: vec!["small-0".into(), "small-1".into(), "small-2".into()] });
        story.until_said("Ready", "gives no answer");
        sleep(Duration::from_secs(10));
        let acts = story.writes().into_iter().filter(|write| !before.contains(write));
        let acts: Vec<String> = acts.filter(|write| write.contains("pods") || write.contains("statefulsets")).collect();
        assert_eq!(acts, Vec::<String>::new());
        story.inject(&Fault::Heal);
    });
}

#[test]
fn servers_restart_though_every_answer_of_the_api_server_takes_three_seconds() {
    survives("Restart of all six, by an API server that takes 3 s", &[], Duration::from_secs(2), |story| {
        story.inject(&Fault::Api(ApiFault { latency_millis: 3000, ..ApiFault::default() }));
        story.change(&[("/spec/config", json!({"tcp-backlog": 1000}))]);
        story.until_checked();
        story.inject(&Fault::Mend);
    });
}
