//! The cheapest way to seat one more pod, others moving aside where that costs less.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::{MOVED, MOVED_PRIMARY, SHARED_HOST, SHARED_ZONE, Seating};

/// One move on the way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Hop {
    /// A free pod of the host takes a seat in the shard.
    Sit { host: usize, shard: usize },
    /// A pod of the host leaves its seat in the shard.
    Stand { host: usize, shard: usize },
}

/// A place of the flow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Place {
    Host(usize),
    Spot { zone: usize, shard: usize },
    Shard(usize),
}

/// How a place is reached at the least cost so far.
struct Reached {
    cost: i64,
    from: Option<Place>,
}

/// The hops of the cheapest path from a host with a free pod to a shard with room, if there is one.
pub(super) fn path(seating: &Seating<'_>) -> Option<Vec<Hop>> {
    let reached = explore(seating);
    let ends = reached.iter().filter(|(place, _)| matches!(place, Place::Shard(shard) if seating.has_room(*shard)));
    let (&end, _) = ends.min_by_key(|(_, reached)| reached.cost)?;
    let mut hops = Vec::new();
    let (mut place, mut steps) = (end, 0);
    while let Some(from) = reached.get(&place).and_then(|reached| reached.from) {
        match (from, place) {
            (Place::Host(host), Place::Spot { shard, .. }) => hops.push(Hop::Sit { host, shard }),
            (Place::Spot { shard, .. }, Place::Host(host)) => hops.push(Hop::Stand { host, shard }),
            (Place::Spot { .. }, Place::Shard(_)) | (Place::Shard(_), Place::Spot { .. }) => {}
            // No edge joins these.
            (Place::Host(_) | Place::Shard(_), Place::Host(_) | Place::Shard(_))
            | (Place::Spot { .. }, Place::Spot { .. }) => return None,
        }
        place = from;
        steps += 1;
        if steps > reached.len() {
            return None;
        }
    }
    hops.reverse();
    Some(hops)
}

/// The least cost of every place that can be reached (Bellman and Ford, with a queue). The start has no cycle that costs less than
/// nothing, and following cheapest paths makes none; the bound on visits is a guard, not a rule.
fn explore(seating: &Seating<'_>) -> BTreeMap<Place, Reached> {
    let mut reached: BTreeMap<Place, Reached> = BTreeMap::new();
    let (mut queue, mut queued) = (VecDeque::new(), BTreeSet::new());
    for host in free_hosts(seating) {
        reached.insert(Place::Host(host), Reached { cost: 0, from: None });
        queue.push_back(Place::Host(host));
    }
    let mut visits = 64 * (seating.candidates.len() + 1) * (seating.rules.shards + 1);
    while let Some(place) = queue.pop_front() {
        queued.remove(&place);
        let Some(cost) = reached.get(&place).map(|reached| reached.cost) else { continue };
        for (next, edge) in edges(seating, place) {
            visits = visits.saturating_sub(1);
            let cost = cost + edge;
            if visits > 0 && reached.get(&next).is_none_or(|known| cost < known.cost) {
                reached.insert(next, Reached { cost, from: Some(place) });
                if queued.insert(next) {
                    queue.push_back(next);
                }
            }
        }
    }
    reached
}

fn free_hosts(seating: &Seating<'_>) -> BTreeSet<usize> {
    let pods = seating.candidates.iter().zip(&seating.seats);
    pods.filter(|(_, seat)| seat.is_none()).map(|(candidate, _)| candidate.host).collect()
}

fn edges(seating: &Seating<'_>, place: Place) -> Vec<(Place, i64)> {
    match place {
        Place::Host(host) => from_host(seating, host),
        Place::Spot { zone, shard } => from_spot(seating, zone, shard),
        Place::Shard(shard) => from_shard(seating, shard),
    }
}

fn from_host(seating: &Seating<'_>, host: usize) -> Vec<(Place, i64)> {
    let Some(&zone) = seating.zones.get(&host) else { return Vec::new() };
    let spot = |shard| {
        let units = sitting_of(seating, shard).filter(|candidate| candidate.host == host).count();
        (Place::Spot { zone, shard }, unit_cost(seating, host, shard, units))
    };
    (0..seating.rules.shards).map(spot).collect()
}

fn from_spot(seating: &Seating<'_>, zone: usize, shard: usize) -> Vec<(Place, i64)> {
    let here = sitting_of(seating, shard).filter(|candidate| candidate.zone == zone);
    let mut hosts: BTreeMap<usize, usize> = BTreeMap::new();
    here.for_each(|candidate| *hosts.entry(candidate.host).or_default() += 1);
    let units = hosts.values().sum::<usize>();
    let back = |(host, units): (usize, usize)| (Place::Host(host), -unit_cost(seating, host, shard, units - 1));
    hosts.into_iter().map(back).chain([(Place::Shard(shard), zone_cost(seating, units))]).collect()
}

fn from_shard(seating: &Seating<'_>, shard: usize) -> Vec<(Place, i64)> {
    let mut zones: BTreeMap<usize, usize> = BTreeMap::new();
    sitting_of(seating, shard).for_each(|candidate| *zones.entry(candidate.zone).or_default() += 1);
    let back = |(zone, units): (usize, usize)| (Place::Spot { zone, shard }, -zone_cost(seating, units - 1));
    zones.into_iter().map(back).collect()
}

/// The harm of one more pod of a host in a shard, beside those that sit there: the first that serve it already cost nothing.
fn unit_cost(seating: &Seating<'_>, host: usize, shard: usize, units: usize) -> i64 {
    let (stay, primary) = seating.serving.get(&(host, shard)).copied().unwrap_or_default();
    let sync = match units {
        0 if primary => -MOVED_PRIMARY,
        _ if units < stay => 0,
        _ => MOVED,
    };
    if seating.rules.hosts { sync + SHARED_HOST * times(units) } else { sync }
}

fn zone_cost(seating: &Seating<'_>, units: usize) -> i64 {
    if seating.rules.zones { SHARED_ZONE * times(units) } else { 0 }
}

fn times(units: usize) -> i64 {
    i64::try_from(units).unwrap_or(i64::from(u8::MAX))
}

fn sitting_of<'a>(seating: &'a Seating<'_>, shard: usize) -> impl Iterator<Item = &'a super::Candidate> {
    seating.sitting(shard).iter().filter_map(|&pod| seating.candidates.get(pod))
}
