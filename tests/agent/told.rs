//! What the agent tells whoever watches it: metrics, health, and its log.

use serde_json::{Value, json};

use crate::story::{Story, open};
use crate::wait::wait;

/// Each key that a server writes to disk or sends with its slot takes so many microseconds more.
const SLOWLY: &str = "CONFIG SET rdb-key-save-delay 10000";

fn done(story: &Story, step: &str) -> f64 {
    story.metric("valkey_agent_steps_total", &[&format!("step=\"{step}\""), "outcome=\"done\""])
}

/// Slots on their way are counted, and so are the steps, and how long a hand-over held writes back.
#[test]
fn what_the_agent_does_shows_in_its_metrics() {
    let mut story = Story::begin(&open());
    story.until_at_rest();
    story.write_keys("small-0", 1000);
    story.pod_names().iter().for_each(|pod| assert_eq!(story.ask(pod, SLOWLY), "OK\n"));
    story.change(&[("/spec/shards", json!(4))]);
    wait("slots on their way in the metrics", || {
        let moving = story.metric("valkey_cluster_slots_moving", &[]);
        let to_move = story.metric("valkey_cluster_slots_to_move", &[]);
        if moving > 0.0 && to_move > 0.0 { Ok(()) } else { Err(format!("{moving} of {to_move}")) }
    });
    story.until_at_rest();
    let slots = |name: &str| story.metric(name, &[]);
    assert_eq!((slots("valkey_cluster_slots_to_move"), slots("valkey_shard_slots")), (0.0, 16_384.0));
    assert!(done(&story, "Migrate") >= 3.0, "{:?}", story.metrics());

    story.change(&[("/spec/config/tcp-backlog", json!(1000))]);
    story.until_at_rest();
    assert_eq!((done(&story, "DeletePod"), story.metric("valkey_cluster_pods_outdated", &[])), (8.0, 0.0));
    let hand_overs = story.metric("valkey_agent_failover_pause_seconds_count", &[]);
    assert!(hand_overs >= 4.0 && done(&story, "Failover") <= hand_overs, "{:?}", story.metrics());
    assert!(story.metric("valkey_agent_failover_pause_seconds_sum", &[]) < hand_overs, "less than a second each");
}

#[test]
fn health_says_why_it_is_not_what_it_should_be() {
    let story = Story::begin(&open());
    wait("an agent that serves", || {
        let pods = story.agent_pods();
        let runs = pods.first().is_some_and(|pod| pod["status"]["containerStatuses"][0]["started"] == true);
        if runs && !story.pod_names().is_empty() { Ok(()) } else { Err(json!(pods).to_string()) }
    });
    story.until_at_rest();
    assert_eq!(story.served("/healthz"), ("HTTP/1.0 200 OK".to_owned(), "alive\n".to_owned()));
    assert_eq!(story.served("/readyz"), ("HTTP/1.0 200 OK".to_owned(), "the cluster is as it should be\n".to_owned()));
    assert_eq!(story.served("/").0, "HTTP/1.0 404 Not Found");
    story.kubectl("delete pod small-0 --wait=false");
    wait("an agent that is not ready, and says why", || match story.served("/readyz") {
        (head, body) if head == "HTTP/1.0 503 Service Unavailable" && body.contains("pod 0") => Ok(()),
        (_, body) => Err(body),
    });
    assert_eq!(story.served("/healthz").0, "HTTP/1.0 200 OK");
    story.until_at_rest();
}

#[test]
fn a_log_for_programs_is_an_object_on_each_line() {
    let story = Story::prepare(support::small_with(&open()));
    let rendered = story.rendered().replace("- run", "- run\n        - --log-format=json");
    story.place.apply(&rendered).unwrap();
    story.until_at_rest();
    let log = story.kubectl(&format!("logs deploy/{}", story.name("agent")));
    let lines: Vec<Value> = log.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let met = lines.iter().find(|line| line["fields"]["kind"] == "Meet").unwrap();
    assert!(met["level"] == "INFO" && met["timestamp"].is_string() && met["fields"]["message"].is_string(), "{met}");
}
