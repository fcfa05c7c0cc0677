//! The fields in which two objects differ, each with its path.

use std::collections::BTreeSet;

use serde_json::Value;

/// A field that is not the same on both sides.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Leaf {
    /// Keys from the top, joined by dots; elements of lists by their name, or their position in brackets.
    pub(super) path: String,
    pub(super) before: Option<Value>,
    pub(super) after: Option<Value>,
}

/// The smallest fields that differ.
pub(super) fn differing(before: &Value, after: &Value) -> Vec<Leaf> {
    let mut leaves = Vec::new();
    descend(String::new(), Some(before), Some(after), &mut leaves);
    leaves
}

fn descend(path: String, before: Option<&Value>, after: Option<&Value>, leaves: &mut Vec<Leaf>) {
    match (before, after) {
        (one, other) if one == other => {}
        (Some(Value::Object(old)), Some(Value::Object(new))) => {
            let keys: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
            for key in keys {
                let below = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
                descend(below, old.get(key), new.get(key), leaves);
            }
        }
        (Some(Value::Array(old)), Some(Value::Array(new))) if is_named(old) && is_named(new) => {
            let names: BTreeSet<&str> = old.iter().chain(new).filter_map(name).collect();
            for wanted in names {
                let find = |list: &'_ [Value]| list.iter().position(|element| name(element) == Some(wanted));
                let (one, other) = (find(old).and_then(|at| old.get(at)), find(new).and_then(|at| new.get(at)));
                descend(format!("{path}[{wanted}]"), one, other, leaves);
            }
        }
        (Some(Value::Array(old)), Some(Value::Array(new))) if old.len() == new.len() => {
            for (index, (one, other)) in old.iter().zip(new).enumerate() {
                descend(format!("{path}[{index}]"), Some(one), Some(other), leaves);
            }
        }
        _ => leaves.push(Leaf { path, before: before.cloned(), after: after.cloned() }),
    }
}

/// Whether each element has a name of its own, so that one that comes or goes does not make all behind it look changed.
fn is_named(list: &[Value]) -> bool {
    let names: BTreeSet<&str> = list.iter().filter_map(name).collect();
    !list.is_empty() && names.len() == list.len()
}

fn name(element: &Value) -> Option<&str> {
    ["name", "topologyKey"]
        .iter()
        .find_map(|key| element.get(key))
        .or_else(|| element.pointer("/metadata/name"))
        .and_then(Value::as_str)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_smallest_differing_fields_are_found() {
        let before = json!({"a": {"b": 1, "c": 2}, "l": [{"name": "x", "v": 1}, {"name": "y"}], "p": [1, 2]});
        let after =
            json!({"a": {"b": 1, "c": 3}, "l": [{"name": "z"}, {"name": "x", "v": 2}, {"name": "y"}], "p": [1]});
        let paths: Vec<String> = differing(&before, &after).into_iter().map(|leaf| leaf.path).collect();
        assert_eq!(paths, ["a.c", "l[x].v", "l[z]", "p"]);
    }
}
