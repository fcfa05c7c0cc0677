//! How a change is judged: which class it has, and what to do about it.

use serde::{Serialize, Serializer};
use serde_json::Value;
use spec::names::{FINGERPRINT_ANNOTATION, TEMPLATE_ANNOTATION};
use spec::{Auth, ClientAuth, Cluster, Quantity, Retention, Storage, Tls};

use super::Change;
use super::leaves::Leaf;

/// How dangerous a change is; the most dangerous first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Class {
    /// Loses data, breaks the running cluster, or cannot be applied.
    Block,
    /// Restarts pods.
    Restart,
    /// Moves slots, adds or removes members.
    Topology,
    /// Changes who may reach what, or what may be disrupted.
    Exposure,
    /// Anything else.
    Info,
}

macro_rules! rules {
    ($($(#[$doc:meta])* $rule:ident $id:literal $class:ident $remedy:literal,)+) => {
        /// The rule by which a change is judged.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Rule {
            $($(#[$doc])* $rule,)+
        }

        impl Rule {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$rule),+];

            /// The rule's name.
            #[must_use]
            pub const fn id(self) -> &'static str {
                match self { $(Self::$rule => $id,)+ }
            }

            /// How dangerous what it is about is.
            #[must_use]
            pub const fn class(self) -> Class {
                match self { $(Self::$rule => Class::$class,)+ }
            }

            /// What to do.
            #[must_use]
            pub const fn remedy(self) -> &'static str {
                match self { $(Self::$rule => $remedy,)+ }
            }
        }
    };
}

rules! {
    /// A cluster, or the set of its pods, goes away.
    ClusterRemoved "cluster-removed" Block
        "If it is meant, allow it; volumes stay only with onDelete: Retain. A rename is a removal: set up the new cluster beside the old one and move the data.",
    /// A field that Kubernetes never changes on an object that exists.
    ImmutableField "immutable-field" Block
        "Kubernetes refuses it. To grow volumes, leave storage.size and set storage.expandTo; for anything else, set up a new cluster beside the old one.",
    /// An older series than the data was written by.
    Downgrade "downgrade" Block
        "An older Valkey cannot read the files of a newer one. Revert only what did not restart yet, or set upgrade.allowDowngrade: each pod then starts on an empty volume and syncs.",
    /// Encryption is switched on or off.
    TlsSwitched "tls-switched" Block
        "Members with and without TLS do not understand each other, so that a rolling restart would part the cluster. Set up a new cluster beside the old one.",
    /// Another authority signs the certificates.
    CertificateAuthority "certificate-authority" Block
        "Members whose certificates come from different authorities do not trust each other, so that a rolling restart would part the cluster. Let all trust both first, by a Secret whose ca.crt holds both, and change then; allow it if the authority stays the same.",
    /// Passwords are switched on or off, or come from elsewhere.
    AuthSwitched "auth-switched" Block
        "Restarted pods would refuse those that still use the old password. To rotate it, change the value in the same Secret.",
    /// Nothing is written to disk any more.
    PersistenceDisabled "persistence-disabled" Block
        "A shard whose pods restart together loses its keys. Allow it if the data may be lost.",
    /// Keys stand in snapshots, and servers will look for them in the log.
    SnapshotsUnread "snapshots-unread" Block
        "A server that logs its writes starts from its log and reads no snapshot; without a replica to sync from, it starts empty. Add a replica first; or run CONFIG SET appendonly yes on every server, and allow it once INFO persistence says 0 for aof_rewrite_scheduled and aof_rewrite_in_progress.",
    /// Volumes will be deleted where they were kept.
    VolumesDeleted "volumes-deleted" Block
        "Volumes would go with what used them. Allow it if their data is not needed any more.",
    /// Pods leave, and their volumes are deleted.
    VolumesScaledIn "volumes-scaled-in" Block
        "The pods that leave take their volumes with them, as onScaleIn: Delete says. Allow it if those copies of the data are not needed any more.",
    /// Volumes would have to become smaller.
    VolumesShrink "volumes-shrink" Block
        "Kubernetes never shrinks a volume. Leave storage.expandTo as it is; for smaller volumes, set up a new cluster beside the old one.",
    /// Members will announce other host names.
    HostNamesChanged "host-names-changed" Block
        "Clients and certificates know members by their host names. Set up a new cluster beside the old one.",
    /// The pod template differs.
    PodsRestart "pods-restart" Restart
        "The agent restarts one pod of a shard at a time, replicas first; upgrade.paused holds it back.",
    /// More or fewer shards.
    ShardCount "shard-count" Topology
        "Slots move while the cluster serves; pods leave only after their slots have.",
    /// More or fewer replicas.
    ReplicaCount "replica-count" Topology
        "Each new replica copies its shard once; with fewer, a shard survives fewer losses.",
    /// Who may connect.
    NetworkAccess "network-access" Exposure
        "Look at who may connect now, and who may no longer.",
    /// Whether clients have to show a certificate.
    ClientCertificates "client-certificates" Exposure
        "Without certificates, whoever reaches the port may try passwords; where they are required, clients that have none are turned away.",
    /// What may be evicted at a time.
    DisruptionBudget "disruption-budget" Exposure
        "Look at how many pods a drain may take at a time.",
    /// What the agent may do.
    AgentRights "agent-rights" Exposure
        "Look at what the agent may do now.",
    /// A Service that others use.
    ServiceReach "service-reach" Exposure
        "Look at who uses the Service, and from where it can be reached.",
    /// Directives that are changed on running servers.
    LiveConfiguration "live-configuration" Info
        "The agent sets it on every running server.",
    /// Volumes grow.
    VolumeExpansion "volume-expansion" Info
        "The storage class has to allow expansion, and volumes never shrink again.",
    /// The agent restarts.
    AgentRestart "agent-restart" Info
        "The servers go on serving.",
    /// The certificate is issued again.
    CertificateIssued "certificate-issued" Info
        "Servers take the new certificate without a restart.",
    /// An object comes.
    ObjectAdded "object-added" Info
        "Nothing to do.",
    /// An object that nothing depends on goes.
    ObjectRemoved "object-removed" Info
        "Nothing to do.",
    /// Anything else.
    Other "other" Info
        "Nothing to do.",
}

