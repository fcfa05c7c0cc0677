//! What Valkey nodes do by themselves: hear from each other, notice failures, elect, sync, finish or lose migrations.

use std::sync::Arc;

use planner::SlotSet;

use crate::world::{Health, Id, Job, Link, Node, Row, World};

/// One node hears from every node that it reaches, and lets them know where it is.
///
/// It adopts what they say of themselves, and of others where their epoch is higher; it learns of nodes that it did not know; it
/// suspects those that it cannot reach, and holds those as failed that a majority of voters suspects.
pub fn hear(world: &mut World, ordinal: u8) {
    let Some(mut node) = world.pods.get(usize::from(ordinal)).and_then(|pod| pod.node.clone()) else { return };
    let peers: Vec<Node> = node
        .table
        .iter()
        .filter(|row| row.id != node.id && world.reaches(&node, row.id))
        .filter_map(|row| world.up(row.id).cloned())
        .collect();
    greet(world, &node, ordinal, &peers);
    watch(&mut node, &peers);
    let known: Vec<Id> = node.table.iter().map(|row| row.id).collect();
    for peer in &peers {
        listen(&mut node, peer);
    }
    introduce(world, &node, ordinal, &known);
    settle_epochs(&mut node, &peers);
    follow(world, &mut node);
    if let Some(place) = world.node_mut(ordinal) {
        *place = node;
    }
}

/// Whoever is greeted by a node that it knows learns where that is now.
fn greet(world: &mut World, node: &Node, ordinal: u8, peers: &[Node]) {
    let generation = world.pods.get(usize::from(ordinal)).map_or(0, |pod| pod.generation);
    for peer in peers.iter().filter_map(|peer| world.home(peer.id)).collect::<Vec<_>>() {
        if let Some(row) = world.node_mut(peer).and_then(|peer| peer.row_mut(node.id))
            && row.address != generation
        {
            row.address = generation;
        }
    }
}

/// Whoever a node only just heard of is greeted, and then knows it too.
fn introduce(world: &mut World, node: &Node, ordinal: u8, known: &[Id]) {
    let generation = world.pods.get(usize::from(ordinal)).map_or(0, |pod| pod.generation);
    let new = node.table.iter().filter(|row| !known.contains(&row.id) && world.reaches(node, row.id));
    for id in new.map(|row| row.id).collect::<Vec<_>>() {
        let peer = world.id_mut(id).filter(|peer| peer.row(node.id).is_none());
        peer.into_iter().for_each(|peer| peer.learn(Row { linked: false, ..Row::new(node.id, ordinal, generation) }));
    }
}

fn watch(node: &mut Node, peers: &[Node]) {
    let id = node.id;
    let voters: Vec<Id> = node.owners().map(|row| row.id).collect();
    let suspicious = |row: &Row| row.health != Health::Fine;
    let own_vote = usize::from(voters.contains(&id));
    for row in Arc::make_mut(&mut node.table).iter_mut().filter(|row| row.id != id) {
        row.linked = peers.iter().any(|peer| peer.id == row.id);
        if row.linked {
            row.health = Health::Fine;
            continue;
        }
        let voting = peers.iter().filter(|peer| voters.contains(&peer.id));
        let suspects = voting.filter(|peer| peer.row(row.id).is_some_and(suspicious)).count();
        let majority = (suspects + own_vote) * 2 > voters.len();
        row.health = if majority || row.health == Health::Failed { Health::Failed } else { Health::Suspected };
    }
}

/// Adopts what a peer says of itself, and what it knows of others.
fn listen(node: &mut Node, peer: &Node) {
    node.epoch = node.epoch.max(peer.epoch);
    for row in peer.table.iter() {
        let itself = row.id == peer.id;
        let news = match node.row(row.id) {
            None => row.health != Health::Failed,
            // Of itself a node knows best; others count where their news are newer.
            Some(known) if itself => row.epoch >= known.epoch || known.primary != row.primary,
            Some(known) => row.epoch > known.epoch,
        };
        if news && node.row(row.id).is_none() {
            node.learn(Row { linked: false, ..Row::new(row.id, row.pod, row.address) });
        }
        if news {
            adopt(node, row);
        }
        if let Some(known) = node.row_mut(row.id)
            && (itself || known.health != Health::Fine && row.health == Health::Fine && row.linked)
        {
            known.address = row.address;
        }
    }
}

