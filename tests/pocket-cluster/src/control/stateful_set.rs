//! Stateful sets: pods with numbers, claims of their own, and revisions.
//!
//! <https://kubernetes.io/docs/concepts/workloads/controllers/statefulset/>

use std::sync::Arc;

use serde_json::{Value, json};

use super::owned;
use crate::api::LabelSelector;
use crate::cluster::Cluster;
use crate::json::{controller, entry, is_leaving, items, name, namespace, number, set, text, uid};
use crate::random::hash_of;
use crate::store::Key;

const REVISION: &str = "controller-revision-hash";

pub(super) fn reconcile(cluster: &Cluster) {
    for set in cluster.store.all("statefulsets.apps") {
        if !is_leaving(&set) {
            adopt(cluster, &set);
            let turn = Turn::new(cluster, &set);
            turn.keep_revision();
            turn.keep_claims();
            turn.keep_pods();
            turn.report();
        }
    }
}

/// Pods of its name and with its labels that no controller owns become its own: those of one that was deleted without them.
/// <https://kubernetes.io/docs/tasks/run-application/delete-stateful-set/>
fn adopt(cluster: &Cluster, set: &Value) {
    let selector = LabelSelector::of(set.pointer("/spec/selector").unwrap_or(&Value::Null));
    for pod in cluster.store.in_namespace("pods", namespace(set)) {
        let is_named = name(&pod).rsplit_once('-').is_some_and(|(parent, _)| parent == name(set));
        if is_named && selector.matches(&pod) && controller(&pod).is_empty() && !is_leaving(&pod) {
            cluster.store.edit(&Key::of("pods", &pod), |pod| hand_to(pod, set));
        }
    }
}

fn hand_to(object: &mut Value, owner: &Value) {
    crate::json::set(object, "/metadata/ownerReferences", json!([owned::reference(owner)]));
}

/// One look at one set.
struct Turn<'a> {
    cluster: &'a Cluster,
    set: &'a Value,
    /// By ordinal.
    pods: Vec<(i64, Arc<Value>)>,
    replicas: i64,
    update_revision: String,
}

impl<'a> Turn<'a> {
    fn new(cluster: &'a Cluster, set: &'a Value) -> Self {
        let pods = owned::pods_of(cluster, set).into_iter();
        let mut pods: Vec<_> = pods.filter_map(|pod| Some((ordinal(name(&pod))?, pod))).collect();
        pods.sort_by_key(|(ordinal, _)| *ordinal);
        let replicas = number(set, "/spec/replicas").unwrap_or(1);
        let update_revision = format!("{}-{}", name(set), hash_of(&owned::template_of(set).to_string()));
        Self { cluster, set, pods, replicas, update_revision }
    }

    fn is_parallel(&self) -> bool {
        text(self.set, "/spec/podManagementPolicy") == "Parallel"
    }

    /// Under `OnDelete` it stays what it was at first: only a rolling update ever completes.
    fn current_revision(&self) -> &str {
        match text(self.set, "/status/currentRevision") {
            "" => &self.update_revision,
            current => current,
        }
    }

    fn pod(&self, ordinal: i64) -> Option<&Value> {
        self.pods.iter().find(|(found, _)| *found == ordinal).map(|(_, pod)| &**pod)
    }

    /// Every template that was ever asked for is kept as a `ControllerRevision`; the newest has the highest number.
    fn keep_revision(&self) {
        let revisions = self.cluster.store.in_namespace("controllerrevisions.apps", namespace(self.set));
        let own = revisions.iter().filter(|revision| controller(revision) == uid(self.set));
        let highest = own.max_by_key(|revision| number(revision, "/revision"));
        if highest.is_some_and(|revision| name(revision) == self.update_revision) {
            return;
        }
        let next = highest.and_then(|revision| number(revision, "/revision")).unwrap_or(0) + 1;
        let key = Key::new("controllerrevisions.apps", namespace(self.set), &self.update_revision);
        let renew = |revision: &mut Value| {
            set(revision, "/revision", next);
            hand_to(revision, self.set);
        };
        if self.cluster.store.edit(&key, renew).is_some() {
            return;
        }
        let revision = json!({
            "apiVersion": "apps/v1", "kind": "ControllerRevision",
            "metadata": {
                "name": self.update_revision, "namespace": namespace(self.set), "ownerReferences": [owned::reference(self.set)],
                "labels": owned::template_of(self.set).pointer("/metadata/labels"),
            },
            "data": {"spec": {"template": owned::template_of(self.set)}}, "revision": next,
        });
        owned::create(self.cluster, self.set, "controllerrevisions", revision);
    }

