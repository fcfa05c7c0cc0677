//! Which host a pod runs on: hosts that take it, spread evenly, the least busy first. Resources are not counted.
//!
//! <https://kubernetes.io/docs/concepts/scheduling-eviction/topology-spread-constraints/>

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Value, json};

use crate::api::{LabelSelector, carries_all};
use crate::cluster::Cluster;
use crate::json::{
    entry, flag, is_leaving, is_true, items, name, namespace, number, set, set_condition, set_entry, text,
};
use crate::store::Key;

/// Kubernetes copies these labels of the host onto the pod when it binds it.
/// <https://kubernetes.io/docs/reference/access-authn-authz/admission-controllers/#podtopologylabels>
const COPIED: [&str; 2] = ["topology.kubernetes.io/region", "topology.kubernetes.io/zone"];

pub(super) fn reconcile(cluster: &Cluster) {
    let waiting = cluster.store.all("pods").into_iter().filter(|pod| text(pod, "/spec/nodeName").is_empty());
    // In the order in which they were made, as from a queue.
    let mut waiting: Vec<Arc<Value>> = waiting.filter(|pod| !is_leaving(pod)).collect();
    waiting.sort_by_key(|pod| crate::json::uid(pod).to_owned());
    waiting.iter().for_each(|pod| schedule(cluster, pod));
}

fn schedule(cluster: &Cluster, pod: &Value) {
    let hosts = cluster.store.all("nodes");
    let placed = cluster.store.all("pods");
    match choose(cluster, pod, &hosts, &placed) {
        Ok(host) => bind(cluster, pod, host),
        Err(why) => {
            let message = format!("0/{} nodes are available: {why}.", hosts.len());
            cluster.store.edit(&Key::of("pods", pod), |pod| {
                let reason = "Unschedulable";
                set_condition(
                    pod,
                    json!({"type": "PodScheduled", "status": "False", "reason": reason, "message": message}),
                );
            });
            if !is_told(pod, &message) {
                cluster.tell(pod, "FailedScheduling", &message);
            }
        }
    }
}

fn is_told(pod: &Value, message: &str) -> bool {
    crate::json::condition(pod, "PodScheduled").is_some_and(|condition| text(condition, "/message") == message)
}

fn choose<'a>(
    cluster: &Cluster,
    pod: &Value,
    hosts: &'a [Arc<Value>],
    placed: &[Arc<Value>],
) -> Result<&'a Value, String> {
    if let Some(missing) = missing_claim(cluster, pod) {
        return Err(format!("persistentvolumeclaim {missing:?} not found"));
    }
    let eligible: Vec<&Value> = hosts.iter().map(|host| &**host).filter(|host| takes(host, pod)).collect();
    if eligible.is_empty() {
        return Err("no node takes the pod, by its selector, its taints or its state".to_owned());
    }
    let spreads: Vec<Spread> = items(pod, "/spec/topologySpreadConstraints")
        .iter()
        .map(|constraint| Spread::of(constraint, pod, hosts, &eligible, placed))
        .collect();
    let within = |host: &&&Value| spreads.iter().all(|spread| !spread.is_hard || spread.skew_on(host) <= spread.most);
    let busy = |host: &Value| placed.iter().filter(|pod| text(pod, "/spec/nodeName") == name(host)).count();
    let cost = |host: &&&Value| {
        let skews: i64 = spreads.iter().map(|spread| spread.skew_on(host)).sum();
        (skews, busy(host), name(host).to_owned())
    };
    let best = eligible.iter().filter(within).min_by_key(cost).copied();
    best.ok_or_else(|| "node(s) didn't match pod topology spread constraints".to_owned())
}

fn missing_claim<'p>(cluster: &Cluster, pod: &'p Value) -> Option<&'p str> {
    let claims = items(pod, "/spec/volumes").iter().map(|volume| text(volume, "/persistentVolumeClaim/claimName"));
    claims
        .filter(|claim| !claim.is_empty())
        .find(|claim| cluster.store.get(&Key::new("persistentvolumeclaims", namespace(pod), claim)).is_none())
}

