//! The objects of cert-manager and the Prometheus operator that are rendered, as far as they are rendered.
//!
//! Kubernetes does not normalise these, so what stands here is written in its final form. CI holds the output against the schemas
//! that the projects publish.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector, ObjectMeta};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

macro_rules! extension {
    ($name:ident, $spec:ident, $api_version:literal) => {
        #[doc = concat!("`", $api_version, "`, kind `", stringify!($name), "`.")]
        #[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
        #[serde(rename_all = "camelCase", deny_unknown_fields)]
        pub(crate) struct $name {
            api_version: String,
            kind: String,
            /// Name, namespace and labels.
            pub(crate) metadata: ObjectMeta,
            /// What it asks for.
            pub(crate) spec: $spec,
        }
    };
}

extension!(Certificate, CertificateSpec, "cert-manager.io/v1");
extension!(PodMonitor, PodMonitorSpec, "monitoring.coreos.com/v1");
extension!(PrometheusRule, PrometheusRuleSpec, "monitoring.coreos.com/v1");

/// A certificate to be issued.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct CertificateSpec {
    /// The Secret that it is written to.
    pub(crate) secret_name: String,
    issuer_ref: IssuerRef,
    dns_names: Vec<String>,
    duration: String,
    renew_before: String,
    private_key: PrivateKey,
    usages: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct IssuerRef {
    name: String,
    kind: String,
    group: String,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct PrivateKey {
    algorithm: String,
    size: u16,
    rotation_policy: String,
}

/// Pods to be scraped.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct PodMonitorSpec {
    /// The pods.
    pub(crate) selector: LabelSelector,
    pod_metrics_endpoints: Vec<Endpoint>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Endpoint {
    port: String,
    path: String,
    interval: String,
    honor_labels: bool,
}

/// Alerts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct PrometheusRuleSpec {
    groups: Vec<Group>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Group {
    name: String,
    rules: Vec<Rule>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Rule {
    alert: String,
    expr: String,
    r#for: String,
    labels: BTreeMap<String, String>,
    annotations: BTreeMap<String, String>,
}
