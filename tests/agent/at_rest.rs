//! Nothing is to be done, and nothing is done.

use std::collections::{BTreeMap, BTreeSet};
use std::thread::sleep;
use std::time::Duration;

use serde_json::Value;

use crate::story::Story;
use crate::wait::wait;

/// What looking, probes and replication ask of a server. Whatever else is called changes something.
const READS: [&str; 13] = [
    "auth",
    "client|setinfo",
    "cluster|getslotmigrations",
    "cluster|info",
    "cluster|myid",
    "cluster|nodes",
    "config|get",
    "hello",
    "info",
    "ping",
    "publish",
    "replconf",
    "role",
];

/// Long enough for whatever is done every few minutes.
const PERIOD: Duration = Duration::from_mins(10);

/// How often each command was called on each server.
fn calls(story: &Story) -> BTreeMap<(String, String), String> {
    let of_pod = |pod: String| {
        let said = story.ask(&pod, "INFO commandstats");
        let lines: Vec<_> =
            said.lines().filter_map(|line| line.strip_prefix("cmdstat_")?.split_once(":calls=")).collect();
        let count = |rest: &str| rest.split(',').next().unwrap().to_owned();
        lines.iter().map(|(command, rest)| ((pod.clone(), (*command).to_owned()), count(rest))).collect::<Vec<_>>()
    };
    story.pod_names().into_iter().flat_map(of_pod).collect()
}

/// The versions of all objects that the agent may change.
fn versions(story: &Story) -> Value {
    let lists =
        ["pods", "persistentvolumeclaims", "configmaps", "events"].map(|kind| story.get("api/v1", kind).unwrap());
    let sets = story.get("apis/apps/v1", "statefulsets").unwrap();
    let all = lists.iter().chain([&sets]).flat_map(|list| list["items"].as_array().unwrap().clone());
    all.map(|object| [object["metadata"]["name"].clone(), object["metadata"]["resourceVersion"].clone()])
        .collect::<Vec<_>>()
        .into()
}

/// Events are written without anyone waiting for them.
fn until_all_is_written(story: &Story) {
    wait("an end of writing", || {
        let before = versions(story);
        sleep(Duration::from_secs(3));
        if versions(story) == before { Ok(()) } else { Err("more was written".to_owned()) }
    });
}

#[test]
fn at_rest_no_server_is_told_to_change_anything_and_nothing_is_written() {
    let mut story = Story::begin(&[]);
    story.until_at_rest();
    until_all_is_written(&story);
    story.rest();
    let (calls_before, versions_before, writes_before) = (calls(&story), versions(&story), story.writes());
    sleep(PERIOD);
    let called = calls(&story).into_iter().filter(|(command, count)| calls_before.get(command) != Some(count));
    let called: BTreeSet<String> = called.map(|((_, command), _)| command).collect();
    assert!(called.contains("cluster|nodes"), "the agent looks: {called:?}");
    assert_eq!(
        called.iter().filter(|command| !READS.contains(&&command[..])).collect::<Vec<_>>(),
        Vec::<&String>::new()
    );
    assert_eq!(versions(&story), versions_before);
    assert_eq!(story.writes(), writes_before);
}
