//! Commands in containers, over a WebSocket, as `kubectl exec` has them run.
//!
//! <https://kubernetes.io/docs/reference/kubernetes-api/workload-resources/pod-v1/#get-connect-get-requests-to-exec-of-pod> The frames
//! are described in the source of Kubernetes, `k8s.io/client-go/tools/remotecommand`: a byte with the channel's number before each; in
//! the end a `Status` tells how the command has ended.

use std::process::Stdio;
use std::sync::Arc;

use futures::stream::{SplitSink, SplitStream};
use futures::{SinkExt, StreamExt};
use hyper::body::Bytes;
use serde_json::{Value, json};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, ChildStdin, Command};
use tokio::sync::mpsc;
use tokio_tungstenite::tungstenite::Utf8Bytes;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, Message};

use super::answer::Answer;
use super::log::container;
use super::request::Request;
use super::websocket::{Client, Failure};
use crate::cluster::Cluster;
use crate::node::exit_code;
use crate::refusal::Refusal;

/// In the later one, a client can say that its input has ended.
const PROTOCOLS: [&str; 2] = ["v5.channel.k8s.io", "v4.channel.k8s.io"];
const STDIN: u8 = 0;
const STDOUT: u8 = 1;
const STDERR: u8 = 2;
const STATUS: u8 = 3;
/// What follows is the number of a channel that has ended.
const END: u8 = 255;

pub(super) fn answer(cluster: &Arc<Cluster>, request: &mut Request) -> Result<Answer, Refusal> {
    // What is wrong with the request comes first: a client whose WebSocket is refused tries again in another way, and tells of that.
    let mut command = command(cluster, request)?;
    let upgrade = request.upgrade.take().ok_or_else(|| unable("this is served over a WebSocket only"))?;
    let protocol = upgrade.speaks(&PROTOCOLS).ok_or_else(|| unable("no protocol of the client is spoken here"))?;
    let answer = upgrade.answer(protocol)?;
    let child = command.spawn().map_err(|error| unable(&error.to_string()))?;
    tokio::spawn(async move {
        // A client that goes away has the command killed.
        if let Ok(client) = upgrade.client().await {
            let _ = converse(client, child).await;
        }
    });
    Ok(answer)
}

fn unable(why: &str) -> Refusal {
    Refusal::bad_request(format!("unable to execute: {why}"))
}

/// The command, to be begun. What is not asked for is not connected.
fn command(cluster: &Cluster, request: &Request) -> Result<Command, Refusal> {
    let query = &request.query;
    if query.is_true("tty") {
        return Err(unable("there are no terminals here"));
    }
    let pod = cluster.store.find(&request.target.key())?;
    let container = container(&pod, query.get("container"))?;
    let handle = cluster.workers.handle(&pod, Some(&container));
    let handle = handle.ok_or_else(|| unable(&format!("the container {container} does not run")))?;
    let stream = |name: &str| if query.is_true(name) { Stdio::piped() } else { Stdio::null() };
    let mut command = handle.command(&query.all("command"));
    command.stdin(stream("stdin")).stdout(stream("stdout")).stderr(stream("stderr"));
    Ok(command)
}

async fn converse(client: Client, mut child: Child) -> Result<(), Failure> {
    let (to, from) = client.split();
    let input = child.stdin.take();
    tokio::select! {
        told = tell(to, child) => told,
        () = listen(from, input) => Ok(()),
    }
}

/// Tells all that the command says, and then how it has ended.
async fn tell(mut to: SplitSink<Client, Message>, mut child: Child) -> Result<(), Failure> {
    let (sender, mut frames) = mpsc::channel(16);
    tokio::spawn(read(child.stdout.take(), STDOUT, sender.clone()));
    tokio::spawn(read(child.stderr.take(), STDERR, sender));
    while let Some(frame) = frames.recv().await {
        to.send(Message::binary(frame)).await?;
    }
    let status = status(exit_code(child.wait().await?)).to_string();
    to.send(Message::binary([&[STATUS], status.as_bytes()].concat())).await?;
    let end = CloseFrame { code: CloseCode::Normal, reason: Utf8Bytes::default() };
    Ok(to.send(Message::Close(Some(end))).await?)
}

/// Ends with the stream, or with whoever takes the frames.
async fn read(stream: Option<impl AsyncRead + Unpin>, channel: u8, frames: mpsc::Sender<Bytes>) {
    let Some(mut stream) = stream else { return };
    let mut buffer = vec![0; 16 * 1024];
    while let Ok(count @ 1..) = stream.read(&mut buffer).await {
        let bytes = buffer.get(..count).unwrap_or_default();
        if frames.send([&[channel], bytes].concat().into()).await.is_err() {
            return;
        }
    }
}

/// Hands the command its input, until the client goes away.
async fn listen(mut from: SplitStream<Client>, mut input: Option<ChildStdin>) {
    while let Some(Ok(message)) = from.next().await {
        match message {
            Message::Binary(frame) => match frame.split_first() {
                Some((&STDIN, bytes)) => input = hand_on(input, bytes).await,
                Some((&END, &[STDIN])) => input = None,
                // The size of a terminal that is not there.
                _ => {}
            },
            Message::Close(_) => return,
            Message::Text(_) | Message::Ping(_) | Message::Pong(_) | Message::Frame(_) => {}
        }
    }
}

/// A command that does not read its input may still succeed.
async fn hand_on(input: Option<ChildStdin>, bytes: &[u8]) -> Option<ChildStdin> {
    let mut input = input?;
    input.write_all(bytes).await.ok().map(|()| input)
}

fn status(code: i32) -> Value {
    if code == 0 {
        return json!({"metadata": {}, "status": "Success"});
    }
    json!({
        "metadata": {},
        "status": "Failure",
        "message": format!("command terminated with non-zero exit code: {code}"),
        "reason": "NonZeroExitCode",
        "details": {"causes": [{"reason": "ExitCode", "message": code.to_string()}]},
    })
}
