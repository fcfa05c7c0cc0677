//! Slots that stand open for the classic migration: begun by us and cut short, by an earlier agent, or by hand.
//!
//! Both sides and the keys decide. A slot is carried on with where its way is clear; closed where no key is on the other side;
//! and left to people where more than two nodes take part.

use std::collections::{BTreeMap, BTreeSet};

use super::MOMENT;
use super::migrations::is_full;
use crate::draft::Draft;
use crate::id::NodeId;
use crate::plan::{Scope, Trouble, Waiting};
use crate::situation::Situation;
use crate::slots::SlotSet;
use crate::step::{Migration, Step};
use crate::view::Opening;

pub(super) fn decide(situation: &Situation<'_>, draft: &mut Draft) {
    let slots = open_slots(situation);
    tell_strays(situation, &slots, draft);
    for (slot, open) in slots {
        let owner = situation.owners.iter().find(|(_, slots)| slots.contains(slot)).map(|(id, _)| *id);
        draft.wait(Scope::Cluster, Waiting::Migration { slots: 1 }, situation.now + MOMENT);
        open.ends().chain(owner).for_each(|end| draft.occupy(end));
        if let Some(owner) = owner.filter(|_| situation.agreed) {
            settle(situation, slot, owner, &open, draft);
        }
    }
}

/// Keys that nobody finds: their slot belongs to another node, and stands open nowhere. What is being moved is none of these.
fn tell_strays(situation: &Situation<'_>, open: &BTreeMap<u16, Open>, draft: &mut Draft) {
    let open: SlotSet = open.keys().map(|slot| *slot..=*slot).collect();
    let primaries = situation.members().filter(|(target, _, _)| is_primary(situation, target.id));
    for (target, _, server) in primaries.filter(|(target, _, _)| !situation.moving.contains(&target.id)) {
        let slots = server.strays.without(&situation.unowned).without(&open);
        if situation.agreed && !slots.is_empty() {
            draft.stuck(Scope::Pod(target.pod), Trouble::StrayKeys { slots });
        }
    }
}

/// Who has a slot open, and to which side.
#[derive(Default)]
struct Open {
    migrating: BTreeMap<NodeId, NodeId>,
    importing: BTreeMap<NodeId, NodeId>,
}

impl Open {
    /// All who take part.
    fn ends(&self) -> impl Iterator<Item = NodeId> {
        let sides = [&self.migrating, &self.importing].into_iter();
        sides.flat_map(|side| side.iter().flat_map(|(here, there)| [*here, *there]))
    }
}

fn open_slots(situation: &Situation<'_>) -> BTreeMap<u16, Open> {
    let mut slots: BTreeMap<u16, Open> = BTreeMap::new();
    // Replicas show what their primary has open.
    for (target, _, server) in situation.members().filter(|(_, _, server)| server.follows().is_none()) {
        for open in &server.open {
            let entry = slots.entry(open.slot).or_default();
            match open.to {
                Opening::Migrating(to) => entry.migrating.insert(target.id, to),
                Opening::Importing(from) => entry.importing.insert(target.id, from),
            };
        }
    }
    slots
}

fn settle(situation: &Situation<'_>, slot: u16, owner: NodeId, open: &Open, draft: &mut Draft) {
    let one = SlotSet::range(slot..=slot);
    let holds = |id: &NodeId| situation.server(*id).is_some_and(|server| server.strays.contains(slot));
    let holders: BTreeSet<NodeId> = situation
        .members()
        .map(|(target, _, _)| target.id)
        .filter(|id| holds(id) && is_primary(situation, *id))
        .collect();
    let destination = open.migrating.get(&owner).copied();
    let others: BTreeSet<NodeId> =
        open.importing.keys().copied().chain(destination).chain(holders.iter().copied()).collect();
    let mut others = others.into_iter().filter(|id| *id != owner);
    match (others.next(), others.next()) {
        (Some(other), None) => finish_or_close(situation, owner, other, one, open, holders.contains(&other), draft),
        // Open on the owner alone, to nowhere that could be seen.
        (None, _) => close(situation, owner, one, draft),
        (Some(_), Some(_)) => draft.stuck(Scope::Cluster, Trouble::TangledSlot { slot }),
    }
}

fn is_primary(situation: &Situation<'_>, id: NodeId) -> bool {
    situation.server(id).is_some_and(|server| server.follows().is_none())
}

/// Where its owner gives it away and the other side is open or has keys, the slot goes on its way. Keys on the other side alone are no
/// reason to: a server that comes back takes a slot for open of which it has old keys. What nobody has keys of is closed.
fn finish_or_close(
    situation: &Situation<'_>,
    owner: NodeId,
    other: NodeId,
    slots: SlotSet,
    open: &Open,
    has_keys: bool,
    draft: &mut Draft,
) {
    let leaves = open.migrating.contains_key(&owner);
    if leaves && (has_keys || open.importing.contains_key(&other)) {
        let ends = situation.target(owner).zip(situation.target(other).filter(|_| is_primary(situation, other)));
        if let Some((source, target)) = ends.filter(|(source, target)| !is_full(situation, *source, *target, draft)) {
            draft.step(Step::Migrate { source, target, slots, how: Migration::Classic });
        }
        return;
    }
    if let Some(node) = situation.target(other).filter(|_| has_keys) {
        return draft.stuck(Scope::Pod(node.pod), Trouble::StrayKeys { slots });
    }
    for id in [owner, other] {
        if open.migrating.contains_key(&id) || open.importing.contains_key(&id) {
            close(situation, id, slots.clone(), draft);
        }
    }
}

fn close(situation: &Situation<'_>, id: NodeId, slots: SlotSet, draft: &mut Draft) {
    if let Some(node) = situation.target(id) {
        draft.step(Step::CloseSlots { node, slots });
    }
}
