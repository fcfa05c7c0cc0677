//! Compares two sides and says what the change does.

use std::process::ExitCode;

use render::Renderer;
use render::diff::{Change, Difference};
use serde_json::Value;

use super::arguments::{DiffArguments, DiffFormat};
use super::failure::Failure;
use super::markdown;
use super::output;
use super::side::Given;

pub(crate) fn run(arguments: &DiffArguments) -> Result<ExitCode, Failure> {
    let difference = difference(arguments)?;
    let text = match arguments.format {
        DiffFormat::Text => in_words(&difference),
        DiffFormat::Json => output::pretty(&difference)?,
        DiffFormat::Markdown => markdown::comment(&difference, &arguments.allow),
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

fn difference(arguments: &DiffArguments) -> Result<Difference, Failure> {
    if arguments.old == "-" && arguments.new == "-" {
        return Err(Failure::Usage("standard input can be one side; give a file for the other".to_owned()));
    }
    let namespace = arguments.namespace.as_ref();
    let read = |side| Given::read(side, namespace, arguments.allow_empty);
    let (old, new) = (read(&arguments.old)?, read(&arguments.new)?);
    let mut renderer = Renderer::with(arguments.desired_state.into());
    old.compare(new, &mut renderer)
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
        _ => {
            let changed: String = lines(change).iter().map(|line| format!("\n              {line}")).collect();
            return format!("{place} [{rule}]{changed}");
        }
    };
    format!("{}{values} [{rule}]", place.trim_end())
}

pub(super) fn is_short(value: &Value) -> bool {
    let text = value.to_string();
    text.len() <= 60 && !text.contains("\\n")
}

/// The lines of a text that come and go.
pub(super) fn lines(change: &Change) -> Vec<String> {
    let text = |value: &Option<Value>| match value {
        Some(Value::String(text)) => text.clone(),
        Some(other) => serde_json::to_string_pretty(other).unwrap_or_default(),
        None => String::new(),
    };
    let (before, after) = (text(&change.before), text(&change.after));
    let diff = similar::TextDiff::from_lines(before.as_str(), after.as_str());
    let changed = diff.iter_all_changes().filter(|line| line.tag() != similar::ChangeTag::Equal);
    let line = |line: similar::Change<&str>| format!("{} {}", line.tag(), line.value().trim_end());
    changed.map(line).collect()
}
