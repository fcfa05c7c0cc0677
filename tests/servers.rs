//! Real servers start on what is rendered, through the rendered scripts, and the probes say of them what they should.
//!
//! Each story runs in a network of its own, with the files at their rendered paths (`tests/tools/pod`), against Valkey 8.0, 8.1
//! and 9.1. `VALKEY_SERVERS` names the folder that `tests/tools/valkey-servers` has filled.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test that cannot go on has failed")]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::{Value, json};
use spec::{Version, directives};
use support::{clusters, manifest, root, small_with};
use tempfile::TempDir;

const SERIES: [&str; 3] = ["8.0", "8.1", "9.1"];
const PASSWORD: &str = r#"a "quoted" \ password"#;

fn servers(series: &str) -> PathBuf {
    let folder = std::env::var_os("VALKEY_SERVERS").map_or_else(|| root().join("target/valkey"), PathBuf::from);
    let folder = folder.join(series);
    assert!(folder.join("valkey-server").exists(), "{} has no server: run `make servers`", folder.display());
    folder.canonicalize().unwrap()
}

/// The files of pods, laid out for `tests/tools/pod`.
struct Story {
    folder: TempDir,
    servers: PathBuf,
    memory_limit: Option<u64>,
    live_settings: BTreeMap<String, String>,
}

impl Story {
    /// Two pods of the cluster that this spec describes, with its secrets in place.
    fn of(series: &str, changes: &[(&str, Value)]) -> Self {
        let all = [
            &[
                ("/spec/version", json!(series)),
                ("/spec/tls", json!({"disabled": true})),
                ("/spec/auth", json!({"disabled": true})),
            ],
            changes,
        ]
        .concat();
        let spec = small_with(&all);
        let cluster = &clusters(&spec.to_string())[0];
        let rendered = manifest(cluster).to_yaml();
        let documents: Vec<Value> = serde_saphyr::from_multiple(&rendered).unwrap();
        let config = documents.iter().find(|document| document["metadata"]["name"] == "small-config").unwrap();
        let story = Self {
            folder: tempfile::tempdir().unwrap(),
            servers: servers(series),
            memory_limit: cluster.resources.memory_limit(),
            live_settings: cluster.live_settings(),
        };
        for pod in ["0", "1"] {
            let pod = story.folder.path().join(pod);
            for folder in ["etc", "run", "data"] {
                fs::create_dir_all(pod.join(folder)).unwrap();
            }
            for (name, text) in config["data"].as_object().unwrap() {
                fs::write(pod.join("etc").join(name), text.as_str().unwrap()).unwrap();
            }
            if spec.pointer("/spec/auth/passwordSecret").is_some() {
                fs::create_dir(pod.join("auth")).unwrap();
                fs::write(pod.join("auth/password"), PASSWORD).unwrap();
            }
            if spec.pointer("/spec/tls/secretName").is_some() {
                let shared = story.folder.path().join("0/tls");
                if pod.join("tls") == shared {
                    certificate(&shared);
                } else {
                    fs::create_dir(pod.join("tls")).unwrap();
                    for file in ["ca.crt", "tls.crt", "tls.key"] {
                        fs::copy(shared.join(file), pod.join("tls").join(file)).unwrap();
                    }
                }
            }
        }
        story
    }

    /// Runs a shell script in a network of its own. `pod0` and `pod1` run a command in the pods, whose addresses are 127.0.0.1
    /// and 127.0.0.2; `cli0` and `cli1` ask their servers over the socket.
    fn play(&self, script: &str) -> String {
        let pod = |number: u8| {
            let tool = root().join("tests/tools/pod");
            let folder = self.folder.path().join(number.to_string());
            format!(
                "{} {} {} small-{number} 127.0.0.{}",
                tool.display(),
                folder.display(),
                self.servers.display(),
                number + 1
            )
        };
        let prelude = format!(
            "set -eu\npod0() {{ {} \"$@\"; }}\npod1() {{ {} \"$@\"; }}\n\
             cli0() {{ pod0 sh -c '. /etc/valkey/ask.sh; echo \"$1\" | ask' sh \"$*\"; }}\n\
             cli1() {{ pod1 sh -c '. /etc/valkey/ask.sh; echo \"$1\" | ask' sh \"$*\"; }}\n\
             until_true() {{ tries=0; until \"$@\" >/dev/null 2>&1; do tries=$((tries + 1)); [ $tries -lt 100 ] || {{ echo \"never: $*\"; exit 1; }}; sleep 0.1; done; }}\n\
             start() {{ \"$1\" sh /etc/valkey/start.sh >>\"{}/$1.log\" 2>&1 & until_true \"$1\" sh /etc/valkey/startup.sh; }}\n\
             stop_all() {{ kill -9 $(cat {}/*/run/valkey.pid) 2>/dev/null || true; }}\ntrap stop_all EXIT\nPODS={}\n",
            pod(0),
            pod(1),
            self.folder.path().display(),
            self.folder.path().display(),
            self.folder.path().display(),
        );
        let output = Command::new("bwrap")
            .args([
                "--dev-bind",
                "/",
                "/",
                "--unshare-net",
                "--unshare-pid",
                "--proc",
                "/proc",
                "--die-with-parent",
                "timeout",
                "120",
                "sh",
                "-c",
            ])
            .arg(prelude + script)
            .envs(self.memory_limit.map(|bytes| ("MEMORY_LIMIT", bytes.to_string())))
            .stdin(Stdio::null())
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        let log = ["pod0.log", "pod1.log"]
            .map(|log| fs::read_to_string(self.folder.path().join(log)).unwrap_or_default())
            .join("\n");
        assert!(output.status.success(), "{said}\n{}\n{log}", String::from_utf8_lossy(&output.stderr));
        said
    }
}

