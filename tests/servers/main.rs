//! Real servers start on what is rendered, through the rendered scripts, and the probes say of them what they should.
//!
//! Each story runs in a network of its own, with the files at their rendered paths (`tests/tools/pod`), against Valkey 8.0, 8.1
//! and 9.1. `VALKEY_SERVERS` names the folder that `tests/tools/valkey-servers` has filled.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test that cannot go on has failed")]

mod keys;
mod story;

use std::fs;

use serde_json::{Value, json};
use spec::{Version, directives};
use story::{SERIES, Story, TWO_MEMBERS, each_series, password, tls};

#[test]
fn a_server_starts_with_and_without_tls_password_and_persistence() {
    for with_tls in [false, true] {
        for with_password in [false, true] {
            for kept in [
                json!({"appendOnly": true, "fsync": "always"}),
                json!({"appendOnly": false, "snapshots": ["60 1", "5 100"]}),
                json!({"appendOnly": false}),
            ] {
                let mut changes = vec![("/spec/persistence", kept)];
                changes.extend(with_tls.then(tls));
                changes.extend(with_password.then(password));
                each_series(&changes, |story| {
                    assert_eq!(story.play("start pod0\npod0 sh /etc/valkey/liveness.sh && echo alive").trim(), "alive");
                });
            }
        }
    }
}

#[test]
fn every_example_is_a_configuration_that_its_server_takes() {
    for path in support::examples() {
        let spec: Value = serde_saphyr::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
        let series = &spec["spec"]["version"].as_str().unwrap()[..3];
        if SERIES.contains(&series) {
            let config = spec.pointer("/spec/config").cloned().unwrap_or_else(|| json!({}));
            let story = Story::of(series, &[("/spec/config", config)]);
            assert_eq!(story.play("start pod0; cli0 PING").trim(), "PONG", "{}", path.display());
        }
    }
}

#[test]
fn a_member_is_ready_when_it_has_joined_a_working_cluster() {
    each_series(&[password(), tls()], |story| {
        let said = story.play(
            "start pod0\n\
             pod0 sh /etc/valkey/readiness.sh || echo \"(not ready)\"\n\
             cli0 CLUSTER ADDSLOTSRANGE 0 8191\n\
             is_ok() { cli0 CLUSTER INFO | grep -q cluster_state:ok; }; until_true is_ok\n\
             pod0 sh /etc/valkey/readiness.sh || echo \"(not ready)\"\n\
             cli0 CLUSTER ADDSLOTSRANGE 8192 16383\n\
             until_true pod0 sh /etc/valkey/readiness.sh\n\
             echo ready",
        );
        assert_eq!(
            said,
            "not part of a working cluster\n(not ready)\nOK\nnot all slots are assigned\n(not ready)\nOK\nready\n"
        );
    });
}

/// It is asked every second until then, and seldom after that.
#[test]
fn a_member_has_a_while_to_become_ready_before_it_counts_as_started() {
    each_series(&[], |story| {
        let said = story.play(
            "start pod0\n\
             pod0 sh /etc/valkey/startup.sh 60 || echo \"(not started)\"\n\
             touch -d '2 minutes ago' $PODS/0/run/valkey.pid\n\
             pod0 sh /etc/valkey/startup.sh 60 && echo \"it has had its while\"\n\
             touch -d '+1 hour' $PODS/0/run/valkey.pid\n\
             pod0 sh /etc/valkey/startup.sh 60 && echo \"its clock was set back\"\n\
             touch $PODS/0/run/valkey.pid\n\
             cli0 CLUSTER ADDSLOTSRANGE 0 16383\n\
             until_true pod0 sh /etc/valkey/startup.sh 60\n\
             echo started",
        );
        assert_eq!(
            said,
            "not part of a working cluster\n(not started)\nit has had its while\nits clock was set back\nOK\nstarted\n"
        );
    });
}

#[test]
fn a_replica_is_ready_while_its_link_is_up() {
    each_series(&[], |story| {
        let said = story.play(&format!(
            "{TWO_MEMBERS}\
             until_true pod1 sh /etc/valkey/readiness.sh; echo ready\n\
             kill -9 $(cat $PODS/0/run/valkey.pid); sleep 0.3\n\
             pod1 sh /etc/valkey/readiness.sh || echo \"(not ready)\"",
        ));
        assert!(said.ends_with("ready\na replica without a link to its primary\n(not ready)\n"), "{said}");
    });
}

