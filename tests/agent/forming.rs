//! A cluster comes into being.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use serde_json::{Value, json};
use spec::{Spread, Tls};
use support::root;

use crate::place::is_elsewhere;
use crate::story::{Story, name, open, without_password, without_tls};
use crate::wait::wait;

fn example(file: &str) -> Value {
    serde_saphyr::from_str(&fs::read_to_string(root().join("examples").join(file)).unwrap()).unwrap()
}

/// A word of an answer, as `ok` after `cluster_state:`.
fn word<'a>(answer: &'a str, field: &str) -> &'a str {
    answer.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':')).unwrap_or("missing")
}

/// By the word of every server, and soon: it works, knows all others, serves all slots, and is in sync. Not at once, for servers that were
/// restarted together find each other's new addresses by hearsay, which may take them a second more than the agent.
pub(crate) fn every_server_says_so(story: &Story) {
    let (shards, replicas) = (story.cluster.shards, story.cluster.replicas_per_shard);
    let pods = story.pod_names();
    assert_eq!(pods.len(), usize::from(shards) * (1 + usize::from(replicas)));
    wait("every server to say that all is well", || {
        let mut primaries = 0;
        for pod in &pods {
            let said = story.ask(pod, "CLUSTER INFO\nINFO replication");
            let is_primary = word(&said, "role") == "master";
            let is_in_sync = if is_primary {
                said.matches("state=online").count() == usize::from(replicas)
            } else {
                word(&said, "master_link_status") == "up"
            };
            let is_well = word(&said, "cluster_state") == "ok"
                && word(&said, "cluster_slots_ok") == "16384"
                && word(&said, "cluster_known_nodes") == pods.len().to_string()
                && word(&said, "cluster_size") == shards.to_string();
            primaries += u16::from(is_primary);
            if !is_well || !is_in_sync {
                return Err(format!("{pod}: {said}"));
            }
        }
        if primaries == shards { Ok(()) } else { Err(format!("{primaries} primaries")) }
    });
}

/// The members of each shard, as the status has them, stand on different hosts, carry its labels and are in sync. Soon: the agent writes its
/// status a moment after whoever looks from outside can see the same.
pub(crate) fn every_shard_is_spread_and_labelled(story: &Story) {
    wait("every shard to be spread, labelled and in sync", || {
        let pods: BTreeMap<String, Value> = story.pods().into_iter().map(|pod| (name(&pod), pod)).collect();
        let status = story.status()?;
        let shards = status["shards"].as_array().ok_or("no shards")?;
        let are_well = shards.iter().all(|shard| is_spread_and_labelled(story, shard, &pods) == Some(true));
        if are_well && shards.len() == usize::from(story.cluster.shards) {
            Ok(())
        } else {
            Err(format!("{shards:?}, {pods:?}"))
        }
    });
}

/// None where a member is missing.
fn is_spread_and_labelled(story: &Story, shard: &Value, pods: &BTreeMap<String, Value>) -> Option<bool> {
    let replicas = shard["replicas"].as_array()?.iter().map(|replica| (replica, "replica"));
    let members = replicas.chain([(&shard["primary"], "primary")]);
    let members: Vec<_> = members.map(|(pod, role)| Some((pods.get(pod.as_str()?)?, role))).collect::<Option<_>>()?;
    let hosts: BTreeSet<_> = members.iter().map(|(pod, _)| pod["spec"]["nodeName"].as_str()).collect();
    let is_spread = story.cluster.placement.host_spread == Spread::Off || hosts.len() == members.len();
    let number = shard["shard"].to_string();
    let is_labelled = |(pod, role): &(&Value, &str)| {
        let labels = &pod["metadata"]["labels"];
        labels[spec::names::ROLE_LABEL] == *role && labels[spec::names::SHARD_LABEL] == *number
    };
    let is_in_sync = shard["inSync"] == usize::from(story.cluster.replicas_per_shard);
    Some(is_spread && is_in_sync && members.iter().all(is_labelled))
}

fn every_condition_is_as_it_should_be(story: &Story) {
    for (kind, wanted) in [
        ("Ready", ["True", "AsDesired", "the cluster is as it should be"]),
        ("Reconciling", ["False", "AtRest", "the cluster is as it should be"]),
        ("Stalled", ["False", "NotStuck", ""]),
        ("SlotsCovered", ["True", "AllServed", "16384 of 16384 slots are served"]),
        ("ReplicasInSync", ["True", "InSync", "3 of 3 shards have their replicas in sync"]),
        ("TopologyBalanced", ["True", "Even", "shards own 5461 to 5462 slots"]),
        ("UpToDate", ["True", "Current", "6 of 6 pods run the latest template"]),
    ] {
        assert_eq!(story.condition(kind).unwrap(), wanted, "{kind}");
    }
}

