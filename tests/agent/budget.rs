//! How many servers are alive at once: stories run side by side, and a machine has only so much.

use std::sync::{Condvar, Mutex, PoisonError};

const MOST: usize = 20;

static TAKEN: Mutex<usize> = Mutex::new(0);
static GIVEN_BACK: Condvar = Condvar::new();

/// Room for so many servers, until it is dropped.
pub(crate) struct Room(usize);

impl Room {
    /// Waits until there is room. A story with more servers than there is room for plays alone.
    pub(crate) fn take(servers: usize) -> Self {
        let wanted = servers.min(MOST);
        let taken = TAKEN.lock().unwrap_or_else(PoisonError::into_inner);
        let mut taken =
            GIVEN_BACK.wait_while(taken, |taken| *taken + wanted > MOST).unwrap_or_else(PoisonError::into_inner);
        *taken += wanted;
        Self(wanted)
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        *TAKEN.lock().unwrap_or_else(PoisonError::into_inner) -= self.0;
        GIVEN_BACK.notify_all();
    }
}
