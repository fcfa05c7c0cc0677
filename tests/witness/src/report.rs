//! What a witness tells.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// What became of all writes and reads.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// How long writing took.
    pub millis: u64,
    /// Writes that were acknowledged while it lasted.
    pub acknowledged: u64,
    /// Acknowledged writes that are not there in the end, with those that were loaded before.
    pub lost: u64,
    /// The first of them: key and number.
    pub lost_ones: Vec<String>,
    /// Keys that nobody could read in the end.
    pub unread: u64,
    /// Readings while it lasted.
    pub reads: u64,
    /// Readings without something that was acknowledged before.
    pub stale: u64,
    /// Readings of something that nobody wrote, then or in the end.
    pub wrong: u64,
    /// Writes and readings that did not succeed, by the reason that the client gave after all its tries.
    pub errors: BTreeMap<String, u64>,
    /// The longest time without a successful write to any shard.
    pub overall: Gap,
    /// The longest time without one to the slots that each shard had in the beginning.
    pub shards: Vec<ShardGap>,
    /// Writes a second.
    pub rate: Rate,
}

/// The longest time without a successful write, and what such times are like.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Gap {
    /// How long.
    pub millis: u64,
    /// When it began, after the first write was due.
    pub at_millis: u64,
    /// How long half of all times between two successful writes were at most.
    pub p50_millis: u64,
    /// How long all but a hundredth of them were.
    pub p99_millis: u64,
}

/// The longest gap of a shard.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ShardGap {
    /// The slots that it had in the beginning.
    pub slots: String,
    /// The gap.
    #[serde(flatten)]
    pub gap: Gap,
}

/// Writes a second.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rate {
    /// In most seconds.
    pub median: u64,
    /// In the worst one.
    pub worst: u64,
}

impl Report {
    /// The longest gap of any shard.
    #[must_use]
    pub fn longest_gap(&self) -> u64 {
        self.shards.iter().map(|shard| shard.gap.millis).max().unwrap_or_default()
    }

    /// Whether every write that was acknowledged is there, and nothing that was read was wrong or stale.
    #[must_use]
    pub const fn is_true(&self) -> bool {
        self.lost == 0 && self.unread == 0 && self.stale == 0 && self.wrong == 0
    }

    /// On one line.
    #[must_use]
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }
}
