//! Writes the status where people and tools read it, when it has changed, and at most once a second.

use std::time::{Duration, Instant};

use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::core::v1::ConfigMap;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use k8s_openapi::jiff::Timestamp;
use kube::api::{Patch, PatchParams, PostParams};
use kube::{Api, Client, Resource, ResourceExt};
use serde_json::json;
use spec::status::Status;
use spec::{ClusterName, names};
use tokio::sync::watch;
use tokio::time::sleep;

use crate::kubernetes::{ApiError, CustomResource, FIELD_MANAGER, Leadership, Revision, Source, bounded};

/// The least time between two writes.
const PAUSE: Duration = Duration::from_secs(1);
/// The most between two tries of what keeps failing.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// How often what was written is looked at again: somebody may have deleted it.
const REWRITTEN: Duration = Duration::from_mins(5);
/// The key under which the status stands in a ConfigMap.
const KEY: &str = "status.yaml";

/// The latest status, on its way to where it is read.
pub struct Publisher {
    latest: watch::Sender<Option<Report>>,
}

/// A status, and what it is written to.
#[derive(Debug, Clone)]
struct Report {
    status: Status,
    /// Of the custom resource; an object that was deleted and applied anew has no status yet.
    revision: Option<Revision>,
    owner: Option<OwnerReference>,
}

impl Report {
    /// Whether it is about the very same objects. What belonged to a `StatefulSet` that is gone is about to go, too.
    fn concerns(&self, other: &Self) -> bool {
        let uid = |report: &Self| report.revision.as_ref().map(|revision| revision.uid.clone());
        uid(self) == uid(other) && self.owner == other.owner
    }
}

impl Publisher {
    /// Begins to write. The task ends with the runtime.
    #[must_use]
    pub fn new(client: Client, cluster: &ClusterName, source: &Source, leadership: Leadership) -> Self {
        let (latest, receiver) = watch::channel(None);
        let place = match source {
            Source::ConfigMap | Source::File(_) => Place::Map(Api::default_namespaced(client)),
            Source::CustomResource => Place::Object(Api::default_namespaced(client)),
        };
        let writer = Writer { place, cluster: cluster.clone(), leadership, written: None };
        tokio::spawn(writer.write(receiver));
        Self { latest }
    }

    /// Has a status written; where that takes an object of its own, as a dependent of the cluster's `StatefulSet`.
    pub fn publish(&self, status: Status, revision: Option<Revision>, set: Option<&StatefulSet>) {
        let owner = set.and_then(|set| set.owner_ref(&()));
        self.latest.send_replace(Some(Report { status, revision, owner }));
    }
}

/// One who has not seen anything yet knows no better than who has told before: what was told stays, beside what is wrong now.
fn beside(status: Status, before: &Status) -> Status {
    if !status.selector.is_empty() {
        return status;
    }
    let observed_generation = status.observed_generation.max(before.observed_generation);
    Status { observed_generation, summary: status.summary, conditions: status.conditions, ..before.clone() }
}

/// Where the status stands.
enum Place {
    Map(Api<ConfigMap>),
    Object(Api<CustomResource>),
}

struct Writer {
    place: Place,
    cluster: ClusterName,
    leadership: Leadership,
    written: Option<(Report, Instant)>,
}

