//! Stateful sets, deployments, volumes, disruption budgets and hosts.

use std::collections::BTreeSet;

use pocket_cluster::Fault;
use serde_json::json;

use crate::support::{Story, begin, begin_with, options, stateful_set, wait};

const VOLUME: &str = "volumeClaimTemplates:
- metadata: {name: data}
  spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Mi}}}
";
const ON_DELETE: &str = "updateStrategy: {type: OnDelete}\n";

/// The same set with an annotation on its pods, which is another template.
fn changed(set: &str) -> String {
    set.replace("    metadata: {labels", "    metadata: {annotations: {changed: 'yes'}, labels")
}

fn revision(story: &Story, pod: &str) -> String {
    story.field(&format!("pod/{pod}"), ".metadata.labels.controller-revision-hash")
}

#[test]
fn a_set_has_pods_from_zero_on_and_loses_the_highest_first() {
    let story = begin();
    story.apply(&stateful_set("set", 3, ""));
    story.until("sts/set", ".status.readyReplicas", "3");
    assert_eq!(story.names("pods"), ["set-0", "set-1", "set-2"]);
    story.kubectl("scale sts/set --replicas=1");
    story.until_gone("pod/set-1");
    assert_eq!(story.names("pods"), ["set-0"]);
    assert_eq!(story.field("pod/set-0", ".metadata.labels.apps\\.kubernetes\\.io/pod-index"), "0");
}

#[test]
fn a_deleted_pod_comes_back_under_its_name_as_another_pod() {
    let story = begin();
    story.apply(&stateful_set("set", 1, ""));
    story.ready("set-0");
    let (uid, address) = (story.field("pod/set-0", ".metadata.uid"), story.field("pod/set-0", ".status.podIP"));
    story.kubectl("delete pod set-0");
    story.ready("set-0");
    assert_ne!(story.field("pod/set-0", ".metadata.uid"), uid);
    assert_ne!(story.field("pod/set-0", ".status.podIP"), address);
}

