//! wip
use world::{calm, scenario::*, world::*};
use std::sync::Arc;

fn blank(spec: Scenario, pods: usize) -> (World, Scenario) {
    let world = World { spec: 0, scale: 1, pods: vec![Pod::default(); pods], next_id: 1, pending: vec![], faults: 0, used: false, lost: Arc::default(), harm: None };
    (world, spec)
}

#[test]
fn forms() {
    let scenario = Scenario { name: "form", specs: vec![(desired(3, 1), NEW)], wanders: false, hosts: 3 };
    let (mut world, scenario) = blank(scenario, 6);
    let outcome = calm(&mut world, &scenario, 40);
    for step in &outcome.steps { println!("{step}"); }
    println!("{} rounds {:?}", outcome.rounds, outcome.plan);
    for m in outcome.plan.matters() { println!("{m}"); }
    assert_eq!(world.harm, None);
    assert_eq!(outcome.plan, planner::Plan::Done);
}
