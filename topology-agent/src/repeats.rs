//! What was done a moment ago and does not show yet: it is not done again before it does.
//!
//! Kubernetes tells by watches what has changed, and nodes that were introduced take a while to know each other. Looks are faster.

use std::collections::{BTreeMap, HashMap};
use std::time::{Duration, Instant};

use planner::{Ordinal, Step};

use crate::perform::Outcome;

/// How late a watch may be at the most.
const TOLD: Duration = Duration::from_secs(10);
/// How long nodes may take to know each other before they are introduced once more.
const GREETED: Duration = Duration::from_millis(250);

/// What a step changes, where it may not show at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Changed {
    Set,
    Pod(Ordinal),
    Claim(Ordinal),
    /// Who knows whom: nothing that has a version.
    Acquaintance,
}

impl Changed {
    const fn lateness(self) -> Duration {
        match self {
            Self::Set | Self::Pod(_) | Self::Claim(_) => TOLD,
            Self::Acquaintance => GREETED,
        }
    }
}

/// The versions of objects, as they were seen.
pub(crate) type Versions = BTreeMap<Changed, String>;

/// Of the objects that these steps change.
pub(crate) fn versions(steps: &[Step], version: impl Fn(Changed) -> Option<String>) -> Versions {
    steps.iter().filter_map(changed).filter_map(|changed| Some((changed, version(changed)?))).collect()
}

/// Steps that were done, until they show.
#[derive(Debug, Default)]
pub(crate) struct Repeats {
    done: HashMap<Step, Done>,
}

#[derive(Debug)]
struct Done {
    changed: Changed,
    /// The version that was seen when it was done; none of what has none.
    seen: Option<String>,
    until: Instant,
}

impl Repeats {
    /// Forgets what shows by now. `version` is that of an object as it is seen now.
    pub(crate) fn forget(&mut self, version: impl Fn(Changed) -> Option<String>) {
        self.done.retain(|_, done| Instant::now() < done.until && version(done.changed) == done.seen);
    }

    /// Whether a step was done that does not show yet.
    pub(crate) fn holds(&self, step: &Step) -> bool {
        self.done.contains_key(step)
    }

    /// Notes what was done, with the versions as they were seen before.
    pub(crate) fn note(&mut self, outcomes: &[Outcome], before: &Versions) {
        for Outcome { step, .. } in outcomes.iter().filter(|outcome| outcome.result.is_ok()) {
            let Some(changed) = changed(step) else { continue };
            let (seen, until) = (before.get(&changed).cloned(), Instant::now() + changed.lateness());
            self.done.insert(step.clone(), Done { changed, seen, until });
        }
    }
}

/// What a step changes; none where servers tell the effect at once, or where the agent itself remembers, as it does of pods that it
/// deleted.
const fn changed(step: &Step) -> Option<Changed> {
    match step {
        Step::Scale { .. } => Some(Changed::Set),
        Step::Label { pod, .. } => Some(Changed::Pod(*pod)),
        Step::Grow { pod, .. } => Some(Changed::Claim(*pod)),
        Step::Meet { .. } => Some(Changed::Acquaintance),
        Step::DeletePod { .. }
        | Step::SetConfigEpoch { .. }
        | Step::AddSlots { .. }
        | Step::ClaimSlots { .. }
        | Step::Replicate { .. }
        | Step::Failover { .. }
        | Step::Forget { .. }
        | Step::Reset { .. }
        | Step::Migrate { .. }
        | Step::CloseSlots { .. }
        | Step::Configure { .. } => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::perform::StepError;

    fn outcome(step: Step, result: Result<(), StepError>) -> Outcome {
        Outcome { step, took: Duration::ZERO, pause: None, result }
    }

    fn version(number: u8) -> impl Fn(Changed) -> Option<String> {
        move |_| Some(number.to_string())
    }

    #[test]
    fn what_was_done_is_not_done_again_before_its_object_has_changed() {
        let (mut repeats, step) = (Repeats::default(), Step::Scale { pods: 8 });
        let before = versions(std::slice::from_ref(&step), version(1));
        repeats.note(&[outcome(step.clone(), Ok(()))], &before);
        repeats.forget(version(1));
        assert!(repeats.holds(&step) && !repeats.holds(&Step::Scale { pods: 6 }));
        repeats.forget(version(2));
        assert!(!repeats.holds(&step));
    }

    #[test]
    fn what_was_not_done_is_done_again_at_once_and_so_is_what_never_shows_after_a_while() {
        let (mut repeats, step) = (Repeats::default(), Step::Grow { pod: Ordinal(0), bytes: 1 });
        let before = versions(std::slice::from_ref(&step), version(1));
        repeats.note(&[outcome(step.clone(), Err(StepError::NotLeading))], &before);
        assert!(!repeats.holds(&step));
        repeats.note(&[outcome(step.clone(), Ok(()))], &before);
        repeats.done.get_mut(&step).unwrap().until = Instant::now();
        repeats.forget(version(1));
        assert!(!repeats.holds(&step));
    }
}
