//! What no step may break, whoever thought of it.
//!
//! These look at the view alone and share nothing with the decisions: they are what stands between a mistake there and somebody's
//! data. The model, the properties and the running agent all ask them before a step is performed.

mod reading;

use std::fmt;
use std::net::IpAddr;

use self::reading::{
    at, find, in_sync, is_copy, is_here, is_newer, is_replaced, is_stale, is_well, owns_nothing,
    owns_nothing_elsewhere, owns_nothing_itself, rows,
};
use crate::desired::Desired;
use crate::id::{NodeId, Ordinal};
use crate::slots::SlotSet;
use crate::step::{FailoverMode, Step, Target, Volume};
use crate::view::{Health, JobState, Link, Opinion, Pod, Role, Row, Server, Sight, Template, View};

/// A law.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Law {
    /// No slot that has an owner is left without one, and none is given to two.
    OneOwner,
    /// No node that owns slots or holds the only copy of data is forgotten, reset, flushed or deleted.
    KeepData,
    /// A pod is deleted only if its shard keeps its data elsewhere in sync; at most one member of a shard is down by our hand.
    OneDown,
    /// A primary restarts only after another member took over, unless its shard has no replica and should have none.
    HandOverFirst,
    /// No replica is promoted that is not in sync, or that a primary does not yet see connected.
    PromoteSynced,
    /// No node is met that belongs, or may belong, to another cluster.
    MeetOwn,
    /// A pod is scaled in only when nobody knows its node and it holds nothing.
    LeaveBlank,
    /// At most one failover at a time, and none beside a migration of the shard.
    OneFailover,
    /// No takeover without proof that the old primary is gone.
    ProvenGone,
    /// While a pod on the new template is not well, no other follows it; data is never taken to where it cannot be read.
    HaltedStaysHalted,
}

/// A law that a step would break, and how.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Broken {
    /// The law.
    pub law: Law,
    /// What is wrong.
    pub why: &'static str,
}

/// Whether a step keeps the laws in this view.
///
/// # Errors
/// The first law that it would break.
pub fn check(desired: &Desired, view: &View, step: &Step) -> Result<(), Broken> {
    match step {
        Step::AddSlots { node, slots } => add_slots(view, *node, slots),
        Step::ClaimSlots { node, slots } => claim_slots(view, *node, slots),
        Step::Meet { node, peer, address } => meet(view, *node, *peer, *address),
        Step::Replicate { node, primary } => replicate(view, *node, *primary),
        Step::Failover { replica, primary, mode } => failover(desired, view, *replica, *primary, *mode),
        Step::Forget { gone, .. } => forget(view, *gone),
        Step::Reset { node } => reset(desired, view, *node),
        Step::Migrate { source, target, slots, .. } => migrate(view, *source, *target, slots),
        Step::DeletePod { pod, volume, .. } => delete_pod(desired, view, *pod, *volume),
        Step::Scale { pods } => scale(view, *pods),
        Step::Label { .. }
        | Step::SetConfigEpoch { .. }
        | Step::CloseSlots { .. }
        | Step::Configure { .. }
        | Step::Grow { .. } => Ok(()),
    }
}

/// Whether the steps of a round keep the laws side by side, in any order.
///
/// # Errors
/// The first law that one of them, or two together, would break.
pub fn check_round(desired: &Desired, view: &View, steps: &[Step]) -> Result<(), Broken> {
    steps.iter().try_for_each(|step| check(desired, view, step))?;
    let mut disturbed: Vec<NodeId> = steps.iter().filter_map(|step| disturbs(view, step)).collect();
    disturbed.sort_unstable();
    let twice = disturbed.windows(2).any(|pair| pair.first() == pair.last());
    hold(!twice, Law::OneDown, "two members of one shard would be down, or hand over, at once")?;
    let votes = steps.iter().filter(|step| step.is_vote()).count();
    hold(votes <= 1, Law::OneFailover, "two replicas would ask for the same votes")
}

/// The primary of the shard in which a step takes a member down or lets another take over.
fn disturbs(view: &View, step: &Step) -> Option<NodeId> {
    match step {
        Step::Failover { primary, .. } => Some(*primary),
        Step::DeletePod { pod, .. } => {
            let server = view.pods.get(pod)?.server()?;
            Some(server.follows().unwrap_or(server.id))
        }
        Step::Scale { .. }
        | Step::Label { .. }
        | Step::SetConfigEpoch { .. }
        | Step::Meet { .. }
        | Step::AddSlots { .. }
        | Step::ClaimSlots { .. }
        | Step::Replicate { .. }
        | Step::Forget { .. }
        | Step::Reset { .. }
        | Step::Migrate { .. }
        | Step::CloseSlots { .. }
        | Step::Configure { .. }
        | Step::Grow { .. } => None,
    }
}

