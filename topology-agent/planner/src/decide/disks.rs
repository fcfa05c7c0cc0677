//! Servers that cannot write to their disk: they refuse clients' writes, and a replica that can takes over.

use super::failover;
use crate::draft::Draft;
use crate::layout::Layout;
use crate::plan::{Scope, Trouble};
use crate::situation::Situation;

pub(super) fn decide(situation: &Situation<'_>, layout: &Layout, draft: &mut Draft) {
    for (target, _, _) in situation.members().filter(|(_, _, server)| server.disk_fails) {
        draft.stuck(Scope::Pod(target.pod), Trouble::DiskFails);
        let shard = layout.led_by(target.id).filter(|_| draft.is_free(target.id) && !draft.is_unsettled());
        if let Some(shard) = shard.filter(|shard| failover::planned(situation, target.id, shard.replicas()).is_some()) {
            failover::hand_over(situation, shard, target.id, draft);
        }
    }
}
