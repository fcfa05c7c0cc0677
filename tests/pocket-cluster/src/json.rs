//! Objects as Kubernetes stores them: JSON, reached by paths.

use jiff::Timestamp;
use serde_json::{Map, Value};

/// The text at a path, or none of it.
pub(crate) fn text<'a>(object: &'a Value, path: &str) -> &'a str {
    object.pointer(path).and_then(Value::as_str).unwrap_or_default()
}

pub(crate) fn number(object: &Value, path: &str) -> Option<i64> {
    object.pointer(path).and_then(Value::as_i64)
}

pub(crate) fn flag(object: &Value, path: &str) -> Option<bool> {
    object.pointer(path).and_then(Value::as_bool)
}

pub(crate) fn items<'a>(object: &'a Value, path: &str) -> &'a [Value] {
    object.pointer(path).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

/// Every entry of the map at a path whose value is a text.
pub(crate) fn entries<'a>(object: &'a Value, path: &str) -> impl Iterator<Item = (&'a str, &'a str)> {
    let map = object.pointer(path).and_then(Value::as_object);
    map.into_iter().flatten().filter_map(|(key, value)| Some((key.as_str(), value.as_str()?)))
}

/// Puts a value at a path of keys, and makes the maps that lead there.
pub(crate) fn set(object: &mut Value, path: &str, to: impl Into<Value>) {
    let mut place = object;
    for key in path.split('/').skip(1) {
        place = child(place, key);
    }
    *place = to.into();
}

/// Puts a value under a key that may hold a slash, in the map at a path.
pub(crate) fn set_entry(object: &mut Value, path: &str, key: &str, to: impl Into<Value>) {
    if object.pointer(path).is_none() {
        set(object, path, Map::new());
    }
    if let Some(map) = object.pointer_mut(path) {
        *child(map, key) = to.into();
    }
}

/// The entry of a map under a key that may hold a slash.
pub(crate) fn entry<'a>(object: &'a Value, path: &str, key: &str) -> &'a str {
    object.pointer(path).and_then(|map| map.get(key)).and_then(Value::as_str).unwrap_or_default()
}

pub(crate) fn remove(object: &mut Value, path: &str) -> Option<Value> {
    let (parent, key) = path.rsplit_once('/')?;
    object.pointer_mut(parent)?.as_object_mut()?.remove(key)
}

/// The place under a key of what is a map, or becomes one.
fn child<'a>(value: &'a mut Value, key: &str) -> &'a mut Value {
    if !value.is_object() {
        *value = Value::Object(Map::new());
    }
    // Indexing a map of JSON inserts.
    &mut value[key]
}

pub(crate) fn name(object: &Value) -> &str {
    text(object, "/metadata/name")
}

pub(crate) fn namespace(object: &Value) -> &str {
    text(object, "/metadata/namespace")
}

pub(crate) fn uid(object: &Value) -> &str {
    text(object, "/metadata/uid")
}

pub(crate) fn is_leaving(object: &Value) -> bool {
    object.pointer("/metadata/deletionTimestamp").is_some_and(|time| !time.is_null())
}

/// The owner that controls an object, by its uid.
pub(crate) fn controller(object: &Value) -> &str {
    let owners = items(object, "/metadata/ownerReferences");
    owners.iter().find(|owner| flag(owner, "/controller") == Some(true)).map_or("", |owner| text(owner, "/uid"))
}

/// The condition of this type, if it is there.
pub(crate) fn condition<'a>(object: &'a Value, kind: &str) -> Option<&'a Value> {
    items(object, "/status/conditions").iter().find(|condition| text(condition, "/type") == kind)
}

pub(crate) fn is_true(object: &Value, kind: &str) -> bool {
    condition(object, kind).is_some_and(|condition| text(condition, "/status") == "True")
}

/// Writes a condition; the time of its transition stays while its status does.
pub(crate) fn set_condition(object: &mut Value, mut to: Value) {
    let kind = text(&to, "/type").to_owned();
    let before = condition(object, &kind);
    let unchanged = before.filter(|before| before.get("status") == to.get("status"));
    let since = unchanged.map_or_else(now, |before| text(before, "/lastTransitionTime").to_owned());
    set(&mut to, "/lastTransitionTime", since);
    let mut conditions: Vec<Value> = items(object, "/status/conditions").to_vec();
    match conditions.iter_mut().find(|condition| text(condition, "/type") == kind) {
        Some(place) => *place = to,
        None => conditions.push(to),
    }
    set(object, "/status/conditions", conditions);
}

/// The time as Kubernetes writes it in metadata: to the second.
pub(crate) fn now() -> String {
    Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// How many seconds ago a time was.
pub(crate) fn seconds_since(time: &str) -> i64 {
    time.parse::<Timestamp>().map_or(0, |then| Timestamp::now().as_second() - then.as_second())
}