fn hold(holds: bool, law: Law, why: &'static str) -> Result<(), Broken> {
    if holds { Ok(()) } else { Err(Broken { law, why }) }
}

fn add_slots(view: &View, node: Target, slots: &SlotSet) -> Result<(), Broken> {
    let others = view.opinions.iter().flat_map(|opinion| &opinion.rows).filter(|row| row.id != node.id);
    let free = others.filter(|row| !is_stale(view, row)).all(|row| !row.slots.overlaps(slots));
    hold(free, Law::OneOwner, "the slots have an owner")?;
    let holds = |server: &Server| server.id != node.id && server.strays.overlaps(slots);
    hold(!view.servers().any(|(_, _, server)| holds(server)), Law::KeepData, "another node holds their keys")
}

fn claim_slots(view: &View, node: Target, slots: &SlotSet) -> Result<(), Broken> {
    let owners = view.opinions.iter().flat_map(|opinion| &opinion.rows);
    let mut owners = owners.filter(|row| row.id != node.id && row.slots.overlaps(slots));
    hold(owners.all(|row| is_replaced(view, row.id)), Law::OneOwner, "an owner of the slots may come back")?;
    let holds = |server: &Server| server.id != node.id && server.strays.overlaps(slots);
    hold(!view.servers().any(|(_, _, server)| holds(server)), Law::KeepData, "another node holds their keys")
}

fn meet(view: &View, node: Target, peer: Target, address: IpAddr) -> Result<(), Broken> {
    let there = view.pods.get(&peer.pod).is_some_and(|pod| pod.address == Some(address));
    hold(there, Law::MeetOwn, "the address is not that of its pod")?;
    let ours = |row: &Row| {
        row.health == Health::Handshake || row.pod.is_some() || find(view, row.id).is_some() || is_here(view, row)
    };
    for target in [node, peer] {
        let opinion = at(view, target).and_then(|server| view.opinion(server));
        let known = opinion.is_some_and(|opinion| opinion.rows.iter().all(ours));
        hold(known, Law::MeetOwn, "one of them was not asked, or knows a node that is not ours")?;
    }
    let table = |target| at(view, target).and_then(|server| view.opinion(server));
    let knows = |one, other: Target| table(one).is_some_and(|opinion: &Opinion| opinion.row(other.id).is_some());
    let slots = |target| {
        let rows = table(target).into_iter().flat_map(|opinion| &opinion.rows);
        rows.fold(SlotSet::EMPTY, |all, row| all.or(&row.slots))
    };
    let two = slots(node).overlaps(&slots(peer)) && !knows(node, peer) && !knows(peer, node);
    hold(!two, Law::MeetOwn, "each belongs to a cluster with the same slots, and neither knows the other")
}

fn replicate(view: &View, node: Target, primary: NodeId) -> Result<(), Broken> {
    hold(owns_nothing(view, node.id), Law::OneOwner, "it owns slots in some view")?;
    let Some(server) = at(view, node) else {
        return hold(false, Law::KeepData, "it was not asked");
    };
    match server.role {
        Role::Primary => hold(server.keys == 0, Law::KeepData, "it holds keys of its own"),
        Role::Replica(former) if former == primary || owns_nothing(view, former) => Ok(()),
        Role::Replica(former) => {
            hold(find(view, former).is_some(), Law::KeepData, "the primary that it leaves does not answer")
        }
    }
}

fn failover(
    desired: &Desired,
    view: &View,
    replica: Target,
    primary: NodeId,
    mode: FailoverMode,
) -> Result<(), Broken> {
    let Some(candidate) = at(view, replica) else {
        return hold(false, Law::PromoteSynced, "it was not asked");
    };
    hold(candidate.follows() == Some(primary), Law::PromoteSynced, "it follows another primary")?;
    match mode {
        FailoverMode::Planned => planned(view, candidate, primary),
        FailoverMode::Forced => forced(view, candidate, primary),
        FailoverMode::Takeover => takeover(desired, view, candidate, primary),
    }
}

