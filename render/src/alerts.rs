//! Alerts over the agent's metrics, each of which says what to do.

use serde::Serialize;
use spec::{Cluster, names};

/// One alert.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Alert {
    name: &'static str,
    expression: String,
    wait: &'static str,
    severity: &'static str,
    summary: String,
    remedy: &'static str,
}

/// An alert before it is told of which cluster it is: `%` stands for the labels that pick the cluster.
struct Rule {
    name: &'static str,
    expression: &'static str,
    wait: &'static str,
    severity: &'static str,
    summary: &'static str,
    remedy: &'static str,
}

const RULES: [Rule; 9] = [
    Rule {
        name: "ValkeySlotsUncovered",
        expression: "valkey_cluster_slots_covered{%} < 16384",
        wait: "1m",
        severity: "critical",
        summary: "some keys are served by nobody",
        remedy: "A shard has no primary. `valkey-topology-agent status` names it; bring one of its pods back, or its volume.",
    },
    Rule {
        name: "ValkeyAgentStuck",
        expression: "valkey_agent_plan{%,state=\"stuck\"} == 1",
        wait: "2m",
        severity: "critical",
        summary: "the agent cannot go on by itself",
        remedy: "`valkey-topology-agent plan` says why and what to do.",
    },
    Rule {
        name: "ValkeyForeignNode",
        expression: "valkey_cluster_foreign_nodes{%} > 0",
        wait: "0s",
        severity: "critical",
        summary: "a node of another cluster is known to this one",
        remedy: "Two clusters that merge lose keys. Part them: the agent has frozen every change, and its status names the node.",
    },
    Rule {
        name: "ValkeyShardWithoutReplica",
        expression: "valkey_shard_replicas_in_sync{%} < 1 and valkey_shard_replicas_wanted{%} > 0",
        wait: "5m",
        severity: "warning",
        summary: "a shard has no replica in sync",
        remedy: "The loss of its primary would lose keys. Look at its pods: pending, crashing, or still loading.",
    },
    Rule {
        name: "ValkeyUpgradeHalted",
        expression: "valkey_agent_upgrade_halted{%} == 1",
        wait: "0s",
        severity: "warning",
        summary: "a rolling restart has halted",
        remedy: "The restarted pod did not come back in sync; its primaries still serve. Revert in Git, or mend what its log says.",
    },
    Rule {
        name: "ValkeyMemoryNearlyFull",
        expression: "valkey_node_memory_used_bytes{%} / valkey_node_memory_max_bytes{%} > 0.9",
        wait: "10m",
        severity: "warning",
        summary: "a server has nearly all the memory that it may take",
        remedy: "Add a shard, raise the memory limit, or set an eviction policy in spec.config.",
    },
    Rule {
        name: "ValkeyReplicationLag",
        expression: "valkey_node_replication_lag_seconds{%} > 30",
        wait: "5m",
        severity: "warning",
        summary: "a replica lags behind its primary",
        remedy: "A failover to it would lose what it lacks. Look at the network, the disk, and client-output-buffer-limit.",
    },
    Rule {
        name: "ValkeyCertificateExpires",
        expression: "valkey_node_certificate_expires_seconds{%} < 7 * 86400",
        wait: "1h",
        severity: "critical",
        summary: "a certificate that a server shows ends within a week",
        remedy: "Look at the Certificate and its issuer; with a Secret of your own, renew what is in it.",
    },
    Rule {
        name: "ValkeyAgentAbsent",
        expression: "absent(valkey_agent_leader{%} == 1)",
        wait: "10m",
        severity: "warning",
        summary: "no agent looks after the cluster",
        remedy: "The cluster serves without it, and nothing heals, scales or restarts. Look at the agent's Deployment.",
    },
];

/// The alerts of a cluster.
pub(crate) fn of(cluster: &Cluster) -> Vec<Alert> {
    let labels = format!("namespace=\"{}\",cluster=\"{}\"", cluster.namespace, cluster.name);
    let alert = |rule: &Rule| Alert {
        name: rule.name,
        expression: rule.expression.replace('%', &labels),
        wait: rule.wait,
        severity: rule.severity,
        summary: format!("{} {}/{}: {}", names::SERVER, cluster.namespace, cluster.name, rule.summary),
        remedy: rule.remedy,
    };
    RULES.iter().map(alert).collect()
}
