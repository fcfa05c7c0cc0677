//! How many servers are busy at once: stories run side by side, and a machine has only so much.

use std::sync::{Condvar, Mutex, PoisonError};

/// A story of nine servers, one of six, and one that rests.
const MOST: usize = 17;
/// What servers that rest are worth.
const RESTING: usize = 2;

static TAKEN: Mutex<usize> = Mutex::new(0);
static GIVEN_BACK: Condvar = Condvar::new();

/// Room for so many servers, until it is dropped.
pub(crate) struct Room(usize);

impl Room {
    /// Waits until there is room. A story with more servers than there is room for plays beside none but one that rests.
    pub(crate) fn take(servers: usize) -> Self {
        let wanted = servers.min(MOST - RESTING);
        let taken = TAKEN.lock().unwrap_or_else(PoisonError::into_inner);
        let mut taken =
            GIVEN_BACK.wait_while(taken, |taken| *taken + wanted > MOST).unwrap_or_else(PoisonError::into_inner);
        *taken += wanted;
        Self(wanted)
    }

    /// From now on nothing happens to its servers.
    pub(crate) fn rest(&mut self) {
        let freed = self.0.saturating_sub(RESTING);
        self.0 -= freed;
        give_back(freed);
    }
}

fn give_back(servers: usize) {
    *TAKEN.lock().unwrap_or_else(PoisonError::into_inner) -= servers;
    GIVEN_BACK.notify_all();
}

impl Drop for Room {
    fn drop(&mut self) {
        give_back(self.0);
    }
}
