//! Pods that run an old template restart onto the current one: one member of a shard at a time, replicas first.

use std::collections::BTreeSet;

use super::{MOMENT, WHILE, failover};
use crate::draft::Draft;
use crate::id::{NodeId, Ordinal};
use crate::layout::{Layout, Shard};
use crate::plan::{Scope, Trouble, Waiting};
use crate::situation::Situation;
use crate::step::{Guard, Step, Volume};
use crate::view::{Pod, Role, Server, Sight, Template};

pub(super) fn decide(situation: &Situation<'_>, layout: &Layout, draft: &mut Draft) {
    let old = situation.view.pods.values().filter(|pod| pod.template == Template::Old).count();
    if !situation.view.rendered {
        if old > 0 {
            draft.wait(Scope::Cluster, Waiting::Rendering, situation.now + WHILE);
        }
        return;
    }
    if old == 0 {
        return renew(situation, draft);
    }
    let pods = u32::try_from(old).unwrap_or(u32::MAX);
    if situation.desired.paused {
        draft.stuck(Scope::Cluster, Trouble::Paused { pods });
        return;
    }
    let halted = is_halted(situation, draft);
    revive(situation, halted, draft);
    if draft.is_unsettled() {
        draft.wait(Scope::Cluster, Waiting::Rest, situation.now + WHILE);
        return;
    }
    renew(situation, draft);
    if halted || !draft.is_calm() {
        return;
    }
    let (last, others): (Vec<_>, Vec<_>) =
        eligible(situation, layout).into_iter().partition(|shard| is_primary_left(situation, shard));
    last.into_iter().for_each(|shard| restart_one(situation, layout, shard, draft));
    for shard in others {
        // A pod that ends and starts takes time of the processors, for which clients wait while writes are held back.
        if draft.has_vote() {
            draft.wait(Scope::Shard(shard.number), Waiting::Rest, situation.now + WHILE);
        } else {
            restart_one(situation, layout, shard, draft);
        }
    }
}

/// Whether of the pods of a shard only its primary has yet to restart.
fn is_primary_left(situation: &Situation<'_>, shard: &Shard) -> bool {
    let mut old = serving(situation, shard).filter(|(_, _, pod)| pod.template == Template::Old);
    old.all(|(_, id, _)| shard.head == Some(id))
}

/// Pods on an old template that do not run have nothing to lose by a restart, whatever else is open: that is how a bad template is
/// left behind. While the current one may be bad itself, a pod that merely crashed is left to come back as it was; and so is any, while
/// there may be files that the current one cannot read.
fn revive(situation: &Situation<'_>, halted: bool, draft: &mut Draft) {
    if situation.members().any(|(_, _, server)| is_newer(situation, server)) {
        return;
    }
    let down = |pod: &&Pod| pod.sight == Sight::Down && !pod.terminating && pod.template == Template::Old;
    let long = |pod: &Pod| pod.is_unready_for(situation.desired.sync_timeout, situation.now);
    for (ordinal, pod) in situation.view.pods.iter().filter(|(_, pod)| down(pod) && (!halted || long(pod))) {
        draft.step(Step::DeletePod { pod: *ordinal, uid: pod.uid.clone(), guard: Guard::Down, volume: Volume::Kept });
    }
}

/// Whether a server writes files that the series that should be cannot read.
fn is_newer(situation: &Situation<'_>, server: &Server) -> bool {
    server.version.series.data_format() > situation.desired.series.data_format()
}

/// After a downgrade, a pod that does not come up may have a volume that only the newer series can read. It starts on an empty one, if
/// it owned nothing and all who own something, in whoever's view, are there to sync from.
fn renew(situation: &Situation<'_>, draft: &mut Draft) {
    let mut rows = situation.view.opinions.iter().flat_map(|opinion| &opinion.rows).filter(|row| !row.slots.is_empty());
    if !situation.desired.downgrade || !rows.all(|row| situation.server(row.id).is_some()) {
        return;
    }
    for node in situation.nodes.values() {
        let Some((ordinal, pod)) = node.pod.zip(situation.pod_of(node)) else { continue };
        let overdue = pod.is_unready_for(situation.desired.sync_timeout, situation.now);
        // One that no host took was never started, and its volume is not the reason.
        let down = pod.sight == Sight::Down && pod.place.host.is_some() && !pod.terminating && overdue;
        if down
            && pod.template == Template::Current
            && situation.joined.contains(&node.id)
            && situation.owns_nowhere(node.id)
        {
            draft.step(Step::DeletePod {
                pod: ordinal,
                uid: pod.uid.clone(),
                guard: Guard::Down,
                volume: Volume::Fresh,
            });
        }
    }
}

