//! A namespace for one story on a cluster that others use, too, reached by kubectl alone.

use std::io::Write;
use std::panic::resume_unwind;
use std::process::{self, Command, Output, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use pocket_cluster::{Fault, Said};
use serde_json::{Value, json};

/// Ends a server at once: it waits for no replica and writes no snapshot. It flushes its log first, which `kill -9` does not let it.
const SHUT_DOWN: &str = ". /etc/valkey/ask.sh; echo SHUTDOWN NOSAVE NOW FORCE | ask";

/// There as long as its story.
pub(crate) struct Namespace(String);

/// Ends a story that cannot be told here. The harness knows no third way besides success and failure: whoever runs stories on a cluster
/// has `tests/tools/stories-on-a-cluster` tell them apart, by this line.
#[allow(clippy::print_stderr, reason = "a story is never left out without a word")]
pub(crate) fn leave_out(why: &str) -> ! {
    eprintln!("left out: {why}");
    resume_unwind(Box::new("left out"))
}

impl Namespace {
    pub(crate) fn begin() -> Self {
        static BEGUN: AtomicUsize = AtomicUsize::new(0);
        let count = BEGUN.fetch_add(1, Ordering::Relaxed);
        // Other machines may tell the same stories at the same time.
        let moment = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().subsec_micros();
        let namespace = Self(format!("story-{}-{moment}-{count}", process::id()));
        let metadata = json!({"name": namespace.0});
        namespace.apply(&json!({"apiVersion": "v1", "kind": "Namespace", "metadata": metadata}).to_string()).unwrap();
        namespace
    }

    pub(crate) fn name(&self) -> &str {
        &self.0
    }

    /// What kubectl says to these words.
    pub(crate) fn run(&self, words: &[&str]) -> Output {
        if let ["cordon" | "drain" | "uncordon", ..] = words {
            leave_out("the hosts of a cluster are not a story's to drain");
        }
        output(self.kubectl(words), "")
    }

    fn kubectl(&self, arguments: &[&str]) -> Command {
        let mut kubectl = Command::new("kubectl");
        kubectl.args(["--namespace", &self.0]).args(arguments);
        kubectl
    }

    pub(crate) fn apply(&self, manifest: &str) -> Result<(), String> {
        let apply = self.kubectl(&["apply", "--server-side", "--force-conflicts", "--filename=-"]);
        succeed(&output(apply, manifest)).map(drop)
    }

    pub(crate) fn get(&self, path: &str) -> Result<Value, String> {
        let said = succeed(&output(self.kubectl(&["get", "--raw", path]), ""))?;
        serde_json::from_str(&said).map_err(|error| error.to_string())
    }

    pub(crate) fn exec(&self, pod: &str, command: &[&str]) -> Result<Said, String> {
        let output = output(self.kubectl(&[&["exec", pod, "--"], command].concat()), "");
        let stderr = text(&output.stderr);
        // How kubectl tells that it was the command that failed, and not what leads to it.
        let complaint = stderr.rsplit_once("command terminated with exit code ");
        match (output.status.code(), complaint) {
            (Some(0), _) => Ok(Said { code: 0, stdout: text(&output.stdout), stderr }),
            (Some(code), Some((stderr, _))) => {
                Ok(Said { code, stdout: text(&output.stdout), stderr: stderr.to_owned() })
            }
            (_, None) | (None, _) => Err(stderr),
        }
    }

    /// What kubectl can do to a cluster with the rights of one who uses it.
    pub(crate) fn inject(&self, fault: &Fault) -> Result<(), String> {
        match fault {
            Fault::Kill { pod, container: None } => self.shut_down(pod),
            Fault::Move { pods } if !pods.is_empty() => pods.iter().try_for_each(|pod| self.delete_at_once(pod)),
            Fault::LoseVolume { claim } => self.lose(claim),
            Fault::Kill { .. }
            | Fault::Move { .. }
            | Fault::Freeze { .. }
            | Fault::Thaw { .. }
            | Fault::Partition { .. }
            | Fault::Heal
            | Fault::Api(_)
            | Fault::Commands(_)
            | Fault::SpoilDisk { .. }
            | Fault::Repair { .. }
            | Fault::Clock { .. }
            | Fault::Mend
            | Fault::Outage { .. }
            | Fault::Compact
            | Fault::HostDown { .. }
            | Fault::HostUp { .. }
            | Fault::Renew { .. } => leave_out(&format!("kubectl cannot cause {fault:?}")),
        }
    }

    /// Signals that would end the first process of a container do not reach it from inside: a server ends by its own command, and
    /// nothing ends the agent, whose image has no more than itself.
    fn shut_down(&self, pod: &str) -> Result<(), String> {
        let object = self.get(&format!("/api/v1/namespaces/{}/pods/{pod}", self.0))?;
        if object["metadata"]["labels"][spec::names::COMPONENT_LABEL] != spec::names::SERVER {
            leave_out(&format!("kubectl cannot kill what runs in {pod}"));
        }
        self.exec(pod, &["true"])?;
        // The command ends together with the server, in whichever way.
        let _ = self.exec(pod, &["sh", "-c", SHUT_DOWN]);
        Ok(())
    }

    fn delete_at_once(&self, pod: &str) -> Result<(), String> {
        let delete = self.kubectl(&["delete", "pod", pod, "--grace-period=0", "--force"]);
        succeed(&output(delete, "")).map(drop)
    }

    /// The claim goes when its pod does, and the StatefulSet makes both anew.
    fn lose(&self, claim: &str) -> Result<(), String> {
        succeed(&output(self.kubectl(&["delete", "pvc", claim, "--wait=false"]), ""))?;
        self.delete_at_once(claim.trim_start_matches("data-"))
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        // Whoever looks at the cluster sees what is left over.
        let _ = self.kubectl(&["delete", "namespace", &self.0, "--wait=false"]).output();
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn output(mut command: Command, input: &str) -> Output {
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    // A command that does not read its input says why.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    child.wait_with_output().unwrap()
}

/// What a command says that has to succeed, or else what it complains about.
fn succeed(output: &Output) -> Result<String, String> {
    if output.status.success() { Ok(text(&output.stdout)) } else { Err(text(&output.stderr)) }
}
