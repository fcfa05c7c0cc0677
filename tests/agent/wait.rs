//! Waiting, with a bound.

use std::thread::sleep;
use std::time::{Duration, Instant};

/// Long enough for a machine that has other things to do.
const PATIENCE: Duration = Duration::from_mins(2);
const PAUSE: Duration = Duration::from_millis(200);

/// Waits for something; what was last found is told if it never comes.
pub(crate) fn wait<T>(what: &str, mut look: impl FnMut() -> Result<T, String>) -> T {
    let end = Instant::now() + PATIENCE;
    loop {
        match look() {
            Ok(found) => return found,
            Err(found) => assert!(Instant::now() < end, "never: {what}; found {found}"),
        }
        sleep(PAUSE);
    }
}

/// Sees that something holds all the time, for a while.
pub(crate) fn hold(period: Duration, mut look: impl FnMut()) {
    let end = Instant::now() + period;
    while Instant::now() < end {
        look();
        sleep(PAUSE);
    }
}