#[test]
fn a_stopping_primary_hands_over_first() {
    for changes in [vec![], vec![password(), tls()]] {
        each_series(&changes, |story| {
            let said = story.play(&format!(
                "{TWO_MEMBERS}{LINKED}\
                 pod0 sh /etc/valkey/stop.sh >/dev/null 2>&1\n\
                 cli0 ROLE | head -n 1; cli1 ROLE | head -n 1",
            ));
            assert!(said.ends_with("slave\nmaster\n"), "{said}");
        });
    }
}

/// The replica is connected for long enough to be taken for one.
const LINKED: &str = "linked() { cli0 CLUSTER NODES | grep -q 'slave .* connected'; }; until_true linked; sleep 1\n";

#[test]
fn a_stopping_primary_hands_over_while_a_password_is_being_rotated() {
    each_series(&[password()], |story| {
        let said = story.play(&format!(
            "{TWO_MEMBERS}{LINKED}\
             printf 'the new one' >$PODS/0/auth/password\n\
             pod0 sh /etc/valkey/stop.sh >/dev/null 2>&1\n\
             cli0 ROLE | head -n 1; cli1 ROLE | head -n 1",
        ));
        assert!(said.ends_with("slave\nmaster\n"), "{said}");
    });
}

#[test]
fn a_replica_that_refuses_to_take_over_is_not_waited_for() {
    each_series(&[], |story| {
        let said = story.play(&format!(
            "{TWO_MEMBERS}{LINKED}\
             cli1 'ACL SETUSER default -cluster|failover' >/dev/null\n\
             begin=$(date +%s); pod0 sh /etc/valkey/stop.sh >/dev/null 2>&1; echo $(($(date +%s) - begin < 4))\n\
             cli0 ROLE | head -n 1",
        ));
        assert!(said.ends_with("1\nmaster\n"), "{said}");
    });
}

#[test]
fn a_stopping_primary_without_a_replica_just_stops() {
    each_series(&[], |story| {
        let said =
            story.play("start pod0\npod0 sh /etc/valkey/stop.sh\nkill $(cat $PODS/0/run/valkey.pid); wait; echo gone");
        assert_eq!(said, "stop.sh: no replica in sync to hand over to\ngone\n");
    });
}

#[test]
fn liveness_spares_a_busy_server_and_fails_a_frozen_one() {
    each_series(&[], |story| {
        let said = story.play(
            "start pod0\n\
             (cli0 'EVAL \"while true do end\" 0' >/dev/null 2>&1 &)\n\
             sleep 0.5; pod0 sh /etc/valkey/liveness.sh && echo 'busy: spared'\n\
             until_true cli0 SCRIPT KILL\n\
             pod=$(cat $PODS/0/run/valkey.pid)\n\
             kill -STOP $pod; pod0 sh /etc/valkey/liveness.sh || echo '(frozen: failed)'\n\
             kill -CONT $pod; until_true pod0 sh /etc/valkey/liveness.sh; echo 'thawed: spared'",
        );
        assert_eq!(
            said,
            "busy: spared\nthe server does not answer, and its process is in state T\n(frozen: failed)\nthawed: spared\n"
        );
    });
}

/// As many clients as the server takes hang on its socket. More than that try, for who looks takes a place, too, for a moment.
const FULL: &str = "cli0 CONFIG SET maxclients 4 >/dev/null\n\
     for n in 1 2 3 4 5 6 7 8 9; do (sleep 100 | pod0 valkey-cli -s /run/valkey/valkey.sock >/dev/null 2>&1 &); done\n\
     is_full() { pod0 sh -c 'echo PING | valkey-cli -s /run/valkey/valkey.sock 2>&1' | grep -v PONG >/dev/null; }\n\
     until_true is_full\n";

#[test]
fn liveness_spares_a_server_with_as_many_clients_as_it_takes() {
    for changes in [vec![], vec![password()]] {
        each_series(&changes, |story| {
            let said = story.play(&format!(
                "start pod0\n{FULL}\
                 pod0 sh -c 'echo PING | valkey-cli -s /run/valkey/valkey.sock 2>&1 || true'\n\
                 pod0 sh /etc/valkey/liveness.sh && echo spared",
            ));
            assert!(said.ends_with("spared\n"), "{said}");
        });
    }
}

