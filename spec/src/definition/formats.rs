//! What the API server can check of texts: a pattern and a length for each format of ours, which it does not know.
//!
//! A pattern takes all that the type of the format takes, and what it takes besides, the reader refuses.

use serde_json::{Value, json};

use crate::text::{LONGEST_CLUSTER_NAME, Series};

/// One word of a name in DNS.
const LABEL: &str = "[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?";
/// One part of a path of images.
const PART: &str = "[a-z0-9]+((\\.|_|__|-+)[a-z0-9]+)*";
const HOST: &str = "[-._A-Za-z0-9]+(:[-._A-Za-z0-9]+)?";
const TAG: &str = "[_A-Za-z0-9][-._A-Za-z0-9]{0,127}";
const DIGEST: &str = "sha256:[0-9a-f]{64}";
const UNITS: &str = "([numkMGTPE]|[KMGTPE]i)?";

/// The pattern of a format, and the longest text that it takes; none if it is no format of ours.
pub(super) fn of(format: &str) -> Option<(String, u32)> {
    Some(match format {
        "object-name" | "api-group" => (format!("^{}$", dotted()), 253),
        "object-kind" => ("^[A-Za-z][A-Za-z0-9]*$".to_owned(), 63),
        "label-value" => (label_value(), 63),
        "secret-key" => ("^([-_A-Za-z0-9][-._A-Za-z0-9]*|\\.[-_A-Za-z0-9][-._A-Za-z0-9]*)$".to_owned(), 253),
        "quantity" => (format!("^([0-9]{{1,18}}(\\.[0-9]{{0,9}})?|\\.[0-9]{{1,9}}){UNITS}$"), 32),
        "go-duration" => ("^([0-9]+(\\.[0-9]{0,3})?(h|ms|m|s))+$".to_owned(), 40),
        "valkey-version" => (format!("^({})(\\.(0|[1-9][0-9]{{0,4}}))?$", series()), 9),
        "image-repository" => (format!("^({HOST}/)?{PART}(/{PART})*$"), 255),
        "image-tag" => (format!("^{TAG}$"), 128),
        "image-digest" => (format!("^{DIGEST}$"), 71),
        "image-reference" => (format!("^({HOST}/)?{PART}(/{PART})*(:{TAG})?(@{DIGEST})?$"), 460),
        "domain-name" => (format!("^{}$", dotted()), 100),
        "snapshot-rule" => ("^\\s*\\+?0*[1-9][0-9]{0,9}\\s+\\+?0*[1-9][0-9]{0,9}\\s*$".to_owned(), 60),
        _ => return None,
    })
}

/// The name of a cluster; the object carries it itself.
pub(super) fn cluster_name() -> Value {
    json!({"type": "string", "maxLength": LONGEST_CLUSTER_NAME, "pattern": "^[a-z]([-a-z0-9]*[a-z0-9])?$"})
}

/// The key of a label.
pub(super) fn label_key() -> String {
    format!("^({}/)?[A-Za-z0-9]([-._A-Za-z0-9]{{0,61}}[A-Za-z0-9])?$", dotted())
}

/// The value of a label.
pub(super) fn label_value() -> String {
    "^([A-Za-z0-9]([-._A-Za-z0-9]*[A-Za-z0-9])?)?$".to_owned()
}

/// The name of an object, or none.
pub(super) fn name_or_nothing() -> String {
    format!("^({})?$", dotted())
}

fn dotted() -> String {
    format!("{LABEL}(\\.{LABEL})*")
}

fn series() -> String {
    Series::ALL.map(|series| series.as_str().replace('.', "\\.")).join("|")
}

#[cfg(test)]
mod tests {
    use regex::Regex;

    use crate::text::complaint_about;

    const SAMPLES: [&str; 62] = [
        "",
        "a",
        "A",
        "a.b",
        "-a",
        "a-",
        "a_b",
        "9.1",
        "9.1.2",
        "9.1.02",
        "7.2",
        "9.1.2.3",
        "8.0.70000",
        "10Gi",
        "10GB",
        "1.5Gi",
        "1.",
        ".5",
        ".",
        "500m",
        "1e3",
        "-1",
        "5m",
        "1h30m",
        "1.5h",
        "1.2345h",
        "5",
        "m",
        "90s250ms",
        "5d",
        "valkey/valkey",
        "localhost:5000/a/b",
        "a--b/c__d.e_f",
        "a/",
        "/a",
        "a/b:1",
        "A/b",
        "a:1:2/b",
        "a@b",
        "latest",
        ".tag",
        "sha256:00",
        "example.com/agent:1.0",
        "example.com/a/b:1.0-x",
        "cluster.local",
        "cluster.local.",
        "3600 1",
        "  3600   1 ",
        "0 1",
        "1",
        "1 2 3",
        "..a",
        ".a",
        "a b",
        "Issuer",
        "1Issuer",
        "cert-manager.io",
        "a..b",
        "password",
        "ä",
        "a___b",
        "a.-b",
    ];

    /// Only what is too large or too long in a part of it is left to the reader.
    #[test]
    fn a_pattern_takes_what_the_type_of_its_format_takes() {
        let digest = format!("sha256:{}", "0a".repeat(32));
        let long = ["a".repeat(63), "a".repeat(64), "a.".repeat(140) + "a", digest.clone(), format!("a:1@{digest}")];
        for format in [
            "object-name",
            "api-group",
            "object-kind",
            "label-value",
            "secret-key",
            "quantity",
            "go-duration",
            "valkey-version",
            "image-repository",
            "image-tag",
            "image-digest",
            "image-reference",
            "domain-name",
            "snapshot-rule",
        ] {
            let (pattern, longest) = super::of(format).unwrap();
            let pattern = Regex::new(&pattern).unwrap();
            for sample in SAMPLES.into_iter().chain(long.iter().map(String::as_str)) {
                let is_taken = pattern.is_match(sample) && sample.len() <= longest as usize;
                let is_left = match format {
                    "valkey-version" => sample == "8.0.70000",
                    "image-reference" => sample.len() > 255,
                    _ => false,
                };
                let wanted = complaint_about(format, sample).is_none() || is_left;
                assert_eq!(is_taken, wanted, "{format} {sample:?}");
            }
        }
    }

    #[test]
    fn keys_and_values_of_labels_are_those_that_the_reader_takes() {
        let pattern = Regex::new(&super::label_key()).unwrap();
        let value = Regex::new(&super::label_value()).unwrap();
        for sample in SAMPLES.into_iter().chain(["a/b", "a/b/c", "example.com/team_a"]) {
            assert_eq!(pattern.is_match(sample), crate::text::label_key(sample).is_ok(), "{sample}");
            assert_eq!(value.is_match(sample), crate::text::label_value(sample).is_ok(), "{sample}");
        }
    }
}
