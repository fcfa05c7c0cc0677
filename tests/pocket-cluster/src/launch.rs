//! The outer process: takes a port on the machine's loopback, and starts the cluster in namespaces where it may do what it likes.
//!
//! The socket is inherited: a listening socket stays in the network that it was made in, so that clients outside reach the server
//! inside. Everything dies with this process, for the kernel ends a process namespace with its first process.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, TcpListener};
use std::os::fd::OwnedFd;
use std::process::{Command, Stdio};

use rustix::process::{Pid, Signal, WaitOptions, kill_process, wait};

use crate::command::Start;

type Failure = Box<dyn std::error::Error + Send + Sync>;

pub(crate) fn start(start: &Start) -> Result<(), Failure> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, start.port))?;
    let mut child = Command::new("setpriv")
        .args(["--pdeathsig", "KILL", "unshare"])
        .args(user_namespace())
        .args(["--net", "--mount", "--pid", "--ipc", "--fork", "--kill-child", "--mount-proc"])
        .arg(std::env::current_exe()?)
        .arg("init")
        .args(start.arguments())
        .stdin(Stdio::from(OwnedFd::from(listener)))
        .spawn()
        .map_err(|error| format!("setpriv and unshare of util-linux cannot be started: {error}"))?;
    if start.until_stdin_closes {
        end_with_stdin(child.id());
    }
    let status = child.wait()?;
    if status.success() { Ok(()) } else { Err(format!("the cluster has ended: {status}").into()) }
}

/// The first process of the namespaces: starts the cluster, and buries what nobody else does. A command that is killed in a
/// container leaves its dead here, and a container whose dead are not buried never ends.
pub(crate) fn bury(start: &Start) -> Result<(), Failure> {
    let cluster = Command::new(std::env::current_exe()?).arg("inside").args(start.arguments()).spawn()?;
    let own = i32::try_from(cluster.id())?;
    loop {
        if let Some((pid, status)) = wait(WaitOptions::empty())?
            && pid.as_raw_pid() == own
        {
            return Err(format!("the cluster has ended: {status:?}").into());
        }
    }
}

/// Where the kernel lets everybody make user namespaces, nobody needs to be root.
fn user_namespace() -> &'static [&'static str] {
    let arguments = &["--user", "--map-root-user"];
    let tried = Command::new("unshare").args(arguments).arg("true").stderr(Stdio::null()).status();
    if tried.is_ok_and(|status| status.success()) { arguments } else { &[] }
}

fn end_with_stdin(child: u32) {
    std::thread::spawn(move || {
        // Whatever ends it, it has ended.
        let _ = io::stdin().read_to_end(&mut Vec::new());
        let _ = io::stdout().flush();
        let pid = i32::try_from(child).ok().and_then(Pid::from_raw);
        pid.map(|pid| kill_process(pid, Signal::KILL))
    });
}