#[test]
fn the_password_is_in_no_argument_and_no_environment() {
    each_series(&[password()], |story| {
        let said = story.play(
            "start pod0\n\
             pod=$(cat $PODS/0/run/valkey.pid); cat /proc/$pod/cmdline /proc/$pod/environ | tr '\\0' '\\n' | grep -c quoted || true\n\
             pod0 sh -c 'echo PING | valkey-cli -s /run/valkey/valkey.sock'\n\
             pod0 stat -c %a /run/valkey/auth.conf /run/valkey/password",
        );
        assert_eq!(
            said.lines().filter(|line| !line.is_empty()).collect::<Vec<_>>(),
            ["0", "NOAUTH Authentication required.", "600", "600"]
        );
    });
}

/// What a client with each of these passwords gets to hear.
const TRY: &str =
    "try() { pod0 env REDISCLI_AUTH=\"$1\" valkey-cli -h 127.0.0.1 PING 2>&1 | grep -oE 'PONG|NOAUTH'; }\n";

#[test]
fn a_changed_password_is_taken_besides_the_one_before_and_ends_older_ones() {
    each_series(&[password()], |story| {
        let said = story.play(&format!(
            "start pod0\n{TRY}\
             cli0 CLUSTER ADDSLOTSRANGE 0 16383 >/dev/null; until_true pod0 sh /etc/valkey/readiness.sh\n\
             first=$(cat $PODS/0/auth/password)\n\
             printf '%s' 'a \"new\" \\ one' >$PODS/0/auth/password\n\
             pod0 sh /etc/valkey/readiness.sh; try \"$first\"; try 'a \"new\" \\ one'; cli0 CONFIG GET primaryauth\n\
             printf 'the third' >$PODS/0/auth/password\n\
             pod0 sh /etc/valkey/readiness.sh; try \"$first\"; try 'a \"new\" \\ one'; try 'the third'",
        ));
        let wanted = "PONG\nPONG\nprimaryauth\na \"new\" \\ one\nNOAUTH\nPONG\nPONG\n";
        assert_eq!(said, wanted);
    });
}

#[test]
fn a_server_that_cannot_take_a_changed_password_goes_on_with_the_one_it_has() {
    each_series(&[password()], |story| {
        let said = story.play(
            "start pod0\n\
             cli0 CLUSTER ADDSLOTSRANGE 0 16383 >/dev/null; until_true pod0 sh /etc/valkey/readiness.sh\n\
             printf 'two\\nlines' >$PODS/0/auth/password\n\
             pod0 sh /etc/valkey/readiness.sh 2>&1 && pod0 sh /etc/valkey/liveness.sh && echo 'alive and ready'",
        );
        assert!(said.starts_with("renew.sh: the password has a line break in it"), "{said}");
        assert!(said.ends_with("alive and ready\n"), "{said}");
    });
}

#[test]
fn a_password_that_cannot_be_held_is_refused_with_the_reason() {
    for (password, reason) in [("", "the password is empty"), ("two\nlines", "has a line break in it")] {
        let story = Story::of("9.1", &[self::password()]);
        fs::write(story.folder.path().join("0/auth/password"), password).unwrap();
        let said = story.play("pod0 sh /etc/valkey/start.sh 2>&1 || true");
        assert!(said.contains(reason), "{said}");
    }
}

#[test]
fn tls_is_the_only_way_in_over_the_network() {
    each_series(&[tls()], |story| {
        let said = story.play(
            "start pod0\n\
             pod0 valkey-cli -h 127.0.0.1 --tls --cacert /etc/valkey-tls/ca.crt PING\n\
             pod0 timeout 2 valkey-cli -h 127.0.0.1 PING >/dev/null 2>&1 || echo refused\n\
             cli0 CONFIG GET tls-cluster | tail -n 1; cli0 CONFIG GET tls-replication | tail -n 1",
        );
        assert_eq!(said, "PONG\nrefused\nyes\nyes\n");
    });
}

