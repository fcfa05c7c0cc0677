//! What is counted while writing: successes over time, and errors by kind.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::ledger::Reading;
use crate::report::{Gap, Rate};

/// The times between successes, and the longest of them.
#[derive(Debug, Clone, Default)]
pub(crate) struct Pause {
    last: Duration,
    longest: Duration,
    /// When it began.
    at: Duration,
    /// How many there were, by their milliseconds.
    lengths: BTreeMap<u64, u64>,
}

impl Pause {
    /// A success at this time since the beginning.
    pub(crate) fn note(&mut self, now: Duration) {
        let pause = now.saturating_sub(self.last);
        if pause > self.longest {
            (self.longest, self.at) = (pause, self.last);
        }
        self.last = now;
        *self.lengths.entry(millis(pause)).or_default() += 1;
    }

    /// The end, which is no success: a pause that lasts until then counts.
    pub(crate) fn close(mut self, end: Duration) -> Gap {
        self.note(end);
        let [p50_millis, p99_millis] = [50, 99].map(|percent| self.percentile(percent));
        Gap { millis: millis(self.longest), at_millis: millis(self.at), p50_millis, p99_millis }
    }

    /// The milliseconds that so many of a hundred pauses do not exceed.
    fn percentile(&self, percent: u64) -> u64 {
        let mut left = (self.lengths.values().sum::<u64>() * percent).div_ceil(100);
        let reached = self.lengths.iter().find(|(_, count)| {
            left = left.saturating_sub(**count);
            left == 0
        });
        reached.map(|(millis, _)| *millis).unwrap_or_default()
    }
}

pub(crate) fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// What is counted while writing.
#[derive(Debug, Default)]
pub(crate) struct Count {
    pub(crate) shards: Vec<Pause>,
    pub(crate) overall: Pause,
    pub(crate) acknowledged: u64,
    pub(crate) reads: u64,
    pub(crate) stale: u64,
    pub(crate) wrong: u64,
    pub(crate) errors: BTreeMap<String, u64>,
    /// Successes in each second.
    seconds: Vec<u64>,
}

impl Count {
    pub(crate) fn of(shards: usize) -> Self {
        Self { shards: vec![Pause::default(); shards], ..Self::default() }
    }

    pub(crate) fn success(&mut self, shard: usize, now: Duration) {
        self.acknowledged += 1;
        self.overall.note(now);
        self.shards.get_mut(shard).into_iter().for_each(|pause| pause.note(now));
        let second = usize::try_from(now.as_secs()).unwrap_or(usize::MAX);
        while self.seconds.len() <= second {
            self.seconds.push(0);
        }
        self.seconds.get_mut(second).into_iter().for_each(|count| *count += 1);
    }

    pub(crate) fn reading(&mut self, reading: Reading) {
        self.reads += 1;
        match reading {
            Reading::Right => {}
            Reading::Stale => self.stale += 1,
            Reading::Wrong => self.wrong += 1,
        }
    }

    pub(crate) fn error(&mut self, kind: &str) {
        *self.errors.entry(kind.to_owned()).or_default() += 1;
    }

    /// Writes a second: most often, and in the worst second that is over.
    pub(crate) fn rate(&self, end: Duration) -> Rate {
        let over = usize::try_from(end.as_secs()).unwrap_or(usize::MAX);
        let mut seconds: Vec<u64> =
            self.seconds.iter().copied().chain(std::iter::repeat(0)).take(over.max(1)).collect();
        seconds.sort_unstable();
        let median = seconds.get(seconds.len() / 2).copied().unwrap_or_default();
        Rate { median, worst: seconds.first().copied().unwrap_or_default() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    #[test]
    fn the_longest_pause_is_told_with_its_beginning_and_may_last_to_the_end() {
        let mut pause = Pause::default();
        [5, 10, 310, 320].into_iter().for_each(|at| pause.note(ms(at)));
        let told = |end| {
            let gap = pause.clone().close(ms(end));
            [gap.millis, gap.at_millis]
        };
        assert_eq!(told(330), [300, 10]);
        assert_eq!(told(5_320), [5_000, 320]);
    }

    #[test]
    fn most_pauses_are_no_longer_than_their_percentiles() {
        let mut pause = Pause::default();
        (1..=100).for_each(|at| pause.note(ms(at * 3)));
        (1..=98).for_each(|at| pause.note(ms(300 + at * 7)));
        let gap = pause.close(ms(2_000));
        assert_eq!([gap.p50_millis, gap.p99_millis, gap.millis], [3, 7, 1_014]);
    }

    #[test]
    fn a_shard_that_stands_still_shows_though_others_go_on() {
        let mut count = Count::of(2);
        for at in 0..100 {
            count.success(0, ms(at * 10));
        }
        count.success(1, ms(995));
        assert_eq!(count.shards[1].clone().close(ms(1_000)).millis, 995);
        assert_eq!(count.overall.close(ms(1_000)).millis, 10);
    }

    #[test]
    fn the_worst_second_is_one_that_is_over() {
        let mut count = Count::of(1);
        for at in [0, 100, 200, 1_000, 2_100, 2_200, 3_000] {
            count.success(0, ms(at));
        }
        assert_eq!(count.rate(ms(3_100)), Rate { median: 2, worst: 1 });
        assert_eq!(count.rate(ms(9_000)).worst, 0);
    }
}
