//! The number of pods, and what keeps any of them from answering.

use super::{PATIENCE, WHILE};
use crate::draft::Draft;
use crate::id::Ordinal;
use crate::plan::{Scope, Trouble, Waiting};
use crate::situation::Situation;
use crate::step::Step;
use crate::view::{Pod, Sight};

/// Asks for more pods at once; fewer are asked for only when those that go are [blank](super::leave).
pub(super) fn decide(situation: &Situation<'_>, draft: &mut Draft) {
    let wanted = situation.desired.pods();
    if situation.view.scale < wanted {
        draft.step(Step::Scale { pods: wanted });
    }
    let seen = situation.view.pods.range(..Ordinal(wanted)).filter(|(_, pod)| pod.server().is_some()).count();
    let seen = u32::try_from(seen).unwrap_or(u32::MAX);
    if seen < wanted {
        draft.wait(Scope::Cluster, Waiting::PodsMissing { seen, wanted }, situation.now + WHILE);
    }
    for (ordinal, pod) in &situation.view.pods {
        report(situation, *ordinal, pod, draft);
    }
}

fn report(situation: &Situation<'_>, ordinal: Ordinal, pod: &Pod, draft: &mut Draft) {
    let long = situation.now.since(pod.unready.unwrap_or(pod.answered)) > PATIENCE;
    let (why, trouble) = match pod.sight {
        Sight::Seen(_) if !pod.terminating => return,
        Sight::Seen(_) => (Waiting::Terminating, None),
        Sight::Down | Sight::Silent if pod.terminating => (Waiting::Terminating, long.then_some(Trouble::Lingering)),
        Sight::Down => (Waiting::Restarting, long.then_some(Trouble::Unreachable)),
        Sight::Silent => (Waiting::Silent, long.then_some(Trouble::Unreachable)),
        Sight::Loading => (Waiting::Loading, None),
        Sight::Locked => (Waiting::Locked, long.then_some(Trouble::LockedOut)),
    };
    match trouble {
        Some(trouble) => draft.stuck(Scope::Pod(ordinal), trouble),
        None => draft.wait(Scope::Pod(ordinal), why, situation.now + WHILE),
    }
}
