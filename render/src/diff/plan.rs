//! What will happen, in words that need no knowledge of Kubernetes.

use std::cmp::Ordering;

use spec::{Cluster, Storage};

use super::{Change, Rule, rules};

/// How many slots the keys of a cluster are spread over.
const SLOTS: u32 = 16384;

/// What will happen to the cluster.
pub(super) fn in_words(before: Option<&Cluster>, after: Option<&Cluster>, changes: &[Change]) -> Vec<String> {
    match (before, after) {
        (None, None) => Vec::new(),
        (None, Some(new)) => vec![creation(new)],
        (Some(old), None) => vec![removal(old)],
        (Some(old), Some(new)) => {
            let steps = [
                shards(old, new),
                replicas(old, new),
                restarts(old, new, changes),
                live(old, new, changes),
                volumes(old, new),
                agent(changes),
            ];
            steps.into_iter().flatten().collect()
        }
    }
}

fn creation(new: &Cluster) -> String {
    let volumes = match &new.storage {
        Storage::Volume { size, .. } => format!("{} volumes of {size}", new.pods()),
        Storage::Ephemeral { .. } => "no volumes".to_owned(),
    };
    let replicas = count(new.replicas_per_shard.into(), "replica");
    format!("creates a cluster of {} shards with {replicas} each: {} pods, {volumes}", new.shards, new.pods())
}

fn removal(old: &Cluster) -> String {
    let volumes = if rules::keeps_volumes(old) { "its volumes stay" } else { "its data goes with it" };
    format!("removes the cluster and its {} pods; {volumes}", old.pods())
}

fn shards(old: &Cluster, new: &Cluster) -> Option<String> {
    let (before, after) = (u32::from(old.shards), u32::from(new.shards));
    match after.cmp(&before) {
        Ordering::Equal => None,
        Ordering::Greater => {
            let added = after - before;
            let moved = thousands(SLOTS * added / after);
            Some(format!("adds {}: about {moved} of 16,384 slots move, no restart", count(added, "shard")))
        }
        Ordering::Less => {
            let removed = before - after;
            let moved = thousands(SLOTS * removed / before);
            let pods = count(removed * (1 + u32::from(new.replicas_per_shard)), "pod");
            let shards = count(removed, "shard");
            Some(format!(
                "removes {shards}: about {moved} of 16,384 slots move off first, then {pods} leave, no restart"
            ))
        }
    }
}

fn replicas(old: &Cluster, new: &Cluster) -> Option<String> {
    let (before, after) = (u32::from(old.replicas_per_shard), u32::from(new.replicas_per_shard));
    let each = |replicas: u32| (count(replicas, "replica"), count(replicas * u32::from(new.shards), "pod"));
    match after.cmp(&before) {
        Ordering::Equal => None,
        Ordering::Greater => {
            let (replicas, pods) = each(after - before);
            Some(format!("adds {replicas} to each shard: {pods} join and copy their shard, no restart"))
        }
        Ordering::Less => {
            let (replicas, pods) = each(before - after);
            let left = if after == 0 { "; the loss of one pod then loses its keys until it is back" } else { "" };
            Some(format!("takes {replicas} from each shard: {pods} leave, no restart{left}"))
        }
    }
}

fn restarts(old: &Cluster, new: &Cluster, changes: &[Change]) -> Option<String> {
    let restarting: Vec<&Change> = changes.iter().filter(|change| change.rule == Rule::PodsRestart).collect();
    if restarting.is_empty() {
        return None;
    }
    let pods = old.pods().min(new.pods());
    let failovers = if new.replicas_per_shard == 0 { 0 } else { old.shards.min(new.shards) };
    let serving = match failovers {
        0 => "each shard is away while its pod restarts".to_owned(),
        _ => format!("{failovers} planned failovers"),
    };
    let paused =
        if new.upgrade.paused { "; the upgrade is paused, so nothing restarts until it is resumed" } else { "" };
    Some(format!("{}: {pods} pods restart one by one, {serving}{paused}", causes(old, new, &restarting)))
}

/// What makes the pods restart, in the user's words.
fn causes(old: &Cluster, new: &Cluster, restarting: &[&Change]) -> String {
    let known = [
        ("image", "image changes"),
        ("resources", "resources change"),
        ("nodeSelector", "placement changes"),
        ("tolerations", "placement changes"),
        ("topologySpreadConstraints", "placement changes"),
        ("priorityClassName", "priority changes"),
        ("metadata.labels", "labels of pods change"),
        ("data.valkey.conf", "configuration changes"),
        ("data.start.sh", "configuration changes"),
    ];
    let cause = |change: &&Change| {
        known.iter().find(|(part, _)| change.path.contains(part)).map_or("pod template changes", |(_, words)| words)
    };
    let mut causes: Vec<&str> = restarting.iter().map(cause).collect();
    causes.sort_unstable();
    causes.dedup();
    let joined = causes.join(", ");
    if old.version == new.version { joined } else { format!("version {} to {}, {joined}", old.version, new.version) }
}

fn live(old: &Cluster, new: &Cluster, changes: &[Change]) -> Option<String> {
    changes.iter().find(|change| change.rule == Rule::LiveConfiguration)?;
    let (before, after) = (old.live_settings(), new.live_settings());
    // What only one of two series knows comes and goes by a restart.
    let differs = |(name, value): &(&String, &String)| before.get(*name).is_some_and(|before| before != *value);
    let mut names: Vec<&str> = after.iter().filter(differs).map(|(name, _)| name.as_str()).collect();
    if new.max_memory().is_some() && new.max_memory_percent != old.max_memory_percent {
        names.push("maxmemory");
    }
    names.sort_unstable();
    if names.is_empty() {
        return None;
    }
    Some(format!("{}: set live on {} servers, no restart", names.join(", "), new.pods()))
}

fn volumes(old: &Cluster, new: &Cluster) -> Option<String> {
    let stay = || format!("{} volumes stay as they are: Kubernetes never shrinks one", new.pods());
    match (rules::expansion_target(old), rules::expansion_target(new)) {
        (Some(before), Some(after)) if after < before => Some(stay()),
        (Some(_), None) if matches!(new.storage, Storage::Volume { .. }) => Some(stay()),
        (before, Some(after)) if before != Some(after) => {
            Some(format!("{} volumes grow to {after}, no restart", new.pods()))
        }
        _ => None,
    }
}

fn agent(changes: &[Change]) -> Option<String> {
    let restarts = changes.iter().any(|change| change.rule == Rule::AgentRestart);
    restarts.then(|| "the agent restarts; the servers go on".to_owned())
}

fn count(number: u32, noun: &str) -> String {
    match number {
        0 => format!("no {noun}"),
        1 => format!("1 {noun}"),
        _ => format!("{number} {noun}s"),
    }
}

/// 4096 as `4,096`.
fn thousands(number: u32) -> String {
    if number < 1000 { number.to_string() } else { format!("{},{:03}", number / 1000, number % 1000) }
}
