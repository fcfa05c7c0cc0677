//! Where it is written what should be.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use k8s_openapi::api::core::v1::ConfigMap;
use kube::runtime::reflector::Store;
use kube::runtime::watcher;
use kube::{Api, Client, ResourceExt};
use spec::{ClusterName, names};
use tokio::sync::Notify;

use super::object::CustomResource;
use super::watch::{Standing, WATCH_SECONDS, keep};

/// Where it is written what should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// In a ConfigMap.
    ConfigMap,
    /// In a `ValkeyCluster`.
    CustomResource,
    /// In a file that is not applied, or not yet.
    File(PathBuf),
}

/// What should be, as it is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    /// The spec.
    pub text: String,
    /// Whether restarts are held back, whatever the spec says.
    pub is_paused: bool,
    /// Which template the `StatefulSet` should have, where that is said.
    pub template: Option<String>,
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
    File(PathBuf),
}

impl Desired {
    pub(super) fn watch(
        client: &Client,
        cluster: &ClusterName,
        source: Source,
        changed: &Arc<Notify>,
        watches: &mut Vec<Standing>,
    ) -> Self {
        let all = watcher::Config::default().timeout(WATCH_SECONDS);
        let named = |name: &str| all.fields(&format!("metadata.name={name}"));
        let client = client.clone();
        match source {
            Source::ConfigMap => {
                Self::Map(keep(Api::default_namespaced(client), named(&names::desired(cluster)), changed, watches))
            }
            Source::CustomResource => {
                Self::Object(keep(Api::default_namespaced(client), named(cluster.as_str()), changed, watches))
            }
            Source::File(path) => Self::File(path),
        }
    }

    pub(super) async fn wait(&self) -> Result<(), kube::runtime::reflector::store::WriterDropped> {
        match self {
            Self::Map(store) => store.wait_until_ready().await,
            Self::Object(store) => store.wait_until_ready().await,
            Self::File(_) => Ok(()),
        }
    }

    /// What the object is called.
    pub(super) fn name(&self, cluster: &ClusterName) -> String {
        match self {
            Self::Map(_) => format!("ConfigMap {}", names::desired(cluster)),
            Self::Object(_) => format!("ValkeyCluster {cluster}"),
            Self::File(path) => format!("file {}", path.display()),
        }
    }

    /// What is written; none if there is no such object.
    pub(super) fn written(&self) -> Option<Written> {
        match self {
            Self::Map(store) => {
                let map = store.state().into_iter().next()?;
                let text = map.data.as_ref()?.get(names::DESIRED_STATE_KEY).cloned()?;
                let template = map.annotations().get(names::TEMPLATE_ANNOTATION).cloned();
                Some(Written { text, is_paused: false, template, revision: None })
            }
            Self::Object(store) => {
                let object = store.state().into_iter().next()?;
                let revision = Some(object.revision());
                let template = object.template().map(str::to_owned);
                Some(Written { text: object.text(), is_paused: object.is_paused(), template, revision })
            }
            Self::File(path) => {
                let text = fs::read_to_string(path).ok()?;
                Some(Written { text, is_paused: false, template: None, revision: None })
            }
        }
    }

    /// The revision of what is written, without the text of it.
    pub(super) fn revision(&self) -> Option<Revision> {
        match self {
            Self::Map(_) | Self::File(_) => None,
            Self::Object(store) => store.state().first().map(|object| object.revision()),
        }
    }
}
