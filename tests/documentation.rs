//! The reference of the spec is what the types say.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test that cannot go on has failed")]

use std::fmt::Write;
use std::path::{Path, PathBuf};

use serde_json::Value;
use support::root;

/// One section for each group of fields, in the order in which one meets them.
fn reference() -> String {
    let schema = spec::json_schema();
    let mut text = "# The spec\n\nEvery field of a `ValkeyCluster`, with its type, its default and what it means. Made from the types that read it; \
                    `valkey-render explain FIELD` says the same, and [every-field.yaml](../examples/every-field.yaml) shows all of them.\n"
        .to_owned();
    section(&mut text, "metadata", &schema["properties"]["metadata"], &Value::Null);
    section(&mut text, "spec", &schema["properties"]["spec"], &Value::Null);
    text
}

/// `default` is that of the whole group: its fields have none by themselves where another group has the same fields.
fn section(text: &mut String, path: &str, schema: &Value, default: &Value) {
    let within = if schema["type"] == "array" { &schema["items"] } else { schema };
    let Some(fields) = within["properties"].as_object() else {
        return;
    };
    writeln!(
        text,
        "\n## `{path}`\n\n{}\n\n| field | type | default | |\n|---|---|---|---|",
        words(schema, "description")
    )
    .unwrap();
    let required: Vec<&str> = within["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let default_of =
        |name: &str| default.get(name).or(fields[name].get("default")).unwrap_or(&fields[name]["x-default"]);
    for (name, field) in fields {
        let default = match default_of(name) {
            _ if required.contains(&name.as_str()) => "required".to_owned(),
            Value::Null => String::new(),
            Value::Object(values) if values.is_empty() || field.get("properties").is_some() => String::new(),
            value => format!("`{value}`"),
        };
        writeln!(text, "| `{name}` | {} | {default} | {} |", kind(field), meaning(field)).unwrap();
    }
    for (name, field) in fields {
        section(text, &format!("{path}.{name}"), field, default_of(name));
    }
}

fn words<'s>(schema: &'s Value, key: &str) -> &'s str {
    schema[key].as_str().unwrap_or_default()
}

fn kind(field: &Value) -> String {
    match &field["type"] {
        Value::String(name) if name == "array" => format!("list of {}", kind(&field["items"])),
        Value::String(name) if name == "object" && field.get("additionalProperties").is_some_and(Value::is_object) => {
            format!("map of {}", kind(&field["additionalProperties"]))
        }
        Value::String(_) if field.get("enum").is_some() => {
            let words = field["enum"].as_array().into_iter().flatten().filter_map(Value::as_str);
            words.map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ")
        }
        Value::String(name) if name == "integer" && field["minimum"].is_u64() && field["maximum"].is_u64() => {
            format!("{} to {}", field["minimum"], field["maximum"])
        }
        Value::String(name) if name == "string" => field["format"].as_str().unwrap_or("text").to_owned(),
        Value::String(name) => name.clone(),
        Value::Array(names) => names.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(" or "),
        _ => "any".to_owned(),
    }
}

fn meaning(field: &Value) -> String {
    let meanings = field["x-meanings"].as_array().into_iter().flatten().filter_map(Value::as_str);
    let example =
        field.pointer("/examples/0").map(|example| format!(" For example `{}`.", example.as_str().unwrap_or_default()));
    let all = [words(field, "description")].into_iter().chain(meanings).collect::<Vec<_>>().join("<br>");
    all + &example.unwrap_or_default()
}

#[test]
fn the_reference_is_what_the_types_say() {
    let path = root().join("docs/spec.md");
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(&path, reference()).unwrap();
    }
    assert!(
        std::fs::read_to_string(&path).unwrap() == reference(),
        "docs/spec.md is out of date: run `make snapshots`"
    );
}

#[test]
fn the_schema_that_editors_find_is_what_the_types_say() {
    let file = spec::SCHEMA_ID.split_once("/main/").unwrap().1;
    let path = root().join(file);
    let schema = serde_json::to_string_pretty(&spec::json_schema()).unwrap() + "\n";
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(&path, &schema).unwrap();
    }
    assert!(std::fs::read_to_string(&path).unwrap() == schema, "{file} is out of date: run `make snapshots`");
    assert_eq!(spec::json_schema()["$id"], spec::SCHEMA_ID);
}

#[test]
fn every_link_of_the_documents_leads_somewhere() {
    let pages = std::fs::read_dir(root().join("docs")).unwrap().map(|entry| entry.unwrap().path());
    let pages = pages.filter(|path| path.extension().is_some_and(|extension| extension == "md"));
    let documents: Vec<PathBuf> =
        ["README.md", "CHANGELOG.md"].map(|name| root().join(name)).into_iter().chain(pages).collect();
    assert!(documents.len() >= 5, "{documents:?}");
    for document in documents {
        let text = std::fs::read_to_string(&document).unwrap();
        let folder = document.parent().unwrap().to_owned();
        for link in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            assert!(link.starts_with("http") || leads_somewhere(&folder, link), "{}: {link}", document.display());
        }
    }
}

/// Whether there is such a file, with such a heading if the link names one.
fn leads_somewhere(folder: &Path, link: &str) -> bool {
    let (file, heading) = link.split_once('#').map_or((link, None), |(file, heading)| (file, Some(heading)));
    let path = folder.join(file);
    let has = |heading: &str| {
        let text = std::fs::read_to_string(&path).unwrap_or_default();
        text.lines().filter(|line| line.starts_with('#')).any(|line| anchor(line) == heading)
    };
    path.exists() && heading.is_none_or(has)
}

/// What a heading is called in a link.
fn anchor(heading: &str) -> String {
    let words = heading.trim_start_matches('#').trim().to_lowercase();
    words.chars().filter(|sign| sign.is_alphanumeric() || " -_".contains(*sign)).collect::<String>().replace(' ', "-")
}
