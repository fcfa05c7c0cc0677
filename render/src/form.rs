//! Laws of form: what a document says in which words, so that what runs never differs from it for that alone.

use crate::document::{Draft, Kind, WRITTEN_BY_THE_CLUSTER};
use crate::tree::Tree;

/// What says something by being empty.
const MEANT_EMPTY: [&str; 3] = ["emptyDir", "namespaceSelector", "podSelector"];

/// What is null the API server takes for absent, and what it writes itself it writes anew: either would differ from what runs for ever.
pub(crate) fn nothing_is_said_that_the_cluster_says(drafts: &[Draft], trees: &[Tree<'_>]) -> Vec<String> {
    fn is_said(tree: &Tree<'_>) -> bool {
        match tree {
            Tree::Null => true,
            Tree::List(elements) => elements.iter().any(is_said),
            Tree::Map(fields) => is_by_the_cluster(tree) || fields.iter().any(|(_, value)| is_said(value)),
            Tree::Bool(_) | Tree::Integer(_) | Tree::Text(_) | Tree::Plain(_) => false,
        }
    }
    let said = drafts.iter().zip(trees).filter(|(_, tree)| is_said(tree));
    said.map(|(draft, _)| format!("{} says what is for the cluster to say, or null", draft.template)).collect()
}

/// Whether an object, or the template of one, has a status or what else only the API server writes.
fn is_by_the_cluster(object: &Tree<'_>) -> bool {
    let written = |metadata: &Tree<'_>| WRITTEN_BY_THE_CLUSTER.iter().any(|field| metadata.get(field).is_some());
    object.get("metadata").is_some_and(|metadata| object.get("status").is_some() || written(metadata))
}

/// Where an empty map or list is as good as none, the API server keeps either, and drops or adds the one that it likes.
pub(crate) fn what_is_empty_says_something(drafts: &[Draft], trees: &[Tree<'_>]) -> Vec<String> {
    fn idle<'t>(tree: &'t Tree<'_>) -> Option<&'t str> {
        match tree {
            Tree::List(elements) => elements.iter().find_map(idle),
            Tree::Map(fields) => fields
                .iter()
                .find_map(|(key, value)| if is_idle(key, value) { Some(key.as_ref()) } else { idle(value) }),
            Tree::Null | Tree::Bool(_) | Tree::Integer(_) | Tree::Text(_) | Tree::Plain(_) => None,
        }
    }
    let is_empty = |(draft, tree): (&Draft, _)| Some(format!("{} has an empty {}", draft.template, idle(tree)?));
    // What stands in a spec is for who wrote it to say.
    let ours = drafts.iter().zip(trees).filter(|(draft, _)| draft.kind != Kind::ValkeyCluster);
    ours.filter_map(is_empty).collect()
}

fn is_idle(key: &str, value: &Tree<'_>) -> bool {
    let is_empty = match value {
        Tree::List(elements) => elements.is_empty(),
        Tree::Map(fields) => fields.is_empty(),
        Tree::Null | Tree::Bool(_) | Tree::Integer(_) | Tree::Text(_) | Tree::Plain(_) => false,
    };
    is_empty && !MEANT_EMPTY.contains(&key)
}

/// Whoever merges two lists of ports tells the ports apart by protocol, and people do by name. A NetworkPolicy's have none.
pub(crate) fn every_port_says_its_protocol_and_name(drafts: &[Draft], trees: &[Tree<'_>]) -> Vec<String> {
    fn is_bad(tree: &Tree<'_>, wanted: &[&str]) -> bool {
        let lacks = |port: &Tree<'_>| wanted.iter().any(|field| port.get(field).is_none());
        match tree {
            Tree::List(elements) => elements.iter().any(|element| is_bad(element, wanted)),
            Tree::Map(fields) => fields.iter().any(|(key, value)| match value {
                Tree::List(ports) if key == "ports" => ports.iter().any(lacks),
                _ => is_bad(value, wanted),
            }),
            Tree::Null | Tree::Bool(_) | Tree::Integer(_) | Tree::Text(_) | Tree::Plain(_) => false,
        }
    }
    let wanted = |kind| if kind == Kind::NetworkPolicy { &["protocol"][..] } else { &["protocol", "name"] };
    let bad = drafts.iter().zip(trees).filter(|(draft, tree)| is_bad(tree, wanted(draft.kind)));
    bad.map(|(draft, _)| format!("{} has a port without a protocol or a name", draft.template)).collect()
}
