//! Disruption budgets: how many pods may leave now.
//!
//! <https://kubernetes.io/docs/concepts/workloads/pods/disruptions/#pod-disruption-budgets>

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Value, json};

use crate::api::LabelSelector;
use crate::cluster::Cluster;
use crate::json::{controller, is_leaving, is_true, namespace, number, set, set_condition, uid};
use crate::store::{Key, Store};

/// What a budget counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Health {
    pub(crate) expected: i64,
    pub(crate) current: i64,
    pub(crate) desired: i64,
}

impl Health {
    pub(crate) fn allowed(self) -> i64 {
        if self.expected == 0 { 0 } else { (self.current - self.desired).max(0) }
    }
}

pub(crate) fn health(store: &Store, budget: &Value) -> Health {
    let mut pods = store.in_namespace("pods", namespace(budget));
    let selector = LabelSelector::of(budget.pointer("/spec/selector").unwrap_or(&Value::Null));
    pods.retain(|pod| selector.matches(pod));
    let healthy = pods.iter().filter(|pod| is_true(pod, "Ready") && !is_leaving(pod)).count();
    let (expected, desired) = match (budget.pointer("/spec/maxUnavailable"), budget.pointer("/spec/minAvailable")) {
        (Some(most), _) => {
            let expected = wanted_by_owners(store, &pods);
            (expected, (expected - scaled(most, expected)).max(0))
        }
        // A number that has to stay is counted against the pods that are there, a share against those that should be.
        (None, Some(Value::Number(least))) => (whole(pods.len()), least.as_i64().unwrap_or(0)),
        (None, Some(least)) => {
            let expected = wanted_by_owners(store, &pods);
            (expected, scaled(least, expected))
        }
        (None, None) => (whole(pods.len()), 1),
    };
    Health { expected, current: whole(healthy), desired }
}

fn whole(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

/// A number, or a share of so many, rounded up.
fn scaled(value: &Value, of: i64) -> i64 {
    let percent = value.as_str().and_then(|text| text.strip_suffix('%')?.parse::<i64>().ok());
    percent.map_or_else(|| value.as_i64().unwrap_or(0), |percent| (of * percent + 99) / 100)
}

/// How many pods the owners of these pods want. A pod that nobody controls counts for itself.
fn wanted_by_owners(store: &Store, pods: &[Arc<Value>]) -> i64 {
    let owners: Vec<Arc<Value>> =
        ["statefulsets.apps", "deployments.apps"].iter().flat_map(|resource| store.all(resource)).collect();
    let wanted: BTreeMap<&str, i64> = pods
        .iter()
        .map(|pod| match owners.iter().find(|owner| uid(owner) == controller(pod)) {
            Some(owner) => (uid(owner), number(owner, "/spec/replicas").unwrap_or(1)),
            None => (uid(pod), 1),
        })
        .collect();
    wanted.values().sum()
}

pub(super) fn reconcile(cluster: &Cluster) {
    for budget in cluster.store.all("poddisruptionbudgets.policy") {
        let health = health(&cluster.store, &budget);
        cluster.store.edit(&Key::of("poddisruptionbudgets.policy", &budget), |budget| {
            let allowed = health.allowed();
            for (field, count) in [
                ("currentHealthy", health.current),
                ("desiredHealthy", health.desired),
                ("disruptionsAllowed", allowed),
                ("expectedPods", health.expected),
            ] {
                set(budget, &format!("/status/{field}"), count);
            }
            set(budget, "/status/observedGeneration", number(budget, "/metadata/generation"));
            let (status, reason) = if allowed > 0 { ("True", "SufficientPods") } else { ("False", "InsufficientPods") };
            set_condition(
                budget,
                json!({"type": "DisruptionAllowed", "status": status, "reason": reason, "message": ""}),
            );
        });
    }
}
