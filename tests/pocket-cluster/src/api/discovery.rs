//! What clients ask before they ask for anything: versions, groups, resources, and as much of a schema as kubectl insists on.
//!
//! <https://kubernetes.io/docs/concepts/overview/kubernetes-api/#discovery-api>

use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::answer::{Answer, ok, text};
use crate::kinds::{Kind, describe};

/// The version whose rules this server follows.
const VERSION: (&str, &str) = ("1", "36");

/// The answer to a path that names no object, if it is one.
pub(super) fn answer(path: &str, kinds: &[Arc<Kind>]) -> Option<Answer> {
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
        ["openapi", "v3", "api", version] => Some(ok(&schema(version, kinds))),
        ["openapi", "v3", "apis", group, version] => Some(ok(&schema(&format!("{group}/{version}"), kinds))),
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

/// kubectl asks the server, not a schema of its own, to validate fields, where the schema says that the server can.
fn schema(api_version: &str, kinds: &[Arc<Kind>]) -> Value {
    let served = kinds.iter().filter(|kind| kind.api_version() == api_version);
    let paths: Map<String, Value> = served
        .map(|kind| {
            let inside = if kind.is_namespaced { "/namespaces/{namespace}" } else { "" };
            let path = format!("/{}{inside}/{}/{{name}}", path_of(api_version), kind.plural);
            (path, json!({"patch": patch_of(kind)}))
        })
        .collect();
    json!({"openapi": "3.0.0", "info": {"title": "Kubernetes", "version": "v1.36.0"}, "paths": paths})
}

fn patch_of(kind: &Kind) -> Value {
    let parameter = |name| json!({"name": name, "in": "query", "schema": {"type": "string"}});
    let parameters = ["dryRun", "fieldManager", "fieldValidation"].map(parameter);
    json!({
        "parameters": parameters,
        "responses": {},
        "x-kubernetes-action": "patch",
        "x-kubernetes-group-version-kind": {"group": kind.group, "kind": kind.name, "version": kind.version},
    })
}
