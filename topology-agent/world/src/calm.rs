//! What becomes of a world in which no more faults happen.

use planner::{Plan, Step, plan};

use crate::fault::{is_possible, strike};
use crate::kubernetes::{boot, control, is_due};
use crate::look::{NOW, look};
use crate::perform::perform;
use crate::scenario::{Fault, Scenario};
use crate::valkey::{elect, finish, hear, sync};
use crate::world::World;

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

/// Something that a pod or its node does by itself.
type Event = fn(&mut World, &Scenario, u8);

/// All of these, in the order in which they are let happen.
const EVENTS: [Event; 6] = [
    start,
    recover,
    listen,
    |world, _, ordinal| elect(world, ordinal),
    |world, _, ordinal| sync(world, ordinal),
    |world, _, ordinal| finish(world, ordinal),
];

/// Lets everything that happens by itself happen, until nothing changes; each new state is noted.
pub(crate) fn settle(world: &mut World, scenario: &Scenario, note: &mut impl FnMut(&World)) {
    for _ in 0..64 {
        let before = world.clone();
        for ordinal in 0..u8::try_from(world.pods.len()).unwrap_or(u8::MAX) {
            for event in EVENTS {
                event(world, scenario, ordinal);
                note(world);
            }
        }
        if *world == before {
            return;
        }
    }
}

fn start(world: &mut World, scenario: &Scenario, ordinal: u8) {
    if is_due(world, ordinal) {
        control(world, ordinal);
    }
    boot(world, ordinal, scenario);
}

fn recover(world: &mut World, _: &Scenario, ordinal: u8) {
    if is_possible(world, Fault::Mend, ordinal) {
        strike(world, Fault::Mend, ordinal);
    }
}

fn listen(world: &mut World, _: &Scenario, ordinal: u8) {
    if world.id_at(ordinal).is_some() {
        hear(world, ordinal);
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
                // Clients come when all is ready, at the latest.
                world.begin_use();
                return Outcome { plan: next, rounds, steps };
            }
        }
    }
}