/// Whether a host takes a pod at all.
fn takes(host: &Value, pod: &Value) -> bool {
    matches(host, pod)
        && is_true(host, "Ready")
        && flag(host, "/spec/unschedulable") != Some(true)
        && tolerates(pod, host)
}

fn matches(host: &Value, pod: &Value) -> bool {
    carries_all(host, pod.pointer("/spec/nodeSelector").unwrap_or(&Value::Null))
}

/// <https://kubernetes.io/docs/concepts/scheduling-eviction/taint-and-toleration/>
fn tolerates(pod: &Value, host: &Value) -> bool {
    let keeps_away = |taint: &&Value| text(taint, "/effect") != "PreferNoSchedule";
    let is_tolerated = |taint: &Value| {
        items(pod, "/spec/tolerations").iter().any(|toleration| {
            let any = |path: &str| text(toleration, path).is_empty() || text(toleration, path) == text(taint, path);
            let exists = text(toleration, "/operator") == "Exists";
            any("/key") && any("/effect") && (exists || text(toleration, "/value") == text(taint, "/value"))
        })
    };
    items(host, "/spec/taints").iter().filter(keeps_away).all(is_tolerated)
}

/// One constraint, with the pods that it counts.
struct Spread {
    key: String,
    is_hard: bool,
    most: i64,
    /// By the value of the topology key.
    counts: BTreeMap<String, i64>,
    fewest: i64,
}

impl Spread {
    fn of(constraint: &Value, pod: &Value, hosts: &[Arc<Value>], eligible: &[&Value], placed: &[Arc<Value>]) -> Self {
        let key = text(constraint, "/topologyKey").to_owned();
        let domain = |host: &Value| entry(host, "/metadata/labels", &key).to_owned();
        // Hosts that are full of taints count as empty unless taints are honoured; hosts that the selector rules out never count.
        let honours = text(constraint, "/nodeTaintsPolicy") == "Honor";
        let counted = hosts.iter().map(|host| &**host).filter(|host| matches(host, pod));
        let counted: Vec<&Value> = counted.filter(|host| !honours || eligible.contains(host)).collect();
        let mut counts: BTreeMap<String, i64> = counted.iter().map(|host| (domain(host), 0)).collect();
        let selector = LabelSelector::of(constraint.pointer("/labelSelector").unwrap_or(&Value::Null));
        let alike = placed
            .iter()
            .filter(|other| namespace(other) == namespace(pod) && !is_leaving(other) && selector.matches(other));
        for other in alike {
            let host = counted.iter().find(|host| name(host) == text(other, "/spec/nodeName"));
            if let Some(count) = host.and_then(|host| counts.get_mut(&domain(host))) {
                *count += 1;
            }
        }
        let fewest = counts.values().min().copied().unwrap_or(0);
        let is_hard = text(constraint, "/whenUnsatisfiable") != "ScheduleAnyway";
        Self { key, is_hard, most: number(constraint, "/maxSkew").unwrap_or(1), counts, fewest }
    }

    /// How uneven it would be with one more pod there.
    fn skew_on(&self, host: &Value) -> i64 {
        let count = self.counts.get(entry(host, "/metadata/labels", &self.key)).copied().unwrap_or(0);
        count + 1 - self.fewest
    }
}

fn bind(cluster: &Cluster, pod: &Value, host: &Value) {
    cluster.store.edit(&Key::of("pods", pod), |pod| {
        set(pod, "/spec/nodeName", name(host));
        for label in COPIED {
            let value = entry(host, "/metadata/labels", label);
            if !value.is_empty() && entry(pod, "/metadata/labels", label).is_empty() {
                set_entry(pod, "/metadata/labels", label, value);
            }
        }
        set_condition(pod, json!({"type": "PodScheduled", "status": "True"}));
    });
}
