//! The view of a cluster at rest, to be changed in one place.

use planner::{NodeId, Ordinal, Server, Sight, Target, View};
use world::calm::calm;
use world::look::look;
use world::scenario::{NEW, Scenario, desired};
use world::world::World;

/// Three shards of two pods each; even pods lead, odd ones follow the pod before them.
pub(crate) fn at_rest() -> View {
    let scenario = Scenario {
        name: "at rest",
        specs: vec![(desired(3, 1), NEW)],
        wanders: false,
        hosts: 3,
        faults: Vec::new(),
        stuck: Vec::new(),
    };
    let mut world = World::blank(6);
    let _ = calm(&mut world, &scenario, 40);
    look(&world, &scenario, false)
}

pub(crate) fn target(view: &View, pod: u32) -> Target {
    Target { pod: Ordinal(pod), id: id(view, pod) }
}

pub(crate) fn id(view: &View, pod: u32) -> NodeId {
    view.pods[&Ordinal(pod)].server().unwrap().id
}

pub(crate) fn server(view: &mut View, pod: u32) -> &mut Server {
    match &mut view.pods.get_mut(&Ordinal(pod)).unwrap().sight {
        Sight::Seen(server) => server,
        other => panic!("pod {pod} is {other:?}"),
    }
}
