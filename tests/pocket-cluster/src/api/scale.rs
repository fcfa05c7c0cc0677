//! The scale subresource: how many, and nothing else.
//!
//! <https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/scale/> and, for custom resources,
//! <https://kubernetes.io/docs/tasks/extend-kubernetes/custom-resources/custom-resource-definitions/#scale-subresource>

use serde_json::{Value, json};

use super::answer::{Answer, ok};
use super::patch::{self, Managed};
use super::request::{Request, Verb};
use super::write::body;
use crate::cluster::Cluster;
use crate::json::{entries, items, number, set, text};
use crate::refusal::Refusal;
use crate::store::Store;

/// Where an object keeps what a scale shows.
struct Paths {
    wanted: String,
    found: String,
    selector: String,
}

impl Paths {
    fn of(store: &Store, request: &Request) -> Self {
        let kind = &request.target.kind;
        let definitions = store.all("customresourcedefinitions.apiextensions.k8s.io");
        let own = definitions.iter().find(|definition| {
            text(definition, "/spec/group") == kind.group && text(definition, "/spec/names/plural") == kind.plural
        });
        let versions = own.map(|definition| items(definition, "/spec/versions")).unwrap_or_default();
        let version = versions.iter().find(|version| text(version, "/name") == kind.version);
        let path = |field: &str, otherwise: &str| {
            let said =
                version.map(|version| text(version, &format!("/subresources/scale/{field}"))).unwrap_or_default();
            if said.is_empty() { otherwise.to_owned() } else { said.replace('.', "/") }
        };
        Self {
            wanted: path("specReplicasPath", "/spec/replicas"),
            found: path("statusReplicasPath", "/status/replicas"),
            selector: path("labelSelectorPath", "/spec/selector"),
        }
    }

    fn scale(&self, object: &Value) -> Value {
        let selector = match object.pointer(&self.selector) {
            Some(Value::String(selector)) => selector.clone(),
            Some(selector) => {
                let labels = entries(selector, "/matchLabels").map(|(key, value)| format!("{key}={value}"));
                labels.collect::<Vec<_>>().join(",")
            }
            None => String::new(),
        };
        let metadata = ["name", "namespace", "uid", "resourceVersion", "creationTimestamp"]
            .map(|field| (field.to_owned(), json!(text(object, &format!("/metadata/{field}")))));
        json!({
            "kind": "Scale",
            "apiVersion": "autoscaling/v1",
            "metadata": Value::Object(metadata.into_iter().collect()),
            "spec": {"replicas": number(object, &self.wanted).unwrap_or(0)},
            "status": {"replicas": number(object, &self.found).unwrap_or(0), "selector": selector},
        })
    }
}

pub(super) fn answer(cluster: &Cluster, request: &Request) -> Result<Answer, Refusal> {
    let paths = Paths::of(&cluster.store, request);
    let key = request.target.key();
    if request.verb == Verb::Get {
        return Ok(ok(&paths.scale(&*cluster.store.find(&key)?)));
    }
    let said = body(request)?;
    let written = cluster.store.change(&key, |object| {
        let scale = match request.verb {
            Verb::Patch => patch::merged(&paths.scale(object), &said),
            _ => said,
        };
        check_version(request, object, &scale)?;
        let replicas = number(&scale, "/spec/replicas").filter(|replicas| *replicas >= 0);
        let replicas = replicas.ok_or_else(|| Refusal::invalid("spec.replicas: must be a number from 0 on"))?;
        let mut after = object.clone();
        set(&mut after, &paths.wanted, replicas);
        Managed::of(request, "Update").wrote(object, &mut after);
        Ok(after)
    })?;
    Ok(ok(&paths.scale(&written)))
}

fn check_version(request: &Request, object: &Value, scale: &Value) -> Result<(), Refusal> {
    let expected = text(scale, "/metadata/resourceVersion");
    if expected.is_empty() || expected == text(object, "/metadata/resourceVersion") {
        return Ok(());
    }
    let key = request.target.key();
    let why = "the object has been modified; please apply your changes to the latest version and try again";
    Err(Refusal::conflict(&key.resource, &key.name, why))
}
