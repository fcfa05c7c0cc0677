//! Versions of Valkey: a series, or one release of it.

use std::fmt;
use std::str::FromStr;

use super::text_type;
use crate::problem::Complaint;

/// A series of releases that share their directives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Series {
    /// 8.0
    V8_0,
    /// 8.1
    V8_1,
    /// 9.0, the first with atomic slot migration and failover on shutdown.
    V9_0,
    /// 9.1, the first that reloads certificates by itself.
    V9_1,
}

impl Series {
    /// All of them, oldest first.
    pub const ALL: [Self; 4] = [Self::V8_0, Self::V8_1, Self::V9_0, Self::V9_1];

    /// As it is written: `9.1`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::V8_0 => "8.0",
            Self::V8_1 => "8.1",
            Self::V9_0 => "9.0",
            Self::V9_1 => "9.1",
        }
    }
}

impl Series {
    /// The version of its snapshot files. A server reads its own and older ones, never newer ones.
    #[must_use]
    pub const fn data_format(self) -> u8 {
        match self {
            Self::V8_0 | Self::V8_1 => 11,
            Self::V9_0 | Self::V9_1 => 80,
        }
    }
}

impl fmt::Display for Series {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.as_str())
    }
}

/// A series, or one release of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Version {
    /// The series.
    pub series: Series,
    /// The last number of a release; none if any release of the series will do.
    pub patch: Option<u16>,
}

text_type!(Version, "valkey-version", "A series (8.0, 8.1, 9.0 or 9.1) or one release of it, such as 9.1.2.", "9.1");

impl FromStr for Version {
    type Err = Complaint;

    fn from_str(text: &str) -> Result<Self, Complaint> {
        for series in Series::ALL {
            let rest = text.strip_prefix(series.as_str());
            match rest.map(|rest| rest.strip_prefix('.').unwrap_or(rest)) {
                Some("") if text == series.as_str() => return Ok(Self { series, patch: None }),
                Some(patch) if is_number(patch) && text.matches('.').count() == 2 => {
                    return patch.parse().map(|patch| Self { series, patch: Some(patch) }).map_err(|_| unknown(text));
                }
                _ => {}
            }
        }
        Err(unknown(text))
    }
}

fn is_number(text: &str) -> bool {
    text == "0" || (!text.is_empty() && !text.starts_with('0') && text.bytes().all(|byte| byte.is_ascii_digit()))
}

fn unknown(text: &str) -> Complaint {
    let all = Series::ALL.map(Series::as_str).join(", ");
    let hint = if text.starts_with("7.") {
        format!("{all} are supported; upgrade the data to 8.0 or newer first")
    } else {
        format!(
            "write one of {all}, or a full release such as 9.1.2; what follows it, such as `-alpine`, belongs into image.tag"
        )
    };
    Complaint::new(format!("`{text}` is not a version of Valkey that this renderer knows"), hint)
}

impl fmt::Display for Version {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.patch {
            Some(patch) => write!(out, "{}.{patch}", self.series),
            None => write!(out, "{}", self.series),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_a_series_or_a_release_of_one() {
        assert_eq!("9.1".parse(), Ok(Version { series: Series::V9_1, patch: None }));
        assert_eq!("8.1.10".parse(), Ok(Version { series: Series::V8_1, patch: Some(10) }));
        for wrong in [
            "",
            "9",
            "9.2",
            "7.2",
            "9.1.",
            "9.1.x",
            "v9.1",
            "9.1.2-alpine",
            "9.1.02",
            "9.12",
            "9.1.2.3",
            "9.1.99999",
            "8.01",
        ] {
            assert!(wrong.parse::<Version>().is_err(), "{wrong}");
        }
    }
}
