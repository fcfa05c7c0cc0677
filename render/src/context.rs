//! What templates see: every decision already taken, every name already built.
//!
//! A template places these values and computes nothing, so whatever two objects have to agree on is one field in here.

use std::collections::BTreeMap;

use serde::Serialize;
use spec::names::{self, Names};
use spec::{
    Auth, Cluster, DisruptionBudget, IssuerRef, Peer, PullPolicy, Resources, Retention, Spread, Storage, Tls,
    Toleration,
};

use crate::alerts::{self, Alert};
use crate::desired::{DesiredState, desired_state};
use crate::error::Error;
use crate::files;
use crate::templates::placed;

/// The user of the official image.
const SERVER_USER: u32 = 999;
/// Nobody, by the custom of images without a shell.
const AGENT_USER: u32 = 65532;

/// Labels or a selector.
type Labels = BTreeMap<String, String>;

/// Everything that the templates of Kubernetes objects see.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Context {
    names: NameContext,
    #[serde(serialize_with = "placed")]
    namespace: String,
    ports: Ports,
    server: Server,
    agent: AgentContext,
    clients: Option<Vec<Peer>>,
    certificate: Option<Certificate>,
    auth: Option<AuthContext>,
    tls: bool,
    storage: StorageContext,
    placement: PlacementContext,
    monitoring: MonitoringContext,
    alerts: Option<Alerts>,
    #[serde(serialize_with = "placed")]
    files: Labels,
    #[serde(serialize_with = "placed")]
    desired_state: Labels,
    custom_resource: bool,
    #[serde(serialize_with = "placed")]
    desired_spec: spec::Spec,
    /// One budget for all, or one for each shard; the template renders one at a time as `budget`.
    #[serde(skip)]
    pub(crate) budgets: Vec<Budget>,
}

#[derive(Debug, Clone, Serialize)]
struct NameContext {
    cluster: String,
    nodes: String,
    primaries: String,
    config: String,
    desired: String,
    status: String,
    agent: String,
    tls_secret: String,
}

#[derive(Debug, Clone, Serialize)]
struct Ports {
    client: u16,
    bus: u16,
    agent: u16,
}

#[derive(Debug, Clone, Serialize)]
struct Server {
    image: String,
    pull_policy: PullPolicy,
    pull_secrets: Option<Vec<LocalReference>>,
    #[serde(serialize_with = "placed")]
    labels: Labels,
    #[serde(serialize_with = "placed")]
    pod_labels: Labels,
    #[serde(serialize_with = "placed")]
    selector: Labels,
    #[serde(serialize_with = "placed")]
    primary_selector: Labels,
    annotations: Labels,
    fingerprint: Labels,
    resources: Option<Resources>,
    has_memory_limit: bool,
    user_id: u32,
    grace_seconds: u64,
}

#[derive(Debug, Clone, Serialize)]
struct LocalReference {
    name: String,
}

#[derive(Debug, Clone, Serialize)]
struct AgentContext {
    image: String,
    arguments: Vec<String>,
    #[serde(serialize_with = "placed")]
    labels: Labels,
    #[serde(serialize_with = "placed")]
    pod_labels: Labels,
    #[serde(serialize_with = "placed")]
    selector: Labels,
    resources: Option<Resources>,
    user_id: u32,
    empties_volumes: bool,
}

#[derive(Debug, Clone, Serialize)]
struct Certificate {
    issuer: IssuerRef,
    dns_names: Vec<String>,
    duration: String,
    renew_before: String,
}

#[derive(Debug, Clone, Serialize)]
struct AuthContext {
    secret: String,
    key: String,
}

#[derive(Debug, Clone, Serialize)]
struct StorageContext {
    when_deleted: Retention,
    when_scaled: Retention,
    claim: Option<Claim>,
    /// Said by itself, for the options of an ephemeral volume may be none.
    is_ephemeral: bool,
    ephemeral: BTreeMap<&'static str, String>,
}

#[derive(Debug, Clone, Serialize)]
struct Claim {
    size: String,
    class_name: Option<String>,
}

#[derive(Debug, Clone, Serialize)]
struct PlacementContext {
    spreads: Option<Vec<SpreadContext>>,
    node_selector: Option<Labels>,
    tolerations: Option<Vec<Toleration>>,
    priority_class_name: Option<String>,
}

#[derive(Debug, Clone, Serialize)]
struct SpreadContext {
    topology_key: &'static str,
    when_unsatisfiable: &'static str,
}

#[derive(Debug, Clone, Serialize)]
struct MonitoringContext {
    pod_monitor: bool,
}

#[derive(Debug, Clone, Serialize)]
struct Alerts {
    group: String,
    rules: Vec<Alert>,
}

