//! The network: every pod has a namespace of its own, with an address that nobody else has, on one bridge.
//!
//! <https://kubernetes.io/docs/concepts/services-networking/#the-kubernetes-network-model>

use std::net::Ipv4Addr;
use std::process::Stdio;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::process::Command;
use tokio::time::timeout;

/// The node's own address: where probes come from.
const NODE_ADDRESS: Ipv4Addr = Ipv4Addr::new(10, 244, 0, 1);
/// Where pods find the API server. It is not the node's, so that a pod can lose the one and keep the other.
pub(crate) const API_ADDRESS: Ipv4Addr = Ipv4Addr::new(10, 244, 255, 254);
/// The node's Ethernet address. A bridge that has none of its own takes the lowest among its ports', another one whenever a pod
/// comes that has a lower one, and who has talked to it before goes on talking to nobody for half a minute.
const BRIDGE: &str = "02:00:00:00:00:01";
/// An Ethernet address that nobody has: what is sent to it is lost without a sound, as behind a broken switch.
const NOWHERE: &str = "02:00:00:00:00:00";
const PATIENCE: Duration = Duration::from_secs(10);

/// Why the network cannot be changed. The same may work later only where `ip` took too long.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error("`ip` cannot be run: is iproute2 installed?")]
    Start(#[from] std::io::Error),
    #[error("`ip` refuses: {0}")]
    Refused(String),
    #[error("`ip` does not end")]
    Slow,
}

pub(crate) struct Network {
    used: AtomicU32,
}

/// The network namespace of a pod.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Sandbox {
    number: u32,
}

impl Sandbox {
    pub(super) fn namespace(&self) -> String {
        format!("pod-{}", self.number)
    }

    /// The file that stands for it.
    pub(super) fn file(&self) -> String {
        format!("/run/netns/{}", self.namespace())
    }

    fn veth(&self) -> String {
        format!("veth-{}", self.number)
    }

    /// Addresses are given out one after the other, so that none is soon used again.
    pub(super) fn address(&self) -> Ipv4Addr {
        let [_, _, high, low] = (self.number % 60_000).to_be_bytes();
        Ipv4Addr::new(10, 244, high, low)
    }
}

impl Network {
    pub(crate) fn new() -> Self {
        // The first numbers are the network's and the node's own.
        Self { used: AtomicU32::new(9) }
    }

    pub(crate) async fn prepare(&self) -> Result<(), Error> {
        ip(
            &[],
            &format!(
                "link set lo up\nlink add pods address {BRIDGE} type bridge\naddr add {NODE_ADDRESS}/16 dev pods\n\
             addr add {API_ADDRESS}/16 dev pods\nlink set pods up\n"
            ),
        )
        .await
    }

    pub(super) async fn attach(&self) -> Result<Sandbox, Error> {
        let sandbox = Sandbox { number: self.used.fetch_add(1, Ordering::Relaxed) + 1 };
        let (namespace, veth, address) = (sandbox.namespace(), sandbox.veth(), sandbox.address());
        ip(
            &[],
            &format!(
                "netns add {namespace}\nlink add {veth} type veth peer name eth0 netns {namespace}\n\
             link set {veth} master pods up\n"
            ),
        )
        .await?;
        ip(&["-netns", &namespace], &format!("addr add {address}/16 dev eth0\nlink set eth0 up\nlink set lo up\n"))
            .await?;
        Ok(sandbox)
    }

    pub(super) async fn detach(&self, sandbox: &Sandbox) -> Result<(), Error> {
        ip(&[], &format!("link del {}\nnetns del {}\n", sandbox.veth(), sandbox.namespace())).await
    }

    /// Loses whatever this pod sends to an address.
    pub(super) async fn cut(&self, sandbox: &Sandbox, from: Ipv4Addr) -> Result<(), Error> {
        let command = format!("neigh replace {from} lladdr {NOWHERE} nud permanent dev eth0\n");
        ip(&["-netns", &sandbox.namespace()], &command).await
    }

    pub(super) async fn mend(&self, sandbox: &Sandbox, from: Ipv4Addr) -> Result<(), Error> {
        ip(&["-netns", &sandbox.namespace()], &format!("neigh del {from} dev eth0\n")).await
    }
}

async fn ip(arguments: &[&str], batch: &str) -> Result<(), Error> {
    let mut command = Command::new("ip");
    command.args(arguments).args(["-batch", "-"]).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped());
    let mut child = command.kill_on_drop(true).spawn()?;
    if let Some(mut stdin) = child.stdin.take() {
        stdin.write_all(batch.as_bytes()).await?;
    }
    let output = timeout(PATIENCE, child.wait_with_output()).await.map_err(|_| Error::Slow)??;
    if output.status.success() {
        return Ok(());
    }
    Err(Error::Refused(String::from_utf8_lossy(&output.stderr).trim().to_owned()))
}
