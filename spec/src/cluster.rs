//! `Cluster`: a spec that cannot be wrong.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::access::Access;
use crate::agent::Agent;
use crate::auth::{Auth, AuthSpec};
use crate::checks::Checks;
use crate::config::{self, Config, ConfigValue};
use crate::directives::{self, Directive};
use crate::image::ImageSpec;
use crate::names;
use crate::operation::{DisruptionBudget, Monitoring, Rebalance, Upgrade};
use crate::persistence::Persistence;
use crate::placement::Placement;
use crate::problem::{Complaint, Path};
use crate::resources::Resources;
use crate::storage::{Storage, StorageSpec};
use crate::text::{ClusterName, DomainName, Namespace, Series, Version};
use crate::tls::{Tls, TlsSpec};
use crate::wire::{ApiVersion, Kind, Metadata, Spec, ValkeyCluster};

/// A checked spec, with every default filled in.
///
/// It is only made by [`Cluster::check`], so what it says can be rendered and run. Written out, it is a [`ValkeyCluster`] again:
/// the desired state that the agent reads.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "ValkeyCluster", into = "ValkeyCluster")]
#[non_exhaustive]
pub struct Cluster {
    /// The name of the cluster.
    pub name: ClusterName,
    /// The namespace of every object.
    pub namespace: Namespace,
    /// The user's labels of objects.
    pub labels: BTreeMap<String, String>,
    /// The version of the servers.
    pub version: Version,
    /// Where the servers' image comes from.
    pub image: ImageSpec,
    /// How many shards; 3 to 500.
    pub shards: u16,
    /// How many replicas each shard has besides its primary; 0 to 5.
    pub replicas_per_shard: u8,
    /// How connections are encrypted.
    pub tls: Tls,
    /// How clients log in.
    pub auth: Auth,
    /// Where each pod keeps its data.
    pub storage: Storage,
    /// What is written there.
    pub persistence: Persistence,
    /// CPU and memory of each server.
    pub resources: Resources,
    /// The share of the memory limit that keys may take.
    pub max_memory_percent: u8,
    /// The user's directives.
    pub config: Config,
    /// On which nodes the pods may stand.
    pub placement: Placement,
    /// The user's labels of pods.
    pub pod_labels: BTreeMap<String, String>,
    /// Which pods share a disruption budget.
    pub disruption_budget: DisruptionBudget,
    /// Who may reach the client port.
    pub access: Access,
    /// How slots are spread.
    pub rebalance: Rebalance,
    /// How pods are restarted.
    pub upgrade: Upgrade,
    /// Objects for the Prometheus operator.
    pub monitoring: Monitoring,
    /// The agent.
    pub agent: Agent,
    /// The DNS domain of the Kubernetes cluster.
    pub cluster_domain: DomainName,
}

/// What is wrong between the fields of a spec, each with its path.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", listed(.0))]
pub struct Refusal(pub Vec<(Path, Complaint)>);

fn listed(found: &[(Path, Complaint)]) -> String {
    found.iter().map(|(path, complaint)| format!("{path}: {complaint}")).collect::<Vec<_>>().join("; ")
}

/// Directives whose defaults do not suit a cluster whose members are restarted and replaced by an agent.
///
/// How long a member may be silent before the others take it for dead, in milliseconds. And a primary that waits for more replicas
/// before it sends its data would leave the first one out of sync for seconds, each time.
const DEFAULTS: [(&str, &str); 2] = [(names::NODE_TIMEOUT, "5000"), ("repl-diskless-sync-delay", "0")];

impl Cluster {
    /// Checks what was written, in the namespace given from outside if it names none itself.
    ///
    /// # Errors
    /// Everything that is wrong, not just the first.
    pub fn check(written: ValkeyCluster, namespace: Option<&Namespace>) -> Result<Self, Refusal> {
        let mut checks = Checks::default();
        let cluster = Self::assemble(written, namespace, &mut checks);
        match cluster {
            Some(cluster) if checks.found.is_empty() => Ok(cluster),
            _ => Err(Refusal(checks.found)),
        }
    }

