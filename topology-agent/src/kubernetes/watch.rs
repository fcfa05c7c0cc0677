//! What Kubernetes says of a cluster, kept up to date by watches.

use std::fmt::Debug;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use futures::StreamExt;
use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::core::v1::{PersistentVolumeClaim, Pod};
use kube::runtime::reflector::{self, ObjectRef, Store};
use kube::runtime::utils::Backoff;
use kube::runtime::{WatchStreamExt, watcher};
use kube::{Api, Client, Resource, ResourceExt};
use serde::de::DeserializeOwned;
use spec::{ClusterName, names};
use tokio::sync::Notify;
use tokio::time::{sleep, timeout};

use super::api::ApiError;
use super::desired::{Desired, Revision, Source, Written};
use super::pods::{PodFacts, facts, ordinal};
use crate::pace::jittered;
use crate::repeats::Changed;

/// How long the first lists may take.
const FIRST: Duration = Duration::from_mins(1);
/// How long the API server may leave a watch open, in seconds: one that nobody is at the other end of any more is soon noticed.
pub(super) const WATCH_SECONDS: u32 = 60;

/// How long a watch may take to break again: one that begins anew says nothing of it before there is a change.
const TRIAL: Duration = Duration::from_secs(1);
/// How often it is looked whether the first lists are refused.
const GLANCE: Duration = Duration::from_millis(500);

/// How a watch stands, as it and those know who rely on it.
#[derive(Debug, Clone, Default)]
pub(super) struct Standing(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    /// Whether all is being listed anew: what is known is from before.
    listing: bool,
    /// Until when it counts as broken.
    broken: Option<Instant>,
    /// How often it broke since it was last heard.
    failures: u32,
    /// Why it broke.
    error: Option<ApiError>,
}

impl Standing {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_current(&self) -> bool {
        let state = self.state();
        !state.listing && state.broken.is_none_or(|until| until < Instant::now())
    }

    /// Why nothing is heard, if that will not pass by itself.
    fn refusal(&self) -> Option<ApiError> {
        self.error().filter(|error| !error.is_passing())
    }

    fn error(&self) -> Option<ApiError> {
        self.state().error.clone()
    }
}

/// How long a watch that broke pauses: longer each time, until something is heard again.
#[derive(Debug)]
struct Pauses(Standing);

impl Pauses {
    const FIRST: Duration = Duration::from_millis(500);
    const LONGEST: Duration = Duration::from_secs(5);
}

impl Iterator for Pauses {
    type Item = Duration;

    fn next(&mut self) -> Option<Duration> {
        let mut state = self.0.state();
        let pause = jittered(Self::FIRST.saturating_mul(2_u32.saturating_pow(state.failures)).min(Self::LONGEST));
        state.failures = state.failures.saturating_add(1);
        state.broken = Some(Instant::now() + pause + TRIAL);
        Some(pause)
    }
}

impl Backoff for Pauses {
    /// Asked for whenever anything comes, the word that a list is begun included; what counts is noted in [`keep`].
    fn reset(&mut self) {}
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
    /// How each watch stands.
    watches: Vec<Standing>,
}

impl Cache {
    /// Begins to watch. The tasks end with the runtime.
    #[must_use]
    pub fn watch(client: &Client, cluster: &ClusterName, source: Source) -> Self {
        let (changed, mut watches) = (Arc::new(Notify::new()), Vec::new());
        let all = || watcher::Config::default().timeout(WATCH_SECONDS);
        let named = |name: &str| all().fields(&format!("metadata.name={name}"));
        let servers = names::server_selector(cluster);
        let of_servers = || all().labels(&servers);
        let api = || client.clone();
        Self {
            cluster: cluster.clone(),
            namespace: client.default_namespace().to_owned(),
            pods: keep(Api::default_namespaced(api()), of_servers(), &changed, &mut watches),
            sets: keep(Api::default_namespaced(api()), named(cluster.as_str()), &changed, &mut watches),
            claims: keep(Api::default_namespaced(api()), of_servers(), &changed, &mut watches),
            desired: Desired::watch(client, cluster, source, &changed, &mut watches),
            changed,
            watches,
        }
    }

