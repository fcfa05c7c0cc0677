//! Probes: asks a container how it is, again and again.
//!
//! <https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/#container-probes>

use std::net::{Ipv4Addr, SocketAddrV4};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

use super::process::Handle;
use super::shape::{Check, ContainerSpec, HttpGet, Probe};

/// Who asks, and what it asks.
pub(super) struct Prober<'a> {
    pub(super) container: &'a ContainerSpec,
    pub(super) handle: &'a Handle,
    pub(super) address: Ipv4Addr,
}

impl Prober<'_> {
    /// Asks once; what is said where the answer is no.
    pub(super) async fn ask(&self, check: &Check, patience: Duration) -> Result<(), String> {
        if let Some(exec) = &check.exec {
            return self.exec(&exec.command, patience).await;
        }
        let asked = async {
            match (&check.http_get, &check.tcp_socket) {
                (Some(http), _) => self.http(http).await,
                (None, Some(tcp)) => self.connect(&tcp.port).await.map(drop),
                (None, None) => Err("a probe of this kind is not supported".to_owned()),
            }
        };
        timeout(patience, asked).await.unwrap_or_else(|_| Err(format!("no answer within {patience:?}")))
    }

    async fn exec(&self, command: &[String], patience: Duration) -> Result<(), String> {
        match self.handle.exec(command, &[], patience).await {
            Ok(said) if said.code == 0 => Ok(()),
            Ok(said) => Err(format!("{}{}", said.stdout, said.stderr).trim().to_owned()),
            Err(error) => Err(error.to_string()),
        }
    }

    async fn connect(&self, port: &serde_json::Value) -> Result<TcpStream, String> {
        let port = self.container.port(port).ok_or("the port is not declared")?;
        let stream = TcpStream::connect(SocketAddrV4::new(self.address, port)).await;
        stream.map_err(|error| format!("dial tcp {}:{port}: {error}", self.address))
    }

    /// From 200 to 399 is well.
    async fn http(&self, http: &HttpGet) -> Result<(), String> {
        let mut stream = self.connect(&http.port).await?;
        let path = if http.path.is_empty() { "/" } else { &http.path };
        let request = format!("GET {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n", self.address);
        let mut answer = String::new();
        let asked = async {
            stream.write_all(request.as_bytes()).await?;
            stream.take(64 * 1024).read_to_string(&mut answer).await
        };
        asked.await.map_err(|error| error.to_string())?;
        let code = answer.split_whitespace().nth(1).and_then(|code| code.parse::<u16>().ok());
        match code {
            Some(200..400) => Ok(()),
            Some(code) => Err(format!("HTTP probe failed with statuscode: {code}")),
            None => Err("the answer is not HTTP".to_owned()),
        }
    }
}

/// What a probe has come to after so many answers of one kind in a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Passes,
    Fails(String),
}

/// Asks until the verdict is another than before, and tells it.
pub(super) async fn next_verdict(prober: &Prober<'_>, probe: &Probe, before: Option<&Verdict>) -> Verdict {
    sleep(if before.is_none() { probe.delay() } else { probe.period() }).await;
    let (mut passed, mut failed) = (0, 0);
    loop {
        match prober.ask(&probe.check, probe.timeout()).await {
            Ok(()) => {
                (passed, failed) = (passed + 1, 0);
                if passed >= probe.success_threshold && before != Some(&Verdict::Passes) {
                    return Verdict::Passes;
                }
            }
            Err(why) => {
                (passed, failed) = (0, failed + 1);
                if failed >= probe.failure_threshold && !matches!(before, Some(Verdict::Fails(_))) {
                    return Verdict::Fails(why);
                }
            }
        }
        sleep(probe.period()).await;
    }
}