/// A certificate as cert-manager would write it, from a CA of its own.
fn certificate(folder: &Path) {
    fs::create_dir(folder).unwrap();
    let script = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout ca.key -out ca.crt -days 2 -subj /CN=ca 2>/dev/null\n\
                  openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout tls.key -out tls.csr -subj /CN=small 2>/dev/null\n\
                  printf 'subjectAltName=DNS:localhost,DNS:*.small-nodes.default.svc.cluster.local' >names\n\
                  openssl x509 -req -in tls.csr -CA ca.crt -CAkey ca.key -CAcreateserial -out tls.crt -days 2 -extfile names 2>/dev/null\n\
                  chmod 644 tls.key";
    let status = Command::new("sh").args(["-ec", script]).current_dir(folder).status().unwrap();
    assert!(status.success());
}

fn password() -> (&'static str, Value) {
    ("/spec/auth", json!({"passwordSecret": {"name": "secret"}}))
}

fn tls() -> (&'static str, Value) {
    ("/spec/tls", json!({"secretName": "certificate"}))
}

fn without_persistence() -> (&'static str, Value) {
    ("/spec/persistence", json!({"appendOnly": false}))
}

fn each_series(changes: &[(&str, Value)], story: impl Fn(&Story)) {
    for series in SERIES {
        story(&Story::of(series, changes));
    }
}

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

/// Two members on one machine: each listens on its own address only.
const TWO_MEMBERS: &str = "for n in 0 1; do sed -i \"s/^bind .*/bind 127.0.0.$((n + 1))/\" $PODS/$n/etc/valkey.conf; done\n\
     start pod0; start pod1\n\
     cli0 CLUSTER ADDSLOTSRANGE 0 16383 >/dev/null\n\
     cli0 CLUSTER MEET 127.0.0.2 6379 >/dev/null\n\
     id=$(cli0 CLUSTER MYID)\n\
     replicate() { [ \"$(cli1 CLUSTER REPLICATE $id)\" = OK ]; }\n\
     until_true replicate\n\
     in_sync() { cli1 INFO replication | grep -q master_link_status:up && cli0 INFO replication | grep -q state=online; }\n\
     until_true in_sync\n";

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

/// As many clients as the server takes hang on its socket.
const FULL: &str = "cli0 CONFIG SET maxclients 4 >/dev/null\n\
     for n in 1 2 3 4 5; do (sleep 100 | pod0 valkey-cli -s /run/valkey/valkey.sock >/dev/null 2>&1 &); done\n\
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

#[test]
fn probes_go_on_while_a_password_is_being_rotated() {
    each_series(&[password()], |story| {
        let said = story.play(
            "start pod0\n\
             cli0 CLUSTER ADDSLOTSRANGE 0 16383 >/dev/null; until_true pod0 sh /etc/valkey/readiness.sh\n\
             printf 'the new one' >$PODS/0/auth/password\n\
             pod0 sh /etc/valkey/readiness.sh && pod0 sh /etc/valkey/liveness.sh && echo 'with the old one'\n\
             cli0 ACL SETUSER default '>the new one' >/dev/null || true\n\
             cli0 \"ACL SETUSER default resetpass '>the new one'\" >/dev/null\n\
             pod0 sh /etc/valkey/readiness.sh && echo 'with the new one'",
        );
        assert_eq!(said, "with the old one\nwith the new one\n");
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

fn only_snapshots() -> (&'static str, Value) {
    ("/spec/persistence", json!({"appendOnly": false, "snapshots": ["3600 1"]}))
}

/// One member that holds all slots.
const ALONE: &str = "start pod0\n\
     cli0 CLUSTER ADDSLOTSRANGE 0 16383 >/dev/null; until_true pod0 sh /etc/valkey/readiness.sh\n";

/// The identity of the primary before and after its container restarted, which it does after this command.
fn restarted(story: &Story, members: &str, command: &str) -> (String, String) {
    let said = story.play(&format!(
        "{members}cli0 SET key value >/dev/null; {command} >/dev/null\n\
         cli0 CLUSTER MYID; kill -9 $(cat $PODS/0/run/valkey.pid); sleep 0.2\n\
         start pod0; cli0 CLUSTER MYID",
    ));
    let mut lines = said.lines().map(str::to_owned);
    (lines.next().unwrap(), lines.next().unwrap())
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
            let (before, after) = restarted(story, TWO_MEMBERS, command);
            assert_ne!(before, after, "{kept:?} {command}");
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
            let (before, after) = restarted(story, members, command);
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