    /// <https://kubernetes.io/docs/concepts/workloads/controllers/statefulset/#persistentvolumeclaim-retention>
    fn keep_claims(&self) {
        let goes_with =
            |when| text(self.set, &format!("/spec/persistentVolumeClaimRetentionPolicy/{when}")) == "Delete";
        let owners = if goes_with("whenDeleted") { vec![owned::reference(self.set)] } else { Vec::new() };
        for claim in self.claims() {
            let key = Key::of("persistentvolumeclaims", &claim);
            self.cluster.store.edit(&key, |claim| {
                if items(claim, "/metadata/ownerReferences") != owners.as_slice() {
                    set(claim, "/metadata/ownerReferences", owners.clone());
                }
            });
            let is_over = ordinal(name(&claim)).is_some_and(|own| own >= self.replicas && self.pod(own).is_none());
            if goes_with("whenScaled") && is_over && !is_leaving(&claim) {
                drop(crate::api::delete_object(&self.cluster.store, &key, &json!({})));
            }
        }
    }

    fn claims(&self) -> Vec<Arc<Value>> {
        let prefixes: Vec<String> = items(self.set, "/spec/volumeClaimTemplates")
            .iter()
            .map(|template| format!("{}-{}-", name(template), name(self.set)))
            .collect();
        let mut claims = self.cluster.store.in_namespace("persistentvolumeclaims", namespace(self.set));
        claims.retain(|claim| {
            let rests = prefixes.iter().filter_map(|prefix| name(claim).strip_prefix(prefix));
            rests.into_iter().any(|rest| rest.parse::<i64>().is_ok())
        });
        claims
    }

    fn keep_pods(&self) {
        for ordinal in 0..self.replicas {
            let is_settled = match self.pod(ordinal) {
                None => {
                    self.create(ordinal);
                    false
                }
                Some(pod) => owned::is_ready(pod),
            };
            if !is_settled && !self.is_parallel() {
                return;
            }
        }
        if !self.scale_in() {
            self.roll();
        }
    }

    /// Whether pods are still leaving.
    fn scale_in(&self) -> bool {
        let mut over = self.pods.iter().rev().filter(|(ordinal, _)| *ordinal >= self.replicas).peekable();
        let is_some = over.peek().is_some();
        let at_once = if self.is_parallel() { usize::MAX } else { 1 };
        over.take(at_once).for_each(|(_, pod)| owned::delete(self.cluster, pod));
        is_some
    }

    /// The highest pod of an older revision restarts, once all those above it are ready.
    /// <https://kubernetes.io/docs/concepts/workloads/controllers/statefulset/#rolling-updates>
    fn roll(&self) {
        if text(self.set, "/spec/updateStrategy/type") != "RollingUpdate" {
            return;
        }
        let partition = number(self.set, "/spec/updateStrategy/rollingUpdate/partition").unwrap_or(0);
        for (_, pod) in self.pods.iter().rev().take_while(|(ordinal, _)| *ordinal >= partition) {
            if revision_of(pod) != self.update_revision {
                return owned::delete(self.cluster, pod);
            }
            if !owned::is_ready(pod) {
                return;
            }
        }
    }

