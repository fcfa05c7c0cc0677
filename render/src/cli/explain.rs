//! What a field means, from the schema.

use std::process::ExitCode;

use serde_json::{Map, Value};
use spec::Series;
use spec::directives::Directive;

use super::failure::Failure;
use super::output;

/// Prints what the field at this dotted path means; the whole spec for an empty path.
pub(crate) fn run(path: &str) -> Result<ExitCode, Failure> {
    if let Some(name) = path.strip_prefix(DIRECTIVES) {
        output::to_stdout(&directive(path, name)?)?;
        return Ok(ExitCode::SUCCESS);
    }
    let schema = spec::json_schema();
    let whole = Field { schema: &schema, default: None };
    let field = path.split('.').filter(|key| !key.is_empty()).try_fold(whole, Field::step)?;
    output::to_stdout(&field.page(if path.is_empty() { "ValkeyCluster" } else { path }))?;
    Ok(ExitCode::SUCCESS)
}

/// A directive may have dots in its name; all that stands behind this is one.
const DIRECTIVES: &str = "spec.config.";

/// What the series that let a spec set the directive say of it; why it may not be set, if none does.
fn directive(path: &str, name: &str) -> Result<String, Failure> {
    let facts = known_of(name);
    if facts.is_empty() {
        return Err(not_settable(path, name));
    }
    let said = |(fact, series): (String, Vec<&str>)| format!("\n  Valkey {}: {fact}\n", series.join(", "));
    Ok(format!("{path} (directive)\n") + &facts.into_iter().map(said).collect::<String>())
}

/// Each thing that is said of a directive, with the series that say it, the newest first.
fn known_of(name: &str) -> Vec<(String, Vec<&'static str>)> {
    let mut facts: Vec<(String, Vec<&str>)> = Vec::new();
    for series in Series::ALL.into_iter().rev() {
        let Ok(directive) = spec::settable(name, series) else { continue };
        let said = said_of(&directive);
        match facts.iter_mut().find(|(fact, _)| *fact == said) {
            Some((_, known)) => known.push(series.as_str()),
            None => facts.push((said, vec![series.as_str()])),
        }
    }
    facts
}

fn not_settable(path: &str, name: &str) -> Failure {
    let refused = Series::ALL.into_iter().rev().find_map(|series| spec::settable(name, series).err());
    let said = refused.map(|refused| format!("{}: {}", refused.message, refused.hint.unwrap_or_default()));
    Failure::Usage(format!("{path} {}", said.unwrap_or_default()))
}

fn said_of(directive: &Directive) -> String {
    let changed = if directive.live { "changed live" } else { "changed by a restart" };
    let default = if directive.default.is_empty() { "\"\"" } else { directive.default };
    format!("{}; {changed}\n  default: {default}", directive.kind)
}

/// A field, and its default: a part of that of the group around it, where that has one.
#[derive(Clone, Copy)]
struct Field<'s> {
    schema: &'s Value,
    default: Option<&'s Value>,
}

impl<'s> Field<'s> {
    /// Into a field, or through a list into the fields of its elements.
    fn step(self, key: &str) -> Result<Self, Failure> {
        let named = self.properties().and_then(|properties| properties.get(key));
        let any = || self.elements().get("additionalProperties").filter(|value| value.is_object());
        let found = named.or_else(any).ok_or_else(|| self.without(key))?;
        Ok(self.within(key, found))
    }

    fn within(self, name: &str, schema: &'s Value) -> Self {
        let part = self.default.and_then(|group| group.get(name));
        Self { schema, default: part.or_else(|| schema.get("default")).or_else(|| schema.get("x-default")) }
    }

    fn without(self, key: &str) -> Failure {
        let names = self.properties().into_iter().flat_map(|properties| properties.keys()).map(String::as_str);
        let hint = match spec::closest(key, names.clone()) {
            Some(near) => format!("did you mean `{near}`?"),
            None if self.properties().is_none() => "there is nothing below it".to_owned(),
            None => format!("the fields here are {}", names.collect::<Vec<_>>().join(", ")),
        };
        Failure::Usage(format!("there is no field `{key}`: {hint}"))
    }

    fn elements(self) -> &'s Value {
        self.schema.get("items").unwrap_or(self.schema)
    }

    fn properties(self) -> Option<&'s Map<String, Value>> {
        self.elements().get("properties").and_then(Value::as_object)
    }

    fn description(self) -> &'s str {
        self.schema.get("description").and_then(Value::as_str).unwrap_or_default()
    }

    /// That of a group is said of its fields.
    fn own_default(self) -> Option<&'s Value> {
        let is_group = self.schema.get("properties").is_some();
        self.default.filter(|default| default.as_object().is_none_or(|values| !values.is_empty() && !is_group))
    }

    fn page(self, path: &str) -> String {
        let mut page = format!("{path} ({})\n\n  {}\n", type_of(self.schema), self.description());
        for fact in self.facts() {
            page += &format!("\n  {fact}");
        }
        page += &self.fields();
        page.trim_end().to_owned() + "\n"
    }

    fn fields(self) -> String {
        let required = self.elements().get("required").and_then(Value::as_array);
        let is_required = |name: &str| required.is_some_and(|names| names.iter().any(|needed| needed == name));
        let mut listed = String::new();
        for (name, schema) in self.properties().into_iter().flatten() {
            let field = self.within(name, schema);
            let otherwise = match field.own_default() {
                _ if is_required(name) => ", required".to_owned(),
                Some(default) => format!(", default {default}"),
                None => String::new(),
            };
            listed += &format!("    {name} ({}{otherwise})\n      {}\n", type_of(schema), field.description());
        }
        if listed.is_empty() { listed } else { format!("\n  fields:\n{listed}") }
    }

    fn facts(self) -> Vec<String> {
        let meanings = self.schema.get("x-meanings").and_then(Value::as_array).into_iter().flatten();
        let mut facts: Vec<String> = meanings.filter_map(Value::as_str).map(str::to_owned).collect();
        let bound = |key: &str| self.schema.get(key).and_then(Value::as_i64);
        if let (Some(least), Some(most)) = (bound("minimum"), bound("maximum")) {
            facts.push(format!("from {least} to {most}"));
        }
        facts.extend(self.own_default().map(|default| format!("default: {default}")));
        facts.extend(self.schema.pointer("/examples/0").map(|example| format!("example: {example}")));
        if !facts.is_empty() {
            facts.push(String::new());
        }
        facts
    }
}

fn type_of(schema: &Value) -> String {
    match schema.get("type") {
        Some(Value::String(name)) if name == "array" => {
            format!("list of {}", schema.get("items").map_or_else(String::new, type_of))
        }
        Some(Value::String(_)) if schema.get("additionalProperties").is_some_and(Value::is_object) => {
            format!("map of {}", schema.get("additionalProperties").map_or_else(String::new, type_of))
        }
        Some(Value::String(name)) => {
            schema.get("format").and_then(Value::as_str).filter(|_| name == "string").unwrap_or(name).to_owned()
        }
        Some(Value::Array(names)) => names.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(" or "),
        _ => "any".to_owned(),
    }
}
