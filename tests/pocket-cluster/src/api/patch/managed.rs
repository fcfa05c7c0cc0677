//! Server-side apply: who owns which field, and what comes of an object when one of them speaks.
//!
//! <https://kubernetes.io/docs/reference/using-api/server-side-apply/>

use serde_json::{Value, json};

use super::fields::{Fields, Path};
use super::lists::{Lists, are_known, identity, strategy};
use crate::api::request::Request;
use crate::json::{items, now, remove, set, text};
use crate::refusal::{Reason, Refusal};

/// A manager at work.
pub(crate) struct Managed<'a> {
    manager: &'a str,
    operation: &'static str,
    api_version: String,
    subresource: &'static str,
    lists_are_known: bool,
}

/// What a manager owns, as an object keeps it.
#[derive(Clone)]
struct Entry {
    written: Value,
    fields: Fields,
}

impl Entry {
    fn all(object: &Value) -> Vec<Self> {
        let written = items(object, "/metadata/managedFields").iter();
        written
            .map(|entry| Self {
                written: entry.clone(),
                fields: Fields::read(entry.get("fieldsV1").unwrap_or(&Value::Null)),
            })
            .collect()
    }

    fn store(entries: Vec<Self>, object: &mut Value) {
        let owning = entries.into_iter().filter(|entry| !entry.fields.0.is_empty());
        let written: Vec<Value> = owning
            .map(|entry| {
                let mut written = entry.written;
                set(&mut written, "/fieldsV1", entry.fields.written());
                written
            })
            .collect();
        if written.is_empty() {
            remove(object, "/metadata/managedFields");
        } else {
            set(object, "/metadata/managedFields", written);
        }
    }
}

impl<'a> Managed<'a> {
    pub(crate) fn of(request: &'a Request, operation: &'static str) -> Self {
        Self {
            manager: request.manager(),
            operation,
            api_version: request.target.kind.api_version(),
            subresource: request.target.subresource.map_or("", |subresource| subresource.name()),
            lists_are_known: are_known(&request.target.kind.group),
        }
    }

    fn is(&self, entry: &Entry) -> bool {
        text(&entry.written, "/manager") == self.manager
            && text(&entry.written, "/operation") == self.operation
            && text(&entry.written, "/subresource") == self.subresource
    }

    fn entry(&self, fields: Fields) -> Entry {
        let mut written = json!({
            "manager": self.manager, "operation": self.operation, "apiVersion": self.api_version, "time": now(),
            "fieldsType": "FieldsV1",
        });
        if !self.subresource.is_empty() {
            set(&mut written, "/subresource", self.subresource);
        }
        Entry { written, fields }
    }

    /// Notes who wrote what differs now. What is written becomes the writer's, and is nobody else's any more.
    pub(crate) fn wrote(&self, before: &Value, after: &mut Value) {
        let old = Fields::of(before, self.lists_are_known);
        let new = Fields::of(after, self.lists_are_known);
        let changed =
            |path: &&Path| !old.0.contains(*path) || (!path.is_item() && path.find(before) != path.find(after));
        let mut changed = Fields(new.0.iter().filter(changed).cloned().collect());
        let mut entries = Entry::all(before);
        let is_lost = |path: &Path| gone(path, &old, &new) || (changed.0.contains(path) && !path.is_item());
        entries.iter_mut().for_each(|entry| entry.fields.0.retain(|path| !is_lost(path)));
        if !changed.0.is_empty() {
            if let Some(own) = entries.iter().find(|entry| self.is(entry)) {
                changed.0.extend(own.fields.0.iter().cloned());
            }
            entries.retain(|entry| !self.is(entry));
            entries.push(self.entry(changed));
        }
        Entry::store(entries, after);
    }

    /// Turns what a manager applies into what the object is then. Fields that others own and that would change are conflicts, unless
    /// they are taken by force; fields that the manager applied before and no longer does are removed, unless others own them too.
    pub(crate) fn applies(&self, before: &Value, applied: &mut Value, force: bool) -> Result<(), Refusal> {
        remove(applied, "/metadata/managedFields");
        let fields = Fields::of(applied, self.lists_are_known);
        let mut entries = Entry::all(before);
        let conflicts = self.conflicts(&entries, &fields, before, applied);
        if !conflicts.is_empty() && !force {
            return Err(refused(&conflicts));
        }
        for entry in entries.iter_mut().filter(|entry| !self.is(entry)) {
            entry.fields.0.retain(|path| !conflicts.iter().any(|(_, conflict)| conflict == path));
        }
        let mut after = self.merged(before, applied, &mut Vec::new());
        self.remove_given_up(&entries, &fields, &mut after);
        let own = entries.iter().find(|entry| self.is(entry));
        if own.is_none_or(|own| own.fields != fields) {
            entries.retain(|entry| !self.is(entry));
            entries.push(self.entry(fields));
        }
        Entry::store(entries, &mut after);
        *applied = after;
        Ok(())
    }

