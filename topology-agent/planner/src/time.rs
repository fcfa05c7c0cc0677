//! Moments and spans, as the caller measured them.

use std::fmt;
use std::ops::Add;

/// A moment, in milliseconds since the epoch of Unix.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Time(pub u64);

/// A span of time, in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Span(pub u64);

impl Span {
    /// So many seconds.
    #[must_use]
    pub const fn seconds(seconds: u64) -> Self {
        Self(seconds.saturating_mul(1000))
    }

    /// Twice as long for each time it has been tried, up to `most`.
    #[must_use]
    pub fn backed_off(self, times: u32, most: Self) -> Self {
        Self(self.0.saturating_mul(1_u64.checked_shl(times).unwrap_or(u64::MAX))).min(most)
    }
}

impl Add<Span> for Time {
    type Output = Self;

    fn add(self, span: Span) -> Self {
        Self(self.0.saturating_add(span.0))
    }
}

impl Time {
    /// How long ago `earlier` was; nothing if it lies ahead, for clocks jump.
    #[must_use]
    pub const fn since(self, earlier: Self) -> Span {
        Span(self.0.saturating_sub(earlier.0))
    }
}

impl fmt::Display for Span {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            0..1000 => write!(out, "{} ms", self.0),
            1000..120_000 => write!(out, "{} s", self.0 / 1000),
            _ => write!(out, "{} min", self.0 / 60_000),
        }
    }
}