impl Writer {
    async fn write(mut self, mut latest: watch::Receiver<Option<Report>>) {
        let mut pause = PAUSE;
        while latest.changed().await.is_ok() {
            let Some(report) = latest.borrow_and_update().clone() else { continue };
            if !self.leadership.holds() {
                self.written = None;
                continue;
            }
            match self.write_one(report).await {
                Ok(()) => pause = PAUSE,
                // What has changed is looked at again, and told of then.
                Err(error @ ApiError::Conflict) => tracing::debug!(%error, "the status was not written"),
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

    async fn write_one(&mut self, report: Report) -> Result<(), ApiError> {
        let is_known = |(written, since): &(Report, Instant)| written.concerns(&report) && since.elapsed() < REWRITTEN;
        let (before, since) = match self.written.take().filter(is_known) {
            Some((written, since)) => (written.status, since),
            None => (self.present(report.owner.as_ref()).await?, Instant::now()),
        };
        let Report { status, revision, owner } = report;
        let status = beside(status, &before);
        let status = status.since(&before, &Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string());
        if status != before {
            self.written = Some((Report { status: before, revision: revision.clone(), owner: owner.clone() }, since));
            match &self.place {
                Place::Map(maps) => self.put(maps, &status, owner.clone()).await?,
                Place::Object(objects) => self.apply(objects, &status, revision.as_ref()).await?,
            }
        }
        self.written = Some((Report { status, revision, owner }, since));
        Ok(())
    }

    /// What an earlier agent wrote: its moments of change still hold. Nothing, where it stands with another owner.
    async fn present(&self, owner: Option<&OwnerReference>) -> Result<Status, ApiError> {
        match &self.place {
            Place::Map(maps) => {
                let map = bounded(maps.get_opt(&names::status(&self.cluster))).await?;
                let belongs = |map: &ConfigMap| owner.is_none_or(|owner| map.owner_references().contains(owner));
                let text = map.filter(belongs).and_then(|map| map.data?.remove(KEY));
                Ok(text.and_then(|text| serde_saphyr::from_str(&text).ok()).unwrap_or_default())
            }
            Place::Object(objects) => {
                let object = bounded(objects.get_opt(self.cluster.as_str())).await?;
                Ok(object.and_then(|object| serde_json::from_value(object.status).ok()).unwrap_or_default())
            }
        }
    }

    /// Applies the status, whole: what it does not say any more goes. Nobody else writes there, and who has is overruled. An object that
    /// has changed meanwhile refuses it: it may be another one of the same name.
    async fn apply(
        &self,
        objects: &Api<CustomResource>,
        status: &Status,
        revision: Option<&Revision>,
    ) -> Result<(), ApiError> {
        let patch = json!({
            "apiVersion": format!("{}/{}", spec::GROUP, spec::VERSION),
            "kind": CustomResource::kind(&()),
            "metadata": {"name": self.cluster, "resourceVersion": revision.map(|revision| &revision.version)},
            "status": status,
        });
        let parameters = PatchParams::apply(FIELD_MANAGER).force();
        match bounded(objects.patch_status(self.cluster.as_str(), &parameters, &Patch::Apply(patch))).await {
            // Where there is no object, nobody waits for its status; one that comes is seen.
            Ok(_) | Err(ApiError::Missing) => Ok(()),
            Err(error) => Err(error),
        }
    }

    async fn put(&self, maps: &Api<ConfigMap>, status: &Status, owner: Option<OwnerReference>) -> Result<(), ApiError> {
        let mut map = self.empty_map(owner);
        let text = serde_saphyr::to_string(status).map_err(|error| ApiError::Failed(error.to_string()))?;
        let data = json!({KEY: text, "summary": status.summary});
        let patch = Patch::Merge(json!({"metadata": map.metadata, "data": data}));
        let parameters = PatchParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..PatchParams::default() };
        match bounded(maps.patch(&names::status(&self.cluster), &parameters, &patch)).await {
            Err(ApiError::Missing) => {
                map.data = Some([(KEY.to_owned(), text), ("summary".to_owned(), status.summary.clone())].into());
                bounded(maps.create(&PostParams::default(), &map)).await.map(drop)
            }
            other => other.map(drop),
        }
    }

    fn empty_map(&self, owner: Option<OwnerReference>) -> ConfigMap {
        let mut map = ConfigMap::default();
        map.metadata.name = Some(names::status(&self.cluster));
        map.metadata.owner_references = owner.map(|owner| vec![owner]);
        let labels = [(names::CLUSTER_LABEL, self.cluster.as_str()), (names::COMPONENT_LABEL, names::AGENT)];
        map.metadata.labels = Some(labels.map(|(name, value)| (name.to_owned(), value.to_owned())).into());
        map
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_agent_that_begins_blind_leaves_what_was_known() {
        let known =
            Status { observed_generation: 7, served_slots: 16_384, selector: "a=b".to_owned(), ..Status::default() };
        let blind = Status { summary: "the password is missing".to_owned(), ..Status::default() };
        let told = beside(blind.clone(), &known);
        assert_eq!(told, Status { summary: blind.summary, ..known.clone() });
        let seen = Status { observed_generation: 8, selector: "a=b".to_owned(), ..Status::default() };
        assert_eq!(beside(seen.clone(), &known), seen);
    }
}
