//! The directives of `valkey.conf` that each series knows, as its own server answered for them.
//!
//! The tables in `spec/directives/` are written by `tests/tools/directives`, which asks real servers; a test asks them again.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::RangeInclusive;
use std::sync::OnceLock;

use crate::problem::Complaint;
use crate::suggest;
use crate::text::Series;

/// One directive of one series.
#[derive(Debug, Clone, PartialEq)]
pub struct Directive {
    /// Its name.
    pub name: &'static str,
    /// What its values look like.
    pub kind: DirectiveKind,
    /// Whether `CONFIG SET` can change it; if not, a restart does.
    pub live: bool,
    /// The value of a server that is not told otherwise.
    pub default: &'static str,
    /// The newer name of the same directive.
    pub alias_of: Option<&'static str>,
}

/// What the values of a directive look like.
#[derive(Debug, Clone, PartialEq)]
pub enum DirectiveKind {
    /// `yes` or `no`.
    YesNo,
    /// A whole number in this range.
    Integer(RangeInclusive<i64>),
    /// Bytes in this range, written as a number with `kb`, `mb` or `gb`.
    Memory(RangeInclusive<i64>),
    /// Bytes, or a percentage of `maxmemory`.
    MemoryOrPercent,
    /// One of these words.
    Choice(Vec<&'static str>),
    /// Some of these words.
    Choices(Vec<&'static str>),
    /// Any of these characters, as often as one likes.
    Flags(&'static str),
    /// A number in base eight.
    Octal,
    /// One text.
    Text,
    /// Several words, of a grammar of their own.
    Words,
}

impl fmt::Display for DirectiveKind {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::YesNo => out.write_str("yes or no"),
            Self::Integer(range) => write!(out, "a whole number from {} to {}", range.start(), range.end()),
            Self::Memory(range) => {
                write!(out, "bytes from {} to {}, as a number or with kb, mb or gb", range.start(), range.end())
            }
            Self::MemoryOrPercent => {
                out.write_str("bytes, as a number or with kb, mb or gb, or a percentage of maxmemory")
            }
            Self::Choice(words) => write!(out, "one of {}", words.join(", ")),
            Self::Choices(words) => write!(out, "any of {}", words.join(", ")),
            Self::Flags(flags) => write!(out, "any of the letters {flags}"),
            Self::Octal => out.write_str("a number in base eight"),
            Self::Text => out.write_str("text"),
            Self::Words => out.write_str("words"),
        }
    }
}

/// The locales that every image has; with any other, a server may not start.
pub(crate) const LOCALES: [&str; 3] = ["C", "POSIX", "C.UTF-8"];

const fn table(series: Series) -> &'static str {
    match series {
        Series::V8_0 => include_str!("../directives/8.0.tsv"),
        Series::V8_1 => include_str!("../directives/8.1.tsv"),
        Series::V9_0 => include_str!("../directives/9.0.tsv"),
        Series::V9_1 => include_str!("../directives/9.1.tsv"),
    }
}

