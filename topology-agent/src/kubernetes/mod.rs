//! What Kubernetes says, and what is asked of it.

mod actions;
mod api;
mod desired;
mod lease;
mod object;
mod pods;
mod watch;

pub use actions::{Actions, FIELD_MANAGER};
pub use api::{ApiError, bounded};
pub use desired::{Revision, Source, Written};
pub use lease::{Leadership, lead};
pub use object::CustomResource;
pub use pods::{PodFacts, ordinal, runs};
pub use watch::Cache;
