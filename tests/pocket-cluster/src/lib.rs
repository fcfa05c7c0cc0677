//! A pocket Kubernetes: one process that takes manifests as they are and runs every container as a real process.
//!
//! ```text
//! kubectl, agent, tests --HTTPS--> api --> store <-- control (controllers)
//!                                           ^
//!                                           +----- node (containers as processes, in namespaces of their own)
//! ```
//!
//! [`Pocket`] starts one from a test; the program `pocket-cluster` starts one from a shell. What it does not model is said in its
//! README.

mod api;
mod audit;
mod authority;
mod client;
mod cluster;
pub mod command;
mod control;
mod faults;
mod inside;
mod json;
mod kinds;
mod launch;
mod node;
mod pocket;
mod quantity;
mod random;
mod refusal;
mod store;
mod subjects;

pub use audit::Asked;
pub use faults::{ApiFault, Fault};
pub use pocket::{Error, Options, Pocket, Said};
