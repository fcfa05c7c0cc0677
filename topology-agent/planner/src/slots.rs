//! Sets of hash slots, as ranges.

use std::fmt;
use std::ops::RangeInclusive;

/// How many hash slots every cluster has.
pub const SLOTS: u16 = 16_384;

/// A set of hash slots, kept as ranges that are in order and do not touch.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct SlotSet {
    /// First and last slot of each range.
    ranges: Vec<(u16, u16)>,
}

impl SlotSet {
    /// The empty set.
    pub const EMPTY: Self = Self { ranges: Vec::new() };

    /// Every slot.
    #[must_use]
    pub fn all() -> Self {
        Self { ranges: vec![(0, SLOTS - 1)] }
    }

    /// The slots of one range; what lies beyond the last slot is left out.
    #[must_use]
    pub fn range(range: RangeInclusive<u16>) -> Self {
        let (start, end) = (*range.start(), (*range.end()).min(SLOTS - 1));
        if start > end { Self::EMPTY } else { Self { ranges: vec![(start, end)] } }
    }

    /// The ranges, first and last slot of each, in order.
    #[must_use]
    pub fn ranges(&self) -> impl DoubleEndedIterator<Item = (u16, u16)> + ExactSizeIterator + '_ {
        self.ranges.iter().copied()
    }

    /// Every slot, in order.
    pub fn iter(&self) -> impl Iterator<Item = u16> + '_ {
        self.ranges().flat_map(|(start, end)| start..=end)
    }

    /// How many slots there are.
    #[must_use]
    pub fn len(&self) -> u16 {
        self.ranges().map(|(start, end)| end - start + 1).sum()
    }

    /// Whether there are none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.ranges.is_empty()
    }

    /// Whether `slot` is one of them.
    #[must_use]
    pub fn contains(&self, slot: u16) -> bool {
        let after = self.ranges.partition_point(|&(start, _)| start <= slot);
        after.checked_sub(1).and_then(|index| self.ranges.get(index)).is_some_and(|&(_, end)| slot <= end)
    }

    /// Whether every slot of `other` is one of them.
    #[must_use]
    pub fn covers(&self, other: &Self) -> bool {
        other.without(self).is_empty()
    }

    /// Whether the two share a slot.
    #[must_use]
    pub fn overlaps(&self, other: &Self) -> bool {
        !self.and(other).is_empty()
    }

    /// The slots of either.
    #[must_use]
    pub fn or(&self, other: &Self) -> Self {
        self.ranges().chain(other.ranges()).map(|(start, end)| start..=end).collect()
    }

    /// The slots of both.
    #[must_use]
    pub fn and(&self, other: &Self) -> Self {
        let mut ranges = Vec::new();
        let (mut ours, mut theirs) = (self.ranges().peekable(), other.ranges().peekable());
        while let (Some(&(start, end)), Some(&(other_start, other_end))) = (ours.peek(), theirs.peek()) {
            let both = (start.max(other_start), end.min(other_end));
            if both.0 <= both.1 {
                ranges.push(both);
            }
            if end < other_end {
                ours.next()
            } else {
                theirs.next()
            };
        }
        Self { ranges }
    }

    /// The slots that are not in `other`.
    #[must_use]
    pub fn without(&self, other: &Self) -> Self {
        self.and(&other.complement())
    }

    /// Every slot that is not one of them.
    #[must_use]
    pub fn complement(&self) -> Self {
        let mut ranges = Vec::with_capacity(self.ranges.len() + 1);
        let mut next = 0;
        for (start, end) in self.ranges() {
            if next < start {
                ranges.push((next, start - 1));
            }
            next = end + 1;
        }
        if next < SLOTS {
            ranges.push((next, SLOTS - 1));
        }
        Self { ranges }
    }

    /// Takes `count` slots off the end, or all if there are fewer: what stays and what goes are both as unbroken as can be.
    #[must_use]
    pub fn split_off(&mut self, count: u16) -> Self {
        let mut taken = Vec::new();
        let mut left = count;
        while left > 0 {
            let Some((start, end)) = self.ranges.pop() else { break };
            let length = (end - start + 1).min(left);
            taken.push((end + 1 - length, end));
            if length <= end - start {
                self.ranges.push((start, end - length));
            }
            left -= length;
        }
        taken.reverse();
        Self { ranges: taken }
    }
}

impl FromIterator<RangeInclusive<u16>> for SlotSet {
    fn from_iter<I: IntoIterator<Item = RangeInclusive<u16>>>(ranges: I) -> Self {
        let bounds = |range: RangeInclusive<u16>| (*range.start(), (*range.end()).min(SLOTS - 1));
        let mut sorted: Vec<_> = ranges.into_iter().map(bounds).filter(|&(start, end)| start <= end).collect();
        sorted.sort_unstable();
        let mut joined: Vec<(u16, u16)> = Vec::with_capacity(sorted.len());
        for (start, end) in sorted {
            match joined.last_mut() {
                Some(last) if start <= last.1.saturating_add(1) => last.1 = last.1.max(end),
                _ => joined.push((start, end)),
            }
        }
        Self { ranges: joined }
    }
}

/// As people and servers write it: `0-99 200`.
impl fmt::Display for SlotSet {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, (start, end)) in self.ranges().enumerate() {
            let gap = if index == 0 { "" } else { " " };
            if start == end {
                write!(out, "{gap}{start}")?;
            } else {
                write!(out, "{gap}{start}-{end}")?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn slots(text: &str) -> SlotSet {
        let number = |text: &str| text.parse::<u16>().unwrap();
        let range = |text: &str| match text.split_once('-') {
            Some((start, end)) => number(start)..=number(end),
            None => number(text)..=number(text),
        };
        text.split_whitespace().map(range).collect()
    }

    #[test]
    fn ranges_that_touch_or_overlap_become_one() {
        assert_eq!(slots("5-9 0-4 8-12 20").to_string(), "0-12 20");
        assert_eq!(slots("16000-60000").to_string(), "16000-16383");
        assert_eq!(slots("0-12 20").len(), 14);
    }

    #[test]
    fn sets_combine_as_sets_do() {
        let (a, b) = (slots("0-10 20-30"), slots("5-25"));
        assert_eq!(a.or(&b).to_string(), "0-30");
        assert_eq!(a.and(&b).to_string(), "5-10 20-25");
        assert_eq!(a.without(&b).to_string(), "0-4 26-30");
        assert_eq!(SlotSet::EMPTY.complement(), SlotSet::all());
        assert_eq!(SlotSet::all().complement(), SlotSet::EMPTY);
        assert!(a.contains(10) && !a.contains(11) && a.contains(30) && !a.contains(31));
        assert!(a.covers(&slots("1-2 30")) && !a.covers(&slots("30-31")) && a.overlaps(&b));
    }

    #[test]
    fn what_is_taken_off_the_end_is_whole() {
        let mut rest = slots("0-9 20-29");
        assert_eq!(rest.split_off(12).to_string(), "8-9 20-29");
        assert_eq!(rest.to_string(), "0-7");
        assert_eq!(rest.split_off(99).to_string(), "0-7");
        assert!(rest.is_empty());
    }
}
