//! Slots for a cluster that was never written to: all of them at once, or what an interrupted round left over.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::Arc;

use super::{MOMENT, Next, meet};
use crate::draft::Draft;
use crate::id::NodeId;
use crate::layout::{Layout, Shard};
use crate::plan::{Scope, Waiting};
use crate::sharing::{Holder, shares};
use crate::situation::Situation;
use crate::step::Step;
use crate::view::Role;

pub(super) fn decide(situation: &Situation<'_>, draft: &mut Draft) -> Next {
    if situation.unowned.is_empty() || (situation.is_formed() && !situation.is_unused()) {
        return ControlFlow::Continue(());
    }
    if draft.is_calm() && is_joined(situation) && situation.is_unused() {
        hand_out(situation, draft);
    }
    draft.wait(Scope::Cluster, Waiting::Joining, situation.now + MOMENT);
    ControlFlow::Break(())
}

fn is_joined(situation: &Situation<'_>) -> bool {
    let members = situation.members().filter(|(target, _, _)| target.pod.0 < situation.desired.pods()).count();
    members == usize::try_from(situation.desired.pods()).unwrap_or(usize::MAX) && meet::all_know_all(situation)
}

/// Cuts what nobody owns into one piece for each shard that has less than its share, and lets the other members follow. Both go on
/// side by side: a replica may follow a primary that has no slots yet.
fn hand_out(situation: &Situation<'_>, draft: &mut Draft) {
    let layout = Layout::of(situation);
    let primaries = primaries(situation, &layout.shards);
    let own = |id: Option<&NodeId>| id.and_then(|id| situation.owners.get(id)).cloned().unwrap_or_default();
    let mut holders: Vec<Holder> =
        layout.shards.iter().map(|shard| Holder { slots: own(primaries.get(&shard.number)), stays: true }).collect();
    // Nobody's slots are one more holder that keeps none.
    holders.push(Holder { slots: situation.unowned.clone(), stays: false });
    let shares = shares(&holders, false);
    let mut left = situation.unowned.clone();
    for ((shard, holder), share) in layout.shards.iter().zip(&holders).zip(&shares).rev() {
        let slots = left.split_off(share.saturating_sub(holder.slots.len()));
        let node = primaries.get(&shard.number).and_then(|id| situation.target(*id));
        if let (Some(node), false) = (node, slots.is_empty()) {
            draft.step(Step::AddSlots { node, slots });
        }
        for member in shard.members.iter().filter(|_| shard.head.is_none()) {
            let follower = situation.target(*member).zip(node).filter(|(node, primary)| node.id != primary.id);
            let alone = situation.server(*member).is_some_and(|server| server.role == Role::Primary);
            if let Some((node, primary)) = follower.filter(|_| alone) {
                draft.step(Step::Replicate { node, primary: primary.id });
            }
        }
    }
}

/// The primary of each shard: the one that it has, or the member whose zone has the fewest so far.
pub(super) fn primaries(situation: &Situation<'_>, shards: &[Shard]) -> BTreeMap<u16, NodeId> {
    let mut zones: BTreeMap<Option<Arc<str>>, usize> = BTreeMap::new();
    let zone_of = |id: &NodeId| {
        let pod = situation.target(*id).and_then(|target| situation.view.pods.get(&target.pod));
        pod.and_then(|pod| pod.place.zone.clone())
    };
    for head in shards.iter().filter_map(|shard| shard.head) {
        *zones.entry(zone_of(&head)).or_default() += 1;
    }
    let mut primaries = BTreeMap::new();
    for shard in shards {
        let could_lead = |id: &&NodeId| situation.server(**id).is_some_and(|server| server.role == Role::Primary);
        let least = |id: &&NodeId| zones.get(&zone_of(id)).copied().unwrap_or_default();
        let chosen = shard.head.or_else(|| shard.members.iter().filter(could_lead).min_by_key(least).copied());
        if let Some(id) = chosen {
            if shard.head.is_none() {
                *zones.entry(zone_of(&id)).or_default() += 1;
            }
            primaries.insert(shard.number, id);
        }
    }
    primaries
}
