//! Which servers are one cluster: those that know each other by their ids, over any number of others.
//!
//! A pod may come back on a volume of an earlier cluster of the same name, with slots, an epoch and a table of its own. Nobody here knows
//! its id and it knows nobody's: what it says of others is of no interest, and what it claims is its own affair.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use crate::id::NodeId;
use crate::slots::SlotSet;
use crate::view::View;

/// The opinions that are held in the cluster. Of all groups of acquaintances, that is the one with the most primaries that own slots, then
/// with the most servers; and every other that says nothing of the same slots: nodes have theirs before they meet.
pub(crate) fn of_the_cluster(view: &View) -> BTreeSet<usize> {
    let groups = groups(view);
    let best = groups.iter().max_by_key(|(leader, group)| (group.owners, group.servers, Reverse(**leader)));
    let (leader, slots) = best.map(|(leader, group)| (*leader, group.slots.clone())).unwrap_or_default();
    let ours = groups.into_iter().filter(|(other, group)| *other == leader || !group.slots.overlaps(&slots));
    ours.flat_map(|(_, group)| group.opinions).collect()
}

/// Servers that know each other.
#[derive(Default)]
struct Group {
    opinions: BTreeSet<usize>,
    servers: usize,
    owners: usize,
    /// The slots of which they know an owner.
    slots: SlotSet,
}

/// All groups, by the first opinion of each.
fn groups(view: &View) -> BTreeMap<usize, Group> {
    let leaders = leaders(view);
    let mut groups: BTreeMap<usize, Group> = BTreeMap::new();
    for (_, _, server) in view.servers() {
        let Some(opinion) = view.opinion(server) else { continue };
        let leader = leaders.get(&server.opinion).copied().unwrap_or(server.opinion);
        let group = groups.entry(leader).or_default();
        group.servers += 1;
        group.owners += usize::from(opinion.row(server.id).is_some_and(|row| !row.slots.is_empty()));
        if group.opinions.insert(server.opinion) {
            let owned = opinion.rows.iter().map(|row| &row.slots).filter(|slots| !slots.is_empty());
            group.slots = owned.fold(std::mem::take(&mut group.slots), |all, slots| all.or(slots));
        }
    }
    groups
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
