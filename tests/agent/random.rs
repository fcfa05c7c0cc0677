//! What is drawn at random, and can be drawn again.

use std::env;
use std::time::{SystemTime, UNIX_EPOCH};

/// Random numbers that are the same again for the same seed: <https://prng.di.unimi.it/splitmix64.c>
pub(crate) struct Random(u64);

impl From<u64> for Random {
    fn from(seed: u64) -> Self {
        Self(seed)
    }
}

impl Random {
    pub(crate) fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % end
    }

    /// One of these.
    pub(crate) fn one_of<T: Clone>(&mut self, these: &[T]) -> T {
        these[usize::try_from(self.below(these.len() as u64)).unwrap()].clone()
    }
}

/// `SEED`, or the time.
pub(crate) fn seed() -> u64 {
    let now = || SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    env::var("SEED").map_or_else(|_| now(), |seed| seed.parse().unwrap())
}
