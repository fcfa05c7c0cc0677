//! A `ResourceList`: what a function is handed, and what it answers.

use std::borrow::Cow;

use spec::{Complaint, Path, Problem, Segment, names};

use super::foreign;
use crate::document::Identity;
use crate::tree::Tree;
use crate::yaml;
use crate::{Error, function::Finding};

/// What a function is handed.
#[derive(Debug)]
pub(super) struct ResourceList {
    pub(super) items: Vec<Item>,
    /// The object that says what to do.
    pub(super) config: Option<Item>,
}

/// An object, as it was written.
#[derive(Debug, Clone)]
pub(super) struct Item {
    pub(super) tree: Tree<'static>,
}

impl ResourceList {
    pub(super) fn read(text: &str) -> Result<Self, Problem> {
        let tree = foreign::read(text)?;
        let is_list =
            tree.text_at("kind") == "ResourceList" && tree.text_at("apiVersion").starts_with("config.kubernetes.io/");
        let Tree::Map(fields) = tree else {
            return Err(not_a_list());
        };
        if !is_list {
            return Err(not_a_list());
        }
        let mut list = Self { items: Vec::new(), config: None };
        for (key, value) in fields {
            match (key.as_ref(), value) {
                ("items", Tree::List(items)) => list.items = items.into_iter().map(|tree| Item { tree }).collect(),
                ("functionConfig", tree @ Tree::Map(_)) => list.config = Some(Item { tree }),
                _ => {}
            }
        }
        Ok(list)
    }

    /// The list as it is answered.
    pub(super) fn write(items: Vec<Item>, findings: &[Finding]) -> Result<String, Error> {
        let text = |text: &'static str| Tree::Text(Cow::Borrowed(text));
        let mut fields = vec![
            (Cow::Borrowed("apiVersion"), text("config.kubernetes.io/v1")),
            (Cow::Borrowed("kind"), text("ResourceList")),
            (Cow::Borrowed("items"), Tree::List(items.into_iter().map(|item| item.tree).collect())),
        ];
        if !findings.is_empty() {
            let results = findings.iter().map(Finding::tree).collect();
            fields.push((Cow::Borrowed("results"), Tree::List(results)));
        }
        yaml::write(&Tree::Map(fields))
    }
}

fn not_a_list() -> Problem {
    let complaint =
        Complaint::new("is not a ResourceList", "pass what kustomize or kpt pass: apiVersion, kind and items");
    Problem { path: Path::default(), complaint, span: None }
}

impl Item {
    /// What it is known by.
    pub(super) fn identity(&self) -> Identity {
        Identity::of(&self.tree)
    }

    /// Whether it is a spec, rather than anything else or what was rendered of one.
    pub(super) fn is_spec(&self) -> bool {
        let identity = self.identity();
        let is_meant = identity.kind == "ValkeyCluster" || identity.api_version.starts_with("valkey-gitops.dev/");
        is_meant && !self.is_rendered()
    }

    /// Whether this program made it.
    pub(super) fn is_rendered(&self) -> bool {
        !self.cluster().is_empty()
    }

    /// The cluster that it was rendered for, by a label that no spec may have and everything that is rendered has. Of labels that
    /// all programs share, such as `app.kubernetes.io/managed-by`, kustomize and kpt may have made others since.
    pub(super) fn cluster(&self) -> &str {
        self.note("labels", names::CLUSTER_LABEL)
    }

    /// Whether it is for tools alone, and stays where it is.
    pub(super) fn is_local(&self) -> bool {
        self.note("annotations", "config.kubernetes.io/local-config") == "true"
    }

    /// A label or annotation; empty if it is not there.
    pub(super) fn note(&self, kind: &str, key: &str) -> &str {
        let notes = self.tree.get("metadata").and_then(|metadata| metadata.get(kind));
        notes.and_then(|notes| notes.get(key)).and_then(Tree::text).unwrap_or_default()
    }

    /// The file that it stands in, as far as those know who pass it.
    pub(super) fn file(&self) -> Option<(&str, &str)> {
        let note = |name: &str| {
            let now = self.note("annotations", &format!("internal.config.kubernetes.io/{name}"));
            if now.is_empty() { self.note("annotations", &format!("config.kubernetes.io/{name}")) } else { now }
        };
        Some(note("path")).filter(|path| !path.is_empty()).map(|path| (path, note("index")))
    }

    /// The value of a field.
    pub(super) fn value(&self, path: &Path) -> Option<&Tree<'static>> {
        path.segments().iter().try_fold(&self.tree, |tree, segment| match (segment, tree) {
            (Segment::Key(key) | Segment::Name(key), tree) => tree.get(key),
            (Segment::Index(index), Tree::List(elements)) => elements.get(*index),
            (Segment::Index(_), _) => None,
        })
    }

    /// The same, standing where an earlier one stood, as far as those who passed that wrote it down.
    pub(super) fn standing_where(mut self, earlier: &Self) -> Self {
        let notes = earlier.tree.get("metadata").and_then(|metadata| metadata.get("annotations"));
        let Some(Tree::Map(notes)) = notes else { return self };
        let places: Vec<_> = notes.iter().filter(|(key, _)| is_place(key)).cloned().collect();
        if places.is_empty() {
            return self;
        }
        let own = self.tree.field("metadata").and_then(|metadata| metadata.field("annotations"));
        if let Some(Tree::Map(own)) = own {
            own.extend(places);
        }
        self
    }
}

/// Whether an annotation belongs to those who pass objects on.
fn is_place(key: &str) -> bool {
    let key = key.strip_prefix("internal.").unwrap_or(key);
    key.starts_with("config.kubernetes.io/") || key.starts_with("config.k8s.io/")
}
