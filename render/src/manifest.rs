//! The documents of one cluster, in the order in which they are applied.

use minijinja::context;
use minijinja::value::{Serde, Value};
use spec::{Cluster, Tls};

use crate::context::Context;
use crate::document::{Document, Kind};
use crate::error::Error;
use crate::laws;
use crate::templates;
use crate::yaml;

/// The documents of one cluster: complete, and at one with each other.
#[derive(Debug, Clone, PartialEq)]
pub struct Manifest {
    documents: Vec<Document>,
}

impl Manifest {
    /// Renders a cluster.
    ///
    /// # Errors
    /// Only by a mistake of this program; see [`Error`].
    pub fn render(cluster: &Cluster) -> Result<Self, Error> {
        let context = Context::of(cluster)?;
        let seen = Value::from(Serde(&context));
        let mut documents = Vec::new();
        for (kind, (template, _)) in templates::OBJECTS.into_iter().filter(|(kind, _)| is_wanted(*kind, cluster)) {
            if kind == Kind::PodDisruptionBudget {
                for budget in &context.budgets {
                    let budget = Value::from(Serde(budget));
                    let text = templates::render(template, context! { budget, ..seen.clone() })?;
                    documents.push(Document::parse(kind, template, &text)?);
                }
            } else {
                let text = templates::render(template, seen.clone())?;
                documents.push(Document::parse(kind, template, &text)?);
            }
        }
        laws::hold(&documents, cluster)?;
        Ok(Self { documents })
    }

    /// The documents.
    #[must_use]
    pub fn documents(&self) -> &[Document] {
        &self.documents
    }

    /// The documents as one YAML stream.
    ///
    /// # Errors
    /// Only by a mistake of this program.
    pub fn to_yaml(&self) -> Result<String, Error> {
        let mut text = String::new();
        for document in &self.documents {
            text.push_str("---\n");
            text.push_str(&yaml::write_object(&document.to_json()?)?);
        }
        Ok(text)
    }
}

/// Whether the spec asks for objects of this kind.
const fn is_wanted(kind: Kind, cluster: &Cluster) -> bool {
    match kind {
        Kind::Certificate => matches!(cluster.tls, Tls::Issued { .. }),
        Kind::PodMonitor => cluster.monitoring.pod_monitor,
        Kind::PrometheusRule => cluster.monitoring.prometheus_rule,
        Kind::ServiceAccount
        | Kind::Role
        | Kind::RoleBinding
        | Kind::NetworkPolicy
        | Kind::ConfigMap
        | Kind::Service
        | Kind::PodDisruptionBudget
        | Kind::StatefulSet
        | Kind::Deployment => true,
    }
}
