//! Renders a checked spec into Kubernetes objects. Pure: same bytes for the same cluster, on any machine.
//!
//! ```text
//! Cluster --decide--> Context --templates--> text --> [Document] --types and laws judge--> Manifest --one writer--> YAML
//! ```

mod alerts;
mod context;
mod desired;
pub mod diff;
mod document;
mod error;
mod extensions;
mod files;
mod form;
pub mod function;
mod generation;
mod judge;
mod laws;
mod lines;
mod manifest;
mod stages;
mod templates;
mod tree;
mod waves;
mod workload;
mod yaml;

pub use desired::{DesiredState, custom_resource_definition, desired_state};
pub use document::{Document, Identity};
pub use error::Error;
pub use manifest::{Manifest, Renderer};
pub use stages::Stage;
