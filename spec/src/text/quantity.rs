//! Amounts in the notation of Kubernetes, kept in the form to which the API server would normalise them.
//!
//! Source of the rules: "Quantity" in the reference of the Kubernetes API.

use std::fmt;
use std::str::FromStr;

use super::text_type;
use crate::problem::Complaint;

/// An amount of something: bytes, cores.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quantity {
    /// In billionths, the finest that Kubernetes knows.
    nanos: i128,
    binary: bool,
}

const ONE: i128 = 1_000_000_000;
const BINARY: [&str; 6] = ["Ki", "Mi", "Gi", "Ti", "Pi", "Ei"];
const DECIMAL: [(&str, u32); 10] =
    [("n", 0), ("u", 3), ("m", 6), ("", 9), ("k", 12), ("M", 15), ("G", 18), ("T", 21), ("P", 24), ("E", 27)];

text_type!(
    Quantity,
    "quantity",
    "An amount as Kubernetes writes it: a number and, for bytes, `Ki`, `Mi`, `Gi` or `Ti`; for cores, `m` for thousandths.",
    "10Gi"
);

impl Quantity {
    /// So many bytes, to be written in powers of 1024.
    #[must_use]
    pub const fn bytes(count: u64) -> Self {
        Self { nanos: count as i128 * ONE, binary: true }
    }

    /// So many mebibytes.
    #[must_use]
    pub const fn mebibytes(count: u32) -> Self {
        Self::bytes(count as u64 * 1024 * 1024)
    }

    /// So many thousandths of a core.
    #[must_use]
    pub const fn millicores(count: u32) -> Self {
        Self { nanos: count as i128 * (ONE / 1000), binary: false }
    }

    /// The whole number in it, fractions rounded up as Kubernetes does; bytes, for memory and storage.
    #[must_use]
    pub fn rounded_up(self) -> u64 {
        u64::try_from((self.nanos + ONE - 1) / ONE).unwrap_or(u64::MAX)
    }

    /// What to write instead of an amount of bytes that is too small: without a unit, it was forgotten.
    pub(crate) fn hint_to_reach(self, least: Self) -> String {
        let written = self.to_string();
        if written.bytes().all(|byte| byte.is_ascii_digit()) {
            format!("write at least {least}; was a unit forgotten, as in {written}Gi?")
        } else {
            format!("write at least {least}")
        }
    }
}

impl PartialOrd for Quantity {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        self.nanos.partial_cmp(&other.nanos)
    }
}

impl FromStr for Quantity {
    type Err = Complaint;

    fn from_str(text: &str) -> Result<Self, Complaint> {
        let split = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
        let (number, unit) = text.split_at(split);
        let (scale, binary) = scale(unit).ok_or_else(|| nonsense(text, unit))?;
        let nanos = scaled(number, scale).ok_or_else(|| nonsense(text, unit))?;
        Ok(Self { nanos, binary })
    }
}

/// How many billionths the unit stands for, and whether it is a power of 1024.
fn scale(unit: &str) -> Option<(i128, bool)> {
    if let Some((_, power)) = DECIMAL.iter().find(|(name, _)| *name == unit) {
        return Some((10_i128.pow(*power), false));
    }
    let power = u32::try_from(BINARY.iter().position(|name| *name == unit)?).ok()? + 1;
    Some((1024_i128.pow(power) * ONE, true))
}

/// `number` (digits with at most one point) times `scale`, rounded up to whole billionths.
fn scaled(number: &str, scale: i128) -> Option<i128> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if whole.is_empty() && fraction.is_empty() || fraction.contains('.') || whole.len() > 18 || fraction.len() > 9 {
        return None;
    }
    let digits: i128 = format!("{whole}{fraction}").parse().ok()?;
    let divisor = 10_i128.pow(u32::try_from(fraction.len()).ok()?);
    let nanos = digits.checked_mul(scale)?;
    let rounded = nanos / divisor + i128::from(nanos % divisor != 0);
    (rounded <= i128::from(i64::MAX) * ONE).then_some(rounded)
}

fn nonsense(text: &str, unit: &str) -> Complaint {
    let hint = match unit {
        "" => "write a number that is not too large, such as 10Gi".to_owned(),
        "KB" | "kb" | "KiB" | "K" | "Kb" => "for kibibytes write Ki".to_owned(),
        "MB" | "mb" | "MiB" | "Mb" => "for mebibytes write Mi".to_owned(),
        "GB" | "gb" | "GiB" | "g" | "Gb" => "for gibibytes write Gi".to_owned(),
        "TB" | "tb" | "TiB" | "t" => "for tebibytes write Ti".to_owned(),
        _ => "write a number and one of Ki, Mi, Gi, Ti for bytes, or m for thousandths of a core, such as 10Gi or 500m"
            .to_owned(),
    };
    Complaint::new(format!("`{text}` is not a quantity"), hint)
}

impl fmt::Display for Quantity {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.nanos == 0 {
            return out.write_str("0");
        }
        if self.binary && self.nanos >= 1024 * ONE { self.write_binary(out) } else { self.write_decimal(out) }
    }
}

impl Quantity {
    fn write_binary(self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut amount = (self.nanos + ONE - 1) / ONE;
        let mut unit = "";
        for name in BINARY {
            if amount % 1024 != 0 {
                break;
            }
            amount /= 1024;
            unit = name;
        }
        write!(out, "{amount}{unit}")
    }

    fn write_decimal(self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let fitting = DECIMAL.iter().rev().find(|(_, power)| self.nanos % 10_i128.pow(*power) == 0);
        let (unit, power) = fitting.copied().unwrap_or(("n", 0));
        write!(out, "{}{unit}", self.nanos / 10_i128.pow(power))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quantity_is_written_as_the_api_server_would() {
        for (written, canonical) in [
            ("1000m", "1"),
            ("0.5", "500m"),
            ("1024Mi", "1Gi"),
            ("1.5Gi", "1536Mi"),
            ("0", "0"),
            ("0Gi", "0"),
            ("1000k", "1M"),
            ("1500k", "1500k"),
            ("512", "512"),
            ("1000Ki", "1000Ki"),
            ("0.5Ki", "512"),
            ("100m", "100m"),
            ("2.25", "2250m"),
            ("1024", "1024"),
        ] {
            assert_eq!(written.parse::<Quantity>().unwrap().to_string(), canonical, "{written}");
        }
    }

    #[test]
    fn nonsense_is_refused_with_the_unit_that_was_meant() {
        for wrong in
            ["", "Gi", "10GB", "ten", "1.2.3", "-1", "1e3", "10 Gi", "99999999999999999999", "10gi", "1Zi", "9999999Ei"]
        {
            assert!(wrong.parse::<Quantity>().is_err(), "{wrong}");
        }
        let complaint = "10GB".parse::<Quantity>().unwrap_err();
        assert_eq!(complaint.hint.as_deref(), Some("for gibibytes write Gi"));
    }

    #[test]
    fn quantities_compare_whatever_their_units() {
        let read = |text: &str| text.parse::<Quantity>().unwrap();
        assert!(read("1Gi") > read("1G") && read("1024Mi") <= read("1Gi") && read("1.5") < read("1501m"));
        assert_eq!(read("0.5Ki").rounded_up(), 512);
        assert_eq!(read("1500m").rounded_up(), 2);
    }
}
