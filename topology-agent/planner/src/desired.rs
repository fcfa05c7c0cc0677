//! What should be: the part of a checked spec that the planner acts upon.

use std::collections::BTreeMap;

use spec::{Cluster, Series, Spread, Storage};

use crate::time::Span;

/// What should be.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[allow(clippy::struct_excessive_bools, reason = "each is a switch of the spec")]
pub struct Desired {
    /// How many shards; 3 to 500.
    pub shards: u16,
    /// How many replicas each shard has besides its primary; 0 to 5.
    pub replicas: u8,
    /// The series of the servers, once every pod runs the current template.
    pub series: Series,
    /// Whether members of a shard stand on different hosts.
    pub host_spread: Spread,
    /// Whether members of a shard stand in different zones.
    pub zone_spread: Spread,
    /// Whether slots are evened out at rest, and new shards filled. Those that dissolve are drained in any case.
    pub rebalance: bool,
    /// How many migrations of slots may run side by side.
    pub migrations: u8,
    /// Whether pods are restarted onto a new template at all.
    pub paused: bool,
    /// Whether one shard goes first when pods are restarted.
    pub canary: bool,
    /// How long a restarted pod may take to be back and in sync.
    pub sync_timeout: Span,
    /// Whether pods may go back to a series that cannot read the files of theirs: each then starts on an empty volume.
    pub downgrade: bool,
    /// Whether data outlives a pod. Where it does not, a shard that lost all its pods at once comes back empty.
    pub persistent: bool,
    /// Bytes that each volume should have, if it may have to grow.
    pub volume: Option<u64>,
    /// The share of its pod's memory limit that the keys of a server may take, in percent.
    pub max_memory_percent: u8,
    /// Directives that are set on running servers, with their values as servers report them.
    pub settings: BTreeMap<String, String>,
}

impl Desired {
    /// The part of a spec that the planner acts upon.
    #[must_use]
    pub fn of(cluster: &Cluster) -> Self {
        let (stored, volume) = match &cluster.storage {
            Storage::Volume { expand_to, .. } => (true, expand_to.map(spec::Quantity::rounded_up)),
            Storage::Ephemeral { .. } => (false, None),
        };
        Self {
            shards: cluster.shards,
            replicas: cluster.replicas_per_shard,
            series: cluster.version.series,
            host_spread: cluster.placement.host_spread,
            zone_spread: cluster.placement.zone_spread,
            rebalance: cluster.rebalance.auto,
            migrations: cluster.rebalance.max_concurrent_migrations,
            paused: cluster.upgrade.paused,
            canary: cluster.upgrade.canary,
            sync_timeout: Span(cluster.upgrade.sync_timeout.as_millis()),
            downgrade: cluster.upgrade.allow_downgrade,
            persistent: stored && cluster.persistence.keeps_keys(),
            volume,
            max_memory_percent: cluster.max_memory_percent,
            settings: cluster.live_settings(),
        }
    }

    /// How many members each shard has: its primary and its replicas.
    #[must_use]
    pub fn members(&self) -> u32 {
        1 + u32::from(self.replicas)
    }

    /// How many pods there are in all.
    #[must_use]
    pub fn pods(&self) -> u32 {
        u32::from(self.shards) * self.members()
    }
}
