//! What is written to storage, and when.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::text::SnapshotRule;

/// What is written to storage, and when.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Persistence {
    /// Whether every write is logged (`appendonly`).
    pub append_only: bool,
    /// When the log is flushed to disk (`appendfsync`).
    pub fsync: Fsync,
    /// When a snapshot of all keys is written (`save`); none by default.
    pub snapshots: Vec<SnapshotRule>,
}

/// When the log is flushed to disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Fsync {
    /// At every write, before it is acknowledged.
    Always,
    /// Every second: a crash of the machine loses at most that.
    #[default]
    Everysec,
    /// When the operating system likes.
    No,
}

impl Default for Persistence {
    fn default() -> Self {
        Self { append_only: true, fsync: Fsync::default(), snapshots: Vec::new() }
    }
}

impl Persistence {
    /// Whether a restarted server finds its keys again.
    #[must_use]
    pub const fn keeps_keys(&self) -> bool {
        self.append_only || !self.snapshots.is_empty()
    }
}
