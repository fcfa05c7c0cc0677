//! What the API server does with a custom resource, as far as ours needs it: fills in defaults, holds values against the schema, and
//! runs the rules.

use std::cell::RefCell;
use std::collections::{BTreeSet, HashMap};
use std::rc::Rc;
use std::sync::Arc;

use cel::extractors::This;
use cel::{Context, ExecutionError, Program};
use serde_json::{Map, Value, json};

/// The words that a structural schema of ours may use.
const WORDS: [&str; 20] = [
    "additionalProperties",
    "default",
    "description",
    "enum",
    "format",
    "items",
    "maxItems",
    "maxLength",
    "maxProperties",
    "maximum",
    "minimum",
    "pattern",
    "properties",
    "required",
    "type",
    "x-kubernetes-int-or-string",
    "x-kubernetes-list-map-keys",
    "x-kubernetes-list-type",
    "x-kubernetes-validations",
    "nullable",
];

pub(crate) struct Definition(Value);

impl Definition {
    pub(crate) fn ours() -> Self {
        Self(spec::custom_resource_definition())
    }

    pub(crate) fn schema(&self) -> &Value {
        &self.0["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    }

    fn rules(&self) -> Vec<Value> {
        let mut found = Vec::new();
        gather(self.schema(), &mut found);
        found
    }

    /// The names of the rules about changes.
    pub(crate) fn transitions(&self) -> BTreeSet<String> {
        let rules = self.rules().into_iter().filter(|rule| rule["rule"].as_str().unwrap().contains("oldSelf"));
        rules.map(|rule| rule["message"].as_str().unwrap().split(':').next().unwrap().to_owned()).collect()
    }

    /// The messages of the other rules.
    pub(crate) fn static_rules(&self) -> BTreeSet<String> {
        let rules = self.rules().into_iter().filter(|rule| !rule["rule"].as_str().unwrap().contains("oldSelf"));
        rules.map(|rule| rule["message"].as_str().unwrap().to_owned()).collect()
    }

    /// The messages of the rules that an object breaks, whatever its schema says.
    pub(crate) fn broken(&self, object: &Value, before: Option<&Value>) -> Vec<String> {
        let object = filled(self.schema(), object);
        let before = before.map(|before| filled(self.schema(), before));
        let mut found = Vec::new();
        run(self.schema(), &object, before.as_ref(), &mut found);
        found
    }

    /// Whether the API server would let a directive be set to this, by one version: the pattern and the rules that name it are asked.
    pub(crate) fn takes(&self, version: &str, name: &str, value: &str) -> bool {
        let spec = json!({"version": version, "config": {name: value}});
        let quoted = format!("'{name}'");
        let schema = &self.schema()["properties"]["spec"];
        let rules = schema["x-kubernetes-validations"].as_array().unwrap().iter();
        let mut about = rules.filter(|rule| rule["rule"].as_str().unwrap().contains(&quoted));
        let value = &spec["config"][name];
        wrong(&schema["properties"]["config"]["additionalProperties"], value).is_none()
            && about.all(|rule| evaluate(rule, &spec, None).is_none())
    }

    /// What breaks the rules of structural schemas.
    pub(crate) fn what_is_not_structural(&self) -> Vec<String> {
        let mut found = Vec::new();
        structure(self.schema(), "", &mut found);
        found
    }
}

fn gather(schema: &Value, found: &mut Vec<Value>) {
    match schema {
        Value::Object(fields) => {
            found.extend(
                fields.get("x-kubernetes-validations").and_then(Value::as_array).into_iter().flatten().cloned(),
            );
            fields.values().for_each(|inner| gather(inner, found));
        }
        Value::Array(elements) => elements.iter().for_each(|inner| gather(inner, found)),
        _ => {}
    }
}

/// <https://kubernetes.io/docs/tasks/extend-kubernetes/custom-resources/custom-resource-definitions/#specifying-a-structural-schema>
fn structure(schema: &Value, at: &str, found: &mut Vec<String>) {
    let fields = schema.as_object().unwrap();
    let mut complain = |what: &str| found.push(format!("{at}: {what}"));
    fields.keys().filter(|word| !WORDS.contains(&word.as_str())).for_each(|word| complain(&format!("has {word}")));
    let is_either = fields.get("x-kubernetes-int-or-string") == Some(&json!(true));
    if is_either == fields.get("type").is_some_and(Value::is_string) {
        complain("has no type, or two");
    }
    if fields.contains_key("properties") && fields.contains_key("additionalProperties") {
        complain("has properties and others");
    }
    if fields.get("type") == Some(&json!("array")) && !fields.get("items").is_some_and(Value::is_object) {
        complain("is a list of anything");
    }
    if fields.get("type") == Some(&json!("object")) && at != "/metadata" {
        let has_any = fields.contains_key("properties") || fields.contains_key("additionalProperties");
        if !has_any {
            complain("is a map of anything");
        }
    }
    if let Some(default) = fields.get("default") {
        let mut complaints = Vec::new();
        values(schema, &filled(schema, default), "default", &mut complaints);
        complaints.iter().for_each(|said| complain(said));
    }
    for (name, inner) in properties(schema) {
        structure(inner, &format!("{at}/{name}"), found);
    }
    for word in ["items", "additionalProperties"] {
        schema.get(word).into_iter().for_each(|inner| structure(inner, &format!("{at}/{word}"), found));
    }
}

fn properties(schema: &Value) -> impl Iterator<Item = (&String, &Value)> {
    schema.get("properties").and_then(Value::as_object).into_iter().flatten()
}

/// The object with every default of its schema.
pub(crate) fn filled(schema: &Value, value: &Value) -> Value {
    match value {
        Value::Object(fields) => {
            let mut fields: Map<String, Value> = fields.clone();
            for (name, inner) in properties(schema) {
                if !fields.contains_key(name)
                    && let Some(default) = inner.get("default")
                {
                    fields.insert(name.clone(), default.clone());
                }
            }
            let inner = |name: &str| schema["properties"].get(name).or_else(|| schema.get("additionalProperties"));
            let fill = |(name, value): (String, Value)| {
                let value = inner(&name).map_or_else(|| value.clone(), |inner| filled(inner, &value));
                (name, value)
            };
            Value::Object(fields.into_iter().map(fill).collect())
        }
        Value::Array(elements) => elements.iter().map(|element| filled(&schema["items"], element)).collect(),
        other => other.clone(),
    }
}

/// Everything that the API server would say against an object, or against the change to it.
pub(crate) fn complaints(definition: &Definition, object: &Value, before: Option<&Value>) -> Vec<String> {
    let mut found = Vec::new();
    values(definition.schema(), &filled(definition.schema(), object), "", &mut found);
    if found.is_empty() {
        found = definition.broken(object, before);
    }
    found
}

fn values(schema: &Value, value: &Value, at: &str, found: &mut Vec<String>) {
    if let Some(said) = wrong(schema, value) {
        found.push(format!("{at} {said}"));
        return;
    }
    match value {
        Value::Object(fields) => {
            for required in schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str) {
                if !fields.contains_key(required) {
                    found.push(format!("{at}/{required} is missing"));
                }
            }
            let is_open = schema.get("properties").is_none() || at == "/metadata";
            for (name, value) in fields {
                let others = schema.get("additionalProperties");
                match schema["properties"].get(name).or(others) {
                    Some(inner) => values(inner, value, &format!("{at}/{name}"), found),
                    None if is_open => {}
                    None => found.push(format!("{at}/{name} is not known")),
                }
            }
        }
        Value::Array(elements) => {
            for (index, element) in elements.iter().enumerate() {
                values(&schema["items"], element, &format!("{at}/{index}"), found);
                if schema["x-kubernetes-list-type"] == "set" && elements[..index].contains(element) {
                    found.push(format!("{at}/{index} is there twice"));
                }
            }
        }
        _ => {}
    }
}

fn wrong(schema: &Value, value: &Value) -> Option<String> {
    let kind = match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(number) if number.is_f64() => "number",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    };
    let fits = match schema.get("type") {
        Some(wanted) => wanted == kind,
        None => ["integer", "string"].contains(&kind),
    };
    if !fits {
        return Some(format!("is of type {kind}"));
    }
    let bound = |word: &str| schema.get(word).and_then(Value::as_i64);
    let length = match value {
        Value::String(text) => Some(("maxLength", text.chars().count())),
        Value::Array(elements) => Some(("maxItems", elements.len())),
        Value::Object(fields) => Some(("maxProperties", fields.len())),
        _ => None,
    };
    let is_long = |(word, length): (&str, usize)| bound(word).is_some_and(|most| i64::try_from(length).unwrap() > most);
    let number = value.as_i64();
    let is_wrong = length.is_some_and(is_long)
        || number.zip(bound("minimum")).is_some_and(|(number, least)| number < least)
        || number.zip(bound("maximum")).is_some_and(|(number, most)| number > most)
        || schema.get("enum").and_then(Value::as_array).is_some_and(|words| !words.contains(value))
        || !matches(schema.get("pattern"), value);
    is_wrong.then(|| format!("does not take {value}"))
}

