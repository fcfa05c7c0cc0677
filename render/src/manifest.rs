//! The documents of one cluster, in the order in which they are applied.

use std::collections::HashSet;
use std::hash::Hasher;

use minijinja::context;
use minijinja::value::{Serde, Value};
use rustc_hash::FxHasher;
use spec::{Cluster, Tls};

use crate::context::Context;
use crate::desired::DesiredState;
use crate::document::{Document, Draft, Kind};
use crate::error::Error;
use crate::generation;
use crate::laws::{self, Owners};
use crate::templates;
use crate::tree::Tree;
use crate::waves;

/// The documents of one cluster: complete, and at one with each other.
#[derive(Debug, Clone, PartialEq)]
pub struct Manifest {
    documents: Vec<Document>,
}

/// Renders clusters, one after the other.
///
/// What templates make is judged: every document by the type of its kind, all together by the laws. A template cannot look into a
/// text, so but for the texts themselves the verdict depends on the shape of the documents alone; a shape that has been judged once
/// is not judged again.
#[derive(Debug, Default)]
pub struct Renderer {
    judged: HashSet<u64>,
    owners: Owners,
    form: DesiredState,
    waves: bool,
}

impl Renderer {
    /// One that has the agent read what should be from there.
    #[must_use]
    pub fn with(form: DesiredState) -> Self {
        Self::default().reading(form)
    }

    /// The same, but that the agent reads what should be from there.
    #[must_use]
    pub const fn reading(mut self, form: DesiredState) -> Self {
        self.form = form;
        self
    }

    /// One that also tells Argo CD in which order to apply the objects.
    #[must_use]
    pub fn with_waves() -> Self {
        Self { waves: true, ..Self::default() }
    }

    /// Renders a cluster.
    ///
    /// # Errors
    /// Only by a mistake of this program; see [`Error`].
    pub fn render(&mut self, cluster: &Cluster) -> Result<Manifest, Error> {
        Ok(Manifest { documents: self.judged(cluster, |document, _| Ok(document))? })
    }

    /// The objects of a cluster as JSON, for who looks into them: to read again what was written takes longer than to write it.
    ///
    /// # Errors
    /// Only by a mistake of this program; see [`Error`].
    pub fn objects(&mut self, cluster: &Cluster) -> Result<Vec<serde_json::Value>, Error> {
        self.judged(cluster, |_, tree| Ok(serde_json::to_value(tree)?))
    }

    fn judged<T>(
        &mut self,
        cluster: &Cluster,
        take: impl Fn(Document, &Tree<'_>) -> Result<T, Error>,
    ) -> Result<Vec<T>, Error> {
        let drafts = write(cluster, self.form)?;
        let mut trees = drafts.iter().map(Draft::tree).collect::<Result<Vec<_>, _>>()?;
        if self.waves {
            drafts.iter().zip(&mut trees).for_each(|(draft, tree)| waves::annotate(draft, tree));
        }
        generation::tell(&drafts, &mut trees)?;
        let document = |(draft, tree): (&Draft, &Tree<'_>)| Document::of(draft.kind, tree);
        let documents = drafts.iter().zip(&trees).map(document).collect::<Result<Vec<_>, _>>()?;
        laws::judge_texts(&documents, &trees, cluster)?;
        if self.judged.insert(shape(&trees)) {
            laws::judge(&drafts, &trees, cluster)?;
        }
        documents.iter().try_for_each(|document| self.owners.claim(document.identity(), &cluster.name))?;
        documents.into_iter().zip(&trees).map(|(document, tree)| take(document, tree)).collect()
    }
}

impl Manifest {
    /// Renders a single cluster.
    ///
    /// # Errors
    /// Only by a mistake of this program; see [`Error`].
    pub fn of(cluster: &Cluster) -> Result<Self, Error> {
        Renderer::default().render(cluster)
    }

    /// The documents.
    #[must_use]
    pub fn documents(&self) -> &[Document] {
        &self.documents
    }

    /// The documents as one YAML stream.
    #[must_use]
    pub fn to_yaml(&self) -> String {
        self.documents.iter().flat_map(|document| ["---\n", document.yaml()]).collect()
    }
}

/// Fills every template that the spec asks for.
pub(crate) fn write(cluster: &Cluster, form: DesiredState) -> Result<Vec<Draft>, Error> {
    let context = Context::of(cluster, form)?;
    let seen = Value::from(Serde(&context));
    let mut drafts = Vec::new();
    let is_wanted = |(kind, (template, _)): &(Kind, (&str, &str))| {
        is_wanted(*kind, cluster, form) && (*template != templates::DESIRED_STATE || form == DesiredState::ConfigMap)
    };
    for (kind, (template, _)) in templates::OBJECTS.into_iter().filter(is_wanted) {
        if kind == Kind::PodDisruptionBudget {
            for budget in &context.budgets {
                let budget = Value::from(Serde(budget));
                let text = templates::render(template, context! { budget, ..seen.clone() })?;
                drafts.push(Draft { kind, template, text });
            }
        } else {
            let text = templates::render(template, seen.clone())?;
            drafts.push(Draft { kind, template, text });
        }
    }
    Ok(drafts)
}

fn shape(trees: &[Tree<'_>]) -> u64 {
    let mut hasher = FxHasher::default();
    for tree in trees {
        tree.hash_shape(&mut hasher);
    }
    hasher.finish()
}

/// Whether the spec asks for objects of this kind.
fn is_wanted(kind: Kind, cluster: &Cluster, form: DesiredState) -> bool {
    match kind {
        Kind::ValkeyCluster => form == DesiredState::CustomResource,
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
