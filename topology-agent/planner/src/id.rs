//! What nodes and pods are called.

use std::fmt;
use std::str::FromStr;

/// The identity of a node in the cluster: 40 hexadecimal digits, kept in its `nodes.conf`.
///
/// Held as numbers, which compare in the order of the digits: plans look up ids more often than anything else.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeId {
    first: u64,
    middle: u64,
    last: u32,
}

/// The identity of a history of writes (`master_replid`): two nodes with the same one can continue from each other.
pub type History = NodeId;

/// A text that is not 40 hexadecimal digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotAnId;

impl FromStr for NodeId {
    type Err = NotAnId;

    fn from_str(text: &str) -> Result<Self, NotAnId> {
        if text.len() != 40 || !text.bytes().all(|digit| digit.is_ascii_hexdigit()) {
            return Err(NotAnId);
        }
        let number = |digits: std::ops::Range<usize>| {
            let digits = text.get(digits).ok_or(NotAnId)?;
            u64::from_str_radix(digits, 16).map_err(|_| NotAnId)
        };
        let last = u32::try_from(number(32..40)?).map_err(|_| NotAnId)?;
        Ok(Self { first: number(0..16)?, middle: number(16..32)?, last })
    }
}

impl fmt::Display for NotAnId {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("not 40 hexadecimal digits")
    }
}

impl std::error::Error for NotAnId {}

impl NodeId {
    /// An id that begins and ends with this number, the other digits zero.
    #[must_use]
    pub const fn numbered(number: u32) -> Self {
        Self { first: (number as u64) << 32, middle: 0, last: number }
    }

    /// The number that it ends with.
    #[must_use]
    pub const fn number(&self) -> u32 {
        self.last
    }

    /// The first eight digits: enough to tell nodes apart in a sentence.
    #[must_use]
    pub fn short(&self) -> String {
        format!("{:08x}", self.first >> 32)
    }
}

impl fmt::Display for NodeId {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{:016x}{:016x}{:08x}", self.first, self.middle, self.last)
    }
}

impl fmt::Debug for NodeId {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.short())
    }
}

/// The number of a pod in its `StatefulSet`, from zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ordinal(pub u32);

impl fmt::Display for Ordinal {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "pod {}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_forty_hexadecimal_digits() {
        let text = "07c37dfeb235213a872192d90877d0cd55635b91";
        assert_eq!(text.parse::<NodeId>().unwrap().to_string(), text);
        for wrong in ["", "07c3", &text.replace('0', "x"), &format!("{text}0"), &"é".repeat(20)] {
            assert_eq!(wrong.parse::<NodeId>(), Err(NotAnId), "{wrong}");
        }
    }
}
