//! The one writer of YAML: every string safe for readers of YAML 1.1, text as block literals, the same bytes for the same value.

use serde::ser::{SerializeMap, SerializeSeq};
use serde::{Serialize, Serializer};
use serde_json::Value;

use crate::error::Error;

/// The value as YAML, its fields in the order in which they come.
pub(crate) fn write(value: &impl Serialize) -> Result<String, Error> {
    // Lines are never folded: a long string on one line shows in a diff what changed.
    let options = serde_saphyr::ser_options! { folded_wrap_chars: usize::MAX };
    Ok(serde_saphyr::to_string_with_options(value, options)?)
}

/// A Kubernetes object as YAML, its fields in the order in which people look for them.
pub(crate) fn write_object(object: &Value) -> Result<String, Error> {
    write(&InOrder(object))
}

/// What a thing is and what it is called comes first, the rest by the alphabet.
struct InOrder<'v>(&'v Value);

const FIRST: [&str; 5] = ["apiVersion", "kind", "metadata", "name", "namespace"];

impl Serialize for InOrder<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Value::Object(fields) => {
                let mut map = serializer.serialize_map(Some(fields.len()))?;
                let first = FIRST.iter().filter_map(|key| fields.get_key_value(*key));
                let rest = fields.iter().filter(|(key, _)| !FIRST.contains(&key.as_str()));
                for (key, value) in first.chain(rest) {
                    map.serialize_entry(key, &Self(value))?;
                }
                map.end()
            }
            Value::Array(elements) => {
                let mut list = serializer.serialize_seq(Some(elements.len()))?;
                for element in elements {
                    list.serialize_element(&Self(element))?;
                }
                list.end()
            }
            scalar @ (Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_)) => scalar.serialize(serializer),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_object_begins_with_what_it_is() {
        let object = json!({"data": {"a": "x\ny\n"}, "kind": "ConfigMap", "apiVersion": "v1", "metadata": {"labels": {}, "name": "n"}});
        let expected = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: n\n  labels: {}\ndata:\n  a: |\n    x\n    y\n";
        assert_eq!(write_object(&object).unwrap(), expected);
    }

    #[test]
    fn strings_that_other_readers_would_take_for_something_else_are_quoted() {
        for text in ["yes", "no", "on", "y", "1_000", "0644", "1e3", "null", "~", "", "2026-01-01", "1:30", "=", "true"] {
            let line = write_object(&json!({ "a": text })).unwrap();
            assert!(line.contains(['"', '\'']), "{line}");
        }
    }
}
