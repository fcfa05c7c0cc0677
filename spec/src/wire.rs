//! `ValkeyCluster`: exactly what may be written.
//!
//! The doc comments in here and in the files of the single fields are what the JSON Schema, `valkey-render explain` and the
//! reference in `docs/` say. A field with one sane default has it here; a field is an `Option` only where its absence means
//! something, or where it is required and a reading has to go on without it.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::access::Access;
use crate::agent::Agent;
use crate::auth::AuthSpec;
use crate::config::ConfigValue;
use crate::image::ImageSpec;
use crate::operation::{DisruptionBudget, Monitoring, Rebalance, Upgrade};
use crate::persistence::Persistence;
use crate::placement::Placement;
use crate::resources::Resources;
use crate::storage::StorageSpec;
use crate::text::{ClusterName, DomainName, Namespace, Version};
use crate::tls::TlsSpec;

/// The group of the format.
pub const GROUP: &str = "valkey-gitops.dev";
/// The version in it.
pub const VERSION: &str = "v1alpha1";
/// How the API server calls the kind.
pub const PLURAL: &str = "valkeyclusters";

/// A Valkey cluster: shards of one primary and its replicas, over which all keys are spread.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ValkeyCluster {
    /// The version of this format.
    pub api_version: ApiVersion,
    /// Always `ValkeyCluster`.
    pub kind: Kind,
    /// Name, namespace and labels.
    pub metadata: Metadata,
    /// What the cluster should be.
    pub spec: Spec,
}

/// The version of this format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum ApiVersion {
    /// The only one so far.
    #[serde(rename = "valkey-gitops.dev/v1alpha1")]
    V1alpha1,
}

/// The kind of object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Kind {
    /// The only one so far.
    ValkeyCluster,
}

/// Name, namespace and labels.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Metadata {
    /// The name of the cluster; every object's name begins with it.
    #[schemars(required)]
    pub name: Option<ClusterName>,
    /// The namespace of every object. May be left out where `--namespace` gives it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<Namespace>,
    /// Labels that land on every object, and on no pod: changing them restarts nothing.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    /// Notes of other tools; accepted, and not rendered.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
}

/// What the cluster should be.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Spec {
    /// The series of Valkey (8.0, 8.1, 9.0 or 9.1) or one release of it. It picks the directives and, unless `image` does, the image tag; a series follows its newest release.
    #[schemars(required)]
    pub version: Option<Version>,
    /// Where the server's image comes from.
    #[serde(default)]
    pub image: ImageSpec,
    /// How many shards the keys are spread over. More can be added and some taken away at any time, without a restart.
    #[serde(default = "default_shards")]
    #[schemars(range(min = 3, max = 500))]
    pub shards: u16,
    /// How many replicas each shard keeps besides its primary.
    #[serde(default = "default_replicas")]
    #[schemars(range(min = 0, max = 5))]
    pub replicas_per_shard: u8,
    /// Must be true for `replicasPerShard: 0`: without a replica, the loss of one pod loses its keys until it is back.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub acknowledge_no_replicas: bool,
    /// Encryption of every connection: exactly one of `issuerRef`, `secretName` and `disabled: true`.
    #[schemars(required)]
    pub tls: Option<TlsSpec>,
    /// The password: exactly one of `passwordSecret` and `disabled: true`.
    #[schemars(required)]
    pub auth: Option<AuthSpec>,
    /// Where each pod keeps its data: a volume, or `ephemeral`.
    #[serde(default)]
    pub storage: StorageSpec,
    /// What is written to that storage.
    #[serde(default)]
    pub persistence: Persistence,
    /// CPU and memory of each Valkey pod.
    #[serde(default = "Resources::of_a_server")]
    pub resources: Resources,
    /// The share of the memory limit that keys may take (`maxmemory`). The rest is for replication, copies on write and clients.
    #[serde(default = "default_max_memory_percent")]
    #[schemars(range(min = 10, max = 95))]
    pub max_memory_percent: u8,
    /// Directives of `valkey.conf`, checked against those of the series. Those that Valkey can change live are changed live: to what stands
    /// here, and back to their defaults where nothing does. Only `maxclients` and `import-mode` go back when their pod restarts.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub config: BTreeMap<String, ConfigValue>,
    /// On which nodes the pods may stand.
    #[serde(default)]
    pub placement: Placement,
    /// Labels of every pod, the agent's too, there from its first moment, for what looks at pods: admission policies, meshes, cost reports.
    /// Changing them restarts the pods.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub pod_labels: BTreeMap<String, String>,
    /// Whether one budget covers all pods, or each shard has its own.
    #[serde(default)]
    pub disruption_budget: DisruptionBudget,
    /// Who may reach the client port.
    #[serde(default)]
    pub access: Access,
    /// How slots are spread over the shards.
    #[serde(default)]
    pub rebalance: Rebalance,
    /// How pods are restarted onto a new version or configuration.
    #[serde(default)]
    pub upgrade: Upgrade,
    /// Objects for the Prometheus operator.
    #[serde(default)]
    pub monitoring: Monitoring,
    /// The topology agent.
    #[serde(default)]
    pub agent: Agent,
    /// The DNS domain of the Kubernetes cluster.
    #[serde(default)]
    pub cluster_domain: DomainName,
    /// Which pod template was rendered from it; only a custom resource says it, and only the renderer writes it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(skip)]
    pub rendered_template: Option<String>,
}

const fn default_shards() -> u16 {
    3
}

const fn default_replicas() -> u8 {
    1
}

const fn default_max_memory_percent() -> u8 {
    70
}
