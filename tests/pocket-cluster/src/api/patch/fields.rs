//! Sets of fields, as managed fields write them down.
//!
//! <https://kubernetes.io/docs/reference/using-api/server-side-apply/#field-management>

use std::collections::BTreeSet;
use std::fmt;

use serde_json::{Map, Value};

use super::lists::{Lists, identity, strategy};

/// One step into an object.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Step {
    Field(String),
    /// The item of a list that has these keys, as JSON.
    Item(String),
    /// This item of a set, as JSON.
    Element(String),
}

impl Step {
    fn written(&self) -> String {
        match self {
            Self::Field(name) => format!("f:{name}"),
            Self::Item(keys) => format!("k:{keys}"),
            Self::Element(value) => format!("v:{value}"),
        }
    }

    fn read(text: &str) -> Option<Self> {
        let (kind, rest) = text.split_once(':')?;
        match kind {
            "f" => Some(Self::Field(rest.to_owned())),
            "k" => Some(Self::Item(rest.to_owned())),
            "v" => Some(Self::Element(rest.to_owned())),
            _ => None,
        }
    }
}

#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Path(Vec<Step>);

impl Path {
    fn then(&self, step: Step) -> Self {
        Self(self.0.iter().cloned().chain([step]).collect())
    }

    fn names(&self) -> Vec<&str> {
        self.0.iter().filter_map(|step| if let Step::Field(name) = step { Some(name.as_str()) } else { None }).collect()
    }

    /// An item as such, besides the fields in it.
    pub(super) fn is_item(&self) -> bool {
        matches!(self.0.last(), Some(Step::Item(_)))
    }

    pub(super) fn is_inside(&self, outer: &Self) -> bool {
        self.0.starts_with(&outer.0) && self.0.len() > outer.0.len()
    }

    /// What stands there.
    pub(super) fn find<'a>(&self, object: &'a Value) -> Option<&'a Value> {
        let mut names = Vec::new();
        self.0.iter().try_fold(object, |place, step| match step {
            Step::Field(name) => {
                names.push(name.as_str());
                place.get(name)
            }
            step => place.get(position(place, step, &names)?),
        })
    }

    /// Removes what stands there, and the maps and lists that are empty then.
    pub(super) fn remove(&self, object: &mut Value) {
        remove(object, &self.0, &mut Vec::new());
    }
}

fn position(list: &Value, step: &Step, names: &[&str]) -> Option<usize> {
    let list = list.as_array()?;
    match (step, strategy(names)) {
        (Step::Item(keys), Lists::Keyed(by)) => list.iter().position(|item| is_written(&identity(by, item), keys)),
        (Step::Element(value), _) => list.iter().position(|item| is_written(item, value)),
        (Step::Item(_) | Step::Field(_), _) => None,
    }
}

fn is_written(value: &Value, as_text: &str) -> bool {
    serde_json::to_string(value).is_ok_and(|written| written == as_text)
}

fn remove<'a>(place: &mut Value, path: &'a [Step], names: &mut Vec<&'a str>) {
    let Some((step, rest)) = path.split_first() else { return };
    if let Step::Field(name) = step {
        names.push(name);
    }
    let inner = match step {
        Step::Field(name) => place.get_mut(name),
        step => position(place, step, names).and_then(|at| place.get_mut(at)),
    };
    let Some(inner) = inner else { return };
    let is_empty = |value: &Value| match value {
        Value::Object(map) => map.is_empty(),
        Value::Array(list) => list.is_empty(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
    };
    if !rest.is_empty() {
        let was_empty = is_empty(inner);
        remove(inner, rest, names);
        if was_empty || !is_empty(inner) {
            return;
        }
    }
    match (place, step) {
        (Value::Object(map), Step::Field(name)) => drop(map.remove(name)),
        (Value::Array(list), step) => {
            let at = position(&Value::Array(list.clone()), step, names);
            at.into_iter().for_each(|at| drop(list.remove(at)));
        }
        _ => {}
    }
}

