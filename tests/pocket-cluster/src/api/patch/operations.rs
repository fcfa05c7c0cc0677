//! JSON patch: <https://www.rfc-editor.org/rfc/rfc6902>.

use serde_json::Value;

use crate::json::text;
use crate::refusal::Refusal;

/// What comes of an object when the operations are performed one after the other.
pub(super) fn performed(before: &Value, operations: &Value) -> Result<Value, Refusal> {
    let mut after = before.clone();
    for operation in operations.as_array().map(Vec::as_slice).unwrap_or_default() {
        perform(&mut after, operation)?;
    }
    Ok(after)
}

fn perform(object: &mut Value, operation: &Value) -> Result<(), Refusal> {
    let (path, value) = (text(operation, "/path"), operation.get("value").cloned().unwrap_or_default());
    let failed = || Refusal::invalid(format!("the operation {operation} cannot be performed"));
    let from = || object.pointer(text(operation, "/from")).cloned().ok_or_else(failed);
    match text(operation, "/op") {
        "test" if object.pointer(path) == Some(&value) => Ok(()),
        "add" => add(object, path, value).ok_or_else(failed),
        "replace" => object.pointer_mut(path).map(|place| *place = value).ok_or_else(failed),
        "remove" => take(object, path).map(drop).ok_or_else(failed),
        "copy" => {
            let value = from()?;
            add(object, path, value).ok_or_else(failed)
        }
        "move" => {
            let value = take(object, text(operation, "/from")).ok_or_else(failed)?;
            add(object, path, value).ok_or_else(failed)
        }
        _ => Err(failed()),
    }
}

fn unescaped(key: &str) -> String {
    key.replace("~1", "/").replace("~0", "~")
}

fn add(object: &mut Value, path: &str, value: Value) -> Option<()> {
    let Some((parent, key)) = path.rsplit_once('/') else {
        *object = value;
        return Some(());
    };
    match object.pointer_mut(parent)? {
        Value::Object(map) => drop(map.insert(unescaped(key), value)),
        Value::Array(list) if key == "-" => list.push(value),
        Value::Array(list) => {
            let place = key.parse().ok().filter(|place| *place <= list.len())?;
            list.insert(place, value);
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => return None,
    }
    Some(())
}

fn take(object: &mut Value, path: &str) -> Option<Value> {
    let (parent, key) = path.rsplit_once('/')?;
    match object.pointer_mut(parent)? {
        Value::Object(map) => map.remove(&unescaped(key)),
        Value::Array(list) => {
            let place = key.parse().ok().filter(|place| *place < list.len())?;
            Some(list.remove(place))
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => None,
    }
}
