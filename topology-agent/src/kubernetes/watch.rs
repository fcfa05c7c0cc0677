//! What Kubernetes says of a cluster, kept up to date by watches.

use std::fmt::Debug;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use futures::StreamExt;
use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::core::v1::{PersistentVolumeClaim, Pod};
use kube::runtime::reflector::{self, ObjectRef, Store};
use kube::runtime::utils::Backoff;
use kube::runtime::{WatchStreamExt, watcher};
use kube::{Api, Client, Resource};
use serde::de::DeserializeOwned;
use spec::{ClusterName, names};
use tokio::sync::Notify;
use tokio::time::timeout;

use super::api::ApiError;
use super::desired::{Desired, Revision, Source, Written};
use super::pods::{PodFacts, facts, ordinal};
use crate::pace::jittered;

/// How long the first lists may take.
const FIRST: Duration = Duration::from_mins(1);
/// How long the API server may leave a watch open, in seconds: one that nobody is at the other end of any more is soon noticed.
pub(super) const WATCH_SECONDS: u32 = 60;

/// How long a watch may take to break again: one that begins anew says nothing of it before there is a change.
const TRIAL: Duration = Duration::from_secs(1);

/// How long a watch that broke pauses: longer each time, until something is heard again. Notes until when it counts as broken.
#[derive(Debug)]
struct Pauses {
    failures: u32,
    broken: Broken,
}

impl Pauses {
    const FIRST: Duration = Duration::from_millis(500);
    const LONGEST: Duration = Duration::from_secs(5);
}

impl Iterator for Pauses {
    type Item = Duration;

    fn next(&mut self) -> Option<Duration> {
        let pause = jittered(Self::FIRST.saturating_mul(2_u32.saturating_pow(self.failures)).min(Self::LONGEST));
        self.failures = self.failures.saturating_add(1);
        note(&self.broken, Some(Instant::now() + pause + TRIAL));
        Some(pause)
    }
}

impl Backoff for Pauses {
    fn reset(&mut self) {
        self.failures = 0;
    }
}

/// What Kubernetes says of a cluster.
pub struct Cache {
    cluster: ClusterName,
    namespace: String,
    pods: Store<Pod>,
    sets: Store<StatefulSet>,
    claims: Store<PersistentVolumeClaim>,
    desired: Desired,
    changed: Arc<Notify>,
    /// Of each watch, until when it counts as broken.
    broken: Vec<Broken>,
}

/// Until when a watch counts as broken.
pub(super) type Broken = Arc<Mutex<Option<Instant>>>;

impl Cache {
    /// Begins to watch. The tasks end with the runtime.
    #[must_use]
    pub fn watch(client: &Client, cluster: &ClusterName, source: Source) -> Self {
        let (changed, mut broken) = (Arc::new(Notify::new()), Vec::new());
        let all = || watcher::Config::default().timeout(WATCH_SECONDS);
        let named = |name: &str| all().fields(&format!("metadata.name={name}"));
        let servers = names::server_selector(cluster);
        let of_servers = || all().labels(&servers);
        let api = || client.clone();
        Self {
            cluster: cluster.clone(),
            namespace: client.default_namespace().to_owned(),
            pods: keep(Api::default_namespaced(api()), of_servers(), &changed, &mut broken),
            sets: keep(Api::default_namespaced(api()), named(cluster.as_str()), &changed, &mut broken),
            claims: keep(Api::default_namespaced(api()), of_servers(), &changed, &mut broken),
            desired: Desired::watch(client, cluster, source, &changed, &mut broken),
            changed,
            broken,
        }
    }

    /// Waits until every watch has its first list.
    ///
    /// # Errors
    /// One of them has none in a minute.
    pub async fn ready(&self) -> Result<(), ApiError> {
        let all = async {
            let unit = |ready: Result<(), reflector::store::WriterDropped>| ready.map_err(|_| ApiError::TimedOut);
            unit(self.pods.wait_until_ready().await)?;
            unit(self.sets.wait_until_ready().await)?;
            unit(self.claims.wait_until_ready().await)?;
            unit(self.desired.wait().await)
        };
        timeout(FIRST, all).await.map_err(|_| ApiError::TimedOut)?
    }

    /// Whether what it holds is what there is: no watch is broken, as far as is known.
    #[must_use]
    pub fn is_current(&self) -> bool {
        let until = |broken: &Broken| *broken.lock().unwrap_or_else(PoisonError::into_inner);
        self.broken.iter().filter_map(until).all(|until| until < Instant::now())
    }

    /// The name of the cluster.
    #[must_use]
    pub const fn cluster(&self) -> &ClusterName {
        &self.cluster
    }

    /// What the object is called that says what should be.
    #[must_use]
    pub fn desired_name(&self) -> String {
        self.desired.name(&self.cluster)
    }

    /// Waits for a change.
    pub async fn changed(&self) {
        self.changed.notified().await;
    }

    /// What should be, as it is written; none if there is no such object.
    #[must_use]
    pub fn desired(&self) -> Option<Written> {
        self.desired.written()
    }

    /// Which object says what should be, and which generation of it; none where the object has none.
    #[must_use]
    pub fn revision(&self) -> Option<Revision> {
        self.desired.revision()
    }

    /// The `StatefulSet`; none if there is none.
    #[must_use]
    pub fn set(&self) -> Option<Arc<StatefulSet>> {
        self.sets.state().into_iter().next()
    }

    /// What is said of each pod of that `StatefulSet`.
    #[must_use]
    pub fn pods(&self, set: &StatefulSet) -> Vec<PodFacts> {
        let facts_of = |pod: &Arc<Pod>| {
            let ordinal = ordinal(self.cluster.as_str(), pod.metadata.name.as_deref()?)?;
            let claim = ObjectRef::new(&names::claim(&self.cluster, ordinal.0)).within(&self.namespace);
            facts(ordinal, set, pod, self.claims.get(&claim).as_deref())
        };
        self.pods.state().iter().filter_map(facts_of).collect()
    }
}

fn note(broken: &Broken, until: Option<Instant>) {
    *broken.lock().unwrap_or_else(PoisonError::into_inner) = until;
}

/// Fills a store from a watch that takes up again by itself, with pauses that grow, whatever becomes of it.
pub(super) fn keep<K>(
    api: Api<K>,
    which: watcher::Config,
    changed: &Arc<Notify>,
    all_broken: &mut Vec<Broken>,
) -> Store<K>
where
    K: Resource<DynamicType = ()> + Clone + DeserializeOwned + Debug + Send + Sync + 'static,
{
    let (store, writer) = reflector::store();
    let (changed, broken) = (Arc::clone(changed), Broken::default());
    all_broken.push(Arc::clone(&broken));
    let kind = K::kind(&()).into_owned();
    tokio::spawn(async move {
        let slim = |object: &mut K| object.meta_mut().managed_fields = None;
        let pauses = Pauses { failures: 0, broken: Arc::clone(&broken) };
        let mut events = watcher(api, which).backoff(pauses).modify(slim).reflect(writer).boxed();
        while let Some(event) = events.next().await {
            match event {
                // The list is not complete yet.
                Ok(watcher::Event::Init | watcher::Event::InitApply(_)) => {}
                Ok(watcher::Event::InitDone | watcher::Event::Apply(_) | watcher::Event::Delete(_)) => {
                    note(&broken, None);
                    changed.notify_one();
                }
                Err(error) => tracing::warn!(kind, %error, "a watch broke, and begins anew"),
            }
        }
    });
    store
}