impl fmt::Display for Path {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|step| match step {
            Step::Field(name) => write!(formatter, ".{name}"),
            Step::Item(keys) => write!(formatter, "[{keys}]"),
            Step::Element(value) => write!(formatter, "[={value}]"),
        })
    }
}

/// The fields that somebody has written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Fields(pub(super) BTreeSet<Path>);

impl Fields {
    /// Every leaf of an object, except what tells which object it is and what belongs to the server.
    pub(super) fn of(object: &Value, lists_are_known: bool) -> Self {
        let mut fields = Self::default();
        let mut object = object.clone();
        for path in ["apiVersion", "kind"] {
            crate::json::remove(&mut object, &format!("/{path}"));
        }
        let owned_by_server = [
            "name",
            "namespace",
            "uid",
            "resourceVersion",
            "creationTimestamp",
            "generation",
            "managedFields",
            "deletionTimestamp",
            "deletionGracePeriodSeconds",
        ];
        for field in owned_by_server {
            crate::json::remove(&mut object, &format!("/metadata/{field}"));
        }
        fields.collect(&object, &Path::default(), lists_are_known);
        fields
    }

    fn collect(&mut self, value: &Value, path: &Path, lists_are_known: bool) {
        match value {
            Value::Object(map) if !map.is_empty() => {
                map.iter().for_each(|(key, value)| {
                    self.collect(value, &path.then(Step::Field(key.clone())), lists_are_known);
                });
            }
            Value::Array(items) => self.collect_items(items, path, lists_are_known),
            Value::Object(_) if path.0.len() < 2 => {}
            _ => drop(self.0.insert(path.clone())),
        }
    }

    fn collect_items(&mut self, items: &[Value], path: &Path, lists_are_known: bool) {
        let names = path.names();
        // Metadata has the same shape in all kinds.
        let is_known = lists_are_known || names.first() == Some(&"metadata");
        match strategy(&names) {
            Lists::Keyed(keys) if is_known => items.iter().for_each(|item| {
                let inner = path.then(Step::Item(identity(keys, item).to_string()));
                self.0.insert(inner.clone());
                self.collect(item, &inner, lists_are_known);
            }),
            Lists::Set if is_known => items.iter().for_each(|item| {
                self.0.insert(path.then(Step::Element(item.to_string())));
            }),
            Lists::Set | Lists::Keyed(_) | Lists::Atomic => drop(self.0.insert(path.clone())),
        }
    }

    /// Fields as `fieldsV1` has them.
    pub(super) fn read(fields: &Value) -> Self {
        let mut read = Self::default();
        read.read_inner(fields, &Path::default());
        read
    }

    fn read_inner(&mut self, fields: &Value, path: &Path) {
        let Some(map) = fields.as_object() else { return };
        if map.is_empty() || map.contains_key(".") {
            self.0.insert(path.clone());
        }
        for (step, inner) in map.iter().filter_map(|(key, inner)| Some((Step::read(key)?, inner))) {
            self.read_inner(inner, &path.then(step));
        }
    }

    /// The same as `fieldsV1`.
    pub(super) fn written(&self) -> Value {
        let mut root = Value::Object(Map::new());
        for path in &self.0 {
            let mut place = &mut root;
            for step in &path.0 {
                // Indexing a map of JSON inserts null, and null becomes a map.
                place = &mut place[step.written()];
            }
            if place.is_null() {
                *place = Value::Object(Map::new());
            }
        }
        mark_items(&mut root, &Path::default(), self);
        root
    }
}

/// A field that is owned together with others inside it is marked by a dot.
fn mark_items(place: &mut Value, path: &Path, fields: &Fields) {
    let Some(map) = place.as_object_mut() else { return };
    for (key, inner) in &mut *map {
        if let Some(step) = Step::read(key) {
            mark_items(inner, &path.then(step), fields);
        }
    }
    if !map.is_empty() && fields.0.contains(path) {
        map.insert(".".to_owned(), Value::Object(Map::new()));
    }
}
