//! From text to clusters, with every problem on the way.

use std::collections::BTreeSet;
use std::iter;
use std::ops::Range;
use std::sync::OnceLock;

use serde_json::Value as Json;

use crate::cluster::{Cluster, Refusal};
use crate::node::{Node, Value};
use crate::overrides::{self, Override};
use crate::problem::{Complaint, Path, Problem};
use crate::schema;
use crate::shape;
use crate::suggest;
use crate::text::Namespace;
use crate::tree;
use crate::wire::ValkeyCluster;

/// A cluster, and the bytes of the text that it was read from.
#[derive(Debug, Clone, PartialEq)]
pub struct Read {
    /// The cluster.
    pub cluster: Cluster,
    /// Where it stands.
    pub span: Range<usize>,
    /// What may be meant otherwise.
    pub warnings: Vec<Problem>,
}

/// The longest text that is read, in bytes: thousands of clusters.
const LONGEST_TEXT: usize = 8 * 1024 * 1024;

/// A text with more problems than this is not read further: it is not what it was taken for.
const MOST_PROBLEMS: usize = 1000;

/// The clusters in a text of one or more YAML documents; `namespace` is for those that name none.
///
/// # Errors
/// Every problem of every document, in the order in which they stand.
pub fn read(text: &str, namespace: Option<&Namespace>) -> Result<Vec<Read>, Vec<Problem>> {
    read_with(text, namespace, &[])
}

/// The same, with values from outside in place of what the text says.
///
/// # Errors
/// Every problem of every document and of what is put into it.
pub fn read_with(text: &str, namespace: Option<&Namespace>, overrides: &[Override]) -> Result<Vec<Read>, Vec<Problem>> {
    if text.len() > LONGEST_TEXT {
        let message = format!("{} MiB of text, and at most {} are read", text.len() >> 20, LONGEST_TEXT >> 20);
        return Err(whole(Complaint::new(message, "split the file, or check that it is the one you mean")));
    }
    let mut found = Vec::new();
    let mut problems = Vec::new();
    for document in documents(text) {
        let news = read_document(text, document, namespace, overrides, &mut found);
        problems.extend(news.into_iter().map(|problem| overrides::claim(overrides, problem)));
        if problems.len() > MOST_PROBLEMS {
            break;
        }
    }
    if found.is_empty() && problems.is_empty() {
        let hint = "start from what `valkey-render init` prints";
        problems = whole(Complaint::new("there is no ValkeyCluster in it", hint));
    }
    check_no_twins(&found, &mut problems);
    problems.sort_by_key(|problem| problem.span.as_ref().map(|span| span.start));
    if problems.is_empty() { Ok(found) } else { Err(problems) }
}

fn whole(complaint: Complaint) -> Vec<Problem> {
    vec![Problem { path: Path::default(), complaint, span: None }]
}

/// The documents of a stream in which anything stands: `---` at the start of a line begins one and `...` ends one, wherever they
/// stand. Each is read by itself, so that a mistake in one does not hide those of the others.
#[must_use]
pub fn documents(text: &str) -> Vec<Range<usize>> {
    let mut starts = vec![0];
    let mut position = 0;
    let mut head = Head::Empty;
    for line in text.split_inclusive('\n') {
        if is_marker(line, "---") && head != Head::Directives {
            starts.push(position);
        }
        head = head.after(line);
        position += line.len();
        if is_marker(line, "...") {
            starts.push(position);
            head = Head::Empty;
        }
    }
    let ends = starts.iter().skip(1).copied().chain([text.len()]);
    let places = starts.iter().copied().zip(ends).map(|(start, end)| start..end);
    places.filter(|place| text.get(place.clone()).is_some_and(|document| !is_blank(document))).collect()
}

/// What of a document has been seen: a `---` behind directives (`%YAML 1.2`) begins no other document, but theirs.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Head {
    Empty,
    Directives,
    Over,
}