fn planned(view: &View, candidate: &Server, primary: NodeId) -> Result<(), Broken> {
    hold(in_sync(view, candidate, primary), Law::PromoteSynced, "it is not in sync")?;
    let sees = |voter: &Server| {
        let row = view.opinion(voter).and_then(|opinion| opinion.row(candidate.id));
        row.is_some_and(|row| row.linked && row.health == Health::Fine)
    };
    let mut voters = view.servers().map(|(_, _, server)| server).filter(|server| !owns_nothing_itself(view, server));
    hold(voters.all(sees), Law::PromoteSynced, "a primary is not connected to it")?;
    let rows = view.opinion(candidate).map_or(&[][..], |opinion| &opinion.rows);
    let asked = rows.iter().filter(|row| !row.slots.is_empty()).all(|row| find(view, row.id).is_some());
    hold(asked, Law::PromoteSynced, "a primary was not asked whether it is connected to it")?;
    let leads = find(view, primary);
    hold(leads.is_some_and(|server| !server.paused), Law::OneFailover, "a failover is under way")?;
    let moves = |server: &Server| {
        let running = server.jobs.iter().filter(|job| job.state == JobState::Running);
        let touches = |target: NodeId| server.id == primary || target == primary;
        running.map(|job| job.target).any(touches)
    };
    let moving = view.servers().any(|(_, _, server)| moves(server));
    hold(!moving, Law::OneFailover, "slots of the shard are on their way")
}

fn forced(view: &View, candidate: &Server, primary: NodeId) -> Result<(), Broken> {
    hold(is_replaced(view, primary), Law::PromoteSynced, "the primary may come back, with more data")?;
    hold(candidate.link != Link::Syncing, Law::PromoteSynced, "it has half of the data")?;
    let failed = |row: &Row| row.health == Health::Failed;
    let opinion = view.opinion(candidate).and_then(|opinion| opinion.row(primary));
    hold(opinion.is_some_and(failed), Law::PromoteSynced, "the primary has not failed")?;
    knows_slots(view, candidate, primary)
}

/// A replica takes the slots that it knows its primary to own; any other would be left without an owner.
fn knows_slots(view: &View, candidate: &Server, primary: NodeId) -> Result<(), Broken> {
    let own = view.opinion(candidate).and_then(|opinion| opinion.row(primary));
    let knows = |row: &Row| rows(view, primary).all(|other| row.slots.covers(&other.slots));
    hold(own.is_some_and(knows), Law::OneOwner, "it does not know which slots it would take over")
}

fn takeover(desired: &Desired, view: &View, candidate: &Server, primary: NodeId) -> Result<(), Broken> {
    hold(candidate.link != Link::Syncing, Law::PromoteSynced, "it has half of the data")?;
    let never_started = |row: &Row| {
        let pod = row.pod.and_then(|pod| view.pods.get(&pod));
        pod.is_some_and(|pod| pod.sight == Sight::Down && pod.address.is_none())
    };
    let gone = is_replaced(view, primary) || !desired.persistent && rows(view, primary).any(never_started);
    hold(gone && find(view, primary).is_none(), Law::ProvenGone, "the old primary may still run")?;
    let had_all = matches!(candidate.link, Link::Down(_)) || is_replaced(view, primary);
    hold(had_all, Law::PromoteSynced, "it was not connected before")?;
    knows_slots(view, candidate, primary)
}

fn forget(view: &View, gone: NodeId) -> Result<(), Broken> {
    hold(owns_nothing(view, gone), Law::KeepData, "it owns slots in some view")?;
    hold(find(view, gone).is_none(), Law::KeepData, "it answers")?;
    let followed = view.servers().any(|(_, _, server)| server.follows() == Some(gone));
    hold(!followed, Law::KeepData, "somebody follows it")
}

fn reset(desired: &Desired, view: &View, node: Target) -> Result<(), Broken> {
    let Some(server) = at(view, node) else {
        return hold(false, Law::KeepData, "it was not asked");
    };
    match server.role {
        Role::Primary => {
            hold(server.keys == 0, Law::KeepData, "it holds keys")?;
            let owns = rows(view, node.id).any(|row| !row.slots.is_empty() && !is_stale(view, row));
            let shared = view.opinions.iter().any(|opinion| opinion.rows.len() > 1 && opinion.row(node.id).is_some());
            hold(!(owns && shared && !owns_nothing_elsewhere(view, node.id)), Law::KeepData, "it owns slots")
        }
        Role::Replica(primary) => {
            let kept = find(view, primary).is_some() || owns_nothing(view, primary);
            hold(kept, Law::KeepData, "its primary does not answer")?;
            let synced = view.servers().filter(|(_, _, other)| other.id != server.id && in_sync(view, other, primary));
            // What leaves is not missed; what is to lead a new shard leaves one copy behind at least.
            let least = if node.pod.0 < desired.pods() { desired.replicas.min(1) } else { desired.replicas };
            let enough = owns_nothing(view, primary) || synced.count() >= usize::from(least);
            hold(enough, Law::LeaveBlank, "its shard would have too few members in sync without it")
        }
    }
}

