//! wip
use world::{calm, scenario::*, world::*};
use std::sync::Arc;

fn run(name: &'static str, hosts: u8, specs: Vec<(planner::Desired, world::kubernetes::Template)>, pods: usize) {
    let mut scenario = Scenario { name, specs, wanders: false, hosts, faults: vec![], stuck: vec![] };
    let mut world = World { spec: 0, scale: 1, pods: vec![Pod::default(); pods], next_id: 1, pending: vec![], faults: 0, used: false, lost: Arc::default(), harm: None };
    let outcome = calm(&mut world, &mut scenario, 40);
    assert_eq!(outcome.plan, planner::Plan::Done, "{name}");
    world.used = true;
    for spec in 1..scenario.specs.len() {
        println!("=== {name}: spec {spec}");
        world.spec = spec as u8;
        let outcome = calm(&mut world, &scenario, 60);
        for step in &outcome.steps { println!("{step}"); }
        println!("{} rounds {:?}", outcome.rounds, outcome.plan);
        for m in outcome.plan.matters() { println!("{m}"); }
        assert_eq!(world.harm, None);
        assert_eq!(outcome.plan, planner::Plan::Done, "{name}");
    }
}

#[test]
fn forms() { run("form", 3, vec![(desired(3,1), NEW)], 6); }
#[test]
fn out() { run("out", 3, vec![(desired(3,1), NEW), (desired(4,1), NEW)], 8); }
#[test]
fn inn() { run("in", 3, vec![(desired(4,1), NEW), (desired(3,1), NEW)], 8); }
#[test]
fn roll() { run("roll", 3, vec![(desired(3,1), OLD), (desired(3,1), NEW)], 6); }
#[test]
fn roll0() { run("roll0", 3, vec![(desired(3,0), OLD), (desired(3,0), NEW)], 6); }
#[test]
fn replicas() { run("replicas", 3, vec![(desired(3,1), NEW), (desired(3,2), NEW), (desired(3,0), NEW), (desired(3,1), NEW)], 9); }
#[test]
fn swap() { run("swap", 3, vec![(desired(3,1), NEW), (desired(6,0), NEW), (desired(3,1), NEW)], 6); }
#[test]
fn back() { let mut down = desired(3,1); down.downgrade = true; down.series = spec::Series::V8_1; run("back", 3, vec![(desired(3,1), OLD), (desired(3,1), NEW), (down, OLD)], 6); }
