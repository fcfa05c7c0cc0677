//! Renders a checked spec into Kubernetes objects. Pure: same bytes for the same cluster, on any machine.
//!
//! ```text
//! Cluster --decide--> Context --templates--> text --strict types--> [Document] --laws--> Manifest --> YAML
//! ```

mod alerts;
mod context;
mod document;
mod error;
mod extensions;
mod files;
mod laws;
mod manifest;
mod templates;
mod yaml;

pub use document::{Document, Identity, Kind};
pub use error::Error;
pub use manifest::Manifest;
