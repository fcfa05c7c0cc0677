//! Which replica may take over, and whether it may now.

use std::cmp::Reverse;

use super::MOMENT;
use crate::draft::Draft;
use crate::id::NodeId;
use crate::layout::Shard;
use crate::plan::{Scope, Waiting};
use crate::situation::Situation;
use crate::step::{FailoverMode, Step};
use crate::view::{Link, Server};

/// Bytes that a replica may have yet to receive: while it does, writes are held back, and after five seconds it was all for nothing.
const MOST_BEHIND: u64 = 16 << 20;

/// Lets the best member of a shard take over from its primary, as soon as one may: one shard after the other.
pub(super) fn hand_over(situation: &Situation<'_>, shard: &Shard, head: NodeId, draft: &mut Draft) {
    match planned(situation, head, shard.replicas()) {
        Some(_) if draft.has_vote() => draft.wait(Scope::Shard(shard.number), Waiting::Rest, situation.now + MOMENT),
        Some(step) => {
            draft.occupy(head);
            draft.step(step);
        }
        None => draft.wait(Scope::Shard(shard.number), obstacle(situation, shard, head), situation.now + MOMENT),
    }
}

/// What keeps members of a shard from taking over: where none has a copy yet, for all serve other shards still, that comes first.
fn obstacle(situation: &Situation<'_>, shard: &Shard, head: NodeId) -> Waiting {
    if shard.replicas().any(|id| situation.in_sync(id, head)) { Waiting::Links } else { Waiting::Rest }
}

/// A planned failover to the best of the candidates; none while none is in sync, serves clients, can keep what they write and is there to stay, the shard is busy with a migration
/// or with another failover, or not every primary is connected to it.
///
/// Valkey asks every primary for its vote once. A primary that is not yet connected to the replica stays silent, the vote fails, and
/// clients wait for five seconds. So all links are looked at first.
pub(super) fn planned(
    situation: &Situation<'_>,
    primary: NodeId,
    candidates: impl Iterator<Item = NodeId>,
) -> Option<Step> {
    let busy = situation.server(primary).is_none_or(|server| server.paused || situation.moving.contains(&primary));
    if busy {
        return None;
    }
    let open = |id: &NodeId| situation.server(*id).is_some_and(|server| !server.refuses && !server.disk_fails);
    let stays = |id: &NodeId| situation.seen_pod(*id).is_some_and(|(_, pod)| !pod.terminating);
    let offset = |id: NodeId| situation.server(id).map_or(0, |server| server.offset);
    let close = |id: &NodeId| offset(primary).saturating_sub(offset(*id)) <= MOST_BEHIND;
    let synced = candidates.filter(|id| situation.in_sync(*id, primary) && close(id));
    let fit = synced.filter(|id| stays(id) && open(id) && situation.all_voters_see(*id));
    let replica =
        fit.filter_map(|id| situation.target(id)).max_by_key(|replica| (offset(replica.id), Reverse(*replica)))?;
    Some(Step::Failover { replica, primary, mode: FailoverMode::Planned })
}

/// The replica with most of the data of a primary that cannot be asked any more.
///
/// One that is being sent a whole data set has none of its own. One that was not connected may have missed anything, and will do only
/// if there is nothing better to wait for.
pub(super) fn best_orphan(situation: &Situation<'_>, primary: NodeId) -> Option<NodeId> {
    let seen = situation.followers(primary).filter_map(|node| node.seen.map(|(_, server)| server));
    let gone = situation.nodes.get(&primary).is_some_and(|node| situation.is_replaced(node));
    let fit = seen.filter(|server| match server.link {
        Link::Down(_) => true,
        Link::Never => gone,
        Link::Up | Link::Syncing => false,
    });
    fit.max_by_key(|server| (server.offset, server.keys, Reverse(server.id))).map(|server| server.id)
}

/// Whether a replica knows which slots its primary owns: those are what it takes.
pub(super) fn knows_slots(situation: &Situation<'_>, replica: &Server, primary: NodeId) -> bool {
    let row = situation.view.opinion(replica).and_then(|opinion| opinion.row(primary));
    row.is_some_and(|row| situation.owners.get(&primary) == Some(&row.slots))
}