    fn conflicts(&self, entries: &[Entry], fields: &Fields, before: &Value, applied: &Value) -> Vec<(String, Path)> {
        let others = entries.iter().filter(|entry| !self.is(entry));
        let pairs = others.flat_map(|entry| entry.fields.0.intersection(&fields.0).map(move |path| (entry, path)));
        pairs
            .filter(|(_, path)| !path.is_item() && path.find(before) != path.find(applied))
            .map(|(entry, path)| (described(&entry.written), path.clone()))
            .collect()
    }

    fn remove_given_up(&self, entries: &[Entry], fields: &Fields, object: &mut Value) {
        let own = entries.iter().find(|entry| self.is(entry)).map(|entry| entry.fields.clone()).unwrap_or_default();
        let others: Vec<&Entry> = entries.iter().filter(|entry| !self.is(entry)).collect();
        let is_owned = |path: &Path| {
            others.iter().any(|entry| entry.fields.0.iter().any(|other| other == path || other.is_inside(path)))
        };
        // Inner paths come after the item that holds them.
        own.0.difference(&fields.0).filter(|path| !is_owned(path)).for_each(|path| path.remove(object));
    }

    fn merged<'v>(&self, before: &Value, applied: &'v Value, names: &mut Vec<&'v str>) -> Value {
        match applied {
            Value::Object(map) => {
                let mut after = before.as_object().cloned().unwrap_or_default();
                for (key, value) in map {
                    names.push(key);
                    let old = after.get(key).cloned().unwrap_or_default();
                    after.insert(key.clone(), self.merged(&old, value, names));
                    names.pop();
                }
                Value::Object(after)
            }
            Value::Array(list) => self.merged_list(before, list, names),
            plain => plain.clone(),
        }
    }

    fn merged_list<'v>(&self, before: &Value, applied: &'v [Value], names: &mut Vec<&'v str>) -> Value {
        let is_known = self.lists_are_known || names.first() == Some(&"metadata");
        let old = before.as_array().cloned().unwrap_or_default();
        match strategy(names) {
            Lists::Keyed(keys) if is_known => {
                let old_of = |item: &Value| old.iter().find(|old| identity(keys, old) == identity(keys, item)).cloned();
                let new: Vec<Value> =
                    applied.iter().map(|item| self.merged(&old_of(item).unwrap_or_default(), item, names)).collect();
                let is_new = |old: &Value| applied.iter().any(|item| identity(keys, item) == identity(keys, old));
                Value::Array(new.iter().cloned().chain(old.iter().filter(|old| !is_new(old)).cloned()).collect())
            }
            Lists::Set if is_known => {
                let kept = old.iter().filter(|item| !applied.contains(item)).cloned();
                Value::Array(applied.iter().cloned().chain(kept).collect())
            }
            Lists::Keyed(_) | Lists::Set | Lists::Atomic => Value::Array(applied.to_vec()),
        }
    }
}

/// A field that was there and is there no more.
fn gone(path: &Path, old: &Fields, new: &Fields) -> bool {
    old.0.contains(path) && !new.0.contains(path)
}

fn described(entry: &Value) -> String {
    let manager = text(entry, "/manager");
    match text(entry, "/operation") {
        "Apply" => format!("{manager:?}"),
        _ => format!("{manager:?} using {}", text(entry, "/apiVersion")),
    }
}

fn refused(conflicts: &[(String, Path)]) -> Refusal {
    let causes: Vec<Value> = conflicts
        .iter()
        .map(|(manager, path)| {
            let message = format!("conflict with {manager}");
            json!({"reason": "FieldManagerConflict", "message": message, "field": path.to_string()})
        })
        .collect();
    let count = conflicts.len();
    let told: Vec<String> =
        conflicts.iter().map(|(manager, path)| format!("conflict with {manager}: {path}")).collect();
    let plural = if count == 1 { "conflict" } else { "conflicts" };
    let mut refusal =
        Refusal::new(Reason::Conflict, format!("Apply failed with {count} {plural}: {}", told.join(", ")));
    refusal.details = json!({"causes": causes});
    refusal
}
