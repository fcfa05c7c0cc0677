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
use crate::situation::{Member, Situation};
use crate::step::Step;
use crate::view::{Opinion, Server};

pub(super) fn decide(situation: &Situation<'_>, draft: &mut Draft) {
    let Some(hub) = situation.hub() else { return };
    let lost = lost(situation, hub.id);
    if lost.is_empty() {
        return;
    }
    draft.unsettle();
    let primaries_lost = lost.iter().any(|(_, _, server)| is_primary(situation, server));
    for (peer, pod, server) in lost {
        if let (Some(address), true) = (pod.address, is_primary(situation, server) || !primaries_lost) {
            draft.step(Step::Meet { node: hub, peer, address });
        }
    }
    draft.wait(Scope::Cluster, Waiting::Joining, situation.now + MOMENT);
}

fn is_primary(situation: &Situation<'_>, server: &Server) -> bool {
    situation.owners.contains_key(&server.id)
}

/// The members that the hub does not find, and that do not find the hub, over any number of others; and those that do not know it.
fn lost<'a>(situation: &Situation<'a>, hub: NodeId) -> Vec<Member<'a>> {
    let right = right_addresses(situation);
    // Where every opinion names every address rightly, nobody is lost.
    if right.values().all(|right| right.len() == situation.members().count()) {
        return Vec::new();
    }
    // Who does not know the hub at all does not listen to it.
    let deaf = |server: &Server| situation.view.opinion(server).is_none_or(|opinion| opinion.row(hub).is_none());
    let mut found = BTreeSet::from([hub]);
    loop {
        let before = found.len();
        for (target, _, server) in situation.members() {
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
    situation.members().filter(|(target, _, server)| !found.contains(&target.id) || deaf(server)).collect()
}

/// The members whose present address stands in each opinion.
fn right_addresses(situation: &Situation<'_>) -> BTreeMap<usize, BTreeSet<NodeId>> {
    let right = |opinion: &Opinion| {
        let stands = |(target, pod, _): &Member<'_>| {
            opinion.row(target.id).is_some_and(|row| row.address.is_some() && row.address == pod.address)
        };
        situation.members().filter(stands).map(|(target, _, _)| target.id).collect()
    };
    situation.opinions().map(|(held, opinion)| (held, right(opinion))).collect()
}
