//! What Kubernetes says of a cluster, kept up to date by watches.

use std::fmt::Debug;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures::StreamExt;
use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::core::v1::{PersistentVolumeClaim, Pod};
use kube::runtime::reflector::{self, ObjectRef, Store};
use kube::runtime::{WatchStreamExt, watcher};
use kube::{Api, Client, Resource};
use serde::de::DeserializeOwned;
use spec::{ClusterName, names};
use tokio::sync::Notify;
use tokio::time::timeout;

use super::api::ApiError;
use super::desired::{Desired, Source, Written};
use super::pods::{PodFacts, facts, ordinal};

/// How long the first lists may take.
const FIRST: Duration = Duration::from_mins(1);
/// How long the API server may leave a watch open, in seconds: one that nobody is at the other end of any more is soon noticed.
pub(super) const WATCH_SECONDS: u32 = 60;

/// What Kubernetes says of a cluster.
pub struct Cache {
    cluster: ClusterName,
    namespace: String,
    pods: Store<Pod>,
    sets: Store<StatefulSet>,
    claims: Store<PersistentVolumeClaim>,
    desired: Desired,
    changed: Arc<Notify>,
    /// Of each watch, whether it broke and has not begun anew.
    broken: Vec<Arc<AtomicBool>>,
}

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

    /// Whether what it holds is what there is, as far as the API server can be heard.
    #[must_use]
    pub fn is_current(&self) -> bool {
        !self.broken.iter().any(|broken| broken.load(Ordering::Relaxed))
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

/// Fills a store from a watch that takes up again by itself, with pauses that grow, whatever becomes of it.
pub(super) fn keep<K>(
    api: Api<K>,
    which: watcher::Config,
    changed: &Arc<Notify>,
    all_broken: &mut Vec<Arc<AtomicBool>>,
) -> Store<K>
where
    K: Resource<DynamicType = ()> + Clone + DeserializeOwned + Debug + Send + Sync + 'static,
{
    let (store, writer) = reflector::store();
    let (changed, broken) = (Arc::clone(changed), Arc::<AtomicBool>::default());
    all_broken.push(Arc::clone(&broken));
    let kind = K::kind(&()).into_owned();
    tokio::spawn(async move {
        let slim = |object: &mut K| object.meta_mut().managed_fields = None;
        let mut events = watcher(api, which).default_backoff().modify(slim).reflect(writer).boxed();
        while let Some(event) = events.next().await {
            match event {
                // The list is not complete yet.
                Ok(watcher::Event::Init | watcher::Event::InitApply(_)) => {}
                Ok(watcher::Event::InitDone | watcher::Event::Apply(_) | watcher::Event::Delete(_)) => {
                    broken.store(false, Ordering::Relaxed);
                    changed.notify_one();
                }
                Err(error) => {
                    broken.store(true, Ordering::Relaxed);
                    tracing::warn!(kind, %error, "a watch broke, and begins anew");
                }
            }
        }
    });
    store
}
