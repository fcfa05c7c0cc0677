//! Which servers are one cluster: those that know each other by their ids, over any number of others.
//!
//! A pod may come back on a volume of an earlier cluster of the same name, with slots, an epoch and a table of its own. Nobody here knows
//! its id and it knows nobody's: what it says of others is of no interest, and what it claims is its own affair.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use crate::id::NodeId;
use crate::view::{Opinion, Pod, Row, View};

/// The opinions that are held in the cluster. Of all groups of acquaintances, that is the one with the most primaries that own slots, then
/// with the most servers; and every other that knows of no earlier life: nodes that are about to make a cluster, or to join it.
pub(crate) fn of_the_cluster(view: &View) -> BTreeSet<usize> {
    let groups = groups(view);
    let best = groups.iter().max_by_key(|(leader, group)| (group.owners, group.servers, Reverse(**leader)));
    let best = best.map(|(leader, _)| *leader);
    let ours = groups.into_iter().filter(|(leader, group)| Some(*leader) == best || !group.knows_replaced);
    ours.flat_map(|(_, group)| group.opinions).collect()
}

/// Servers that know each other.
#[derive(Default)]
struct Group {
    opinions: BTreeSet<usize>,
    servers: usize,
    owners: usize,
    /// Whether it knows a node in whose pod another one answers.
    knows_replaced: bool,
}

/// All groups, by the first opinion of each.
fn groups(view: &View) -> BTreeMap<usize, Group> {
    let leaders = leaders(view);
    let mut groups: BTreeMap<usize, Group> = BTreeMap::new();
    for (_, _, server) in view.servers() {
        let leader = leaders.get(&server.opinion).copied().unwrap_or(server.opinion);
        let group = groups.entry(leader).or_default();
        group.servers += 1;
        let own = view.opinion(server).and_then(|opinion| opinion.row(server.id));
        group.owners += usize::from(own.is_some_and(|row| !row.slots.is_empty()));
        if group.opinions.insert(server.opinion) {
            group.knows_replaced |= view.opinion(server).is_some_and(|opinion| knows_replaced(view, opinion));
        }
    }
    groups
}

fn knows_replaced(view: &View, opinion: &Opinion) -> bool {
    let successor = |row: &Row| row.pod.and_then(|pod| view.pods.get(&pod)).and_then(Pod::server);
    opinion.rows.iter().any(|row| successor(row).is_some_and(|server| server.id != row.id))
}

/// For each opinion, the first one of its group.
fn leaders(view: &View) -> BTreeMap<usize, usize> {
    let held: BTreeMap<NodeId, usize> = view.servers().map(|(_, _, server)| (server.id, server.opinion)).collect();
    let mut leaders: BTreeMap<usize, usize> = (0..view.opinions.len()).map(|opinion| (opinion, opinion)).collect();
    for (index, opinion) in view.opinions.iter().enumerate() {
        for other in opinion.rows.iter().filter_map(|row| held.get(&row.id)) {
            join(&mut leaders, index, *other);
        }
    }
    (0..view.opinions.len()).map(|opinion| (opinion, leader(&leaders, opinion))).collect()
}

fn leader(leaders: &BTreeMap<usize, usize>, opinion: usize) -> usize {
    let mut at = opinion;
    while let Some(next) = leaders.get(&at).filter(|next| **next != at) {
        at = *next;
    }
    at
}

fn join(leaders: &mut BTreeMap<usize, usize>, one: usize, other: usize) {
    let (one, other) = (leader(leaders, one), leader(leaders, other));
    leaders.insert(one.max(other), one.min(other));
}
