//! When Valkey writes a snapshot of its data.

use std::fmt;
use std::str::FromStr;

use super::text_type;
use crate::problem::Complaint;

/// A snapshot is due after so many seconds if at least so many keys have changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SnapshotRule {
    seconds: u32,
    changes: u32,
}

text_type!(
    SnapshotRule,
    "snapshot-rule",
    "Seconds and changes: a snapshot is written after so many seconds if at least so many keys have changed.",
    "3600 1"
);

impl FromStr for SnapshotRule {
    type Err = Complaint;

    fn from_str(text: &str) -> Result<Self, Complaint> {
        let numbers: Vec<u32> = text.split_whitespace().map_while(positive).collect();
        match numbers[..] {
            [seconds, changes] if text.split_whitespace().count() == 2 => Ok(Self { seconds, changes }),
            _ => Err(Complaint::new(
                format!("`{text}` is not a rule for snapshots"),
                "write seconds and changes, both greater than zero, such as \"3600 1\"",
            )),
        }
    }
}

fn positive(word: &str) -> Option<u32> {
    word.parse().ok().filter(|number| (1..=i32::MAX.unsigned_abs()).contains(number))
}

impl fmt::Display for SnapshotRule {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{} {}", self.seconds, self.changes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_is_two_numbers() {
        assert_eq!("  3600   1 ".parse::<SnapshotRule>().unwrap().to_string(), "3600 1");
        for wrong in ["", "3600", "0 1", "1 0", "a b", "1 2 3", "1 b", "99999999999 1"] {
            assert!(wrong.parse::<SnapshotRule>().is_err(), "{wrong}");
        }
    }
}
