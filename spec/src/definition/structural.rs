//! From what editors read to what the API server takes: a structural schema.
//!
//! <https://kubernetes.io/docs/tasks/extend-kubernetes/custom-resources/custom-resource-definitions/#specifying-a-structural-schema>

use serde_json::{Map, Value, json};

use super::{formats, values};
use crate::names;

/// How long a text may be where nothing else says so: rules of the API server only look at what has a bound.
const LONGEST_TEXT: u32 = 317;

/// Brings a schema and all that is in it into shape.
pub(super) fn bring_into_shape(schema: &mut Value) {
    let Value::Object(fields) = schema else { return };
    for noise in ["$schema", "title", "examples"] {
        fields.remove(noise);
    }
    tell_default(fields);
    join_meanings(fields);
    // Unknown fields are pruned, and refused by clients that validate; the API server allows either word, but not both.
    if fields.contains_key("properties") {
        fields.remove("additionalProperties");
    }
    translate_format(fields);
    take_either(fields);
    bound(fields);
    if let Some(Value::Object(properties)) = fields.get_mut("properties") {
        properties.values_mut().for_each(bring_into_shape);
    }
    for inner in ["items", "additionalProperties"] {
        fields.get_mut(inner).into_iter().for_each(bring_into_shape);
    }
    name_patterns(fields);
}

/// What holds where nothing is said, but not always: the API server must not fill it in.
fn tell_default(fields: &mut Map<String, Value>) {
    let Some(Value::String(value)) = fields.remove("x-default") else { return };
    let said = fields.get("description").and_then(Value::as_str).unwrap_or_default();
    let told = format!("{said} By default `{value}`.");
    fields.insert("description".to_owned(), json!(told));
}

/// What each word of an enum means stands in the description, where `kubectl explain` shows it.
fn join_meanings(fields: &mut Map<String, Value>) {
    let Some(Value::Array(meanings)) = fields.remove("x-meanings") else { return };
    let said = fields.get("description").and_then(Value::as_str).unwrap_or_default();
    let meanings = meanings.iter().filter_map(Value::as_str);
    let all = [said].into_iter().chain(meanings).collect::<Vec<_>>().join(" ");
    fields.insert("description".to_owned(), json!(all));
}

fn translate_format(fields: &mut Map<String, Value>) {
    let Some(Value::String(format)) = fields.remove("format") else { return };
    if let Some((pattern, longest)) = formats::of(&format) {
        fields.insert("pattern".to_owned(), json!(pattern));
        fields.insert("maxLength".to_owned(), json!(longest));
    } else if fields.get("type").is_some_and(|kind| kind == "integer") {
        fields.insert("format".to_owned(), json!("int64"));
        if format.starts_with('u') {
            fields.entry("minimum").or_insert(json!(0));
        }
        if format == "uint32" {
            fields.entry("maximum").or_insert(json!(u32::MAX));
        }
    }
}

/// Text or a whole number has a word of its own.
fn take_either(fields: &mut Map<String, Value>) {
    if fields.get("type").is_some_and(Value::is_array) {
        fields.remove("type");
        fields.insert("x-kubernetes-int-or-string".to_owned(), json!(true));
    }
}

fn bound(fields: &mut Map<String, Value>) {
    if fields.get("type").is_some_and(|kind| kind == "string") && !fields.contains_key("enum") {
        fields.entry("maxLength").or_insert(json!(LONGEST_TEXT));
    }
}

/// Labels and sets, which the types leave to the checks.
fn name_patterns(fields: &mut Map<String, Value>) {
    let Some(Value::Object(properties)) = fields.get_mut("properties") else { return };
    if let Some(Value::Object(secrets)) = properties.get_mut("pullSecrets") {
        secrets.insert("x-kubernetes-list-type".to_owned(), json!("set"));
    }
    let key = formats::label_key();
    let (value, name) = (formats::label_value(), formats::name_or_nothing());
    let directive = values::PATTERN.to_owned();
    for (path, pattern, longest) in [
        ("config/additionalProperties", &directive, values::LONGEST),
        ("key", &key, LONGEST_TEXT),
        ("matchLabels/additionalProperties", &value, 63),
        ("nodeSelector/additionalProperties", &value, 63),
        ("podLabels/additionalProperties", &value, 63),
        ("values/items", &value, 63),
        ("priorityClassName", &name, 253),
    ] {
        let (property, inner) = path.split_once('/').unwrap_or((path, ""));
        let inner = if inner.is_empty() { String::new() } else { format!("/{inner}") };
        let place = properties.get_mut(property).and_then(|found| found.pointer_mut(&inner));
        if let Some(Value::Object(text)) = place.filter(|text| text.get("pattern").is_none()) {
            text.insert("pattern".to_owned(), json!(pattern));
            text.insert("maxLength".to_owned(), json!(longest));
        }
    }
}

/// What the renderer adds to what people write.
pub(super) fn add_rendered_template(spec: &mut Value) {
    let Some(Value::Object(properties)) = spec.get_mut("properties") else { return };
    let description = "Which pod template was rendered: valkey-render writes it, so that another template is another generation, \
                       also where nothing else is changed.";
    let field = json!({"type": "string", "description": description, "maxLength": 16, "pattern": "^[0-9a-f]{16}$"});
    properties.insert(names::RENDERED_TEMPLATE.to_owned(), field);
}

/// What the status says besides: whoever looks before the agent has, sees that nobody has.
pub(super) fn say_status(status: &mut Value) {
    let Value::Object(fields) = status else { return };
    fields.insert("default".to_owned(), json!({"observedGeneration": -1}));
    let Some(Value::Object(properties)) = fields.get_mut("properties") else { return };
    for property in properties.values_mut() {
        forget_bounds(property);
    }
    if let Some(Value::Object(conditions)) = properties.get_mut("conditions") {
        conditions.insert("x-kubernetes-list-type".to_owned(), json!("map"));
        conditions.insert("x-kubernetes-list-map-keys".to_owned(), json!(["type"]));
    }
}

/// No rule looks at the status, and a cluster of five hundred shards has a long one. Nor is anything filled in: the agent says all.
fn forget_bounds(schema: &mut Value) {
    match schema {
        Value::Object(fields) => {
            for word in ["maxItems", "maxLength", "maxProperties", "pattern", "default", "minimum"] {
                fields.remove(word);
            }
            fields.values_mut().for_each(forget_bounds);
        }
        Value::Array(elements) => elements.iter_mut().for_each(forget_bounds),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}
