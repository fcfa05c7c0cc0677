//! One Kubernetes object, in the type that the API server would read it into.

use k8s_openapi::api::apps::v1::{Deployment, StatefulSet};
use k8s_openapi::api::core::v1::{ConfigMap, Service, ServiceAccount};
use k8s_openapi::api::networking::v1::NetworkPolicy;
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use k8s_openapi::api::rbac::v1::{Role, RoleBinding};
use serde::de::DeserializeOwned;
use serde::Serialize;
use serde_json::Value;

use crate::error::Error;
use crate::extensions::{Certificate, PodMonitor, PrometheusRule};

macro_rules! documents {
    ($($kind:ident),+ $(,)?) => {
        /// The kinds of objects that are rendered.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Kind {
            $(#[doc = concat!("`", stringify!($kind), "`")] $kind,)+
        }

        /// One Kubernetes object.
        #[derive(Debug, Clone, PartialEq, Serialize)]
        #[serde(untagged)]
        pub enum Document {
            $(#[doc = concat!("A `", stringify!($kind), "`.")] $kind(Box<$kind>),)+
        }

        impl Document {
            /// Reads what a template made, and refuses every field that its kind does not have.
            ///
            /// # Errors
            /// When it is not such an object.
            pub(crate) fn parse(kind: Kind, template: &'static str, text: &str) -> Result<Self, Error> {
                match kind {
                    $(Kind::$kind => strictly(text).map(Box::new).map(Self::$kind),)+
                }
                .map_err(|reason| Error::Document { template, reason })
            }
        }
    };
}

documents!(
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
);

/// What an object is known by.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
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

impl Document {
    /// The object as JSON, as it would be sent to the API server.
    ///
    /// # Errors
    /// When a value cannot be represented in JSON, which no type in here allows.
    pub fn to_json(&self) -> Result<Value, serde_json::Error> {
        serde_json::to_value(self)
    }
}

impl Identity {
    /// What the object in this JSON is known by; none if it is not an object of Kubernetes.
    #[must_use]
    pub fn of(json: &Value) -> Option<Self> {
        let text = |pointer: &str| json.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
        Some(Self {
            api_version: text("/apiVersion")?,
            kind: text("/kind")?,
            namespace: text("/metadata/namespace").unwrap_or_default(),
            name: text("/metadata/name")?,
        })
    }

    /// The file name that kustomize would give it: `apps_v1_statefulset_sessions.yaml`.
    #[must_use]
    pub fn file_name(&self) -> String {
        format!("{}_{}_{}.yaml", self.api_version.replace('/', "_"), self.kind, self.name).to_lowercase()
    }
}

impl std::fmt::Display for Identity {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "{}/{}", self.kind, self.name)
    }
}

/// Reads an object and writes it again: what does not come back was not understood.
fn strictly<T: DeserializeOwned + Serialize>(text: &str) -> Result<T, String> {
    let written: Value = serde_saphyr::from_str(text).map_err(|error| error.to_string())?;
    let object: T = serde_json::from_value(written.clone()).map_err(|error| error.to_string())?;
    let understood = serde_json::to_value(&object).map_err(|error| error.to_string())?;
    match first_difference(&written, &understood) {
        None => Ok(object),
        Some(path) => Err(format!("there is no field {path}")),
    }
}

/// The path of the first value that is not the same on both sides.
fn first_difference(written: &Value, understood: &Value) -> Option<String> {
    let below = |key: String, path: String| if path.is_empty() { key } else { format!("{key}.{path}") };
    match (written, understood) {
        (Value::Object(fields), Value::Object(known)) => fields.iter().find_map(|(key, value)| match known.get(key) {
            Some(other) => first_difference(value, other).map(|path| below(key.clone(), path)),
            None => Some(key.clone()),
        }),
        (Value::Array(elements), Value::Array(known)) if elements.len() == known.len() => {
            let pairs = elements.iter().zip(known).enumerate();
            pairs.into_iter().find_map(|(index, (one, other))| first_difference(one, other).map(|path| below(index.to_string(), path)))
        }
        _ => (written != understood).then(String::new),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(text: &str) -> String {
        Document::parse(Kind::Service, "service.yaml", text).unwrap_err().to_string()
    }

    #[test]
    fn a_field_that_the_kind_does_not_have_is_refused_with_its_path() {
        let text = "apiVersion: v1\nkind: Service\nmetadata: {name: a}\nspec: {ports: [{port: 1, prot: TCP}]}\n";
        assert!(refusal(text).contains("there is no field spec.ports.0.prot"), "{}", refusal(text));
    }

    #[test]
    fn another_kind_is_refused() {
        assert!(refusal("apiVersion: v1\nkind: Secret\nmetadata: {name: a}\n").contains("Service"));
    }
}