impl Serialize for Rule {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.id())
    }
}

impl Class {
    /// As it is printed.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Block => "BLOCK",
            Self::Restart => "RESTART",
            Self::Topology => "TOPOLOGY",
            Self::Exposure => "EXPOSURE",
            Self::Info => "INFO",
        }
    }
}

impl Serialize for Class {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

/// The rule for an object (`Kind/name`) that goes away.
pub(super) fn of_removal(object: &str) -> Rule {
    match kind_of(object) {
        "StatefulSet" | "PersistentVolumeClaim" => Rule::ClusterRemoved,
        "NetworkPolicy" => Rule::NetworkAccess,
        "PodDisruptionBudget" => Rule::DisruptionBudget,
        "Service" => Rule::ServiceReach,
        _ => Rule::ObjectRemoved,
    }
}

/// The rule for an object (`Kind/name`) that comes.
pub(super) fn of_addition(object: &str) -> Rule {
    match kind_of(object) {
        "PodDisruptionBudget" => Rule::DisruptionBudget,
        _ => Rule::ObjectAdded,
    }
}

fn kind_of(object: &str) -> &str {
    object.split('/').next().unwrap_or_default()
}

/// The rule for a field that differs; none where another change says the same better.
pub(super) fn of_field(kind: &str, leaf: &Leaf) -> Option<Rule> {
    let path = leaf.path.as_str();
    let within = |prefixes: &[&str]| prefixes.iter().any(|prefix| path.starts_with(prefix));
    Some(match kind {
        "StatefulSet"
            if within(&[
                "spec.volumeClaimTemplates",
                "spec.serviceName",
                "spec.selector",
                "spec.podManagementPolicy",
            ]) =>
        {
            Rule::ImmutableField
        }
        "Deployment" if within(&["spec.selector"]) => Rule::ImmutableField,
        "RoleBinding" if within(&["roleRef"]) => Rule::ImmutableField,
        "Service" if path == "spec.clusterIP" => Rule::ImmutableField,
        "StatefulSet" if within(&["spec.persistentVolumeClaimRetentionPolicy"]) && deletes(leaf) => {
            Rule::VolumesDeleted
        }
        // Its hash stands for the lines of the ConfigMap, which say more.
        "StatefulSet" if path.contains("valkey-gitops.dev/config-hash") => return None,
        "StatefulSet" if within(&["spec.template"]) => Rule::PodsRestart,
        "ConfigMap" if within(&["data.valkey.conf", "data.start.sh"]) => Rule::PodsRestart,
        "ConfigMap" if within(&["data.live.conf"]) => Rule::LiveConfiguration,
        // The clusters themselves are compared instead.
        "ConfigMap" if within(&["data.cluster.yaml"]) => return None,
        "ValkeyCluster" if within(&["spec"]) => return None,
        // They stand for what says more.
        _ if path.contains(FINGERPRINT_ANNOTATION) || path.contains(TEMPLATE_ANNOTATION) => return None,
        "Deployment" if within(&["spec.template"]) => Rule::AgentRestart,
        "NetworkPolicy" if within(&["spec"]) => Rule::NetworkAccess,
        "PodDisruptionBudget" if within(&["spec"]) => Rule::DisruptionBudget,
        "Role" | "RoleBinding" if !within(&["metadata"]) => Rule::AgentRights,
        "Service" if within(&["spec"]) => Rule::ServiceReach,
        "Certificate" if within(&["spec.issuerRef"]) => Rule::CertificateAuthority,
        "Certificate" if within(&["spec"]) => Rule::CertificateIssued,
        _ => Rule::Other,
    })
}

fn deletes(leaf: &Leaf) -> bool {
    leaf.after.as_ref().and_then(Value::as_str) == Some("Delete")
}

/// What only the clusters themselves can tell.
pub(super) fn of_clusters(before: &Cluster, after: &Cluster) -> Vec<Change> {
    let mut told = settings(before, after);
    if let (Some(old), Some(new)) = (authority(&before.tls), authority(&after.tls)) {
        told.push((Rule::CertificateAuthority, "spec.tls", old, new));
    }
    if let (Some(old), Some(new)) = (client_auth(&before.tls), client_auth(&after.tls)) {
        told.push((Rule::ClientCertificates, "spec.tls.clientAuth", old, new));
    }
    told.push((expansion_rule(before, after), "spec.storage.expandTo", expansion(before), expansion(after)));
    told.extend(losses(before, after));
    let differing = told.into_iter().filter(|(_, _, one, other)| one != other);
    let change = |(rule, field, old, new)| {
        Change::new(rule, "ValkeyCluster", field, Some(Value::String(old)), Some(Value::String(new)))
    };
    differing.map(change).collect()
}

/// Ways to start without the keys that were there. Each leads in one direction only.
fn losses(before: &Cluster, after: &Cluster) -> Vec<Setting> {
    let mut losses = Vec::new();
    if after.version.series < before.version.series {
        losses.push((Rule::Downgrade, "spec.version", before.version.to_string(), after.version.to_string()));
    }
    if before.persistence.keeps_keys() && !after.persistence.keeps_keys() {
        losses.push((Rule::PersistenceDisabled, "spec.persistence", on_or_off(true), on_or_off(false)));
    }
    if after.pods() < before.pods() && deletes_when_scaled_in(after) {
        let volumes = |cluster: &Cluster| format!("{} volumes", cluster.pods());
        losses.push((Rule::VolumesScaledIn, "spec.storage.onScaleIn", volumes(before), volumes(after)));
    }
    if leaves_snapshots_unread(before, after) {
        losses.push((Rule::SnapshotsUnread, "spec.persistence.appendOnly", false.to_string(), true.to_string()));
    }
    losses
}

/// With a replica, a restarted server syncs from the one that took over.
fn leaves_snapshots_unread(before: &Cluster, after: &Cluster) -> bool {
    let (old, new) = (&before.persistence, &after.persistence);
    after.replicas_per_shard == 0 && old.keeps_keys() && !old.append_only && new.append_only
}

/// A field of a spec with its rule, as it was and as it will be.
type Setting = (Rule, &'static str, String, String);

/// Settings that matter as soon as they differ. Most of them only the agent reads: they stand in no object but the desired state.
fn settings(before: &Cluster, after: &Cluster) -> Vec<Setting> {
    let values = |cluster: &Cluster| {
        [
            (Rule::TlsSwitched, "spec.tls", on_or_off(cluster.tls != Tls::Disabled)),
            (Rule::AuthSwitched, "spec.auth", auth(&cluster.auth)),
            (Rule::HostNamesChanged, "spec.clusterDomain", cluster.cluster_domain.to_string()),
            (Rule::ShardCount, "spec.shards", cluster.shards.to_string()),
            (Rule::ReplicaCount, "spec.replicasPerShard", cluster.replicas_per_shard.to_string()),
            (Rule::Other, "spec.rebalance.auto", cluster.rebalance.auto.to_string()),
            (
                Rule::Other,
                "spec.rebalance.maxConcurrentMigrations",
                cluster.rebalance.max_concurrent_migrations.to_string(),
            ),
            (Rule::Other, "spec.upgrade.paused", cluster.upgrade.paused.to_string()),
            (Rule::Other, "spec.upgrade.canary", cluster.upgrade.canary.to_string()),
            (Rule::Other, "spec.upgrade.syncTimeout", cluster.upgrade.sync_timeout.to_string()),
            (Rule::Other, "spec.upgrade.allowDowngrade", cluster.upgrade.allow_downgrade.to_string()),
        ]
    };
    let pairs = values(before).into_iter().zip(values(after));
    pairs.map(|((rule, field, old), (_, _, new))| (rule, field, old, new)).collect()
}

fn on_or_off(on: bool) -> String {
    if on { "on" } else { "off" }.to_owned()
}

fn auth(auth: &Auth) -> String {
    match auth {
        Auth::Password(secret) => format!("{}/{}", secret.name, secret.key),
        Auth::Disabled => "off".to_owned(),
    }
}

/// What vouches for the certificates, as far as a spec can tell; none without encryption.
fn authority(tls: &Tls) -> Option<String> {
    match tls {
        Tls::Issued { issuer, .. } => Some(format!("{}.{}/{}", issuer.kind, issuer.group, issuer.name)),
        Tls::Provided { secret_name, .. } => Some(format!("Secret/{secret_name}")),
        Tls::Disabled => None,
    }
}

/// Whether clients have to show a certificate, in the words of a spec; none without encryption.
fn client_auth(tls: &Tls) -> Option<String> {
    let (Tls::Issued { client_auth, .. } | Tls::Provided { client_auth, .. }) = tls else { return None };
    let word = match client_auth {
        ClientAuth::Required => "Required",
        ClientAuth::Optional => "Optional",
        ClientAuth::Off => "Off",
    };
    Some(word.to_owned())
}

const fn deletes_when_scaled_in(cluster: &Cluster) -> bool {
    matches!(cluster.storage, Storage::Volume { on_scale_in: Retention::Delete, .. })
}

fn expansion(cluster: &Cluster) -> String {
    expansion_target(cluster).map_or("none".to_owned(), |size| size.to_string())
}

fn expansion_rule(before: &Cluster, after: &Cluster) -> Rule {
    match (expansion_target(before), expansion_target(after)) {
        (Some(old), Some(new)) if new < old => Rule::VolumesShrink,
        _ => Rule::VolumeExpansion,
    }
}

/// The size to which volumes are grown; none if they keep the one that they were created with.
pub(super) const fn expansion_target(cluster: &Cluster) -> Option<Quantity> {
    match &cluster.storage {
        Storage::Volume { expand_to, .. } => *expand_to,
        Storage::Ephemeral { .. } => None,
    }
}

/// Whether volumes outlive the pods that use them.
pub(super) const fn keeps_volumes(cluster: &Cluster) -> bool {
    matches!(cluster.storage, Storage::Volume { on_delete: Retention::Retain, .. })
}
