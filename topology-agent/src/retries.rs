//! Failovers that servers gave up: each try holds writes back for seconds, so that the next one waits longer every time.

use std::collections::BTreeMap;

use planner::{NodeId, Span, Step, Time};

use crate::perform::{Outcome, StepError};

/// Between the first two tries, and at most.
const FIRST: Span = Span::seconds(5);
const LONGEST: Span = Span::seconds(300);

/// The failovers that failed, by the primary that was to hand over.
#[derive(Debug, Default)]
pub(crate) struct Retries {
    failed: BTreeMap<NodeId, Failed>,
}

#[derive(Debug, Clone, Copy)]
struct Failed {
    times: u32,
    last: Time,
}

impl Failed {
    fn pause(self) -> Span {
        FIRST.backed_off(self.times.saturating_sub(1), LONGEST)
    }

    /// A clock that was set back does not count: then the pause is over.
    fn is_over(self, now: Time) -> bool {
        now < self.last || now.since(self.last) >= self.pause()
    }
}

impl Retries {
    /// Whether a step is not to be tried right now.
    pub(crate) fn hold(&self, step: &Step, now: Time) -> bool {
        self.held(step, now).is_some()
    }

    /// Why a step is not tried right now, for people to read.
    pub(crate) fn reason(&self, step: &Step, now: Time) -> Option<String> {
        let failed = self.held(step, now)?;
        let (times, pause) = (failed.times, failed.pause());
        Some(format!(
            "servers gave it up {times} times, and it is tried {pause} after the last; look at the servers' logs"
        ))
    }

    fn held(&self, step: &Step, now: Time) -> Option<Failed> {
        self.failed.get(&voted_out(step)?).copied().filter(|failed| !failed.is_over(now))
    }

    /// Notes what came of steps.
    pub(crate) fn note(&mut self, outcomes: &[Outcome], now: Time) {
        for Outcome { step, result, .. } in outcomes {
            let Some(primary) = voted_out(step) else { continue };
            match result {
                Err(StepError::GivenUp) => {
                    let times = self.failed.get(&primary).map_or(0, |failed| failed.times).saturating_add(1);
                    self.failed.insert(primary, Failed { times, last: now });
                }
                Ok(()) => drop(self.failed.remove(&primary)),
                // That is before anything was asked of a server, or says nothing about the votes.
                Err(StepError::NotLeading | StepError::Changed(_) | StepError::Ask(_) | StepError::Api(_)) => {}
            }
        }
    }
}

/// The primary whose place a failover gives to another.
const fn voted_out(step: &Step) -> Option<NodeId> {
    let Step::Failover { primary, .. } = step else { return None };
    Some(*primary)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use planner::{FailoverMode, Ordinal, Target};

    use super::*;

    fn id(digit: char) -> NodeId {
        digit.to_string().repeat(40).parse().unwrap()
    }

    fn failover() -> Step {
        let replica = Target { pod: Ordinal(1), id: id('b') };
        Step::Failover { replica, primary: id('a'), mode: FailoverMode::Planned }
    }

    fn note(retries: &mut Retries, result: Result<(), StepError>, seconds: u64) {
        let outcome = Outcome { step: failover(), took: Duration::ZERO, pause: None, result };
        retries.note(&[outcome], Time(seconds * 1000));
    }

    fn holds(retries: &Retries, seconds: u64) -> bool {
        retries.hold(&failover(), Time(seconds * 1000))
    }

    #[test]
    fn a_failover_that_was_given_up_is_tried_later_and_later_until_one_succeeds() {
        let mut retries = Retries::default();
        note(&mut retries, Err(StepError::GivenUp), 100);
        assert!(holds(&retries, 104) && !holds(&retries, 105));
        note(&mut retries, Err(StepError::GivenUp), 110);
        assert!(holds(&retries, 119) && !holds(&retries, 120));
        assert!(retries.reason(&failover(), Time(115_000)).unwrap().contains("2 times"));
        note(&mut retries, Ok(()), 130);
        assert!(!holds(&retries, 130));
    }

    #[test]
    fn what_says_nothing_about_the_votes_delays_nothing_and_neither_does_a_clock_that_was_set_back() {
        let mut retries = Retries::default();
        note(&mut retries, Err(StepError::NotLeading), 100);
        assert!(!holds(&retries, 100));
        note(&mut retries, Err(StepError::GivenUp), 100);
        assert!(!holds(&retries, 50));
    }
}
