//! What the agent tells: status, metrics, events, health.

mod events;
mod health;
#[cfg(test)]
mod kstatus;
mod metrics;
mod publish;
mod serve;
mod status;

pub use events::Events;
pub use health::Health;
pub use metrics::Metrics;
pub use publish::Publisher;
pub use serve::serve;
pub use status::{stand, without_sight};