impl Head {
    fn after(self, line: &str) -> Self {
        match self {
            Self::Empty | Self::Directives if line.starts_with('%') => Self::Directives,
            Self::Empty | Self::Directives if says_nothing(line) => self,
            Self::Empty | Self::Directives | Self::Over => Self::Over,
        }
    }
}

fn is_marker(line: &str, marker: &str) -> bool {
    line.strip_prefix(marker).is_some_and(|rest| rest.is_empty() || rest.starts_with([' ', '\t', '\r', '\n']))
}

/// Whether nothing but its markers and comments stands in a document: a text may hold a million of them, and each parser costs.
fn is_blank(document: &str) -> bool {
    let mut lines = document.strip_prefix("---").unwrap_or(document).split('\n');
    lines.all(|line| says_nothing(line) || line.trim_ascii() == "...")
}

fn says_nothing(line: &str) -> bool {
    let line = line.trim_ascii();
    line.is_empty() || line.starts_with('#')
}

fn read_document(
    text: &str,
    document: Range<usize>,
    namespace: Option<&Namespace>,
    overrides: &[Override],
    found: &mut Vec<Read>,
) -> Vec<Problem> {
    let mut problems = Vec::new();
    let part = text.get(document.clone()).unwrap_or_default();
    let Some(mut root) = tree::parse(part, document.start, &mut problems) else {
        return problems;
    };
    if root.value == Value::Null {
        return problems;
    }
    if let Some(foreign) = foreign(&root) {
        problems.push(foreign);
        return problems;
    }
    overrides.iter().for_each(|given| given.apply(&mut root));
    let written = written(&root, &mut problems);
    // Among fields that there are not, their number is no news.
    if problems.is_empty() {
        bound(&root, &Path::default(), &mut problems);
    }
    match written.map(|written| Cluster::check(written, namespace)) {
        Ok(Ok(cluster)) if problems.is_empty() => {
            let warnings = located(cluster.warnings(), &root);
            found.push(Read { cluster, span: root.span, warnings });
        }
        Ok(Err(Refusal(more))) => {
            let mut news = located(more, &root);
            news.retain(|problem| !is_known(problem, &problems));
            problems.extend(news);
        }
        // The schema found nothing wrong and the types did: only possible if the two disagree.
        Err(error) if problems.is_empty() => {
            let complaint = Complaint { message: error.to_string(), hint: None, instead: None };
            problems.push(Problem { path: Path::default(), complaint, span: Some(root.locate(&Path::default())) });
        }
        Ok(Ok(_)) | Err(_) => {}
    }
    problems
}

/// Refuses lists and maps that are longer than the schema has them.
fn bound(node: &Node, path: &Path, problems: &mut Vec<Problem>) {
    let most = if *path == Path::of("spec.config") { schema::MOST_DIRECTIVES } else { schema::MOST_ENTRIES };
    if node.longest() <= schema::MOST_ENTRIES {
        return;
    }
    if node.length() > most {
        let message = format!("has {} entries, and at most {most} fit", node.length());
        let span = Some(node.span.start..node.span.start + 1);
        problems.push(Problem { path: path.clone(), complaint: Complaint::new(message, "shorten it"), span });
    }
    node.below(path).into_iter().for_each(|(path, node)| bound(node, &path, problems));
}

/// What says that a document is another kind of object, of which no field would make sense.
fn foreign(root: &Node) -> Option<Problem> {
    let is_other = |kind: &str| suggest::closest(kind, iter::once("ValkeyCluster")).is_none();
    let group = format!("{}/", crate::GROUP);
    let (name, found) = match (root.text("apiVersion"), root.text("kind")) {
        (_, Some(kind)) if is_other(kind) => ("kind", kind),
        (Some(version), _) if !version.starts_with(&group) => ("apiVersion", version),
        _ => return None,
    };
    let path = Path::of(name);
    let hint = format!("write apiVersion: {group}{} and kind: ValkeyCluster, or take the document out", crate::VERSION);
    let complaint = Complaint::new(format!("`{found}` is not that of a spec"), hint);
    Some(Problem { span: Some(root.locate(&path)), path, complaint })
}

