//! What a change does before anyone applies it: what it blocks on, restarts, moves, exposes.
//!
//! ```text
//! old side, new side --pair--> clusters and objects --leaves--> changed fields --rules--> classed changes, and a plan in words
//! ```
//!
//! A side is rendered objects, wherever they come from. Where they carry a desired state, the clusters are compared as well, which
//! says what no field can: how many slots move, how many pods restart.

mod leaves;
mod plan;
mod rules;
mod side;

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use serde_json::{Value, json};
use spec::{Cluster, names};

pub use rules::{Class, Rule};
use side::Belongings;
pub use side::{Side, SideError};

/// How two sides differ.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Difference {
    /// Cluster by cluster; those that are the same are left out.
    pub clusters: Vec<ClusterDifference>,
}

/// How one cluster differs.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ClusterDifference {
    /// Its namespace.
    pub namespace: String,
    /// Its name; empty for objects that belong to no cluster.
    pub name: String,
    /// What will happen, in words.
    pub plan: Vec<String>,
    /// What changes, the most dangerous first.
    pub changes: Vec<Change>,
}

/// One changed field, or one object that comes or goes.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Change {
    /// How it is judged.
    pub class: Class,
    /// By which rule.
    pub rule: Rule,
    /// The object, as `Kind/name`.
    pub object: String,
    /// The field in it; empty for the object as a whole.
    pub path: String,
    /// The value on the old side; none if it was not there.
    pub before: Option<Value>,
    /// The value on the new side; none if it is not there.
    pub after: Option<Value>,
    /// Whether the object or field is there on the new side.
    pub comes: bool,
    /// What to do about it.
    pub remedy: &'static str,
}

impl Change {
    fn new(rule: Rule, object: &str, path: &str, before: Option<Value>, after: Option<Value>) -> Self {
        let (object, path, comes) = (object.to_owned(), path.to_owned(), after.is_some());
        Self { class: rule.class(), rule, object, path, before, after, comes, remedy: rule.remedy() }
    }
}

impl Difference {
    /// Compares two sides.
    #[must_use]
    pub fn between(old: &Side, new: &Side) -> Self {
        let owners: BTreeSet<_> = old.owners().chain(new.owners()).collect();
        let clusters = owners.into_iter().map(|owner| ClusterDifference::of(owner, old, new));
        Self { clusters: clusters.filter(|difference| !difference.is_empty()).collect() }
    }

    /// Whether nothing changes.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.clusters.is_empty()
    }

    /// The changes that would lose data or cannot be applied, less those that are allowed.
    pub fn blocking<'d>(&'d self, allowed: &'d [Rule]) -> impl Iterator<Item = &'d Change> {
        let changes = self.clusters.iter().flat_map(|cluster| &cluster.changes);
        changes.filter(move |change| change.class == Class::Block && !allowed.contains(&change.rule))
    }
}

impl ClusterDifference {
    fn of(owner: &side::Owner, old: &Side, new: &Side) -> Self {
        let nothing = Belongings::default();
        let (old, new) = (old.of(owner).unwrap_or(&nothing), new.of(owner).unwrap_or(&nothing));
        let (before, after) = (old.cluster.as_ref(), new.cluster.as_ref());
        let mut changes = object_changes(&old.objects, &new.objects);
        if let (Some(before), Some(after)) = (before, after) {
            changes.extend(rules::of_clusters(before, after));
        }
        changes
            .sort_by(|one, other| (one.class, &one.object, &one.path).cmp(&(other.class, &other.object, &other.path)));
        let plan = plan::in_words(before, after, &changes);
        Self { namespace: owner.namespace.clone(), name: owner.cluster.clone(), plan, changes }
    }

    const fn is_empty(&self) -> bool {
        self.changes.is_empty()
    }
}

fn object_changes(old: &BTreeMap<String, String>, new: &BTreeMap<String, String>) -> Vec<Change> {
    let names: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
    let changes = names.into_iter().map(|name| match (old.get(name), new.get(name)) {
        (Some(before), Some(after)) if before == after => Vec::new(),
        (Some(before), Some(after)) => field_changes(name, &parsed(before), &parsed(after)),
        (Some(_), None) => vec![Change::new(rules::of_removal(name), name, "", None, None)],
        (None, Some(_)) => {
            // With a whole new cluster, its objects say nothing that the plan does not.
            let rule = if old.is_empty() { Rule::ObjectAdded } else { rules::of_addition(name) };
            vec![Change { comes: true, ..Change::new(rule, name, "", None, None) }]
        }
        (None, None) => Vec::new(),
    });
    changes.flatten().collect()
}

/// It was written from a value, so it is one.
fn parsed(object: &str) -> Value {
    serde_json::from_str(object).unwrap_or_default()
}

fn field_changes(name: &str, before: &Value, after: &Value) -> Vec<Change> {
    let kind = name.split('/').next().unwrap_or_default();
    let leaves = leaves::differing(before, after).into_iter();
    let change = |leaf: leaves::Leaf| {
        let rule = rules::of_field(kind, &leaf)?;
        Some(Change::new(rule, name, &leaf.path, leaf.before, leaf.after))
    };
    leaves.filter_map(change).collect()
}

/// The cluster that a set of objects was rendered from, as its desired state says.
fn desired_state(object: &Value) -> Option<Cluster> {
    let text = match object.get("kind")?.as_str()? {
        "ValkeyCluster" => as_written(object).to_string(),
        _ => object.pointer("/data/cluster.yaml")?.as_str()?.to_owned(),
    };
    spec::read(&text, None).ok()?.into_iter().next().map(|read| read.cluster)
}

/// A custom resource as its spec was written, but for labels: it carries ours as well, which no spec may have.
fn as_written(object: &Value) -> Value {
    let mut spec = object.get("spec").cloned().unwrap_or_default();
    spec.as_object_mut().map(|fields| fields.remove(names::RENDERED_TEMPLATE));
    let at = |pointer| object.pointer(pointer).cloned().unwrap_or_default();
    let metadata = json!({"name": at("/metadata/name"), "namespace": at("/metadata/namespace")});
    json!({"apiVersion": at("/apiVersion"), "kind": at("/kind"), "metadata": metadata, "spec": spec})
}
