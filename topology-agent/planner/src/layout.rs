//! Which pod should serve which shard, and which nodes lead the shards.

use std::collections::BTreeMap;
use std::sync::Arc;

use spec::Spread;

use crate::id::{NodeId, Ordinal};
use crate::matching::{Candidate, Rules, matching};
use crate::situation::{Node, Situation};
use crate::slots::SlotSet;
use crate::view::{Place, Role};

/// The shards as they should be, and those that should not be.
pub(crate) struct Layout {
    /// The shards that stay or are to be made, by their number.
    pub(crate) shards: Vec<Shard>,
    /// The primaries of the shards that dissolve.
    pub(crate) dissolving: Vec<NodeId>,
    /// The primary of each shard, by the number of the shard: the one that it has, or the one that it is to get.
    pub(crate) primaries: BTreeMap<u16, NodeId>,
    /// The shard of each primary that leads one.
    led: BTreeMap<NodeId, usize>,
}

/// A shard that stays or is to be made.
pub(crate) struct Shard {
    pub(crate) number: u16,
    /// Its primary; none while it is to be made.
    pub(crate) head: Option<NodeId>,
    /// The nodes that should serve it, in the order of their pods. The head is not among them if its pod is to leave.
    pub(crate) members: Vec<NodeId>,
}

impl Layout {
    pub(crate) fn of(situation: &Situation<'_>) -> Self {
        let mut heads = heads(situation);
        rank(situation, &mut heads);
        let dissolving = heads.split_off(heads.len().min(usize::from(situation.desired.shards)));
        let numbers = numbers(situation, &heads);
        let mut shards: Vec<Shard> = (0..situation.desired.shards)
            .map(|number| Shard { number, head: numbers.get(&number).copied(), members: Vec::new() })
            .collect();
        let led = (0..).zip(&shards).filter_map(|(at, shard)| shard.head.map(|head| (head, at))).collect();
        seat(situation, &mut shards, &led);
        let primaries = primaries(situation, &shards);
        Self { shards, dissolving, primaries, led }
    }

    /// The shard that a node leads.
    pub(crate) fn led_by(&self, head: NodeId) -> Option<&Shard> {
        self.led.get(&head).and_then(|at| self.shards.get(*at))
    }

    /// Whether a node serves a shard that dissolves: until that is drained, it cannot serve the one in which it is seated.
    pub(crate) fn is_bound(&self, situation: &Situation<'_>, id: NodeId) -> bool {
        self.dissolving.iter().any(|head| situation.serves(id, *head))
    }
}

impl Shard {
    /// The members that are not its primary.
    pub(crate) fn replicas(&self) -> impl Iterator<Item = NodeId> + '_ {
        self.members.iter().copied().filter(|member| Some(*member) != self.head)
    }
}

/// The nodes that lead a shard: those that own slots, and those that others follow.
fn heads(situation: &Situation<'_>) -> Vec<NodeId> {
    let leads = |node: &&Node<'_>| {
        let primary = node.row.role == Some(Role::Primary) && situation.joined.contains(&node.id);
        situation.owners.contains_key(&node.id) || primary && node.seen.is_some() && situation.is_followed(node.id)
    };
    situation.nodes.values().filter(leads).map(|node| node.id).collect()
}

/// Those that should stay first: that own slots, whose pods stay, that own most.
fn rank(situation: &Situation<'_>, heads: &mut [NodeId]) {
    let stays = |node: &Node<'_>| node.pod.is_some_and(|pod| pod.0 < situation.desired.pods());
    let mut staying: BTreeMap<NodeId, usize> = BTreeMap::new();
    for node in situation.nodes.values().filter(|node| stays(node)) {
        *staying.entry(node.head()).or_default() += 1;
    }
    heads.sort_by_cached_key(|head| {
        let slots = situation.owners.get(head).map_or(0, SlotSet::len);
        let pod = situation.nodes.get(head).and_then(|node| node.pod);
        let count = staying.get(head).copied().unwrap_or_default();
        let leaves = pod.is_none_or(|pod| pod.0 >= situation.desired.pods());
        (slots == 0, std::cmp::Reverse(count), leaves, pod, *head)
    });
}

/// The number of each shard that has a head: the one on its label, or the lowest that is free.
fn numbers(situation: &Situation<'_>, heads: &[NodeId]) -> BTreeMap<u16, NodeId> {
    let label = |head: &NodeId| {
        let pod = situation.nodes.get(head).and_then(|node| situation.pod_of(node));
        pod.and_then(|pod| pod.labels.shard).filter(|number| *number < situation.desired.shards)
    };
    let mut numbers = BTreeMap::new();
    let mut rest = Vec::new();
    for head in heads {
        match label(head) {
            Some(number) if !numbers.contains_key(&number) => drop(numbers.insert(number, *head)),
            Some(_) | None => rest.push(*head),
        }
    }
    let free: Vec<u16> = (0..situation.desired.shards).filter(|number| !numbers.contains_key(number)).collect();
    numbers.extend(free.into_iter().zip(rest));
    numbers
}