    /// Waits until every watch has its first list.
    ///
    /// # Errors
    /// One of them has none in a minute, or is refused its own.
    pub async fn ready(&self) -> Result<(), ApiError> {
        tokio::select! {
            ready = timeout(FIRST, self.listed()) => ready.ok().unwrap_or_else(|| {
                let error = self.watches.iter().find_map(Standing::error);
                Err(error.unwrap_or(ApiError::Unlisted))
            }),
            refusal = self.refused() => Err(refusal),
        }
    }

    async fn listed(&self) -> Result<(), ApiError> {
        let unit = |ready: Result<(), reflector::store::WriterDropped>| ready.map_err(|_| ApiError::Unlisted);
        unit(self.pods.wait_until_ready().await)?;
        unit(self.sets.wait_until_ready().await)?;
        unit(self.claims.wait_until_ready().await)?;
        unit(self.desired.wait().await)
    }

    /// Waits for a refusal that will not pass.
    async fn refused(&self) -> ApiError {
        loop {
            if let Some(refusal) = self.watches.iter().find_map(Standing::refusal) {
                return refusal;
            }
            sleep(GLANCE).await;
        }
    }

    /// Whether what it holds is what there is: no watch is broken or being listed anew, as far as is known.
    #[must_use]
    pub fn is_current(&self) -> bool {
        self.watches.iter().all(Standing::is_current)
    }

    /// Why a watch is broken, if that will not pass by itself.
    #[must_use]
    pub fn refusal(&self) -> Option<ApiError> {
        self.watches.iter().filter(|watch| !watch.is_current()).find_map(Standing::refusal)
    }

    /// The version of an object, as it was last told.
    pub(crate) fn version(&self, changed: Changed) -> Option<String> {
        match changed {
            Changed::Set => self.set()?.resource_version(),
            Changed::Pod(pod) => self.pods.get(&self.object(&names::pod(&self.cluster, pod.0)))?.resource_version(),
            Changed::Acquaintance => None,
            Changed::Claim(pod) => {
                self.claims.get(&self.object(&names::claim(&self.cluster, pod.0)))?.resource_version()
            }
        }
    }

    fn object<K: Resource<DynamicType = ()>>(&self, name: &str) -> ObjectRef<K> {
        ObjectRef::new(name).within(&self.namespace)
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
            let claim = self.object(&names::claim(&self.cluster, ordinal.0));
            facts(ordinal, set, pod, self.claims.get(&claim).as_deref())
        };
        self.pods.state().iter().filter_map(facts_of).collect()
    }
}

/// Fills a store from a watch that takes up again by itself, with pauses that grow, whatever becomes of it.
pub(super) fn keep<K>(
    api: Api<K>,
    which: watcher::Config,
    changed: &Arc<Notify>,
    watches: &mut Vec<Standing>,
) -> Store<K>
where
    K: Resource<DynamicType = ()> + Clone + DeserializeOwned + Debug + Send + Sync + 'static,
{
    let (store, writer) = reflector::store();
    let (changed, standing) = (Arc::clone(changed), Standing::default());
    watches.push(standing.clone());
    let kind = K::kind(&()).into_owned();
    tokio::spawn(async move {
        let slim = |object: &mut K| object.meta_mut().managed_fields = None;
        let mut events = watcher(api, which).backoff(Pauses(standing.clone())).modify(slim).reflect(writer).boxed();
        while let Some(event) = events.next().await {
            match event {
                Ok(watcher::Event::Init | watcher::Event::InitApply(_)) => standing.state().listing = true,
                Ok(watcher::Event::InitDone | watcher::Event::Apply(_) | watcher::Event::Delete(_)) => {
                    *standing.state() = State::default();
                    changed.notify_one();
                }
                Err(error) => {
                    tracing::warn!(kind, %error, "a watch broke, and begins anew");
                    standing.state().error = Some(error.into());
                    // Whoever relies on it is to know from when on it is not to be relied on.
                    changed.notify_one();
                }
            }
        }
    });
    store
}
