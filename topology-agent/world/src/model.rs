//! The world as a model checker sees it: everything that may happen next, and what must never be.

use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};

use planner::{Matter, Plan, Step, laws, plan};
use stateright::{Model, Property};

use crate::calm::calm;
use crate::fault::{is_possible, strike};
use crate::goal::is_reached;
use crate::kubernetes::{boot, control, is_due};
use crate::look::{NOW, look};
use crate::perform::{number, perform};
use crate::scenario::{Fault, Scenario};
use crate::valkey::{elect, electable, fail_job, finish, hear, sync, syncing};
use crate::world::{Phase, Pod, World};

/// Something that may happen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// The agent looks and plans; with `late`, after everything has taken longer than anyone is patient.
    Look {
        /// Whether that is so.
        late: bool,
    },
    /// The agent performs one of the steps of its round.
    Perform(usize),
    /// The agent dies, and with it what it had not done.
    CutShort,
    /// Kubernetes makes or removes a pod.
    Control(u8),
    /// A pod's server comes up.
    Boot(u8),
    /// A node hears from the others.
    Hear(u8),
    /// A replica is elected.
    Elect(u8),
    /// A replica is in sync.
    Sync(u8),
    /// A migration ends well.
    Finish(u8),
    /// A migration fails.
    Fail(u8),
    /// Clients write for the first time, as early as they can.
    Use,
    /// The next spec comes into force.
    Edit,
    /// Something goes wrong.
    Fault(Fault, u8),
}

/// A scenario to be checked.
#[derive(Debug, Clone)]
pub struct Checked {
    /// What happens.
    pub scenario: Scenario,
    /// Where it may begin: every moment of the course that it takes when nothing goes wrong.
    pub starts: Vec<World>,
    /// How many rounds are enough to finish from anywhere.
    pub bound: u32,
    /// Of how many states one is led to its end. The others are checked for the laws alone.
    pub sample: u64,
}

impl Model for Checked {
    type State = World;
    type Action = Action;

    fn init_states(&self) -> Vec<World> {
        self.starts.clone()
    }

    fn actions(&self, world: &World, actions: &mut Vec<Action>) {
        if world.harm.is_some() || world.horizon.0 == 0 {
            return;
        }
        match world.pending.len() {
            0 => actions.extend([Action::Look { late: false }, Action::Look { late: true }]),
            steps => {
                actions.extend((0..steps).map(Action::Perform));
                if world.faults > 0 {
                    actions.push(Action::CutShort);
                }
            }
        }
        for ordinal in 0..u8::try_from(world.pods.len()).unwrap_or(u8::MAX) {
            by_itself(world, ordinal, actions);
        }
        if !world.used {
            actions.push(Action::Use);
        }
        if usize::from(world.spec) + 1 < self.scenario.specs.len() {
            actions.push(Action::Edit);
        }
        if world.faults > 0 {
            for fault in &self.scenario.faults {
                let pods = 0..u8::try_from(world.pods.len()).unwrap_or(u8::MAX);
                actions.extend(pods.filter(|at| is_possible(world, *fault, *at)).map(|at| Action::Fault(*fault, at)));
            }
        }
    }

    fn next_state(&self, world: &World, action: Action) -> Option<World> {
        let mut next = world.clone();
        next.horizon.0 = next.horizon.0.saturating_sub(1);
        self.act(&mut next, &action);
        (next != *world).then_some(next)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always("no law is broken", |_, world: &World| world.harm.is_none()),
            Property::always("everything comes to its end", |model: &Self, world| model.ends_well(world)),
            Property::sometimes("there is nothing left to do", |model: &Self, world| {
                model.is_last(world) && matches!(model.plan(world, false), Plan::Done)
            }),
            Property::sometimes("a round is half performed", |_, world: &World| !world.pending.is_empty()),
            Property::sometimes("something went wrong", |model: &Self, world: &World| {
                model.starts.iter().all(|start| world.faults < start.faults)
            }),
        ]
    }
}

impl Checked {
    fn act(&self, world: &mut World, action: &Action) {
        match *action {
            Action::Look { late } => self.look(world, late),
            Action::Perform(index) => {
                let step = world.pending.remove(index);
                perform(world, &step);
            }
            Action::CutShort => {
                world.pending.clear();
                world.faults -= 1;
            }
            Action::Control(at) => control(world, at),
            Action::Boot(at) => boot(world, at, &self.scenario),
            Action::Hear(at) => hear(world, at),
            Action::Elect(at) => elect(world, at),
            Action::Sync(at) => {
                sync(world, at);
                world.note_losses();
            }
            Action::Finish(at) => finish(world, at),
            Action::Fail(at) => {
                world.faults -= 1;
                world.id_at(at).into_iter().for_each(|id| fail_job(world, id));
            }
            Action::Use => world.begin_use(),
            Action::Edit => world.spec += 1,
            Action::Fault(fault, at) => {
                world.faults -= 1;
                strike(world, fault, at);
                world.note_losses();
            }
        }
    }

