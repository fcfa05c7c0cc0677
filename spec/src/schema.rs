//! The JSON Schema of a spec, made from the types that read it.

use schemars::generate::SchemaSettings;
use schemars::transform::{Transform, transform_subschemas};
use schemars::{JsonSchema, Schema};
use serde_json::{Value, json};

use crate::wire::ValkeyCluster;

/// Where the schema stands for editors to find: it is a part of the repository.
pub const SCHEMA_ID: &str =
    "https://raw.githubusercontent.com/valkey-gitops/valkey-gitops/main/deploy/schema/valkeycluster_v1alpha1.json";

/// How many entries a list or map may have. The API server reckons with the worst before it takes a rule, so that everything that a
/// rule looks at has to have a bound; no cluster comes near them.
pub(crate) const MOST_ENTRIES: usize = 64;
/// Directives, of which there are more.
pub(crate) const MOST_DIRECTIVES: usize = 256;

/// The schema of a `ValkeyCluster`, in draft 7, which is what editors understand; without references, so that it reads top down.
#[must_use]
pub fn json_schema() -> Value {
    let mut schema = schema_of::<ValkeyCluster>();
    schema.insert("$schema".to_owned(), json!("http://json-schema.org/draft-07/schema#"));
    schema.insert("$id".to_owned(), json!(SCHEMA_ID));
    schema.insert("title".to_owned(), json!("ValkeyCluster"));
    schema.to_value()
}

/// The same of a part.
pub(crate) fn json_schema_of<T: JsonSchema>() -> Value {
    schema_of::<T>().to_value()
}

fn schema_of<T: JsonSchema>() -> Schema {
    let settings = SchemaSettings::draft07().with(|settings| settings.inline_subschemas = true).with_transform(Plainly);
    let mut generator = settings.into_generator();
    let mut schema = T::json_schema(&mut generator);
    Plainly.transform(&mut schema);
    schema
}

/// Says things in one way where schemars has several: an optional field is one that is not required, never one that may be null,
/// and a choice of words is an `enum`.
#[derive(Clone)]
struct Plainly;

impl Transform for Plainly {
    fn transform(&mut self, schema: &mut Schema) {
        if let Some(only) = without_null(schema) {
            merge(schema, "anyOf", only);
        }
        if let Some(only) = single_reference(schema) {
            merge(schema, "allOf", only);
        }
        choose_by_enum(schema);
        drop_null_type(schema);
        unwrap_description(schema);
        bound(schema);
        transform_subschemas(self, schema);
    }
}

/// The one alternative that is left when null is taken away.
fn without_null(schema: &Schema) -> Option<Value> {
    let alternatives = schema.get("anyOf")?.as_array()?;
    match alternatives.as_slice() {
        [only, null] if null.get("type") == Some(&json!("null")) => Some(only.clone()),
        _ => None,
    }
}

fn single_reference(schema: &Schema) -> Option<Value> {
    match schema.get("allOf")?.as_array()?.as_slice() {
        [only] => Some(only.clone()),
        _ => None,
    }
}

/// Puts the fields of `inner` beside those that stand around it; what the field says of itself wins over what its type says.
fn merge(schema: &mut Schema, keyword: &str, inner: Value) {
    schema.remove(keyword);
    if let Value::Object(fields) = inner {
        for (key, value) in fields {
            schema.ensure_object().entry(key).or_insert(value);
        }
    }
}

/// `oneOf` of constants, which schemars writes for documented variants, as an `enum`; what each means joins the description.
fn choose_by_enum(schema: &mut Schema) {
    let Some(Value::Array(variants)) = schema.get("oneOf").cloned() else {
        return;
    };
    let words: Vec<Value> = variants.iter().filter_map(|variant| variant.get("const").cloned()).collect();
    if words.len() != variants.len() {
        return;
    }
    let meaning = |variant: &Value| {
        let word = variant.get("const")?.as_str()?;
        let text = variant.get("description")?.as_str()?;
        Some(format!("`{word}`: {text}"))
    };
    let meanings: Vec<String> = variants.iter().filter_map(meaning).collect();
    schema.remove("oneOf");
    schema.insert("type".to_owned(), json!("string"));
    schema.insert("enum".to_owned(), Value::Array(words));
    schema.insert("x-meanings".to_owned(), json!(meanings));
}

/// Where its lines break is a matter of the source.
fn unwrap_description(schema: &mut Schema) {
    if let Some(Value::String(text)) = schema.get("description") {
        let line = text.replace('\n', " ");
        schema.insert("description".to_owned(), json!(line));
    }
}

fn bound(schema: &mut Schema) {
    let (word, most) = match (schema.get("type").and_then(Value::as_str), schema.get("additionalProperties")) {
        (Some("array"), _) => ("maxItems", MOST_ENTRIES),
        (Some("object"), Some(values @ Value::Object(_))) if values.get("type").is_some_and(Value::is_array) => {
            ("maxProperties", MOST_DIRECTIVES)
        }
        (Some("object"), Some(Value::Object(_))) => ("maxProperties", MOST_ENTRIES),
        _ => return,
    };
    schema.ensure_object().entry(word).or_insert(json!(most));
}

fn drop_null_type(schema: &mut Schema) {
    if let Some(Value::Array(types)) = schema.get("type").cloned() {
        let others: Vec<Value> = types.into_iter().filter(|name| name != "null").collect();
        let kept = if let [only] = others.as_slice() { only.clone() } else { Value::Array(others) };
        schema.insert("type".to_owned(), kept);
    }
    if schema.get("default") == Some(&Value::Null) {
        schema.remove("default");
    }
}