    /// What a pod that is made now is made from. During a rolling update, a pod that is not its turn comes back as it was.
    fn revision_for(&self, ordinal: i64) -> (String, Value) {
        let newest = (self.update_revision.clone(), owned::template_of(self.set).clone());
        let partition = number(self.set, "/spec/updateStrategy/rollingUpdate/partition").unwrap_or(0);
        if text(self.set, "/spec/updateStrategy/type") != "RollingUpdate" || ordinal >= partition {
            return newest;
        }
        let current = self.current_revision();
        let key = Key::new("controllerrevisions.apps", namespace(self.set), current);
        let template =
            self.cluster.store.get(&key).and_then(|revision| revision.pointer("/data/spec/template").cloned());
        template.map_or(newest, |template| (current.to_owned(), template))
    }

    fn create(&self, ordinal: i64) {
        if !self.create_claims(ordinal) {
            return;
        }
        let own = format!("{}-{ordinal}", name(self.set));
        let (revision, template) = self.revision_for(ordinal);
        let mut pod = owned::pod_from(&template, self.set);
        set(&mut pod, "/metadata/name", own.clone());
        owned::label(&mut pod, "statefulset.kubernetes.io/pod-name", &own);
        owned::label(&mut pod, "apps.kubernetes.io/pod-index", &ordinal.to_string());
        owned::label(&mut pod, REVISION, &revision);
        set(&mut pod, "/spec/hostname", own);
        set(&mut pod, "/spec/subdomain", text(self.set, "/spec/serviceName"));
        let mut volumes = items(&pod, "/spec/volumes").to_vec();
        volumes.extend(items(self.set, "/spec/volumeClaimTemplates").iter().map(|template| {
            let claim = format!("{}-{}-{ordinal}", name(template), name(self.set));
            json!({"name": name(template), "persistentVolumeClaim": {"claimName": claim}})
        }));
        set(&mut pod, "/spec/volumes", volumes);
        owned::create(self.cluster, self.set, "pods", pod);
    }

    /// Whether all claims of a pod are there. One that is being deleted has to be gone first.
    fn create_claims(&self, ordinal: i64) -> bool {
        items(self.set, "/spec/volumeClaimTemplates").iter().all(|template| {
            let own = format!("{}-{}-{ordinal}", name(template), name(self.set));
            let key = Key::new("persistentvolumeclaims", namespace(self.set), &own);
            if let Some(claim) = self.cluster.store.get(&key) {
                return !is_leaving(&claim);
            }
            let mut claim = template.clone();
            set(&mut claim, "/apiVersion", "v1");
            set(&mut claim, "/kind", "PersistentVolumeClaim");
            set(&mut claim, "/metadata/name", own);
            set(&mut claim, "/metadata/namespace", namespace(self.set));
            let labels = self.set.pointer("/spec/selector/matchLabels").cloned();
            set(&mut claim, "/metadata/labels", labels.unwrap_or_else(|| json!({})));
            owned::create(self.cluster, self.set, "persistentvolumeclaims", claim)
        })
    }

    fn report(&self) {
        let pods: Vec<Arc<Value>> = owned::pods_of(self.cluster, self.set);
        let of = |revision: &str| {
            owned::count(&pods, |pod| !is_leaving(pod) && entry(pod, "/metadata/labels", REVISION) == revision)
        };
        let ready = owned::count(&pods, owned::is_ready);
        let updated = of(&self.update_revision);
        let is_rolling = text(self.set, "/spec/updateStrategy/type") == "RollingUpdate";
        let is_done = updated == pods.len() && ready == pods.len();
        let current = if is_rolling && is_done { &self.update_revision } else { self.current_revision() };
        let status = json!({
            "observedGeneration": number(self.set, "/metadata/generation"), "replicas": pods.len(),
            "readyReplicas": ready, "availableReplicas": ready, "currentReplicas": of(current), "updatedReplicas": updated,
            "currentRevision": current, "updateRevision": self.update_revision, "collisionCount": 0,
        });
        self.cluster.store.edit(&Key::of("statefulsets.apps", self.set), |set| {
            if uid(set) == uid(self.set) {
                crate::json::set(set, "/status", status);
            }
        });
    }
}

/// The number at the end of a name.
fn ordinal(name: &str) -> Option<i64> {
    name.rsplit_once('-')?.1.parse().ok()
}

fn revision_of(pod: &Value) -> &str {
    entry(pod, "/metadata/labels", REVISION)
}
