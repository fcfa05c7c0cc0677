//! Durations in Go's notation, which is that of Kubernetes and cert-manager.

use std::fmt;
use std::str::FromStr;

use super::text_type;
use crate::problem::Complaint;

/// A span of time, to the millisecond.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Duration {
    millis: u64,
}

text_type!(
    Duration,
    "go-duration",
    "A length of time: numbers with the units `h`, `m`, `s` or `ms`, such as `90s` or `1h30m`.",
    "5m"
);

/// The units, longest first, in milliseconds.
const UNITS: [(&str, u64); 4] = [("ms", 1), ("h", 3_600_000), ("m", 60_000), ("s", 1000)];

/// A hundred years: more than any wait or certificate.
const LONGEST_MILLIS: u64 = 100 * 366 * 24 * 3_600_000;

impl Duration {
    /// So many seconds.
    #[must_use]
    pub const fn seconds(count: u64) -> Self {
        Self { millis: count * 1000 }
    }

    /// So many hours.
    #[must_use]
    pub const fn hours(count: u64) -> Self {
        Self::seconds(count * 3600)
    }

    /// A third of it, in whole seconds.
    pub(crate) const fn third(self) -> Self {
        Self::seconds(self.millis / 3000)
    }

    /// The same, in milliseconds.
    #[must_use]
    pub const fn as_millis(self) -> u64 {
        self.millis
    }
}

impl FromStr for Duration {
    type Err = Complaint;

    fn from_str(text: &str) -> Result<Self, Complaint> {
        let mut rest = text;
        let mut millis: u64 = 0;
        while !rest.is_empty() {
            let (part, remainder) = first_part(rest).ok_or_else(|| nonsense(text))?;
            millis = millis.checked_add(part).filter(|sum| *sum <= LONGEST_MILLIS).ok_or_else(|| nonsense(text))?;
            rest = remainder;
        }
        if text.is_empty() { Err(nonsense(text)) } else { Ok(Self { millis }) }
    }
}

/// The milliseconds of the first number and unit, and what follows them.
fn first_part(text: &str) -> Option<(u64, &str)> {
    let split = text.find(|c: char| !c.is_ascii_digit() && c != '.')?;
    let (number, rest) = text.split_at(split);
    let (unit, scale) = UNITS.iter().find(|(unit, _)| rest.starts_with(unit))?;
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if whole.is_empty() || fraction.len() > 3 {
        return None;
    }
    let thousandths: u64 = format!("{whole}{fraction:0<3}").parse().ok()?;
    let millis = thousandths.checked_mul(*scale)? / 1000;
    Some((millis, rest.get(unit.len()..)?))
}

fn nonsense(text: &str) -> Complaint {
    let hint = if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        format!("add the unit: {text}s, {text}m or {text}h")
    } else if let Some(days) = text.strip_suffix('d').and_then(|days| days.parse::<u32>().ok()) {
        format!("days are written as hours: {}h", u64::from(days) * 24)
    } else {
        "write numbers with the units h, m, s or ms, such as 90s or 1h30m".to_owned()
    };
    Complaint::new(format!("`{text}` is not a duration"), hint)
}

impl fmt::Display for Duration {
    /// As Go prints it, for example `2160h0m0s`, so that nothing rewrites it.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (seconds, millis) = (self.millis / 1000, self.millis % 1000);
        if seconds == 0 {
            return if millis == 0 { out.write_str("0s") } else { write!(out, "{millis}ms") };
        }
        let (hours, minutes) = (seconds / 3600, seconds / 60 % 60);
        if hours > 0 {
            write!(out, "{hours}h")?;
        }
        if hours > 0 || minutes > 0 {
            write!(out, "{minutes}m")?;
        }
        write!(out, "{}", seconds % 60)?;
        if millis > 0 {
            write!(out, ".{}", format!("{millis:03}").trim_end_matches('0'))?;
        }
        out.write_str("s")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_is_written_as_go_would() {
        for (written, canonical) in [
            ("2160h", "2160h0m0s"),
            ("90s", "1m30s"),
            ("1h30m", "1h30m0s"),
            ("1.5h", "1h30m0s"),
            ("5m", "5m0s"),
            ("250ms", "250ms"),
            ("1s250ms", "1.25s"),
            ("0s", "0s"),
        ] {
            assert_eq!(written.parse::<Duration>().unwrap().to_string(), canonical, "{written}");
        }
    }

    #[test]
    fn nonsense_is_refused_with_what_was_meant() {
        for wrong in ["", "5", "m", "5 m", "-5m", "5d", "1..5h", "five", "99999999999999h", "5mm"] {
            assert!(wrong.parse::<Duration>().is_err(), "{wrong}");
        }
        assert_eq!("90d".parse::<Duration>().unwrap_err().hint.as_deref(), Some("days are written as hours: 2160h"));
        assert_eq!("5".parse::<Duration>().unwrap_err().hint.as_deref(), Some("add the unit: 5s, 5m or 5h"));
    }
}
