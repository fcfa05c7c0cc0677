//! Selectors of labels and of fields.
//!
//! <https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/#label-selectors>

use serde_json::Value;

use crate::json::{entries, entry, items, text};
use crate::refusal::Refusal;

#[derive(Clone, Debug, PartialEq, Eq)]
enum Requirement {
    In(String, Vec<String>),
    NotIn(String, Vec<String>),
    Exists(String),
    Absent(String),
}

impl Requirement {
    fn holds(&self, labels: &Value) -> bool {
        let label = |key: &str| labels.get(key).and_then(Value::as_str);
        match self {
            Self::In(key, values) => label(key).is_some_and(|label| values.iter().any(|value| value == label)),
            Self::NotIn(key, values) => label(key).is_none_or(|label| values.iter().all(|value| value != label)),
            Self::Exists(key) => label(key).is_some(),
            Self::Absent(key) => label(key).is_none(),
        }
    }
}

/// Requirements that all have to hold; none means every object.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct LabelSelector(Vec<Requirement>);

impl LabelSelector {
    /// The selector of a query: `app=valkey,role in (primary, replica),!shard`.
    pub(crate) fn parse(text: &str) -> Result<Self, Refusal> {
        split_outside_brackets(text)
            .into_iter()
            .map(|part| requirement(part.trim()))
            .collect::<Result<_, _>>()
            .map(Self)
    }

    /// The selector that an object holds: `matchLabels` and `matchExpressions`.
    pub(crate) fn of(selector: &Value) -> Self {
        let labels = entries(selector, "/matchLabels");
        let labels = labels.map(|(key, value)| Requirement::In(key.to_owned(), vec![value.to_owned()]));
        let expressions = items(selector, "/matchExpressions").iter().filter_map(|expression| {
            let key = text(expression, "/key").to_owned();
            let values = items(expression, "/values").iter().filter_map(Value::as_str).map(str::to_owned).collect();
            match text(expression, "/operator") {
                "In" => Some(Requirement::In(key, values)),
                "NotIn" => Some(Requirement::NotIn(key, values)),
                "Exists" => Some(Requirement::Exists(key)),
                "DoesNotExist" => Some(Requirement::Absent(key)),
                _ => None,
            }
        });
        Self(labels.chain(expressions).collect())
    }

    pub(crate) fn matches(&self, object: &Value) -> bool {
        let labels = object.pointer("/metadata/labels").unwrap_or(&Value::Null);
        self.0.iter().all(|requirement| requirement.holds(labels))
    }

    /// The selector of a Service is a plain map.
    pub(crate) fn of_map(map: &Value) -> Self {
        let labels = entries(map, "");
        Self(labels.map(|(key, value)| Requirement::In(key.to_owned(), vec![value.to_owned()])).collect())
    }
}

fn split_outside_brackets(text: &str) -> Vec<&str> {
    let mut depth = 0_i32;
    let parts = text.split(move |letter| {
        match letter {
            '(' => depth += 1,
            ')' => depth -= 1,
            _ => {}
        }
        letter == ',' && depth == 0
    });
    parts.filter(|part| !part.trim().is_empty()).collect()
}

fn requirement(text: &str) -> Result<Requirement, Refusal> {
    let trimmed = |text: &str| text.trim().to_owned();
    let unreadable = || Refusal::bad_request(format!("unable to parse requirement: {text:?}"));
    let values = |list: &str| -> Option<Vec<String>> {
        let inside = list.trim().strip_prefix('(')?.strip_suffix(')')?;
        Some(inside.split(',').map(trimmed).collect())
    };
    if let Some((key, value)) = text.split_once("!=") {
        return Ok(Requirement::NotIn(trimmed(key), vec![trimmed(value)]));
    }
    if let Some((key, value)) = text.split_once("==").or_else(|| text.split_once('=')) {
        return Ok(Requirement::In(trimmed(key), vec![trimmed(value)]));
    }
    if let Some((key, list)) = text.split_once(" notin ") {
        return values(list).map(|values| Requirement::NotIn(trimmed(key), values)).ok_or_else(unreadable);
    }
    if let Some((key, list)) = text.split_once(" in ") {
        return values(list).map(|values| Requirement::In(trimmed(key), values)).ok_or_else(unreadable);
    }
    match text.strip_prefix('!') {
        Some(key) => Ok(Requirement::Absent(trimmed(key))),
        None if text.contains(char::is_whitespace) => Err(unreadable()),
        None => Ok(Requirement::Exists(text.to_owned())),
    }
}

/// Fields that have to have, or not to have, a value. Kubernetes knows few of them for each kind; here, every path will do.
/// <https://kubernetes.io/docs/concepts/overview/working-with-objects/field-selectors/>
#[derive(Clone, Debug, Default)]
pub(crate) struct FieldSelector(Vec<(String, bool, String)>);

impl FieldSelector {
    pub(crate) fn parse(text: &str) -> Result<Self, Refusal> {
        let parts = text.split(',').filter(|part| !part.is_empty()).map(|part| {
            let unreadable = || Refusal::bad_request(format!("invalid selector: {part:?}; can't understand it"));
            let unequal = part.split_once("!=").map(|(path, value)| (path, false, value));
            let equal = || part.split_once('=').map(|(path, value)| (path, true, value.trim_start_matches('=')));
            let (path, wanted, value) = unequal.or_else(equal).ok_or_else(unreadable)?;
            Ok((format!("/{}", path.trim().replace('.', "/")), wanted, value.trim().to_owned()))
        });
        parts.collect::<Result<_, _>>().map(Self)
    }

    pub(crate) fn matches(&self, object: &Value) -> bool {
        self.0.iter().all(|(path, wanted, value)| (written(object, path) == *value) == *wanted)
    }

    /// The one name that is selected, if there is one.
    pub(crate) fn name(&self) -> Option<&str> {
        let named = self.0.iter().find(|(path, wanted, _)| *wanted && path == "/metadata/name");
        named.map(|(_, _, name)| name.as_str())
    }
}

fn written(object: &Value, path: &str) -> String {
    match object.pointer(path) {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Bool(flag)) => flag.to_string(),
        Some(Value::Number(number)) => number.to_string(),
        Some(Value::Null | Value::Array(_) | Value::Object(_)) | None => String::new(),
    }
}

/// Both selectors of a query.
#[derive(Clone, Debug, Default)]
pub(crate) struct Selection {
    labels: LabelSelector,
    pub(crate) fields: FieldSelector,
}

impl Selection {
    pub(crate) fn of(query: &super::request::Query) -> Result<Self, Refusal> {
        let labels = LabelSelector::parse(query.get("labelSelector"))?;
        Ok(Self { labels, fields: FieldSelector::parse(query.get("fieldSelector"))? })
    }

    pub(crate) fn matches(&self, object: &Value) -> bool {
        self.labels.matches(object) && self.fields.matches(object)
    }
}

/// Whether the labels that a host carries are those that a pod asks for.
pub(crate) fn carries_all(object: &Value, wanted: &Value) -> bool {
    entries(wanted, "").all(|(key, value)| entry(object, "/metadata/labels", key) == value)
}
