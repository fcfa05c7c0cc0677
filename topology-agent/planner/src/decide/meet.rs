//! Nodes that are not part of the cluster yet.

use std::net::IpAddr;

use super::MOMENT;
use crate::draft::Draft;
use crate::plan::{Scope, Trouble, Waiting};
use crate::situation::Situation;
use crate::step::{Step, Target};
use crate::view::{Opinion, Pod, Role, Server};

pub(super) fn decide(situation: &Situation<'_>, draft: &mut Draft) {
    if draft.is_unsettled() {
        return;
    }
    let newcomers = newcomers(situation);
    if !situation.is_formed() && newcomers.len() + situation.joined.len() < wanted(situation) {
        // A cluster is made of all its nodes at once: one that is missing might hold the data of an earlier one.
        return;
    }
    for stale in newcomers.iter().filter(|newcomer| newcomer.claims_something()) {
        let scope = Scope::Pod(stale.target.pod);
        match stale.server.keys {
            0 => draft.step(Step::Reset { node: stale.target }),
            _ => draft.stuck(scope, Trouble::StaleMember),
        }
    }
    welcome(situation, &newcomers, draft);
}

/// Introduces those to the cluster that come with nothing.
pub(super) fn welcome(situation: &Situation<'_>, newcomers: &[Newcomer<'_>], draft: &mut Draft) {
    let mut fit: Vec<&Newcomer<'_>> = newcomers.iter().filter(|newcomer| !newcomer.claims_something()).collect();
    // Epochs first: a node that knows others cannot be given one any more.
    let without_epoch = fit.iter().filter(|newcomer| newcomer.is_alone && newcomer.server.epoch == 0);
    let greatest = situation.view.servers().map(|(_, _, server)| server.epoch).max().unwrap_or_default();
    let numbered: Vec<Step> = without_epoch
        .zip(greatest + 1..)
        .map(|(newcomer, epoch)| Step::SetConfigEpoch { node: newcomer.target, epoch })
        .collect();
    // Slots next: nodes that have theirs when they meet need not hear of them from hand to hand.
    if numbered.is_empty() && !situation.is_blank() {
        introduce(situation, &mut fit, draft);
    }
    numbered.into_iter().for_each(|step| draft.step(step));
    if !fit.is_empty() || !all_know_all(situation) {
        draft.wait(Scope::Cluster, Waiting::Joining, situation.now + MOMENT);
    }
}

/// A server that the cluster does not know.
pub(super) struct Newcomer<'a> {
    target: Target,
    server: &'a Server,
    address: IpAddr,
    /// Whether it knows no other node.
    is_alone: bool,
    /// Whether it thinks that it owns slots.
    owns_slots: bool,
}

impl Newcomer<'_> {
    /// Whether it comes from an earlier life, and thinks that it owns slots or has data of its own.
    fn claims_something(&self) -> bool {
        self.server.role == Role::Primary && (self.server.keys > 0 || self.owns_slots)
    }
}

fn wanted(situation: &Situation<'_>) -> usize {
    usize::try_from(situation.desired.pods()).unwrap_or(usize::MAX)
}

/// The servers in pods that stay, that the cluster does not know.
pub(super) fn newcomers<'a>(situation: &Situation<'a>) -> Vec<Newcomer<'a>> {
    let newcomer = |(pod, about, server): (_, &'a Pod, &'a Server)| {
        let opinion = situation.view.opinion(server)?;
        let owns_slots = opinion.row(server.id).is_some_and(|row| !row.slots.is_empty());
        let is_alone = opinion.rows.len() == 1;
        let stays = !about.terminating && pod < crate::Ordinal(situation.desired.pods());
        let outside = stays && !situation.joined.contains(&server.id);
        let target = Target { pod, id: server.id };
        outside.then_some(()).and(about.address).map(|address| Newcomer {
            target,
            server,
            address,
            is_alone,
            owns_slots,
        })
    };
    situation.view.servers().filter_map(newcomer).collect()
}

/// One member greets all newcomers; where there is no member yet, the first newcomer greets the others.
fn introduce(situation: &Situation<'_>, fit: &mut Vec<&Newcomer<'_>>, draft: &mut Draft) {
    let Some(hub) = situation.hub().or_else(|| (!fit.is_empty()).then(|| fit.remove(0).target)) else { return };
    for newcomer in fit {
        draft.step(Step::Meet { node: hub, peer: newcomer.target, address: newcomer.address });
    }
}

/// Whether every member that answered knows every other.
pub(super) fn all_know_all(situation: &Situation<'_>) -> bool {
    situation.opinions().all(|(_, opinion)| knows_all(situation, opinion))
}

fn knows_all(situation: &Situation<'_>, opinion: &Opinion) -> bool {
    // Mostly they know exactly the same nodes, and both lists are in order.
    let same = opinion.rows.iter().map(|row| row.id).eq(situation.joined.iter().copied());
    same || situation.members().all(|(target, _, _)| opinion.row(target.id).is_some())
}
