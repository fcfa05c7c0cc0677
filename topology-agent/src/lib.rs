//! Looks after one Valkey cluster on Kubernetes.
//!
//! ```text
//! Kubernetes + every server --look--> View --plan--> round --perform--> look again
//! ```

pub mod access;
pub mod agent;
mod arguments;
pub mod cli;
mod commands;
mod diagnosis;
pub mod kubernetes;
pub mod look;
mod pace;
pub mod perform;
mod repeats;
pub mod report;
mod retries;
pub mod route;
pub mod sighting;
pub mod trust;
pub mod valkey;
