//! What Kubernetes says of a pod, as far as it matters.

use std::net::IpAddr;
use std::sync::Arc;

use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::core::v1::{Container, ContainerState, ContainerStatus, PersistentVolumeClaim, Pod};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time as KubeTime;
use planner::{Labels, Ordinal, Place, RoleLabel, Template, Time};
use spec::names;

/// The label of a pod that Kubernetes copies from its host.
const ZONE_LABEL: &str = "topology.kubernetes.io/zone";
/// The label that tells from which version of the template a pod was made.
const REVISION_LABEL: &str = "controller-revision-hash";

/// What Kubernetes says of a pod.
#[derive(Debug, Clone)]
pub struct PodFacts {
    /// The number of the pod.
    pub ordinal: Ordinal,
    /// What the planner looks at, but for what its server says.
    pub pod: planner::Pod,
    /// Whether its server's process runs.
    pub runs: bool,
}

/// What Kubernetes says of the pod of this number; none if it is no pod of its `StatefulSet`.
#[must_use]
pub(super) fn facts(
    ordinal: Ordinal,
    set: &StatefulSet,
    pod: &Pod,
    claim: Option<&PersistentVolumeClaim>,
) -> Option<PodFacts> {
    let owner = pod.metadata.owner_references.as_ref()?.iter().find(|owner| owner.controller == Some(true))?;
    if Some(&owner.uid) != set.metadata.uid.as_ref() {
        return None;
    }
    let seen = planner::Pod {
        uid: Arc::from(pod.metadata.uid.as_deref()?),
        template: template(set, pod),
        place: place(pod),
        address: pod.status.as_ref().and_then(|status| status.pod_ip.as_deref()?.parse::<IpAddr>().ok()),
        unready: unready(pod),
        answered: Time::default(),
        terminating: pod.metadata.deletion_timestamp.is_some(),
        labels: labels(pod),
        volume: claim.and_then(claimed),
        memory_limit: pod.spec.as_ref().and_then(|spec| memory_limit(spec.containers.iter())),
        sight: planner::Sight::Down,
    };
    Some(PodFacts { ordinal, pod: seen, runs: runs(pod) })
}

/// The number of the pod of this name.
#[must_use]
pub fn ordinal(cluster: &str, pod: &str) -> Option<Ordinal> {
    let digits = pod.strip_prefix(cluster)?.strip_prefix('-')?;
    let number = digits.parse().ok().map(Ordinal)?;
    (number.0.to_string() == digits).then_some(number)
}

/// Whether its server's process runs, as far as Kubernetes knows.
#[must_use]
pub fn runs(pod: &Pod) -> bool {
    server_state(pod).is_some_and(|state| state.running.is_some())
}

fn server_state(pod: &Pod) -> Option<&ContainerState> {
    server_status(pod)?.state.as_ref()
}

fn server_status(pod: &Pod) -> Option<&ContainerStatus> {
    let containers = pod.status.as_ref()?.container_statuses.as_ref()?;
    containers.iter().find(|container| container.name == names::SERVER_CONTAINER)
}

/// Before the controller has seen the latest template, nobody can tell; then it counts as current.
fn template(set: &StatefulSet, pod: &Pod) -> Template {
    let latest = set.status.as_ref().and_then(|status| status.update_revision.as_deref());
    let own = pod.metadata.labels.as_ref().and_then(|labels| labels.get(REVISION_LABEL)).map(String::as_str);
    match (latest, own) {
        (Some(latest), Some(own)) if latest != own => Template::Old,
        _ => Template::Current,
    }
}

fn place(pod: &Pod) -> Place {
    let host = pod.spec.as_ref().and_then(|spec| spec.node_name.as_deref()).map(Arc::from);
    let zone =
        pod.metadata.labels.as_ref().and_then(|labels| labels.get(ZONE_LABEL)).map(|zone| Arc::from(zone.as_str()));
    Place { host, zone }
}

/// Before it is bound to a host, nobody writes whether it is ready.
fn unready(pod: &Pod) -> Option<Time> {
    let conditions = pod.status.iter().flat_map(|status| status.conditions.iter().flatten());
    let ready = conditions.clone().find(|condition| condition.type_ == "Ready");
    let since = ready.map_or(pod.metadata.creation_timestamp.as_ref(), |ready| ready.last_transition_time.as_ref());
    let is_ready = ready.is_some_and(|ready| ready.status == "True");
    (!is_ready).then(|| since.map_or(Time::default(), moment))
}

pub(super) fn moment(time: &KubeTime) -> Time {
    Time(u64::try_from(time.0.as_millisecond()).unwrap_or_default())
}

