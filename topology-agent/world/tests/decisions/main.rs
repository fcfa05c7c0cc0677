//! What is decided where a model has nothing to say: strangers, open slots, room, retries, directives, zones.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test that cannot go on has failed")]

mod members;
mod nodes;
mod rest;
mod restarts;
mod slots;
#[path = "../support/mod.rs"]
mod support;

use planner::{Desired, Matter, Migration, Plan, Role, Row, SlotSet, Step, Trouble, View, plan};
use support::{at_rest, id, server};
use world::calm::{calm, course};
use world::look::{NOW, look};
use world::scenario::{NEW, Scenario, desired};
use world::world::World;

fn decide(view: &View) -> Plan {
    plan(&desired(3, 1), view, NOW)
}

fn told(plan: &Plan) -> Vec<String> {
    plan.steps().iter().map(ToString::to_string).collect()
}

fn trouble(plan: &Plan) -> Option<&Trouble> {
    plan.matters().iter().find_map(|matter| match matter {
        Matter::Stuck { why, .. } => Some(why),
        Matter::Waiting { .. } => None,
    })
}

/// Slots of the first shard pass to the second, so that there is something to even out.
fn uneven() -> View {
    let mut view = at_rest();
    let (first, second) = (id(&view, 0), id(&view, 2));
    for row in view.opinions.iter_mut().flat_map(|opinion| &mut opinion.rows) {
        if row.id == first {
            row.slots = SlotSet::range(0..=99);
        } else if row.id == second {
            row.slots = SlotSet::range(100..=10_922);
        }
    }
    (0..6).for_each(|pod| server(&mut view, pod).keys = 100);
    view
}

fn migrations(plan: &Plan) -> Vec<(u16, Migration)> {
    let moves = plan.steps().iter().filter_map(|step| match step {
        Step::Migrate { slots, how, .. } => Some((slots.len(), *how)),
        _ => None,
    });
    moves.collect()
}

/// The row that the server of a pod, with an opinion of its own from now on, has of another's.
fn astray(view: &mut View, pod: u32, other: u32) -> &mut Row {
    let (own, other) = (view.opinions.len(), id(view, other));
    let former = server(view, pod).opinion;
    view.opinions.push(view.opinions[former].clone());
    server(view, pod).opinion = own;
    view.opinions[own].rows.iter_mut().find(|row| row.id == other).unwrap()
}

fn told_of(plan: &Plan) -> Vec<String> {
    assert!(matches!(plan, Plan::Wait(..)), "{plan:?}");
    plan.matters().iter().map(ToString::to_string).collect()
}

/// A cluster at rest that is to be another from now on.
fn changing(from: Desired, to: Desired) -> (World, Scenario) {
    let mut world = World::blank(usize::try_from(from.pods().max(to.pods())).unwrap());
    let specs = vec![(from, NEW), (to, NEW)];
    let scenario = Scenario { name: "changing", specs, wanders: false, hosts: 3, faults: vec![], stuck: vec![] };
    let _ = calm(&mut world, &scenario, 40);
    world.spec = 1;
    (world, scenario)
}

/// The first moment on the way there at which this is done.
fn moment(from: Desired, to: &Desired, step: &str) -> View {
    let (world, scenario) = changing(from, to.clone());
    let done = |view: &View| told(&plan(to, view, NOW)).contains(&step.to_owned());
    course(&world, &scenario, 40).iter().map(|world| look(world, &scenario, false)).find(done).unwrap()
}

/// Has a replica follow another primary, in everybody's view.
fn follow(view: &mut View, pod: u32, primary: u32) {
    let (replica, head) = (id(view, pod), id(view, primary));
    for pod in 0..u32::try_from(view.pods.len()).unwrap() {
        server(view, pod).followers.remove(&replica);
    }
    server(view, primary).followers.insert(replica);
    let history = server(view, primary).history;
    (server(view, pod).role, server(view, pod).history) = (Role::Replica(head), history);
    let rows = view.opinions.iter_mut().flat_map(|opinion| &mut opinion.rows);
    rows.filter(|row| row.id == replica).for_each(|row| row.role = Some(Role::Replica(head)));
}
