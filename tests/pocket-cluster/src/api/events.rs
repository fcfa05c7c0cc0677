//! Events have two groups and one store: `v1` and `events.k8s.io/v1` name the same things differently.
//!
//! <https://kubernetes.io/docs/reference/kubernetes-api/cluster-resources/event-v1/>

use serde_json::Value;

use crate::json::{remove, set};

/// The field in the core group, and in `events.k8s.io`.
const NAMES: [(&str, &str); 7] = [
    ("/involvedObject", "/regarding"),
    ("/message", "/note"),
    ("/reportingComponent", "/reportingController"),
    ("/source", "/deprecatedSource"),
    ("/count", "/deprecatedCount"),
    ("/firstTimestamp", "/deprecatedFirstTimestamp"),
    ("/lastTimestamp", "/deprecatedLastTimestamp"),
];

/// An event as the group shows it; it is stored as the core group does.
pub(super) fn shown(group: &str, event: &Value) -> Value {
    let mut shown = event.clone();
    if !group.is_empty() {
        NAMES.iter().for_each(|(core, new)| rename(&mut shown, core, new));
    }
    shown
}

/// An event of either group, as it is stored.
pub(super) fn stored(mut event: Value) -> Value {
    NAMES.iter().for_each(|(core, new)| rename(&mut event, new, core));
    event
}

fn rename(event: &mut Value, from: &str, to: &str) {
    if let Some(value) = remove(event, from) {
        set(event, to, value);
    }
}
