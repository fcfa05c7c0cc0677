//! What the model finds wrong, and how it says so.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use planner::Step;
use stateright::Model;
use world::fault::strike;
use world::goal::is_reached;
use world::model::{Action, Checked};
use world::scenario::Fault;
use world::story::{describe, tell};
use world::world::World;
use world::worlds::{Depth, all};

fn forming() -> Checked {
    let forming = all(Depth::Brief).into_iter().find(|checked| checked.scenario.name == "forming").unwrap();
    Checked { sample: 1, ..forming }
}

#[test]
fn a_world_that_takes_more_rounds_than_its_bound_has_no_good_end() {
    let enough = forming();
    let start = enough.starts.first().unwrap();
    assert!(enough.ends_well(start));
    assert!(!Checked { bound: 5, ..enough.clone() }.ends_well(start));
}

#[test]
fn a_goal_is_reached_only_if_it_is_true_in_the_world() {
    let checked = forming();
    let end = checked.starts.last().unwrap();
    assert!(is_reached(end, &checked.scenario));
    let broken: [fn(&mut World); 5] = [
        |world| strike(world, Fault::Cut, 1),
        |world| strike(world, Fault::Crash, 1),
        |world| strike(world, Fault::FailOver, 1),
        |world| strike(world, Fault::MoveSlots, 0),
        |world| world.node_mut(3).unwrap().row_mut(1).unwrap().address += 1,
    ];
    for change in broken {
        let mut world = end.clone();
        change(&mut world);
        assert!(!is_reached(&world, &checked.scenario), "{}", describe(&world));
    }
}

#[test]
fn a_broken_law_is_told_as_the_story_of_how_it_came_to_that() {
    let checked = forming();
    let formed = checked.starts.last().unwrap().clone();
    let before = World { pending: vec![Step::Scale { pods: 2 }], ..formed };
    let after = checked.next_state(&before, Action::Perform(0)).unwrap();
    let told = tell(&checked, &[(before, Some(Action::Perform(0))), (after, None)]);
    assert_eq!(told, "\n    the agent: set the number of pods to 2\n    HARM: pod 2 is scaled in, and owns slots");
}
