//! What becomes of standard output: the repo-server parses and marks it, the controller makes it the target state and sorts it.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

/// How an object is known.
pub(crate) type Key = (String, String, String, String);

/// The target state: objects by their keys.
#[derive(Debug, PartialEq)]
pub(crate) struct Target {
    pub(crate) objects: BTreeMap<Key, Value>,
}

/// How Argo CD marks what belongs to an Application.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Tracking {
    Annotation,
    Label,
}

/// The label of the second way, which it shares with all the world.
const INSTANCE: &str = "app.kubernetes.io/instance";

/// Kinds in the order in which they are applied in a wave, as far as they are among what can be rendered. What is not named, and
/// every custom resource, comes after them.
const ORDER: [&str; 9] = [
    "NetworkPolicy",
    "PodDisruptionBudget",
    "ServiceAccount",
    "ConfigMap",
    "Role",
    "RoleBinding",
    "Service",
    "Deployment",
    "StatefulSet",
];

impl Target {
    /// Of what a plugin printed.
    pub(crate) fn of(stdout: &str, application: &str, destination: &str) -> Result<Self, String> {
        Self::tracked(stdout, application, destination, Tracking::Annotation)
    }

    /// The same, for an installation that marks objects in this way.
    pub(crate) fn tracked(
        stdout: &str,
        application: &str,
        destination: &str,
        tracking: Tracking,
    ) -> Result<Self, String> {
        let mut objects = BTreeMap::new();
        for object in documents(stdout)? {
            let mut object = object;
            let kind = text(&object, "/kind").ok_or("Object 'Kind' is missing")?.to_owned();
            let version = text(&object, "/apiVersion").ok_or(format!("{kind} has no apiVersion"))?.to_owned();
            let name = text(&object, "/metadata/name").ok_or(format!("{kind} has no name"))?.to_owned();
            check_notes(&object)?;
            check_fields(&object).map_err(|reason| format!("{kind} {name}: {reason}"))?;
            let namespace = text(&object, "/metadata/namespace").filter(|found| !found.is_empty());
            let namespace = namespace.unwrap_or(destination).to_owned();
            let group = version.split_once('/').map_or("", |(group, _)| group).to_owned();
            match tracking {
                Tracking::Annotation => track(&mut object, &format!("{application}:{group}/{kind}:{namespace}/{name}")),
                Tracking::Label => {
                    object["metadata"]["labels"][INSTANCE] = json!(application.get(..63).unwrap_or(application));
                }
            }
            object["metadata"]["namespace"] = json!(namespace);
            if objects.insert((group, kind, namespace, name.clone()), object).is_some() {
                return Err(format!("RepeatedResourceWarning: {name}"));
            }
        }
        Ok(Self { objects })
    }

    /// The kinds of each wave, in the order in which they are applied.
    pub(crate) fn waves(&self) -> BTreeMap<i64, Vec<String>> {
        let mut waves: BTreeMap<i64, BTreeSet<(usize, String)>> = BTreeMap::new();
        for ((_, kind, ..), object) in &self.objects {
            let wave = text(object, "/metadata/annotations/argocd.argoproj.io~1sync-wave").unwrap_or("0");
            let place = ORDER.iter().position(|known| known == kind).unwrap_or(ORDER.len());
            waves.entry(wave.parse().unwrap()).or_default().insert((place, kind.clone()));
        }
        waves.into_iter().map(|(wave, kinds)| (wave, kinds.into_iter().map(|(_, kind)| kind).collect())).collect()
    }
}

/// The documents of a stream. A line that begins with `---` ends one; what holds nothing is dropped.
fn documents(stdout: &str) -> Result<Vec<Value>, String> {
    let mut parts = vec![String::new()];
    for line in stdout.lines() {
        match (line.strip_prefix("---"), parts.last_mut()) {
            (Some(""), _) => parts.push(String::new()),
            (Some(_), _) => return Err(format!("more than a separator: {line}")),
            (None, Some(part)) => *part += &format!("{line}\n"),
            (None, None) => {}
        }
    }
    let mut found = Vec::new();
    for part in parts {
        let parsed: Value = serde_saphyr::from_str(&part).map_err(|error| format!("failed to unmarshal: {error}"))?;
        match parsed {
            Value::Null => {}
            // Argo CD would take it apart; others would not.
            Value::Object(fields) if fields.get("kind").is_some_and(is_list) => return Err("is a list".to_owned()),
            Value::Object(_) => found.push(parsed),
            other => return Err(format!("failed to unmarshal: {other} is no object")),
        }
    }
    Ok(found)
}

fn is_list(kind: &Value) -> bool {
    kind.as_str().is_some_and(|kind| kind.ends_with("List"))
}

fn text<'o>(object: &'o Value, pointer: &str) -> Option<&'o str> {
    object.pointer(pointer)?.as_str()
}

/// Labels and annotations have to be texts to be added to, and some are not for a plugin to write.
fn check_notes(object: &Value) -> Result<(), String> {
    for notes in ["labels", "annotations"] {
        for (key, value) in object["metadata"][notes].as_object().into_iter().flatten() {
            let foreign = ["tracking-id", "installation-id", "last-applied-configuration", "helm.sh/hook"];
            if !value.is_string() || foreign.iter().any(|name| key.ends_with(name)) {
                return Err(format!("{notes} {key}: {value}"));
            }
        }
    }
    Ok(())
}

/// What would never be in sync with what runs, and what a mark would make select something else.
fn check_fields(object: &Value) -> Result<(), String> {
    if object.get("status").is_some() {
        return Err("has a status".to_owned());
    }
    check_values(object)
}

fn check_values(value: &Value) -> Result<(), String> {
    match value {
        Value::Null => Err("has a null".to_owned()),
        Value::Array(elements) => elements.iter().try_for_each(check_values),
        Value::Object(fields) => fields.iter().try_for_each(|(key, inner)| {
            let selects = ["selector", "matchLabels"].contains(&key.as_str());
            if selects && inner.get(INSTANCE).is_some() {
                Err(format!("{key} has {INSTANCE}"))
            } else {
                check_values(inner)
            }
        }),
        Value::Bool(_) | Value::Number(_) | Value::String(_) => Ok(()),
    }
}

fn track(object: &mut Value, id: &str) {
    object["metadata"]["annotations"]["argocd.argoproj.io/tracking-id"] = json!(id);
}
