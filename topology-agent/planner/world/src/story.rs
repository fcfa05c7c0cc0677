//! Worlds and what happens in them, told as prose.

use stateright::Model;

use crate::calm::calm;
use crate::model::{Action, Checked};
use crate::world::World;

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
                let steps = next.map(|next| next.pending.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "));
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
    text += &format!("\n      {} rounds, harm {:?}, steps left {}", outcome.rounds, end.harm, outcome.plan.steps().len());
    text += &describe(&end);
    text
}

/// Every pod and what its node believes.
#[must_use]
pub fn describe(world: &World) -> String {
    let mut text = String::new();
    for (ordinal, pod) in world.pods.iter().enumerate() {
        text += &format!("\n      pod {ordinal} {:?}, generation {}, template {}", pod.phase, pod.generation, pod.template);
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
