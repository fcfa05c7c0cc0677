//! `INFO`: what a server says of itself, a name and a value on each line.

use std::collections::BTreeMap;

use spec::{Series, Version};

/// The lines of an answer.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Info(BTreeMap<String, String>);

impl Info {
    /// Reads an answer; lines that are not `name:value` are left out.
    #[must_use]
    pub fn read(text: &str) -> Self {
        let pair =
            |line: &str| line.split_once(':').map(|(name, value)| (name.to_owned(), value.trim_end().to_owned()));
        Self(text.lines().filter_map(pair).collect())
    }

    /// A value.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// A value that is a number; none if it is missing or is none.
    #[must_use]
    pub fn number<T: std::str::FromStr>(&self, name: &str) -> Option<T> {
        self.get(name).and_then(|value| value.parse().ok())
    }

    /// The version of the server. Its `redis_version` is that of a protocol and tells nothing.
    #[must_use]
    pub fn version(&self) -> Option<Version> {
        let text = self.get("valkey_version")?;
        // A release candidate is named by a patch of 240 and more; so is the next series, which is not known yet.
        let mut numbers = text.split('.');
        let series = format!("{}.{}", numbers.next()?, numbers.next()?);
        let series =
            series.parse::<Version>().map_or_else(|_| newest_before(&series), |version| Some(version.series))?;
        Some(Version { series, patch: numbers.next().and_then(|patch| patch.parse().ok()) })
    }

    /// The fields of a value that is itself a list of `name=value`.
    pub fn fields(&self, name: &str) -> impl Iterator<Item = (&str, &str)> {
        self.get(name).unwrap_or_default().split(',').filter_map(|field| field.split_once('='))
    }

    /// The sum of a field over all databases.
    #[must_use]
    pub fn over_databases(&self, field: &str) -> u64 {
        let databases =
            self.0.keys().filter(|name| name.strip_prefix("db").is_some_and(|rest| rest.parse::<u16>().is_ok()));
        let values = databases.flat_map(|database| self.fields(database)).filter(|(name, _)| *name == field);
        values.filter_map(|(_, value)| value.parse::<u64>().ok()).sum()
    }

    /// The databases that hold keys.
    pub fn databases(&self) -> impl Iterator<Item = u16> {
        self.0.keys().filter_map(|name| name.strip_prefix("db")?.parse().ok())
    }

    /// The lines of replicas, each as its fields.
    pub fn replicas(&self) -> impl Iterator<Item = BTreeMap<&str, &str>> {
        let is_replica = |name: &&String| name.strip_prefix("slave").is_some_and(|rest| rest.parse::<u16>().is_ok());
        self.0.keys().filter(is_replica).map(|name| self.fields(name).collect())
    }
}

/// A series that is not known counts as the newest that is not newer: what it can do, that one can.
fn newest_before(series: &str) -> Option<Series> {
    let number = |text: &str| {
        let (major, minor) = text.split_once('.')?;
        Some((major.parse::<u16>().ok()?, minor.parse::<u16>().ok()?))
    };
    let wanted = number(series)?;
    Series::ALL.into_iter().rev().find(|known| number(known.as_str()).is_some_and(|known| known <= wanted))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_read_by_name() {
        let info = Info::read("# Server\r\nvalkey_version:9.1.2\r\nredis_version:7.2.4\r\nused_memory:12\r\n");
        assert_eq!(info.number::<u64>("used_memory"), Some(12));
        assert_eq!(info.version(), Some(Version { series: Series::V9_1, patch: Some(2) }));
        assert_eq!(info.number::<u64>("valkey_version"), None);
    }

    #[test]
    fn a_series_that_is_not_known_counts_as_the_newest_before_it() {
        let series = |text: &str| Info::read(&format!("valkey_version:{text}")).version().map(|version| version.series);
        assert_eq!(series("9.7.0"), Some(Series::V9_1));
        assert_eq!(series("8.9.1"), Some(Series::V8_1));
        assert_eq!(series("7.2.4"), None);
        assert_eq!(series("unknown"), None);
    }

    #[test]
    fn keys_are_counted_over_all_databases() {
        let info = Info::read("db0:keys=3,expires=1\ndb12:keys=4,expires=0\ndbx:keys=9\n");
        assert_eq!(info.over_databases("keys"), 7);
        assert_eq!(info.databases().collect::<Vec<_>>(), [0, 12]);
    }

    #[test]
    fn replicas_are_told_from_other_names_that_begin_alike() {
        let info = Info::read("slave0:ip=10.0.0.2,port=6379,state=online,offset=14,lag=0\nslave_repl_offset:14\n");
        let replicas: Vec<_> = info.replicas().collect();
        assert_eq!(replicas.len(), 1);
        assert_eq!(replicas[0]["state"], "online");
    }
}