    fn assemble(written: ValkeyCluster, outside: Option<&Namespace>, checks: &mut Checks) -> Option<Self> {
        let ValkeyCluster { metadata, spec, .. } = written;
        check_labels("metadata.labels", &metadata.labels, checks);
        check_labels("spec.podLabels", &spec.pod_labels, checks);
        check_size(&spec, checks);
        if spec.rendered_template.is_some() {
            checks.refuse("spec.renderedTemplate", "is for valkey-render to write", "remove the line");
        }
        spec.resources.check("spec.resources", checks);
        spec.agent.resources.check("spec.agent.resources", checks);
        spec.placement.check(checks);
        spec.access.check(checks);
        spec.upgrade.check(checks);
        let namespace = resolve_namespace(metadata.namespace, outside, checks);
        let tls = spec.tls.or_else(|| missing("spec.tls", "write issuerRef, secretName or disabled: true", checks));
        let auth = spec.auth.or_else(|| missing("spec.auth", "write passwordSecret or disabled: true", checks));
        let version = spec.version.or_else(|| missing("spec.version", "write a series, such as \"9.1\"", checks));
        let name = metadata.name.or_else(|| missing("metadata.name", "name the cluster", checks));
        let (tls, auth) = (tls.and_then(|tls| tls.check(checks)), auth.and_then(|auth| auth.check(checks)));
        let storage = spec.storage.check(checks);
        // Without a version, directives are held against the newest series: that finds most of what is wrong with them.
        let config = Config::check(&spec.config, version.map_or(Series::V9_1, |version| version.series), checks);
        let version = version?;
        spec.image.check(version, checks);
        let cluster = Self {
            name: name?,
            namespace: namespace?,
            labels: metadata.labels,
            version,
            image: spec.image,
            shards: spec.shards,
            replicas_per_shard: spec.replicas_per_shard,
            tls: tls?,
            auth: auth?,
            storage,
            persistence: spec.persistence,
            resources: spec.resources,
            max_memory_percent: spec.max_memory_percent,
            config,
            placement: spec.placement,
            pod_labels: spec.pod_labels,
            disruption_budget: spec.disruption_budget,
            access: spec.access,
            rebalance: spec.rebalance,
            upgrade: spec.upgrade,
            monitoring: spec.monitoring,
            agent: spec.agent,
            cluster_domain: spec.cluster_domain,
        };
        cluster.check_host_names(checks);
        Some(cluster)
    }

    fn check_host_names(&self, checks: &mut Checks) {
        let longest = names::host_name(self, self.pods().max(1000) - 1);
        if longest.len() > 253 {
            let message = format!("makes the host name of a pod {} characters long, and DNS allows 253", longest.len());
            checks.refuse("metadata.name", message, "shorten the name, the namespace or the cluster domain");
        }
    }

    /// How many pods it has: every shard's primary and replicas.
    #[must_use]
    pub fn pods(&self) -> u32 {
        u32::from(self.shards) * (1 + u32::from(self.replicas_per_shard))
    }

    /// The servers' image.
    #[must_use]
    pub fn image_reference(&self) -> String {
        self.image.reference(self.version)
    }

    /// The bytes that keys may take on one server; none without a memory limit.
    #[must_use]
    pub fn max_memory(&self) -> Option<u64> {
        self.resources.memory_limit().map(|limit| limit / 100 * u64::from(self.max_memory_percent))
    }

