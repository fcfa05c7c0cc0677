//! The tables of directives against the servers that they were taken from.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test that cannot go on has failed")]

use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use serde_json::json;
use spec::{Series, directives};
use support::{root, small_with};

const WITH_SERVERS: [Series; 3] = [Series::V8_0, Series::V8_1, Series::V9_1];

fn servers(series: Series) -> PathBuf {
    let folder = std::env::var_os("VALKEY_SERVERS").map_or_else(|| root().join("target/valkey"), PathBuf::from);
    folder.join(series.as_str())
}

fn generator(arguments: &[&str]) -> String {
    let output = Command::new(root().join("tests/tools/directives")).args(arguments).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn table(series: Series) -> PathBuf {
    root().join(format!("spec/directives/{series}.tsv"))
}

#[test]
fn the_tables_are_what_the_servers_answer() {
    for series in WITH_SERVERS {
        assert_same_rows(series, &generator(&[servers(series).to_str().unwrap()]));
    }
    assert_same_rows(Series::V9_0, &generator(&["--before", "9.1", table(Series::V9_1).to_str().unwrap()]));
}

fn assert_same_rows(series: Series, answered: &str) {
    let written = std::fs::read_to_string(table(series)).unwrap();
    let only = |one: &str, other: &str| {
        one.lines().filter(|row| !other.lines().any(|found| found == *row)).collect::<Vec<_>>().join("\n")
    };
    let (gone, new) = (only(&written, answered), only(answered, &written));
    assert!(gone.is_empty() && new.is_empty(), "{series}: write the table again\n- {gone}\n+ {new}");
}

/// Whether a server of the series takes the line; it is stopped by a line that none takes.
fn server_takes(series: Series, line: &str) -> bool {
    let mut child = Command::new(servers(series).join("valkey-server"))
        .arg("-")
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(format!("{line}\nno-such-directive yes\n").as_bytes()).unwrap();
    let said = String::from_utf8(child.wait_with_output().unwrap().stderr).unwrap();
    assert!(said.contains("at line"), "{line}: {said}");
    // Whether a build can do it says nothing of the series.
    said.contains("at line 2") || said.contains("compiled")
}

/// Values that are right for some directives and wrong for others.
const VALUES: [&str; 9] = ["yes", "0", "-1", "1", "100mb", "1.5gb", "50%", "allkeys-lru", "99999999999999999999"];

/// What is taken here is taken by the server; and what is refused here is refused there, but where this is stricter on purpose.
#[test]
fn a_value_is_taken_if_and_only_if_the_server_takes_it() {
    for series in [Series::V8_1, Series::V9_1] {
        let spec = |name: &str, value: &str| {
            let changes = [("/spec/version", json!(series.as_str())), ("/spec/config", json!({name: value}))];
            spec::read(&small_with(&changes).to_string(), None)
        };
        let mut settable = 0;
        for directive in directives::all(series) {
            let refused_by_name = |value: &str| {
                let problems = spec(directive.name, value).err().unwrap_or_default();
                problems.iter().any(|problem| matches!(problem.path.segments().last(), Some(spec::Segment::Name(_))))
            };
            if refused_by_name("yes") {
                continue;
            }
            settable += 1;
            for value in VALUES {
                let (ours, theirs) =
                    (spec(directive.name, value).is_ok(), server_takes(series, &directive.line(value)));
                // The server takes a list of one word, numbers that wrap around, and at first any locale.
                let stricter = directive.name == "locale-collate"
                    || matches!(
                        directive.kind,
                        directives::DirectiveKind::Words | directives::DirectiveKind::MemoryOrPercent
                    );
                assert!(
                    ours == theirs || (stricter && !ours),
                    "{} {value}: ours {ours}, the server's {theirs}",
                    directive.name
                );
            }
        }
        assert!(settable > 100, "{settable}");
    }
}
