//! JSON merge patch: <https://www.rfc-editor.org/rfc/rfc7386>.

use serde_json::{Map, Value};

/// What comes of a value under a patch: maps are merged, null removes, everything else replaces.
pub(crate) fn merged(before: &Value, patch: &Value) -> Value {
    let Value::Object(patch) = patch else { return patch.clone() };
    let mut after = before.as_object().cloned().unwrap_or_default();
    for (key, value) in patch {
        merge_into(&mut after, key, value);
    }
    Value::Object(after)
}

fn merge_into(map: &mut Map<String, Value>, key: &str, value: &Value) {
    if value.is_null() {
        map.remove(key);
    } else {
        let before = map.get(key).unwrap_or(&Value::Null);
        let after = merged(before, value);
        map.insert(key.to_owned(), after);
    }
}
