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
    #[serde(skip_serializing_if = "Vec::is_empty")]
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

impl Fsync {
    /// As it is written, in a spec as in `valkey.conf`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Always => "always",
            Self::Everysec => "everysec",
            Self::No => "no",
        }
    }
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

    /// What it means in Valkey's words, as far as a running server can change it.
    pub(crate) fn live_settings(&self) -> [(&'static str, String); 2] {
        let rules: Vec<String> = self.snapshots.iter().map(ToString::to_string).collect();
        [("appendfsync", self.fsync.as_str().to_owned()), ("save", rules.join(" "))]
    }
}
