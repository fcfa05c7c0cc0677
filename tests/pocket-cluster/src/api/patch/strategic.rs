//! Strategic merge patch: a merge patch that knows the keys of lists, and a few directives.
//!
//! <https://github.com/kubernetes/community/blob/master/contributors/devel/sig-api-machinery/strategic-merge-patch.md>

use serde_json::{Map, Value};

use super::lists::{Lists, identity, strategy};

pub(super) fn merged(before: &Value, patch: &Value) -> Value {
    merge(before, patch, &[])
}

fn merge(before: &Value, patch: &Value, names: &[&str]) -> Value {
    let Value::Object(patch) = patch else { return patch.clone() };
    let mut after = match patch.get("$patch").and_then(Value::as_str) {
        Some("replace") => Map::new(),
        _ => before.as_object().cloned().unwrap_or_default(),
    };
    if let Some(kept) = patch.get("$retainKeys").and_then(Value::as_array) {
        after.retain(|key, _| kept.iter().any(|kept| kept == key));
    }
    for (key, value) in patch.iter().filter(|(key, _)| !key.starts_with('$')) {
        let inner = [names, &[key.as_str()]].concat();
        let old = after.get(key).cloned().unwrap_or_default();
        match value {
            Value::Null => drop(after.remove(key)),
            Value::Array(items) => {
                let order = patch.get(&format!("$setElementOrder/{key}")).and_then(Value::as_array);
                after.insert(key.clone(), merge_list(&old, items, order, &inner));
            }
            value => drop(after.insert(key.clone(), merge(&old, value, &inner))),
        }
    }
    remove_from_sets(&mut after, patch);
    reorder_untouched(&mut after, patch, names);
    Value::Object(after)
}

/// `$deleteFromPrimitiveList/finalizers: [one]`
fn remove_from_sets(after: &mut Map<String, Value>, patch: &Map<String, Value>) {
    for (key, gone) in patch {
        let list = key.strip_prefix("$deleteFromPrimitiveList/").and_then(|key| after.get_mut(key));
        if let (Some(list), Some(gone)) = (list.and_then(Value::as_array_mut), gone.as_array()) {
            list.retain(|item| !gone.contains(item));
        }
    }
}

/// An order may be told without any other change.
fn reorder_untouched(after: &mut Map<String, Value>, patch: &Map<String, Value>, names: &[&str]) {
    for (directive, order) in patch {
        let Some(key) = directive.strip_prefix("$setElementOrder/") else { continue };
        let inner = [names, &[key]].concat();
        if let (Some(list), Some(order)) = (after.get_mut(key).and_then(Value::as_array_mut), order.as_array()) {
            sort(list, order, strategy(&inner));
        }
    }
}

fn merge_list(before: &Value, patch: &[Value], order: Option<&Vec<Value>>, names: &[&str]) -> Value {
    let old = before.as_array().cloned().unwrap_or_default();
    let mut list = match strategy(names) {
        Lists::Atomic => return Value::Array(patch.to_vec()),
        Lists::Set => {
            let new = patch.iter().filter(|item| !old.contains(item)).cloned();
            old.iter().cloned().chain(new).collect()
        }
        Lists::Keyed(keys) => merge_items(old, patch, keys, names),
    };
    if let Some(order) = order {
        sort(&mut list, order, strategy(names));
    }
    Value::Array(list)
}

fn merge_items(old: Vec<Value>, patch: &[Value], keys: &[&str], names: &[&str]) -> Vec<Value> {
    let is_directive = |item: &Value, which: &str| item.get("$patch").and_then(Value::as_str) == Some(which);
    let replaces = patch.iter().any(|item| is_directive(item, "replace"));
    let mut list = if replaces { Vec::new() } else { old };
    for item in patch.iter().filter(|item| !is_directive(item, "replace")) {
        let wanted = identity(keys, item);
        let place = list.iter().position(|found| identity(keys, found) == wanted);
        match place {
            Some(place) if is_directive(item, "delete") => drop(list.remove(place)),
            None if is_directive(item, "delete") => {}
            Some(place) => list.get_mut(place).into_iter().for_each(|found| *found = merge(found, item, names)),
            None => list.push(merge(&Value::Null, item, names)),
        }
    }
    list
}

/// What the order does not name stays behind what it names.
fn sort(list: &mut [Value], order: &[Value], lists: Lists) {
    let place = |item: &Value| match lists {
        Lists::Keyed(keys) => order.iter().position(|place| identity(keys, place) == identity(keys, item)),
        Lists::Set | Lists::Atomic => order.iter().position(|place| place == item),
    };
    list.sort_by_key(|item| place(item).unwrap_or(usize::MAX));
}
