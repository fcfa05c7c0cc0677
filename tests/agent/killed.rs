//! Agents die, and there is more than one of them.

use std::collections::BTreeSet;
use std::thread::{self, sleep};
use std::time::{Duration, Instant};

use pocket_cluster::Fault;
use serde_json::Value;

use crate::forming::every_server_says_so;
use crate::random::{Random, seed};
use crate::story::{Story, open};
use crate::wait::{hold, wait};

/// How many clusters form side by side, how many one after the other, and how often the agent of each dies.
const SIDE_BY_SIDE: u64 = 2;
const CLUSTERS: u64 = 5;
const DEATHS: u64 = 3;
const LATEST_DEATH_MILLIS: u64 = 800;

/// The servers start, and the agent dies over and over while it forms a cluster of them.
fn form_under_attack(random: &mut Random) {
    let story = Story::begin_observed(&open());
    wait("servers", || if story.pods().len() == 6 { Ok(()) } else { Err("too few".to_owned()) });
    let agent = story.agent_pod();
    let moments: Vec<u64> = (0..DEATHS).map(|_| random.below(LATEST_DEATH_MILLIS)).collect();
    for moment in moments {
        sleep(Duration::from_millis(moment));
        let kill = Fault::Kill { pod: agent.clone(), container: None };
        wait("an agent to kill", || story.place.inject(&kill));
    }
    story.until_at_rest();
    every_server_says_so(&story);
}

#[test]
#[allow(clippy::print_stdout, reason = "shown where the test fails")]
fn a_cluster_forms_however_often_and_whenever_its_agent_is_killed() {
    let seed = seed();
    println!("SEED={seed}");
    thread::scope(|scope| {
        for lane in 0..SIDE_BY_SIDE {
            let mut random = Random::from(seed ^ lane);
            scope.spawn(move || (0..CLUSTERS).for_each(|_| form_under_attack(&mut random)));
        }
    });
}

fn holder(story: &Story) -> Result<String, String> {
    let lease = story.get("apis/coordination.k8s.io/v1", &format!("leases/{}", story.name("agent")))?;
    lease["spec"]["holderIdentity"].as_str().map(str::to_owned).ok_or_else(|| lease.to_string())
}

/// Which agents have told that they did something, and how often.
fn told_by(story: &Story, agent: &str) -> usize {
    let list = story.get("api/v1", "events").unwrap();
    let told = |event: &&Value| event["reportingInstance"] == agent;
    list["items"].as_array().unwrap().iter().filter(told).count()
}

#[test]
fn of_two_agents_one_acts_and_the_other_only_when_the_first_is_gone() {
    let story = Story::begin(&open());
    story.kubectl(&format!("scale deploy/{} --replicas=2", story.name("agent")));
    wait("two agents", || if story.agent_pods().len() == 2 { Ok(()) } else { Err("one".to_owned()) });
    story.until_at_rest();
    every_server_says_so(&story);
    let first = holder(&story).unwrap();
    let agents: BTreeSet<String> = story.agent_pods().iter().map(crate::story::name).collect();
    let second = agents.iter().find(|agent| **agent != first).unwrap().clone();
    assert!(told_by(&story, &first) > 0);
    assert_eq!(told_by(&story, &second), 0);

    story.inject(&Fault::Freeze { pods: vec![first.clone()] });
    wait("another holder", || match holder(&story)? {
        holder if holder == second => Ok(()),
        holder => Err(holder),
    });
    let told_before = told_by(&story, &first);
    story.kubectl(&format!("label pod small-0 {}-", spec::names::ROLE_LABEL));
    wait("the second agent at work", || if told_by(&story, &second) > 0 { Ok(()) } else { Err(String::new()) });
    story.inject(&Fault::Thaw { pods: vec![first.clone()] });
    story.until_at_rest();
    hold(Duration::from_secs(5), || {
        assert_eq!(holder(&story).unwrap(), second);
        assert_eq!(told_by(&story, &first), told_before);
    });
}

/// Told to stop, it gives the lease back, and nobody waits for that to end.
#[test]
fn an_agent_that_is_told_to_stop_in_the_midst_of_its_work_leaves_it_to_the_next_at_once() {
    let mut story = Story::begin_observed(&open());
    story.until_at_rest();
    let first = holder(&story).unwrap();
    story.write_keys("small-0", 1000);
    story.change(&[("/spec/shards", serde_json::json!(4))]);
    wait("slots to move", || if story.has_told("Migrate") { Ok(()) } else { Err(format!("{:?}", story.told())) });
    story.kubectl(&format!("delete pod {first} --wait=false"));
    let told = Instant::now();
    let second = wait("another holder", || match holder(&story)? {
        holder if holder == first || holder.is_empty() => Err(holder),
        holder => Ok(holder),
    });
    assert!(told.elapsed() < Duration::from_secs(12), "{second} after {:?}", told.elapsed());
    story.until_at_rest();
    every_server_says_so(&story);
    story.has_keys("small-7", 1000);
}
