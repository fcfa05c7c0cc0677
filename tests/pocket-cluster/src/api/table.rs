//! Objects as rows, which is how `kubectl get` asks for them.
//!
//! <https://kubernetes.io/docs/reference/using-api/api-concepts/#receiving-resources-as-tables>

use serde_json::{Value, json};

use super::read::shown;
use super::request::{Query, Request};
use super::structural;
use crate::json::{flag, is_leaving, items, name, number, seconds_since, text};
use crate::kinds::Kind;

pub(super) fn is_wanted(request: &Request) -> bool {
    request.accept.contains("as=Table")
}

/// The name of a column, and what stands in it.
type Column = (&'static str, fn(&Value) -> String);

pub(super) fn of(kind: &Kind, objects: &[&Value], metadata: &Value, query: &Query) -> Value {
    let (first, last) = (columns(kind), ("Age", |object: &Value| age(text(object, "/metadata/creationTimestamp"))));
    // Of a definition's own, the age is the one that all have.
    let added: Vec<&(String, String)> = kind.columns.iter().filter(|(name, _)| name != last.0).collect();
    let names = first.iter().map(|(name, _)| *name).chain(added.iter().map(|(name, _)| name.as_str())).chain([last.0]);
    let definitions: Vec<Value> = names
        .map(|name| json!({"name": name, "type": "string", "format": if name == "Name" { "name" } else { "" }, "priority": 0}))
        .collect();
    let cells = |object: &Value| -> Vec<String> {
        let own = first.iter().map(|(_, cell)| cell(object));
        own.chain(added.iter().map(|(_, path)| structural::at(object, path))).chain([last.1(object)]).collect()
    };
    let row = |object: &&Value| json!({"cells": cells(object), "object": included(kind, object, query)});
    let rows: Vec<Value> = objects.iter().map(row).collect();
    json!({
        "kind": "Table", "apiVersion": "meta.k8s.io/v1", "metadata": metadata, "columnDefinitions": definitions, "rows": rows,
    })
}

fn included(kind: &Kind, object: &Value, query: &Query) -> Value {
    match query.get("includeObject") {
        "None" => Value::Null,
        "Object" => shown(kind, object),
        _ => json!({
            "kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": object.get("metadata"),
        }),
    }
}

fn columns(kind: &Kind) -> Vec<Column> {
    let own: &[Column] = match kind.name.as_str() {
        "Pod" => &[
            ("Ready", |pod| share(ready_containers(pod), items(pod, "/spec/containers").len())),
            ("Status", pod_status),
            ("Restarts", |pod| restarts(pod).to_string()),
            ("IP", |pod| text(pod, "/status/podIP").to_owned()),
            ("Node", |pod| text(pod, "/spec/nodeName").to_owned()),
        ],
        "StatefulSet" => &[("Ready", |set| share(count(set, "/status/readyReplicas"), count(set, "/spec/replicas")))],
        "Deployment" => &[
            ("Ready", |set| share(count(set, "/status/readyReplicas"), count(set, "/spec/replicas"))),
            ("Up-to-date", |set| count(set, "/status/updatedReplicas").to_string()),
            ("Available", |set| count(set, "/status/availableReplicas").to_string()),
        ],
        "Node" => &[
            ("Status", node_status),
            ("Zone", |node| crate::json::entry(node, "/metadata/labels", "topology.kubernetes.io/zone").to_owned()),
        ],
        "PersistentVolumeClaim" => &[
            ("Status", |claim| text(claim, "/status/phase").to_owned()),
            ("Capacity", |claim| text(claim, "/status/capacity/storage").to_owned()),
        ],
        "PodDisruptionBudget" => &[
            ("Allowed disruptions", |budget| count(budget, "/status/disruptionsAllowed").to_string()),
            ("Healthy", |budget| count(budget, "/status/currentHealthy").to_string()),
        ],
        "Event" => &[
            ("Type", |event| text(event, "/type").to_owned()),
            ("Reason", |event| text(event, "/reason").to_owned()),
            ("Object", |event| {
                format!(
                    "{}/{}",
                    text(event, "/involvedObject/kind").to_lowercase(),
                    text(event, "/involvedObject/name")
                )
            }),
            ("Message", |event| text(event, "/message").to_owned()),
        ],
        "Certificate" => &[("Ready", |object| crate::json::is_true(object, "Ready").to_string())],
        "Lease" => &[("Holder", |lease| text(lease, "/spec/holderIdentity").to_owned())],
        _ => &[],
    };
    let first: &[Column] = &[("Name", |object| name(object).to_owned())];
    [first, own].concat()
}

fn share(part: usize, whole: usize) -> String {
    format!("{part}/{whole}")
}

fn count(object: &Value, path: &str) -> usize {
    number(object, path).and_then(|number| usize::try_from(number).ok()).unwrap_or(0)
}

fn ready_containers(pod: &Value) -> usize {
    items(pod, "/status/containerStatuses").iter().filter(|status| flag(status, "/ready") == Some(true)).count()
}

fn restarts(pod: &Value) -> i64 {
    items(pod, "/status/containerStatuses").iter().filter_map(|status| number(status, "/restartCount")).sum()
}

fn pod_status(pod: &Value) -> String {
    if is_leaving(pod) {
        return "Terminating".to_owned();
    }
    let statuses = items(pod, "/status/containerStatuses").iter();
    let mut reasons = statuses.map(|status| text(status, "/state/waiting/reason")).filter(|reason| !reason.is_empty());
    reasons.next().unwrap_or_else(|| text(pod, "/status/phase")).to_owned()
}

fn node_status(node: &Value) -> String {
    let ready = if crate::json::is_true(node, "Ready") { "Ready" } else { "NotReady" };
    let cordoned = if flag(node, "/spec/unschedulable") == Some(true) { ",SchedulingDisabled" } else { "" };
    format!("{ready}{cordoned}")
}

fn age(since: &str) -> String {
    match seconds_since(since) {
        seconds @ i64::MIN..120 => format!("{seconds}s"),
        seconds @ 120..7_200 => format!("{}m", seconds / 60),
        seconds => format!("{}h", seconds / 3_600),
    }
}
