//! Alerts over the agent's metrics, each of which says what to do.

use serde::Serialize;
use spec::{Cluster, Tls, names};

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

/// An alert before it is told of which cluster it is: `%` stands for the labels that pick the cluster, `&` for the seconds before the
/// end of a certificate at which it should have been renewed.
struct Rule {
    name: &'static str,
    when: When,
    expression: &'static str,
    wait: &'static str,
    severity: &'static str,
    summary: &'static str,
    remedy: &'static str,
}

/// Of which clusters an alert means something.
#[derive(Clone, Copy)]
enum When {
    /// Of all.
    Always,
    /// Of those that refuse writes when memory is full; one that evicts keys is meant to be full.
    Refuses,
    /// Of those that show a certificate.
    Encrypts,
}

/// What is left of a certificate of the user's own when its renewal is overdue.
const WEEK_SECONDS: u64 = 7 * 86400;

const RULES: [Rule; 10] = [
    Rule {
        name: "ValkeySlotsUncovered",
        when: When::Always,
        expression: "valkey_cluster_slots_covered{%} < 16384",
        wait: "1m",
        severity: "critical",
        summary: "some keys are served by nobody",
        remedy: "A shard has no primary. `valkey-topology-agent status` names it; bring one of its pods back, or its volume.",
    },
    Rule {
        name: "ValkeyAgentStuck",
        when: When::Always,
        expression: "valkey_agent_plan{%,state=\"stuck\"} == 1",
        wait: "2m",
        severity: "critical",
        summary: "the agent cannot go on by itself",
        remedy: "`valkey-topology-agent plan` says why and what to do.",
    },
    Rule {
        name: "ValkeyAgentBlind",
        when: When::Always,
        expression: "valkey_agent_plan{%,state=\"blind\"} == 1",
        wait: "5m",
        severity: "critical",
        summary: "the agent cannot see the cluster, and does nothing",
        remedy: "Its log and the events of the StatefulSet say why: what should be, a Secret or a certificate cannot be read.",
    },
    Rule {
        name: "ValkeyForeignNode",
        when: When::Always,
        expression: "valkey_cluster_foreign_nodes{%} > 0",
        wait: "0s",
        severity: "critical",
        summary: "a node of another cluster is known to this one",
        remedy: "Two clusters that merge lose keys. Part them: the agent has frozen every change, and its status names the node.",
    },
    Rule {
        name: "ValkeyShardWithoutReplica",
        when: When::Always,
        expression: "valkey_shard_replicas_in_sync{%} < 1 and valkey_shard_replicas_wanted{%} > 0",
        wait: "5m",
        severity: "warning",
        summary: "a shard has no replica in sync",
        remedy: "The loss of its primary would lose keys. Look at its pods: pending, crashing, or still loading.",
    },
    Rule {
        name: "ValkeyUpgradeHalted",
        when: When::Always,
        expression: "valkey_agent_upgrade_halted{%} == 1",
        wait: "0s",
        severity: "warning",
        summary: "a rolling restart has halted",
        remedy: "The restarted pod did not come back in sync; its primaries still serve. Revert in Git, or mend what its log says.",
    },
    Rule {
        name: "ValkeyMemoryNearlyFull",
        when: When::Refuses,
        expression: "valkey_node_memory_used_bytes{%} / valkey_node_memory_max_bytes{%} > 0.9",
        wait: "10m",
        severity: "warning",
        summary: "a server has nearly all the memory that it may take",
        remedy: "Add a shard, raise the memory limit, or set an eviction policy in spec.config.",
    },
    Rule {
        name: "ValkeyReplicationLag",
        when: When::Always,
        expression: "valkey_node_replication_lag_seconds{%} > 30",
        wait: "5m",
        severity: "warning",
        summary: "a replica lags behind its primary",
        remedy: "A failover to it would lose what it lacks. Look at the network, the disk, and client-output-buffer-limit.",
    },
    Rule {
        name: "ValkeyCertificateExpires",
        when: When::Encrypts,
        expression: "valkey_node_certificate_expires_seconds{%} < &",
        wait: "1h",
        severity: "critical",
        summary: "a certificate that a server shows ends soon, and should have been renewed",
        remedy: "Look at the Certificate and its issuer; with a Secret of your own, renew what is in it.",
    },
    Rule {
        name: "ValkeyAgentAbsent",
        when: When::Always,
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
    let overdue = overdue_seconds(&cluster.tls).to_string();
    let alert = |rule: &Rule| Alert {
        name: rule.name,
        expression: rule.expression.replace('%', &labels).replace('&', &overdue),
        wait: rule.wait,
        severity: rule.severity,
        summary: format!("{} {}/{}: {}", names::SERVER, cluster.namespace, cluster.name, rule.summary),
        remedy: rule.remedy,
    };
    RULES.iter().filter(|rule| rule.when.holds(cluster)).map(alert).collect()
}

/// Half of what the issuer had for the renewal.
const fn overdue_seconds(tls: &Tls) -> u64 {
    match tls {
        Tls::Issued { renew_before, .. } => renew_before.as_millis() / 2000,
        Tls::Provided { .. } | Tls::Disabled => WEEK_SECONDS,
    }
}

impl When {
    fn holds(self, cluster: &Cluster) -> bool {
        match self {
            Self::Always => true,
            Self::Refuses => cluster.max_memory().is_some() && !evicts(cluster),
            Self::Encrypts => cluster.tls != Tls::Disabled,
        }
    }
}

fn evicts(cluster: &Cluster) -> bool {
    let policy = cluster.config.directives.iter().find(|(directive, _)| directive.name == "maxmemory-policy");
    policy.is_some_and(|(_, value)| value != "noeviction")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The alerts of a cluster with these lines in its spec, as one text.
    fn alerts(lines: &str) -> String {
        let spec = format!(
            "apiVersion: valkey-gitops.dev/v1alpha1\nkind: ValkeyCluster\nmetadata: {{name: a, namespace: b}}\nspec:\n  \
             version: \"9.1\"\n  auth: {{disabled: true}}\n{lines}"
        );
        format!("{:?}", of(&spec::read(&spec, None).unwrap().remove(0).cluster))
    }

    #[test]
    fn a_full_cache_is_no_alarm() {
        let plain = "  tls: {disabled: true}\n";
        let full = |lines: &str| alerts(&format!("{plain}{lines}")).contains("ValkeyMemoryNearlyFull");
        assert!(full("") && full("  config: {maxmemory-policy: noeviction}\n"));
        assert!(!full("  config: {maxmemory-policy: allkeys-lru}\n") && !full("  resources: {}\n"));
    }

    #[test]
    fn a_certificate_that_was_not_renewed_in_half_of_its_time_is_one() {
        assert!(alerts("  tls: {issuerRef: {name: ca}, renewBefore: 48h}\n").contains("} < 86400\""));
        assert!(alerts("  tls: {secretName: own}\n").contains("} < 604800\""));
        assert!(!alerts("  tls: {disabled: true}\n").contains("ValkeyCertificateExpires"));
    }
}
