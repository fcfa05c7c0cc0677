//! What a container has said.
//!
//! <https://kubernetes.io/docs/concepts/cluster-administration/logging/>

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use hyper::body::Bytes;
use serde_json::Value;
use tokio::sync::mpsc;
use tokio::time::sleep;

use super::answer::{Answer, stream, text as answer_text};
use super::request::Request;
use crate::cluster::Cluster;
use crate::json::{items, name, number, text, uid};
use crate::refusal::Refusal;
use crate::store::Key;

const FOLLOW_PERIOD: Duration = Duration::from_millis(100);

pub(super) fn answer(cluster: &Arc<Cluster>, request: &Request) -> Result<Answer, Refusal> {
    let key = request.target.key();
    let pod = cluster.store.find(&key)?;
    let container = container(&pod, request.query.get("container"))?;
    let path = file(cluster, &pod, &container, request.query.is_true("previous"));
    if request.query.is_true("follow") {
        let (sender, receiver) = mpsc::channel(16);
        tokio::spawn(follow(Arc::clone(cluster), key, path, sender));
        return Ok(stream("text/plain", receiver));
    }
    let said = std::fs::read(path).unwrap_or_default();
    match request.query.get("tailLines").parse() {
        Ok(lines) => Ok(answer_text(tail(&said, lines))),
        Err(_) => Ok(answer_text(said)),
    }
}

/// The container of this name, or the first where none is named.
pub(super) fn container(pod: &Value, wanted: &str) -> Result<String, Refusal> {
    let all = [items(pod, "/spec/containers"), items(pod, "/spec/initContainers")].concat();
    let named = all.iter().find(|container| wanted.is_empty() || name_of(container) == wanted);
    let missing = || Refusal::bad_request(format!("container {wanted} is not valid for pod {}", name(pod)));
    named.map(|container| name_of(container).to_owned()).ok_or_else(missing)
}

fn name_of(container: &Value) -> &str {
    text(container, "/name")
}

fn file(cluster: &Cluster, pod: &Value, container: &str, previous: bool) -> PathBuf {
    let mut statuses = items(pod, "/status/containerStatuses").iter();
    let status = statuses.find(|status| name_of(status) == container);
    let restarts = status.and_then(|status| number(status, "/restartCount")).unwrap_or(0);
    cluster.places.log(uid(pod), container, restarts - i64::from(previous))
}

fn tail(said: &[u8], lines: usize) -> Vec<u8> {
    let said = String::from_utf8_lossy(said);
    let all: Vec<&str> = said.split_inclusive('\n').collect();
    all.iter().skip(all.len().saturating_sub(lines)).flat_map(|line| line.bytes()).collect()
}

/// Sends what is added until the pod or the client is gone.
async fn follow(cluster: Arc<Cluster>, pod: Key, path: PathBuf, sender: mpsc::Sender<Bytes>) {
    let mut sent = 0;
    loop {
        let said = std::fs::read(&path).unwrap_or_default();
        let more = said.get(sent..).unwrap_or_default();
        sent = said.len();
        if !more.is_empty() && sender.send(Bytes::copy_from_slice(more)).await.is_err() {
            return;
        }
        if sender.is_closed() || (more.is_empty() && cluster.store.get(&pod).is_none()) {
            return;
        }
        sleep(FOLLOW_PERIOD).await;
    }
}
