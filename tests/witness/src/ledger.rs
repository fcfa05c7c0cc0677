//! What was tried, and what was acknowledged.

use std::collections::BTreeSet;

/// A key, and the numbers that one writer appends to it.
#[derive(Debug, Default)]
pub(crate) struct Entry {
    pub(crate) key: String,
    /// The last number that was tried.
    tried: u64,
    acknowledged: BTreeSet<u64>,
}

/// What a reading was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reading {
    Right,
    /// Something is missing that was acknowledged before the question.
    Stale,
    /// Something is there that nobody wrote.
    Wrong,
}

impl Entry {
    pub(crate) fn of(key: String) -> Self {
        Self { key, ..Self::default() }
    }

    /// The next number to write.
    pub(crate) fn next(&mut self) -> u64 {
        self.tried += 1;
        self.tried
    }

    pub(crate) fn acknowledge(&mut self, number: u64) {
        self.acknowledged.insert(number);
    }

    /// The last number that was acknowledged, to be asked for before reading.
    pub(crate) fn latest(&self) -> u64 {
        self.acknowledged.last().copied().unwrap_or_default()
    }

    /// Judges the end of the list, read after `before` was acknowledged. What was tried meanwhile may be in it or not.
    pub(crate) fn judge(&self, before: u64, found: &[u64]) -> Reading {
        let latest = found.iter().copied().max().unwrap_or_default();
        if found.iter().any(|number| !self.was_tried(*number)) {
            Reading::Wrong
        } else if latest < before {
            Reading::Stale
        } else {
            Reading::Right
        }
    }

    /// The numbers that were acknowledged and are not there.
    pub(crate) fn lost(&self, found: &[u64]) -> Vec<u64> {
        let found: BTreeSet<u64> = found.iter().copied().collect();
        self.acknowledged.difference(&found).copied().collect()
    }

    /// How many numbers are there that nobody wrote.
    pub(crate) fn strange(&self, found: &[u64]) -> usize {
        found.iter().filter(|number| !self.was_tried(**number)).count()
    }

    fn was_tried(&self, number: u64) -> bool {
        (1..=self.tried).contains(&number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Tried up to 4; 3 has an outcome that nobody knows.
    fn entry() -> Entry {
        let mut entry = Entry::of("key".to_owned());
        for number in 1..=4 {
            assert_eq!(entry.next(), number);
            if number != 3 {
                entry.acknowledge(number);
            }
        }
        entry
    }

    #[test]
    fn a_write_that_was_acknowledged_is_missed_though_later_ones_are_there() {
        assert_eq!(entry().lost(&[1, 3, 4]), [2]);
        assert_eq!(entry().lost(&[]), [1, 2, 4]);
    }

    #[test]
    fn a_write_that_nobody_acknowledged_may_be_there_once_or_twice_or_not_at_all() {
        for found in [&[1, 2, 4][..], &[1, 2, 3, 4], &[1, 2, 3, 3, 4]] {
            assert_eq!((entry().lost(found), entry().strange(found)), (vec![], 0));
        }
    }

    #[test]
    fn a_reading_without_what_was_acknowledged_before_is_stale_and_one_with_what_nobody_wrote_is_wrong() {
        let entry = entry();
        assert_eq!(entry.latest(), 4);
        assert_eq!(entry.judge(4, &[1, 2]), Reading::Stale);
        assert_eq!(entry.judge(4, &[]), Reading::Stale);
        assert_eq!(entry.judge(2, &[1, 2, 3]), Reading::Right);
        assert_eq!(entry.judge(0, &[]), Reading::Right);
        assert_eq!(entry.judge(2, &[1, 2, 5]), Reading::Wrong);
        assert_eq!(entry.strange(&[0, 1, 5]), 2);
    }
}