/// Takes over a claim: the slots go to it from everyone whose epoch is lower.
fn adopt(node: &mut Node, claim: &Row) {
    let table = Arc::make_mut(&mut node.table);
    let mut granted = (*claim.slots).clone();
    for row in table.iter_mut().filter(|row| row.id != claim.id && !row.slots.is_empty()) {
        if row.epoch < claim.epoch {
            if row.slots.overlaps(&granted) {
                row.slots = Arc::new(row.slots.without(&granted));
            }
        } else {
            granted = granted.without(&row.slots);
        }
    }
    if let Some(row) = table.iter_mut().find(|row| row.id == claim.id) {
        row.epoch = row.epoch.max(claim.epoch);
        row.primary = claim.primary;
        row.slots = Arc::new(granted);
    }
}

/// Of two primaries with one epoch, that with the smaller id takes a new one.
fn settle_epochs(node: &mut Node, peers: &[Node]) {
    let Some(own) = node.row(node.id) else { return };
    let rival = |peer: &&Node| {
        peer.primary().is_none() && peer.id > node.id && peer.row(peer.id).is_some_and(|row| row.epoch == own.epoch)
    };
    if own.primary.is_none() && own.epoch > 0 && peers.iter().any(|peer| rival(&peer)) {
        let (id, epoch) = (node.id, node.epoch + 1);
        node.epoch = epoch;
        node.row_mut(id).into_iter().for_each(|row| row.epoch = epoch);
    }
}

/// A primary that lost all its slots to another follows it; a replica follows whoever took over from its primary.
fn follow(world: &World, node: &mut Node) {
    let id = node.id;
    let before = world.home(id).and_then(|home| world.pods.get(usize::from(home))).and_then(|pod| pod.node.as_ref());
    let had = before.map(Node::slots).unwrap_or_default();
    if node.primary().is_none() && !had.is_empty() && node.slots().is_empty() {
        let taker = node.table.iter().find(|row| row.id != id && row.slots.overlaps(&had)).map(|row| row.id);
        if let (Some(taker), false) = (taker, gave_away(node, before)) {
            set_primary(node, taker);
        }
    }
    if let Some(next) = node.primary().and_then(|primary| node.row(primary)).and_then(|row| row.primary)
        && next != id
    {
        set_primary(node, next);
    }
}

/// Whether the last slots went by a migration: then an empty primary stays one.
fn gave_away(node: &Node, before: Option<&Node>) -> bool {
    let job = before.and_then(|before| before.job.as_ref());
    job.is_some_and(|job| node.row(job.target).is_some_and(|row| row.slots.overlaps(&job.slots)))
}

fn set_primary(node: &mut Node, primary: Id) {
    let id = node.id;
    node.link = Link::Never;
    node.job = None;
    node.row_mut(id).into_iter().for_each(|row| {
        row.primary = Some(primary);
        row.slots = Arc::default();
    });
}

/// A replica has received all that its primary has.
pub fn sync(world: &mut World, ordinal: u8) {
    let Some((_, primary)) = syncing(world, ordinal) else { return };
    let fresh = world.up(primary).map(|primary| primary.fresh.clone()).unwrap_or_default();
    if let Some(node) = world.node_mut(ordinal) {
        node.link = Link::Up;
        node.fresh = fresh;
    }
}

/// The replica of a pod and its primary, if a sync is under way between them.
#[must_use]
pub fn syncing(world: &World, ordinal: u8) -> Option<(Id, Id)> {
    let node = world.node_at(ordinal)?;
    let primary = node.primary().filter(|primary| !node.synced() && world.reaches(node, *primary))?;
    world.up(primary).filter(|primary| primary.primary().is_none()).map(|_| (node.id, primary))
}

/// Whether a replica would be elected now: its primary failed in its view, and a majority of voters agrees and is connected to it.
#[must_use]
pub fn electable(world: &World, ordinal: u8) -> Option<Id> {
    let node = world.node_at(ordinal)?;
    let primary = node.primary()?;
    let failed = |node: &Node| node.row(primary).is_some_and(|row| row.health == Health::Failed);
    let owns = node.row(primary).is_some_and(|row| !row.slots.is_empty());
    (owns && failed(node) && has_votes(world, node, failed)).then_some(primary)
}

/// The replica of a pod is elected, if it would be now. Newer data that no node has any more is lost with that.
pub fn elect(world: &mut World, ordinal: u8) {
    if let Some((id, primary)) = world.id_at(ordinal).zip(electable(world, ordinal)) {
        promote(world, id, primary);
        world.note_losses();
    }
}

