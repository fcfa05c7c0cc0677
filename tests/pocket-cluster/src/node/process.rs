//! A container as a process: in the network of its pod, and in user, mount and process namespaces of its own.
//!
//! <https://kubernetes.io/docs/concepts/workloads/pods/#how-pods-manage-multiple-containers>

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use serde::{Deserialize, Serialize};
use tokio::io::AsyncWriteExt;
use tokio::process::{Child, Command};
use tokio::time::{Instant, sleep, timeout};

const START: Duration = Duration::from_secs(10);
const START_PERIOD: Duration = Duration::from_millis(2);
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Why a container does not start, or why nothing can be run in it. All of it may pass.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error(transparent)]
    Io(#[from] std::io::Error),
    #[error("the container ended before it began: exit code {0}")]
    Ended(i32),
    #[error("the command took longer than {0:?}")]
    Slow(Duration),
    #[error("the container did not begin within {START:?}")]
    NotBegun,
}

/// One folder or file of a container.
#[derive(Clone, Debug)]
pub(super) struct Bind {
    pub(super) from: PathBuf,
    pub(super) to: String,
    pub(super) read_only: bool,
}

/// Everything that makes a container what it is.
#[derive(Clone, Debug)]
pub(super) struct Plan {
    pub(super) command: Vec<String>,
    pub(super) environment: BTreeMap<String, String>,
    pub(super) directory: String,
    pub(super) hostname: String,
    pub(super) user: u32,
    pub(super) group: u32,
    pub(super) read_only_root: bool,
    pub(super) image: PathBuf,
    pub(super) names: PathBuf,
    pub(super) binds: Vec<Bind>,
    pub(super) network: String,
    pub(super) log: PathBuf,
}

impl Plan {
    /// The arguments of `bwrap`. The machine's `/usr` stands for the image's, with the image's programs in `/usr/local/bin`.
    fn arguments(&self) -> Vec<String> {
        let mut arguments = words("--unshare-user --unshare-pid --unshare-ipc --unshare-uts --as-pid-1 --clearenv");
        arguments.extend(["--uid".into(), self.user.to_string(), "--gid".into(), self.group.to_string()]);
        arguments.extend(["--hostname".into(), self.hostname.clone()]);
        arguments.extend(words(
            "--ro-bind /usr /usr --symlink usr/bin /bin --symlink usr/sbin /sbin --symlink usr/lib /lib",
        ));
        arguments.extend(words("--symlink usr/lib64 /lib64 --dev /dev --proc /proc --dir /etc --dir /run --dir /var"));
        // Before the image, whose own folder may lie in the machine's.
        if !self.read_only_root {
            arguments.extend(words("--tmpfs /tmp"));
        }
        let image = self.image.display().to_string();
        // Programs may name their own folder.
        arguments.extend(["--ro-bind".into(), image.clone(), "/usr/local/bin".into()]);
        arguments.extend(["--ro-bind".into(), image.clone(), image]);
        arguments.extend(["--ro-bind".into(), self.names.display().to_string(), "/etc/names".into()]);
        arguments.extend(words("--symlink names/hosts /etc/hosts --ro-bind /run/pocket/etc/passwd /etc/passwd"));
        arguments.extend(words("--ro-bind /run/pocket/etc/nsswitch.conf /etc/nsswitch.conf"));
        arguments.extend(words("--ro-bind /run/pocket/etc/host.conf /etc/host.conf"));
        for Bind { from, to, read_only } in &self.binds {
            let how = if *read_only { "--ro-bind" } else { "--bind" };
            arguments.extend([how.into(), from.display().to_string(), to.clone()]);
        }
        for (name, value) in &self.environment {
            arguments.extend(["--setenv".into(), name.clone(), value.clone()]);
        }
        if self.read_only_root {
            arguments.extend(words("--remount-ro /"));
        }
        arguments.extend(["--chdir".into(), self.directory.clone(), "--".into()]);
        arguments.extend(self.command.iter().cloned());
        arguments
    }
}

fn words(text: &str) -> Vec<String> {
    text.split_whitespace().map(str::to_owned).collect()
}

/// The path that images search for programs.
pub(super) fn default_environment() -> BTreeMap<String, String> {
    BTreeMap::from([("PATH".to_owned(), PATH.to_owned())])
}

/// A container that runs.
pub(super) struct Process {
    child: Child,
    pub(super) handle: Handle,
}

/// What is needed to do something to a container from elsewhere.
#[derive(Clone, Debug)]
pub(crate) struct Handle {
    pid: Pid,
    environment: BTreeMap<String, String>,
    directory: String,
}

