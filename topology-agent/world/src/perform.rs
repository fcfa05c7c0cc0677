//! What steps do to the world: what the servers and Kubernetes accept, and what comes of it.
//!
//! A step that its target refuses changes nothing, as on a real server. What a step ruins is noted as harm.

use std::sync::Arc;

use planner::{FailoverMode, Guard, Migration, NodeId, SlotSet, Step, Target, Volume};

use crate::kubernetes::stop;
use crate::valkey::{hand_over, has_votes, outdate, promote};
use crate::world::{Health, Id, Job, Link, Node, Phase, Row, World};

/// The number of an identity.
#[must_use]
pub fn number(id: NodeId) -> Id {
    u8::try_from(id.number()).unwrap_or_default()
}

/// Performs a step, and notes what it ruins.
pub fn perform(world: &mut World, step: &Step) {
    let (before, used) = (world.kept(), world.used);
    let owned = world.claimed();
    apply(world, step);
    let lost = before.without(&world.kept());
    if used && !lost.is_empty() {
        world.break_law(format!("`{step}` lost the newest data of {} slots", lost.len()));
    }
    let orphaned = owned.without(&world.claimed());
    if !orphaned.is_empty() {
        world.break_law(format!("`{step}` left {} slots without an owner", orphaned.len()));
    }
}

fn apply(world: &mut World, step: &Step) {
    match step {
        Step::Scale { pods } => scale(world, u8::try_from(*pods).unwrap_or(u8::MAX)),
        Step::Label { pod, labels } => {
            let at = usize::try_from(pod.0).unwrap_or(usize::MAX);
            world.pods.get_mut(at).into_iter().for_each(|pod| pod.labels = *labels);
        }
        Step::SetConfigEpoch { node, epoch } => set_config_epoch(world, *node, *epoch),
        Step::Meet { node, peer, .. } => meet(world, *node, *peer),
        Step::AddSlots { node, slots } => add_slots(world, *node, slots),
        Step::ClaimSlots { node, slots } => claim_slots(world, *node, slots),
        Step::Replicate { node, primary } => replicate(world, *node, number(*primary)),
        Step::Failover { replica, primary, mode } => fail_over(world, *replica, number(*primary), *mode),
        Step::Forget { node, gone } => forget(world, *node, number(*gone)),
        Step::Reset { node } => reset(world, *node),
        Step::Migrate { source, target, slots, how } => migrate(world, *source, *target, slots, *how),
        Step::DeletePod { pod, uid, guard, volume } => {
            delete_pod(world, u8::try_from(pod.0).unwrap_or(u8::MAX), uid, *guard, *volume);
        }
        // Nothing in this world depends on them.
        Step::CloseSlots { .. } | Step::Configure { .. } | Step::Grow { .. } => {}
    }
}

/// The node of a target, if it answers and still is that node.
fn reachable(world: &World, target: Target) -> Option<Id> {
    let at = u8::try_from(target.pod.0).ok()?;
    world.id_at(at).filter(|id| *id == number(target.id))
}

fn scale(world: &mut World, pods: u8) {
    let needed = |(_, pod): &(u8, &crate::world::Pod)| pod.node.as_ref().is_some_and(|node| !node.slots().is_empty());
    let removed = (0_u8..).zip(&world.pods).filter(|(at, _)| *at >= pods && *at < world.scale);
    if let Some((at, _)) = removed.clone().find(needed) {
        world.break_law(format!("pod {at} is scaled in, and owns slots"));
    }
    world.scale = pods;
}

fn set_config_epoch(world: &mut World, target: Target, epoch: u64) {
    let Some(id) = reachable(world, target) else { return };
    let epoch = u8::try_from(epoch).unwrap_or(u8::MAX);
    if let Some(node) = world.id_mut(id).filter(|node| node.table.len() == 1 && node.epoch == 0) {
        node.epoch = epoch;
        node.row_mut(id).into_iter().for_each(|row| row.epoch = epoch);
    }
}

