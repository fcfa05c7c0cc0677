//! Nodes that cannot find each other because their addresses changed.
//!
//! A node that knows where another is greets it, and the other then learns where the first one is. So only where two groups have
//! each lost the other's addresses is help needed: one node is told the address of another, which it already knows by its id. Primaries
//! go first, all at once: a replica that met a majority before its primary did would take over for nothing.

use std::collections::{BTreeMap, BTreeSet};

use super::MOMENT;
use crate::draft::Draft;
use crate::id::NodeId;
use crate::plan::{Scope, Waiting};
use crate::situation::Situation;
use crate::step::{Step, Target};
use crate::view::{Opinion, Pod, Role, Server};

pub(super) fn decide(situation: &Situation<'_>, draft: &mut Draft) {
    let members: Vec<(Target, &Pod, &Server)> = situation.members().collect();
    let Some((hub, _, first)) = members.iter().max_by_key(|(target, _, server)| {
        (server.role == Role::Primary && situation.owners.contains_key(&target.id), std::cmp::Reverse(target.pod))
    }) else {
        return;
    };
    // Where all hold one opinion, and it names every address rightly, nobody is lost.
    let lost = lost(situation, &members, first.id);
    if lost.is_empty() {
        return;
    }
    draft.unsettle();
    let primaries_lost = lost.iter().any(|(_, _, server)| is_primary(situation, server));
    for (peer, pod, server) in lost {
        if let (Some(address), true) = (pod.address, is_primary(situation, server) || !primaries_lost) {
            draft.step(Step::Meet { node: *hub, peer, address });
        }
    }
    draft.wait(Scope::Cluster, Waiting::Joining, situation.now + MOMENT);
}

fn is_primary(situation: &Situation<'_>, server: &Server) -> bool {
    situation.owners.contains_key(&server.id)
}

/// The members that the hub does not find, and that do not find the hub, over any number of others; and those that do not know it.
fn lost<'a>(
    situation: &Situation<'a>,
    members: &[(Target, &'a Pod, &'a Server)],
    hub: NodeId,
) -> Vec<(Target, &'a Pod, &'a Server)> {
    let right = right_addresses(situation, members);
    let held: BTreeSet<usize> = members.iter().map(|(_, _, server)| server.opinion).collect();
    if held.iter().all(|opinion| right.get(opinion).is_some_and(|right| right.len() == members.len())) {
        return Vec::new();
    }
    // Who does not know the hub at all does not listen to it.
    let deaf = |server: &Server| situation.view.opinion(server).is_none_or(|opinion| opinion.row(hub).is_none());
    let mut found = BTreeSet::from([hub]);
    loop {
        let before = found.len();
        for (target, _, server) in members {
            let knows = right.get(&server.opinion);
            if found.contains(&target.id) {
                found.extend(knows.into_iter().flatten().copied());
            } else if knows.is_some_and(|known| known.iter().any(|id| found.contains(id) && *id != target.id)) {
                found.insert(target.id);
            }
        }
        if found.len() == before {
            break;
        }
    }
    members.iter().filter(|(target, _, server)| !found.contains(&target.id) || deaf(server)).copied().collect()
}

/// The members whose present address stands in each opinion.
fn right_addresses<'a>(
    situation: &Situation<'a>,
    members: &[(Target, &'a Pod, &'a Server)],
) -> BTreeMap<usize, BTreeSet<NodeId>> {
    let right = |opinion: &Opinion| {
        let stands = |(target, pod, _): &&(Target, &Pod, &Server)| {
            opinion.row(target.id).is_some_and(|row| row.address.is_some() && row.address == pod.address)
        };
        members.iter().filter(stands).map(|(target, _, _)| target.id).collect()
    };
    let held: BTreeSet<usize> = members.iter().map(|(_, _, server)| server.opinion).collect();
    held.into_iter()
        .filter_map(|index| situation.view.opinions.get(index).map(|opinion| (index, right(opinion))))
        .collect()
}
