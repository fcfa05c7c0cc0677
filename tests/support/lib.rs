//! What the tests share: examples, clusters, and where things stand.

use std::path::{Path, PathBuf};

use cel::{Context, Program};
use render::Manifest;
use serde_json::{Value, json};
use spec::Cluster;

/// The folder of the workspace.
#[must_use]
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The examples that must render.
///
/// # Panics
/// When the folder cannot be read.
#[must_use]
pub fn examples() -> Vec<PathBuf> {
    yaml_files(&root().join("examples"))
}

/// The YAML files of a folder, in order.
///
/// # Panics
/// When the folder cannot be read.
#[must_use]
#[allow(clippy::expect_used, reason = "a test without its files cannot go on")]
pub fn yaml_files(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).expect("the folder of the examples");
    let mut files: Vec<PathBuf> = entries.filter_map(|entry| entry.ok().map(|entry| entry.path())).collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "yaml"));
    files.sort();
    files
}

/// The clusters of a text that is right.
///
/// # Panics
/// When it is not.
#[must_use]
#[allow(clippy::panic, reason = "a test whose input is wrong cannot go on")]
pub fn clusters(text: &str) -> Vec<Cluster> {
    match spec::read(text, None) {
        Ok(read) => read.into_iter().map(|read| read.cluster).collect(),
        Err(problems) => panic!("{problems:?}\n{text}"),
    }
}

/// The manifest of a cluster, judged.
///
/// # Panics
/// When it breaks a law.
#[must_use]
#[allow(clippy::panic, reason = "a test whose input is wrong cannot go on")]
pub fn manifest(cluster: &Cluster) -> Manifest {
    Manifest::of(cluster).unwrap_or_else(|error| panic!("{error}\n{cluster:?}"))
}

/// A small spec as JSON, to change one thing of.
#[must_use]
pub fn small() -> Value {
    json!({
        "apiVersion": "valkey-gitops.dev/v1alpha1",
        "kind": "ValkeyCluster",
        "metadata": {"name": "small", "namespace": "default"},
        "spec": {
            "version": "9.1.2",
            "tls": {"issuerRef": {"name": "internal-ca"}},
            "auth": {"passwordSecret": {"name": "small-auth"}},
        },
    })
}

/// The small spec, with the value at this JSON pointer (of a field that may not be there yet) set to another.
#[must_use]
pub fn small_with(changes: &[(&str, Value)]) -> Value {
    let mut spec = small();
    with(&mut spec, changes);
    spec
}

/// Sets the value at each of these JSON pointers, of fields that may not be there yet.
pub fn with(spec: &mut Value, changes: &[(&str, Value)]) {
    changes.iter().for_each(|(pointer, value)| set(spec, pointer, value.clone()));
}

fn set(target: &mut Value, pointer: &str, value: Value) {
    let mut place = target;
    for key in pointer.split('/').filter(|key| !key.is_empty()) {
        if !place.is_object() {
            *place = json!({});
        }
        let Value::Object(fields) = place else { return };
        place = fields.entry(key.replace("~1", "/")).or_insert(Value::Null);
    }
    *place = value;
}

/// What tools that wait for an object take its state for: the algorithm of kstatus, for kinds that it does not know by name.
///
/// <https://github.com/kubernetes-sigs/cli-utils/tree/master/pkg/kstatus>
#[must_use]
pub fn kstatus(object: &Value) -> &'static str {
    let holds = |kind: &str| {
        let conditions = object.pointer("/status/conditions").and_then(Value::as_array);
        let found = conditions?.iter().find(|condition| condition["type"] == kind)?;
        found["status"].as_str().map(str::to_owned)
    };
    let says = |kind: &str, wanted: &str| holds(kind).is_some_and(|status| status == wanted);
    let observed = object.pointer("/status/observedGeneration");
    let is_old = observed.is_some() && observed != object.pointer("/metadata/generation");
    if object.pointer("/metadata/deletionTimestamp").is_some() {
        "Terminating"
    } else if is_old || says("Reconciling", "True") {
        "InProgress"
    } else if says("Stalled", "True") {
        "Failed"
    } else if says("Ready", "False") || says("Ready", "Unknown") {
        "InProgress"
    } else {
        "Current"
    }
}

/// What Flux takes an object for, by the entry of `healthCheckExprs` that is for its kind: the first of the expressions that holds, and
/// `InProgress` where none does. One that cannot be evaluated does not hold.
///
/// <https://fluxcd.io/flux/components/kustomize/kustomizations/#health-check-expressions>
///
/// # Panics
/// When an expression is none.
#[must_use]
#[allow(clippy::expect_used, reason = "what is tried has to be an expression")]
pub fn flux_health(expressions: &Value, object: &Value) -> &'static str {
    let mut context = Context::default();
    for field in ["metadata", "spec", "status"] {
        context.add_variable(field, &object[field]).expect("what JSON can say");
    }
    let holds = |name: &str| {
        let program = expressions[name].as_str().map(|text| Program::compile(text).expect("an expression"));
        program.is_some_and(|program| program.execute(&context).is_ok_and(|value| value == true.into()))
    };
    let named = [("inProgress", "InProgress"), ("failed", "Failed"), ("current", "Current")];
    named.into_iter().find(|(name, _)| holds(name)).map_or("InProgress", |(_, health)| health)
}