/// A disruption budget and the pods that share it.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Budget {
    name: String,
    #[serde(serialize_with = "placed")]
    selector: Labels,
    is_of_shard: bool,
    replicas: u8,
}

impl Context {
    /// The decisions for a cluster.
    ///
    /// # Errors
    /// Only when a template of a text file is broken, which no spec can bring about.
    pub(crate) fn of(cluster: &Cluster, form: DesiredState) -> Result<Self, Error> {
        let files = files::render(cluster)?;
        let desired_state = desired_state(cluster)?;
        let names = Names::of(cluster);
        Ok(Self {
            namespace: cluster.namespace.to_string(),
            ports: Ports { client: names::CLIENT_PORT, bus: names::BUS_PORT, agent: names::AGENT_PORT },
            server: Server::of(cluster, files.restart_hash()),
            agent: AgentContext::of(cluster),
            clients: some(&cluster.access.clients, Vec::is_empty),
            certificate: Certificate::of(cluster, &names),
            auth: auth(cluster),
            tls: cluster.tls != Tls::Disabled,
            storage: StorageContext::of(cluster),
            placement: PlacementContext::of(cluster),
            monitoring: MonitoringContext { pod_monitor: cluster.monitoring.pod_monitor },
            alerts: cluster.monitoring.prometheus_rule.then(|| Alerts::of(cluster)),
            files: files.into_data(),
            custom_resource: form == DesiredState::CustomResource,
            desired_spec: spec::ValkeyCluster::from(cluster.clone()).spec,
            desired_state: Labels::from([(names::DESIRED_STATE_KEY.to_owned(), desired_state)]),
            budgets: budgets(cluster, &names),
            names: NameContext::of(names),
        })
    }
}

impl NameContext {
    fn of(names: Names) -> Self {
        let Names { cluster, nodes, primaries, config, desired, status, agent, tls_secret } = names;
        Self { cluster, nodes, primaries, config, desired, status, agent, tls_secret }
    }
}

impl Server {
    fn of(cluster: &Cluster, restart_hash: String) -> Self {
        let selector = selector(cluster, names::SERVER);
        let role = Labels::from([(names::ROLE_LABEL.to_owned(), names::PRIMARY.to_owned())]);
        let pull_secrets = cluster.image.pull_secrets.iter().map(|name| LocalReference { name: name.to_string() });
        Self {
            image: cluster.image_reference(),
            pull_policy: cluster.image.pull_policy,
            pull_secrets: some(&pull_secrets.collect(), Vec::is_empty),
            labels: labels(&cluster.labels, cluster, names::SERVER),
            pod_labels: labels(&cluster.pod_labels, cluster, names::SERVER),
            primary_selector: selector.clone().into_iter().chain(role).collect(),
            selector,
            annotations: Labels::from([(names::CONFIG_HASH_ANNOTATION.to_owned(), restart_hash)]),
            fingerprint: Labels::from([(names::FINGERPRINT_ANNOTATION.to_owned(), cluster.fingerprint())]),
            resources: resources(&cluster.resources),
            has_memory_limit: cluster.resources.memory_limit().is_some(),
            user_id: SERVER_USER,
            grace_seconds: files::grace_seconds(cluster),
        }
    }
}

impl AgentContext {
    fn of(cluster: &Cluster) -> Self {
        let release = concat!("valkey-gitops/valkey-topology-agent:", env!("CARGO_PKG_VERSION"));
        Self {
            image: cluster.agent.image.as_ref().map_or_else(|| release.to_owned(), ToString::to_string),
            arguments: vec![
                "run".to_owned(),
                format!("--cluster={}", cluster.name),
                format!("--log-level={}", cluster.agent.log_level.as_str()),
            ],
            labels: labels(&cluster.labels, cluster, names::AGENT),
            pod_labels: labels(&cluster.pod_labels, cluster, names::AGENT),
            selector: selector(cluster, names::AGENT),
            resources: resources(&cluster.agent.resources),
            user_id: AGENT_USER,
            empties_volumes: cluster.upgrade.allow_downgrade,
        }
    }
}

impl Certificate {
    fn of(cluster: &Cluster, names: &Names) -> Option<Self> {
        let Tls::Issued { issuer, duration, renew_before, .. } = &cluster.tls else {
            return None;
        };
        let mut dns_names = vec![format!("*.{}", names::nodes_domain(cluster)), "localhost".to_owned()];
        for service in [&names.cluster, &names.nodes, &names.primaries] {
            let short = format!("{service}.{}", cluster.namespace);
            dns_names.extend([
                format!("{short}.svc.{}", cluster.cluster_domain),
                format!("{short}.svc"),
                short,
                service.clone(),
            ]);
        }
        dns_names.sort();
        dns_names.dedup();
        Some(Self {
            issuer: issuer.clone(),
            dns_names,
            duration: duration.to_string(),
            renew_before: renew_before.to_string(),
        })
    }
}