fn migrate(view: &View, source: Target, target: Target, slots: &SlotSet) -> Result<(), Broken> {
    let owns = at(view, source).and_then(|server| view.own_row(server)).is_some_and(|row| row.slots.covers(slots));
    hold(owns, Law::OneOwner, "the source does not own the slots")?;
    let taker = at(view, target);
    hold(taker.is_some_and(|server| server.follows().is_none()), Law::OneOwner, "the target is not a primary")?;
    let calm = [at(view, source), taker].into_iter().flatten().all(|server| !server.paused);
    hold(calm, Law::OneFailover, "a failover of one of the shards is under way")
}

fn delete_pod(desired: &Desired, view: &View, pod: Ordinal, volume: Volume) -> Result<(), Broken> {
    hold(view.rendered, Law::HaltedStaysHalted, "onto what it would restart is not known")?;
    let Some(about) = view.pods.get(&pod) else { return Ok(()) };
    match &about.sight {
        Sight::Seen(server) => delete_running(desired, view, server, volume),
        // What does not run cannot be taken down; its volume goes only if it holds a copy of what somebody else has.
        Sight::Down => {
            let kept = volume == Volume::Kept || desired.downgrade && is_copy(view, pod);
            hold(kept, Law::KeepData, "its volume may hold the only copy")?;
            let newer = view.servers().any(|(_, _, server)| is_newer(desired, server));
            let readable = volume == Volume::Fresh || about.template == Template::Current || !newer;
            hold(readable, Law::HaltedStaysHalted, "the older series could not read its data")
        }
        Sight::Silent | Sight::Loading | Sight::Locked => hold(false, Law::OneDown, "it may be running"),
    }
}

fn delete_running(desired: &Desired, view: &View, server: &Server, volume: Volume) -> Result<(), Broken> {
    let head = server.follows().unwrap_or(server.id);
    let well = |pod: &Pod| pod.server().is_some_and(|other| is_well(desired, view, other));
    let mut current = view.pods.values().filter(|pod| pod.template == Template::Current);
    hold(current.all(well), Law::HaltedStaysHalted, "a pod on the current template is not well")?;
    let rows = view.opinion(server).map_or(&[][..], |opinion| &opinion.rows);
    let mut others =
        rows.iter().filter(|row| row.id != server.id && (row.id == head || row.role == Some(Role::Replica(head))));
    let up = |row: &Row| find(view, row.id).is_some_and(|other| is_well(desired, view, other));
    hold(others.all(up), Law::OneDown, "another member of its shard is not well")?;
    if server.follows().is_none() {
        hold(desired.replicas == 0, Law::HandOverFirst, "it is the primary of a shard that has replicas")?;
        hold(volume == Volume::Kept, Law::KeepData, "it has the only copy")?;
    }
    let readable = !is_newer(desired, server) || (volume == Volume::Fresh && desired.downgrade && !server.field_expiry);
    hold(readable, Law::HaltedStaysHalted, "the older series could not read its data")
}

fn scale(view: &View, pods: u32) -> Result<(), Broken> {
    for pod in view.pods.range(Ordinal(pods)..).map(|(_, pod)| pod) {
        let empty = match &pod.sight {
            Sight::Seen(server) => server.keys == 0 && server.follows().is_none(),
            Sight::Down => true,
            Sight::Silent | Sight::Loading | Sight::Locked => false,
        };
        hold(empty, Law::LeaveBlank, "a pod that would go holds data, or was not seen")?;
    }
    // Of a pod that is not listed, too: it was taken down a moment ago, and is about to be back.
    let shared = view.opinions.iter().filter(|opinion| opinion.rows.len() > 1);
    let known = |row: &Row| row.pod.is_some_and(|pod| pod.0 >= pods);
    hold(
        !shared.flat_map(|opinion| &opinion.rows).any(known),
        Law::LeaveBlank,
        "a node of a pod that would go is still known",
    )
}

impl Law {
    /// The number of the law, from one.
    #[must_use]
    pub const fn number(self) -> u8 {
        self as u8 + 1
    }
}

impl fmt::Display for Law {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::OneOwner => "every slot has one owner",
            Self::KeepData => "no data is lost by our hand",
            Self::OneDown => "one member of a shard is down at most",
            Self::HandOverFirst => "a primary hands over before it restarts",
            Self::PromoteSynced => "only a replica in sync, and seen by all, takes over",
            Self::MeetOwn => "only our own nodes are met",
            Self::LeaveBlank => "a pod leaves blank and forgotten",
            Self::OneFailover => "one failover at a time",
            Self::ProvenGone => "a takeover needs proof that the old primary is gone",
            Self::HaltedStaysHalted => "a halted upgrade stays halted",
        })
    }
}

impl fmt::Display for Broken {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "law {} ({}): {}", self.law.number(), self.law, self.why)
    }
}

impl std::error::Error for Broken {}
