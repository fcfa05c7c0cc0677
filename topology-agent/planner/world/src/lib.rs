//! A small world of pods and Valkey nodes in which a planner is tried.
mod calm;
pub mod kubernetes;
pub mod model;
pub mod look;
pub mod perform;
pub mod scenario;
pub mod valkey;
pub mod walk;
pub mod world;
pub use calm::{calm, Outcome};
