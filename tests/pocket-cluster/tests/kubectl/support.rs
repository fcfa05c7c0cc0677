//! A cluster and kubectl, for stories.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use pocket_cluster::{Options, Pocket, Said};
use serde_json::Value;

const PATIENCE: Duration = Duration::from_mins(1);

/// A cluster, seen through kubectl.
pub(crate) struct Story {
    pub(crate) pocket: Pocket,
}

pub(crate) fn options() -> Options {
    // An image without programs of its own: those of the machine will do.
    let empty = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("empty-image");
    std::fs::create_dir_all(&empty).unwrap();
    Options::new(env!("CARGO_BIN_EXE_pocket-cluster")).with_image("busybox", empty)
}

pub(crate) fn begin() -> Story {
    begin_with(&options())
}

pub(crate) fn begin_with(options: &Options) -> Story {
    Story { pocket: Pocket::start(options).unwrap() }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

impl Story {
    fn run(&self, arguments: &[&str], input: &str) -> Output {
        // Some commands wait for ever for what does not come.
        let mut child = Command::new("timeout")
            .args(["90", "kubectl"])
            .args(arguments)
            .env("KUBECONFIG", self.pocket.kubeconfig())
            .env("HOME", self.pocket.folder())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
        child.wait_with_output().unwrap()
    }

    /// What kubectl says of a command that has to succeed.
    pub(crate) fn kubectl(&self, line: &str) -> String {
        self.kubectl_with(&line.split_whitespace().collect::<Vec<_>>(), "")
    }

    pub(crate) fn kubectl_with(&self, arguments: &[&str], input: &str) -> String {
        let said = self.attempt(arguments, input);
        said.unwrap_or_else(|error| panic!("kubectl {}: {error}", arguments.join(" ")))
    }

    /// What kubectl says, or what it complains about.
    pub(crate) fn attempt(&self, arguments: &[&str], input: &str) -> Result<String, String> {
        let output = self.run(arguments, input);
        let said = if output.status.success() { Ok(output.stdout) } else { Err(output.stderr) };
        said.map(|said| text(&said).trim().to_owned()).map_err(|complaint| text(&complaint).trim().to_owned())
    }

    /// What kubectl complains about in a command that has to fail.
    pub(crate) fn refused(&self, line: &str) -> String {
        self.refused_with(&line.split_whitespace().collect::<Vec<_>>(), "")
    }

    pub(crate) fn refused_with(&self, arguments: &[&str], input: &str) -> String {
        self.attempt(arguments, input).expect_err("kubectl has to fail")
    }

    pub(crate) fn apply(&self, manifest: &str) -> String {
        self.kubectl_with(&["apply", "-f", "-"], manifest)
    }

    /// A field of an object, as `kubectl get -o jsonpath` writes it.
    pub(crate) fn field(&self, object: &str, path: &str) -> String {
        let output = self.run(&["get", object, "-o", &format!("jsonpath={{{path}}}")], "");
        text(&output.stdout)
    }

    pub(crate) fn object(&self, named: &str) -> Value {
        serde_json::from_str(&self.kubectl(&format!("get {named} -o json"))).unwrap()
    }

    /// Waits until a field has a value.
    pub(crate) fn until(&self, object: &str, path: &str, wanted: &str) {
        let mut found = String::new();
        wait(&format!("{path} of {object} to be {wanted:?}"), || {
            found = self.field(object, path);
            if found == wanted { Ok(()) } else { Err(found.clone()) }
        });
    }

    /// Waits until there is no such object.
    pub(crate) fn until_gone(&self, object: &str) {
        wait(&format!("the end of {object}"), || {
            let left = text(&self.run(&["get", object, "-o", "name", "--ignore-not-found"], "").stdout);
            if left.is_empty() { Ok(()) } else { Err(left) }
        });
    }

    pub(crate) fn ready(&self, pod: &str) {
        self.until(&format!("pod/{pod}"), ".status.conditions[?(@.type=='Ready')].status", "True");
    }

    pub(crate) fn names(&self, kind: &str) -> Vec<String> {
        let names = self.kubectl(&format!("get {kind} -o name"));
        names.lines().map(|name| name.rsplit('/').next().unwrap().to_owned()).collect()
    }

    /// What a shell in a pod says.
    pub(crate) fn sh(&self, pod: &str, script: &str) -> String {
        let Said { stdout, .. } = self.pocket.exec(pod, &["sh", "-c", script]).unwrap();
        stdout.trim().to_owned()
    }
}

/// Waits for something; what was last found is told if it never comes.
pub(crate) fn wait(what: &str, mut look: impl FnMut() -> Result<(), String>) {
    let end = Instant::now() + PATIENCE;
    loop {
        match look() {
            Ok(()) => return,
            Err(found) => assert!(Instant::now() < end, "never: {what}; found {found:?}"),
        }
        std::thread::sleep(Duration::from_millis(50));
    }
}

pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// A pod with one container that runs a shell script; `more` stands in the container.
pub(crate) fn pod(name: &str, script: &str, more: &str) -> String {
    let script = serde_json::to_string(script).unwrap();
    format!(
        "apiVersion: v1\nkind: Pod\nmetadata: {{name: {name}, labels: {{app: {name}}}}}\nspec:\n  containers:\n  - name: main\n    \
         image: busybox\n    command: [sh, -c, {script}]\n{}\n",
        indented(more, 4)
    )
}

/// A stateful set of shells that sleep; `more` stands in its spec.
pub(crate) fn stateful_set(name: &str, replicas: usize, more: &str) -> String {
    format!(
        "apiVersion: apps/v1\nkind: StatefulSet\nmetadata: {{name: {name}}}\nspec:\n  replicas: {replicas}\n  serviceName: {name}\n  \
         podManagementPolicy: Parallel\n  selector: {{matchLabels: {{app: {name}}}}}\n  template:\n    metadata: {{labels: {{app: {name}}}}}\n    \
         spec:\n      terminationGracePeriodSeconds: 1\n      containers:\n      - name: main\n        image: busybox\n        \
         command: [sh, -c, 'sleep 1000']\n{}\n",
        indented(more, 2)
    )
}

fn indented(text: &str, by: usize) -> String {
    text.lines().map(|line| format!("{}{line}\n", " ".repeat(by))).collect()
}