/// Whether a majority of voters is connected to a candidate, and agrees.
#[must_use]
pub fn has_votes(world: &World, candidate: &Node, agrees: impl Fn(&Node) -> bool) -> bool {
    let voters: Vec<Id> = candidate.owners().map(|row| row.id).collect();
    let linked =
        |voter: &Node| voter.row(candidate.id).is_some_and(|row| row.linked) && world.reaches(voter, candidate.id);
    let granted = voters.iter().filter_map(|id| world.up(*id)).filter(|voter| linked(voter) && agrees(voter)).count();
    granted * 2 > voters.len()
}

/// A replica takes the slots of its primary under a new epoch. From then on the newest data is its own.
pub fn promote(world: &mut World, replica: Id, primary: Id) {
    let greatest = world.running().map(|(_, _, node)| node.epoch).max().unwrap_or_default();
    let Some(node) = world.id_mut(replica) else { return };
    let slots = node.row(primary).map(|row| row.slots.clone()).unwrap_or_default();
    node.epoch = greatest + 1;
    node.link = Link::Never;
    node.row_mut(primary).into_iter().for_each(|row| row.slots = Arc::default());
    node.row_mut(replica).into_iter().for_each(|row| {
        row.primary = None;
        row.epoch = greatest + 1;
        row.slots = slots.clone();
    });
    outdate(world, &slots, |id| id == replica);
    // The old primary, if it is there, holds writes back until it hears of this.
    if let Some(home) = world.home(primary) {
        hear(world, home);
    }
}

/// Writes to these slots go on, and only some nodes receive them.
pub fn outdate(world: &mut World, slots: &SlotSet, receives: impl Fn(Id) -> bool) {
    for node in world.pods.iter_mut().filter_map(|pod| pod.node.as_mut()).filter(|node| !receives(node.id)) {
        if node.fresh.overlaps(slots) {
            node.fresh = Arc::new(node.fresh.without(slots));
        }
    }
}

/// The migration from a pod, if one is under way, reaches its end: the target owns the slots under a new epoch, and so do its
/// replicas' data.
pub fn finish(world: &mut World, ordinal: u8) {
    let exports = |node: &Node| Some((node.id, node.job.clone().filter(|job| job.running)?));
    let Some((source, job)) = world.node_at(ordinal).and_then(exports) else { return };
    if !job_can_finish(world, source, &job) {
        return fail_job(world, source);
    }
    hand_over(world, source, job.target, &job.slots);
    world.id_mut(source).into_iter().for_each(|node| node.job = None);
}

fn job_can_finish(world: &World, source: Id, job: &Job) -> bool {
    let owner = world.up(source).is_some_and(|node| node.slots().covers(&job.slots) && world.reaches(node, job.target));
    owner && world.up(job.target).is_some_and(|target| target.primary().is_none())
}

/// A migration fails: everything stays where it was.
pub fn fail_job(world: &mut World, source: Id) {
    let job = world.id_mut(source).and_then(|node| node.job.as_mut());
    job.into_iter().for_each(|job| job.running = false);
}

/// Slots and their data change hands between two primaries that know each other.
pub fn hand_over(world: &mut World, source: Id, target: Id, slots: &SlotSet) {
    let greatest = world.running().map(|(_, _, node)| node.epoch).max().unwrap_or_default();
    let data = world.up(source).map(|node| node.fresh.and(slots)).unwrap_or_default();
    let followers: Vec<Id> = world
        .running()
        .filter(|(_, _, node)| node.id == target || node.synced() && node.primary() == Some(target))
        .map(|(_, _, node)| node.id)
        .collect();
    let left: Vec<Id> =
        world.running().filter(|(_, _, node)| node.primary() == Some(source)).map(|(_, _, node)| node.id).collect();
    outdate(world, slots, |_| false);
    for id in &followers {
        world.id_mut(*id).into_iter().for_each(|node| node.fresh = Arc::new(node.fresh.or(&data)));
    }
    // Replicas on both sides learn of it with the data.
    for id in followers.into_iter().chain(left).chain([source]) {
        let Some(node) = world.id_mut(id) else { continue };
        node.epoch = greatest + 1;
        for row in Arc::make_mut(&mut node.table).iter_mut().filter(|row| row.slots.overlaps(slots)) {
            row.slots = Arc::new(row.slots.without(slots));
        }
        node.row_mut(target).into_iter().for_each(|row| {
            row.slots = Arc::new(row.slots.or(slots));
            row.epoch = greatest + 1;
        });
    }
}