/// What was written, as far as it can be understood. Without a mistake it is read by its types alone; only a text with mistakes
/// is held against the schema, which finds them all.
fn written(root: &Node, problems: &mut Vec<Problem>) -> Result<ValkeyCluster, serde_json::Error> {
    serde_json::from_value(shape::plainly(root)).or_else(|_| {
        static SCHEMA: OnceLock<Json> = OnceLock::new();
        let fitting = shape::fit(root, SCHEMA.get_or_init(schema::json_schema), problems);
        serde_json::from_value(with_head(fitting))
    })
}

/// The fields without which nothing else could be looked at; that they were wrong or missing has been noted.
fn with_head(fitting: Json) -> Json {
    let Json::Object(mut fields) = fitting else {
        return fitting;
    };
    fields.entry("apiVersion").or_insert_with(|| "valkey-gitops.dev/v1alpha1".into());
    fields.entry("kind").or_insert_with(|| "ValkeyCluster".into());
    fields.entry("metadata").or_insert_with(|| Json::Object(serde_json::Map::new()));
    fields.entry("spec").or_insert_with(|| Json::Object(serde_json::Map::new()));
    Json::Object(fields)
}

fn located(complaints: Vec<(Path, Complaint)>, root: &Node) -> Vec<Problem> {
    let place = |(path, complaint)| Problem { span: Some(root.locate(&path)), path, complaint };
    complaints.into_iter().map(place).collect()
}

/// Whether the schema has already said what is wrong there.
fn is_known(problem: &Problem, known: &[Problem]) -> bool {
    known.iter().any(|other| other.path.contains(&problem.path) || problem.path.contains(&other.path))
}

