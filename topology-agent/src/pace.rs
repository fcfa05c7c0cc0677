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
        jittered(now.duration_since(since) / 4).clamp(SOON, most)
    }
}

/// A plan in words, in which no moments stand.
fn said(plan: &Plan) -> Vec<String> {
    plan.steps().iter().map(ToString::to_string).chain(plan.matters().iter().map(ToString::to_string)).collect()
}

/// Up to a tenth more or less, so that agents that began together part.
fn jittered(pause: Duration) -> Duration {
    let nanoseconds = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.subsec_nanos());
    pause / 100 * (90 + nanoseconds % 21)
}
