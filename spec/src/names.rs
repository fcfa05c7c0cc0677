//! Every name, label, port and path that the renderer writes and the agent reads: spelled here and nowhere else.

use crate::cluster::Cluster;
use crate::text::{ClusterName, Namespace};

/// The port of clients.
pub const CLIENT_PORT: u16 = 6379;
/// The port of the cluster bus.
pub const BUS_PORT: u16 = 16379;
/// The port of the agent's metrics and health.
pub const AGENT_PORT: u16 = 8080;

/// The label that carries a cluster's name; every selector begins with it.
pub const CLUSTER_LABEL: &str = "valkey-gitops.dev/cluster";
/// The label by which servers and agent are told apart.
pub const COMPONENT_LABEL: &str = "app.kubernetes.io/component";
/// The component of the pods that hold data.
pub const SERVER: &str = "valkey";
/// The component of the agent.
pub const AGENT: &str = "topology-agent";
/// The label of a pod's role, `primary` or `replica`; the agent writes it.
pub const ROLE_LABEL: &str = "valkey-gitops.dev/role";
/// The role that takes writes.
pub const PRIMARY: &str = "primary";
/// The role that follows a primary.
pub const REPLICA: &str = "replica";
/// The label of a pod's shard, counted from zero; the agent writes it.
pub const SHARD_LABEL: &str = "valkey-gitops.dev/shard";
/// The annotation of the pod template that changes when a restart is needed.
pub const CONFIG_HASH_ANNOTATION: &str = "valkey-gitops.dev/config-hash";

/// The annotation of a `StatefulSet` that says from which spec it was rendered; see [`Cluster::fingerprint`].
pub const FINGERPRINT_ANNOTATION: &str = "valkey-gitops.dev/spec-fingerprint";
/// The annotation of a `StatefulSet` that says which template it was rendered with.
pub const TEMPLATE_ANNOTATION: &str = "valkey-gitops.dev/template-hash";
/// The field of a custom resource that says the same; no spec that people write has it.
pub const RENDERED_TEMPLATE: &str = "renderedTemplate";
/// The annotation of a `ValkeyCluster` by which people hold back restarts for a while, without a change of the spec in Git.
pub const PAUSED_ANNOTATION: &str = "valkey-gitops.dev/paused";

/// The key of the desired state in its ConfigMap.
pub const DESIRED_STATE_KEY: &str = "cluster.yaml";

/// The directive that says how long a member may be silent; the agent shortens it while a cluster is made.
pub const NODE_TIMEOUT: &str = "cluster-node-timeout";
/// The container of a pod that runs the server.
pub const SERVER_CONTAINER: &str = "valkey";
/// The volume claim template of a pod that holds data.
const CLAIM: &str = "data";

const NODES: &str = "-nodes";
const PRIMARIES: &str = "-primaries";
const CONFIG: &str = "-config";
const DESIRED: &str = "-desired";
const STATUS: &str = "-status";
const AGENT_SUFFIX: &str = "-agent";
const TLS: &str = "-tls";
const SHARD: &str = "-shard-";

/// The suffix that makes a name one that is derived from the name of another cluster, if it has one.
pub(crate) fn derived_suffix(name: &str) -> Option<&str> {
    let shard = name.trim_end_matches(|last: char| last.is_ascii_digit());
    if shard.len() < name.len() && shard.ends_with(SHARD) {
        return name.get(shard.len() - SHARD.len()..);
    }
    [NODES, PRIMARIES, CONFIG, DESIRED, STATUS, AGENT_SUFFIX, TLS].into_iter().find(|suffix| name.ends_with(suffix))
}

/// The Secret that cert-manager writes a cluster's certificate to.
pub(crate) fn issued_secret(cluster: &ClusterName) -> String {
    format!("{cluster}{TLS}")
}

/// The ConfigMap with the desired state of a cluster: all that the agent knows of it at first is its name.
#[must_use]
pub fn desired(cluster: &ClusterName) -> String {
    format!("{cluster}{DESIRED}")
}

/// The ConfigMap with the configuration and the scripts of a cluster's servers.
#[must_use]
pub fn config(cluster: &ClusterName) -> String {
    format!("{cluster}{CONFIG}")
}