fn every_kind_of_step_was_told(story: &Story) {
    wait("an event for every kind of step", || {
        let told = story.told();
        let wanted = ["Scale", "SetConfigEpoch", "AddSlots", "Meet", "Replicate", "Label"];
        if wanted.iter().all(|kind| told.contains(*kind)) { Ok(()) } else { Err(format!("{told:?}")) }
    });
}

fn the_commands_say_so(story: &Story) {
    for (command, wanted) in [
        ("status", &format!("in {}: the cluster is as it should be\n", story.namespace())[..]),
        ("plan", "nothing to do: the cluster is as it should be\n"),
        ("check", "ok    the cluster is as it should be\n"),
    ] {
        let said = story.agent(command).unwrap();
        assert_eq!(said.code, 0, "{said:?}");
        assert!(said.stdout.contains(wanted), "{said:?}");
    }
}

/// What the agent tells Prometheus, by the names that the rendered rules ask for.
fn the_metrics_say_so(story: &Story) {
    let pods = story.pod_names().len();
    let certificates = if matches!(story.cluster.tls, Tls::Disabled) { 0 } else { pods };
    wait("metrics of a cluster as it should be", || {
        let metrics = story.metrics();
        let all = |name: &str| -> Vec<f64> {
            metrics.iter().filter(|(sample, _)| sample.starts_with(name)).map(|(_, value)| *value).collect()
        };
        let set = |name: &str| all(name).iter().filter(|value| **value > 0.0).count();
        let lasting = all("valkey_node_certificate_expires_seconds").iter().filter(|left| **left > 3600.0).count();
        let missing: Vec<String> = asked_for(&story.cluster.tls).filter(|name| all(name).is_empty()).collect();
        let is_well = all("valkey_cluster_slots_covered") == [16_384.0]
            && missing.is_empty()
            && all("valkey_node_memory_used_bytes").iter().filter(|bytes| **bytes > 0.0).count() == pods
            && all("valkey_agent_steps_total").iter().sum::<f64>() > 6.0
            && all("valkey_agent_step_seconds_count").iter().sum::<f64>() > 6.0
            && set("valkey_agent_plan{") == 1
            && set("valkey_node_up{") == pods
            && lasting == certificates;
        if is_well { Ok(()) } else { Err(format!("missing {missing:?}: {metrics:?}")) }
    });
}

/// What the rendered rules ask for, that is there at rest.
fn asked_for(tls: &Tls) -> impl Iterator<Item = String> {
    let rules = fs::read_to_string(root().join("snapshots/every-field.snap")).unwrap();
    let names = rules.split(|each: char| !each.is_ascii_lowercase() && each != '_');
    let names: BTreeSet<String> = names.filter(|word| word.starts_with("valkey_")).map(str::to_owned).collect();
    assert!(names.len() > 5, "{names:?}");
    let is_open = matches!(tls, Tls::Disabled);
    names.into_iter().filter(move |name| !is_open || !name.contains("certificate"))
}

/// Whoever looks sees it.
fn formed(story: &Story) {
    story.until_at_rest();
    every_server_says_so(story);
    every_shard_is_spread_and_labelled(story);
    every_condition_is_as_it_should_be(story);
    every_kind_of_step_was_told(story);
    the_commands_say_so(story);
    // Asked for with what the image of a server may not have.
    if !is_elsewhere() {
        the_metrics_say_so(story);
    }
    let pods = story.pod_names();
    story.write_keys(&pods[0], 50);
    story.has_keys(&pods[pods.len() - 1], 50);
}

#[test]
fn the_minimal_example_forms() {
    formed(&Story::of(example("minimal.yaml")));
}

#[test]
fn the_development_example_forms() {
    formed(&Story::of(example("development.yaml")));
}

/// With TLS and a password it forms as well: that is the minimal example.
fn forms_open_and_half_open(series: &str) {
    for changes in [&open()[..], &[without_tls()], &[without_password()]] {
        formed(&Story::begin(&[&[("/spec/version", json!(series))], changes].concat()));
    }
}

#[test]
fn a_cluster_of_the_latest_series_forms_without_tls_and_password() {
    forms_open_and_half_open("9.1");
}

#[test]
fn a_cluster_of_an_older_series_forms_with_and_without_tls_and_password() {
    formed(&Story::begin(&[("/spec/version", json!("8.1"))]));
    forms_open_and_half_open("8.1");
}

fn form(shards: u16) {
    let story = Story::begin(&[&open()[..], &[("/spec/shards", json!(shards))]].concat());
    story.until_at_rest();
    every_server_says_so(&story);
    every_shard_is_spread_and_labelled(&story);
}

#[test]
fn thirty_nodes_form() {
    form(15);
}

#[test]
#[ignore = "more than a small machine has room for: make test-large"]
fn a_hundred_nodes_form() {
    form(50);
}
