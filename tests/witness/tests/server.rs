//! The witness sees what happens to a real server's keys behind its back.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on has failed")]

use std::env;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use witness::Report;

fn servers() -> PathBuf {
    let target = || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../target/valkey");
    let folder = env::var_os("VALKEY_SERVERS").map_or_else(target, PathBuf::from).join("9.1");
    assert!(folder.join("valkey-server").exists(), "{} has no server: run `make servers`", folder.display());
    folder.canonicalize().unwrap()
}

/// What the witness tells of one server that has all slots, to which this script is done meanwhile.
fn witnessed(arguments: &str, script: &str) -> Report {
    let folder = tempfile::tempdir().unwrap();
    let script = format!(
        "set -eu; cd {folder}; PATH={servers}:$PATH\n\
         valkey-server --port 6379 --cluster-enabled yes --save '' >server.log &\n\
         until valkey-cli CLUSTER ADDSLOTSRANGE 0 16383 2>/dev/null | grep -q OK; do sleep 0.05; done\n\
         until valkey-cli CLUSTER INFO | grep -q state:ok; do sleep 0.05; done\n\
         {witness} --server 127.0.0.1:6379 --patience-millis 300 {arguments} >said & witness=$!\n\
         until grep -q begun said; do sleep 0.05; done; sleep 0.5\n\
         {{ {script}; }} >/dev/null\n\
         sleep 0.5; kill -TERM $witness; wait $witness; tail -n 1 said",
        folder = folder.path().display(),
        servers = servers().display(),
        witness = env!("CARGO_BIN_EXE_witness"),
    );
    let output = Command::new("bwrap")
        .args(["--dev-bind", "/", "/", "--unshare-net", "--unshare-pid", "--proc", "/proc", "--die-with-parent"])
        .args(["timeout", "60", "sh", "-c", &script])
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    serde_json::from_str(&said).unwrap_or_else(|error| panic!("{error}: {said}{output:?}"))
}

#[test]
fn where_nothing_happens_nothing_is_lost_and_nothing_stands_still() {
    let report = witnessed("--load 1000", "true");
    assert!(report.is_true(), "{report:?}");
    assert!(report.acknowledged > 100 && report.reads > 100, "{report:?}");
    assert!(report.longest_gap() < 500, "{report:?}");
    assert_eq!(report.errors.len(), 0, "{report:?}");
}

#[test]
fn a_key_that_is_deleted_behind_its_back_is_lost_though_it_is_written_again() {
    let report = witnessed("--keys 4", "valkey-cli DEL witness:0:0; sleep 0.5");
    assert!(report.lost > 1 && report.lost_ones[0].starts_with("witness:0:0 1"), "{report:?}");
    assert_eq!((report.unread, report.wrong), (0, 0), "{report:?}");
}

#[test]
fn a_loaded_key_that_is_deleted_is_lost() {
    let report = witnessed("--load 100", "valkey-cli DEL bulk:7");
    assert_eq!((report.lost, &report.lost_ones[..]), (1, &["bulk:7".to_owned()][..]), "{report:?}");
}

#[test]
fn an_older_copy_in_the_place_of_a_key_is_a_loss() {
    let script =
        "valkey-cli COPY witness:0:0 '{witness:0:0}'; sleep 0.5; valkey-cli COPY '{witness:0:0}' witness:0:0 REPLACE";
    let report = witnessed("--keys 1", script);
    assert!(report.lost > 0, "{report:?}");
}

#[test]
fn what_nobody_wrote_is_wrong() {
    let report = witnessed("--keys 4", "valkey-cli RPUSH witness:0:0 999999");
    assert!(report.wrong > 0 && report.lost == 0, "{report:?}");
}

#[test]
fn a_server_that_holds_writes_back_shows_as_a_gap_and_as_errors() {
    let report = witnessed("", "valkey-cli CLIENT PAUSE 1000 WRITE; sleep 1.2");
    assert!((900..2_000).contains(&report.longest_gap()), "{report:?}");
    assert!(report.errors.contains_key("timeout"), "{report:?}");
    assert!(report.is_true(), "{report:?}");
}

#[test]
fn a_write_that_no_replica_has_does_not_count_where_one_is_waited_for() {
    let report = witnessed("--wait 1", "true");
    assert_eq!(report.acknowledged, 0, "{report:?}");
    assert!(report.errors.contains_key("not replicated"), "{report:?}");
}
