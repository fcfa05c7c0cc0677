//! Replicas: who follows whom.

use super::{MOMENT, PATIENCE, WHILE, failover};
use crate::draft::Draft;
use crate::id::NodeId;
use crate::layout::{Layout, Shard};
use crate::plan::{Scope, Trouble, Waiting};
use crate::situation::Situation;
use crate::step::{Step, Target};
use crate::view::{Link, Pod, Role, Server};

pub(super) fn decide(situation: &Situation<'_>, layout: &Layout, draft: &mut Draft) {
    if draft.is_unsettled() {
        return;
    }
    let calm = draft.is_calm();
    let mut moves = Vec::new();
    for shard in &layout.shards {
        let Some(head) = layout.primaries.get(&shard.number).copied() else {
            lead(situation, shard, calm, draft);
            continue;
        };
        for member in shard.members.iter().filter(|member| **member != head) {
            moves.extend(follow(situation, layout, shard, head, *member, draft));
        }
    }
    // Members change places one at a time, when all others are in sync: each is a full sync, and one copy less until it is done. Those
    // that leave a copy behind go first.
    if let Some((step, _)) = moves.into_iter().min_by_key(|(_, spared)| !spared) {
        if draft.is_calm() && is_nobody_syncing(situation) {
            draft.step(step);
        } else {
            draft.unsettle();
            draft.wait(Scope::Cluster, Waiting::Rest, situation.now + WHILE);
        }
    }
}

/// What should have been in sync long ago holds nobody back: it may be the move that helps it.
fn is_nobody_syncing(situation: &Situation<'_>) -> bool {
    let overdue = |pod: &Pod| pod.is_unready_for(situation.desired.sync_timeout, situation.now);
    let mut replicas = situation.members().filter(|(_, pod, _)| !overdue(pod));
    replicas.all(|(target, _, server)| server.follows().is_none_or(|primary| situation.in_sync(target.id, primary)))
}

/// A new shard whose members all follow others: one of them starts anew, to lead it.
fn lead(situation: &Situation<'_>, shard: &Shard, calm: bool, draft: &mut Draft) {
    let spare = |id: &&NodeId| {
        let head = situation.server(**id).and_then(Server::follows);
        head.is_some_and(|head| draft.is_free(head) && can_spare(situation, head, **id))
    };
    let first = shard.members.iter().find(spare).and_then(|id| situation.target(*id));
    match first.filter(|_| calm) {
        Some(node) => {
            situation.server(node.id).and_then(Server::follows).into_iter().for_each(|head| draft.occupy(head));
            draft.step(Step::Reset { node });
        }
        None => draft.wait(Scope::Shard(shard.number), Waiting::Rest, situation.now + WHILE),
    }
}

/// Brings one member to follow the head of its shard. What takes a copy from another shard is returned, to be done at rest, with whether
/// another copy is left there.
///
/// Members of a shard that dissolves serve it until it is drained.
fn follow(
    situation: &Situation<'_>,
    layout: &Layout,
    shard: &Shard,
    head: NodeId,
    member: NodeId,
    draft: &mut Draft,
) -> Option<(Step, bool)> {
    let node = situation.target(member)?;
    let server = situation.server(member)?;
    situation.server(head)?;
    let replicate = Step::Replicate { node, primary: head };
    match server.role {
        Role::Replica(primary) if primary == head => {
            synced(situation, shard, node, server, head, draft);
            None
        }
        Role::Replica(former) if is_needless(situation, former) => {
            draft.occupy(head);
            draft.step(greeting(situation, node, server, head).unwrap_or(replicate));
            None
        }
        Role::Replica(former) if layout.dissolving.contains(&former) => None,
        Role::Replica(former) => situation.server(former).map(|_| (replicate, can_spare(situation, former, member))),
        Role::Primary if layout.dissolving.contains(&member) && situation.owners.contains_key(&member) => None,
        Role::Primary if situation.owners.contains_key(&member) => {
            hand_over(situation, member).map(|step| (step, true))
        }
        Role::Primary if server.keys > 0 => {
            draft.stuck(Scope::Pod(node.pod), Trouble::KeysLeft);
            None
        }
        Role::Primary => {
            draft.occupy(head);
            draft.step(greeting(situation, node, server, head).unwrap_or(replicate));
            None
        }
    }
}

/// A node follows only whom it knows: by hearsay, one newcomer may take seconds to hear of another.
fn greeting(situation: &Situation<'_>, node: Target, server: &Server, head: NodeId) -> Option<Step> {
    let known = situation.view.opinion(server).is_some_and(|opinion| opinion.row(head).is_some());
    let peer = situation.target(head).filter(|_| !known)?;
    let (_, about) = situation.seen_pod(head)?;
    about.address.map(|address| Step::Meet { node, peer, address })
}

/// Whether a replica keeps no copy that is needed: its primary owns nothing, or is not a primary.
fn is_needless(situation: &Situation<'_>, primary: NodeId) -> bool {
    let keys = situation.server(primary).is_some_and(|server| server.keys > 0);
    situation.owns_nowhere(primary) && !keys
}

/// Whether a shard still has what it needs without one of its replicas: its primary, and another copy if it should have one.
fn can_spare(situation: &Situation<'_>, primary: NodeId, replica: NodeId) -> bool {
    let others = situation.followers(primary).filter(|node| node.id != replica);
    let copies = others.filter(|node| situation.in_sync(node.id, primary)).count();
    situation.server(primary).is_some() && copies >= usize::from(situation.desired.replicas.min(1))
}

fn synced(situation: &Situation<'_>, shard: &Shard, node: Target, server: &Server, head: NodeId, draft: &mut Draft) {
    if situation.in_sync(node.id, head) {
        return;
    }
    draft.occupy(head);
    let down = matches!(server.link, Link::Down(since) if situation.now.since(since) > PATIENCE);
    let (_, pod) = situation.seen_pod(node.id).unzip();
    let overdue = down || pod.is_some_and(|pod| pod.is_unready_for(situation.desired.sync_timeout, situation.now));
    let scope = if overdue { Scope::Pod(node.pod) } else { Scope::Shard(shard.number) };
    if overdue {
        draft.stuck(scope, Trouble::SyncTimedOut);
    } else {
        draft.wait(scope, Waiting::Sync, situation.now + MOMENT);
    }
}

/// A primary that is to serve another shard hands its own over first.
fn hand_over(situation: &Situation<'_>, primary: NodeId) -> Option<Step> {
    failover::planned(situation, primary, situation.followers(primary).map(|node| node.id))
}
