//! Watches: what is there, what changes, and 410 when it is too late to resume.
//!
//! <https://kubernetes.io/docs/reference/using-api/api-concepts/#efficient-detection-of-changes>

use std::sync::Arc;
use std::time::Duration;

use hyper::body::Bytes;
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, sleep_until, timeout_at};

use super::answer::{Answer, stream};
use super::read::represented;
use super::request::Request;
use super::selector::Selection;
use crate::cluster::Cluster;
use crate::refusal::Refusal;
use crate::store::{Change, Event};

/// As the API server sends them once a minute; a test should not have to wait for one.
const BOOKMARK_PERIOD: Duration = Duration::from_secs(10);
const LONGEST: Duration = Duration::from_mins(30);

struct Watch {
    cluster: Arc<Cluster>,
    request: Request,
    selection: Selection,
    sender: mpsc::Sender<Bytes>,
    version: u64,
}

/// Begins a watch; its events follow.
pub(super) fn begin(cluster: &Arc<Cluster>, request: Request) -> Result<Answer, Refusal> {
    let selection = Selection::of(&request.query)?;
    let wanted = request.query.get("resourceVersion").to_owned();
    let version = wanted.parse().unwrap_or(0);
    let (sender, receiver) = mpsc::channel(64);
    let mut watch = Watch { cluster: Arc::clone(cluster), request, selection, sender, version };
    // Too late is told as an event, as Kubernetes does once a watch is under way.
    tokio::spawn(async move {
        let _ = watch.run().await;
    });
    Ok(stream("application/json", receiver))
}

/// The client is gone, the watch has lasted long enough, or its end was told.
struct Ended;

impl Watch {
    async fn run(&mut self) -> Result<(), Ended> {
        let seconds = self.request.query.get("timeoutSeconds").parse().map_or(LONGEST, Duration::from_secs);
        let end = Instant::now() + seconds.min(LONGEST);
        let mut latest = self.cluster.store.subscribe();
        let mut outage = self.cluster.faults.outages();
        if self.version == 0 || self.request.query.is_true("sendInitialEvents") {
            self.send_all().await?;
        }
        loop {
            sleep(self.cluster.faults.lag(&self.request.subject)).await;
            self.send_changes().await?;
            let bookmark = Instant::now() + BOOKMARK_PERIOD;
            tokio::select! {
                changed = latest.changed() => changed.map_err(|_| Ended)?,
                () = sleep_until(bookmark.min(end)) => self.send_bookmark(&Value::Null).await?,
                _ = outage.changed() => return Err(Ended),
                () = self.sender.closed() => return Err(Ended),
            }
            if Instant::now() >= end {
                return Err(Ended);
            }
        }
    }

    async fn send_all(&mut self) -> Result<(), Ended> {
        let kind = &self.request.target.kind;
        let (objects, version) = self.cluster.store.list(&kind.resource(), self.request.target.namespace.as_deref());
        for object in objects.iter().filter(|object| self.selection.matches(object)) {
            self.send("ADDED", object).await?;
        }
        self.version = version;
        if self.request.query.is_true("sendInitialEvents") {
            self.send_bookmark(&json!({"k8s.io/initial-events-end": "true"})).await?;
        }
        Ok(())
    }

    async fn send_changes(&mut self) -> Result<(), Ended> {
        let resource = self.request.target.kind.resource();
        match self.cluster.store.changes_since(&resource, self.version) {
            Ok((changes, version)) => {
                for change in changes.iter().filter(|change| self.is_inside(change)) {
                    if let Some(event) = self.event(change) {
                        self.send(event, &change.object).await?;
                    }
                }
                self.version = version;
                Ok(())
            }
            Err(refusal) => {
                self.send_line(&json!({"type": "ERROR", "object": refusal.to_status()})).await?;
                Err(Ended)
            }
        }
    }

    fn is_inside(&self, change: &Change) -> bool {
        self.request.target.namespace.as_ref().is_none_or(|namespace| change.key.namespace == *namespace)
    }

    /// What the change is to somebody who sees selected objects only.
    fn event(&self, change: &Change) -> Option<&'static str> {
        let was_seen = change.before.as_ref().is_some_and(|before| self.selection.matches(before));
        let is_seen = change.event != Event::Deleted && self.selection.matches(&change.object);
        match (was_seen, is_seen) {
            (false, true) => Some("ADDED"),
            (true, true) => Some("MODIFIED"),
            (true, false) => Some("DELETED"),
            (false, false) => None,
        }
    }

    async fn send(&self, event: &str, object: &Value) -> Result<(), Ended> {
        self.send_line(&json!({"type": event, "object": represented(&self.request, object)})).await
    }

    async fn send_bookmark(&self, annotations: &Value) -> Result<(), Ended> {
        if !self.request.query.is_true("allowWatchBookmarks") {
            return Ok(());
        }
        let kind = &self.request.target.kind;
        let mut object = json!({
            "kind": kind.name, "apiVersion": kind.api_version(), "metadata": {"resourceVersion": self.version.to_string()},
        });
        if !annotations.is_null() {
            crate::json::set(&mut object, "/metadata/annotations", annotations.clone());
        }
        self.send_line(&json!({"type": "BOOKMARK", "object": object})).await
    }

    /// A client that reads nothing for long is cut off.
    async fn send_line(&self, event: &Value) -> Result<(), Ended> {
        let line = Bytes::from(format!("{event}\n"));
        let patience = Instant::now() + Duration::from_mins(1);
        timeout_at(patience, self.sender.send(line)).await.map_err(|_| Ended)?.map_err(|_| Ended)
    }
}
