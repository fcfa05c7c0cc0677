//! How a cluster stands: what the agent writes, and others read.
//!
//! Nothing in here changes while nothing happens: no counts of keys, no moments but those of changes.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::auth::Auth;
use crate::cluster::Cluster;
use crate::names::{self, Names};
use crate::tls::Tls;

/// How a cluster stands.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Status {
    /// The generation that this is about: of the custom resource, or of the `StatefulSet` where there is none.
    pub observed_generation: i64,
    /// In one line, for people.
    pub summary: String,
    /// What holds and what does not, in the manner of Kubernetes.
    pub conditions: Vec<Condition>,
    /// How many shards there are.
    pub shard_count: u16,
    /// How many slots are served, of 16384.
    pub served_slots: u16,
    /// Its shards.
    pub shards: Vec<ShardStatus>,
    /// Selects the pods of the servers.
    pub selector: String,
    /// Where clients connect.
    pub endpoints: Endpoints,
    /// What clients need in order to connect.
    pub secrets: Secrets,
}

impl Status {
    /// The same, with the moments of changes: now for what has changed, the former ones for the rest.
    #[must_use]
    pub fn since(mut self, before: &Self, now: &str) -> Self {
        let former: BTreeMap<ConditionType, &Condition> =
            before.conditions.iter().map(|condition| (condition.kind, condition)).collect();
        for condition in &mut self.conditions {
            let same = former.get(&condition.kind).filter(|former| former.status == condition.status);
            condition.last_transition_time =
                same.map_or_else(|| now.to_owned(), |same| same.last_transition_time.clone());
        }
        self
    }

    /// Whether a condition holds.
    #[must_use]
    pub fn holds(&self, kind: ConditionType) -> bool {
        self.conditions.iter().any(|condition| condition.kind == kind && condition.status == "True")
    }
}

/// Something that holds or does not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Condition {
    /// What.
    #[serde(rename = "type")]
    pub kind: ConditionType,
    /// `True`, `False` or `Unknown`.
    pub status: String,
    /// Why, in one word.
    pub reason: String,
    /// Why, for people.
    pub message: String,
    /// Since when, as in RFC 3339.
    pub last_transition_time: String,
    /// The generation that it is about.
    pub observed_generation: i64,
}

/// What can hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub enum ConditionType {
    /// Everything is as it should be.
    Ready,
    /// Something is being done or waited for.
    Reconciling,
    /// Nothing can be done without help.
    Stalled,
    /// Every slot is served.
    SlotsCovered,
    /// Every shard has its replicas, in sync.
    ReplicasInSync,
    /// No shard has more slots than another, but for one.
    TopologyBalanced,
    /// Every pod runs the latest template.
    UpToDate,
}

/// How a shard stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ShardStatus {
    /// Its number; none if it dissolves.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub shard: Option<u16>,
    /// The pod of its primary.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub primary: Option<String>,
    /// The pods of its replicas.
    pub replicas: Vec<String>,
    /// How many of them are in sync.
    pub in_sync: u16,
    /// Its slots.
    pub slots: String,
    /// How many they are.
    pub slot_count: u16,
}

/// Where clients connect, each as `host:port`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Endpoints {
    /// Any member that is ready; a client that knows about clusters needs no more.
    pub any: String,
    /// A primary.
    pub primaries: String,
    /// Every member, ready or not: for clients that look up all addresses.
    pub nodes: String,
}

/// What clients need in order to connect. Names only.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Secrets {
    /// Where the password is; none if there is no password.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub password: Option<SecretReference>,
    /// Where the authority is that vouches for the servers' certificates; none without encryption.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub authority: Option<SecretReference>,
}

/// A key of a Secret in the cluster's namespace.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct SecretReference {
    /// The Secret's name.
    pub name: String,
    /// The key in it.
    pub key: String,
}

impl Endpoints {
    /// Where the clients of this cluster connect.
    #[must_use]
    pub fn of(cluster: &Cluster) -> Self {
        let at = |service: &str| {
            format!("{service}.{}.svc.{}:{}", cluster.namespace, cluster.cluster_domain, names::CLIENT_PORT)
        };
        let names = Names::of(cluster);
        Self { any: at(&names.cluster), primaries: at(&names.primaries), nodes: at(&names.nodes) }
    }
}

impl Secrets {
    /// What the clients of this cluster need.
    #[must_use]
    pub fn of(cluster: &Cluster) -> Self {
        let reference = |name: String, key: String| SecretReference { name, key };
        let password = match &cluster.auth {
            Auth::Password(secret) => Some(reference(secret.name.to_string(), secret.key.to_string())),
            Auth::Disabled => None,
        };
        let authority = match &cluster.tls {
            Tls::Issued { .. } | Tls::Provided { .. } => {
                Some(reference(cluster.tls_secret_name(), "ca.crt".to_owned()))
            }
            Tls::Disabled => None,
        };
        Self { password, authority }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clients_are_told_which_secrets_they_need() {
        let secrets = |tls: &str, auth: &str| {
            let head =
                "apiVersion: valkey-gitops.dev/v1alpha1\nkind: ValkeyCluster\nmetadata: {name: a, namespace: b}\n";
            let text = format!("{head}spec: {{version: \"9.1\", tls: {tls}, auth: {auth}}}\n");
            let Secrets { password, authority } = Secrets::of(&crate::read(&text, None).unwrap().remove(0).cluster);
            [password, authority].map(|secret| secret.map(|secret| format!("{} {}", secret.name, secret.key)))
        };
        let words = |words: [&str; 2]| words.map(|words| Some(words.to_owned()));
        let issued = "{issuerRef: {name: c, kind: Issuer}}";
        assert_eq!(secrets(issued, "{passwordSecret: {name: d}}"), words(["d password", "a-tls ca.crt"]));
        assert_eq!(secrets("{secretName: e}", "{passwordSecret: {name: d, key: f}}"), words(["d f", "e ca.crt"]));
        assert_eq!(secrets("{disabled: true}", "{disabled: true}"), [None, None]);
    }
}
