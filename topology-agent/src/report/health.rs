//! What probes ask for.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// An agent that has not looked for so long hangs.
const HANGS: Duration = Duration::from_mins(2);

/// Whether the agent lives, and whether the cluster is as it should be.
#[derive(Debug, Clone)]
pub struct Health(Arc<Mutex<State>>);

#[derive(Debug)]
struct State {
    turned: Instant,
    ready: Result<(), String>,
}

impl Default for Health {
    fn default() -> Self {
        Self(Arc::new(Mutex::new(State { turned: Instant::now(), ready: Err("nothing was seen yet".to_owned()) })))
    }
}

impl Health {
    /// Notes what came of a look.
    pub fn note(&self, ready: Result<(), String>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = State { turned: Instant::now(), ready };
    }

    /// Whether the agent still looks.
    #[must_use]
    pub fn is_alive(&self) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).turned.elapsed() < HANGS
    }

    /// Whether the cluster is as it should be.
    ///
    /// # Errors
    /// Why not.
    pub fn ready(&self) -> Result<(), String> {
        if self.is_alive() {
            self.0.lock().unwrap_or_else(PoisonError::into_inner).ready.clone()
        } else {
            Err("the agent has not looked for long".to_owned())
        }
    }
}
