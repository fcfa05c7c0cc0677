//! Everything that the parts of the pocket share.

use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use crate::audit::Audit;
use crate::authority::Authority;
use crate::faults::Faults;
use crate::json::{name, namespace, now, text, uid};
use crate::node::{Images, Network, Places, Workers};
use crate::store::{Key, Store};
use crate::subjects::Subjects;

pub(crate) struct Cluster {
    pub(crate) store: Store,
    pub(crate) authority: Authority,
    pub(crate) subjects: Subjects,
    pub(crate) audit: Audit,
    pub(crate) faults: Faults,
    /// Held by an eviction while it counts and deletes.
    pub(crate) evictions: Mutex<()>,
    pub(crate) places: Places,
    pub(crate) network: Network,
    pub(crate) images: Images,
    pub(crate) workers: Workers,
    /// Whether each pod has a clock of its own.
    pub(crate) has_clocks: bool,
}

/// What the pocket runs.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub(crate) image_folders: Vec<(String, PathBuf)>,
    pub(crate) has_clocks: bool,
}

/// Why the pocket cannot start. Nothing of it passes by itself.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error(transparent)]
    Authority(#[from] crate::authority::Error),
    #[error(transparent)]
    Io(#[from] std::io::Error),
    #[error(transparent)]
    Network(#[from] crate::node::NetworkError),
}

impl Cluster {
    pub(crate) fn new(settings: &Settings) -> Result<Arc<Self>, Error> {
        Ok(Arc::new(Self {
            store: Store::new(),
            authority: Authority::new()?,
            subjects: Subjects::new()?,
            audit: Audit::default(),
            faults: Faults::new(),
            evictions: Mutex::new(()),
            places: Places::new(PathBuf::from("/run/pocket")),
            network: Network::new(),
            images: Images::new(settings.image_folders.clone()),
            workers: Workers::default(),
            has_clocks: settings.has_clocks,
        }))
    }

    /// Tells about an object. What was told before is counted, but once a second at most: whoever tells of a failure at every look
    /// would be woken by that for the next.
    /// <https://kubernetes.io/docs/reference/kubernetes-api/cluster-resources/event-v1/>
    pub(crate) fn tell(&self, about: &Value, reason: &str, message: &str) {
        let event_name = format!("{}.{}", name(about), crate::random::hash_of(&format!("{}{reason}", uid(about))));
        let key = Key::new("events", namespace(about), &event_name);
        let told_again = self.store.edit(&key, |event| {
            if text(event, "/lastTimestamp") == now() && text(event, "/message") == message {
                return;
            }
            let count = crate::json::number(event, "/count").unwrap_or(1);
            crate::json::set(event, "/count", count + 1);
            crate::json::set(event, "/lastTimestamp", now());
            crate::json::set(event, "/message", message);
        });
        if told_again.is_none() {
            let involved = json!({
                "kind": text(about, "/kind"), "apiVersion": text(about, "/apiVersion"), "name": name(about),
                "namespace": namespace(about), "uid": uid(about),
            });
            let event = json!({
                "apiVersion": "v1", "kind": "Event",
                "metadata": {"name": event_name, "namespace": namespace(about)},
                "involvedObject": involved, "reason": reason, "message": message, "type": kind_of(reason), "count": 1,
                "firstTimestamp": now(), "lastTimestamp": now(), "source": {"component": "pocket-cluster"},
            });
            // An event that cannot be written is not worth another.
            drop(self.store.create("events", event));
        }
    }

    /// The token that a pod of this service account carries.
    pub(crate) fn token_of(&self, namespace: &str, account: &str) -> String {
        self.subjects.token_of(namespace, account)
    }
}

fn kind_of(reason: &str) -> &'static str {
    match reason {
        "Killing" | "Scheduled" | "Started" | "Pulled" | "SuccessfulCreate" | "SuccessfulDelete" | "Issuing" => {
            "Normal"
        }
        _ => "Warning",
    }
}
