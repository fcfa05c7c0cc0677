//! The worlds that are checked.

use planner::Desired;
use spec::Series;

use crate::calm::{calm, course};
use crate::fault::strike;
use crate::kubernetes::Template;
use crate::model::Checked;
use crate::scenario::{BROKEN, Fault, NEW, OLD, OTHER, Scenario, desired};
use crate::world::{Horizon, Pod, World};

/// How far a world is explored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Depth {
    /// Enough to see a mistake within two minutes.
    Brief,
    /// As far as fifteen minutes take.
    Full,
}

/// What a world is made of.
struct Recipe {
    name: &'static str,
    specs: Vec<(Desired, Template)>,
    stuck: Vec<u8>,
    formed: bool,
    wanders: bool,
    /// What has gone wrong before it begins.
    opening: Vec<(Fault, u8)>,
    faults: Vec<Fault>,
    /// How many events away from its course it may get, when it is explored briefly and in full.
    brief: u16,
    full: u16,
}

impl Default for Recipe {
    fn default() -> Self {
        use Fault::{Crash, Cut, FailOver, Freeze, LoseVolume, Mend, Move, MoveSlots, Reset};
        Self {
            name: "",
            specs: vec![(desired(3, 1), NEW)],
            stuck: Vec::new(),
            formed: true,
            wanders: false,
            opening: Vec::new(),
            faults: vec![Crash, Move, LoseVolume, Freeze, Cut, Mend, FailOver, Reset, MoveSlots],
            brief: 2,
            full: 4,
        }
    }
}

/// All worlds.
#[must_use]
pub fn all(depth: Depth) -> Vec<Checked> {
    recipes().into_iter().map(|recipe| prepare(recipe, depth)).collect()
}

fn recipes() -> Vec<Recipe> {
    let one = |shards, template| (desired(shards, 1), template);
    let back = Desired { downgrade: true, series: Series::V8_1, ..desired(3, 1) };
    let refused = Desired { series: Series::V8_1, ..desired(3, 1) };
    let moved = (0..6).map(|pod| (Fault::Move, pod)).collect();
    let lost = [0, 2].map(|pod| (Fault::LoseVolume, pod)).into();
    vec![
        Recipe {
            name: "forming",
            formed: false,
            brief: 3,
            full: 4,
            faults: vec![Fault::Crash, Fault::Move, Fault::LoseVolume, Fault::Cut, Fault::Mend],
            ..Recipe::default()
        },
        Recipe { name: "rolling", specs: vec![one(3, NEW), one(3, OTHER), one(3, NEW)], ..Recipe::default() },
        Recipe {
            name: "rolling onto what never comes up",
            specs: vec![one(3, NEW), one(3, BROKEN), one(3, NEW)],
            stuck: vec![1],
            full: 5,
            ..Recipe::default()
        },
        Recipe { name: "scaling out", specs: vec![one(3, NEW), one(4, NEW), one(3, NEW)], ..Recipe::default() },
        Recipe { name: "scaling in", specs: vec![one(4, NEW), one(3, NEW), one(4, NEW)], ..Recipe::default() },
        Recipe {
            name: "more and fewer replicas",
            specs: vec![one(3, NEW), (desired(3, 2), NEW), one(3, NEW)],
            ..Recipe::default()
        },
        Recipe { name: "healing", wanders: true, brief: 7, full: 14, ..Recipe::default() },
        Recipe { name: "new addresses for all", opening: moved, brief: 3, full: 6, ..Recipe::default() },
        Recipe { name: "quorum lost", opening: lost, brief: 3, full: 5, ..Recipe::default() },
        Recipe { name: "8.1 to 9.1 and back", specs: vec![one(3, OLD), one(3, NEW), (back, OLD)], ..Recipe::default() },
        Recipe {
            name: "8.1 to 9.1 and refused",
            specs: vec![one(3, OLD), one(3, NEW), (refused, OLD)],
            stuck: vec![2],
            ..Recipe::default()
        },
    ]
}

fn prepare(recipe: Recipe, depth: Depth) -> Checked {
    let most = recipe.specs.iter().map(|(desired, _)| desired.pods()).max().unwrap_or_default();
    let scenario = Scenario {
        name: recipe.name,
        specs: recipe.specs,
        wanders: recipe.wanders,
        hosts: 3,
        faults: recipe.faults,
        stuck: recipe.stuck,
    };
    let mut world = World::blank(usize::try_from(most).unwrap_or_default());
    if recipe.formed {
        let _ = calm(&mut world, &scenario, 40);
    }
    recipe.opening.iter().for_each(|(fault, pod)| strike(&mut world, *fault, *pod));
    world.faults = 1;
    let mut starts = Vec::new();
    for spec in 0..u8::try_from(scenario.specs.len()).unwrap_or_default() {
        world.spec = spec;
        starts.extend(course(&world, &scenario, 60));
        world = starts.last().cloned().unwrap_or(world);
    }
    let events = match depth {
        Depth::Brief => recipe.brief,
        Depth::Full => recipe.full,
    };
    starts.iter_mut().for_each(|start| start.horizon = Horizon(events));
    Checked { scenario, starts, bound: 60, sample: 64 }
}

impl World {
    /// A world in which nothing has happened yet.
    #[must_use]
    pub fn blank(pods: usize) -> Self {
        Self {
            spec: 0,
            scale: 1,
            pods: vec![Pod::default(); pods],
            next_id: 1,
            pending: Vec::new(),
            faults: 0,
            used: false,
            lost: std::sync::Arc::default(),
            harm: None,
            horizon: Horizon::NONE,
        }
    }
}
