//! Which pod serves which shard.
//!
//! Members of a shard should stand on different hosts and in different zones, and what stands well should stay: every move is a full
//! sync. That is a flow of least cost from hosts, through the zones of each shard, to the shards:
//!
//! ```text
//! host ──(its pods in this shard)──► zone of a shard ──(its pods in this shard)──► shard ──(its members)──►
//! ```
//!
//! The cost of a unit is the harm that it adds: a shared host, a shared zone, a sync. What stays where it is starts in place, so that
//! nothing costs less than nothing, and each further pod takes the cheapest path, moving others where that is better. So a matching
//! without a shared host is found whenever there is one, and with the fewest moves.

mod cheapest;

use std::collections::{BTreeMap, VecDeque};

use cheapest::Hop;

/// A pod that takes part.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Candidate {
    /// Its host, by number.
    pub host: usize,
    /// The zone of its host, by number. A host is in one zone.
    pub zone: usize,
    /// The shard that it serves now, by number.
    pub serves: Option<usize>,
    /// Whether it is that shard's primary, which does not move if anything else can.
    pub primary: bool,
}

/// What is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rules {
    /// How many shards there are.
    pub shards: usize,
    /// How many members each has room for.
    pub members: usize,
    /// Whether members of a shard stand on different hosts.
    pub hosts: bool,
    /// Whether members of a shard stand in different zones.
    pub zones: bool,
}

/// Harm is compared kind by kind: no number of syncs outweighs a shared zone, and no number of those a shared host.
const SHARED_HOST: i64 = 1 << 40;
const SHARED_ZONE: i64 = 1 << 20;
/// A primary that moves hands over first, and then syncs.
const MOVED_PRIMARY: i64 = 4;
const MOVED: i64 = 1;

/// The shard of each candidate; none for those for which there is no room.
///
/// Candidates come in the order of their ordinals; equals are seated in that order, so that neighbours serve one shard if they can.
#[must_use]
pub fn matching(rules: Rules, candidates: &[Candidate]) -> Vec<Option<usize>> {
    let mut seating = Seating::kept(rules, candidates);
    seating.seat_side_by_side();
    seating.seat_directly();
    while let Some(path) = cheapest::path(&seating) {
        seating.follow(&path);
    }
    seating.settled()
}

struct Seating<'a> {
    rules: Rules,
    candidates: &'a [Candidate],
    seats: Vec<Option<usize>>,
    /// Who sits in each shard.
    shards: Vec<Vec<usize>>,
    /// The zone of each host.
    zones: BTreeMap<usize, usize>,
    /// How many pods of a host serve a shard now, and whether its primary is among them.
    serving: BTreeMap<(usize, usize), (usize, bool)>,
}

impl<'a> Seating<'a> {
    /// Everyone whose place costs nothing stays; primaries first.
    fn kept(rules: Rules, candidates: &'a [Candidate]) -> Self {
        let shards = vec![Vec::with_capacity(rules.members); rules.shards];
        let zones = candidates.iter().map(|candidate| (candidate.host, candidate.zone)).collect();
        let mut serving: BTreeMap<(usize, usize), (usize, bool)> = BTreeMap::new();
        for (candidate, shard) in
            candidates.iter().filter_map(|candidate| candidate.serves.map(|shard| (candidate, shard)))
        {
            let (count, primary) = serving.entry((candidate.host, shard)).or_default();
            *count += 1;
            *primary |= candidate.primary;
        }
        let mut seating = Self { rules, candidates, seats: vec![None; candidates.len()], shards, zones, serving };
        for primary in [true, false] {
            for (pod, candidate) in candidates.iter().enumerate().filter(|(_, candidate)| candidate.primary == primary)
            {
                if let Some(shard) = candidate.serves.filter(|&shard| seating.fits(pod, shard)) {
                    seating.sit(pod, shard);
                }
            }
        }
        seating
    }

    /// Blocks of neighbours that are all free serve one shard, if they can: a scale-in then dissolves whole shards.
    fn seat_side_by_side(&mut self) {
        let members = self.rules.members;
        let empty = |&shard: &usize| self.sitting(shard).is_empty();
        let mut empty: VecDeque<usize> = (0..self.rules.shards).filter(empty).collect();
        for block in 0..self.candidates.len() / members.max(1) {
            let pods = block * members..(block + 1) * members;
            let free = pods.clone().all(|pod| self.seat(pod).is_none());
            let Some(&shard) = empty.front().filter(|_| free) else { continue };
            for pod in pods.clone().filter(|&pod| self.fits(pod, shard)).collect::<Vec<_>>() {
                if self.fits(pod, shard) {
                    self.sit(pod, shard);
                }
            }
            if pods.clone().all(|pod| self.seat(pod).is_some()) {
                empty.pop_front();
            } else {
                pods.for_each(|pod| self.stand(pod));
            }
        }
    }