    /// The directives that a running server changes without a restart, with their values: those of `live.conf`.
    ///
    /// `maxmemory` is none of them, for each server has its own: a share of its own pod's memory limit.
    #[must_use]
    pub fn live_directives(&self) -> Vec<(Directive, String)> {
        let fields = self.persistence.live_settings().into_iter().chain(self.tls.live_setting());
        let known = |(name, value)| Some((directives::find(self.version.series, name)?, value));
        let users = self.config.directives.iter().filter(|(directive, _)| directive.live).cloned();
        let chosen = |name: &str| self.config.directives.iter().any(|(directive, _)| directive.name == name);
        let defaults =
            DEFAULTS.iter().filter(|(name, _)| !chosen(name)).map(|(name, value)| (*name, (*value).to_owned()));
        let mut all: Vec<(Directive, String)> = users.chain(fields.chain(defaults).filter_map(known)).collect();
        all.sort_by_key(|(directive, _)| directive.name);
        all
    }

    /// The same by name, and all others that a spec may set, with the value of a server that is not told otherwise: a directive that
    /// nobody chooses any more goes back to it.
    ///
    /// Values are in the one spelling of [`Directive::canonical`]; what a server reports has to be brought into it before the two are
    /// compared.
    #[must_use]
    pub fn live_settings(&self) -> BTreeMap<String, String> {
        let all = config::live_defaults(self.version.series).chain(self.live_directives());
        all.map(|(directive, value)| (directive.name.to_owned(), directive.canonical(&value))).collect()
    }

    /// The Secret with the certificate: the user's own, or the one that cert-manager will write.
    #[must_use]
    pub fn tls_secret_name(&self) -> String {
        match &self.tls {
            Tls::Provided { secret_name, .. } => secret_name.to_string(),
            Tls::Issued { .. } | Tls::Disabled => names::issued_secret(&self.name),
        }
    }

    /// What tells this spec from any other that would be rendered into another `StatefulSet`, in a few characters.
    ///
    /// Left out is what people change without rendering: the number of shards, through the scale subresource, and whether restarts
    /// are held back. And labels of objects, which a custom resource does not keep apart from those of other tools.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        let mut cluster = self.clone();
        (cluster.labels, cluster.shards, cluster.upgrade.paused) = (BTreeMap::new(), 3, false);
        // What is made of types of ours can be written, so that nothing is ever hashed in its stead.
        crate::digest(serde_json::to_string(&cluster).unwrap_or_default())
    }

    /// What may be meant otherwise: nothing wrong, but worth a look.
    #[must_use]
    pub fn warnings(&self) -> Vec<(Path, Complaint)> {
        let mut warnings = Checks::default();
        if self.resources.memory_limit().is_none() {
            let hint = "set limits.memory: without it, Valkey takes memory until the node has none left";
            warnings.refuse("spec.resources.limits", "has no memory, so maxmemory is not set", hint);
        }
        if self.disruption_budget == DisruptionBudget::PerShard && self.shards < 7 {
            let message = "lets a drain evict several primaries at once, and with few shards the quorum goes with them";
            warnings.refuse("spec.disruptionBudget", message, "keep PerCluster below seven shards");
        }
        self.image.warn(&mut warnings);
        warnings.found
    }
}

fn missing<T>(path: &str, hint: &str, checks: &mut Checks) -> Option<T> {
    checks.missing(path, hint);
    None
}

fn resolve_namespace(
    written: Option<Namespace>,
    outside: Option<&Namespace>,
    checks: &mut Checks,
) -> Option<Namespace> {
    match (written, outside) {
        (Some(written), Some(outside)) if written != *outside => {
            let message = format!("`{written}` is not `{outside}`, which was asked for from outside");
            checks.refuse("metadata.namespace", message, "remove one of the two, or make them agree");
            None
        }
        (Some(written), _) => Some(written),
        (None, Some(outside)) => Some(outside.clone()),
        (None, None) => missing("metadata.namespace", "write it here, or pass --namespace", checks),
    }
}

/// Labels that selectors, tools or controllers rely on.
pub(crate) const RESERVED_LABELS: [&str; 7] = [
    "app.kubernetes.io/name",
    "app.kubernetes.io/instance",
    "app.kubernetes.io/component",
    "app.kubernetes.io/managed-by",
    "kubernetes.io/hostname",
    "controller-revision-hash",
    "pod-template-hash",
];

