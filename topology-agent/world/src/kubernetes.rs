//! What Kubernetes does by itself: makes and removes pods, and starts their servers.

use crate::scenario::Scenario;
use crate::valkey::{fail_job, outdate};
use crate::world::{Id, Link, Node, Phase, World};

/// What a template of the scenario runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Template {
    /// The version of the data format that its server writes; none if it never comes up.
    pub format: Option<u8>,
    /// Tells templates with one server apart.
    pub revision: u8,
}

/// Whether the controller has something to do about a pod.
#[must_use]
pub fn is_due(world: &World, ordinal: u8) -> bool {
    let Some(pod) = world.pods.get(usize::from(ordinal)) else { return false };
    (ordinal < world.scale) == (pod.phase == Phase::Absent)
}

/// The controller makes a pod that is missing, or removes one that is too many.
pub fn control(world: &mut World, ordinal: u8) {
    let (scale, template) = (world.scale, world.spec);
    if ordinal >= scale {
        stop(world, ordinal);
    }
    if let Some(pod) = world.pods.get_mut(usize::from(ordinal)) {
        pod.phase = if ordinal < scale { Phase::Starting } else { Phase::Absent };
        pod.generation += u8::from(ordinal < scale);
        pod.template = template;
        pod.labels = planner::Labels::default();
    }
}

/// A server that was made comes up on what its volume holds, if its template can read that.
pub fn boot(world: &mut World, ordinal: u8, scenario: &Scenario) {
    let next = world.next_id;
    let Some(pod) = world.pods.get_mut(usize::from(ordinal)).filter(|pod| pod.phase == Phase::Starting) else { return };
    let written = scenario.template(pod.template).format;
    let Some(format) = written.filter(|format| pod.node.as_ref().is_none_or(|node| node.format <= *format)) else {
        return;
    };
    pod.phase = Phase::Up;
    let generation = pod.generation;
    if pod.node.is_none() {
        world.next_id += 1;
    }
    let node = pod.node.get_or_insert_with(|| Node::new(next, ordinal, generation, format));
    node.format = format;
    node.link = Link::Never;
    node.job = None;
    let id = node.id;
    node.row_mut(id).into_iter().for_each(|row| row.address = generation);
    forget_links(world, id);
    serve(world, id);
}

/// A primary that is up takes writes, and who does not follow it closely falls behind.
pub fn serve(world: &mut World, id: Id) {
    let Some(node) = world.up(id).filter(|node| node.primary().is_none()) else { return };
    let written = node.slots().and(&node.fresh);
    let follows = |node: &Node| node.id == id || node.synced() && node.primary() == Some(id);
    let followers: Vec<Id> = world.running().filter(|(_, _, node)| follows(node)).map(|(_, _, node)| node.id).collect();
    outdate(world, &written, |other| followers.contains(&other));
}

/// Nobody is connected to a server that just came up.
fn forget_links(world: &mut World, id: Id) {
    for node in world.pods.iter_mut().filter_map(|pod| pod.node.as_mut()).filter(|node| node.id != id) {
        if node.row(id).is_some_and(|row| row.linked) {
            node.row_mut(id).into_iter().for_each(|row| row.linked = false);
        }
    }
}

/// A server stops answering. What its primary writes from now on does not reach it; what it alone had stays on its volume.
pub fn stop(world: &mut World, ordinal: u8) {
    let Some(node) = world.pods.get(usize::from(ordinal)).and_then(|pod| pod.node.clone()) else { return };
    if let Some(primary) = node.primary().and_then(|primary| world.up(primary)) {
        let (slots, id) = (primary.slots(), node.id);
        outdate(world, &slots, |other| other != id);
    }
    fail_job(world, node.id);
    let exporting: Vec<Id> = world
        .running()
        .filter(|(_, _, other)| other.job.as_ref().is_some_and(|job| job.target == node.id))
        .map(|(_, _, other)| other.id)
        .collect();
    exporting.into_iter().for_each(|source| fail_job(world, source));
    // Its replicas receive nothing any more, and have all that it had.
    for follower in
        world.pods.iter_mut().filter_map(|pod| pod.node.as_mut()).filter(|other| other.primary() == Some(node.id))
    {
        if follower.synced() {
            follower.link = Link::Lost;
        }
    }
    world.node_mut(ordinal).into_iter().for_each(|node| node.link = Link::Never);
}
