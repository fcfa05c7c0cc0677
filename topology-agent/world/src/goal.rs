//! Whether a world is as its spec asks: by what is true in it, whatever anybody sees or says.

use planner::{Desired, SlotSet};

use crate::scenario::Scenario;
use crate::world::{Id, Node, Phase, World};

/// Whether nothing is left to be done about a world.
#[must_use]
pub fn is_reached(world: &World, scenario: &Scenario) -> bool {
    scenario.specs.get(usize::from(world.spec)).is_none_or(|(desired, _)| {
        all_run(world, scenario, desired) && all_reach_all(world) && slots_are_shared(world, desired)
    })
}

/// Whether there are as many pods as there should be, and each runs the template that it should.
fn all_run(world: &World, scenario: &Scenario, desired: &Desired) -> bool {
    let wanted = scenario.template(world.spec);
    let right = |template: u8| desired.paused || scenario.template(template) == wanted;
    let count = u32::try_from(world.running().count()).unwrap_or(u32::MAX);
    let well = world.pods.iter().filter(|pod| pod.phase != Phase::Absent).all(|pod| pod.phase == Phase::Up);
    well && count == desired.pods() && world.running().all(|(_, pod, _)| right(pod.template))
}

/// Whether every node knows every other, and where it is, and nobody else.
fn all_reach_all(world: &World) -> bool {
    let ids: Vec<Id> = world.running().map(|(_, _, node)| node.id).collect();
    let reaches_all = |node: &Node| ids.iter().all(|id| *id == node.id || world.reaches(node, *id));
    world.running().all(|(_, _, node)| node.table.len() == ids.len() && reaches_all(node))
}

/// Whether every slot has one owner, no shard has more than its share, and each has all its replicas in sync.
fn slots_are_shared(world: &World, desired: &Desired) -> bool {
    let owners: Vec<&Node> = world.running().map(|(_, _, node)| node).filter(|node| !node.slots().is_empty()).collect();
    let counts = || owners.iter().map(|node| node.slots().len());
    let covered = owners.iter().fold(SlotSet::EMPTY, |all, node| all.or(&node.slots()));
    let once = counts().map(u32::from).sum::<u32>() == u32::from(SlotSet::all().len());
    let even = counts().max().zip(counts().min()).is_some_and(|(most, least)| most - least <= 1);
    let replicas = |owner: &Node| {
        let follows = |node: &Node| node.synced() && node.primary() == Some(owner.id);
        world.running().filter(|(_, _, node)| follows(node)).count()
    };
    owners.len() == usize::from(desired.shards)
        && covered == SlotSet::all()
        && once
        && (even || !desired.rebalance)
        && owners.iter().all(|owner| replicas(owner) == usize::from(desired.replicas))
}
