//! Values of directives, brought into the spelling in which they are wanted where they mean the same.

use std::collections::BTreeSet;

use spec::{Series, directives};

/// What a server reports of a directive, in the words of what is wanted if the two mean the same; none if a server of its series cannot
/// change it while it runs.
#[must_use]
pub fn canonical(series: Series, name: &str, wanted: &str, reported: &str) -> Option<String> {
    if reported == wanted {
        return Some(wanted.to_owned());
    }
    let spelled = match directives::find(series, name) {
        Some(known) if !known.live => return None,
        Some(known) => known.canonical(reported),
        None => reported.to_owned(),
    };
    let same = match name {
        "client-output-buffer-limit" => limits(&spelled).is_superset(&limits(wanted)),
        "notify-keyspace-events" => events(&spelled) == events(wanted),
        _ => spelled == wanted,
    };
    Some(if same { wanted.to_owned() } else { spelled })
}

/// The limits of each class of clients. A server reports all classes, and a spec may name one.
fn limits(value: &str) -> BTreeSet<(String, Vec<Option<u64>>)> {
    let words: Vec<&str> = value.split_whitespace().collect();
    let class = |word: &str| if word == "slave" { "replica".to_owned() } else { word.to_ascii_lowercase() };
    let limit = |group: &[&str]| {
        let (first, numbers) = group.split_first()?;
        Some((class(first), numbers.iter().map(|number| bytes(number)).collect()))
    };
    words.chunks(4).filter_map(limit).collect()
}

/// `64mb` as a number of bytes, as a server reads it.
fn bytes(text: &str) -> Option<u64> {
    let text = text.to_ascii_lowercase();
    let digits = text.trim_end_matches(|last: char| last.is_ascii_alphabetic());
    let unit = match text.get(digits.len()..)? {
        "" | "b" => 1,
        "k" => 1000,
        "kb" => 1 << 10,
        "m" => 1_000_000,
        "mb" => 1 << 20,
        "g" => 1_000_000_000,
        "gb" => 1 << 30,
        _ => return None,
    };
    digits.parse::<u64>().ok()?.checked_mul(unit)
}

/// The classes of events; `A` stands for most of them.
fn events(flags: &str) -> BTreeSet<char> {
    flags.chars().flat_map(|flag| if flag == 'A' { "g$lshzxetd".chars().collect() } else { vec![flag] }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_means_the_same_is_spelled_as_wanted() {
        let cases = [
            ("maxmemory-policy", "allkeys-lru", "allkeys-lru"),
            ("notify-keyspace-events", "Egx", "gxE"),
            ("notify-keyspace-events", "$EKdeghlstxz", "AKE"),
            (
                "client-output-buffer-limit",
                "replica 256mb 64mb 60",
                "normal 0 0 0 slave 268435456 67108864 60 pubsub 33554432 8388608 60",
            ),
        ];
        for (name, wanted, reported) in cases {
            assert_eq!(canonical(Series::V9_1, name, wanted, reported).unwrap(), wanted);
        }
    }

    #[test]
    fn what_means_something_else_is_told_apart() {
        let cases = [
            ("maxmemory-policy", "allkeys-lru", "noeviction"),
            ("notify-keyspace-events", "Ex", "AE"),
            (
                "client-output-buffer-limit",
                "replica 256mb 64mb 60",
                "normal 0 0 0 slave 268435456 67108864 61 pubsub 1 1 1",
            ),
        ];
        for (name, wanted, reported) in cases {
            assert_ne!(canonical(Series::V9_1, name, wanted, reported).unwrap(), wanted);
        }
    }

    #[test]
    fn what_a_server_reads_only_when_it_starts_is_not_asked_of_it() {
        assert_eq!(canonical(Series::V8_1, "io-threads", "1", "4"), None);
        assert_eq!(canonical(Series::V9_1, "io-threads", "1", "4"), Some("4".to_owned()));
    }
}
