//! Where it is written what should be.

use std::sync::Arc;

use clap::ValueEnum;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::runtime::reflector::Store;
use kube::runtime::watcher;
use kube::{Api, Client};
use spec::{ClusterName, names};
use tokio::sync::Notify;

use super::object::CustomResource;
use super::watch::{Broken, WATCH_SECONDS, keep};

/// Where it is written what should be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Source {
    /// In a ConfigMap.
    ConfigMap,
    /// In a `ValkeyCluster`.
    CustomResource,
}

/// What should be, as it is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    /// The spec.
    pub text: String,
    /// Whether restarts are held back, whatever the spec says.
    pub is_paused: bool,
    /// Which object it is, and which generation of it; none where the object has none.
    pub revision: Option<Revision>,
}

/// An object, and a generation of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Revision {
    /// One that was deleted and applied anew is another.
    pub uid: String,
    /// Counts the changes of its spec.
    pub generation: i64,
    /// Changes with whatever of it is written, its status too.
    pub version: String,
}

impl Revision {
    /// Which object and which spec of it, whatever else was written.
    #[must_use]
    pub fn what(self) -> (String, i64) {
        (self.uid, self.generation)
    }
}

/// What should be, kept up to date by a watch.
pub(super) enum Desired {
    Map(Store<ConfigMap>),
    Object(Store<CustomResource>),
}

impl Desired {
    pub(super) fn watch(
        client: &Client,
        cluster: &ClusterName,
        source: Source,
        changed: &Arc<Notify>,
        broken: &mut Vec<Broken>,
    ) -> Self {
        let all = watcher::Config::default().timeout(WATCH_SECONDS);
        let named = |name: &str| all.fields(&format!("metadata.name={name}"));
        let client = client.clone();
        match source {
            Source::ConfigMap => {
                Self::Map(keep(Api::default_namespaced(client), named(&names::desired(cluster)), changed, broken))
            }
            Source::CustomResource => {
                Self::Object(keep(Api::default_namespaced(client), named(cluster.as_str()), changed, broken))
            }
        }
    }

    pub(super) async fn wait(&self) -> Result<(), kube::runtime::reflector::store::WriterDropped> {
        match self {
            Self::Map(store) => store.wait_until_ready().await,
            Self::Object(store) => store.wait_until_ready().await,
        }
    }

    /// What the object is called.
    pub(super) fn name(&self, cluster: &ClusterName) -> String {
        match self {
            Self::Map(_) => format!("ConfigMap {}", names::desired(cluster)),
            Self::Object(_) => format!("ValkeyCluster {cluster}"),
        }
    }

    /// What is written; none if there is no such object.
    pub(super) fn written(&self) -> Option<Written> {
        match self {
            Self::Map(store) => {
                let map = store.state().into_iter().next()?;
                let text = map.data.as_ref()?.get(names::DESIRED_STATE_KEY).cloned()?;
                Some(Written { text, is_paused: false, revision: None })
            }
            Self::Object(store) => {
                let object = store.state().into_iter().next()?;
                let revision = Some(object.revision());
                Some(Written { text: object.text(), is_paused: object.is_paused(), revision })
            }
        }
    }

    /// The revision of what is written, without the text of it.
    pub(super) fn revision(&self) -> Option<Revision> {
        match self {
            Self::Map(_) => None,
            Self::Object(store) => store.state().first().map(|object| object.revision()),
        }
    }
}
