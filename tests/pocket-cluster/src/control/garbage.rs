//! What nobody owns any more goes: dependents of objects that are gone, and what stands in a namespace that is leaving.
//!
//! <https://kubernetes.io/docs/concepts/architecture/garbage-collection/>

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::api::delete_object;
use crate::cluster::Cluster;
use crate::json::{is_leaving, items, name, set, text, uid};
use crate::store::Key;

pub(super) fn reconcile(cluster: &Cluster) {
    let everything = cluster.store.everything();
    let alive: BTreeSet<&str> = everything.iter().map(|(_, object)| uid(object)).collect();
    let leaving: BTreeSet<&str> = everything
        .iter()
        .filter(|(key, object)| key.resource == "namespaces" && is_leaving(object))
        .map(|(_, namespace)| name(namespace))
        .collect();
    for (key, object) in &everything {
        let is_lost = is_orphan(object, &alive) || leaving.contains(key.namespace.as_str());
        if is_lost && !is_leaving(object) {
            // Not if it has changed since: it may have another owner by now.
            let seen = json!({"preconditions": {"resourceVersion": text(object, "/metadata/resourceVersion")}});
            drop(delete_object(&cluster.store, key, &seen));
        }
    }
    for namespace in leaving {
        if everything.iter().all(|(key, _)| key.namespace != namespace) {
            let key = Key::new("namespaces", "", namespace);
            cluster.store.edit(&key, |namespace| set(namespace, "/metadata/finalizers", json!([])));
        }
    }
}

fn is_orphan(object: &Value, alive: &BTreeSet<&str>) -> bool {
    let owners = items(object, "/metadata/ownerReferences");
    !owners.is_empty() && owners.iter().all(|owner| !alive.contains(text(owner, "/uid")))
}
