//! Certificates of cert-manager: each is answered by a Secret with a leaf of the pocket's authority, whatever issuer it names.
//!
//! <https://cert-manager.io/docs/usage/certificate/>

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::cluster::Cluster;
use crate::json::{condition, entry, is_leaving, items, name, namespace, number, set, set_condition, text};
use crate::store::Key;

/// Where the Secret says what it was issued for.
const ISSUED_FOR: &str = "cert-manager.io/alt-names";
const REVISION: &str = "cert-manager.io/certificate-revision";

pub(super) fn reconcile(cluster: &Cluster) {
    for certificate in cluster.store.all("certificates.cert-manager.io") {
        if !is_leaving(&certificate) {
            keep(cluster, &certificate);
        }
    }
}

fn keep(cluster: &Cluster, certificate: &Value) {
    let names: Vec<&str> = items(certificate, "/spec/dnsNames").iter().filter_map(Value::as_str).collect();
    let key = Key::new("secrets", namespace(certificate), text(certificate, "/spec/secretName"));
    let revision = number(certificate, "/status/revision").unwrap_or(0);
    let is_current = |secret: &Value| {
        entry(secret, "/metadata/annotations", ISSUED_FOR) == names.join(",")
            && entry(secret, "/metadata/annotations", REVISION) == revision.to_string()
            && !entry(secret, "/data", "tls.key").is_empty()
    };
    let wants_renewal = crate::json::is_true(certificate, "Issuing");
    if !wants_renewal && cluster.store.get(&key).is_some_and(|secret| is_current(&secret)) {
        if !is_observed(certificate) {
            report(cluster, certificate, revision);
        }
        return;
    }
    match secret_data(cluster, &names) {
        Ok(data) => {
            write_secret(cluster, certificate, &key, &names.join(","), revision + 1, &data);
            report(cluster, certificate, revision + 1);
        }
        Err(error) => cluster.tell(certificate, "Failed", &error.to_string()),
    }
}

fn secret_data(cluster: &Cluster, names: &[&str]) -> Result<Value, crate::authority::Error> {
    let leaf = cluster.authority.issue(names.iter().map(|name| (*name).to_owned()).collect())?;
    let [certificate, key, authority] =
        [leaf.certificate, leaf.key, cluster.authority.certificate()].map(|pem| STANDARD.encode(pem));
    Ok(json!({"tls.crt": certificate, "tls.key": key, "ca.crt": authority}))
}

fn write_secret(cluster: &Cluster, certificate: &Value, key: &Key, names: &str, revision: i64, data: &Value) {
    let annotations = json!({
        ISSUED_FOR: names, REVISION: revision.to_string(), "cert-manager.io/certificate-name": name(certificate),
    });
    let edited = cluster.store.edit(key, |secret| {
        set(secret, "/metadata/annotations", annotations.clone());
        set(secret, "/data", data.clone());
    });
    if edited.is_none() {
        let metadata = json!({"name": key.name, "namespace": key.namespace, "annotations": annotations});
        let secret = json!({
            "apiVersion": "v1", "kind": "Secret", "type": "kubernetes.io/tls", "metadata": metadata, "data": data,
        });
        drop(cluster.store.create("secrets", secret));
    }
}

/// Whether what is said of it is said of its spec as it is now.
fn is_observed(certificate: &Value) -> bool {
    let ready = condition(certificate, "Ready");
    ready.is_some_and(|ready| number(ready, "/observedGeneration") == number(certificate, "/metadata/generation"))
}

fn report(cluster: &Cluster, certificate: &Value, revision: i64) {
    let of = number(certificate, "/metadata/generation");
    cluster.store.edit(&Key::of("certificates.cert-manager.io", certificate), |certificate| {
        set(certificate, "/status/revision", revision);
        for (kind, status, reason, message) in [
            ("Ready", "True", "Ready", "Certificate is up to date and has not expired"),
            ("Issuing", "False", "Issued", "The certificate has been issued"),
        ] {
            let said =
                json!({"type": kind, "status": status, "reason": reason, "message": message, "observedGeneration": of});
            set_condition(certificate, said);
        }
    });
}
