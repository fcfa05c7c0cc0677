//! Writes the status where people and tools read it, when it has changed, and at most once a second.

use std::time::{Duration, Instant};

use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::core::v1::ConfigMap;
use k8s_openapi::jiff::Timestamp;
use kube::api::{Patch, PatchParams, PostParams};
use kube::{Api, Client, Resource};
use serde_json::json;
use spec::{ClusterName, names};
use tokio::sync::watch;
use tokio::time::sleep;

use super::status::Status;
use crate::kubernetes::{ApiError, FIELD_MANAGER, Leadership, bounded};

/// The least time between two writes.
const PAUSE: Duration = Duration::from_secs(1);
/// The most between two tries of what keeps failing.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// How often what was written is looked at again: somebody may have deleted it.
const TRUSTED: Duration = Duration::from_mins(5);
/// The key under which the status stands.
const KEY: &str = "status.yaml";

/// The latest status, on its way to where it is read.
pub struct Publisher {
    latest: watch::Sender<Option<(Status, ConfigMap)>>,
    cluster: ClusterName,
}

impl Publisher {
    /// Begins to write. The task ends with the runtime.
    #[must_use]
    pub fn new(client: Client, cluster: &ClusterName, leadership: Leadership) -> Self {
        let (latest, receiver) = watch::channel(None);
        let writer =
            Writer { maps: Api::default_namespaced(client), name: names::status(cluster), leadership, written: None };
        tokio::spawn(writer.write(receiver));
        Self { latest, cluster: cluster.clone() }
    }

    /// Has a status written, as a dependent of the cluster's `StatefulSet`.
    pub fn publish(&self, status: Status, set: Option<&StatefulSet>) {
        let owner = set.and_then(|set| set.owner_ref(&()));
        let mut map = ConfigMap::default();
        map.metadata.name = Some(names::status(&self.cluster));
        map.metadata.owner_references = owner.map(|owner| vec![owner]);
        let labels = [(names::CLUSTER_LABEL, self.cluster.as_str()), (names::COMPONENT_LABEL, names::AGENT)];
        map.metadata.labels = Some(labels.map(|(name, value)| (name.to_owned(), value.to_owned())).into());
        self.latest.send_replace(Some((status, map)));
    }
}

struct Writer {
    maps: Api<ConfigMap>,
    name: String,
    leadership: Leadership,
    written: Option<(Status, Instant)>,
}

impl Writer {
    async fn write(mut self, mut latest: watch::Receiver<Option<(Status, ConfigMap)>>) {
        let mut pause = PAUSE;
        while latest.changed().await.is_ok() {
            let Some((status, map)) = latest.borrow_and_update().clone() else { continue };
            if !self.leadership.holds() {
                self.written = None;
                continue;
            }
            match self.write_one(status, map).await {
                Ok(()) => pause = PAUSE,
                Err(error) => {
                    tracing::warn!(%error, "the status was not written");
                    pause = (pause * 2).min(LONGEST_PAUSE);
                    // Tried again with whatever is the latest by then.
                    latest.mark_changed();
                }
            }
            sleep(pause).await;
        }
    }

    async fn write_one(&mut self, status: Status, map: ConfigMap) -> Result<(), ApiError> {
        let written = self.written.take().filter(|(_, since)| since.elapsed() < TRUSTED);
        let (before, since) = match written {
            Some(written) => written,
            None => (self.present().await?, Instant::now()),
        };
        let status = status.since(&before, &Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string());
        if status != before {
            self.put(&status, map).await?;
        }
        self.written = Some((status, since));
        Ok(())
    }

    /// What an earlier agent wrote: its moments of change still hold.
    async fn present(&self) -> Result<Status, ApiError> {
        let map = bounded(self.maps.get_opt(&self.name)).await?;
        let text = map.and_then(|map| map.data?.remove(KEY));
        Ok(text.and_then(|text| serde_saphyr::from_str(&text).ok()).unwrap_or_default())
    }

    async fn put(&self, status: &Status, mut map: ConfigMap) -> Result<(), ApiError> {
        let text = serde_saphyr::to_string(status).map_err(|error| ApiError::Failed(error.to_string()))?;
        let data = json!({KEY: text, "summary": status.summary});
        let patch = Patch::Merge(json!({"metadata": map.metadata, "data": data}));
        let parameters = PatchParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..PatchParams::default() };
        match bounded(self.maps.patch(&self.name, &parameters, &patch)).await {
            Err(ApiError::Missing) => {
                map.data = Some([(KEY.to_owned(), text), ("summary".to_owned(), status.summary.clone())].into());
                bounded(self.maps.create(&PostParams::default(), &map)).await.map(drop)
            }
            other => other.map(drop),
        }
    }
}
