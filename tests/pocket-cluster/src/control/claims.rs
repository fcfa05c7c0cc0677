//! Volumes: every claim is bound at once, grows when it is asked to, and is a file system of its own, as big as the claim.
//!
//! <https://kubernetes.io/docs/concepts/storage/persistent-volumes/>

use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::{Value, json};

use crate::cluster::Cluster;
use crate::json::{is_leaving, items, namespace, set, text, uid};
use crate::store::Key;

/// Keeps a claim while a pod uses it.
/// <https://kubernetes.io/docs/concepts/storage/persistent-volumes/#storage-object-in-use-protection>
const PROTECTION: &str = "kubernetes.io/pvc-protection";

pub(super) fn reconcile(cluster: &Cluster) {
    let claims = cluster.store.all("persistentvolumeclaims");
    let pods = cluster.store.all("pods");
    for claim in &claims {
        let key = Key::of("persistentvolumeclaims", claim);
        if is_leaving(claim) {
            if !is_used(claim, &pods) {
                cluster.store.edit(&key, unprotect);
            }
        } else {
            bind(cluster, &key, claim);
        }
    }
    let kept: BTreeSet<&str> = claims.iter().map(|claim| uid(claim)).collect();
    cluster.places.forget_claims(&kept);
}

fn bind(cluster: &Cluster, key: &Key, claim: &Value) {
    let wanted = text(claim, "/spec/resources/requests/storage");
    if text(claim, "/status/capacity/storage") == wanted && text(claim, "/status/phase") == "Bound" {
        return;
    }
    // A volume that could not grow is tried again at the next look.
    if cluster.places.resize_claim(uid(claim), wanted).is_err() {
        return;
    }
    cluster.store.edit(key, |claim| {
        set(claim, "/status/phase", "Bound");
        set(claim, "/status/capacity/storage", wanted);
        set(claim, "/status/accessModes", items(claim, "/spec/accessModes").to_vec());
        let volume = format!("pvc-{}", uid(claim));
        set(claim, "/spec/volumeName", volume);
        if !items(claim, "/metadata/finalizers").iter().any(|finalizer| finalizer == PROTECTION) {
            set(claim, "/metadata/finalizers", json!([PROTECTION]));
        }
    });
}

fn unprotect(claim: &mut Value) {
    let mut finalizers = items(claim, "/metadata/finalizers").to_vec();
    finalizers.retain(|finalizer| finalizer != PROTECTION);
    set(claim, "/metadata/finalizers", finalizers);
}

fn is_used(claim: &Value, pods: &[Arc<Value>]) -> bool {
    pods.iter().filter(|pod| namespace(pod) == namespace(claim)).any(|pod| {
        let volumes = items(pod, "/spec/volumes").iter();
        volumes
            .map(|volume| text(volume, "/persistentVolumeClaim/claimName"))
            .any(|used| used == crate::json::name(claim))
    })
}
