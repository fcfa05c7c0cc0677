//! Slots that nobody serves: their owner failed, or nobody owns them.

use std::collections::BTreeSet;

use super::{ELECTION, MOMENT, WHILE, failover};
use crate::draft::Draft;
use crate::id::{NodeId, Ordinal};
use crate::plan::{Scope, Trouble, Waiting};
use crate::situation::{Node, Situation};
use crate::slots::SlotSet;
use crate::step::{FailoverMode, Step};
use crate::view::{Health, Link, Pod, Role, Row, Server};

pub(super) fn decide(situation: &Situation<'_>, draft: &mut Draft) {
    if !situation.is_formed() {
        return;
    }
    // What nobody ever wrote to is still being [formed](super::form).
    if situation.has_lost_slots() {
        draft.unsettle();
        restore(situation, draft);
    }
    for id in situation.owners.keys().filter(|id| situation.server(**id).is_none()) {
        draft.occupy(*id);
        let Some(node) = situation.nodes.get(id) else { continue };
        if situation.has_quorum() || situation.is_unused() || is_extinct(situation, node) {
            succeed(situation, node, draft);
        }
    }
    if !situation.agreed {
        draft.unsettle();
        draft.wait(Scope::Cluster, Waiting::Disagreement, situation.now + MOMENT);
    }
}

/// Slots without an owner go back to the node that holds their keys, or to the one that others still take for their owner. Where
/// every pod answered and nobody has a key of them, they go to whoever owns least.
fn restore(situation: &Situation<'_>, draft: &mut Draft) {
    let unseen = situation.nodes.values().any(|node| node.seen.is_none() && !situation.is_replaced(node));
    let silent = situation.view.pods.values().any(|pod| pod.server().is_none());
    if unseen || silent || is_someone_missing(situation) {
        draft.wait(Scope::Cluster, Waiting::Silent, situation.now + WHILE);
        return;
    }
    let (held, disputed) = held(situation);
    let mut left = situation.unowned.without(&disputed);
    for (target, _, server) in situation.members().filter(|(_, _, server)| server.role == Role::Primary) {
        let back = server.strays.or(&remembered(situation, target.id).without(&held)).and(&left);
        left = left.without(&back);
        if !back.is_empty() {
            draft.step(Step::AddSlots { node: target, slots: back });
        }
    }
    if !disputed.is_empty() {
        draft.stuck(Scope::Cluster, Trouble::KeysDisputed { slots: disputed });
    }
    let least = situation.owners.iter().filter_map(|(id, slots)| situation.target(*id).map(|node| (slots.len(), node)));
    if let Some((_, node)) = least.min().filter(|_| !left.is_empty()) {
        draft.step(Step::AddSlots { node, slots: left });
    }
}

/// The slots without an owner of which a node holds keys, and those of them of which more than one does.
fn held(situation: &Situation<'_>) -> (SlotSet, SlotSet) {
    let mut held = SlotSet::EMPTY;
    let mut disputed = SlotSet::EMPTY;
    for (_, _, server) in situation.members().filter(|(_, _, server)| server.role == Role::Primary) {
        let strays = server.strays.and(&situation.unowned);
        disputed = disputed.or(&strays.and(&held));
        held = held.or(&strays);
    }
    (held, disputed)
}

/// Whether a pod should be there of which nobody knows a node: one that was given slots before it met the others may be in it.
fn is_someone_missing(situation: &Situation<'_>) -> bool {
    let known: BTreeSet<Ordinal> = situation.nodes.values().filter_map(|node| node.pod).collect();
    (0..situation.desired.pods()).any(|pod| !known.contains(&Ordinal(pod)))
}

/// The slots that others take for a node's own, while it says that it does not own them.
fn remembered(situation: &Situation<'_>, id: NodeId) -> SlotSet {
    let rows = situation.view.opinions.iter().filter_map(|opinion| opinion.row(id));
    rows.fold(SlotSet::EMPTY, |slots, row| slots.or(&row.slots)).and(&situation.unowned)
}

