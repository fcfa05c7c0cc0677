//! Compares two sides and says what the change does.

use std::process::ExitCode;

use render::Renderer;
use render::diff::{Change, Difference, Side};
use serde_json::Value;
use spec::Namespace;

use super::arguments::{DiffArguments, ReportFormat};
use super::failure::Failure;
use super::{input, output};

pub(crate) fn run(arguments: &DiffArguments) -> Result<ExitCode, Failure> {
    let namespace = arguments.namespace.as_ref();
    let (old, new) = (side(&arguments.old, namespace)?, side(&arguments.new, namespace)?);
    let difference = Difference::between(&old, &new);
    let text = match arguments.format {
        ReportFormat::Text => in_words(&difference),
        ReportFormat::Json => output::pretty(&difference)?,
    };
    output::to_stdout(&text)?;
    Ok(if difference.blocking(&arguments.allow).next().is_some() {
        ExitCode::from(4)
    } else if difference.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(1)
    })
}

/// The objects of files, folders or standard input; specs among them are rendered.
fn side(path: &str, namespace: Option<&Namespace>) -> Result<Side, Failure> {
    let mut side = Side::default();
    let mut renderer = Renderer::default();
    for source in input::sources(&[path.to_owned()])? {
        if !is_spec(&source.text) {
            add(&mut side, &source.path, &source.text)?;
            continue;
        }
        let read = spec::read(&source.text, namespace)
            .map_err(|problems| Failure::Refused(vec![(source.clone(), problems)]))?;
        for read in read {
            add(&mut side, &source.path, &renderer.render(&read.cluster)?.to_yaml())?;
        }
    }
    Ok(side)
}

/// Rendered objects carry a spec in a ConfigMap, further in; a spec is one itself.
fn is_spec(text: &str) -> bool {
    text.lines().any(|line| line.starts_with("kind: ValkeyCluster") || line.contains("\"kind\": \"ValkeyCluster\""))
}

fn add(side: &mut Side, path: &str, text: &str) -> Result<(), Failure> {
    let unreadable = |reason: String| Failure::Unreadable { path: path.to_owned(), reason };
    let documents: Vec<Value> = serde_saphyr::from_multiple(text).map_err(|error| unreadable(error.to_string()))?;
    let objects = documents.into_iter().flat_map(unlisted);
    objects.into_iter().try_for_each(|object| side.add(object)).map_err(|error| unreadable(error.to_string()))
}

/// The objects of a list, or the one object.
fn unlisted(document: Value) -> Vec<Value> {
    let is_list = document.get("kind").and_then(Value::as_str).is_some_and(|kind| kind.ends_with("List"));
    match document.get("items") {
        Some(Value::Array(items)) if is_list => items.clone(),
        _ => vec![document],
    }
}

fn in_words(difference: &Difference) -> String {
    let mut text = String::new();
    for cluster in &difference.clusters {
        let name = if cluster.name.is_empty() { "other objects" } else { &cluster.name };
        text += &format!("{}/{name}\n", cluster.namespace);
        for line in &cluster.plan {
            text += &format!("  - {line}\n");
        }
        for change in &cluster.changes {
            text += &format!("  {:<8}  {}\n", change.class.as_str(), described(change));
        }
        let mut remedies: Vec<(&str, &str)> =
            cluster.changes.iter().map(|change| (change.rule.id(), change.remedy)).collect();
        remedies.dedup();
        for (rule, remedy) in remedies.into_iter().filter(|(_, remedy)| *remedy != "Nothing to do.") {
            text += &format!("  {rule}: {remedy}\n");
        }
        text.push('\n');
    }
    text
}

fn described(change: &Change) -> String {
    let place = format!("{} {}", change.object, change.path);
    let rule = change.rule.id();
    let values = match (&change.before, &change.after) {
        (Some(before), Some(after)) if is_short(before) && is_short(after) => format!(": {before} -> {after}"),
        (None, Some(after)) if is_short(after) => format!(": added {after}"),
        (Some(before), None) if is_short(before) => format!(": removed {before}"),
        (None, None) => format!(": {}", if change.comes { "comes" } else { "goes" }),
        _ => return format!("{place} [{rule}]{}", lines(change)),
    };
    format!("{}{values} [{rule}]", place.trim_end())
}

fn is_short(value: &Value) -> bool {
    let text = value.to_string();
    text.len() <= 60 && !text.contains("\\n")
}

/// The lines of a text that come and go.
fn lines(change: &Change) -> String {
    let text = |value: &Option<Value>| match value {
        Some(Value::String(text)) => text.clone(),
        Some(other) => serde_json::to_string_pretty(other).unwrap_or_default(),
        None => String::new(),
    };
    let (before, after) = (text(&change.before), text(&change.after));
    let diff = similar::TextDiff::from_lines(before.as_str(), after.as_str());
    let changed = diff.iter_all_changes().filter(|line| line.tag() != similar::ChangeTag::Equal);
    let line = |line: similar::Change<&str>| format!("\n              {} {}", line.tag(), line.value().trim_end());
    changed.map(line).collect()
}
