//! What becomes of a world in which no more faults happen.

use planner::{Plan, Step, plan};

use crate::fault::{is_possible, strike};
use crate::kubernetes::{boot, control, is_due};
use crate::look::{NOW, look};
use crate::perform::perform;
use crate::scenario::{Fault, Scenario};
use crate::valkey::{electable, finish_job, hear, promote, sync};
use crate::world::{Id, World};

/// How a world ended up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// The last plan.
    pub plan: Plan,
    /// How many rounds were performed.
    pub rounds: u32,
    /// Every step, in order.
    pub steps: Vec<Step>,
}

/// Lets everything that happens by itself happen, until nothing changes; each new state is noted.
pub(crate) fn settle(world: &mut World, scenario: &Scenario, note: &mut impl FnMut(&World)) {
    for _ in 0..64 {
        let before = world.clone();
        for ordinal in 0..u8::try_from(world.pods.len()).unwrap_or(u8::MAX) {
            for event in [start, recover, listen, elect, catch_up, finish] {
                event(world, scenario, ordinal);
                note(world);
            }
        }
        if *world == before {
            return;
        }
    }
}

fn id_at(world: &World, ordinal: u8) -> Option<Id> {
    world.running().find(|(at, _, _)| *at == ordinal).map(|(_, _, node)| node.id)
}

fn start(world: &mut World, scenario: &Scenario, ordinal: u8) {
    if is_due(world, ordinal) {
        control(world, ordinal);
    }
    let template = world.pods.get(usize::from(ordinal)).map_or(0, |pod| pod.template);
    boot(world, ordinal, scenario.template(template));
}

fn recover(world: &mut World, _: &Scenario, ordinal: u8) {
    if is_possible(world, Fault::Mend, ordinal) {
        strike(world, Fault::Mend, ordinal);
    }
}

fn listen(world: &mut World, _: &Scenario, ordinal: u8) {
    if id_at(world, ordinal).is_some() {
        hear(world, ordinal);
    }
}

fn elect(world: &mut World, _: &Scenario, ordinal: u8) {
    if let Some((id, primary)) = id_at(world, ordinal).zip(electable(world, ordinal)) {
        promote(world, id, primary);
        world.note_losses();
    }
}

fn catch_up(world: &mut World, _: &Scenario, ordinal: u8) {
    sync(world, ordinal);
}

fn finish(world: &mut World, _: &Scenario, ordinal: u8) {
    let runs = |id: &Id| world.up(*id).and_then(|node| node.job.as_ref()).is_some_and(|job| job.running);
    if let Some(id) = id_at(world, ordinal).filter(runs) {
        finish_job(world, id);
    }
}

/// Plans and performs until there is nothing left to do, or `bound` rounds have passed.
#[must_use]
pub fn calm(world: &mut World, scenario: &Scenario, bound: u32) -> Outcome {
    follow(world, scenario, bound, &mut |_| {})
}

/// Every moment of the course that a world takes when nothing goes wrong.
#[must_use]
pub fn course(start: &World, scenario: &Scenario, bound: u32) -> Vec<World> {
    let mut moments = vec![start.clone()];
    let mut note = |world: &World| {
        if moments.last() != Some(world) {
            moments.push(world.clone());
        }
    };
    let mut world = start.clone();
    let _ = follow(&mut world, scenario, bound, &mut note);
    moments
}

fn follow(world: &mut World, scenario: &Scenario, bound: u32, note: &mut impl FnMut(&World)) -> Outcome {
    let mut steps = Vec::new();
    let mut rounds = 0;
    let mut late = false;
    world.pending.clear();
    loop {
        settle(world, scenario, note);
        let Some((desired, _)) = scenario.specs.get(usize::from(world.spec)) else {
            return Outcome { plan: Plan::Done, rounds, steps };
        };
        let next = plan(desired, &look(world, scenario, late), NOW);
        match &next {
            Plan::Do(round, _) if rounds < bound => {
                (late, rounds) = (false, rounds + 1);
                world.pending.clone_from(&round.0);
                while !world.pending.is_empty() {
                    note(world);
                    let step = world.pending.remove(0);
                    perform(world, &step);
                    steps.push(step);
                }
            }
            // What is waited for may have taken too long by the next look.
            Plan::Wait(..) if !late => late = true,
            Plan::Do(..) | Plan::Wait(..) | Plan::Done | Plan::Stuck(_) => {
                return Outcome { plan: next, rounds, steps };
            }
        }
    }
}
