//! What goes wrong in the world.

use planner::{SlotSet, Step};

use crate::kubernetes::{serve, stop};
use crate::look::identity;
use crate::perform::perform;
use crate::scenario::Fault;
use crate::valkey::{fail_job, hand_over, promote};
use crate::world::{Id, Node, Phase, Pod, World};

/// Whether something can go wrong with a pod in this way now.
#[must_use]
pub fn is_possible(world: &World, fault: Fault, at: u8) -> bool {
    let Some(pod) = world.pods.get(usize::from(at)) else { return false };
    let up = pod.phase == Phase::Up;
    let node = pod.node.as_ref().filter(|_| up);
    match fault {
        Fault::Crash | Fault::Move | Fault::LoseVolume | Fault::Freeze | Fault::Cut => up,
        Fault::Mend => matches!(pod.phase, Phase::Frozen | Phase::Cut),
        Fault::FailOver | Fault::Reset => node.is_some_and(Node::synced),
        Fault::MoveSlots => node.is_some_and(|node| node.slots().len() > 1 && neighbour(world, node.id).is_some()),
    }
}

/// Something goes wrong with a pod.
pub fn strike(world: &mut World, fault: Fault, at: u8) {
    match fault {
        Fault::Crash => fall(world, at, Phase::Starting),
        Fault::Move => fall(world, at, Phase::Absent),
        Fault::Freeze => fall(world, at, Phase::Frozen),
        Fault::Cut => fall(world, at, Phase::Cut),
        Fault::LoseVolume => {
            fall(world, at, Phase::Absent);
            pod_mut(world, at).into_iter().for_each(|pod| pod.node = None);
        }
        Fault::Mend => {
            pod_mut(world, at).into_iter().for_each(|pod| pod.phase = Phase::Up);
            world.id_at(at).into_iter().for_each(|id| serve(world, id));
        }
        Fault::FailOver => fail_over(world, at),
        Fault::Reset => {
            let node =
                world.id_at(at).map(|id| planner::Target { pod: planner::Ordinal(u32::from(at)), id: identity(id) });
            node.into_iter().for_each(|node| perform(world, &Step::Reset { node }));
        }
        Fault::MoveSlots => move_slots(world, at),
    }
}

fn fall(world: &mut World, at: u8, phase: Phase) {
    stop(world, at);
    pod_mut(world, at).into_iter().for_each(|pod| pod.phase = phase);
}

fn pod_mut(world: &mut World, at: u8) -> Option<&mut Pod> {
    world.pods.get_mut(usize::from(at))
}

fn fail_over(world: &mut World, at: u8) {
    let ids = world.node_at(at).and_then(|node| node.primary().map(|primary| (node.id, primary)));
    if let Some((id, primary)) = ids.filter(|(_, primary)| world.up(*primary).is_some()) {
        fail_job(world, primary);
        promote(world, id, primary);
    }
}

/// Another primary that a primary knows and reaches.
fn neighbour(world: &World, id: Id) -> Option<Id> {
    let node = world.up(id)?;
    let leads = |other: &Id| world.up(*other).is_some_and(|other| !other.slots().is_empty());
    node.owners().map(|row| row.id).find(|other| *other != id && world.reaches(node, *other) && leads(other))
}

fn move_slots(world: &mut World, at: u8) {
    let Some((id, target)) = world.id_at(at).and_then(|id| Some((id, neighbour(world, id)?))) else { return };
    let slots = world.up(id).map(|node| SlotSet::clone(&node.slots())).unwrap_or_default();
    let few = slots.clone().split_off(slots.len() / 2);
    hand_over(world, id, target, &few);
}
