//! Primaries spread over zones, so that the loss of one takes as few as can be. At rest only.

use std::collections::BTreeMap;
use std::sync::Arc;

use spec::Spread;

use super::{WHILE, failover};
use crate::draft::Draft;
use crate::id::NodeId;
use crate::layout::Layout;
use crate::plan::{Scope, Waiting};
use crate::situation::Situation;
use crate::view::Template;

type Zone = Arc<str>;

pub(super) fn decide(situation: &Situation<'_>, layout: &Layout, draft: &mut Draft) {
    // A roll moves primaries anyway, and where it has to stop, they stay.
    if situation.desired.zone_spread == Spread::Off
        || situation.view.pods.values().any(|pod| pod.template == Template::Old)
    {
        return;
    }
    let leads: Option<Vec<(NodeId, Zone)>> =
        layout.shards.iter().map(|shard| shard.head.and_then(|head| Some((head, situation.zone(head)?)))).collect();
    let Some(leads) = leads.filter(|_| !draft.is_unsettled()) else { return };
    let mut zones: BTreeMap<Zone, usize> = BTreeMap::new();
    for member in layout.shards.iter().flat_map(|shard| &shard.members) {
        situation.zone(*member).into_iter().for_each(|zone| *zones.entry(zone).or_default() += 0);
    }
    leads.iter().for_each(|(_, zone)| *zones.entry(zone.clone()).or_default() += 1);
    for (shard, (head, from)) in layout.shards.iter().zip(&leads) {
        let crowd = zones.get(from).copied().unwrap_or_default();
        // A hand-over only helps if the other zone then still has fewer than this one had.
        let calmer =
            |id: &NodeId| situation.zone(*id).is_some_and(|to| zones.get(&to).is_some_and(|count| count + 1 < crowd));
        let better: Vec<NodeId> = shard.replicas().filter(calmer).collect();
        if better.is_empty() {
            continue;
        }
        match failover::planned(situation, *head, better.into_iter()) {
            Some(step) if draft.is_empty() => return draft.step(step),
            Some(_) | None => draft.wait(Scope::Shard(shard.number), Waiting::Rest, situation.now + WHILE),
        }
    }
}
