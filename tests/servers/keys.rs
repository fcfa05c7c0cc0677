//! Where the keys are when a server starts again.

use serde_json::{Value, json};

use super::story::{Story, TWO_MEMBERS, each_series};

fn without_persistence() -> (&'static str, Value) {
    ("/spec/persistence", json!({"appendOnly": false}))
}

fn only_snapshots() -> (&'static str, Value) {
    ("/spec/persistence", json!({"appendOnly": false, "snapshots": ["3600 1"]}))
}

/// One member that holds all slots.
const ALONE: &str = "start pod0\n\
     cli0 CLUSTER ADDSLOTSRANGE 0 16383 >/dev/null; until_true pod0 sh /etc/valkey/readiness.sh\n";

/// The identity of the primary before and after its container restarted, which it does after this command, and how many keys it then
/// has. Nobody takes over here, and nobody is waited for.
fn restarted(story: &Story, members: &str, command: &str) -> (String, String, String) {
    let said = story.play(&format!(
        "{members}cli0 SET key value >/dev/null; {command} >/dev/null\n\
         cli0 CLUSTER MYID; kill -9 $(cat $PODS/0/run/valkey.pid); sleep 0.2\n\
         sed -i 's/^ *sleep .*/:/' $PODS/0/etc/start.sh\n\
         start pod0; cli0 CLUSTER MYID; cli0 DBSIZE",
    ));
    let mut lines = said.lines().map(str::to_owned);
    (lines.next().unwrap(), lines.next().unwrap(), lines.next().unwrap())
}

#[test]
fn a_primary_that_lost_its_keys_comes_back_as_a_new_node() {
    // Without persistence, a snapshot on disk is what a full sync once left there.
    let losses = [
        (without_persistence(), "true"),
        (without_persistence(), "cli0 SAVE"),
        (only_snapshots(), "true"),
        (("/spec/persistence", json!({"appendOnly": true})), "rm -r $PODS/0/data/appendonlydir"),
    ];
    for (kept, command) in losses {
        each_series(std::slice::from_ref(&kept), |story| {
            let (before, after, keys) = restarted(story, TWO_MEMBERS, command);
            assert_ne!(before, after, "{kept:?} {command}");
            // Keys of a node that owns no slots would be nobody's, and keep it from following a primary.
            assert_eq!(keys, "0", "{kept:?} {command}");
        });
    }
}

#[test]
fn a_primary_that_kept_its_keys_or_has_no_replica_comes_back_as_itself() {
    let stories = [
        (("/spec/persistence", json!({"appendOnly": true})), TWO_MEMBERS, "true"),
        (only_snapshots(), TWO_MEMBERS, "cli0 SAVE"),
        (without_persistence(), ALONE, "true"),
    ];
    for (kept, members, command) in stories {
        each_series(std::slice::from_ref(&kept), |story| {
            let (before, after, _) = restarted(story, members, command);
            assert_eq!(before, after, "{kept:?} {command}");
        });
    }
}

#[test]
fn a_restarted_container_keeps_the_configuration_that_its_pod_was_born_with() {
    each_series(&[], |story| {
        let said = story.play(
            "start pod0; kill -9 $(cat $PODS/0/run/valkey.pid); sleep 0.2\n\
             echo 'a-directive-of-a-newer-server yes' >>$PODS/0/etc/valkey.conf\n\
             start pod0; cli0 PING; cli0 CONFIG REWRITE",
        );
        assert!(said.starts_with("PONG\nERR The server is running without a config file"), "{said}");
    });
}

/// Why `diff` blocks a switch to the log without replicas, and what it advises.
#[test]
fn a_server_that_logs_its_writes_reads_no_snapshot() {
    let logged = "logged() { ! cli0 INFO persistence | grep -q 'aof_rewrite_.*:1'; }\n\
                  cli0 CONFIG SET appendonly yes >/dev/null; until_true logged";
    for (before_the_restart, keys) in [("true", "0"), (logged, "1")] {
        each_series(&[only_snapshots()], |story| {
            let said = story.play(&format!(
                "{ALONE}cli0 SET key value >/dev/null; cli0 SAVE >/dev/null\n{before_the_restart}\n\
                 kill -9 $(cat $PODS/0/run/valkey.pid); sleep 0.2\n\
                 sed -i 's/^appendonly no/appendonly yes/' $PODS/0/run/valkey.conf\n\
                 start pod0; cli0 DBSIZE",
            ));
            assert_eq!(said.trim(), keys, "{before_the_restart}");
        });
    }
}
