//! Nodes that are not ours. Whatever spreads what nodes know of each other could merge two clusters, and a merge destroys data.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::ops::ControlFlow;

use super::Next;
use crate::draft::Draft;
use crate::id::NodeId;
use crate::plan::{Scope, Trouble};
use crate::situation::{Node, Situation};

pub(super) fn decide(situation: &Situation<'_>, draft: &mut Draft) -> Next {
    let foreign = foreign_nodes(situation);
    if foreign.is_empty() {
        return ControlFlow::Continue(());
    }
    draft.stuck(Scope::Cluster, Trouble::ForeignNodes(foreign));
    ControlFlow::Break(())
}

/// Nodes that neither answered from one of our pods, nor announce the name of one, nor are thought to be where one is. The last is
/// how a node looks whose announcement has not arrived yet.
fn foreign_nodes(situation: &Situation<'_>) -> Vec<NodeId> {
    let addresses: BTreeSet<IpAddr> = situation.view.pods.values().filter_map(|pod| pod.address).collect();
    let here = |node: &Node<'_>| node.row.address.is_some_and(|address| addresses.contains(&address));
    let foreign = |node: &&Node<'_>| node.seen.is_none() && node.pod.is_none() && !here(node);
    situation.nodes.values().filter(foreign).map(|node| node.id).collect()
}
