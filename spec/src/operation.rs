//! How the cluster is run: disruptions, rebalancing, upgrades, monitoring.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::checks::Checks;
use crate::text::Duration;

/// Whether one disruption budget covers all pods, or each shard has its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub enum DisruptionBudget {
    /// At most one pod of the cluster is evicted at a time.
    #[default]
    PerCluster,
    /// At most one pod of each shard: for seven shards and more, where drains must not queue up.
    PerShard,
}

/// How slots are spread over the shards.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Rebalance {
    /// Whether the agent evens out slots by itself, after shards were added and at rest. Where it does not, a new shard stays without
    /// slots until somebody moves some there.
    pub auto: bool,
    /// How many migrations of slots may run side by side.
    #[schemars(range(min = 1, max = 100))]
    pub max_concurrent_migrations: u8,
}

/// How pods are restarted onto a new version or configuration.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Upgrade {
    /// True to restart no pod for now.
    pub paused: bool,
    /// Whether one replica of one shard goes first, then the rest of that shard, then the others.
    pub canary: bool,
    /// How long a restarted pod may take to be back and in sync before the upgrade halts.
    pub sync_timeout: Duration,
    /// True to let pods go back to a series that cannot read the files of the newer one: each starts on an empty volume and syncs.
    pub allow_downgrade: bool,
}

/// Objects for the Prometheus operator.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Monitoring {
    /// Whether to render a `PodMonitor` for the agent's metrics.
    pub pod_monitor: bool,
    /// Whether to render a `PrometheusRule` with alerts.
    pub prometheus_rule: bool,
}

impl Default for Rebalance {
    fn default() -> Self {
        Self { auto: true, max_concurrent_migrations: 4 }
    }
}

impl Default for Upgrade {
    fn default() -> Self {
        Self { paused: false, canary: true, sync_timeout: Duration::seconds(300), allow_downgrade: false }
    }
}

impl Upgrade {
    pub(crate) fn check(&self, checks: &mut Checks) {
        if self.sync_timeout < Duration::seconds(10) || self.sync_timeout > Duration::hours(24) {
            checks.refuse(
                "spec.upgrade.syncTimeout",
                format!("`{}` is out of range", self.sync_timeout),
                "write between 10s and 24h: how long one pod may take to load its data and sync",
            );
        }
    }
}
