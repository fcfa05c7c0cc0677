//! A plan in the making.

use std::collections::BTreeSet;

use crate::id::NodeId;
use crate::plan::{Matter, Plan, Round, Scope, Trouble, Waiting};
use crate::step::Step;
use crate::time::{Span, Time};

/// What the decisions made so far come to.
#[derive(Default)]
pub(crate) struct Draft {
    steps: Vec<Step>,
    matters: BTreeSet<Matter>,
    /// Whether something is open that concerns more than one shard.
    unrest: bool,
    /// The primaries of shards in which something is done or open: nothing else is begun there.
    busy: BTreeSet<NodeId>,
}

impl Draft {
    pub(crate) fn step(&mut self, step: Step) {
        self.steps.push(step);
    }

    pub(crate) fn wait(&mut self, scope: Scope, why: Waiting, until: Time) {
        self.matters.insert(Matter::Waiting { scope, why, until });
    }

    pub(crate) fn stuck(&mut self, scope: Scope, why: Trouble) {
        self.matters.insert(Matter::Stuck { scope, why });
    }

    /// Work that could do harm while this is open has to wait.
    pub(crate) fn unsettle(&mut self) {
        self.unrest = true;
    }

    /// Whether nothing is open that concerns more than one shard, and nothing is about to be done.
    pub(crate) fn is_calm(&self) -> bool {
        !self.unrest && self.steps.iter().all(|step| matches!(step, Step::Label { .. } | Step::Grow { .. }))
    }

    /// Whether nothing is about to be done but moving slots and what is harmless beside it.
    pub(crate) fn has_only_migrations(&self) -> bool {
        self.steps.iter().all(|step| matches!(step, Step::Migrate { .. } | Step::Label { .. } | Step::Grow { .. }))
    }

    /// Whether a replica is about to ask all primaries for their votes. Each votes once, so that of two who ask at once neither may have
    /// a majority; clients then wait for five seconds.
    pub(crate) fn has_vote(&self) -> bool {
        self.steps.iter().any(Step::is_vote)
    }

    pub(crate) const fn is_unsettled(&self) -> bool {
        self.unrest
    }

    /// Whether pods cannot leave before somebody has helped.
    pub(crate) fn is_held_back(&self) -> bool {
        self.matters.iter().any(Matter::holds_back)
    }

    /// Whether nothing is open, and nothing is about to be done.
    pub(crate) fn is_empty(&self) -> bool {
        self.steps.is_empty() && self.matters.is_empty()
    }

    pub(crate) fn occupy(&mut self, primary: NodeId) {
        self.busy.insert(primary);
    }

    pub(crate) fn is_free(&self, primary: NodeId) -> bool {
        !self.busy.contains(&primary)
    }

    pub(crate) fn into_plan(self, now: Time) -> Plan {
        let matters: Vec<Matter> = self.matters.into_iter().collect();
        let soonest = matters.iter().filter_map(Matter::until).min();
        match (self.steps.is_empty(), soonest) {
            (false, _) => Plan::Do(Round(self.steps), matters),
            // Never at once: what was just seen is not seen otherwise a moment later.
            (true, Some(until)) => Plan::Wait(matters, until.max(now + Span::seconds(1))),
            (true, None) if matters.is_empty() => Plan::Done,
            (true, None) => Plan::Stuck(matters),
        }
    }
}
