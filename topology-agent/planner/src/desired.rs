//! What should be: the part of a checked spec that the planner acts upon.

use std::collections::BTreeMap;

use spec::{Cluster, Series, Spread, Storage};

use crate::time::Span;

/// What should be.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[allow(clippy::struct_excessive_bools, reason = "each is a switch of the spec")]
pub struct Desired {
    /// How many shards; 3 to 1,000.
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
        let persistence = &cluster.persistence;
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
            persistent: stored && (persistence.append_only || !persistence.snapshots.is_empty()),
            volume,
            max_memory_percent: cluster.max_memory_percent,
            settings: cluster.live_settings(),
        }
    }

    /// The same, where something else was wanted before: a directive that nobody chooses any more goes back to the value of a server that
    /// is not told otherwise. A new pod has that anyway; until then, its server has to be told.
    #[must_use]
    pub fn after(mut self, before: &Self) -> Self {
        for name in before.settings.keys() {
            if let Some(directive) = spec::settable(name, self.series).ok().filter(|directive| directive.live) {
                let value = directive.canonical(directive.default);
                self.settings.entry(name.clone()).or_insert(value);
            }
        }
        self
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

#[cfg(test)]
mod tests {
    use super::*;

    fn of(config: &str) -> Desired {
        let spec = format!("{{version: \"9.1\", tls: {{disabled: true}}, auth: {{disabled: true}}, config: {config}}}");
        let head =
            "apiVersion: valkey-gitops.dev/v1alpha1\nkind: ValkeyCluster\nmetadata: {name: a, namespace: b}\nspec: ";
        Desired::of(&spec::read(&format!("{head}{spec}\n"), None).unwrap().remove(0).cluster)
    }

    #[test]
    fn what_nobody_chooses_any_more_goes_back_to_what_it_was() {
        let policy = |desired: &Desired| desired.settings.get("maxmemory-policy").cloned();
        let chosen = of("{maxmemory-policy: allkeys-lru, tcp-backlog: 1000}");
        let back = of("{}").after(&chosen);
        assert_eq!((policy(&of("{}")), policy(&back)), (None, Some("noeviction".to_owned())));
        assert_eq!(policy(&of("{}").after(&back)), policy(&back));
        assert_eq!(policy(&of("{maxmemory-policy: volatile-lru}").after(&back)), Some("volatile-lru".to_owned()));
        // What is read at the start alone, and what is not the spec's to choose, has nothing to go back to.
        assert_eq!(back.settings.len(), of("{}").settings.len() + 1);
    }
}