#[test]
fn a_renewed_certificate_is_shown_without_a_restart() {
    each_series(&[tls()], |story| {
        let said = story.play(
            "start pod0; id=$(cli0 INFO server | grep run_id)\n\
             cd $PODS/0/tls\n\
             openssl x509 -req -in tls.csr -CA ca.crt -CAkey ca.key -CAcreateserial -out next -days 3 -extfile names 2>/dev/null\n\
             chmod 644 next; mv next tls.crt; wanted=$(openssl x509 -in tls.crt -noout -serial)\n\
             shown() {\n\
                 pod0 sh /etc/valkey/readiness.sh >/dev/null || true\n\
                 openssl s_client -connect 127.0.0.1:6379 </dev/null 2>/dev/null | openssl x509 -noout -serial | grep -qx \"$wanted\"\n\
             }\n\
             until_true shown\n\
             [ \"$id\" = \"$(cli0 INFO server | grep run_id)\" ] && echo 'by the same process'",
        );
        assert_eq!(said, "by the same process\n");
    });
}

#[test]
fn maxmemory_follows_the_limit_of_the_own_pod() {
    let limit = |text: &str| [("/spec/resources", json!({"limits": {"memory": text}}))];
    each_series(&limit("100Mi"), |story| {
        let maxmemory = "cli0 CONFIG GET maxmemory | tail -n 1";
        assert_eq!(story.play(&format!("MEMORY_LIMIT=1000000000; start pod0\n{maxmemory}")), "700000000\n");
    });
    let unaware = "unset MEMORY_LIMIT; start pod0; cli0 CONFIG GET maxmemory | tail -n 1";
    assert_eq!(Story::of("9.1", &limit("100Mi")).play(unaware), "0\n");
}

/// Both in the one spelling in which the agent compares them.
#[test]
fn the_server_reports_the_live_settings_that_it_is_told() {
    let changes = [
        tls(),
        ("/spec/config", json!({"maxmemory-clients": "1mb", "notify-keyspace-events": "xE", "hz": 20})),
        ("/spec/persistence", json!({"appendOnly": true, "fsync": "no", "snapshots": ["3600 1", "300 100"]})),
    ];
    for series in SERIES {
        for changes in [&changes[..], &[]] {
            let story = Story::of(series, changes);
            let ask = |name: &String| format!("echo \"$(cli0 CONFIG GET {name} | sed 1d)\"\n");
            let script: String = story.live_settings.keys().map(ask).collect();
            let said = story.play(&format!("start pod0\n{script}"));
            assert_eq!(said.lines().count(), story.live_settings.len(), "{said}");
            for ((name, told), answer) in story.live_settings.iter().zip(said.lines()) {
                let directive = directives::find(series.parse::<Version>().unwrap().series, name).unwrap();
                assert_eq!(directive.canonical(answer), *told, "{name}");
            }
        }
    }
}

#[test]
fn the_server_has_what_the_spec_says() {
    let changes = [
        ("/spec/resources", json!({"limits": {"memory": "1Gi"}})),
        ("/spec/maxMemoryPercent", json!(50)),
        (
            "/spec/config",
            json!({"maxmemory-policy": "allkeys-lru", "notify-keyspace-events": "Ex", "client-output-buffer-limit": "replica 512mb 128mb 60", "proc-title-template": "a \"b\" {title}"}),
        ),
        ("/spec/persistence", json!({"appendOnly": true, "fsync": "always", "snapshots": ["3600 1", "300 100"]})),
    ];
    each_series(&changes, |story| {
        let names = [
            "maxmemory",
            "maxmemory-policy",
            "appendfsync",
            "save",
            "cluster-announce-ip",
            "cluster-announce-hostname",
            "proc-title-template",
            "cluster-allow-replica-migration",
        ];
        let script: String = names.map(|name| format!("cli0 CONFIG GET {name} | tail -n 1\n")).concat();
        let said = story.play(&format!("start pod0\n{script}"));
        let host = "small-0.small-nodes.default.svc.cluster.local";
        let expected =
            ["536870900", "allkeys-lru", "always", "3600 1 300 100", "127.0.0.1", host, "a \"b\" {title}", "no"];
        assert_eq!(said.lines().collect::<Vec<_>>(), expected);
    });
}
