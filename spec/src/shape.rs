//! Holds a tree against the schema and finds everything that does not fit: unknown, missing and mistyped fields, wrong words.
//!
//! What fits is returned, so that the meaning of the rest can still be checked: one run names all that is wrong with a file.

use std::ops::Range;

use serde_json::{Map, Value as Json};

use crate::node::{Entry, Node, Value};
use crate::problem::{Complaint, Path, Problem};
use crate::suggest;
use crate::text;

/// What of the node fits the schema; what does not is added to the problems.
pub(crate) fn fit(node: &Node, schema: &Json, problems: &mut Vec<Problem>) -> Json {
    let mut fitting = Fitting { problems };
    fitting.node(node, &node.span, schema, &Path::default()).unwrap_or(Json::Null)
}

/// The same as JSON, whether it fits or not.
pub(crate) fn plainly(node: &Node) -> Json {
    match &node.value {
        Value::Null => Json::Null,
        Value::Bool(flag) => (*flag).into(),
        Value::Integer(number) => (*number).into(),
        Value::Float(number) => number.parse::<f64>().unwrap_or_default().into(),
        Value::Text(text) => text.as_str().into(),
        Value::List(elements) => elements.iter().map(plainly).collect(),
        Value::Map(entries) => entries.iter().map(|entry| (entry.key.clone(), plainly(&entry.node))).collect(),
    }
}

struct Fitting<'p> {
    problems: &'p mut Vec<Problem>,
}

impl Fitting<'_> {
    fn node(&mut self, node: &Node, span: &Range<usize>, schema: &Json, path: &Path) -> Option<Json> {
        if !fits_type(&node.value, schema) {
            self.complain(path, span, mistyped(&node.value, schema));
            return None;
        }
        match &node.value {
            Value::Map(entries) => Some(self.map(node, entries, schema, path)),
            Value::List(elements) => {
                let items = schema.get("items").unwrap_or(&Json::Bool(true));
                let fit =
                    |(index, element): (usize, &Node)| self.node(element, &element.span, items, &path.index(index));
                Some(elements.iter().enumerate().filter_map(fit).collect())
            }
            Value::Text(text) => self.text(text, span, schema, path),
            Value::Integer(number) if !fits_width(*number, schema) => {
                self.complain(path, span, out_of_range(*number, schema));
                None
            }
            Value::Null | Value::Bool(_) | Value::Integer(_) | Value::Float(_) => Some(plainly(node)),
        }
    }

    fn map(&mut self, node: &Node, entries: &[Entry], schema: &Json, path: &Path) -> Json {
        let empty = Map::new();
        let properties = schema.get("properties").and_then(Json::as_object).unwrap_or(&empty);
        let others = schema.get("additionalProperties").unwrap_or(&Json::Bool(true));
        let mut fitting = Map::new();
        for entry in entries {
            let at = path.key(&entry.key);
            let known = properties.get(&entry.key).or_else(|| (*others != Json::Bool(false)).then_some(others));
            match known {
                // A field without a value is a field left out: its lines are commented out, or not written yet.
                Some(_) if entry.node.value == Value::Null && properties.contains_key(&entry.key) => {}
                Some(known) => {
                    if let Some(value) = self.node(&entry.node, &entry.pointed_at(), known, &at) {
                        fitting.insert(entry.key.clone(), value);
                    }
                }
                None => self.complain(&at, &entry.key_span, unknown(&entry.key, properties)),
            }
        }
        self.require(node, entries, schema, path);
        Json::Object(fitting)
    }

    fn require(&mut self, node: &Node, entries: &[Entry], schema: &Json, path: &Path) {
        let required = schema.get("required").and_then(Json::as_array).into_iter().flatten().filter_map(Json::as_str);
        for name in required {
            let given = entries.iter().any(|entry| entry.key == name && entry.node.value != Value::Null);
            if !given {
                let description = schema.pointer(&format!("/properties/{name}/description")).and_then(Json::as_str);
                let hint = format!("add it: {}", description.unwrap_or("it is required"));
                let span = if path.is_empty() {
                    node.span.start..node.span.start
                } else {
                    node.span.start..node.span.start + 1
                };
                self.complain(&path.key(name), &span, Complaint::new("is missing", hint));
            }
        }
    }

    fn text(&mut self, text: &str, span: &Range<usize>, schema: &Json, path: &Path) -> Option<Json> {
        let complaint = match (words_of(schema), schema.get("format").and_then(Json::as_str)) {
            (Some(words), _) if !words.contains(&text) => Some(suggest::not_one_of(text, &words)),
            (_, Some(format)) => text::complaint_about(format, text),
            _ => None,
        };
        match complaint {
            Some(complaint) => {
                self.complain(path, span, complaint);
                None
            }
            None => Some(text.into()),
        }
    }

    /// Once is enough: what a scalar may be taken for has been said when it was read.
    fn complain(&mut self, path: &Path, span: &Range<usize>, complaint: Complaint) {
        if self.problems.iter().any(|problem| problem.path == *path) {
            return;
        }
        self.problems.push(Problem { path: path.clone(), complaint, span: Some(span.clone()) });
    }
}

