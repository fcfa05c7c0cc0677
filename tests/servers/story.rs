//! A pod or two of a cluster as files, and what is played with them.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::{Value, json};
use support::{clusters, manifest, root, small_with};
use tempfile::TempDir;

pub(crate) const SERIES: [&str; 3] = ["8.0", "8.1", "9.1"];
pub(crate) const PASSWORD: &str = r#"a "quoted" \ password"#;

fn servers(series: &str) -> PathBuf {
    let folder = std::env::var_os("VALKEY_SERVERS").map_or_else(|| root().join("target/valkey"), PathBuf::from);
    let folder = folder.join(series);
    assert!(folder.join("valkey-server").exists(), "{} has no server: run `make servers`", folder.display());
    folder.canonicalize().unwrap()
}

/// The files of pods, laid out for `tests/tools/pod`.
pub(crate) struct Story {
    pub(crate) folder: TempDir,
    servers: PathBuf,
    /// Programs that stand before the machine's.
    tools: Option<PathBuf>,
    memory_limit: Option<u64>,
    pub(crate) live_settings: BTreeMap<String, String>,
}

impl Story {
    /// Two pods of the cluster that this spec describes, with its secrets in place.
    pub(crate) fn of(series: &str, changes: &[(&str, Value)]) -> Self {
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
            tools: None,
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

    /// The same, with the shell and the programs of images that are made from Alpine.
    fn on_busybox(self) -> Self {
        let tools = self.folder.path().join("tools");
        fs::create_dir(&tools).unwrap();
        let status = Command::new("busybox").args(["--install", "-s"]).arg(&tools).status().unwrap();
        assert!(status.success());
        Self { tools: Some(tools), ..self }
    }

    /// Runs a shell script in a network of its own. `pod0` and `pod1` run a command in the pods, whose addresses are 127.0.0.1
    /// and 127.0.0.2; `cli0` and `cli1` ask their servers over the socket.
    pub(crate) fn play(&self, script: &str) -> String {
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
            .envs(self.tools.as_ref().map(|tools| ("TOOLS", tools)))
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

pub(crate) fn password() -> (&'static str, Value) {
    ("/spec/auth", json!({"passwordSecret": {"name": "secret"}}))
}

pub(crate) fn tls() -> (&'static str, Value) {
    ("/spec/tls", json!({"secretName": "certificate"}))
}

pub(crate) fn each_series(changes: &[(&str, Value)], story: impl Fn(&Story)) {
    for series in SERIES {
        story(&Story::of(series, changes));
    }
    story(&Story::of("9.1", changes).on_busybox());
}

/// Two members on one machine: each listens on its own address only. In the end they have told each other that they are one shard: 8.0
/// does not start again on a table in which one of them has not heard of it.
pub(crate) const TWO_MEMBERS: &str = "for n in 0 1; do sed -i \"s/^bind .*/bind 127.0.0.$((n + 1))/\" $PODS/$n/etc/valkey.conf; done\n\
     start pod0; start pod1\n\
     cli0 CLUSTER ADDSLOTSRANGE 0 16383 >/dev/null\n\
     cli0 CLUSTER MEET 127.0.0.2 6379 >/dev/null\n\
     id=$(cli0 CLUSTER MYID)\n\
     replicate() { [ \"$(cli1 CLUSTER REPLICATE $id)\" = OK ]; }\n\
     until_true replicate\n\
     in_sync() { cli1 INFO replication | grep -q master_link_status:up && cli0 INFO replication | grep -q state=online; }\n\
     until_true in_sync; sleep 2\n";