#[test]
fn a_quota_holds_back_pods_until_there_is_room() {
    let story = begin();
    let quota = |pods: &str| {
        let hard = json!({"hard": {"pods": pods}});
        json!({"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "few"}, "spec": hard}).to_string()
    };
    story.apply(&quota("2"));
    story.apply(&stateful_set("set", 3, ""));
    story.until("sts/set", ".status.readyReplicas", "2");
    wait("an event that says so", || {
        let events = story.kubectl("get events");
        let wanted = "exceeded quota: few, requested: pods=1, used: pods=2, limited: pods=2";
        if events.contains(wanted) { Ok(()) } else { Err(events) }
    });
    assert_eq!(story.names("pods"), ["set-0", "set-1"]);
    story.apply(&quota("3"));
    story.ready("set-2");
}

#[test]
fn in_an_ordered_set_each_pod_waits_for_the_one_before_it() {
    let story = begin();
    let probe = "        readinessProbe: {exec: {command: [test, -e, /tmp/go]}, periodSeconds: 1}\n";
    let set = stateful_set("set", 2, "").replace("Parallel", "OrderedReady") + probe;
    story.apply(&set);
    story.until("pod/set-0", ".status.phase", "Running");
    std::thread::sleep(std::time::Duration::from_millis(500));
    assert_eq!(story.names("pods"), ["set-0"]);
    story.sh("set-0", "touch /tmp/go");
    story.until("pod/set-1", ".status.phase", "Running");
}

#[test]
fn with_on_delete_a_pod_takes_the_new_template_when_somebody_deletes_it() {
    let story = begin();
    let set = stateful_set("set", 2, ON_DELETE);
    story.apply(&set);
    story.until("sts/set", ".status.readyReplicas", "2");
    let first = story.field("sts/set", ".status.currentRevision");
    story.apply(&changed(&set));
    story.until("sts/set", ".status.observedGeneration", "2");
    let second = story.field("sts/set", ".status.updateRevision");
    assert_ne!(first, second);
    assert_eq!(story.field("sts/set", ".status.updatedReplicas"), "0");
    assert_eq!([revision(&story, "set-0"), revision(&story, "set-1")], [first.clone(), first.clone()]);
    story.kubectl("delete pod set-0");
    story.until("sts/set", ".status.readyReplicas", "2");
    assert_eq!([revision(&story, "set-0"), revision(&story, "set-1")], [second.clone(), first.clone()]);
    story.kubectl("delete pod set-1");
    story.until("sts/set", ".status.updatedReplicas", "2");
    // As in Kubernetes, only a rolling update moves the current revision.
    assert_eq!(story.field("sts/set", ".status.currentRevision"), first);
    story.apply(&set);
    story.until("sts/set", ".status.updateRevision", &first);
}

#[test]
fn a_rolling_update_goes_from_the_highest_pod_to_the_lowest_and_then_completes() {
    let story = begin();
    let set = stateful_set("set", 2, "updateStrategy: {type: RollingUpdate, rollingUpdate: {partition: 1}}\n");
    story.apply(&set);
    story.until("sts/set", ".status.readyReplicas", "2");
    let first = revision(&story, "set-0");
    let set = changed(&set);
    story.apply(&set);
    wait("the upper pod on the new template", || {
        if revision(&story, "set-1") == first { Err(first.clone()) } else { Ok(()) }
    });
    story.ready("set-1");
    story.kubectl("delete pod set-0");
    story.ready("set-0");
    assert_eq!(revision(&story, "set-0"), first, "a pod below the partition comes back as it was");
    story.apply(&set.replace("partition: 1", "partition: 0"));
    let second = story.field("sts/set", ".status.updateRevision");
    story.until("sts/set", ".status.currentRevision", &second);
    assert_eq!(revision(&story, "set-0"), second);
}

#[test]
fn what_a_set_may_not_change_is_refused() {
    let story = begin();
    story.apply(&stateful_set("set", 1, VOLUME));
    let refused = story.refused_with(&["apply", "-f", "-"], &stateful_set("set", 1, &VOLUME.replace("1Mi", "2Mi")));
    assert!(refused.contains("updates to statefulset spec for fields other than 'replicas'"), "{refused}");
}

#[test]
fn data_outlive_pods_and_a_scaled_in_set_keeps_its_claims() {
    let story = begin();
    story.apply(&mounted(&stateful_set("set", 1, VOLUME)));
    story.ready("set-0");
    story.sh("set-0", "echo kept >/data/file");
    story.kubectl("scale sts/set --replicas=0");
    story.until_gone("pod/set-0");
    assert_eq!(story.names("pvc"), ["data-set-0"]);
    story.kubectl("scale sts/set --replicas=1");
    story.ready("set-0");
    assert_eq!(story.sh("set-0", "cat /data/file"), "kept");
    story.kubectl("delete sts set");
    story.until_gone("pod/set-0");
    assert_eq!(story.names("pvc"), ["data-set-0"]);
}

/// The set with its volume at `/data`.
fn mounted(set: &str) -> String {
    set.replace(
        "        image: busybox\n",
        "        image: busybox\n        volumeMounts: [{name: data, mountPath: /data}]\n",
    )
}

#[test]
fn claims_go_with_their_pods_or_their_set_where_the_set_says_so() {
    let story = begin();
    let policy = format!("persistentVolumeClaimRetentionPolicy: {{whenScaled: Delete, whenDeleted: Delete}}\n{VOLUME}");
    story.apply(&mounted(&stateful_set("set", 2, &policy)));
    story.until("sts/set", ".status.readyReplicas", "2");
    story.kubectl("scale sts/set --replicas=1");
    story.until_gone("pvc/data-set-1");
    assert_eq!(story.names("pvc"), ["data-set-0"]);
    story.kubectl("delete sts set");
    story.until_gone("pvc/data-set-0");
}

#[test]
fn a_claim_in_use_waits_for_its_pod_which_comes_back_on_an_empty_volume() {
    let story = begin();
    story.apply(&mounted(&stateful_set("set", 1, VOLUME)));
    story.ready("set-0");
    story.sh("set-0", "echo lost >/data/file");
    let uid = story.field("pvc/data-set-0", ".metadata.uid");
    story.kubectl("delete pvc data-set-0 --wait=false");
    assert_eq!(story.field("pvc/data-set-0", ".metadata.uid"), uid);
    story.kubectl("delete pod set-0");
    story.ready("set-0");
    assert_ne!(story.field("pvc/data-set-0", ".metadata.uid"), uid);
    assert_eq!(story.sh("set-0", "ls /data"), "");
}

#[test]
fn a_claim_grows_never_shrinks_and_is_full_when_it_is_full() {
    let story = begin();
    story.apply(&mounted(&stateful_set("set", 1, VOLUME)));
    story.ready("set-0");
    let fill = "dd if=/dev/zero of=/data/zeros bs=1k count=1500 2>&1 | grep -c 'No space left'";
    assert_eq!(story.sh("set-0", fill), "1");
    let size = |size: &str| format!(r#"{{"spec":{{"resources":{{"requests":{{"storage":"{size}"}}}}}}}}"#);
    story.kubectl_with(&["patch", "pvc", "data-set-0", "-p", &size("4Mi")], "");
    story.until("pvc/data-set-0", ".status.capacity.storage", "4Mi");
    assert_eq!(story.sh("set-0", fill), "0");
    let refused = story.refused_with(&["patch", "pvc", "data-set-0", "-p", &size("2Mi")], "");
    assert!(refused.contains("field can not be less than previous value"), "{refused}");
}

#[test]
fn a_lost_volume_is_empty_for_the_processes_that_come_after() {
    let story = begin();
    story.apply(&mounted(&stateful_set("set", 1, VOLUME)));
    story.ready("set-0");
    story.sh("set-0", "echo lost >/data/file");
    story.pocket.inject(&Fault::LoseVolume { claim: "data-set-0".into() }).unwrap();
    story.until("pod/set-0", ".status.containerStatuses[0].restartCount", "1");
    wait("an empty volume", || match story.pocket.exec("set-0", &["ls", "/data"]) {
        Ok(said) if said.stdout.is_empty() && said.code == 0 => Ok(()),
        other => Err(format!("{other:?}")),
    });
}

const DEPLOYMENT: &str = "apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 1
  strategy: {type: Recreate}
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      terminationGracePeriodSeconds: 1
      containers: [{name: main, image: busybox, command: [sh, -c, 'sleep 1000']}]
";

#[test]
fn a_deployment_is_available_when_its_pods_are_ready() {
    let story = begin();
    let unready = DEPLOYMENT.replace("command:", "readinessProbe: {exec: {command: ['false']}}, command:");
    story.apply(&unready);
    story.until("deploy/web", ".status.updatedReplicas", "1");
    assert_eq!(story.field("deploy/web", ".status.conditions[?(@.type=='Available')].status"), "False");
    story.apply(DEPLOYMENT);
    story.kubectl("rollout status deploy/web --timeout=30s");
    assert_eq!(story.field("deploy/web", ".status.conditions[?(@.type=='Available')].status"), "True");
}

#[test]
fn recreate_never_has_two_pods_and_rolling_never_has_none() {
    for (strategy, at_most, at_least) in [("Recreate", 1, 0), ("RollingUpdate", 2, 1)] {
        let story = begin();
        let deployment = DEPLOYMENT.replace("Recreate", strategy);
        story.apply(&deployment);
        story.kubectl("rollout status deploy/web --timeout=30s");
        let old = story.names("pods")[0].clone();
        story.apply(&deployment.replace("sleep 1000", "sleep 2000"));
        wait("the old pod to go", || {
            let pods = story.names("pods");
            assert!((at_least..=at_most).contains(&pods.len()), "{strategy}: {pods:?}");
            if pods.contains(&old) || pods.is_empty() { Err(format!("{pods:?}")) } else { Ok(()) }
        });
        story.kubectl("rollout status deploy/web --timeout=30s");
    }
}

#[test]
fn a_rolling_update_that_does_not_become_ready_ends_no_old_pod() {
    let story = begin();
    let deployment = DEPLOYMENT.replace("Recreate", "RollingUpdate");
    story.apply(&deployment);
    story.kubectl("rollout status deploy/web --timeout=30s");
    let old = format!("pod/{}", story.names("pods")[0]);
    story.apply(&deployment.replace("command:", "readinessProbe: {exec: {command: ['false']}}, command:"));
    story.until("deploy/web", ".status.updatedReplicas", "1");
    std::thread::sleep(std::time::Duration::from_secs(1));
    assert_eq!(story.field(&old, ".metadata.deletionTimestamp"), "");
    assert_eq!(story.field("deploy/web", ".status.readyReplicas"), "1");
}

#[test]
fn what_a_deleted_owner_owned_goes_unless_it_is_orphaned_and_then_a_new_one_takes_it() {
    let story = begin();
    story.apply(DEPLOYMENT);
    story.kubectl("rollout status deploy/web --timeout=30s");
    let pod = story.names("pods")[0].clone();
    story.kubectl("delete deploy web");
    story.until_gone(&format!("pod/{pod}"));
    story.apply(&stateful_set("set", 1, ""));
    story.ready("set-0");
    let uid = story.field("pod/set-0", ".metadata.uid");
    story.kubectl("delete sts set --cascade=orphan");
    std::thread::sleep(std::time::Duration::from_millis(300));
    assert_eq!(story.field("pod/set-0", ".metadata.uid"), uid);
    story.apply(&stateful_set("set", 1, ""));
    let set = story.field("sts/set", ".metadata.uid");
    story.until("pod/set-0", ".metadata.ownerReferences[0].uid", &set);
    assert_eq!(story.field("pod/set-0", ".metadata.uid"), uid);
}

const BUDGET: &str = "apiVersion: policy/v1\nkind: PodDisruptionBudget\nmetadata: {name: set}\nspec: {maxUnavailable: 1, selector: {matchLabels: {app: set}}}\n";

fn evict(story: &Story, pod: &str) -> Result<(), String> {
    let body =
        json!({"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": pod, "namespace": "default"}})
            .to_string();
    let path = format!("/api/v1/namespaces/default/pods/{pod}/eviction");
    story.attempt(&["create", "--raw", &path, "-f", "-"], &body).map(drop)
}

#[test]
fn an_eviction_asks_the_budget() {
    let story = begin();
    story.apply(&format!(
        "{}---\n{BUDGET}",
        stateful_set("set", 3, "").replace("sleep 1000", "trap : TERM; sleep 1000 & wait; wait")
    ));
    story.until("pdb/set", ".status.currentHealthy", "3");
    assert_eq!(story.field("pdb/set", ".status.disruptionsAllowed"), "1");
    evict(&story, "set-0").unwrap();
    let refused = evict(&story, "set-1").unwrap_err();
    assert!(refused.contains("Cannot evict pod as it would violate the pod's disruption budget."), "{refused}");
    story.until("pdb/set", ".status.currentHealthy", "3");
    evict(&story, "set-1").unwrap();
    story.until("pdb/set", ".status.currentHealthy", "3");
    story.apply(&BUDGET.replace("name: set}", "name: second}"));
    assert!(evict(&story, "set-2").unwrap_err().contains("more than one PodDisruptionBudget"));
}

#[test]
fn a_drain_empties_a_host_and_its_pods_come_back_elsewhere() {
    let story = begin();
    story.apply(&format!("{}---\n{BUDGET}", stateful_set("set", 6, "")));
    story.until("sts/set", ".status.readyReplicas", "6");
    let host = story.field("pod/set-0", ".spec.nodeName");
    story.kubectl(&format!("drain {host} --timeout=60s"));
    story.until("sts/set", ".status.readyReplicas", "6");
    assert!(!story.kubectl("get pods -o jsonpath={.items[*].spec.nodeName}").contains(&host));
    assert!(story.kubectl(&format!("get node {host}")).contains("SchedulingDisabled"));
    story.kubectl(&format!("uncordon {host}"));
}

const SPREAD: &str = "        command: [sh, -c, 'sleep 1000']\n      topologySpreadConstraints:\n      - {topologyKey: topology.kubernetes.io/zone, \
                      maxSkew: 1, whenUnsatisfiable: DoNotSchedule, labelSelector: {matchLabels: {app: set}}}\n      - {topologyKey: \
                      kubernetes.io/hostname, maxSkew: 1, whenUnsatisfiable: DoNotSchedule, labelSelector: {matchLabels: {app: set}}}\n";

#[test]
fn pods_are_spread_over_zones_and_hosts_and_know_their_zone() {
    let story = begin();
    story.apply(&stateful_set("set", 6, "").replace("        command: [sh, -c, 'sleep 1000']\n", SPREAD));
    story.until("sts/set", ".status.readyReplicas", "6");
    let words = |path: &str| -> Vec<String> {
        let said = story.kubectl(&format!("get pods -o jsonpath={{.items[*]{path}}}"));
        said.split_whitespace().map(str::to_owned).collect()
    };
    assert_eq!(words(".spec.nodeName").into_iter().collect::<BTreeSet<_>>().len(), 6);
    let zones = words(".metadata.labels.topology\\.kubernetes\\.io/zone");
    assert_eq!(
        ["zone-a", "zone-b", "zone-c"].map(|zone| zones.iter().filter(|found| *found == zone).count()),
        [2, 2, 2]
    );
}

#[test]
fn a_pod_that_would_be_too_uneven_waits_and_says_why() {
    let story = begin_with(&options().with_hosts(2, 2));
    story.apply(&stateful_set("set", 2, "").replace("        command: [sh, -c, 'sleep 1000']\n", SPREAD));
    story.until("sts/set", ".status.readyReplicas", "2");
    story.kubectl("cordon host-0");
    story.kubectl("scale sts/set --replicas=4");
    story.until("pod/set-2", ".spec.nodeName", "host-1");
    story.until("pod/set-3", ".status.conditions[?(@.type=='PodScheduled')].reason", "Unschedulable");
    assert!(story.kubectl("get events").contains("topology spread constraints"));
    story.kubectl("uncordon host-0");
    story.ready("set-3");
}

#[test]
fn a_pod_goes_only_where_its_selector_and_its_tolerations_let_it() {
    let story = begin();
    story.kubectl("label node host-4 disk=fast");
    story.kubectl("taint node host-4 only=some:NoSchedule");
    let set = stateful_set("set", 1, "");
    story.apply(&set.replace("      containers:\n", "      nodeSelector: {disk: fast}\n      containers:\n"));
    story.until("pod/set-0", ".status.conditions[?(@.type=='PodScheduled')].status", "False");
    story.kubectl("delete sts set");
    story.until_gone("pod/set-0");
    let tolerant =
        "      nodeSelector: {disk: fast}\n      tolerations: [{key: only, operator: Exists}]\n      containers:\n";
    story.apply(&set.replace("      containers:\n", tolerant));
    story.until("pod/set-0", ".spec.nodeName", "host-4");
}

#[test]
fn what_is_refused_is_tried_again_without_haste_until_it_passes() {
    let story = begin();
    let set = stateful_set("set", 1, "");
    story.apply(&set.replace("      containers:\n", "      serviceAccountName: late\n      containers:\n"));
    let count = || story.kubectl("get events -o jsonpath={.items[?(@.reason=='FailedCreate')].count}");
    wait("an event", || if count().is_empty() { Err(String::new()) } else { Ok(()) });
    std::thread::sleep(std::time::Duration::from_secs(2));
    assert!(count().parse::<u32>().unwrap() <= 6, "{}", count());
    story.apply("apiVersion: v1\nkind: ServiceAccount\nmetadata: {name: late}\n");
    story.ready("set-0");
}
