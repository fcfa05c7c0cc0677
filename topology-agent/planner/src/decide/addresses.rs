//! Nodes that cannot find each other because their addresses changed.
//!
//! A node that knows where another is greets it, and the other then learns where the first one is. So only where two groups have
//! each lost the other's addresses is help needed: one node is told the address of another, which it already knows by its id. Primaries
//! go first, all at once: a replica that met a majority before its primary did would take over for nothing.
//!
//! Two nodes that others find would hear of each other from those, but only once they have taken each other for failed: for seconds,
//! they would send clients to an address that is nobody's. They are told as well.

use std::collections::{BTreeMap, BTreeSet};

use super::MOMENT;
use crate::draft::Draft;
use crate::id::NodeId;
use crate::plan::{Scope, Waiting};
use crate::situation::{Member, Situation};
use crate::step::{Step, Target};
use crate::view::{Opinion, Server};

/// Of more pairs than these, the others hear from one another meanwhile.
const MOST: usize = 128;

/// The members whose present address stands in each opinion.
type Right = BTreeMap<usize, BTreeSet<NodeId>>;

pub(super) fn decide(situation: &Situation<'_>, draft: &mut Draft) {
    let right = right_addresses(situation);
    let everybody = situation.members().count();
    if right.values().all(|right| right.len() == everybody) {
        return;
    }
    let Some(hub) = situation.hub() else { return };
    let lost = lost(situation, hub.id, &right);
    let primaries_lost = lost.iter().any(|(_, _, server)| is_primary(situation, server));
    let mut meetings: Vec<(Target, Member<'_>)> = lost.into_iter().map(|peer| (hub, peer)).collect();
    meetings.retain(|(_, (_, _, server))| is_primary(situation, server) || !primaries_lost);
    if meetings.is_empty() {
        meetings = apart(situation, &right);
    }
    for (node, (peer, pod, _)) in &meetings {
        pod.address.into_iter().for_each(|address| draft.step(Step::Meet { node: *node, peer: *peer, address }));
    }
    if !meetings.is_empty() {
        draft.unsettle();
        draft.wait(Scope::Cluster, Waiting::Joining, situation.now + MOMENT);
    }
}

fn is_primary(situation: &Situation<'_>, server: &Server) -> bool {
    situation.owners.contains_key(&server.id)
}

/// The members that the hub does not find, and that do not find the hub, over any number of others; and those that do not know it.
fn lost<'a>(situation: &Situation<'a>, hub: NodeId, right: &Right) -> Vec<Member<'a>> {
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

/// The members that know each other, and of which neither has the other's present address. What one of the two has, the other soon hears
/// from it.
fn apart<'a>(situation: &Situation<'a>, right: &Right) -> Vec<(Target, Member<'a>)> {
    let finds = |a: &Server, b: &Server| right.get(&a.opinion).is_some_and(|right| right.contains(&b.id));
    let knows = |a: &Server, b: &Server| situation.view.opinion(a).is_some_and(|opinion| opinion.row(b.id).is_some());
    // Mostly one that has restarted, and then there is no pair: only who is wrongly placed somewhere can be apart from anyone.
    let is_misplaced = |(target, ..): &Member<'_>| right.values().any(|right| !right.contains(&target.id));
    let moved: Vec<Member<'a>> = situation.members().filter(is_misplaced).collect();
    let pairs = moved.iter().flat_map(|a| moved.iter().map(move |b| (a, b))).filter(|(a, b)| a.0 < b.0);
    let apart = pairs.filter(|((.., a), (.., b))| !finds(a, b) && !finds(b, a) && knows(a, b) && knows(b, a));
    apart.take(MOST).map(|(a, b)| (a.0, *b)).collect()
}

fn right_addresses(situation: &Situation<'_>) -> Right {
    let right = |opinion: &Opinion| {
        let stands = |(target, pod, _): &Member<'_>| {
            opinion.row(target.id).is_some_and(|row| row.address.is_some() && row.address == pod.address)
        };
        situation.members().filter(stands).map(|(target, _, _)| target.id).collect()
    };
    situation.opinions().map(|(held, opinion)| (held, right(opinion))).collect()
}