/// Two clusters of one name in one namespace would be rendered over each other.
fn check_no_twins(found: &[Read], problems: &mut Vec<Problem>) {
    let mut seen = BTreeSet::new();
    for read in found {
        let cluster = &read.cluster;
        if !seen.insert((&cluster.namespace, &cluster.name)) {
            let message = format!("`{}` in namespace `{}` stands here a second time", cluster.name, cluster.namespace);
            let complaint = Complaint::new(message, "rename one of the two, or remove it");
            let span = Some(read.span.start..read.span.start);
            problems.push(Problem { path: Path::of("metadata.name"), complaint, span });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINIMAL: &str = "apiVersion: valkey-gitops.dev/v1alpha1\nkind: ValkeyCluster\nmetadata: {name: a, namespace: b}\n\
                           spec: {version: \"9.1\", tls: {disabled: true}, auth: {disabled: true}}\n";

    fn problems_of(text: &str) -> Vec<String> {
        read(text, None).unwrap_err().iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_minimal_spec_is_read() {
        let read = read(MINIMAL, None).unwrap();
        assert_eq!(read[0].cluster.shards, 3);
    }

    #[test]
    fn every_problem_is_found_in_one_reading() {
        let text =
            MINIMAL.replace("spec: {", "spec: {shards: 2, shard: 4, replicasPerShard: x, storage: {size: 10GB}, ");
        assert_eq!(
            problems_of(&text),
            [
                "spec.shards: 2 is not between 3 and 500",
                "spec.shard: there is no such field",
                "spec.replicasPerShard: is the text \"x\", and has to be a whole number",
                "spec.storage.size: `10GB` is not a quantity",
            ]
        );
    }

    #[test]
    fn a_mistake_in_one_document_does_not_hide_those_of_another() {
        let text = format!("{MINIMAL}---\nspec: [\n---\n{}", MINIMAL.replace("name: a", "name: A"));
        let problems = problems_of(&text);
        assert_eq!(problems.len(), 2, "{problems:?}");
        assert!(
            problems[0].contains("not valid YAML") && problems[1].contains("`A` is not a cluster name"),
            "{problems:?}"
        );
    }

    #[test]
    fn an_end_of_a_document_begins_the_next() {
        let second = MINIMAL.replace("name: a", "name: b");
        for between in ["...\n", "... # over\n", "...\n---\n", "...\n# more\n", "...\n%YAML 1.2\n---\n"] {
            let found = read(&format!("{MINIMAL}{between}{second}"), None).unwrap();
            assert_eq!(
                found.iter().map(|read| read.cluster.name.as_ref()).collect::<Vec<_>>(),
                ["a", "b"],
                "{between}"
            );
        }
        assert!(problems_of(&format!("garbage: [1]\n...\n{MINIMAL}")).contains(&"apiVersion: is missing".to_owned()));
        assert_eq!(documents("...\n...\n# nothing\n...\n"), [0..0; 0]);
    }

    #[test]
    fn of_another_kind_of_object_nothing_else_is_said() {
        let odd = MINIMAL.replace("spec:", "data:");
        for (from, to) in [("ValkeyCluster", "ConfigMap"), ("valkey-gitops.dev/", "hyperspike.io/")] {
            assert_eq!(problems_of(&odd.replace(from, to)).len(), 1, "{to}");
        }
        assert!(problems_of(&odd.replace("ValkeyCluster", "ValkyCluster")).len() > 1);
        assert!(problems_of(&odd.replace("v1alpha1", "v1")).len() > 1);
    }

    #[test]
    fn directives_belong_to_the_document_behind_them() {
        assert_eq!(read(&format!("# a\n%YAML 1.2\n\n---\n{MINIMAL}"), None).unwrap().len(), 1);
    }

    #[test]
    fn a_second_document_never_takes_the_place_of_the_first() {
        let text = format!("garbage: [1]\r...\r{}", MINIMAL.replace('\n', "\r"));
        assert_eq!(problems_of(&text), ["a second document stands behind the first"]);
    }

    #[test]
    fn a_written_out_cluster_reads_as_the_same_cluster() {
        let cluster = read(MINIMAL, None).unwrap().remove(0).cluster;
        let written = serde_json::to_string(&cluster).unwrap();
        assert_eq!(read(&written, None).unwrap()[0].cluster, cluster);
        assert_eq!(serde_json::from_str::<Cluster>(&written).unwrap(), cluster);
    }

    #[test]
    fn a_tag_that_moves_is_worth_a_look() {
        let warned = |image: &str| {
            let text = MINIMAL.replace("spec: {", &format!("spec: {{image: {image}, "));
            read(&text, None).unwrap()[0].warnings.iter().any(|warning| warning.path == Path::of("spec.image.tag"))
        };
        let digest = format!("{{tag: latest, digest: \"sha256:{}\"}}", "a".repeat(64));
        assert_eq!(["{tag: latest}", "{tag: our-own}", &digest].map(warned), [true, false, false]);
    }

    #[test]
    fn a_short_lived_certificate_is_renewed_in_its_last_third() {
        let renewed = |lifetime: &str| {
            let tls = format!("tls: {{issuerRef: {{name: ca}}{lifetime}}}");
            match read(&MINIMAL.replace("tls: {disabled: true}", &tls), None).unwrap().remove(0).cluster.tls {
                crate::Tls::Issued { renew_before, .. } => renew_before.to_string(),
                other => format!("{other:?}"),
            }
        };
        assert_eq!(["", ", duration: 24h", ", duration: 8760h"].map(renewed), ["720h0m0s", "8h0m0s", "720h0m0s"]);
    }

    #[test]
    fn nothing_is_not_a_cluster() {
        assert_eq!(problems_of("# nothing\n---\n"), ["there is no ValkeyCluster in it"]);
    }
}
