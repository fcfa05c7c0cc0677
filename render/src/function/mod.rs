//! The renderer as a function on lists of objects, as kustomize and kpt call it: as a generator, with the spec as its configuration;
//! or as a transformer, with specs, or what was rendered of them before, among the objects.
//!
//! ```text
//! ResourceList --read--> items --specs become their objects, others stay--> items and findings --> ResourceList
//! ```

mod findings;
mod foreign;
mod list;
mod merge;
mod options;

use std::collections::BTreeSet;

use spec::{Cluster, Complaint, Path, Problem, names};

use self::list::{Item, ResourceList};
use self::options::Options;
use crate::document::Document;
use crate::error::Error;
use crate::tree::Tree;
use crate::yaml;

pub use self::findings::{Finding, Severity};

/// What a call comes to.
#[derive(Debug)]
pub struct Answer {
    /// The list that is answered. If something is wrong, it holds the objects as they were.
    pub list: String,
    /// What is wrong or worth a look.
    pub findings: Vec<Finding>,
}

impl Answer {
    /// Whether something is wrong.
    #[must_use]
    pub fn is_refusal(&self) -> bool {
        self.findings.iter().any(|finding| finding.severity == Severity::Error)
    }
}

/// Answers a call; the problem is one of the list itself, and stands in its text.
///
/// # Errors
/// Only by a mistake of this program; see [`Error`].
pub fn call(text: &str) -> Result<Result<Answer, Problem>, Error> {
    match ResourceList::read(text) {
        Ok(list) => answer(list).map(Ok),
        Err(problem) => Ok(Err(problem)),
    }
}

fn answer(list: ResourceList) -> Result<Answer, Error> {
    let mut findings = Vec::new();
    let options = options::read(list.config.as_ref(), &mut findings);
    let clusters = read(&list, &mut findings)?;
    findings.extend(list.items.iter().filter_map(renamed));
    let mut answer = Answer { list: String::new(), findings };
    let mut items = list.items;
    if !answer.is_refusal() {
        let fresh = rendered(&clusters, options)?;
        answer.findings.extend(merge::in_the_way(&items, &fresh, &clusters).map(taken));
        if !answer.is_refusal() {
            items = merge::merge(items, fresh, &clusters);
        }
    }
    answer.list = ResourceList::write(items, &answer.findings)?;
    Ok(answer)
}

/// The clusters of all specs: of the configuration and among the objects. kustomize passes a generator's spec as both.
fn read(list: &ResourceList, findings: &mut Vec<Finding>) -> Result<Vec<Cluster>, Error> {
    let configured = list.config.iter().filter(|config| config.is_spec());
    let is_configured = |item: &&Item| configured.clone().any(|config| config.identity() == item.identity());
    let others = list.items.iter().filter(|item| item.is_spec() && !is_configured(item));
    let mut clusters = Vec::new();
    let mut seen = BTreeSet::new();
    for item in configured.clone().chain(others) {
        for cluster in read_spec(item, findings)? {
            if !seen.insert((cluster.namespace.clone(), cluster.name.clone())) {
                let complaint = Complaint::new("is there twice", "rename one of the two, or remove it");
                findings.push(Finding::of(item, Severity::Error, said("metadata.name", complaint)));
            }
            clusters.push(cluster);
        }
    }
    Ok(clusters)
}

fn read_spec(item: &Item, findings: &mut Vec<Finding>) -> Result<Vec<Cluster>, Error> {
    let read = spec::read(&yaml::write(&item.tree)?, None);
    let (read, problems) = read.map_or_else(|problems| (Vec::new(), problems), |read| (read, Vec::new()));
    let warnings = read.iter().flat_map(|read| read.warnings.clone());
    findings.extend(warnings.map(|warning| Finding::of(item, Severity::Warning, warning)));
    findings.extend(problems.into_iter().map(|problem| Finding::of(item, Severity::Error, problem)));
    Ok(read.into_iter().map(|read| read.cluster).collect())
}

/// Names and namespace also stand in arguments, host names and certificates. Whoever changes them afterwards changes a part of them;
/// the script that starts a server tells what they were.
fn renamed(item: &Item) -> Option<Finding> {
    let identity = item.identity();
    let script = item.tree.get("data").and_then(|data| data.get("start.sh")).and_then(Tree::text);
    let script = script.filter(|_| item.is_rendered() && identity.kind == "ConfigMap")?;
    let (_, domain) = script.split_once("--cluster-announce-hostname \"$POD_NAME.")?;
    let (cluster, namespace) = names::of_nodes_domain(domain)?;
    let name = names::config(&cluster);
    if identity.name == name && identity.namespace == namespace.as_ref() {
        return None;
    }
    let (now, place) = (&identity.name, &identity.namespace);
    let message = format!("was rendered as `{name}` in namespace `{namespace}`, and is `{now}` in `{place}` now");
    let hint = "rename the spec: have it among `resources`, and render it in `transformers`, which come after namePrefix and namespace";
    Some(Finding::of(item, Severity::Error, said("metadata.name", Complaint::new(message, hint))))
}

/// Two of one name would be applied over each other, and which of them comes last is up to others.
fn taken(item: &Item) -> Finding {
    let message = "is the name of an object that is rendered, and this one was not";
    let label = names::CLUSTER_LABEL;
    let hint = format!("rename it, or remove it; if it was rendered once, give it back the label `{label}`");
    Finding::of(item, Severity::Error, said("metadata.name", Complaint::new(message, hint)))
}

fn said(path: &str, complaint: Complaint) -> Problem {
    Problem { path: Path::of(path), complaint, span: None }
}

fn rendered(clusters: &[Cluster], options: Options) -> Result<Vec<Item>, Error> {
    let mut renderer = options.renderer();
    let mut items = Vec::new();
    for cluster in clusters {
        items.extend(renderer.render(cluster)?.documents().iter().map(item_of).collect::<Result<Vec<_>, _>>()?);
    }
    Ok(items)
}

fn item_of(document: &Document) -> Result<Item, Error> {
    let tree = foreign::read(document.yaml()).map_err(|problem| Error::Law(problem.to_string()))?;
    Ok(Item { tree })
}
