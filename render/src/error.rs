//! What can go wrong behind a checked spec: only mistakes of this program, never the user's.

/// A mistake of the renderer itself. None of these depends on what a user wrote, and none is worth a second try.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A template asks for what is not there, or is malformed.
    #[error("a template of this program is broken: {0:#}")]
    Template(#[from] minijinja::Error),
    /// What a template made is not a document of its kind.
    #[error("what the template {template} makes is not what Kubernetes takes: {reason}")]
    Document {
        /// The template's file.
        template: &'static str,
        /// What is wrong.
        reason: String,
    },
    /// The documents contradict each other.
    #[error("the rendered documents break a law: {0}")]
    Law(String),
    /// A document is not JSON.
    #[error("a document cannot be written as JSON: {0}")]
    Json(#[from] serde_json::Error),
    /// What was written cannot be read.
    #[error("a document cannot be read back: {0}")]
    Read(#[from] serde_saphyr::Error),
    /// A document cannot be written.
    #[error("a document cannot be written as YAML: {0}")]
    Write(#[from] serde_saphyr::ser::Error),
}