/// Seats every pod that stays in a shard.
fn seat(situation: &Situation<'_>, shards: &mut [Shard], led: &BTreeMap<NodeId, usize>) {
    let desired = situation.desired;
    let pods: Vec<(&Node<'_>, &Place)> = staying(situation).collect();
    // One of which the zone is not known yet may be anywhere.
    let zones_known = pods.iter().any(|(_, place)| place.zone.is_some());
    let rules = Rules {
        shards: shards.len(),
        members: usize::try_from(desired.members()).unwrap_or(1),
        hosts: desired.host_spread != Spread::Off,
        zones: desired.zone_spread != Spread::Off && zones_known,
    };
    let mut hosts = Numbers::default();
    let mut zones = Numbers::default();
    let candidates: Vec<Candidate> = pods
        .iter()
        .map(|(node, place)| {
            let serves = serves(situation, node, led);
            let zone = if rules.zones { zones.of(place.zone.as_deref()) } else { 0 };
            Candidate { host: hosts.of(place.host.as_deref()), zone, serves, primary: led.contains_key(&node.id) }
        })
        .collect();
    for ((node, _), seat) in pods.iter().zip(matching(rules, &candidates)) {
        if let Some(shard) = seat.and_then(|seat| shards.get_mut(seat)) {
            shard.members.push(node.id);
        }
    }
}

/// The shard that a node serves now: by what it does, or by what its pod was labelled for while it does nothing yet.
fn serves(situation: &Situation<'_>, node: &Node<'_>, led: &BTreeMap<NodeId, usize>) -> Option<usize> {
    let labelled = || situation.pod_of(node).and_then(|pod| pod.labels.shard).map(usize::from);
    led.get(&node.head()).copied().or_else(labelled).filter(|shard| *shard < usize::from(situation.desired.shards))
}

/// Where a pod is that Kubernetes does not list.
const UNKNOWN: Place = Place { host: None, zone: None };

/// The nodes of the pods that stay, seen or not, that are part of the cluster or are about to make one, in the order of their
/// ordinals.
fn staying<'a>(situation: &'a Situation<'a>) -> impl Iterator<Item = (&'a Node<'a>, &'a Place)> {
    let mut by_pod: BTreeMap<Ordinal, &Node<'_>> = BTreeMap::new();
    let blank = situation.is_blank();
    for node in situation.nodes.values().filter(|node| blank || situation.joined.contains(&node.id)) {
        let stays = node.pod.filter(|pod| pod.0 < situation.desired.pods() && !situation.is_replaced(node));
        if let Some(pod) = stays {
            let known = by_pod.entry(pod).or_insert(node);
            if node.seen.is_some() {
                *known = node;
            }
        }
    }
    by_pod.into_values().map(|node| (node, situation.pod_of(node).map_or(&UNKNOWN, |pod| &pod.place)))
}

/// Numbers for names; each unknown name has one of its own, for it may be anywhere.
#[derive(Default)]
struct Numbers<'a> {
    known: BTreeMap<&'a str, usize>,
    next: usize,
}

impl<'a> Numbers<'a> {
    fn of(&mut self, name: Option<&'a str>) -> usize {
        let next = self.next;
        let number = name.map_or(next, |name| *self.known.entry(name).or_insert(next));
        self.next += usize::from(number == next);
        number
    }
}

/// The primary of each shard: the one that it has, or the member whose zone has the fewest so far.
fn primaries(situation: &Situation<'_>, shards: &[Shard]) -> BTreeMap<u16, NodeId> {
    let mut zones: BTreeMap<Option<Arc<str>>, usize> = BTreeMap::new();
    let zone_of = |id: &NodeId| situation.seen_pod(*id).and_then(|(_, pod)| pod.place.zone.clone());
    for head in shards.iter().filter_map(|shard| shard.head) {
        *zones.entry(zone_of(&head)).or_default() += 1;
    }
    let mut primaries = BTreeMap::new();
    for shard in shards {
        let could_lead = |id: &&NodeId| situation.server(**id).is_some_and(|server| server.role == Role::Primary);
        let least = |id: &&NodeId| zones.get(&zone_of(id)).copied().unwrap_or_default();
        let chosen = shard.head.or_else(|| shard.members.iter().filter(could_lead).min_by_key(least).copied());
        if let Some(id) = chosen {
            if shard.head.is_none() {
                *zones.entry(zone_of(&id)).or_default() += 1;
            }
            primaries.insert(shard.number, id);
        }
    }
    primaries
}
