//! Slots on their way: to new shards, from those that dissolve, and between those that own too many and too few.

use spec::{Series, Version};

use super::{MOMENT, WHILE};
use crate::draft::Draft;
use crate::id::NodeId;
use crate::layout::Layout;
use crate::plan::{Scope, Trouble, Waiting};
use crate::sharing::{Holder, Transfer, shares, transfers};
use crate::situation::Situation;
use crate::slots::SlotSet;
use crate::step::{Migration, Step, Target};
use crate::time::Span;
use crate::view::{Job, JobState, Server};

/// Slots that move in one go: however few there are, the source holds all its writes back at the end, so that few at a time do so more
/// often. Half of what a primary of three owns is within it.
const MOST_SLOTS: u16 = 4096;
/// Slots that are named in one go where they move key by key. Who moves them stops after a while, and then the cluster is looked at
/// again: no more would get done than that.
const MOST_SLOTS_CLASSIC: u16 = 512;
/// Bytes that move in one go, as far as they can be estimated: they pile up on the target until it takes over.
const MOST_BYTES: u64 = 512 << 20;
/// After how many failures in a row someone is told.
const MOST_FAILURES: u32 = 5;

pub(super) fn decide(situation: &Situation<'_>, layout: &Layout, draft: &mut Draft) {
    if draft.is_unsettled() {
        return;
    }
    watch(situation, draft);
    let (ends, holders) = holders(situation, layout);
    let shares = shares(&holders, situation.desired.rebalance);
    let mut due = 0;
    let mut begun = running(situation);
    let mut goes_on = begun > 0;
    for transfer in transfers(&holders, &shares) {
        due += transfer.slots.len();
        let pair = ends.get(transfer.from).copied().zip(ends.get(transfer.to).copied());
        if let Some((from, to)) = pair.filter(|_| begun < usize::from(situation.desired.migrations)) {
            let attempt = begin(situation, layout, from, to, &transfer, draft);
            begun += usize::from(attempt == Attempt::Begun);
            goes_on |= attempt != Attempt::Stuck;
        }
    }
    if due > 0 {
        draft.wait(Scope::Cluster, Waiting::ToMove { slots: due }, situation.now + WHILE);
    }
    // What is stuck waits for somebody, and what mends it may be a restart onto another template.
    if goes_on {
        draft.unsettle();
    }
}

/// What came of the attempt to begin a migration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Attempt {
    /// It is begun.
    Begun,
    /// It will be, when what it waits for has passed.
    Later,
    /// It will not be before somebody does something.
    Stuck,
}

/// The primaries of all shards, and what they own.
fn holders(situation: &Situation<'_>, layout: &Layout) -> (Vec<NodeId>, Vec<Holder>) {
    let stay = layout.primaries.values().map(|id| (*id, true));
    let go = layout.dissolving.iter().map(|id| (*id, false));
    let own = |id: &NodeId| situation.owners.get(id).cloned().unwrap_or_default();
    stay.chain(go).map(|(id, stays)| (id, Holder { slots: own(&id), stays })).unzip()
}

fn running(situation: &Situation<'_>) -> usize {
    let jobs = situation.members().flat_map(|(_, _, server)| &server.jobs);
    jobs.filter(|job| job.state == JobState::Running).count()
}

/// Says which migrations are under way; nothing else is begun at their ends.
fn watch(situation: &Situation<'_>, draft: &mut Draft) {
    for (target, _, server) in situation.members() {
        for job in server.jobs.iter().filter(|job| job.state == JobState::Running) {
            draft.occupy(target.id);
            draft.occupy(job.target);
            let why = Waiting::Migration { slots: job.slots.len() };
            draft.wait(Scope::Pod(target.pod), why, situation.now + MOMENT);
        }
    }
}

/// Begins one migration, as far as its ends are ready for it.
fn begin(
    situation: &Situation<'_>,
    layout: &Layout,
    from: NodeId,
    to: NodeId,
    transfer: &Transfer,
    draft: &mut Draft,
) -> Attempt {
    let ends = situation.target(from).zip(situation.target(to)).zip(situation.server(from).zip(situation.server(to)));
    let Some(((source, target), (giver, taker))) = ends else { return Attempt::Later };
    let free = draft.is_free(from) && draft.is_free(to);
    if !free || giver.paused || taker.paused || !is_whole(situation, layout, to) || !draft.has_only_migrations() {
        return Attempt::Later;
    }
    if !is_open(situation, target, taker, draft) {
        return Attempt::Later;
    }
    if let Some(attempt) = rest_after_failures(situation, source, giver, draft) {
        return attempt;
    }
    let how = way(giver, taker);
    let mut slots = transfer.slots.clone();
    let count = slots.len().min(most(situation, giver, taker, from, how));
    if count == 0 {
        let bytes = bytes_of(situation, giver, from).saturating_mul(slots.len().into());
        draft.stuck(Scope::Pod(target.pod), Trouble::NoRoom { bytes });
        return Attempt::Stuck;
    }
    let slots = slots.split_off(count);
    draft.occupy(from);
    draft.occupy(to);
    draft.step(Step::Migrate { source, target, slots, how });
    Attempt::Begun
}

