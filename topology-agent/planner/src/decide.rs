//! What to do, decided in the order of danger.
//!
//! Each decision looks at the whole situation and adds steps, waits and troubles to the draft. A decision that finds the cluster as a
//! whole in doubt [unsettles](crate::draft::Draft::unsettle) it, and what could do harm then waits; one that finds a single shard in
//! doubt [occupies](crate::draft::Draft::occupy) it, and the others go on.

mod acquaint;
mod addresses;
mod balance;
mod cleanup;
mod coverage;
mod disks;
mod failover;
mod foreign;
mod form;
mod leave;
mod meet;
mod migrations;
mod open;
mod pods;
mod quorum;
mod replicas;
mod roll;
mod upkeep;

use std::ops::ControlFlow;

use crate::draft::Draft;
use crate::layout::Layout;
use crate::plan::{Scope, Waiting};
use crate::situation::Situation;
use crate::time::Span;
use crate::view::{Opinion, Row};

/// How long to wait for what should take a moment.
const MOMENT: Span = Span::seconds(1);
/// How long to wait for what Kubernetes or a server does by itself before looking again without an event.
const WHILE: Span = Span::seconds(10);
/// How long something may take before someone is told that it does not happen by itself.
const PATIENCE: Span = Span::seconds(300);
/// How long the servers are left to elect a primary by themselves: several times their time-out.
const ELECTION: Span = Span::seconds(30);

/// Everything that is decided, in the order of danger.
pub(crate) fn all(situation: &Situation<'_>, draft: &mut Draft) {
    let layout = Layout::of(situation);
    upkeep::labels_and_volumes(situation, &layout, draft);
    if foreign::decide(situation, draft).is_break() {
        return;
    }
    pods::decide(situation, draft);
    quorum::decide(situation, draft);
    coverage::decide(situation, draft);
    if acquaint::decide(situation, draft).is_break() {
        return;
    }
    addresses::decide(situation, draft);
    cleanup::decide(situation, draft);
    meet::decide(situation, draft);
    if form::decide(situation, &layout, draft).is_continue() {
        shards(situation, &layout, draft);
    }
    upkeep::settings(situation, draft);
    service(situation, draft);
}

/// Servers that have found each other refuse clients for up to five seconds more, and may not know yet where to send them: the cluster is
/// as it should be when all serve. While anything else is open, that is the reason.
fn service(situation: &Situation<'_>, draft: &mut Draft) {
    if !draft.is_empty() {
        return;
    }
    for (pod, about, server) in situation.view.servers() {
        let is_misplaced = |row: &Row| row.pod.is_none() || row.address != about.address;
        let misdirects = |opinion: &Opinion| opinion.row(server.id).is_some_and(is_misplaced);
        if server.refuses {
            draft.wait(Scope::Pod(pod), Waiting::Refusing, situation.now + MOMENT);
        } else if situation.view.opinions.iter().any(misdirects) {
            draft.wait(Scope::Pod(pod), Waiting::Misplaced, situation.now + MOMENT);
        }
    }
}

/// What is decided for the shards of a cluster that has its slots handed out.
fn shards(situation: &Situation<'_>, layout: &Layout, draft: &mut Draft) {
    open::decide(situation, draft);
    disks::decide(situation, layout, draft);
    replicas::decide(situation, layout, draft);
    migrations::decide(situation, layout, draft);
    leave::decide(situation, layout, draft);
    roll::decide(situation, layout, draft);
    balance::decide(situation, layout, draft);
}

/// Whether the next decision may be made.
type Next = ControlFlow<()>;