fn labels(pod: &Pod) -> Labels {
    let label = |name: &str| pod.metadata.labels.as_ref().and_then(|labels| labels.get(name)).map(String::as_str);
    let role = match label(names::ROLE_LABEL) {
        Some(names::PRIMARY) => Some(RoleLabel::Primary),
        Some(names::REPLICA) => Some(RoleLabel::Replica),
        Some(_) | None => None,
    };
    Labels { role, shard: label(names::SHARD_LABEL).and_then(|shard| shard.parse().ok()) }
}

fn claimed(claim: &PersistentVolumeClaim) -> Option<u64> {
    let requests = claim.spec.as_ref()?.resources.as_ref()?.requests.as_ref()?;
    requests.get("storage").and_then(bytes)
}

fn memory_limit<'a>(mut containers: impl Iterator<Item = &'a Container>) -> Option<u64> {
    let server = containers.find(|container| container.name == names::SERVER_CONTAINER)?;
    server.resources.as_ref()?.limits.as_ref()?.get("memory").and_then(bytes)
}

fn bytes(quantity: &Quantity) -> Option<u64> {
    quantity.0.parse().ok().map(spec::Quantity::rounded_up)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn set() -> StatefulSet {
        let set = json!({"metadata": {"name": "a", "uid": "set"}, "status": {"replicas": 1, "updateRevision": "new"},
            "spec": {"selector": {}, "serviceName": "a", "template": {}}});
        serde_json::from_value(set).unwrap()
    }

    fn pod(revision: &str, owner: &str, state: &serde_json::Value) -> Pod {
        let pod = json!({
            "metadata": {"name": "a-3", "uid": "pod", "creationTimestamp": "2026-01-01T00:00:00Z",
                "labels": {REVISION_LABEL: revision, ZONE_LABEL: "z", names::ROLE_LABEL: "primary", names::SHARD_LABEL: "2"},
                "ownerReferences": [{"apiVersion": "apps/v1", "kind": "StatefulSet", "name": "a", "uid": owner, "controller": true}]},
            "spec": {"nodeName": "h", "containers": [{"name": "valkey", "resources": {"limits": {"memory": "1Gi"}}}]},
            "status": {"podIP": "10.0.0.3", "containerStatuses": [{"name": "valkey", "image": "", "imageID": "", "ready": true,
                "restartCount": 0, "state": state}]},
        });
        serde_json::from_value(pod).unwrap()
    }

    #[test]
    fn a_pod_is_known_by_what_kubernetes_says_of_it() {
        let running = json!({"running": {"startedAt": "2026-01-01T00:01:00Z"}});
        let facts = facts(Ordinal(3), &set(), &pod("new", "set", &running), None).unwrap();
        assert!(facts.runs);
        assert_eq!(facts.pod.template, Template::Current);
        assert_eq!(facts.pod.labels, Labels { role: Some(RoleLabel::Primary), shard: Some(2) });
        assert_eq!((facts.pod.memory_limit, facts.pod.address), (Some(1 << 30), "10.0.0.3".parse().ok()));
        assert_eq!((facts.pod.place.host.as_deref(), facts.pod.place.zone.as_deref()), (Some("h"), Some("z")));
        assert_eq!(facts.pod.unready, Some(Time(1_767_225_600_000)));
    }

    #[test]
    fn a_pod_of_another_set_or_template_or_that_does_not_run_is_told_apart() {
        let waiting = json!({"waiting": {"reason": "CrashLoopBackOff"}});
        assert!(facts(Ordinal(3), &set(), &pod("new", "another", &waiting), None).is_none());
        let old = facts(Ordinal(3), &set(), &pod("old", "set", &waiting), None).unwrap();
        assert_eq!((old.runs, old.pod.template), (false, Template::Old));
    }

    #[test]
    fn a_pod_is_unready_since_its_condition_says_so_however_often_it_started_since() {
        let mut pod = pod("new", "set", &json!({"running": {"startedAt": "2026-01-01T00:09:00Z"}}));
        let unready = |status: &str, pod: &mut Pod| {
            let ready = json!([{"type": "Ready", "status": status, "lastTransitionTime": "2026-01-01T00:01:00Z"}]);
            pod.status.as_mut().unwrap().conditions = serde_json::from_value(ready).unwrap();
            facts(Ordinal(3), &set(), pod, None).unwrap().pod.unready
        };
        assert_eq!(unready("False", &mut pod), Some(Time(1_767_225_660_000)));
        assert_eq!(unready("True", &mut pod), None);
    }

    #[test]
    fn only_a_plain_number_is_an_ordinal() {
        assert_eq!(ordinal("a", "a-12"), Some(Ordinal(12)));
        for name in ["a", "a-", "a-01", "a-1x", "b-1", "a-agent-1"] {
            assert_eq!(ordinal("a", name), None, "{name}");
        }
    }
}
