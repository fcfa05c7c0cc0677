//! Looks after one Valkey cluster on Kubernetes.
//!
//! ```text
//! Kubernetes + every server --look--> View --plan--> round --perform--> look again
//! ```

pub mod access;
pub mod agent;
mod arguments;
pub mod cli;
mod dry_run;
pub mod kubernetes;
pub mod look;
mod pace;
pub mod perform;
pub mod report;
mod run;
pub mod valkey;