/// Both learn of each other and where they are. What else they know spreads when they hear from each other.
fn meet(world: &mut World, node: Target, peer: Target) {
    let Some((first, second)) = reachable(world, node).zip(reachable(world, peer)) else { return };
    for (own, other) in [(first, second), (second, first)] {
        let Some(home) = world.home(other) else { continue };
        let generation = world.pods.get(usize::from(home)).map_or(0, |pod| pod.generation);
        let Some(node) = world.id_mut(own) else { continue };
        match node.row_mut(other) {
            Some(row) => row.address = generation,
            None => node.learn(Row { linked: false, ..Row::new(other, home, generation) }),
        }
    }
}

fn add_slots(world: &mut World, target: Target, slots: &SlotSet) {
    let Some(id) = reachable(world, target) else { return };
    let known = world.up(id).is_some_and(|node| node.owners().any(|row| row.slots.overlaps(slots)));
    if known {
        return;
    }
    let rival = world
        .pods
        .iter()
        .filter_map(|pod| pod.node.as_ref())
        .find(|node| node.id != id && node.slots().overlaps(slots));
    if let Some(rival) = rival {
        let harm = format!("slots of node {} are given to node {id} as well", rival.id);
        world.break_law(harm);
    }
    own(world, id, slots);
}

/// Slots to which nothing was written yet are complete on whoever gets them, and on those that follow.
fn own(world: &mut World, id: Id, slots: &SlotSet) {
    if !world.used {
        let complete = |node: &Node| node.id == id || node.synced() && node.primary() == Some(id);
        for node in world.pods.iter_mut().filter_map(|pod| pod.node.as_mut()).filter(|node| complete(node)) {
            node.fresh = Arc::new(node.fresh.or(slots));
        }
    }
    let node = world.id_mut(id);
    node.and_then(|node| node.row_mut(id)).into_iter().for_each(|row| row.slots = Arc::new(row.slots.or(slots)));
}

fn claim_slots(world: &mut World, target: Target, slots: &SlotSet) {
    let Some(id) = reachable(world, target) else { return };
    let rival =
        world.pods.iter().filter_map(|pod| pod.node.as_ref()).find(|node| node.id != id && node.fresh.overlaps(slots));
    if let Some(rival) = rival.filter(|_| world.used) {
        let harm = format!("node {id} claims slots of which node {} has the data", rival.id);
        world.break_law(harm);
    }
    let greatest = world.running().map(|(_, _, node)| node.epoch).max().unwrap_or_default();
    let Some(node) = world.id_mut(id) else { return };
    for row in Arc::make_mut(&mut node.table) {
        row.slots = Arc::new(row.slots.without(slots));
    }
    node.epoch = greatest + 1;
    node.fresh = Arc::new(node.fresh.or(slots));
    node.row_mut(id).into_iter().for_each(|row| {
        row.epoch = greatest + 1;
        row.slots = Arc::new(row.slots.or(slots));
    });
    world.lost = Arc::new(world.lost.without(slots));
}

fn replicate(world: &mut World, target: Target, primary: Id) {
    let Some(id) = reachable(world, target) else { return };
    let Some(node) = world.up(id) else { return };
    let is_primary = node.row(primary).is_some_and(|row| row.primary.is_none());
    let bound = !node.slots().is_empty() || node.primary().is_none() && world.used && !node.fresh.is_empty();
    if !is_primary || bound || node.primary() == Some(primary) || id == primary {
        return;
    }
    let Some(node) = world.id_mut(id) else { return };
    node.link = Link::Never;
    node.fresh = Arc::default();
    node.row_mut(id).into_iter().for_each(|row| row.primary = Some(primary));
}

fn fail_over(world: &mut World, replica: Target, primary: Id, mode: FailoverMode) {
    let Some(node) = reachable(world, replica).and_then(|id| world.up(id)).cloned() else { return };
    if node.primary() != Some(primary) {
        return;
    }
    let up = world.up(primary).is_some_and(|primary| primary.primary().is_none());
    let agrees = |voter: &Node| voter.row(primary).is_some_and(|row| row.health == Health::Failed);
    let done = match mode {
        FailoverMode::Planned => up && node.synced() && has_votes(world, &node, |_| true),
        // Whoever performs these two asks Kubernetes once more.
        FailoverMode::Forced => !runs(world, primary) && has_votes(world, &node, agrees),
        FailoverMode::Takeover => !runs(world, primary),
    };
    if done {
        crate::valkey::fail_job(world, primary);
        promote(world, node.id, primary);
    }
}

