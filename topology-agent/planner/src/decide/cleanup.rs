//! Nodes that are gone for good, and are still in the tables of others.

use crate::draft::Draft;
use crate::id::NodeId;
use crate::situation::{Node, Situation};
use crate::step::Step;
use crate::view::Health;

pub(super) fn decide(situation: &Situation<'_>, draft: &mut Draft) {
    // Whoever is told to forget while others are lost would be told again of the node by those.
    if draft.is_unsettled() {
        return;
    }
    for gone in situation.nodes.values().filter(|node| is_gone(situation, node)) {
        forget(situation, gone.id, draft);
    }
}

/// Whether a node is gone for good, and nothing of it is needed: it owns nothing in any view, and nobody follows it.
fn is_gone(situation: &Situation<'_>, node: &Node<'_>) -> bool {
    node.seen.is_none()
        && (situation.is_replaced(node) || is_removed(situation, node))
        && situation.owns_nowhere(node.id)
        && !situation.is_followed(node.id)
}

/// Whether Kubernetes took its pod away, and is not about to make it again.
fn is_removed(situation: &Situation<'_>, node: &Node<'_>) -> bool {
    let kept = situation.view.scale.max(situation.desired.pods());
    node.pod.is_some_and(|pod| pod.0 >= kept && !situation.view.pods.contains_key(&pod))
}

fn forget(situation: &Situation<'_>, gone: NodeId, draft: &mut Draft) {
    for (node, _, server) in situation.members() {
        let row = situation.view.opinion(server).and_then(|opinion| opinion.row(gone));
        if row.is_some_and(|row| row.health != Health::Handshake) {
            draft.step(Step::Forget { node, gone });
        }
    }
}