fn matches(pattern: Option<&Value>, value: &Value) -> bool {
    let (Some(pattern), Some(text)) = (pattern.and_then(Value::as_str), value.as_str()) else { return true };
    let arguments = [("text", text), ("pattern", pattern)];
    let mut context = Context::default();
    arguments.iter().for_each(|(name, value)| context.add_variable_from_value(*name, (*value).to_owned()));
    compiled("text.matches(pattern)").execute(&context).unwrap() == true.into()
}

fn run(schema: &Value, value: &Value, before: Option<&Value>, found: &mut Vec<String>) {
    for rule in schema.get("x-kubernetes-validations").and_then(Value::as_array).into_iter().flatten() {
        if let Some(said) = evaluate(rule, value, before) {
            found.push(said);
        }
    }
    for (name, inner) in properties(schema) {
        if let Some(value) = value.get(name) {
            run(inner, value, before.and_then(|before| before.get(name)), found);
        }
    }
    for element in value.as_array().into_iter().flatten() {
        run(&schema["items"], element, None, found);
    }
}

/// A rule is compiled once, for it is run on many objects.
fn compiled(text: &str) -> Rc<Program> {
    thread_local!(static PROGRAMS: RefCell<HashMap<String, Rc<Program>>> = RefCell::default());
    let compile = || Rc::new(Program::compile(text).unwrap_or_else(|error| panic!("{text}: {error}")));
    PROGRAMS.with_borrow_mut(|programs| Rc::clone(programs.entry(text.to_owned()).or_insert_with(compile)))
}