fn words_of(schema: &Json) -> Option<Vec<&str>> {
    schema.get("enum")?.as_array().map(|words| words.iter().filter_map(Json::as_str).collect())
}

fn unknown(key: &str, properties: &Map<String, Json>) -> Complaint {
    let hint = match suggest::closest(key, properties.keys().map(String::as_str)) {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("the fields here are {}", properties.keys().cloned().collect::<Vec<_>>().join(", ")),
    };
    Complaint::new("there is no such field", hint)
}

fn fits_type(value: &Value, schema: &Json) -> bool {
    types_of(schema).is_none_or(|types| match value {
        Value::Null => false,
        Value::Bool(_) => types.contains(&"boolean"),
        Value::Integer(_) => types.contains(&"integer"),
        Value::Float(_) => types.contains(&"number"),
        Value::Text(_) => types.contains(&"string"),
        Value::List(_) => types.contains(&"array"),
        Value::Map(_) => types.contains(&"object"),
    })
}

fn types_of(schema: &Json) -> Option<Vec<&str>> {
    match schema.get("type")? {
        Json::String(name) => Some(vec![name]),
        Json::Array(names) => Some(names.iter().filter_map(Json::as_str).collect()),
        _ => None,
    }
}

/// Whether the number can be held by the field's type at all; narrower ranges are a matter of meaning.
fn fits_width(number: i64, schema: &Json) -> bool {
    match schema.get("format").and_then(Json::as_str) {
        Some("uint8") => u8::try_from(number).is_ok(),
        Some("uint16") => u16::try_from(number).is_ok(),
        Some("uint32") => u32::try_from(number).is_ok(),
        _ => true,
    }
}

fn out_of_range(number: i64, schema: &Json) -> Complaint {
    let bound = |key: &str| schema.get(key).and_then(Json::as_i64);
    match (bound("minimum"), bound("maximum")) {
        (Some(least), Some(most)) => {
            let message = format!("{number} is not between {least} and {most}");
            Complaint::new(message, format!("write a whole number from {least} to {most}"))
        }
        _ => Complaint::new(format!("{number} is out of range"), "see `valkey-render explain` for what fits"),
    }
}

fn mistyped(value: &Value, schema: &Json) -> Complaint {
    // A number where a duration or quantity is wanted lacks more than quotes.
    if let (Value::Integer(number), Some(format)) = (value, schema.get("format").and_then(Json::as_str))
        && let Some(complaint) = text::complaint_about(format, &number.to_string())
    {
        return complaint;
    }
    let types = types_of(schema).unwrap_or_default();
    let wanted = types.iter().map(|name| in_words(name)).collect::<Vec<_>>().join(" or ");
    let (found, hint) = match value {
        Value::Null => ("nothing".to_owned(), format!("write {wanted}, or remove it")),
        Value::Bool(flag) if types.contains(&"string") => {
            let word = if *flag { "yes" } else { "no" };
            (format!("the boolean {flag}"), format!("put it in quotes: \"{flag}\", or \"{word}\" for a directive"))
        }
        Value::Integer(number) if types.contains(&"string") => {
            (format!("the number {number}"), format!("put it in quotes: \"{number}\""))
        }
        Value::Float(number) if types.contains(&"string") => {
            (format!("the number {number}"), format!("put it in quotes: \"{number}\""))
        }
        Value::Bool(flag) => (format!("the boolean {flag}"), format!("write {wanted}")),
        Value::Integer(number) => (format!("the number {number}"), format!("write {wanted}")),
        Value::Float(number) => (format!("the number {number}"), format!("write {wanted}")),
        Value::Text(text) if types.contains(&"integer") && text.parse::<i64>().is_ok() => {
            (format!("the text \"{text}\""), format!("remove the quotes: {text}"))
        }
        Value::Text(text) if types.contains(&"boolean") => {
            (format!("the text \"{text}\""), "write true or false".to_owned())
        }
        Value::Text(text) => (format!("the text \"{text}\""), format!("write {wanted}")),
        Value::List(_) => ("a list".to_owned(), format!("write {wanted}")),
        Value::Map(_) => ("a map".to_owned(), format!("write {wanted}")),
    };
    Complaint::new(format!("is {found}, and has to be {wanted}"), hint)
}

fn in_words(name: &str) -> &str {
    match name {
        "integer" => "a whole number",
        "number" => "a number",
        "string" => "text",
        "boolean" => "true or false",
        "array" => "a list",
        "object" => "a map of fields",
        other => other,
    }
}