/// Whether a pod on the current template is not well: then no other follows it there. It has its time; after that, someone is told.
fn is_halted(situation: &Situation<'_>, draft: &mut Draft) -> bool {
    let mut halted = false;
    for (ordinal, pod) in situation.view.pods.iter().filter(|(_, pod)| pod.template == Template::Current) {
        if is_well(situation, pod) {
            continue;
        }
        halted = true;
        let overdue = pod.is_unready_for(situation.desired.sync_timeout, situation.now);
        match (overdue, pod.server()) {
            (true, None) => draft.stuck(Scope::Pod(*ordinal), Trouble::UpgradeHalted { unhealthy: *ordinal }),
            (true, Some(_)) => draft.stuck(Scope::Pod(*ordinal), Trouble::SyncTimedOut),
            (false, None) => draft.wait(Scope::Pod(*ordinal), Waiting::Restarting, situation.now + MOMENT),
            (false, Some(_)) => draft.wait(Scope::Pod(*ordinal), Waiting::Sync, situation.now + MOMENT),
        }
    }
    halted
}

/// Whether a pod serves its shard: as its primary, or in sync with it.
fn is_well(situation: &Situation<'_>, pod: &Pod) -> bool {
    let well = pod.server().is_some_and(|server| match server.role {
        // Where nothing is evened out, a new shard has no slots until somebody moves some.
        Role::Primary if !situation.desired.rebalance => situation.joined.contains(&server.id),
        Role::Primary => situation.owners.contains_key(&server.id),
        Role::Replica(primary) => situation.in_sync(server.id, primary),
    });
    well && !pod.terminating
}

/// The shards in which a pod may restart now. With a canary, the first goes alone; after that, a quarter of them side by side.
fn eligible<'a>(situation: &Situation<'_>, layout: &'a Layout) -> Vec<&'a Shard> {
    let counted = layout.shards.iter().map(|shard| {
        let old = serving(situation, shard).filter(|(_, _, pod)| pod.template == Template::Old).count();
        (shard, old, serving(situation, shard).count() - old)
    });
    let (unfinished, others): (Vec<_>, Vec<_>) = counted.partition(|(_, old, _)| *old > 0);
    let some_done = others.iter().any(|(_, _, current)| *current > 0);
    let mut unfinished: Vec<(&Shard, usize)> =
        unfinished.into_iter().map(|(shard, _, current)| (shard, current)).collect();
    unfinished.sort_by_key(|(shard, current)| (std::cmp::Reverse(*current), shard.number));
    let at_once = match situation.desired.replicas {
        // Without replicas each restart takes a vote away.
        0 => 1,
        _ if situation.desired.canary && !some_done => 1,
        _ => (layout.shards.len() / 4).max(2),
    };
    unfinished.into_iter().take(at_once).map(|(shard, _)| shard).collect()
}

