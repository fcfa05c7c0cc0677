//! `ValkeyCluster` as the API server holds it.

use std::borrow::Cow;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::Resource;
use kube::core::NamespaceResourceScope;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use spec::names;

use super::desired::Revision;

/// A `ValkeyCluster` as the API server holds it. Whether its spec is right, its reader says.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct CustomResource {
    metadata: ObjectMeta,
    #[serde(default)]
    spec: Value,
    /// What the agent wrote last.
    #[serde(default)]
    pub status: Value,
}

impl Resource for CustomResource {
    type DynamicType = ();
    type Scope = NamespaceResourceScope;

    fn kind((): &()) -> Cow<'_, str> {
        "ValkeyCluster".into()
    }

    fn group((): &()) -> Cow<'_, str> {
        spec::GROUP.into()
    }

    fn version((): &()) -> Cow<'_, str> {
        spec::VERSION.into()
    }

    fn plural((): &()) -> Cow<'_, str> {
        spec::PLURAL.into()
    }

    fn meta(&self) -> &ObjectMeta {
        &self.metadata
    }

    fn meta_mut(&mut self) -> &mut ObjectMeta {
        &mut self.metadata
    }
}

impl CustomResource {
    /// Which object it is, and which generation of it.
    #[must_use]
    pub fn revision(&self) -> Revision {
        let ObjectMeta { uid, generation, resource_version, .. } = &self.metadata;
        Revision {
            uid: uid.clone().unwrap_or_default(),
            generation: generation.unwrap_or_default(),
            version: resource_version.clone().unwrap_or_default(),
        }
    }

    /// What was written, as a text for the reader of specs, without what the renderer added. Without labels: they are those of the
    /// object, ours and other tools' among them, and the agent needs none.
    #[must_use]
    pub fn text(&self) -> String {
        let mut spec = self.spec.clone();
        spec.as_object_mut().map(|fields| fields.remove(names::RENDERED_TEMPLATE));
        let metadata = json!({"name": self.metadata.name, "namespace": self.metadata.namespace});
        let version = format!("{}/{}", spec::GROUP, spec::VERSION);
        json!({"apiVersion": version, "kind": Self::kind(&()), "metadata": metadata, "spec": spec}).to_string()
    }

    /// Which template the `StatefulSet` should have; none where whoever wrote the object did not render it.
    #[must_use]
    pub fn template(&self) -> Option<&str> {
        self.spec.get(names::RENDERED_TEMPLATE)?.as_str()
    }

    /// Whether somebody holds restarts back for a while.
    #[must_use]
    pub fn is_paused(&self) -> bool {
        let annotations = self.metadata.annotations.as_ref();
        annotations.and_then(|all| all.get(names::PAUSED_ANNOTATION)).is_some_and(|value| value == "true")
    }
}