/// What a command in a container has said.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Said {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Process {
    pub(super) async fn start(plan: &Plan) -> Result<Self, Error> {
        if let Some(folder) = plan.log.parent() {
            fs::create_dir_all(folder)?;
        }
        let log = File::create(&plan.log)?;
        let mut child = Command::new("/usr/bin/nsenter")
            .arg(format!("--net={}", plan.network))
            .arg("bwrap")
            .args(plan.arguments())
            .stdin(Stdio::null())
            .stdout(Stdio::from(log.try_clone()?))
            .stderr(Stdio::from(log))
            .kill_on_drop(true)
            .spawn()?;
        let pid = began(&mut child).await?;
        let handle = Handle { pid, environment: plan.environment.clone(), directory: plan.directory.clone() };
        Ok(Self { child, handle })
    }

    /// The exit code; 128 and more where a signal ended it.
    pub(super) async fn wait(&mut self) -> i32 {
        self.child.wait().await.map_or(255, exit_code)
    }
}

/// As a shell tells it: 128 and more where a signal ended the command.
pub(crate) fn exit_code(status: ExitStatus) -> i32 {
    status.code().or_else(|| status.signal().map(|signal| 128 + signal)).unwrap_or(255)
}

/// Waits until the container's own command runs, and tells its process.
async fn began(child: &mut Child) -> Result<Pid, Error> {
    let deadline = Instant::now() + START;
    while Instant::now() < deadline {
        if let Some(status) = child.try_wait()? {
            return Err(Error::Ended(status.code().unwrap_or(255)));
        }
        let inner = child.id().and_then(child_of);
        if let Some(pid) = inner.filter(|pid| is_under_way(*pid)) {
            return Ok(pid);
        }
        sleep(START_PERIOD).await;
    }
    Err(Error::NotBegun)
}

/// It is no longer `bwrap` that runs there.
fn is_under_way(pid: Pid) -> bool {
    let program = fs::read_link(format!("/proc/{}/exe", pid.as_raw_nonzero()));
    program.is_ok_and(|program| program.file_name().is_some_and(|name| name != "bwrap"))
}

fn processes() -> impl Iterator<Item = Pid> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|entry| Pid::from_raw(entry.file_name().to_str()?.parse().ok()?))
}

fn child_of(parent: u32) -> Option<Pid> {
    processes().find(|pid| parent_of(*pid) == Some(parent))
}

/// The second field after the program's name, which is in brackets and may hold anything.
fn parent_of(pid: Pid) -> Option<u32> {
    let stat = fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_nonzero())).ok()?;
    stat.rsplit_once(')')?.1.split_whitespace().nth(1)?.parse().ok()
}

impl Handle {
    pub(crate) fn signal(&self, signal: Signal) {
        // A process that is gone needs no signal.
        let _ = kill_process(self.pid, signal);
    }

    /// Sends a signal to every process of the container.
    pub(crate) fn signal_all(&self, signal: Signal) {
        let space =
            |pid: Pid| fs::read_link(Path::new("/proc").join(pid.as_raw_nonzero().to_string()).join("ns/pid")).ok();
        let Some(own) = space(self.pid) else { return };
        for pid in processes().filter(|pid| space(*pid).as_ref() == Some(&own)) {
            let _ = kill_process(pid, signal);
        }
    }

    /// Lets every flush of the container's first process fail with EIO until what is returned is dropped; none where the process has
    /// ended.
    pub(super) fn spoil_disk(&self) -> Option<Child> {
        let mut strace = Command::new("strace");
        strace
            .args(words("-f -qq -o /dev/null -e trace=fsync,fdatasync -e inject=fsync,fdatasync:error=EIO"))
            .args(["-p", &self.pid.as_raw_nonzero().to_string()])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        strace.kill_on_drop(true).spawn().ok()
    }

    /// A command in the container, to be begun. It is killed when nobody waits for it any more.
    pub(crate) fn command(&self, command: &[String]) -> Command {
        let mut nsenter = Command::new("/usr/bin/nsenter");
        nsenter
            .args(["--target", &self.pid.as_raw_nonzero().to_string()])
            .args(words("--user --preserve-credentials --mount --pid --net --ipc --uts"))
            .arg(format!("--wdns={}", self.directory))
            // It ends with `nsenter`, which is what can be killed from here.
            .args(words("-- /usr/bin/setpriv --pdeathsig KILL --"))
            .args(command)
            .env_clear()
            .envs(&self.environment)
            .kill_on_drop(true);
        nsenter
    }

    /// Runs a command in the container. One that takes too long is killed.
    pub(crate) async fn exec(&self, command: &[String], input: &[u8], patience: Duration) -> Result<Said, Error> {
        let mut child =
            self.command(command).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
        let stdin = child.stdin.take();
        let work = async {
            if let Some(mut stdin) = stdin {
                // A command that does not read its input may still succeed.
                let _ = stdin.write_all(input).await;
            }
            child.wait_with_output().await
        };
        let output = timeout(patience, work).await.map_err(|_| Error::Slow(patience))??;
        Ok(Said {
            code: exit_code(output.status),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        })
    }
}
