//! Pods that are to go: they hand over, become blank, are forgotten, and only then are there fewer pods.
//!
//! A pod that comes back on a volume that was left behind is then a new node, whatever else happened to it in between.

use super::{MOMENT, WHILE, failover};
use crate::draft::Draft;
use crate::id::{NodeId, Ordinal};
use crate::layout::Layout;
use crate::plan::{Scope, Trouble, Waiting};
use crate::situation::Situation;
use crate::step::{Step, Target};
use crate::view::{Pod, Role, Server, Sight};

pub(super) fn decide(situation: &Situation<'_>, layout: &Layout, draft: &mut Draft) {
    let wanted = situation.desired.pods();
    if situation.view.scale <= wanted {
        return;
    }
    let leaving = situation.view.pods_from(Ordinal(wanted));
    if leaving.iter().all(|(ordinal, pod)| is_blank(situation, *ordinal, *pod)) {
        if draft.is_calm() {
            draft.step(Step::Scale { pods: wanted });
        }
        return;
    }
    for (ordinal, pod) in leaving {
        if let (Some(server), false) = (pod.and_then(Pod::server), draft.is_unsettled()) {
            part(situation, layout, Target { pod: ordinal, id: server.id }, server, draft);
        }
    }
    draft.wait(Scope::Cluster, Waiting::Rest, situation.now + WHILE);
    // What is held back waits for somebody, and what mends it may be a restart onto another template.
    if !draft.is_held_back() {
        draft.unsettle();
    }
}

/// Whether nobody would miss a pod: nobody knows a node of it, and it holds nothing, or does not run.
fn is_blank(situation: &Situation<'_>, ordinal: Ordinal, pod: Option<&Pod>) -> bool {
    let shared = situation.view.opinions.iter().filter(|opinion| opinion.rows.len() > 1);
    let known = shared.flat_map(|opinion| &opinion.rows).any(|row| row.pod == Some(ordinal));
    let holds = |server: &Server| server.keys > 0 || server.role != Role::Primary;
    match pod.map(|pod| &pod.sight) {
        Some(Sight::Seen(server)) => !known && !holds(server),
        Some(Sight::Down) | None => !known,
        Some(Sight::Silent | Sight::Loading | Sight::Locked) => false,
    }
}

fn part(situation: &Situation<'_>, layout: &Layout, node: Target, server: &Server, draft: &mut Draft) {
    match server.role {
        Role::Primary if situation.owners.contains_key(&node.id) => hand_over(situation, layout, node, draft),
        Role::Primary if server.keys > 0 => {
            draft.stuck(Scope::Pod(node.pod), Trouble::KeysLeft);
        }
        Role::Primary if situation.joined.contains(&node.id) && situation.is_followed(node.id) => {
            draft.wait(Scope::Pod(node.pod), Waiting::Rest, situation.now + MOMENT);
        }
        Role::Primary if knows_others(situation, server) => draft.step(Step::Reset { node }),
        Role::Primary => {}
        Role::Replica(primary) if is_dispensable(situation, layout, primary) => draft.step(Step::Reset { node }),
        Role::Replica(_) => draft.wait(Scope::Pod(node.pod), Waiting::Rest, situation.now + MOMENT),
    }
}

fn knows_others(situation: &Situation<'_>, server: &Server) -> bool {
    situation.view.opinion(server).is_some_and(|opinion| opinion.rows.len() > 1)
}

/// A primary whose shard stays hands it over to a member that stays. One whose shard dissolves is drained first.
fn hand_over(situation: &Situation<'_>, layout: &Layout, node: Target, draft: &mut Draft) {
    if let Some(shard) = layout.led_by(node.id).filter(|_| draft.is_free(node.id)) {
        failover::hand_over(situation, shard, node.id, draft);
    }
}

/// Whether a shard does without its leaving replicas: it dissolved and is drained, or all members that stay are in sync.
fn is_dispensable(situation: &Situation<'_>, layout: &Layout, primary: NodeId) -> bool {
    if !situation.owners.contains_key(&primary) {
        return situation.server(primary).is_none_or(|server| server.keys == 0);
    }
    let wanted = usize::try_from(situation.desired.members()).unwrap_or(usize::MAX);
    let leads = situation.target(primary).is_some_and(|target| target.pod.0 < situation.desired.pods());
    let ready = |id: NodeId| situation.in_sync(id, primary);
    layout.led_by(primary).is_some_and(|shard| leads && shard.members.len() == wanted && shard.replicas().all(ready))
}
