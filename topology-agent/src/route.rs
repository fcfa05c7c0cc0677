//! How servers are reached: straight, in the network of the pods, or through the API server, from anywhere else.

use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::api::core::v1::Pod;
use kube::{Api, Client};
use tokio::io::copy_bidirectional;
use tokio::net::TcpListener;
use tokio::time::timeout;

use crate::valkey::{AskError, Endpoint};

/// How long all questions to one server may take through the API server, with a new connection for each.
const LONG_WAY: Duration = Duration::from_secs(15);
/// How long a tunnel waits for its one user.
const PATIENCE: Duration = Duration::from_secs(5);

/// How servers are reached.
#[derive(Debug, Clone)]
pub enum Route {
    /// At their own addresses.
    Straight,
    /// As `kubectl port-forward` does it, with the rights of whoever the client is.
    Forwarded(Arc<Api<Pod>>),
}

impl Route {
    /// Through the API server of this client.
    #[must_use]
    pub fn through(client: &Client) -> Self {
        Self::Forwarded(Arc::new(Api::default_namespaced(client.clone())))
    }

    /// How long servers may take that take so long in the network of the pods.
    pub(crate) const fn patience(&self, straight: Duration) -> Duration {
        match self {
            Self::Straight => straight,
            Self::Forwarded(_) => LONG_WAY,
        }
    }

    /// Where to connect to, once, in order to reach the server of a pod.
    ///
    /// # Errors
    /// This machine has no port for a tunnel.
    pub(crate) async fn entrance(&self, pod: &str, endpoint: &Endpoint) -> Result<Endpoint, AskError> {
        match self {
            Self::Straight => Ok(endpoint.clone()),
            Self::Forwarded(pods) => {
                let dug = dig(Arc::clone(pods), pod.to_owned(), endpoint.port).await;
                let (address, port) = dug.map_err(|error| AskError::Unreachable(error.to_string()))?;
                Ok(Endpoint { address, port, ..endpoint.clone() })
            }
        }
    }
}

/// A tunnel from a port of this machine, which takes one connection and ends with it.
async fn dig(pods: Arc<Api<Pod>>, pod: String, port: u16) -> io::Result<(IpAddr, u16)> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let near = listener.local_addr()?;
    tokio::spawn(async move {
        // Whoever connected learns of an error by being cut off.
        if let Err(error) = forward(&listener, &pods, &pod, port).await {
            tracing::debug!(%error, pod, "a tunnel has ended");
        }
    });
    Ok((near.ip(), near.port()))
}

async fn forward(listener: &TcpListener, pods: &Api<Pod>, pod: &str, port: u16) -> io::Result<()> {
    let (mut near, _) = timeout(PATIENCE, listener.accept()).await??;
    let mut tunnel = timeout(PATIENCE, pods.portforward(pod, &[port])).await?.map_err(io::Error::other)?;
    let mut far = tunnel.take_stream(port).ok_or(io::ErrorKind::NotConnected)?;
    copy_bidirectional(&mut near, &mut far).await.map(drop)
}
