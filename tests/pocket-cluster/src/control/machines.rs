//! The hosts, spread over zones. All of them are this one process; a host that is down runs nothing and takes nothing.
//!
//! <https://kubernetes.io/docs/reference/node/node-status/>

use serde_json::json;

use crate::cluster::Cluster;
use crate::json::{is_leaving, is_true, items, name, now, set, set_condition, text};
use crate::store::Key;

pub(crate) fn create(cluster: &Cluster, hosts: usize, zones: usize) {
    for number in 0..hosts {
        let own = format!("host-{number}");
        let zone = format!("zone-{}", char::from(b'a' + u8::try_from(number % zones.max(1)).unwrap_or(0)));
        let node = json!({
            "apiVersion": "v1", "kind": "Node",
            "metadata": {"name": own, "labels": {
                "kubernetes.io/hostname": own, "kubernetes.io/os": "linux", "kubernetes.io/arch": "amd64",
                "topology.kubernetes.io/region": "pocket", "topology.kubernetes.io/zone": zone,
            }},
            "spec": {},
            "status": {
                "capacity": {"cpu": "64", "memory": "256Gi", "pods": "110"},
                "allocatable": {"cpu": "64", "memory": "256Gi", "pods": "110"},
                "addresses": [{"type": "InternalIP", "address": address(number)}, {"type": "Hostname", "address": own}],
                "nodeInfo": {
                    "kubeletVersion": "v1.36.0+pocket", "kubeProxyVersion": "", "osImage": "pocket", "operatingSystem": "linux",
                    "architecture": "amd64", "containerRuntimeVersion": "pocket://1", "kernelVersion": "", "machineID": own,
                    "systemUUID": own, "bootID": own,
                },
            },
        });
        drop(cluster.store.create("nodes", node));
    }
}

fn address(number: usize) -> String {
    format!("172.16.{}.{}", number / 250, number % 250 + 1)
}

pub(super) fn reconcile(cluster: &Cluster) {
    for node in cluster.store.all("nodes") {
        let is_down = cluster.faults.is_down(name(&node));
        let status = if is_down { ("Unknown", "NodeStatusUnknown") } else { ("True", "KubeletReady") };
        cluster.store.edit(&Key::of("nodes", &node), |node| {
            let (status, reason) = status;
            if crate::json::condition(node, "Ready").is_none_or(|found| text(found, "/status") != status) {
                set_condition(
                    node,
                    json!({
                        "type": "Ready", "status": status, "reason": reason, "message": "", "lastHeartbeatTime": now(),
                    }),
                );
            }
            // A cordon is a taint, too. <https://kubernetes.io/docs/concepts/architecture/nodes/#manual-node-administration>
            let is_cordoned = crate::json::flag(node, "/spec/unschedulable") == Some(true);
            let mut taints = items(node, "/spec/taints").to_vec();
            taints.retain(|taint| text(taint, "/key") != CORDON);
            if is_cordoned {
                taints.push(json!({"key": CORDON, "effect": "NoSchedule"}));
            }
            if taints.as_slice() != items(node, "/spec/taints") {
                set(node, "/spec/taints", taints);
            }
        });
        if is_down {
            mark_pods(cluster, name(&node));
        }
    }
}

const CORDON: &str = "node.kubernetes.io/unschedulable";

/// Nobody hears from a pod on a host that is down: it counts as not ready. Kubernetes waits 40 s before it says so.
fn mark_pods(cluster: &Cluster, host: &str) {
    for pod in cluster.store.all("pods") {
        if text(&pod, "/spec/nodeName") == host && is_true(&pod, "Ready") && !is_leaving(&pod) {
            cluster.store.edit(&Key::of("pods", &pod), |pod| {
                set_condition(
                    pod,
                    json!({"type": "Ready", "status": "False", "reason": "NodeNotReady", "message": ""}),
                );
            });
        }
    }
}
