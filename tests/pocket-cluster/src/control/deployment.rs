//! Deployments. There are no replica sets between them and their pods: a pod carries the hash of the template that it was made from.
//!
//! <https://kubernetes.io/docs/concepts/workloads/controllers/deployment/>

use std::sync::Arc;

use serde_json::{Value, json};

use super::owned;
use crate::cluster::Cluster;
use crate::json::{entry, is_leaving, name, number, seconds_since, set, set_condition, text, uid};
use crate::random::{hash_of, suffix};
use crate::store::Key;

const HASH: &str = "pod-template-hash";

pub(super) fn reconcile(cluster: &Cluster) {
    for deployment in cluster.store.all("deployments.apps") {
        if !is_leaving(&deployment) {
            let turn = Turn::new(cluster, &deployment);
            turn.keep_pods();
            turn.report();
        }
    }
}

struct Turn<'a> {
    cluster: &'a Cluster,
    deployment: &'a Value,
    hash: String,
    replicas: usize,
}

impl<'a> Turn<'a> {
    fn new(cluster: &'a Cluster, deployment: &'a Value) -> Self {
        let replicas = number(deployment, "/spec/replicas").and_then(|count| usize::try_from(count).ok()).unwrap_or(1);
        let hash = hash_of(&owned::template_of(deployment).to_string());
        Self { cluster, deployment, hash, replicas }
    }

    fn is_new(&self, pod: &Value) -> bool {
        entry(pod, "/metadata/labels", HASH) == self.hash
    }

    /// `Recreate` waits until the last old pod is gone; otherwise, the old go once the new are ready.
    fn keep_pods(&self) {
        let (new, old): (Vec<_>, Vec<_>) =
            owned::pods_of(self.cluster, self.deployment).into_iter().partition(|pod| self.is_new(pod));
        let staying: Vec<&Arc<Value>> = new.iter().filter(|pod| !is_leaving(pod)).collect();
        let recreates = text(self.deployment, "/spec/strategy/type") == "Recreate";
        if recreates || owned::count(&new, owned::is_ready) >= self.replicas {
            old.iter().for_each(|pod| owned::delete(self.cluster, pod));
        }
        staying.iter().skip(self.replicas).for_each(|pod| owned::delete(self.cluster, pod));
        if !recreates || old.is_empty() {
            (staying.len()..self.replicas).for_each(|_| self.create());
        }
    }

    fn create(&self) {
        let mut pod = owned::pod_from(owned::template_of(self.deployment), self.deployment);
        set(&mut pod, "/metadata/name", format!("{}-{}-{}", name(self.deployment), self.hash, suffix()));
        owned::label(&mut pod, HASH, &self.hash);
        owned::create(self.cluster, self.deployment, "pods", pod);
    }

    fn report(&self) {
        let mut pods = owned::pods_of(self.cluster, self.deployment);
        pods.retain(|pod| !is_leaving(pod));
        let updated = owned::count(&pods, |pod| self.is_new(pod));
        let ready = owned::count(&pods, owned::is_ready);
        let is_available = ready >= self.replicas;
        let is_complete = is_available && updated == self.replicas && pods.len() == updated;
        self.cluster.store.edit(&Key::of("deployments.apps", self.deployment), |deployment| {
            if uid(deployment) != uid(self.deployment) {
                return;
            }
            let counts = [
                ("replicas", pods.len()),
                ("updatedReplicas", updated),
                ("readyReplicas", ready),
                ("availableReplicas", ready),
                ("unavailableReplicas", self.replicas.saturating_sub(ready)),
            ];
            counts.into_iter().for_each(|(field, count)| set(deployment, &format!("/status/{field}"), count));
            set(deployment, "/status/observedGeneration", number(self.deployment, "/metadata/generation"));
            let available = if is_available {
                ("True", "MinimumReplicasAvailable")
            } else {
                ("False", "MinimumReplicasUnavailable")
            };
            set_condition(deployment, condition("Available", available));
            let progress = progress(deployment, is_complete);
            set_condition(deployment, condition("Progressing", progress));
        });
    }
}

fn condition(kind: &str, (status, reason): (&str, &str)) -> Value {
    json!({"type": kind, "status": status, "reason": reason, "message": ""})
}

/// <https://kubernetes.io/docs/concepts/workloads/controllers/deployment/#deployment-status>
fn progress(deployment: &Value, is_complete: bool) -> (&'static str, &'static str) {
    let available = crate::json::condition(deployment, "Available");
    let since = available.map_or(0, |condition| seconds_since(text(condition, "/lastTransitionTime")));
    let deadline = number(deployment, "/spec/progressDeadlineSeconds").unwrap_or(600);
    match (is_complete, since > deadline) {
        (true, _) => ("True", "NewReplicaSetAvailable"),
        (false, false) => ("True", "ReplicaSetUpdated"),
        (false, true) => ("False", "ProgressDeadlineExceeded"),
    }
}