/// Who serves the slots of a primary that does not answer: the servers elect one of its replicas. Where they do not, one is told to
/// stand for election; where there is none left, the data is gone.
fn succeed(situation: &Situation<'_>, node: &Node<'_>, draft: &mut Draft) {
    let scope = node.pod.map_or(Scope::Cluster, Scope::Pod);
    let unused = situation.is_unused() && situation.is_replaced(node);
    if !unused && has_heir(situation, node.id) {
        match overdue(situation, node.id) {
            Some(step) if !draft.has_vote() => draft.step(step),
            Some(_) | None => draft.wait(scope, Waiting::Election, situation.now + MOMENT),
        }
    } else if situation.is_replaced(node) {
        inherit(situation, node, scope, draft);
    } else {
        draft.wait(scope, Waiting::Silent, situation.now + WHILE);
    }
}

/// Whether a replica may take over, now or when it is back.
fn has_heir(situation: &Situation<'_>, primary: NodeId) -> bool {
    situation.followers(primary).any(|replica| match replica.seen {
        Some((_, server)) => failover::knows_slots(situation, server, primary),
        None => !situation.is_replaced(replica),
    })
}

/// Whether a primary is gone with all of its replicas.
pub(super) fn is_extinct(situation: &Situation<'_>, primary: &Node<'_>) -> bool {
    situation.is_replaced(primary) && !has_heir(situation, primary.id)
}

/// The best replica, if the votes of the others have not come by themselves for long, and a majority sees that the primary failed.
///
/// Only if the primary is gone with its data: what may still come back has more than any replica.
fn overdue(situation: &Situation<'_>, primary: NodeId) -> Option<Step> {
    situation.nodes.get(&primary).filter(|node| situation.is_replaced(node))?;
    let replica = failover::best_orphan(situation, primary)?;
    let long = |server: &Server| match server.link {
        Link::Down(since) => situation.now.since(since) > ELECTION,
        Link::Never => true,
        Link::Up | Link::Syncing => false,
    };
    let failed = |row: &Row| row.health == Health::Failed;
    let voters = situation.owners.keys().filter_map(|id| situation.server(*id));
    let opinions = voters.filter_map(|server| situation.view.opinion(server));
    let witnesses = opinions.filter(|opinion| opinion.row(primary).is_some_and(failed)).count();
    let majority = witnesses * 2 > situation.owners.len();
    let candidate = situation.server(replica)?;
    let itself = situation.view.opinion(candidate).and_then(|opinion| opinion.row(primary)).is_some_and(failed);
    let ready = long(candidate)
        && itself
        && failover::knows_slots(situation, candidate, primary)
        && majority
        && situation.living_voters_see(replica);
    let replica = situation.target(replica).filter(|_| ready)?;
    Some(Step::Failover { replica, primary, mode: FailoverMode::Forced })
}

/// All members of a shard were lost with their data. Where data does not outlive a pod anyway, or none was ever written, the pod that
/// came back in the place of the primary takes the slots; where it does, someone has to say that it is lost.
fn inherit(situation: &Situation<'_>, lost: &Node<'_>, scope: Scope, draft: &mut Draft) {
    let slots = situation.owners.get(&lost.id).cloned().unwrap_or_default();
    if situation.desired.persistent && !situation.is_unused() {
        return draft.stuck(scope, Trouble::KeysLost { slots });
    }
    let heir = situation.pod_of(lost).and_then(Pod::server);
    let heir = heir.filter(|server| server.role == Role::Primary && situation.joined.contains(&server.id));
    match heir.and_then(|server| situation.target(server.id)) {
        Some(node) => draft.step(Step::ClaimSlots { node, slots }),
        None => draft.wait(scope, Waiting::Joining, situation.now + MOMENT),
    }
}
