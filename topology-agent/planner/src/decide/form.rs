//! Slots for a cluster that was never written to: all of them at once, before its nodes meet, or what an interrupted round left over.

use std::ops::ControlFlow;

use super::{MOMENT, Next, meet};
use crate::draft::Draft;
use crate::id::NodeId;
use crate::layout::Layout;
use crate::plan::{Scope, Waiting};
use crate::sharing::{Holder, shares};
use crate::situation::Situation;
use crate::step::Step;
use crate::view::Labels;

pub(super) fn decide(situation: &Situation<'_>, layout: &Layout, draft: &mut Draft) -> Next {
    if situation.unowned.is_empty() || (situation.is_formed() && !situation.is_unused()) {
        return ControlFlow::Continue(());
    }
    if draft.is_calm() && (situation.is_blank() || is_joined(situation) && situation.is_unused()) {
        hand_out(situation, layout, draft);
    }
    draft.wait(Scope::Cluster, Waiting::Joining, situation.now + MOMENT);
    ControlFlow::Break(())
}

fn is_joined(situation: &Situation<'_>) -> bool {
    let members = situation.members().filter(|(target, _, _)| target.pod.0 < situation.desired.pods()).count();
    members == usize::try_from(situation.desired.pods()).unwrap_or(usize::MAX) && meet::all_know_all(situation)
}

/// Cuts what nobody owns into one piece for each shard that has less than its share. [Replicas](super::replicas) follow when all
/// know who owns what: one that does not know the slots of its primary could not take over from it.
fn hand_out(situation: &Situation<'_>, layout: &Layout, draft: &mut Draft) {
    let primaries = &layout.primaries;
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
        shard.members.iter().for_each(|member| appoint(situation, *member, shard.number, draft));
    }
}

/// A label keeps the place of a pod that does nothing yet.
fn appoint(situation: &Situation<'_>, member: NodeId, shard: u16, draft: &mut Draft) {
    if let Some((pod, about)) = situation.seen_pod(member).filter(|(_, about)| about.labels.shard != Some(shard)) {
        draft.step(Step::Label { pod, labels: Labels { shard: Some(shard), ..about.labels } });
    }
}
