//! What restarts nothing and moves nothing: labels, sizes of volumes, directives.

use std::collections::{BTreeMap, BTreeSet};

use crate::draft::Draft;
use crate::id::NodeId;
use crate::layout::Layout;
use crate::situation::Situation;
use crate::step::{Step, Target};
use crate::view::{Labels, Pod, Role, RoleLabel, Server};

/// Labels follow what servers say of themselves at once: Services send clients by them.
pub(super) fn labels_and_volumes(situation: &Situation<'_>, layout: &Layout, draft: &mut Draft) {
    for (ordinal, pod) in &situation.view.pods {
        let grown = situation.desired.volume.zip(pod.volume).filter(|(wanted, present)| wanted > present);
        if let Some((bytes, _)) = grown {
            draft.step(Step::Grow { pod: *ordinal, bytes });
        }
    }
    if !situation.is_formed() {
        return;
    }
    for shard in &layout.shards {
        let leads = |id: &NodeId| shard.head.is_some_and(|head| situation.serves(*id, head));
        for member in shard.members.iter().filter(|member| leads(member)) {
            label(situation, *member, shard.number, draft);
        }
    }
}

/// What does nothing yet, or still serves a shard that dissolves, keeps the labels that it has.
fn label(situation: &Situation<'_>, id: NodeId, shard: u16, draft: &mut Draft) {
    let (Some((ordinal, pod)), Some(role)) = (situation.seen_pod(id), role(situation, id)) else { return };
    let labels = Labels { role: Some(role), shard: Some(shard) };
    if pod.labels != labels {
        draft.step(Step::Label { pod: ordinal, labels });
    }
}

/// A primary without slots is none yet, as far as clients go.
fn role(situation: &Situation<'_>, id: NodeId) -> Option<RoleLabel> {
    match situation.server(id)?.role {
        Role::Primary => situation.owners.contains_key(&id).then_some(RoleLabel::Primary),
        Role::Replica(_) => Some(RoleLabel::Replica),
    }
}

/// Directives that differ from what should be. With each, one server goes first, a replica if there is one: what it does not bear, the
/// others are spared.
pub(super) fn settings(situation: &Situation<'_>, draft: &mut Draft) {
    let is_proven = |(name, value): &(String, String)| {
        situation.view.servers().any(|(_, _, server)| server.settings.get(name) == Some(value))
    };
    let mut proven: BTreeSet<(String, String)> =
        situation.view.servers().flat_map(|(_, _, server)| differing(situation, server)).collect();
    proven.retain(is_proven);
    let first = situation.view.servers().min_by_key(|(pod, _, server)| (server.role == Role::Primary, *pod));
    let first = first.map(|(pod, _, _)| pod);
    for (pod, about, server) in situation.view.servers() {
        let differ = differing(situation, server).filter(|setting| Some(pod) == first || proven.contains(setting));
        let settings: BTreeMap<String, String> = differ.chain(max_memory(situation, about, server)).collect();
        if !settings.is_empty() {
            draft.step(Step::Configure { node: Target { pod, id: server.id }, settings });
        }
    }
}

/// Only what a server reports is set: an older one does not know them all.
fn differing<'a>(situation: &'a Situation<'_>, server: &'a Server) -> impl Iterator<Item = (String, String)> + 'a {
    let wanted = situation.desired.settings.iter();
    let differ = wanted.filter(|(name, value)| server.settings.get(*name).is_some_and(|present| present != *value));
    differ.map(|(name, value)| (name.clone(), value.clone()))
}

/// Each server has a share of the limit of its own pod, which may still be that of an old template.
fn max_memory(situation: &Situation<'_>, pod: &Pod, server: &Server) -> Option<(String, String)> {
    let share = pod.memory_limit? / 100 * u64::from(situation.desired.max_memory_percent);
    (server.max_memory != Some(share)).then(|| ("maxmemory".to_owned(), share.to_string()))
}