/// The rows of a series' table, which stand in the order of their names.
fn rows(series: Series) -> &'static [&'static str] {
    static ROWS: [OnceLock<Vec<&'static str>>; 4] = [const { OnceLock::new() }; 4];
    let slot = match series {
        Series::V8_0 => &ROWS[0],
        Series::V8_1 => &ROWS[1],
        Series::V9_0 => &ROWS[2],
        Series::V9_1 => &ROWS[3],
    };
    slot.get_or_init(|| table(series).lines().collect())
}

/// All directives of a series, by name.
pub fn all(series: Series) -> impl Iterator<Item = Directive> {
    rows(series).iter().filter_map(|row| parse(row))
}

/// The directive of this name in this series.
#[must_use]
pub fn find(series: Series, name: &str) -> Option<Directive> {
    let rows = rows(series);
    let first_cell = |row: &&'static str| row.split_once('\t').map_or("", |(cell, _)| cell);
    let position = rows.binary_search_by_key(&name, first_cell).ok()?;
    rows.get(position).and_then(|row| parse(row))
}

/// The series that know a directive of this name, oldest first.
#[must_use]
pub fn series_with(name: &str) -> Vec<Series> {
    Series::ALL.into_iter().filter(|series| find(*series, name).is_some()).collect()
}

fn parse(row: &'static str) -> Option<Directive> {
    let mut cells = row.split('\t');
    let (name, kind, live, default) = (cells.next()?, cells.next()?, cells.next()?, cells.next()?);
    let alias_of = cells.next().filter(|alias| !alias.is_empty());
    Some(Directive { name, kind: parse_kind(kind)?, live: live == "live", default, alias_of })
}

fn parse_kind(text: &'static str) -> Option<DirectiveKind> {
    let (word, detail) = text.split_once(' ').unwrap_or((text, ""));
    match word {
        "yes-no" => Some(DirectiveKind::YesNo),
        "integer" => parse_range(detail).map(DirectiveKind::Integer),
        "memory" => parse_range(detail).map(DirectiveKind::Memory),
        "memory-or-percent" => Some(DirectiveKind::MemoryOrPercent),
        "choice" => Some(DirectiveKind::Choice(detail.split('|').collect())),
        "choices" => Some(DirectiveKind::Choices(detail.split('|').collect())),
        "flags" => Some(DirectiveKind::Flags(detail)),
        "octal" => Some(DirectiveKind::Octal),
        "text" => Some(DirectiveKind::Text),
        "words" => Some(DirectiveKind::Words),
        _ => None,
    }
}

fn parse_range(text: &str) -> Option<RangeInclusive<i64>> {
    let (least, greatest) = text.split_once("..")?;
    Some(least.parse().ok()?..=greatest.parse().ok()?)
}

impl Directive {
    /// What is wrong with a value for this directive, if anything is.
    ///
    /// # Errors
    /// When a server of the series would refuse it, or when it cannot be written on one line.
    pub fn check(&self, value: &str) -> Result<(), Complaint> {
        if value.chars().any(char::is_control) || value.len() > 1024 {
            return Err(Complaint::new("has line breaks or is too long", "write at most 1,024 characters on one line"));
        }
        if value.contains("${") || value.contains("$$") {
            return Err(Complaint::new(
                "has `${` or `$$` in it",
                "write it without: Flux would substitute it on the way",
            ));
        }
        match &self.kind {
            DirectiveKind::YesNo => one_of(value, &["yes", "no"]),
            DirectiveKind::Integer(range) => integer(value, range),
            DirectiveKind::Memory(range) => memory(value, range),
            DirectiveKind::MemoryOrPercent => memory_or_percent(value),
            DirectiveKind::Choice(words) => one_of(value, words),
            DirectiveKind::Choices(words) => value.split_whitespace().try_for_each(|word| one_of(word, words)),
            DirectiveKind::Flags(flags) => only_flags(value, flags),
            DirectiveKind::Octal => octal(value),
            DirectiveKind::Text if self.name == "locale-collate" && !value.is_empty() => one_of(value, &LOCALES),
            DirectiveKind::Text => Ok(()),
            DirectiveKind::Words => words(self.name, value),
        }
    }

    /// The one spelling of all values that mean the same: two values of one directive are equal if these are.
    #[must_use]
    pub fn canonical(&self, value: &str) -> String {
        let sorted_words = || {
            let mut words: Vec<&str> = value.split_whitespace().collect();
            words.sort_unstable();
            words.join(" ")
        };
        match &self.kind {
            DirectiveKind::Memory(_) | DirectiveKind::MemoryOrPercent => {
                bytes(value).map_or_else(|| value.to_owned(), |bytes| bytes.to_string())
            }
            DirectiveKind::Choices(_) => sorted_words(),
            DirectiveKind::Flags(_) => {
                // Of events, `A` stands for most classes.
                let value =
                    if self.name == "notify-keyspace-events" { &value.replace('A', "g$lshzxetd") } else { value };
                let mut flags: Vec<char> = value.chars().collect();
                flags.sort_unstable();
                flags.dedup();
                flags.into_iter().collect()
            }
            DirectiveKind::Octal => value.trim_start_matches('0').to_owned(),
            DirectiveKind::Words if self.name == "client-output-buffer-limit" => self.limits(value),
            DirectiveKind::Words => value.split_whitespace().collect::<Vec<_>>().join(" "),
            DirectiveKind::YesNo | DirectiveKind::Integer(_) | DirectiveKind::Choice(_) | DirectiveKind::Text => {
                value.to_owned()
            }
        }
    }

    /// The limits of every class of clients: those that a value does not name keep their defaults.
    fn limits(&self, value: &str) -> String {
        let words: Vec<&str> = self.default.split_whitespace().chain(value.split_whitespace()).collect();
        let class = |word: &str| if word == "slave" { "replica".to_owned() } else { word.to_ascii_lowercase() };
        let limit = |word: &&str| bytes(word).map_or_else(|| (*word).to_owned(), |bytes| bytes.to_string());
        let limits: BTreeMap<String, Vec<String>> = words
            .chunks(4)
            .filter_map(|group| group.split_first())
            .map(|(first, limits)| (class(first), limits.iter().map(limit).collect()))
            .collect();
        limits.into_iter().map(|(class, limits)| format!("{class} {}", limits.join(" "))).collect::<Vec<_>>().join(" ")
    }

    /// The line of `valkey.conf` that sets it.
    #[must_use]
    pub fn line(&self, value: &str) -> String {
        match self.kind {
            DirectiveKind::Text | DirectiveKind::Flags(_) => {
                format!("{} \"{}\"", self.name, value.replace('\\', "\\\\").replace('"', "\\\""))
            }
            // A name without any word after it is no line that a server takes.
            _ if value.trim().is_empty() => format!("{} \"\"", self.name),
            _ => format!("{} {}", self.name, value.split_whitespace().collect::<Vec<_>>().join(" ")),
        }
    }
}

fn one_of(value: &str, words: &[&str]) -> Result<(), Complaint> {
    if words.contains(&value) {
        return Ok(());
    }
    Err(suggest::not_one_of(value, words))
}

fn integer(value: &str, range: &RangeInclusive<i64>) -> Result<(), Complaint> {
    let plain = value == "0" || !value.trim_start_matches('-').starts_with('0') && !value.starts_with('+');
    match value.parse::<i64>() {
        Ok(number) if plain && range.contains(&number) => Ok(()),
        _ => Err(Complaint::new(
            format!("`{value}` is not one of its values"),
            format!("write a whole number between {} and {}", range.start(), range.end()),
        )),
    }
}

fn memory(value: &str, range: &RangeInclusive<i64>) -> Result<(), Complaint> {
    let below_zero = value.parse().ok().filter(|bytes: &i64| *bytes < 0);
    match below_zero.or_else(|| bytes(value)) {
        Some(bytes) if range.contains(&bytes) => Ok(()),
        _ => Err(Complaint::new(
            format!("`{value}` is not an amount of memory that it takes"),
            format!("write between {} and {} bytes, as a number or with kb, mb or gb", range.start(), range.end()),
        )),
    }
}

/// Valkey's own notation: `k` is a thousand and `kb` is 1024, in upper or lower case, without fractions.
fn bytes(value: &str) -> Option<i64> {
    let digits = value.find(|c: char| !c.is_ascii_digit()).unwrap_or(value.len());
    let (number, unit) = value.split_at(digits);
    let scale = match unit.to_ascii_lowercase().as_str() {
        "" | "b" => 1,
        "k" => 1000,
        "kb" => 1 << 10,
        "m" => 1_000_000,
        "mb" => 1 << 20,
        "g" => 1_000_000_000,
        "gb" => 1 << 30,
        _ => return None,
    };
    number.parse::<i64>().ok()?.checked_mul(scale)
}

fn memory_or_percent(value: &str) -> Result<(), Complaint> {
    let percent = value.strip_suffix('%').and_then(|number| number.parse::<u8>().ok());
    if percent.is_some_and(|percent| (1..=100).contains(&percent)) || bytes(value).is_some() {
        return Ok(());
    }
    let hint = "write bytes, as a number or with kb, mb or gb, or a percentage from 1% to 100%";
    Err(Complaint::new(format!("`{value}` is neither memory nor a percentage"), hint))
}

fn only_flags(value: &str, flags: &str) -> Result<(), Complaint> {
    match value.chars().find(|flag| !flags.contains(*flag)) {
        None => Ok(()),
        Some(flag) => {
            Err(Complaint::new(format!("`{flag}` in `{value}` is not one of its letters"), format!("use `{flags}`")))
        }
    }
}

fn octal(value: &str) -> Result<(), Complaint> {
    if u32::from_str_radix(value, 8).is_ok_and(|mode| mode <= 0o777) && !value.starts_with('+') {
        return Ok(());
    }
    Err(Complaint::new(format!("`{value}` is not a mode"), "write a number in base eight, such as 700"))
}

/// The grammars of the directives of several words that a user may set.
fn words(name: &str, value: &str) -> Result<(), Complaint> {
    let words: Vec<&str> = value.split_whitespace().collect();
    let (fine, hint) = match name {
        "client-output-buffer-limit" => (
            !words.is_empty() && words.len().is_multiple_of(4) && words.chunks(4).all(is_buffer_limit),
            "write normal, replica or pubsub, a hard limit, a soft limit and seconds, such as `replica 256mb 64mb 60`",
        ),
        "oom-score-adj-values" => (
            words.len() == 3
                && words.iter().all(|word| word.parse::<i32>().is_ok_and(|score| (-2000..=2000).contains(&score))),
            "write three whole numbers between -2000 and 2000",
        ),
        "latency-tracking-info-percentiles" => (
            words.iter().all(|word| word.parse::<f64>().is_ok_and(|percent| (0.0..=100.0).contains(&percent))),
            "write numbers between 0 and 100, such as `50 99 99.9`",
        ),
        _ => (!value.contains(['"', '\'', '\\']), "write words without quotes"),
    };
    if fine { Ok(()) } else { Err(Complaint::new(format!("`{value}` is not what it takes"), hint)) }
}

fn is_buffer_limit(words: &[&str]) -> bool {
    match words {
        [class, hard, soft, seconds] => {
            ["normal", "replica", "slave", "pubsub"].contains(class)
                && bytes(hard).is_some()
                && bytes(soft).is_some()
                && seconds.parse::<u32>().is_ok_and(|seconds| i32::try_from(seconds).is_ok())
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_that_are_not_named_are_those_of_a_server_that_is_not_told_otherwise() {
        let limits = find(Series::V9_1, "client-output-buffer-limit").unwrap();
        let all = "normal 0 0 0 pubsub 33554432 8388608 60 replica 536870912 134217728 60";
        assert_eq!(limits.canonical("slave 512mb 128mb 60"), all);
        assert_eq!(limits.canonical(limits.default).split(' ').count(), limits.default.split(' ').count());
    }

    #[test]
    fn every_row_of_every_table_is_read() {
        for series in Series::ALL {
            assert_eq!(all(series).count(), table(series).lines().count(), "{series}");
        }
    }

    #[test]
    fn the_default_of_a_directive_is_a_value_of_it() {
        for directive in Series::ALL.into_iter().flat_map(all).filter(|directive| !directive.default.is_empty()) {
            assert_eq!(directive.check(directive.default), Ok(()), "{} {}", directive.name, directive.default);
        }
    }

    #[test]
    fn a_series_knows_what_it_brought() {
        assert_eq!(series_with("cluster-databases"), [Series::V9_0, Series::V9_1]);
        assert_eq!(series_with("hash-seed"), [Series::V9_1]);
        assert_eq!(series_with("nonsense"), []);
        assert!(find(Series::V9_1, "maxmemory-policy").unwrap().live);
        assert!(!find(Series::V9_1, "databases").unwrap().live);
    }

    #[test]
    fn text_is_quoted_for_the_file() {
        let directive = find(Series::V9_1, "proc-title-template").unwrap();
        assert_eq!(directive.line(r#"a "b" \"#), r#"proc-title-template "a \"b\" \\""#);
        assert_eq!(find(Series::V9_1, "hz").unwrap().line("10"), "hz 10");
        assert_eq!(find(Series::V9_1, "save").unwrap().line(" "), r#"save """#);
    }
}
