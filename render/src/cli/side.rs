//! Reads one side of a comparison: rendered objects as they are, and specs, which are rendered.

use std::collections::BTreeMap;
use std::ops::Range;
use std::rc::Rc;

use render::Renderer;
use render::diff::{Difference, Side};
use serde::de::IgnoredAny;
use serde_json::Value;
use serde_saphyr::Options;
use spec::{Cluster, ClusterName, Namespace, Problem, names};

use super::failure::{Failure, Source};
use super::input::{self, Found};

/// What was given as one side.
#[derive(Debug, Default)]
pub(crate) struct Given {
    objects: Side,
    clusters: Vec<Found>,
}

impl Given {
    /// What stands in files, folders or standard input.
    pub(crate) fn read(path: &str, namespace: Option<&Namespace>, may_be_empty: bool) -> Result<Self, Failure> {
        let mut given = Self::default();
        for source in input::sources(&[path.to_owned()], input::LONGEST_OBJECTS)? {
            given.add(&Rc::new(source?), namespace)?;
        }
        input::check_no_twins(&given.clusters)?;
        // A side that is empty by mistake would let everything through.
        if given.objects.is_empty() && given.clusters.is_empty() && !may_be_empty {
            let path = if path == "-" { input::STANDARD_INPUT } else { path };
            return Err(unreadable(path, &"there is no object in it"));
        }
        Ok(given)
    }

    fn add(&mut self, source: &Rc<Source>, namespace: Option<&Namespace>) -> Result<(), Failure> {
        let mut problems = Vec::new();
        for place in documents(&source.text) {
            let text = source.text.get(place.clone()).unwrap_or_default();
            match parse(text) {
                Ok(values) if !values.iter().any(is_spec) => add_objects(&mut self.objects, values, &source.path)?,
                // A spec that cannot be parsed is best explained by its own reader.
                Err(reason) if !text.contains("ValkeyCluster") => return Err(unreadable(&source.path, &reason)),
                Ok(_) | Err(_) => match spec::read(text, namespace) {
                    Ok(read) => {
                        self.clusters.extend(read.into_iter().map(|read| Found::of(read, source, place.start)));
                    }
                    Err(found) => problems.extend(found.into_iter().map(|problem| moved(problem, place.start))),
                },
            }
        }
        if problems.is_empty() { Ok(()) } else { Err(Failure::Refused(vec![(Source::clone(source), problems)])) }
    }

    /// How the other side differs from this one. Clusters of which there are but specs are rendered pair by pair, and only where
    /// they differ: of a thousand clusters, a change touches a few, and all their objects at once would fill the memory.
    pub(crate) fn compare(mut self, mut other: Self, renderer: &mut Renderer) -> Result<Difference, Failure> {
        let mut clusters = Vec::new();
        for (before, after) in self.take_pairs(&mut other).into_values() {
            if !before.clusters().eq(after.clusters()) {
                clusters.extend(Difference::between(&before.complete(renderer)?, &after.complete(renderer)?).clusters);
            }
        }
        clusters.extend(Difference::between(&self.complete(renderer)?, &other.complete(renderer)?).clusters);
        clusters.sort_by(|one, other| (&one.namespace, &one.name).cmp(&(&other.namespace, &other.name)));
        Ok(Difference { clusters })
    }

    fn clusters(&self) -> impl Iterator<Item = &Cluster> {
        self.clusters.iter().map(|found| &found.cluster)
    }

    /// What stands on the two sides of each cluster that has no other objects on either.
    fn take_pairs(&mut self, other: &mut Self) -> BTreeMap<Key, (Self, Self)> {
        let is_alone = |found: &mut Found| !self.objects.holds(&found.cluster) && !other.objects.holds(&found.cluster);
        let old: Vec<Found> = self.clusters.extract_if(.., is_alone).collect();
        let new: Vec<Found> = other.clusters.extract_if(.., is_alone).collect();
        let mut pairs = BTreeMap::<Key, (Self, Self)>::new();
        for found in old {
            pairs.entry(key(&found.cluster)).or_default().0.clusters.push(found);
        }
        for found in new {
            pairs.entry(key(&found.cluster)).or_default().1.clusters.push(found);
        }
        pairs
    }

    /// All objects, those of specs rendered.
    fn complete(mut self, renderer: &mut Renderer) -> Result<Side, Failure> {
        for found in std::mem::take(&mut self.clusters) {
            let objects = renderer.objects(&found.cluster)?;
            add_objects(&mut self.objects, objects, found.path())?;
        }
        Ok(self.objects)
    }
}

fn add_objects(side: &mut Side, values: Vec<Value>, path: &str) -> Result<(), Failure> {
    values.into_iter().flat_map(unlisted).try_for_each(|object| {
        if is_spec(&object) {
            return Err(unreadable(path, &"a ValkeyCluster stands in a list; give it a document of its own"));
        }
        side.add(object).map_err(|error| unreadable(path, &error))
    })
}

/// What a cluster is known by.
type Key = (Namespace, ClusterName);

fn key(cluster: &Cluster) -> Key {
    (cluster.namespace.clone(), cluster.name.clone())
}

fn unreadable(path: &str, reason: &impl ToString) -> Failure {
    Failure::Unreadable { path: path.to_owned(), reason: reason.to_string() }
}

/// Of a document in a text, the problem in the text.
fn moved(problem: Problem, by: usize) -> Problem {
    let span = problem.span.map(|span| span.start + by..span.end + by);
    Problem { span, ..problem }
}

/// A misspelled one is meant to be one too. One that was rendered is an object like any other: it has the label that no spec may have.
pub(crate) fn is_spec(document: &Value) -> bool {
    let field = |name| document.get(name).and_then(Value::as_str).unwrap_or_default();
    let labels = document.pointer("/metadata/labels");
    let is_rendered = labels.is_some_and(|labels| labels.get(names::CLUSTER_LABEL).is_some());
    !is_rendered && (field("kind") == "ValkeyCluster" || field("apiVersion").starts_with("valkey-gitops.dev/"))
}

/// The documents of a stream, each read by itself: what bounds a document need not bound a stream of them.
pub(crate) fn documents(text: &str) -> Vec<Range<usize>> {
    json_documents(text).unwrap_or_else(|| spec::documents(text))
}

/// The values of a stream of JSON, which are separated by nothing; none if it is something else.
fn json_documents(text: &str) -> Option<Vec<Range<usize>>> {
    let mut stream = serde_json::Deserializer::from_str(text).into_iter::<IgnoredAny>();
    let mut documents = Vec::new();
    let mut start = 0;
    while let Some(value) = stream.next() {
        value.ok()?;
        documents.push(start..stream.byte_offset());
        start = stream.byte_offset();
    }
    Some(documents)
}

/// The values of one document, or of several that end with `...`.
pub(crate) fn parse(document: &str) -> Result<Vec<Value>, serde_saphyr::Error> {
    serde_saphyr::from_multiple_with_options(document, options())
}

/// A list of all objects of a namespace is one document.
fn options() -> Options {
    serde_saphyr::options! {
        budget: serde_saphyr::budget! { max_events: 4_000_000, max_nodes: 2_000_000 },
    }
}

/// The objects of a list, or the one object.
fn unlisted(document: Value) -> Vec<Value> {
    let is_list = document.get("kind").and_then(Value::as_str).is_some_and(|kind| kind.ends_with("List"));
    match document {
        Value::Object(mut fields) if is_list => match fields.remove("items") {
            Some(Value::Array(items)) => items,
            _ => vec![Value::Object(fields)],
        },
        other => vec![other],
    }
}
