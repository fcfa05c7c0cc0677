//! Worlds and what happens in them, told as prose.

use planner::{Plan, plan};
use stateright::Model;

use crate::calm::{calm, settle};
use crate::look::{NOW, look};
use crate::model::{Action, Checked};
use crate::perform::perform;
use crate::scenario::Scenario;
use crate::world::{Link, Node, Phase, Pod, World};

/// The way to a state that must not be, what is wrong with it, and how it would go on.
#[must_use]
pub fn tell(checked: &Checked, path: &[(World, Option<Action>)]) -> String {
    let mut text = String::new();
    for (world, action) in path {
        match action {
            Some(Action::Perform(index)) => {
                let step = world.pending.get(*index).map(ToString::to_string).unwrap_or_default();
                text += &format!("\n    the agent: {step}");
            }
            Some(action @ Action::Look { .. }) => {
                let next = checked.next_state(world, action.clone());
                let steps =
                    next.map(|next| next.pending.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "));
                text += &format!("\n    {action:?}: {}", steps.unwrap_or_default());
            }
            Some(action) => text += &format!("\n    {action:?}"),
            None => text += &ending(checked, world),
        }
    }
    text
}

fn ending(checked: &Checked, world: &World) -> String {
    if let Some(harm) = &world.harm {
        return format!("\n    HARM: {harm}");
    }
    let mut end = world.clone();
    end.faults = 0;
    let outcome = calm(&mut end, &checked.scenario, checked.bound);
    let mut text = format!("\n    and then, with nothing more going wrong (spec {}, lost {}):", end.spec, end.lost);
    outcome.steps.iter().take(60).for_each(|step| text += &format!("\n      {step}"));
    outcome.plan.matters().iter().for_each(|matter| text += &format!("\n      {matter}"));
    text +=
        &format!("\n      {} rounds, harm {:?}, steps left {}", outcome.rounds, end.harm, outcome.plan.steps().len());
    text += &describe(&end);
    text
}

/// Every pod and what its node believes.
#[must_use]
pub fn describe(world: &World) -> String {
    let mut text = String::new();
    for (ordinal, pod) in world.pods.iter().enumerate() {
        text +=
            &format!("\n      pod {ordinal} {:?}, generation {}, template {}", pod.phase, pod.generation, pod.template);
        let Some(node) = &pod.node else { continue };
        text += &format!(": node {} epoch {} {:?} holds {}", node.id, node.epoch, node.link, node.fresh);
        for row in node.table.iter() {
            text += &format!(
                "\n        {} in pod {}.{} follows {:?} epoch {} linked {} {:?} [{}]",
                row.id, row.pod, row.address, row.primary, row.epoch, row.linked, row.health, row.slots
            );
        }
    }
    text
}

/// More rounds than any story has.
const LONGEST: usize = 60;

/// What the planner makes of a world, round by round, until there is nothing left to do.
#[must_use]
pub fn narrate(world: &mut World, scenario: &Scenario) -> String {
    let mut text = format!("The cluster:\n{}", members(world));
    let mut late = false;
    for round in 1..LONGEST {
        settle(world, scenario, &mut |_| {});
        let Some((desired, _)) = scenario.specs.get(usize::from(world.spec)) else { break };
        let next = plan(desired, &look(world, scenario, late), NOW);
        match &next {
            Plan::Do(steps, _) => {
                text += &format!("\nRound {round}:\n");
                for step in &steps.0 {
                    text += &format!("  {step}\n");
                    perform(world, step);
                }
                late = false;
            }
            Plan::Wait(..) if !late => late = true,
            Plan::Done | Plan::Wait(..) | Plan::Stuck(_) => {
                text += &closing(world, &next);
                break;
            }
        }
    }
    text
}

fn closing(world: &World, plan: &Plan) -> String {
    let mut text = format!("\nIn the end:\n{}", members(world));
    match plan {
        Plan::Done => text += "\nThere is nothing left to do.\n",
        Plan::Do(..) | Plan::Wait(..) | Plan::Stuck(_) => {
            plan.matters().iter().for_each(|matter| text += &format!("\n{matter}\n"));
        }
    }
    text
}

/// A line for each pod.
fn members(world: &World) -> String {
    let lines = world.pods.iter().enumerate().filter(|(_, pod)| pod.phase != Phase::Absent);
    lines.map(|(ordinal, pod)| format!("  pod {ordinal} {}\n", part(world, pod))).collect()
}

fn part(world: &World, pod: &Pod) -> String {
    let node = match (pod.phase, &pod.node) {
        (Phase::Absent, _) | (Phase::Starting, None) => return "is starting on an empty volume".to_owned(),
        (Phase::Starting, Some(_)) => return "is starting".to_owned(),
        (Phase::Frozen, _) => return "answers nobody".to_owned(),
        (Phase::Up | Phase::Cut, None) => return "is empty".to_owned(),
        (Phase::Up | Phase::Cut, Some(node)) => node,
    };
    let cut = if pod.phase == Phase::Cut { ", cut off from the others" } else { "" };
    format!("({}) {}{cut}", crate::look::identity(node.id).short(), role(world, node))
}

fn role(world: &World, node: &Node) -> String {
    let link = match node.link {
        Link::Up => "in sync",
        Link::Lost => "which stopped",
        Link::Never => "not in sync",
    };
    match node.primary() {
        Some(primary) => {
            let home = world.home(primary).map_or_else(|| "a node that is gone".to_owned(), |pod| format!("pod {pod}"));
            format!("follows {home}, {link}")
        }
        None if !node.slots().is_empty() => format!("leads {} slots: {}", node.slots().len(), node.slots()),
        None if node.table.len() == 1 => "knows nobody".to_owned(),
        None => "owns nothing".to_owned(),
    }
}
