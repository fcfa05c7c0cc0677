//! What every namespace has from its first moment: a service account, and the certificate of the API server's authority.
//!
//! <https://kubernetes.io/docs/tasks/configure-pod-container/configure-service-account/>

use serde_json::json;

use crate::cluster::Cluster;
use crate::json::{is_leaving, name};
use crate::store::Key;

pub(crate) fn create(cluster: &Cluster, name: &str) {
    let namespace = json!({
        "apiVersion": "v1", "kind": "Namespace", "status": {"phase": "Active"},
        "metadata": {"name": name, "labels": {"kubernetes.io/metadata.name": name}, "finalizers": ["kubernetes"]},
    });
    drop(cluster.store.create("namespaces", namespace));
    fill(cluster, name);
}

pub(super) fn reconcile(cluster: &Cluster) {
    for namespace in cluster.store.all("namespaces").iter().filter(|namespace| !is_leaving(namespace)) {
        fill(cluster, name(namespace));
    }
}

fn fill(cluster: &Cluster, namespace: &str) {
    if cluster.store.get(&Key::new("serviceaccounts", namespace, "default")).is_none() {
        let metadata = json!({"name": "default", "namespace": namespace});
        let account = json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata});
        drop(cluster.store.create("serviceaccounts", account));
    }
    if cluster.store.get(&Key::new("configmaps", namespace, "kube-root-ca.crt")).is_none() {
        let metadata = json!({"name": "kube-root-ca.crt", "namespace": namespace});
        let data = json!({"ca.crt": cluster.authority.certificate()});
        let config = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data});
        drop(cluster.store.create("configmaps", config));
    }
}
