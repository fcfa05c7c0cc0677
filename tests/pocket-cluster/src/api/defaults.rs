//! What the API server writes into an object where it says nothing: as far as somebody here reads it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::json::{name, remove, set, set_entry, text};

pub(super) fn fill(kind: &str, object: &mut Value) {
    match kind {
        "Pod" => pod(object),
        "StatefulSet" => stateful_set(object),
        "Deployment" => deployment(object),
        "Service" => service(object),
        "Secret" => secret(object),
        "Namespace" => {
            let own = name(object).to_owned();
            set_entry(object, "/metadata/labels", "kubernetes.io/metadata.name", own);
            default(object, "/metadata/finalizers", json!(["kubernetes"]));
            default(object, "/status/phase", "Active");
        }
        "PersistentVolumeClaim" => {
            default(object, "/spec/volumeMode", "Filesystem");
            default(object, "/status/phase", "Pending");
        }
        "CustomResourceDefinition" => {
            default(object, "/status/conditions", json!([{"type": "Established", "status": "True"}]));
        }
        "PodDisruptionBudget" => default(object, "/status/disruptionsAllowed", 0),
        _ => {}
    }
}

fn default(object: &mut Value, path: &str, to: impl Into<Value>) {
    if object.pointer(path).is_none_or(Value::is_null) {
        set(object, path, to);
    }
}

fn pod(pod: &mut Value) {
    default(pod, "/spec/restartPolicy", "Always");
    default(pod, "/spec/terminationGracePeriodSeconds", 30);
    default(pod, "/spec/serviceAccountName", "default");
    default(pod, "/spec/schedulerName", "default-scheduler");
    default(pod, "/status/phase", "Pending");
}

/// <https://kubernetes.io/docs/reference/kubernetes-api/workload-resources/stateful-set-v1/>
fn stateful_set(set: &mut Value) {
    default(set, "/spec/replicas", 1);
    default(set, "/spec/podManagementPolicy", "OrderedReady");
    default(set, "/spec/revisionHistoryLimit", 10);
    default(set, "/spec/updateStrategy/type", "RollingUpdate");
    default(set, "/spec/persistentVolumeClaimRetentionPolicy/whenDeleted", "Retain");
    default(set, "/spec/persistentVolumeClaimRetentionPolicy/whenScaled", "Retain");
    default(set, "/status/replicas", 0);
    default(set, "/status/availableReplicas", 0);
}

/// <https://kubernetes.io/docs/reference/kubernetes-api/workload-resources/deployment-v1/>
fn deployment(deployment: &mut Value) {
    default(deployment, "/spec/replicas", 1);
    default(deployment, "/spec/progressDeadlineSeconds", 600);
    default(deployment, "/spec/revisionHistoryLimit", 10);
    default(deployment, "/spec/strategy/type", "RollingUpdate");
    if text(deployment, "/spec/strategy/type") == "RollingUpdate" {
        default(deployment, "/spec/strategy/rollingUpdate", json!({"maxSurge": "25%", "maxUnavailable": "25%"}));
    }
}

fn service(service: &mut Value) {
    default(service, "/spec/type", "ClusterIP");
    default(service, "/spec/sessionAffinity", "None");
    default(service, "/status/loadBalancer", json!({}));
}

/// <https://kubernetes.io/docs/concepts/configuration/secret/#restriction-names-data>
fn secret(secret: &mut Value) {
    default(secret, "/type", "Opaque");
    let Some(Value::Object(plain)) = remove(secret, "/stringData") else { return };
    for (key, value) in plain {
        set_entry(secret, "/data", &key, STANDARD.encode(value.as_str().unwrap_or_default()));
    }
}