/// What such labels begin with. Kubernetes itself writes where a pod stands.
pub(crate) const RESERVED_PREFIXES: [&str; 4] =
    ["valkey-gitops.dev/", "statefulset.kubernetes.io/", "apps.kubernetes.io/", "topology.kubernetes.io/"];

fn check_labels(path: &str, labels: &BTreeMap<String, String>, checks: &mut Checks) {
    for (key, value) in labels {
        let at = Path::of(path);
        checks.label(&at, key, value);
        let is_reserved = RESERVED_PREFIXES.iter().any(|prefix| key.starts_with(prefix));
        if is_reserved || RESERVED_LABELS.contains(&key.as_str()) {
            let hint = "use a label of your own; selectors and controllers rely on this one";
            checks.refuse_at(at.name(key), Complaint::new("is not for a spec to set", hint));
        }
    }
}

fn check_size(spec: &Spec, checks: &mut Checks) {
    let ranges = [
        ("spec.shards", u64::from(spec.shards), 3, 500, "fewer than three cannot outvote a lost one"),
        ("spec.replicasPerShard", u64::from(spec.replicas_per_shard), 0, 5, "each replica is a full copy of its shard"),
        (
            "spec.maxMemoryPercent",
            u64::from(spec.max_memory_percent),
            10,
            95,
            "70 leaves room for replication and copies on write",
        ),
        (
            "spec.rebalance.maxConcurrentMigrations",
            u64::from(spec.rebalance.max_concurrent_migrations),
            1,
            100,
            "4 is a good start",
        ),
    ];
    for (path, value, least, most, hint) in ranges {
        if !(least..=most).contains(&value) {
            checks.refuse(path, format!("{value} is not between {least} and {most}"), hint);
        }
    }
    if spec.replicas_per_shard == 0 && !spec.acknowledge_no_replicas {
        let hint = "keep at least one, or write acknowledgeNoReplicas: true: the loss of one pod then loses its keys until it is back";
        checks.refuse("spec.replicasPerShard", "0 leaves every key on one pod only", hint);
    }
}

impl TryFrom<ValkeyCluster> for Cluster {
    type Error = Refusal;

    fn try_from(written: ValkeyCluster) -> Result<Self, Refusal> {
        Self::check(written, None)
    }
}

impl From<Cluster> for ValkeyCluster {
    fn from(cluster: Cluster) -> Self {
        let config = cluster.config.directives.into_iter();
        Self {
            api_version: ApiVersion::V1alpha1,
            kind: Kind::ValkeyCluster,
            metadata: Metadata {
                name: Some(cluster.name),
                namespace: Some(cluster.namespace),
                labels: cluster.labels,
                annotations: BTreeMap::new(),
            },
            spec: Spec {
                version: Some(cluster.version),
                image: cluster.image,
                shards: cluster.shards,
                replicas_per_shard: cluster.replicas_per_shard,
                acknowledge_no_replicas: cluster.replicas_per_shard == 0,
                tls: Some(TlsSpec::from(&cluster.tls)),
                auth: Some(AuthSpec::from(&cluster.auth)),
                storage: StorageSpec::from(&cluster.storage),
                persistence: cluster.persistence,
                resources: cluster.resources,
                max_memory_percent: cluster.max_memory_percent,
                config: config
                    .map(|(directive, value)| (directive.name.to_owned(), ConfigValue::Text(value)))
                    .collect(),
                placement: cluster.placement,
                pod_labels: cluster.pod_labels,
                disruption_budget: cluster.disruption_budget,
                access: cluster.access,
                rebalance: cluster.rebalance,
                upgrade: cluster.upgrade,
                monitoring: cluster.monitoring,
                agent: cluster.agent,
                cluster_domain: cluster.cluster_domain,
                rendered_template: None,
            },
        }
    }
}
