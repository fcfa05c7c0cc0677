//! What the cluster knows: objects under one counter of versions, and the changes that led to them.
//!
//! <https://kubernetes.io/docs/reference/using-api/api-concepts/#resource-versions>

mod stamp;

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::Value;
use tokio::sync::watch;

use crate::json;
use crate::refusal::{Reason, Refusal};

/// Changes that a watch may still ask for; older ones are gone, as after a compaction of etcd.
const KEPT_CHANGES: usize = 5_000;

/// Where an object stands. The resource is its plural and its group: `pods`, `statefulsets.apps`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Key {
    pub(crate) resource: String,
    /// Empty for what stands in no namespace.
    pub(crate) namespace: String,
    pub(crate) name: String,
}

impl Key {
    pub(crate) fn new(resource: &str, namespace: &str, name: &str) -> Self {
        Self { resource: resource.to_owned(), namespace: namespace.to_owned(), name: name.to_owned() }
    }

    /// The key of an object of this resource.
    pub(crate) fn of(resource: &str, object: &Value) -> Self {
        Self::new(resource, json::namespace(object), json::name(object))
    }

    fn not_found(&self) -> Refusal {
        Refusal::not_found(&self.resource, &self.name)
    }
}

impl fmt::Display for Key {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} {}/{}", self.resource, self.namespace, self.name)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Event {
    Added,
    Modified,
    Deleted,
}

/// One change, with the object before and after it.
#[derive(Clone, Debug)]
pub(crate) struct Change {
    pub(crate) version: u64,
    pub(crate) event: Event,
    pub(crate) key: Key,
    pub(crate) object: Arc<Value>,
    pub(crate) before: Option<Arc<Value>>,
}

#[derive(Default)]
struct State {
    version: u64,
    objects: BTreeMap<Key, Arc<Value>>,
    changes: VecDeque<Change>,
    /// Versions up to this one can no longer be resumed from.
    compacted: u64,
    uids: u64,
}

pub(crate) struct Store {
    state: Mutex<State>,
    latest: watch::Sender<u64>,
}

impl Store {
    pub(crate) fn new() -> Self {
        // Versions of zero have a meaning of their own in requests.
        Self { state: Mutex::new(State { version: 1, ..State::default() }), latest: watch::Sender::new(1) }
    }

    /// Tells the latest version, whenever there is a new one.
    pub(crate) fn subscribe(&self) -> watch::Receiver<u64> {
        self.latest.subscribe()
    }

    pub(crate) fn version(&self) -> u64 {
        self.lock().version
    }

    pub(crate) fn get(&self, key: &Key) -> Option<Arc<Value>> {
        self.lock().objects.get(key).cloned()
    }

    pub(crate) fn find(&self, key: &Key) -> Result<Arc<Value>, Refusal> {
        self.get(key).ok_or_else(|| key.not_found())
    }

    /// The objects of a resource, in one namespace or in all, with the version at which they stood so.
    pub(crate) fn list(&self, resource: &str, namespace: Option<&str>) -> (Vec<Arc<Value>>, u64) {
        let state = self.lock();
        let from = Key::new(resource, namespace.unwrap_or_default(), "");
        let inside =
            |key: &Key| key.resource == resource && namespace.is_none_or(|namespace| key.namespace == namespace);
        let found = state.objects.range(from..).take_while(|(key, _)| inside(key));
        (found.map(|(_, object)| Arc::clone(object)).collect(), state.version)
    }

    /// As [`Self::list`], for those who do not resume.
    pub(crate) fn all(&self, resource: &str) -> Vec<Arc<Value>> {
        self.list(resource, None).0
    }

    pub(crate) fn in_namespace(&self, resource: &str, namespace: &str) -> Vec<Arc<Value>> {
        self.list(resource, Some(namespace)).0
    }

    pub(crate) fn everything(&self) -> Vec<(Key, Arc<Value>)> {
        self.lock().objects.iter().map(|(key, object)| (key.clone(), Arc::clone(object))).collect()
    }

    pub(crate) fn create(&self, resource: &str, mut object: Value) -> Result<Arc<Value>, Refusal> {
        let key = Key::of(resource, &object);
        let mut state = self.lock();
        if state.objects.contains_key(&key) {
            let (plural, group) = resource.split_once('.').unwrap_or((resource, ""));
            let message = format!("{resource} {:?} already exists", key.name);
            return Err(Refusal::new(Reason::AlreadyExists, message).about(group, plural, &key.name));
        }
        state.uids += 1;
        stamp::born(&mut object, state.uids);
        Ok(self.record(&mut state, Event::Added, key, object))
    }

    /// Changes an object in one step: nobody writes between what `change` reads and what it returns. An object that stays as it was
    /// is not written.
    pub(crate) fn change(
        &self,
        key: &Key,
        change: impl FnOnce(&Value) -> Result<Value, Refusal>,
    ) -> Result<Arc<Value>, Refusal> {
        let mut state = self.lock();
        let before = state.objects.get(key).cloned().ok_or_else(|| key.not_found())?;
        let mut after = change(&before)?;
        stamp::changed(&before, &mut after);
        if after == *before {
            return Ok(before);
        }
        let event = if stamp::may_go(&after) { Event::Deleted } else { Event::Modified };
        Ok(self.record(&mut state, event, key.clone(), after))
    }

    /// As [`Self::change`], for those who stand above all checks: controllers and the kubelet.
    pub(crate) fn edit(&self, key: &Key, edit: impl FnOnce(&mut Value)) -> Option<Arc<Value>> {
        let edited = self.change(key, |object| {
            let mut object = object.clone();
            edit(&mut object);
            Ok(object)
        });
        edited.ok()
    }

    /// What has happened since a version, as far as it is still known.
    pub(crate) fn changes_since(&self, resource: &str, version: u64) -> Result<(Vec<Change>, u64), Refusal> {
        let state = self.lock();
        if version < state.compacted {
            let message = format!("too old resource version: {version} ({})", state.compacted);
            return Err(Refusal::new(Reason::Expired, message));
        }
        let first = state.changes.partition_point(|change| change.version <= version);
        let changes = state.changes.range(first..).filter(|change| change.key.resource == resource).cloned().collect();
        Ok((changes, state.version))
    }

    /// Forgets all changes: whoever resumes from one has to list again.
    pub(crate) fn compact(&self) {
        let mut state = self.lock();
        state.version += 1;
        state.compacted = state.version;
        state.changes.clear();
        self.latest.send_replace(state.version);
    }

    /// Makes everybody look again, without a change.
    pub(crate) fn touch(&self) {
        self.latest.send_replace(self.version());
    }

    fn record(&self, state: &mut State, event: Event, key: Key, mut object: Value) -> Arc<Value> {
        state.version += 1;
        json::set(&mut object, "/metadata/resourceVersion", state.version.to_string());
        let object = Arc::new(object);
        let before = match event {
            Event::Added | Event::Modified => state.objects.insert(key.clone(), Arc::clone(&object)),
            Event::Deleted => state.objects.remove(&key),
        };
        state.changes.push_back(Change { version: state.version, event, key, object: Arc::clone(&object), before });
        if state.changes.len() > KEPT_CHANGES {
            state.compacted = state.changes.pop_front().map_or(state.compacted, |change| change.version);
        }
        self.latest.send_replace(state.version);
        object
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