    fn plan(&self, world: &World, late: bool) -> Plan {
        let desired = self.scenario.specs.get(usize::from(world.spec)).map(|(desired, _)| desired);
        desired.map_or(Plan::Done, |desired| plan(desired, &look(world, &self.scenario, late), NOW))
    }

    fn look(&self, world: &mut World, late: bool) {
        let Some((desired, _)) = self.scenario.specs.get(usize::from(world.spec)) else { return };
        let view = look(world, &self.scenario, late);
        if let Plan::Do(round, _) = plan(desired, &view, NOW) {
            if let Err(broken) = laws::check_round(desired, &view, &round.0) {
                let steps: Vec<String> = round.0.iter().map(ToString::to_string).collect();
                world.break_law(format!("{broken}: {}", steps.join("; ")));
            }
            let failed = |source: planner::Target| {
                let node = world.up(number(source.id));
                node.is_some_and(|node| node.job.as_ref().is_some_and(|job| !job.running))
            };
            let again = |step: &Step| matches!(step, Step::Migrate { source, .. } if failed(*source));
            if !late && round.0.iter().any(again) {
                world.break_law("a migration that just failed is tried again at once".to_owned());
            }
            world.pending = round.0;
        }
    }

    fn is_last(&self, world: &World) -> bool {
        usize::from(world.spec) + 1 == self.scenario.specs.len()
    }

    /// Whether the planner alone brings a world to where its spec wants it, once nothing more goes wrong. Only a sample of all states
    /// is led there.
    #[must_use]
    pub fn ends_well(&self, world: &World) -> bool {
        let mut hasher = DefaultHasher::new();
        world.hash(&mut hasher);
        if !hasher.finish().is_multiple_of(self.sample) || world.harm.is_some() {
            return true;
        }
        let mut end = world.clone();
        end.faults = 0;
        let outcome = calm(&mut end, &self.scenario, self.bound);
        // What was lost by a fault, or stands on a volume that nobody can read, comes back only by somebody's hand.
        let excused = !end.lost.is_empty() || self.scenario.gets_stuck(world.spec) || is_stranded(&end, &self.scenario);
        let told = outcome.plan.matters().iter().any(|matter| matches!(matter, Matter::Stuck { .. }));
        let rests = match outcome.plan {
            Plan::Done => is_reached(&end, &self.scenario),
            Plan::Stuck(_) | Plan::Wait(..) => excused && told,
            Plan::Do(..) => false,
        };
        rests && end.harm.is_none()
    }
}

/// What a pod and its node may do by themselves.
fn by_itself(world: &World, ordinal: u8, actions: &mut Vec<Action>) {
    if is_due(world, ordinal) {
        actions.push(Action::Control(ordinal));
    }
    let Some(pod) = world.pods.get(usize::from(ordinal)) else { return };
    match pod.phase {
        Phase::Starting => actions.push(Action::Boot(ordinal)),
        Phase::Up => {
            actions.push(Action::Hear(ordinal));
            if electable(world, ordinal).is_some() {
                actions.push(Action::Elect(ordinal));
            }
            if syncing(world, ordinal).is_some() {
                actions.push(Action::Sync(ordinal));
            }
            if pod.node.as_ref().and_then(|node| node.job.as_ref()).is_some_and(|job| job.running) {
                actions.extend([Action::Finish(ordinal)]);
                if world.faults > 0 {
                    actions.push(Action::Fail(ordinal));
                }
            }
        }
        Phase::Absent | Phase::Frozen | Phase::Cut => {}
    }
}

/// Whether the newest data of some slots is only on the volume of a pod whose template cannot read it.
fn is_stranded(world: &World, scenario: &Scenario) -> bool {
    let unreadable = |pod: &&Pod| {
        let format = scenario.template(pod.template).format;
        pod.node
            .as_ref()
            .is_some_and(|node| format.is_some_and(|format| node.format > format) && !node.fresh.is_empty())
    };
    world.pods.iter().filter(unreadable).any(|pod| pod.phase == Phase::Starting)
}