/// The ConfigMap in which a cluster's agent reports.
#[must_use]
pub fn status(cluster: &ClusterName) -> String {
    format!("{cluster}{STATUS}")
}

/// A cluster's agent, and its Lease.
#[must_use]
pub fn agent(cluster: &ClusterName) -> String {
    format!("{cluster}{AGENT_SUFFIX}")
}

/// Selects the pods that hold the data of a cluster.
#[must_use]
pub fn server_selector(cluster: &ClusterName) -> String {
    format!("{CLUSTER_LABEL}={cluster},{COMPONENT_LABEL}={SERVER}")
}

/// The pod with this number.
#[must_use]
pub fn pod(cluster: &ClusterName, ordinal: u32) -> String {
    format!("{cluster}-{ordinal}")
}

/// The claim of a pod's volume.
#[must_use]
pub fn claim(cluster: &ClusterName, ordinal: u32) -> String {
    format!("{CLAIM}-{cluster}-{ordinal}")
}

/// The names of a cluster's objects.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Names {
    /// The StatefulSet, its pods' prefix, and the Service of any member.
    pub cluster: String,
    /// The headless Service, under which every pod has its host name.
    pub nodes: String,
    /// The Service of the primaries.
    pub primaries: String,
    /// The ConfigMap with `valkey.conf` and the scripts.
    pub config: String,
    /// The ConfigMap with the desired state, which the agent reads.
    pub desired: String,
    /// The ConfigMap in which the agent reports.
    pub status: String,
    /// The agent's Deployment, ServiceAccount, Role, RoleBinding, Lease, NetworkPolicy and PodMonitor.
    pub agent: String,
    /// The Secret with the certificate.
    pub tls_secret: String,
}

impl Names {
    /// The names of this cluster's objects.
    #[must_use]
    pub fn of(cluster: &Cluster) -> Self {
        let name = &cluster.name;
        Self {
            cluster: name.to_string(),
            nodes: format!("{name}{NODES}"),
            primaries: format!("{name}{PRIMARIES}"),
            config: config(name),
            desired: desired(name),
            status: status(name),
            agent: agent(name),
            tls_secret: cluster.tls_secret_name(),
        }
    }

    /// The disruption budget of one shard.
    #[must_use]
    pub fn shard_budget(&self, shard: u16) -> String {
        format!("{}{SHARD}{shard}", self.cluster)
    }
}

/// The domain under which every pod has its host name.
#[must_use]
pub fn nodes_domain(cluster: &Cluster) -> String {
    format!("{}{NODES}.{}.svc.{}", cluster.name, cluster.namespace, cluster.cluster_domain)
}

/// The cluster and the namespace that such a domain is of.
#[must_use]
pub fn of_nodes_domain(domain: &str) -> Option<(ClusterName, Namespace)> {
    let (nodes, rest) = domain.split_once('.')?;
    let (namespace, _) = rest.split_once(".svc.")?;
    Some((nodes.strip_suffix(NODES)?.parse().ok()?, namespace.parse().ok()?))
}

/// The host name of a pod.
#[must_use]
pub fn host_name(cluster: &Cluster, ordinal: u32) -> String {
    format!("{}-{ordinal}.{}", cluster.name, nodes_domain(cluster))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_name_that_is_derived_from_one_cluster_is_that_of_another() {
        let spec = "{apiVersion: valkey-gitops.dev/v1alpha1, kind: ValkeyCluster, metadata: {name: a, namespace: b}, \
                    spec: {version: '9.1', tls: {issuerRef: {name: ca}}, auth: {disabled: true}}}";
        let cluster = crate::read(spec, None).unwrap().remove(0).cluster;
        let names = Names::of(&cluster);
        let shard = names.shard_budget(499);
        let Names { cluster, nodes, primaries, config, desired, status, agent, tls_secret } = names;
        assert!(cluster.parse::<ClusterName>().is_ok());
        for derived in [nodes, primaries, config, desired, status, agent, tls_secret, shard] {
            assert!(derived.parse::<ClusterName>().is_err(), "{derived}");
        }
        for fine in ["agent", "a-agents", "a-shard", "a-shard-b", "shard-1", "a-1"] {
            assert!(fine.parse::<ClusterName>().is_ok(), "{fine}");
        }
    }
}
