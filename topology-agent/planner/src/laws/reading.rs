//! A view, read by the laws alone: nothing here is shared with the decisions, so that a mistake there is not made twice.

use crate::desired::Desired;
use crate::id::{NodeId, Ordinal};
use crate::step::Target;
use crate::view::{Link, Pod, Role, Row, Server, View};

/// All that is said of a node by those who answered.
pub(super) fn rows(view: &View, id: NodeId) -> impl Iterator<Item = &Row> {
    view.opinions.iter().filter_map(move |opinion| opinion.row(id))
}

pub(super) fn owns_nothing(view: &View, id: NodeId) -> bool {
    rows(view, id).all(|row| row.slots.is_empty())
}

pub(super) fn find(view: &View, id: NodeId) -> Option<&Server> {
    view.servers().map(|(_, _, server)| server).find(|server| server.id == id)
}

pub(super) fn at(view: &View, target: Target) -> Option<&Server> {
    view.pods.get(&target.pod).and_then(Pod::server).filter(|server| server.id == target.id)
}

/// Whether a node's pod answers as another node: then it is gone, with what it had.
pub(super) fn is_replaced(view: &View, id: NodeId) -> bool {
    let successor = |row: &Row| {
        row.pod.and_then(|pod| view.pods.get(&pod)).and_then(Pod::server).is_some_and(|server| server.id != id)
    };
    find(view, id).is_none() && rows(view, id).any(successor)
}

pub(super) fn in_sync(view: &View, replica: &Server, primary: NodeId) -> bool {
    let leads = |primary: &Server| primary.followers.contains(&replica.id) && primary.history == replica.history;
    replica.follows() == Some(primary) && replica.link == Link::Up && find(view, primary).is_some_and(leads)
}

/// Whether a row says of a node that answered what that node no longer says itself.
pub(super) fn is_stale(view: &View, row: &Row) -> bool {
    let own = find(view, row.id).and_then(|server| view.own_row(server));
    own.is_some_and(|own| own.epoch > row.epoch || own.epoch == row.epoch && own.slots != row.slots)
}

pub(super) fn is_here(view: &View, row: &Row) -> bool {
    row.address.is_some() && view.pods.values().any(|pod| pod.address == row.address)
}

pub(super) fn owns_nothing_itself(view: &View, server: &Server) -> bool {
    view.own_row(server).is_none_or(|row| row.slots.is_empty())
}

/// Whether a server writes files that the series that should be cannot read.
pub(super) fn is_newer(desired: &Desired, server: &Server) -> bool {
    server.version.series.data_format() > desired.series.data_format()
}

/// Whether the node of a pod is known and owns nothing in any view, while all who own something answer.
pub(super) fn is_copy(view: &View, pod: Ordinal) -> bool {
    let rows = || view.opinions.iter().flat_map(|opinion| &opinion.rows);
    let mut own = rows().filter(|row| row.pod == Some(pod)).peekable();
    own.peek().is_some()
        && own.all(|row| row.slots.is_empty())
        && rows().filter(|row| !row.slots.is_empty()).all(|row| find(view, row.id).is_some())
}

/// Whether a server is a primary that owns slots, or in sync with one. Where nothing is evened out, a primary may be without.
pub(super) fn is_well(desired: &Desired, view: &View, server: &Server) -> bool {
    match server.role {
        Role::Primary => !desired.rebalance || !owns_nothing_itself(view, server),
        Role::Replica(primary) => in_sync(view, server, primary),
    }
}

/// Whether nobody but the node itself says that it owns slots.
pub(super) fn owns_nothing_elsewhere(view: &View, id: NodeId) -> bool {
    let own = find(view, id).map(|server| server.opinion);
    let others = view.opinions.iter().enumerate().filter(|(index, _)| Some(*index) != own);
    others.filter_map(|(_, opinion)| opinion.row(id)).all(|row| row.slots.is_empty())
}