/// The message of a rule that does not hold. An error is a refusal, as on the API server.
fn evaluate(rule: &Value, value: &Value, before: Option<&Value>) -> Option<String> {
    let text = rule["rule"].as_str().unwrap();
    if text.contains("oldSelf") && before.is_none() {
        return None;
    }
    let mut context = Context::default();
    context.add_variable("self", value).unwrap();
    if let Some(before) = before {
        context.add_variable("oldSelf", before).unwrap();
    }
    // Quantities stay texts, which compare by what they say.
    context.add_function("lowerAscii", |This(text): This<Arc<String>>| Arc::new(text.to_ascii_lowercase())).unwrap();
    context.add_function("replace", replace).unwrap();
    context.add_function("quantity", |text: Arc<String>| text).unwrap();
    context.add_function("compareTo", compare).unwrap();
    let program = compiled(text);
    let message = rule["message"].as_str().unwrap().to_owned();
    match program.execute(&context) {
        Ok(value) if value == true.into() => None,
        Ok(value) if value == false.into() => Some(message),
        other => Some(format!("{message}: {other:?}")),
    }
}

#[allow(clippy::needless_pass_by_value, reason = "what the interpreter calls is called with values")]
fn compare(This(one): This<Arc<String>>, other: Arc<String>) -> Result<i64, ExecutionError> {
    let read = |text: &str| {
        billionths(text).ok_or_else(|| ExecutionError::function_error("compareTo", format!("{text} is no quantity")))
    };
    Ok(read(&one)?.cmp(&read(&other)?) as i64)
}

#[allow(clippy::needless_pass_by_value, reason = "what the interpreter calls is called with values")]
fn replace(This(text): This<Arc<String>>, old: Arc<String>, new: Arc<String>) -> Arc<String> {
    Arc::new(text.replace(old.as_str(), &new))
}

/// <https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/quantity/>
fn billionths(quantity: &str) -> Option<i128> {
    let end = quantity.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(quantity.len());
    let (number, unit) = quantity.split_at(end);
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let number: i128 = format!("{whole}{fraction:0<9}").parse().ok()?;
    let power = |base: i128, units: &str| Some(base.pow(u32::try_from(units.find(unit.get(..1)?)?).ok()? + 1));
    match unit {
        "" => Some(number),
        "n" | "u" | "m" => Some(number / power(1000, "mun")?),
        _ if unit.ends_with('i') => Some((number * power(1024, "KMGTPE")?).min(i128::from(i64::MAX) * 1_000_000_000)),
        _ => Some(number * power(1000, "kMGTPE")?),
    }
}
