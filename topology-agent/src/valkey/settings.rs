//! Values of directives, brought into the spelling in which they are wanted where they mean the same.

use spec::{Series, directives};

/// What a server reports of a directive, in the words of what is wanted if the two mean the same; none if a server of its series cannot
/// change it while it runs.
#[must_use]
pub fn canonical(series: Series, name: &str, wanted: &str, reported: &str) -> Option<String> {
    if reported == wanted {
        return Some(wanted.to_owned());
    }
    let Some(known) = directives::find(series, name) else { return Some(reported.to_owned()) };
    let spelled = known.canonical(reported);
    let same = spelled == known.canonical(wanted);
    known.live.then(|| if same { wanted.to_owned() } else { spelled })
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
