//! What clients ask before they ask for anything: versions, groups, resources, the schemas of
//! definitions, and of those of other kinds as much as kubectl insists on.
//!
//! <https://kubernetes.io/docs/concepts/overview/kubernetes-api/#discovery-api>

use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::answer::{Answer, ok, text};
use super::structural;
use crate::kinds::{Kind, describe};
use crate::store::Store;

/// The version whose rules this server follows.
const VERSION: (&str, &str) = ("1", "36");

/// The answer to a path that names no object, if it is one.
pub(super) fn answer(path: &str, kinds: &[Arc<Kind>], store: &Store) -> Option<Answer> {
    let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
    match parts.as_slice() {
        ["healthz" | "livez" | "readyz"] => Some(text("ok")),
        ["version"] => Some(ok(&version())),
        ["api"] => Some(ok(&json!({"kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": []}))),
        ["apis"] => Some(ok(&json!({"kind": "APIGroupList", "apiVersion": "v1", "groups": groups(kinds)}))),
        ["api", "v1"] => Some(ok(&resources("v1", kinds))),
        ["apis", group] => groups(kinds).into_iter().find(|found| found["name"] == **group).map(|group| ok(&group)),
        ["apis", group, version] => {
            let api_version = format!("{group}/{version}");
            let is_served = kinds.iter().any(|kind| kind.api_version() == api_version);
            is_served.then(|| ok(&resources(&api_version, kinds)))
        }
        ["openapi", "v3"] => Some(ok(&schemas(kinds))),
        ["openapi", "v3", "api", version] => Some(ok(&schema(version, kinds, store))),
        ["openapi", "v3", "apis", group, version] => Some(ok(&schema(&format!("{group}/{version}"), kinds, store))),
        _ => None,
    }
}

fn version() -> Value {
    let (major, minor) = VERSION;
    json!({
        "major": major, "minor": minor, "gitVersion": format!("v{major}.{minor}.0+pocket"), "gitCommit": "",
        "gitTreeState": "clean", "buildDate": "1970-01-01T00:00:00Z", "goVersion": "", "compiler": "", "platform": "linux/amd64",
    })
}

fn groups(kinds: &[Arc<Kind>]) -> Vec<Value> {
    let names: BTreeSet<&str> =
        kinds.iter().map(|kind| kind.group.as_str()).filter(|group| !group.is_empty()).collect();
    names.into_iter().map(|name| group(name, kinds)).collect()
}

fn group(name: &str, kinds: &[Arc<Kind>]) -> Value {
    let versions: BTreeSet<&str> =
        kinds.iter().filter(|kind| kind.group == name).map(|kind| kind.version.as_str()).collect();
    let versions: Vec<Value> = versions
        .into_iter()
        .map(|version| json!({"groupVersion": format!("{name}/{version}"), "version": version}))
        .collect();
    json!({"kind": "APIGroup", "apiVersion": "v1", "name": name, "preferredVersion": versions.last(), "versions": versions})
}

fn resources(api_version: &str, kinds: &[Arc<Kind>]) -> Value {
    let served = kinds.iter().filter(|kind| kind.api_version() == api_version);
    let resources: Vec<Value> = served.flat_map(|kind| describe(kind)).collect();
    json!({"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": api_version, "resources": resources})
}

fn path_of(api_version: &str) -> String {
    if api_version.contains('/') { format!("apis/{api_version}") } else { format!("api/{api_version}") }
}

fn schemas(kinds: &[Arc<Kind>]) -> Value {
    let versions: BTreeSet<String> = kinds.iter().map(|kind| kind.api_version()).collect();
    let paths: Map<String, Value> = versions
        .iter()
        .map(|version| (path_of(version), json!({"serverRelativeURL": format!("/openapi/v3/{}", path_of(version))})))
        .collect();
    json!({"paths": paths})
}

/// kubectl asks the server, not a schema of its own, to validate fields, where the schema says that the server can; and it explains
/// the fields of what can be got, by the schema that says to be that of the kind.
fn schema(api_version: &str, kinds: &[Arc<Kind>], store: &Store) -> Value {
    let served = || kinds.iter().filter(|kind| kind.api_version() == api_version);
    let paths: Map<String, Value> = served()
        .map(|kind| {
            let inside = if kind.is_namespaced { "/namespaces/{namespace}" } else { "" };
            let path = format!("/{}{inside}/{}/{{name}}", path_of(api_version), kind.plural);
            (path, json!({"get": act(kind, "get", &[]), "patch": act(kind, "patch", &CHANGED_BY)}))
        })
        .collect();
    let defined: Map<String, Value> = served().filter_map(|kind| schema_of(kind, store)).collect();
    let info = json!({"title": "Kubernetes", "version": "v1.36.0"});
    json!({"openapi": "3.0.0", "info": info, "paths": paths, "components": {"schemas": defined}})
}

/// With what a change may be asked for.
const CHANGED_BY: [&str; 3] = ["dryRun", "fieldManager", "fieldValidation"];

fn act(kind: &Kind, action: &str, parameters: &[&str]) -> Value {
    let parameter = |name: &&str| json!({"name": name, "in": "query", "schema": {"type": "string"}});
    let parameters: Vec<Value> = parameters.iter().map(parameter).collect();
    json!({
        "parameters": parameters,
        "responses": {},
        "x-kubernetes-action": action,
        "x-kubernetes-group-version-kind": group_version_kind(kind),
    })
}

fn group_version_kind(kind: &Kind) -> Value {
    json!({"group": kind.group, "kind": kind.name, "version": kind.version})
}

/// The schema of a kind that a definition adds, and what it is called.
fn schema_of(kind: &Kind, store: &Store) -> Option<(String, Value)> {
    let mut schema = structural::version(store, kind)?.pointer("/schema/openAPIV3Schema")?.clone();
    schema.as_object_mut()?.insert("x-kubernetes-group-version-kind".to_owned(), json!([group_version_kind(kind)]));
    let domain: Vec<&str> = kind.group.rsplit('.').collect();
    Some((format!("{}.{}.{}", domain.join("."), kind.version, kind.name), schema))
}
