//! Decides what a Valkey cluster needs next.
//!
//! ```text
//! Desired ──┐
//! View ─────┼──► plan ──► Done | Do(round) | Wait(why, until) | Stuck(why, hint)
//! now ──────┘
//! ```
//!
//! [`plan()`] is a pure function: the same arguments give the same plan, on any machine. Whoever calls it looks at the cluster, asks for
//! a plan, performs its round, and looks again; it never acts twice on one view. A round may be lost, cut short, performed in any
//! order or twice: the next view shows what came of it, and the next plan goes on from there. What is waited for and what is wrong
//! comes with every plan, in the words of [`Waiting`] and [`Trouble`].

mod acquaintance;
mod decide;
mod desired;
mod draft;
mod id;
pub mod laws;
mod layout;
pub mod matching;
mod plan;
pub mod sharing;
mod situation;
mod slots;
mod step;
mod survey;
mod time;
mod view;

pub use desired::Desired;
pub use id::{History, NodeId, NotAnId, Ordinal};
pub use plan::{Matter, Plan, Round, Scope, Trouble, Waiting};
pub use slots::{SLOTS, SlotSet};
pub use step::{FailoverMode, Guard, Migration, Step, Target, Volume};
pub use survey::{Replica, Shard, Survey, survey};
pub use time::{Span, Time};
pub use view::{
    Health, Job, JobState, Labels, Link, OpenSlot, Opening, Opinion, Place, Pod, Role, RoleLabel, Row, Server, Sight,
    Template, View,
};

/// Whether slots of a cluster that was written to have no owner: they go to who holds their keys, by the word of the view.
#[must_use]
pub fn has_lost_slots(desired: &Desired, view: &View, now: Time) -> bool {
    situation::Situation::of(desired, view, now).has_lost_slots()
}

/// What to do next, and what is open.
#[must_use]
pub fn plan(desired: &Desired, view: &View, now: Time) -> Plan {
    let situation = situation::Situation::of(desired, view, now);
    let mut draft = draft::Draft::default();
    decide::all(&situation, &mut draft);
    draft.into_plan(now)
}
