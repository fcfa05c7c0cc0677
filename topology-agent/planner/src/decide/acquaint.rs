//! The nodes of a cluster in the making, which are all introduced to each other at once: by hearsay it would take them seconds. Of
//! many, only some are introduced to all others.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::ops::ControlFlow;

use super::{MOMENT, Next};
use crate::draft::Draft;
use crate::id::Ordinal;
use crate::plan::{Scope, Waiting};
use crate::situation::Situation;
use crate::slots::SLOTS;
use crate::step::{Step, Target};
use crate::view::{Health, Opinion, Pod, Row, Server};

/// How many greetings are enough. Pairs grow with the square of the nodes, which cannot answer all at once before the greeters give
/// up; and hearsay spreads faster among many. So of many nodes, only some greet all others.
const MOST: usize = 1000;

pub(super) fn decide(situation: &Situation<'_>, draft: &mut Draft) -> Next {
    if !is_prepared(situation) {
        return ControlFlow::Continue(());
    }
    let guests: Vec<Guest<'_>> = situation.view.servers().filter_map(|seen| Guest::of(situation, seen)).collect();
    let hosts = MOST.div_ceil(guests.len().max(1));
    let pairs =
        guests.iter().take(hosts).flat_map(|a| guests.iter().map(move |b| (a, b))).filter(|(a, b)| a.target < b.target);
    let mut strangers = pairs.filter(|(a, b)| !(a.knows(b) && b.knows(a))).peekable();
    if strangers.peek().is_none() {
        return ControlFlow::Continue(());
    }
    for (a, b) in strangers.filter(|(a, b)| !(a.greets(b) || b.greets(a))) {
        draft.step(Step::Meet { node: a.target, peer: b.target, address: b.address });
    }
    draft.wait(Scope::Cluster, Waiting::Joining, situation.now + MOMENT);
    ControlFlow::Break(())
}

/// Whether the nodes are those of a cluster that was never written to, each with an epoch of its own, and share all slots among them.
fn is_prepared(situation: &Situation<'_>) -> bool {
    let rows: Vec<&Row> =
        situation.view.servers().filter_map(|(_, _, server)| situation.view.own_row(server)).collect();
    let epochs: BTreeSet<u64> = rows.iter().map(|row| row.epoch).filter(|epoch| *epoch > 0).collect();
    let slots: u32 = rows.iter().map(|row| u32::from(row.slots.len())).sum();
    epochs.len() == rows.len() && slots == u32::from(SLOTS) && situation.unowned.is_empty() && situation.is_unused()
}

/// A node that answered, in a pod that stays.
struct Guest<'a> {
    target: Target,
    address: IpAddr,
    opinion: &'a Opinion,
    own: &'a Row,
}

impl<'a> Guest<'a> {
    fn of(situation: &Situation<'a>, (pod, about, server): (Ordinal, &'a Pod, &'a Server)) -> Option<Self> {
        let stays = !about.terminating && pod.0 < situation.desired.pods();
        let target = Target { pod, id: server.id };
        let opinion = situation.view.opinion(server)?;
        let own = opinion.row(server.id)?;
        about.address.filter(|_| stays).map(|address| Self { target, address, opinion, own })
    }

    /// Whether it knows the other, and what that owns. A first greeting tells only who is there; those who greet again, tell.
    fn knows(&self, other: &Self) -> bool {
        let known = self.opinion.row(other.target.id);
        known.is_some_and(|known| (known.epoch, &known.slots) == (other.own.epoch, &other.own.slots))
    }

    fn greets(&self, other: &Self) -> bool {
        let greeting = |row: &Row| row.health == Health::Handshake && row.address == Some(other.address);
        self.opinion.rows.iter().any(greeting)
    }
}