impl StorageContext {
    fn of(cluster: &Cluster) -> Self {
        match &cluster.storage {
            Storage::Volume { size, class_name, on_delete, on_scale_in, .. } => Self {
                when_deleted: *on_delete,
                when_scaled: *on_scale_in,
                claim: Some(Claim { size: size.to_string(), class_name: class_name.as_ref().map(ToString::to_string) }),
                is_ephemeral: false,
                ephemeral: BTreeMap::new(),
            },
            Storage::Ephemeral { size_limit } => Self {
                when_deleted: Retention::Retain,
                when_scaled: Retention::Retain,
                claim: None,
                is_ephemeral: true,
                ephemeral: size_limit.iter().map(|limit| ("sizeLimit", limit.to_string())).collect(),
            },
        }
    }
}

impl PlacementContext {
    fn of(cluster: &Cluster) -> Self {
        let placement = &cluster.placement;
        let spreads =
            [("topology.kubernetes.io/zone", placement.zone_spread), ("kubernetes.io/hostname", placement.host_spread)];
        let spreads = spreads.into_iter().filter_map(|(topology_key, spread)| {
            when_unsatisfiable(spread).map(|when_unsatisfiable| SpreadContext { topology_key, when_unsatisfiable })
        });
        Self {
            spreads: some(&spreads.collect(), Vec::is_empty),
            node_selector: some(&placement.node_selector, BTreeMap::is_empty),
            tolerations: some(&placement.tolerations, Vec::is_empty),
            priority_class_name: some(&placement.priority_class_name, String::is_empty),
        }
    }
}

impl Alerts {
    fn of(cluster: &Cluster) -> Self {
        Self { group: format!("valkey.{}.{}", cluster.namespace, cluster.name), rules: alerts::of(cluster) }
    }
}

/// The labels of an object or pod: the user's, then those that make it known. Those of objects are not those of pods, which would
/// restart whenever somebody sorts their objects anew.
fn labels(users: &BTreeMap<String, String>, cluster: &Cluster, component: &str) -> Labels {
    let mut labels = users.clone();
    let ours = [
        ("app.kubernetes.io/name", "valkey"),
        ("app.kubernetes.io/instance", cluster.name.as_ref()),
        ("app.kubernetes.io/managed-by", "valkey-render"),
    ];
    labels.extend(ours.map(|(key, value)| (key.to_owned(), value.to_owned())));
    labels.extend(selector(cluster, component));
    labels
}

/// As little as tells the pods apart, for selectors cannot change: never a version, a hash or a label of the user's.
fn selector(cluster: &Cluster, component: &str) -> Labels {
    let pairs = [(names::CLUSTER_LABEL, cluster.name.as_ref()), (names::COMPONENT_LABEL, component)];
    pairs.map(|(key, value)| (key.to_owned(), value.to_owned())).into()
}

fn budgets(cluster: &Cluster, names: &Names) -> Vec<Budget> {
    let whole = Budget {
        name: names.cluster.clone(),
        selector: selector(cluster, names::SERVER),
        is_of_shard: false,
        replicas: cluster.replicas_per_shard,
    };
    let of_shard = |shard: u16| {
        let mut budget = Budget { name: names.shard_budget(shard), is_of_shard: true, ..whole.clone() };
        budget.selector.insert(names::SHARD_LABEL.to_owned(), shard.to_string());
        budget
    };
    match cluster.disruption_budget {
        DisruptionBudget::PerShard => (0..cluster.shards).map(of_shard).collect(),
        DisruptionBudget::PerCluster => vec![whole],
    }
}

fn auth(cluster: &Cluster) -> Option<AuthContext> {
    match &cluster.auth {
        Auth::Password(secret) => Some(AuthContext { secret: secret.name.to_string(), key: secret.key.to_string() }),
        Auth::Disabled => None,
    }
}

fn resources(resources: &Resources) -> Option<Resources> {
    some(resources, |resources| resources.requests.is_empty() && resources.limits.is_empty())
}

const fn when_unsatisfiable(spread: Spread) -> Option<&'static str> {
    match spread {
        Spread::Required => Some("DoNotSchedule"),
        Spread::Preferred => Some("ScheduleAnyway"),
        Spread::Off => None,
    }
}

/// The value, unless it is empty: templates leave out what is none.
fn some<T: Clone>(value: &T, is_empty: impl Fn(&T) -> bool) -> Option<T> {
    (!is_empty(value)).then(|| value.clone())
}
