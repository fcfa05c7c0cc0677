//! What a field means, from the schema.

use std::process::ExitCode;

use serde_json::Value;

use super::failure::Failure;
use super::output;

/// Prints what the field at this dotted path means; the whole spec for an empty path.
pub(crate) fn run(path: &str) -> Result<ExitCode, Failure> {
    let schema = spec::json_schema();
    let keys: Vec<&str> = path.split('.').filter(|key| !key.is_empty()).collect();
    let field = keys.iter().try_fold(&schema, |schema, key| step(schema, key))?;
    output::to_stdout(&page(path, field))?;
    Ok(ExitCode::SUCCESS)
}

/// Into a field, or through a list into the fields of its elements.
fn step<'s>(schema: &'s Value, key: &str) -> Result<&'s Value, Failure> {
    let within = schema.get("items").unwrap_or(schema);
    let properties = within.get("properties").and_then(Value::as_object);
    let found = properties
        .and_then(|properties| properties.get(key))
        .or_else(|| within.get("additionalProperties").filter(|value| value.is_object()));
    found.ok_or_else(|| {
        let names = properties.into_iter().flat_map(|properties| properties.keys()).map(String::as_str);
        let hint = match spec::closest(key, names.clone()) {
            Some(near) => format!("did you mean `{near}`?"),
            None if properties.is_none() => "there is nothing below it".to_owned(),
            None => format!("the fields here are {}", names.collect::<Vec<_>>().join(", ")),
        };
        Failure::Usage(format!("there is no field `{key}`: {hint}"))
    })
}

fn page(path: &str, field: &Value) -> String {
    let text = |key: &str| field.get(key).and_then(Value::as_str).unwrap_or_default();
    let mut page = format!(
        "{} ({})\n\n  {}\n",
        if path.is_empty() { "ValkeyCluster" } else { path },
        type_of(field),
        text("description")
    );
    for fact in facts(field) {
        page += &format!("\n  {fact}");
    }
    let within = field.get("items").unwrap_or(field);
    let required: Vec<&str> =
        within.get("required").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect();
    let fields = within.get("properties").and_then(Value::as_object).into_iter().flatten();
    for (position, (name, schema)) in fields.enumerate() {
        let needed = if required.contains(&name.as_str()) { ", required" } else { "" };
        let description = schema.get("description").and_then(Value::as_str).unwrap_or_default();
        page += if position == 0 { "\n  fields:\n" } else { "" };
        page += &format!("    {name} ({}{needed})\n      {description}\n", type_of(schema));
    }
    page.trim_end().to_owned() + "\n"
}

fn type_of(schema: &Value) -> String {
    match schema.get("type") {
        Some(Value::String(name)) if name == "array" => {
            format!("list of {}", schema.get("items").map_or_else(String::new, type_of))
        }
        Some(Value::String(name)) => {
            schema.get("format").and_then(Value::as_str).filter(|_| name == "string").unwrap_or(name).to_owned()
        }
        Some(Value::Array(names)) => names.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(" or "),
        _ => "any".to_owned(),
    }
}

fn facts(field: &Value) -> Vec<String> {
    let mut facts = Vec::new();
    for meaning in field.get("x-meanings").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str) {
        facts.push(meaning.to_owned());
    }
    let bound = |key: &str| field.get(key).and_then(Value::as_i64);
    if let (Some(least), Some(most)) = (bound("minimum"), bound("maximum")) {
        facts.push(format!("from {least} to {most}"));
    }
    if let Some(default) = field.get("default").filter(|default| !default.is_object()) {
        facts.push(format!("default: {default}"));
    }
    if let Some(example) = field.get("examples").and_then(|examples| examples.get(0)) {
        facts.push(format!("example: {example}"));
    }
    if !facts.is_empty() {
        facts.push(String::new());
    }
    facts
}
