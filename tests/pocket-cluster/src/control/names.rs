//! Names: instead of a DNS server, every container has a hosts file, which is kept up to date.
//!
//! <https://kubernetes.io/docs/concepts/services-networking/dns-pod-service/>

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;

use crate::api::LabelSelector;
use crate::cluster::Cluster;
use crate::json::{flag, is_leaving, is_true, name, namespace, text};
use crate::node::API_ADDRESS;

pub(super) fn reconcile(cluster: &Cluster) {
    let pods = cluster.store.all("pods");
    let services = cluster.store.all("services");
    for space in cluster.store.all("namespaces") {
        let mut lines = vec!["127.0.0.1 localhost".to_owned(), format!("{API_ADDRESS} kubernetes.default.svc")];
        lines.extend(services.iter().flat_map(|service| of_service(service, &pods, name(&space))));
        // A name that could not be written is written at the next look.
        drop(cluster.places.write_names(name(&space), &(lines.join("\n") + "\n")));
    }
}

/// The lines for a service: an address for its own name, and one for each pod that has a host name in it.
fn of_service(service: &Value, pods: &[Arc<Value>], seen_from: &str) -> Vec<String> {
    let selector = LabelSelector::of_map(service.pointer("/spec/selector").unwrap_or(&Value::Null));
    let shows_unready = flag(service, "/spec/publishNotReadyAddresses") == Some(true);
    let selected = pods.iter().filter(|pod| namespace(pod) == namespace(service) && selector.matches(pod));
    let shown: Vec<_> = selected
        .filter(|pod| shows_unready || (is_true(pod, "Ready") && !is_leaving(pod)))
        .filter(|pod| !text(pod, "/status/podIP").is_empty())
        .collect();
    let own = shown.iter().map(|pod| (text(pod, "/status/podIP"), name(service).to_owned()));
    let of_pods = shown.iter().filter(|pod| text(pod, "/spec/subdomain") == name(service)).map(|pod| {
        let host = text(pod, "/spec/hostname");
        (text(pod, "/status/podIP"), format!("{host}.{}", name(service)))
    });
    let mut by_address: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for (address, short) in own.chain(of_pods) {
        by_address.entry(address).or_default().extend(spellings(&short, namespace(service), seen_from));
    }
    by_address.into_iter().map(|(address, names)| format!("{address} {}", names.join(" "))).collect()
}

/// The name as it is, and as the search list of a pod in that namespace would find it.
fn spellings(short: &str, namespace: &str, seen_from: &str) -> Vec<String> {
    let inside = (namespace == seen_from).then(|| short.to_owned());
    let others = ["", ".svc", ".svc.cluster.local"].map(|end| format!("{short}.{namespace}{end}"));
    inside.into_iter().chain(others).collect()
}
