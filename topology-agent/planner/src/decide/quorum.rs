//! Too few primaries for a vote: then nothing heals by itself, and nothing but this is safe.

use super::{MOMENT, PATIENCE, WHILE, coverage, failover, meet};
use crate::draft::Draft;
use crate::id::NodeId;
use crate::plan::{Scope, Trouble, Waiting};
use crate::situation::Situation;
use crate::step::{FailoverMode, Step};
use crate::view::{Pod, Sight};

pub(super) fn decide(situation: &Situation<'_>, draft: &mut Draft) {
    // Where nothing was ever written there is nothing to vote about: slots are handed out anew.
    if !situation.is_formed() || situation.has_quorum() || situation.is_unused() {
        return;
    }
    draft.unsettle();
    let (alive, voters) = situation.voters();
    let lost = situation.owners.keys().copied().filter(|id| situation.server(*id).is_none());
    let lost: Vec<NodeId> = lost.collect();
    let is_extinct = |id: &NodeId| situation.nodes.get(id).is_some_and(|node| coverage::is_extinct(situation, node));
    // What has no successor gets one from outside, or somebody is told: neither takes a vote.
    if lost.iter().any(is_extinct) {
        meet::welcome(situation, &meet::newcomers(situation), draft);
    }
    // One shard at a time: with each, the servers may be able to vote again, and a vote is safer than this.
    let rescue = lost.iter().filter(|id| is_gone(situation, **id)).find_map(|id| takeover(situation, *id));
    if let Some(step) = rescue {
        draft.step(step);
        draft.wait(Scope::Cluster, Waiting::Quorum { alive, voters }, situation.now + MOMENT);
    } else if lost.iter().all(is_extinct) {
        draft.wait(Scope::Cluster, Waiting::Quorum { alive, voters }, situation.now + WHILE);
    } else if lost.iter().all(|id| is_long_gone(situation, *id)) {
        draft.stuck(Scope::Cluster, Trouble::QuorumLost { alive, voters });
    } else {
        draft.wait(Scope::Cluster, Waiting::Quorum { alive, voters }, situation.now + WHILE);
    }
}

/// Whether a primary is proven not to run any more, and cannot come back with more data than its replicas have: its pod answers as
/// another node; or, where data does not outlive a pod, the pod was made anew and has not been able to start for a while.
fn is_gone(situation: &Situation<'_>, id: NodeId) -> bool {
    let Some(node) = situation.nodes.get(&id) else { return false };
    let never_started = |pod: &Pod| pod.sight == Sight::Down && pod.address.is_none() && !pod.terminating;
    let waited = |pod: &Pod| pod.is_unready_for(PATIENCE, situation.now);
    let fresh = situation.pod_of(node).is_some_and(|pod| never_started(pod) && waited(pod));
    situation.is_replaced(node) || fresh && !situation.desired.persistent
}

fn is_long_gone(situation: &Situation<'_>, id: NodeId) -> bool {
    let pod = situation.nodes.get(&id).and_then(|node| situation.pod_of(node));
    pod.is_none_or(|pod| pod.is_unready_for(PATIENCE, situation.now))
}

/// The best replica takes over, if every replica answered: one that did not could have more.
fn takeover(situation: &Situation<'_>, primary: NodeId) -> Option<Step> {
    let all_known = situation.followers(primary).all(|node| node.seen.is_some() || situation.is_replaced(node));
    let replica = failover::best_orphan(situation, primary).filter(|_| all_known)?;
    let candidate = situation.server(replica)?;
    let replica = situation.target(replica).filter(|_| failover::knows_slots(situation, candidate, primary))?;
    Some(Step::Failover { replica, primary, mode: FailoverMode::Takeover })
}
