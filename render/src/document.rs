//! One Kubernetes object: the tree that is written, and the type that the API server would read it into.

use std::fmt;

use k8s_openapi::api::apps::v1::{Deployment, StatefulSet};
use k8s_openapi::api::core::v1::{ConfigMap, Service, ServiceAccount};
use k8s_openapi::api::networking::v1::NetworkPolicy;
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use k8s_openapi::api::rbac::v1::{Role, RoleBinding};

use crate::error::Error;
use crate::extensions::{Certificate, PodMonitor, PrometheusRule};
use crate::judge::{Misfit, strictly};
use crate::stages::Stage;
use crate::tree::Tree;
use crate::yaml;
use spec::ValkeyCluster;

/// What a template made, before it is looked at.
#[derive(Debug)]
pub(crate) struct Draft {
    pub(crate) kind: Kind,
    pub(crate) template: &'static str,
    pub(crate) text: String,
}

/// One Kubernetes object, as it is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Document {
    identity: Identity,
    stage: Stage,
    yaml: String,
}

impl Draft {
    /// The object's fields.
    pub(crate) fn tree(&self) -> Result<Tree<'_>, Error> {
        Tree::read(&self.text).map_err(|reason| self.error(reason))
    }

    /// Reads the object into the type of its kind, and refuses every field that the kind does not have.
    pub(crate) fn judge(&self, tree: &Tree<'_>) -> Result<Object, Error> {
        Object::read(self.kind, tree).map_err(|misfit| self.error(misfit.to_string()))
    }

    const fn error(&self, reason: String) -> Error {
        Error::Document { template: self.template, reason }
    }
}

impl Document {
    /// Writes an object in its final form.
    pub(crate) fn of(kind: Kind, tree: &Tree<'_>) -> Result<Self, Error> {
        Ok(Self { identity: Identity::of(tree), stage: Stage::of(kind), yaml: yaml::write(tree)? })
    }

    /// What the object is known by.
    #[must_use]
    pub const fn identity(&self) -> &Identity {
        &self.identity
    }

    /// With which others it is applied, where that is done in stages.
    #[must_use]
    pub const fn stage(&self) -> Stage {
        self.stage
    }

    /// The object as YAML.
    #[must_use]
    pub fn yaml(&self) -> &str {
        &self.yaml
    }

    /// The object as indented JSON, its fields in the same order.
    ///
    /// # Errors
    /// Only by a mistake of this program.
    pub fn json(&self) -> Result<String, Error> {
        let tree: Tree<'_> = serde_saphyr::from_str(&self.yaml)?;
        Ok(serde_json::to_string_pretty(&tree)? + "\n")
    }
}

macro_rules! kinds {
    ($($kind:ident),+ $(,)?) => {
        /// The kinds of objects that are rendered.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(crate) enum Kind {
            $($kind,)+
        }

        /// One object in the type of its kind.
        #[derive(Debug, Clone, PartialEq)]
        pub(crate) enum Object {
            $($kind(Box<$kind>),)+
        }

        impl Object {
            fn read(kind: Kind, tree: &Tree<'_>) -> Result<Self, Misfit> {
                match kind {
                    $(Kind::$kind => strictly(tree).map(Box::new).map(Self::$kind),)+
                }
            }
        }
    };
}

kinds!(
    ServiceAccount,
    Role,
    RoleBinding,
    NetworkPolicy,
    Certificate,
    ConfigMap,
    Service,
    PodDisruptionBudget,
    StatefulSet,
    Deployment,
    PodMonitor,
    PrometheusRule,
    ValkeyCluster,
);

/// Fields of an object's metadata that only the API server writes.
pub(crate) const WRITTEN_BY_THE_CLUSTER: [&str; 6] =
    ["creationTimestamp", "generation", "managedFields", "resourceVersion", "selfLink", "uid"];

/// What an object is known by.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Identity {
    /// Group and version, such as `apps/v1`.
    pub api_version: String,
    /// The kind.
    pub kind: String,
    /// The namespace.
    pub namespace: String,
    /// The name.
    pub name: String,
}

impl Identity {
    /// What the object is known by; empty where it does not say.
    pub(crate) fn of(object: &Tree<'_>) -> Self {
        let text = |path| object.text_at(path).to_owned();
        Self {
            api_version: text("apiVersion"),
            kind: text("kind"),
            namespace: text("metadata/namespace"),
            name: text("metadata/name"),
        }
    }

    /// The name of its file as kustomize would give it, without extension: `apps_v1_statefulset_sessions`.
    #[must_use]
    pub fn file_stem(&self) -> String {
        format!("{}_{}_{}", self.api_version.replace('/', "_"), self.kind, self.name).to_lowercase()
    }
}

impl fmt::Display for Identity {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}/{}", self.kind, self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(text: &str) -> String {
        let draft = Draft { kind: Kind::Service, template: "service.yaml", text: text.to_owned() };
        draft.judge(&draft.tree().unwrap()).unwrap_err().to_string()
    }

    #[test]
    fn a_field_that_the_kind_does_not_have_is_refused_with_its_path() {
        let text =
            "apiVersion: v1\nkind: Service\nmetadata: {\"name\": \"a\"}\nspec:\n  ports:\n  - port: 1\n    prot: TCP\n";
        assert!(refusal(text).contains("spec.ports.0.prot: there is no such field"), "{}", refusal(text));
    }

    #[test]
    fn another_kind_is_refused() {
        assert!(refusal("apiVersion: v1\nkind: Secret\nmetadata: {\"name\": \"a\"}\n").contains("Service"));
    }
}
