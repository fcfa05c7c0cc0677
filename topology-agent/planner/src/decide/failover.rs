//! Which replica may take over, and whether it may now.

use crate::id::NodeId;
use crate::situation::Situation;
use crate::step::{FailoverMode, Step};
use crate::view::{Link, Server};

/// Why a planned failover cannot be asked for right now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NotYet {
    /// No candidate is in sync.
    Sync,
    /// Not every primary is connected to the candidate: votes would be lost, and the primary would hold writes for nothing.
    Links,
    /// The shard is busy with a migration, or with a failover that is under way.
    Busy,
}

/// A planned failover to the best of the candidates.
///
/// Valkey asks every primary for its vote once. A primary that is not yet connected to the replica stays silent, the vote fails, and
/// clients wait for five seconds. So all links are looked at first.
pub(super) fn planned(
    situation: &Situation<'_>,
    primary: NodeId,
    candidates: impl Iterator<Item = NodeId>,
) -> Result<Step, NotYet> {
    let busy = situation.server(primary).is_none_or(|server| server.paused || situation.moving.contains(&primary));
    if busy {
        return Err(NotYet::Busy);
    }
    let synced = candidates.filter(|candidate| situation.in_sync(*candidate, primary));
    let best = synced.max_by_key(|candidate| {
        let offset = situation.server(*candidate).map(|server| server.offset);
        (situation.all_voters_see(*candidate), offset, std::cmp::Reverse(situation.target(*candidate)))
    });
    let best = best.ok_or(NotYet::Sync)?;
    let replica = situation.target(best).filter(|_| situation.all_voters_see(best)).ok_or(NotYet::Links)?;
    Ok(Step::Failover { replica, primary, mode: FailoverMode::Planned })
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
    fit.max_by_key(|server| (server.offset, server.keys, std::cmp::Reverse(server.id))).map(|server| server.id)
}

/// Whether a replica knows which slots its primary owns: those are what it takes.
pub(super) fn knows_slots(situation: &Situation<'_>, replica: &Server, primary: NodeId) -> bool {
    let row = situation.view.opinion(replica).and_then(|opinion| opinion.row(primary));
    row.is_some_and(|row| situation.owners.get(&primary) == Some(&row.slots))
}
