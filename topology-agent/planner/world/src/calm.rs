//! What becomes of a world in which no more faults happen.

use planner::{Plan, Step, plan};

use crate::kubernetes::{boot, control, is_due, serve};
use crate::look::{NOW, look};
use crate::perform::perform;
use crate::scenario::Scenario;
use crate::valkey::{electable, finish_job, hear, promote, sync, syncing};
use crate::world::{Phase, World};

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

/// Lets everything that happens by itself happen, until nothing changes.
pub fn settle(world: &mut World, scenario: &Scenario) {
    for _ in 0..64 {
        let before = world.clone();
        for ordinal in 0..u8::try_from(world.pods.len()).unwrap_or(u8::MAX) {
            happen(world, scenario, ordinal);
        }
        if *world == before {
            return;
        }
    }
}

fn happen(world: &mut World, scenario: &Scenario, ordinal: u8) {
    if is_due(world, ordinal) {
        control(world, ordinal);
    }
    let template = world.pods.get(usize::from(ordinal)).map_or(0, |pod| pod.template);
    boot(world, ordinal, scenario.template(template));
    if let Some(pod) = world.pods.get_mut(usize::from(ordinal))
        && matches!(pod.phase, Phase::Frozen | Phase::Cut)
    {
        pod.phase = Phase::Up;
        let id = pod.node.as_ref().map_or(0, |node| node.id);
        serve(world, id);
    }
    if world.running().any(|(at, _, _)| at == ordinal) {
        hear(world, ordinal);
    }
    let id = world.running().find(|(at, _, _)| *at == ordinal).map(|(_, _, node)| node.id);
    if let Some((id, primary)) = id.zip(electable(world, ordinal)) {
        promote(world, id, primary);
    }
    if syncing(world, ordinal).is_some() {
        sync(world, ordinal);
    }
    if let Some(id) = id.filter(|id| world.up(*id).and_then(|node| node.job.as_ref()).is_some_and(|job| job.running)) {
        finish_job(world, id);
    }
}

/// Plans and performs until there is nothing left to do, or `bound` rounds have passed.
#[must_use]
pub fn calm(world: &mut World, scenario: &Scenario, bound: u32) -> Outcome {
    let mut steps = Vec::new();
    let mut rounds = 0;
    let mut waited = false;
    world.pending.clear();
    loop {
        settle(world, scenario);
        let Some((desired, _)) = scenario.specs.get(usize::from(world.spec)) else {
            return Outcome { plan: Plan::Done, rounds, steps };
        };
        let next = plan(desired, &look(world, scenario, waited), NOW);
        match &next {
            Plan::Do(round, _) if rounds < bound => {
                waited = false;
                rounds += 1;
                for step in &round.0 {
                    perform(world, step);
                    steps.push(step.clone());
                }
            }
            // What is waited for may have taken too long by the next look.
            Plan::Wait(..) if !waited => waited = true,
            Plan::Do(..) | Plan::Wait(..) | Plan::Done | Plan::Stuck(_) => return Outcome { plan: next, rounds, steps },
        }
    }
}