/// The members that serve a shard by now: others may be bound yet to one that dissolves, and restart after that.
fn serving<'a>(
    situation: &'a Situation<'_>,
    shard: &'a Shard,
) -> impl Iterator<Item = (Ordinal, NodeId, &'a Pod)> + use<'a> {
    let serving = shard.members.iter().filter(|id| shard.head.is_some_and(|head| situation.serves(**id, head)));
    serving.filter_map(|id| situation.seen_pod(*id).map(|(ordinal, pod)| (ordinal, *id, pod)))
}

/// The next pod of a shard: a replica if one is left, else the primary, which hands over first.
fn restart_one(situation: &Situation<'_>, layout: &Layout, shard: &Shard, draft: &mut Draft) {
    // A shard with a member that does not get well is busy with that, and nothing else is begun in it.
    let Some(head) = shard.head else { return };
    // Who follows it still, though it belongs elsewhere, has a copy, too.
    let followers = situation.followers(head).map(|node| node.id);
    let members = shard.members.iter().copied().filter(|id| !layout.is_bound(situation, *id));
    let all: BTreeSet<NodeId> = members.chain(followers).collect();
    let unwell: Vec<NodeId> = all.into_iter().filter(|id| !is_well_node(situation, *id)).collect();
    let wanted = usize::try_from(situation.desired.members()).unwrap_or(usize::MAX);
    let ready = shard.members.len() == wanted && !situation.moving.contains(&head);
    match unwell.as_slice() {
        [] if ready && draft.is_free(head) => next_in_turn(situation, shard, head, draft),
        // What does not get well on an old template may do so on the current one, and there is nothing to lose.
        [one] if ready && *one != head => {
            let old = situation.seen_pod(*one).filter(|(_, pod)| pod.template == Template::Old && !pod.terminating);
            old.into_iter().for_each(|(ordinal, pod)| restart(situation, shard, ordinal, *one, pod, draft));
        }
        _ => draft.wait(Scope::Shard(shard.number), Waiting::Rest, situation.now + WHILE),
    }
}

fn is_well_node(situation: &Situation<'_>, id: NodeId) -> bool {
    situation.seen_pod(id).is_some_and(|(_, pod)| is_well(situation, pod))
}

fn next_in_turn(situation: &Situation<'_>, shard: &Shard, head: NodeId, draft: &mut Draft) {
    let old = || serving(situation, shard).filter(|(_, _, pod)| pod.template == Template::Old);
    let replica = old().filter(|(_, id, _)| *id != head).max_by_key(|(ordinal, _, _)| *ordinal);
    match (replica, old().next()) {
        (Some((ordinal, id, pod)), _) => restart(situation, shard, ordinal, id, pod, draft),
        (None, Some((ordinal, id, pod))) if situation.desired.replicas == 0 => {
            restart(situation, shard, ordinal, id, pod, draft);
        }
        (None, Some(_)) => hand_over(situation, shard, head, draft),
        (None, None) => {}
    }
}

/// The volume on which a pod may start anew, or why it may not: an older series cannot read the files of a newer one.
fn next_volume(situation: &Situation<'_>, id: NodeId) -> Result<Volume, Trouble> {
    let downgrade = situation.server(id).is_some_and(|server| is_newer(situation, server));
    let fields = situation.members().any(|(_, _, server)| server.field_expiry);
    match (downgrade, situation.desired.downgrade) {
        (false, _) => Ok(Volume::Kept),
        (true, false) => Err(Trouble::DowngradeRefused),
        (true, true) if fields => Err(Trouble::DowngradeImpossible),
        (true, true) if situation.desired.replicas == 0 => Err(Trouble::DowngradeAlone),
        (true, true) => Ok(Volume::Fresh),
    }
}

fn restart(situation: &Situation<'_>, shard: &Shard, ordinal: Ordinal, id: NodeId, pod: &Pod, draft: &mut Draft) {
    match next_volume(situation, id) {
        Ok(volume) => {
            let head = shard.head.filter(|head| *head != id);
            let guard = head.map_or(Guard::Alone, Guard::Follows);
            shard.head.into_iter().for_each(|head| draft.occupy(head));
            draft.step(Step::DeletePod { pod: ordinal, uid: pod.uid.clone(), guard, volume });
        }
        Err(trouble) => draft.stuck(Scope::Shard(shard.number), trouble),
    }
}

/// A primary hands over only if it may restart after that.
fn hand_over(situation: &Situation<'_>, shard: &Shard, head: NodeId, draft: &mut Draft) {
    match next_volume(situation, head) {
        Ok(_) => failover::hand_over(situation, shard, head, draft),
        Err(trouble) => draft.stuck(Scope::Shard(shard.number), trouble),
    }
}
