//! Connections to a pod through the API server, over a WebSocket: a channel for the bytes, and one for what went wrong, which is not
//! used here.
//!
//! The frames are described in the source of Kubernetes, `k8s.io/apimachinery/pkg/util/httpstream/wsstream`: a byte with the channel's
//! number before each, and first of all the port.
//! <https://kubernetes.io/docs/tasks/access-application-cluster/port-forward-access-application-cluster/>

use std::net::Ipv4Addr;
use std::sync::Arc;

use futures::{SinkExt, StreamExt};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::protocol::Message;

use super::answer::Answer;
use super::request::Request;
use super::websocket::{Client, Failure};
use crate::cluster::Cluster;
use crate::json::text;
use crate::refusal::Refusal;

const PROTOCOL: &str = "v4.channel.k8s.io";
const DATA: u8 = 0;
const ERRORS: u8 = 1;

pub(super) fn answer(cluster: &Arc<Cluster>, request: &mut Request) -> Result<Answer, Refusal> {
    let pod = cluster.store.find(&request.target.key())?;
    let bad = |what: &str| Refusal::bad_request(format!("unable to forward: {what}"));
    let address: Ipv4Addr = text(&pod, "/status/podIP").parse().map_err(|_| bad("the pod has no address"))?;
    let port: u16 = request.query.get("ports").parse().map_err(|_| bad("one port is forwarded at a time"))?;
    let upgrade = request.upgrade.take().ok_or_else(|| bad("this is served over a WebSocket only"))?;
    let answer = upgrade.answer(PROTOCOL)?;
    tokio::spawn(async move {
        // Whichever side goes away, the other hears of it by the end of its connection.
        if let (Ok(client), Ok(server)) = (upgrade.client().await, TcpStream::connect((address, port)).await) {
            let _ = carry(client, server, port).await;
        }
    });
    Ok(answer)
}

async fn carry(mut client: Client, mut server: TcpStream, port: u16) -> Result<(), Failure> {
    let [low, high] = port.to_le_bytes();
    for channel in [DATA, ERRORS] {
        client.send(Message::binary(vec![channel, low, high])).await?;
    }
    let mut buffer = vec![0; 16 * 1024];
    loop {
        tokio::select! {
            message = client.next() => match message.transpose()? {
                Some(Message::Binary(frame)) => {
                    if let Some((&DATA, bytes)) = frame.split_first() {
                        server.write_all(bytes).await?;
                    }
                }
                Some(Message::Close(_)) | None => return Ok(()),
                Some(Message::Text(_) | Message::Ping(_) | Message::Pong(_) | Message::Frame(_)) => {}
            },
            read = server.read(&mut buffer) => match buffer.get(..read?) {
                None | Some([]) => return Ok(client.close(None).await?),
                Some(bytes) => client.send(Message::binary([&[DATA], bytes].concat())).await?,
            },
        }
    }
}
