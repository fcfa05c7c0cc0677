//! A GitOps controller applies what is rendered over and over, and prunes what is rendered no more.

use std::collections::BTreeSet;
use std::thread::sleep;
use std::time::Duration;

use serde_json::{Value, json};

use crate::story::{Story, name};
use crate::struck::survives;

const EVERY: Duration = Duration::from_secs(2);

/// Kind and name.
fn title(object: &Value) -> String {
    format!("{} {}", object["kind"].as_str().unwrap(), name(object))
}

/// Applies what is rendered, and deletes what carries the label of it, belongs to no other object, and is rendered no more. Tells what
/// that was.
fn sync(story: &Story) -> BTreeSet<String> {
    story.apply();
    let rendered: Vec<Value> = serde_saphyr::from_multiple(&story.rendered()).unwrap();
    let rendered: BTreeSet<String> = rendered.iter().map(title).collect();
    let kinds = story.kubectl("api-resources --verbs=list,delete --namespaced -o name");
    let kinds: Vec<&str> = kinds.lines().collect();
    let found = story.kubectl(&format!("get {} -l app.kubernetes.io/instance=small -o json", kinds.join(",")));
    let found: Value = serde_json::from_str(&found).unwrap();
    let is_its_own = |object: &&Value| object["metadata"]["ownerReferences"].is_null();
    let found = found["items"].as_array().unwrap().iter().filter(is_its_own).map(title);
    let pruned: BTreeSet<String> = found.filter(|title| !rendered.contains(title)).collect();
    pruned.iter().for_each(|title| drop(story.kubectl(&format!("delete {title} --wait=false"))));
    pruned
}

/// Syncs so many times.
fn syncs(story: &Story, times: usize) -> BTreeSet<String> {
    let sync = |_| {
        let pruned = sync(story);
        sleep(EVERY);
        pruned
    };
    (0..times).flat_map(sync).collect()
}

#[test]
fn what_is_rendered_is_applied_over_and_over_and_nothing_fights() {
    survives("A GitOps controller applies, heals and prunes every two seconds", &[], Duration::from_secs(1), |story| {
        // Where nobody counts what the agent asks for, there is nothing to tell.
        story.pocket();
        story.change(&[("/spec/monitoring", json!({"podMonitor": true, "prometheusRule": true}))]);
        assert_eq!(syncs(story, 1), BTreeSet::new());
        story.write(&[("/spec/shards", json!(4)), ("/spec/monitoring", json!({}))]);
        let gone = ["PodMonitor small-agent", "PrometheusRule small-agent"].map(str::to_owned);
        assert_eq!(syncs(story, 4), gone.into());
        story.until_checked();
        let writes = story.writes();
        let scale = |story: &Story| story.get("apis/apps/v1", "statefulsets/small").unwrap()["spec"].clone();
        let before = scale(story);
        assert_eq!(syncs(story, 3), BTreeSet::new());
        assert_eq!(story.writes(), writes);
        assert_eq!(scale(story), before);
        story.write(&[("/spec/shards", json!(3))]);
        assert_eq!(syncs(story, 2), BTreeSet::new());
    });
}