/// Whether a primary serves clients. In its first two seconds it does not, and what it were given then, nobody would serve.
fn is_open(situation: &Situation<'_>, target: Target, taker: &Server, draft: &mut Draft) -> bool {
    if taker.refuses {
        draft.wait(Scope::Pod(target.pod), Waiting::Refusing, situation.now + MOMENT);
    }
    !taker.refuses
}

/// Whether all that are to follow a primary, and can, are in sync: what it is given would otherwise have fewer copies than it should.
fn is_whole(situation: &Situation<'_>, layout: &Layout, to: NodeId) -> bool {
    let shard = layout.shards.iter().find(|shard| layout.primaries.get(&shard.number) == Some(&to));
    let wanted = usize::try_from(situation.desired.members()).unwrap_or(usize::MAX);
    shard.is_some_and(|shard| {
        let mut others = shard.members.iter().filter(|id| **id != to && !layout.is_bound(situation, **id));
        shard.members.len() == wanted && others.all(|id| situation.in_sync(*id, to))
    })
}

/// What the last migrations of this source say against another, if anything. The log of a server is no record of who owns what: that
/// was read from all servers, which agree; it only tells how often it went wrong.
fn rest_after_failures(
    situation: &Situation<'_>,
    source: Target,
    giver: &Server,
    draft: &mut Draft,
) -> Option<Attempt> {
    let failures: Vec<&Job> = giver.jobs.iter().take_while(|job| job.state == JobState::Failed).collect();
    let last = failures.first()?;
    let times = u32::try_from(failures.len()).unwrap_or(u32::MAX);
    let pause = Span::seconds(2).backed_off(times, Span::seconds(300));
    let again = last.updated + pause;
    if times >= MOST_FAILURES {
        draft.stuck(Scope::Pod(source.pod), Trouble::MigrationFailing { times });
    }
    if again <= situation.now {
        return None;
    }
    draft.wait(Scope::Pod(source.pod), Waiting::MigrationRetry { after: pause }, again);
    Some(if times < MOST_FAILURES { Attempt::Later } else { Attempt::Stuck })
}

/// In one go where both ends can and do it soundly: up to 9.1.1, more than one thread for clients broke it under load.
fn way(giver: &Server, taker: &Server) -> Migration {
    let sound = |server: &Server| {
        let fixed = server.version >= Version { series: Series::V9_1, patch: Some(2) };
        server.version.series >= Series::V9_0 && (fixed || server.io_threads <= 1)
    };
    if sound(giver) && sound(taker) { Migration::Atomic } else { Migration::Classic }
}

/// How many slots may move in one go: what is sensible, and what the target has room for.
fn most(situation: &Situation<'_>, giver: &Server, taker: &Server, from: NodeId, how: Migration) -> u16 {
    let most = match how {
        Migration::Atomic => MOST_SLOTS,
        Migration::Classic => MOST_SLOTS_CLASSIC,
    };
    let each = bytes_of(situation, giver, from).max(1);
    let room = room(taker);
    // What is larger than is sensible moves slot by slot, as long as there is room.
    let sensible = (room.min(MOST_BYTES) / each).max(u64::from(room >= each));
    most.min(u16::try_from(sensible).unwrap_or(u16::MAX))
}

/// Bytes for which a server has room. A fifth stays free for what is written meanwhile.
fn room(taker: &Server) -> u64 {
    taker.max_memory.map_or(u64::MAX, |max| (max / 5 * 4).saturating_sub(taker.memory))
}

/// Bytes that a slot takes on a server, on average.
fn bytes_of(situation: &Situation<'_>, giver: &Server, from: NodeId) -> u64 {
    let owned = situation.owners.get(&from).map_or(1, SlotSet::len).max(1);
    let data = if giver.keys == 0 { 0 } else { giver.memory };
    data / u64::from(owned)
}

/// Whether a server has no room for a slot of another, which is then told.
pub(super) fn is_full(situation: &Situation<'_>, source: Target, target: Target, draft: &mut Draft) -> bool {
    let Some((giver, taker)) = situation.server(source.id).zip(situation.server(target.id)) else { return false };
    let bytes = bytes_of(situation, giver, source.id);
    let full = room(taker) < bytes;
    if full {
        draft.stuck(Scope::Pod(target.pod), Trouble::NoRoom { bytes });
    }
    full
}
