//! How soon to look again.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use planner::{Plan, Time};

/// At rest, and at most between two tries of what keeps failing.
pub(crate) const REST: Duration = Duration::from_secs(10);
/// At most, while something is under way.
const WORK: Duration = Duration::from_secs(1);
/// At least.
const SOON: Duration = Duration::from_millis(20);

/// Pauses that grow while nothing changes, and begin anew when something does: a quarter of the time that has passed since then. So
/// what takes a moment is seen at once, and what takes long is not asked for over and over.
#[derive(Debug, Default)]
pub(crate) struct Pace {
    last: Option<Vec<String>>,
    since: Option<Instant>,
}

impl Pace {
    /// How long to pause after this plan; `failed` says that a step of it was not done.
    pub(crate) fn after(&mut self, plan: &Plan, failed: bool, now: Time) -> Duration {
        let growing = self.growing(Some(said(plan)), if failed { REST } else { WORK });
        match plan {
            Plan::Done | Plan::Stuck(_) => jittered(REST),
            Plan::Do(..) => growing,
            Plan::Wait(_, until) => growing.min(Duration::from_millis(until.since(now).0)).max(SOON),
        }
    }

    /// How long to pause when nothing could be seen.
    pub(crate) fn after_nothing(&mut self) -> Duration {
        self.growing(None, REST)
    }

    fn growing(&mut self, said: Option<Vec<String>>, most: Duration) -> Duration {
        let now = Instant::now();
        let since = self.since.filter(|_| self.last == said).unwrap_or(now);
        (self.last, self.since) = (said, Some(since));
        jittered((now.duration_since(since) / 4).min(most)).max(SOON)
    }
}

/// A plan in words, in which no moments stand.
fn said(plan: &Plan) -> Vec<String> {
    plan.steps().iter().map(ToString::to_string).chain(plan.matters().iter().map(ToString::to_string)).collect()
}

/// Up to a tenth more or less, so that agents that began together part.
pub(crate) fn jittered(pause: Duration) -> Duration {
    let nanoseconds = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.subsec_nanos());
    pause / 100 * (90 + nanoseconds % 21)
}

#[cfg(test)]
mod tests {
    use std::ops::RangeInclusive;

    use planner::{Ordinal, Round, Step};

    use super::*;

    fn doing(pods: u32) -> Plan {
        Plan::Do(Round(vec![Step::Scale { pods }, Step::Grow { pod: Ordinal(0), bytes: 1 }]), Vec::new())
    }

    #[test]
    fn what_has_just_changed_is_looked_at_again_at_once() {
        let mut pace = Pace::default();
        assert_eq!(pace.after(&doing(1), false, Time(0)), SOON);
        pace.since = Instant::now().checked_sub(Duration::from_secs(3));
        assert!(pace.after(&doing(1), false, Time(0)) > SOON * 10);
        assert_eq!(pace.after(&doing(2), false, Time(0)), SOON);
    }

    #[test]
    fn pauses_grow_to_a_second_and_to_ten_where_a_step_keeps_failing() {
        let mut pace = Pace::default();
        let long_ago = || Instant::now().checked_sub(Duration::from_mins(1));
        pace.after(&doing(1), true, Time(0));
        pace.since = long_ago();
        assert!(about(WORK).contains(&pace.after(&doing(1), false, Time(0))));
        pace.since = long_ago();
        assert!(about(REST).contains(&pace.after(&doing(1), true, Time(0))));
    }

    fn about(pause: Duration) -> RangeInclusive<Duration> {
        pause * 9 / 10..=pause * 11 / 10
    }

    #[test]
    fn nothing_is_slept_through_that_is_due() {
        let mut pace = Pace::default();
        let waiting = Plan::Wait(Vec::new(), Time(5000));
        pace.after(&waiting, false, Time(0));
        pace.since = Instant::now().checked_sub(Duration::from_mins(1));
        assert_eq!(pace.after(&waiting, false, Time(4700)), Duration::from_millis(300));
    }
}