    /// Free pods take free seats that harm nobody. Dealt out zone by zone and host by host, they mostly find one at once.
    fn seat_directly(&mut self) {
        let mut zones: BTreeMap<usize, usize> = BTreeMap::new();
        let mut hosts: BTreeMap<usize, usize> = BTreeMap::new();
        let mut free: Vec<usize> = (0..self.candidates.len()).filter(|&pod| self.seat(pod).is_none()).collect();
        for candidate in free.iter().filter_map(|&pod| self.candidates.get(pod)) {
            *zones.entry(candidate.zone).or_default() += 1;
            *hosts.entry(candidate.host).or_default() += 1;
        }
        let size = |counts: &BTreeMap<usize, usize>, key: usize| counts.get(&key).copied().unwrap_or_default();
        free.sort_by_key(|&pod| {
            self.candidates.get(pod).map(|candidate| {
                let (zone, host) = (candidate.zone, candidate.host);
                (std::cmp::Reverse(size(&zones, zone)), zone, std::cmp::Reverse(size(&hosts, host)), host, pod)
            })
        });
        let mut vacant: VecDeque<usize> = (0..self.rules.shards).filter(|&shard| self.has_room(shard)).collect();
        for pod in free {
            let Some(position) = vacant.iter().position(|&shard| self.fits(pod, shard)) else { continue };
            vacant.rotate_left(position);
            if let Some(shard) = vacant.pop_front() {
                self.sit(pod, shard);
                if self.has_room(shard) {
                    vacant.push_back(shard);
                }
            }
        }
    }

    fn seat(&self, pod: usize) -> Option<usize> {
        self.seats.get(pod).copied().flatten()
    }

    fn sitting(&self, shard: usize) -> &[usize] {
        self.shards.get(shard).map_or(&[], Vec::as_slice)
    }

    fn sit(&mut self, pod: usize, shard: usize) {
        self.stand(pod);
        if let (Some(seat), Some(sitting)) = (self.seats.get_mut(pod), self.shards.get_mut(shard)) {
            *seat = Some(shard);
            sitting.push(pod);
        }
    }

    fn stand(&mut self, pod: usize) {
        let shard = self.seats.get_mut(pod).and_then(Option::take);
        if let Some(sitting) = shard.and_then(|shard| self.shards.get_mut(shard)) {
            sitting.retain(|&other| other != pod);
        }
    }

    fn has_room(&self, shard: usize) -> bool {
        shard < self.rules.shards && self.sitting(shard).len() < self.rules.members
    }

    /// Whether a pod can sit in a shard without harm to anyone.
    fn fits(&self, pod: usize, shard: usize) -> bool {
        let Some(new) = self.candidates.get(pod) else { return false };
        let mut others = self.sitting(shard).iter().filter_map(|&other| self.candidates.get(other));
        let apart = |other: &Candidate| {
            !(self.rules.hosts && other.host == new.host || self.rules.zones && other.zone == new.zone)
        };
        self.has_room(shard) && others.all(apart)
    }

    /// Moves pods along a path: each hop seats one of a host's pods in a shard, or makes one stand up.
    fn follow(&mut self, path: &[Hop]) {
        for hop in path {
            match *hop {
                Hop::Sit { host, shard } => {
                    let free = |&pod: &usize| self.seat(pod).is_none() && self.host(pod) == Some(host);
                    if let Some(pod) = (0..self.candidates.len()).find(free) {
                        self.sit(pod, shard);
                    }
                }
                Hop::Stand { host, shard } => {
                    let leaves = |pod: &&usize| self.host(**pod) == Some(host);
                    if let Some(&pod) = self.sitting(shard).iter().find(leaves) {
                        self.stand(pod);
                    }
                }
            }
        }
    }

    fn host(&self, pod: usize) -> Option<usize> {
        self.candidates.get(pod).map(|candidate| candidate.host)
    }

    /// The seats, dealt out anew among the pods of each host: those that serve a shard where their host has a seat keep it.
    fn settled(&self) -> Vec<Option<usize>> {
        let mut cells: BTreeMap<(usize, usize), usize> = BTreeMap::new();
        for (candidate, seat) in self.candidates.iter().zip(&self.seats) {
            seat.iter().for_each(|&shard| *cells.entry((candidate.host, shard)).or_default() += 1);
        }
        let mut settled = vec![None; self.seats.len()];
        for stays in [true, false] {
            let mut order: Vec<usize> = (0..self.candidates.len()).collect();
            order.sort_by_key(|&pod| self.candidates.get(pod).is_some_and(|candidate| !candidate.primary));
            for pod in order {
                let (Some(candidate), Some(seat)) = (self.candidates.get(pod), settled.get_mut(pod)) else { continue };
                let open = |&(&(host, shard), count): &(&(usize, usize), &usize)| {
                    host == candidate.host && *count > 0 && (!stays || candidate.serves == Some(shard))
                };
                let from = (candidate.host, 0)..=(candidate.host, usize::MAX);
                if seat.is_none()
                    && let Some((&cell, _)) = cells.range(from).find(open)
                {
                    *seat = Some(cell.1);
                    cells.entry(cell).and_modify(|count| *count -= 1);
                }
            }
        }
        settled
    }
}