fn runs(world: &World, id: Id) -> bool {
    let pod = world.home(id).and_then(|home| world.pods.get(usize::from(home)));
    pod.is_some_and(|pod| matches!(pod.phase, Phase::Up | Phase::Frozen | Phase::Cut))
}

fn forget(world: &mut World, target: Target, gone: Id) {
    let Some(id) = reachable(world, target) else { return };
    let truth = world.pods.iter().filter_map(|pod| pod.node.as_ref()).find(|node| node.id == gone);
    if truth.is_some_and(|node| !node.slots().is_empty()) {
        world.break_law(format!("node {gone} is forgotten, and owns slots"));
    }
    let Some(node) = world.id_mut(id).filter(|node| node.primary() != Some(gone) && node.id != gone) else { return };
    Arc::make_mut(&mut node.table).retain(|row| row.id != gone);
}

fn reset(world: &mut World, target: Target) {
    let Some(id) = reachable(world, target) else { return };
    let used = world.used;
    let bound = |node: &&Node| node.primary().is_none() && used && !node.fresh.is_empty();
    if world.up(id).as_ref().is_some_and(bound) {
        return;
    }
    let next = world.next_id;
    let Some(home) = world.home(id) else { return };
    let Some(pod) = world.pods.get_mut(usize::from(home)) else { return };
    let format = pod.node.as_ref().map_or(0, |node| node.format);
    pod.node = Some(Node::new(next, home, pod.generation, format));
    world.next_id += 1;
}

fn migrate(world: &mut World, source: Target, target: Target, slots: &SlotSet, how: Migration) {
    let Some((from, to)) = reachable(world, source).zip(reachable(world, target)) else { return };
    let Some(node) = world.up(from) else { return };
    let fit =
        node.primary().is_none() && node.slots().covers(slots) && node.job.as_ref().is_none_or(|job| !job.running);
    let known = node.row(to).is_some_and(|row| row.primary.is_none()) && world.reaches(node, to);
    let taker = world.up(to).is_some_and(|taker| taker.primary().is_none() && taker.row(from).is_some());
    if !(fit && known && taker) {
        return;
    }
    match how {
        Migration::Classic => hand_over(world, from, to, slots),
        Migration::Atomic => {
            let job = Job { target: to, slots: Arc::new(slots.clone()), running: true };
            world.id_mut(from).into_iter().for_each(|node| node.job = Some(job.clone()));
        }
    }
}

fn delete_pod(world: &mut World, ordinal: u8, uid: &str, guard: Guard, volume: Volume) {
    let Some(pod) = world.pods.get(usize::from(ordinal)) else { return };
    let same = pod.generation.to_string() == uid && pod.phase != Phase::Absent;
    if !same || !holds(world, ordinal, guard) {
        return;
    }
    stop(world, ordinal);
    if volume == Volume::Fresh
        && let Some(node) = world.pods.get(usize::from(ordinal)).and_then(|pod| pod.node.clone())
    {
        outdate(world, &SlotSet::all(), |id| id != node.id);
    }
    if let Some(pod) = world.pods.get_mut(usize::from(ordinal)) {
        pod.phase = Phase::Absent;
        if volume == Volume::Fresh {
            pod.node = None;
        }
    }
}

/// What whoever deletes a pod asks right before.
fn holds(world: &World, ordinal: u8, guard: Guard) -> bool {
    let node = world.node_at(ordinal);
    let leads = |id: Id| world.up(id).is_some_and(|primary| primary.primary().is_none());
    match guard {
        Guard::Down => world.pods.get(usize::from(ordinal)).is_some_and(|pod| pod.phase == Phase::Starting),
        Guard::Follows(primary) => {
            node.is_some_and(|node| node.primary() == Some(number(primary))) && leads(number(primary))
        }
        Guard::Alone => node.is_some_and(|node| !world.running().any(|(_, _, other)| other.primary() == Some(node.id))),
    }
}
