//! A matching harms nobody if there is one that does not, and moves as few as that allows: held against trying all of them.

#![allow(clippy::indexing_slicing, reason = "a test that cannot go on has failed")]

use planner::matching::{Candidate, Rules, matching};
use proptest::prelude::*;

/// Shared hosts, shared zones, moves of primaries (each as four) and of others.
type Harm = (usize, usize, usize);

fn shared(of: impl Fn(&Candidate) -> usize, members: &[&Candidate]) -> usize {
    let pairs = |index: usize| members[..index].iter().filter(|other| of(other) == of(members[index])).count();
    (0..members.len()).map(pairs).sum()
}

fn harm(rules: Rules, candidates: &[Candidate], seats: &[Option<usize>]) -> Harm {
    let mut harm = (0, 0, 0);
    for shard in 0..rules.shards {
        let seated = candidates.iter().zip(seats).filter(|(_, seat)| **seat == Some(shard));
        let members: Vec<&Candidate> = seated.map(|(candidate, _)| candidate).collect();
        assert!(members.len() <= rules.members, "a shard has {} members", members.len());
        harm.0 += if rules.hosts { shared(|candidate| candidate.host, &members) } else { 0 };
        harm.1 += if rules.zones { shared(|candidate| candidate.zone, &members) } else { 0 };
    }
    let moved = candidates.iter().zip(seats).filter(|(candidate, seat)| candidate.serves != **seat);
    harm.2 = moved.map(|(candidate, _)| if candidate.primary { 4 } else { 1 }).sum();
    harm
}

/// The least harm of all ways to seat everyone.
fn least(rules: Rules, candidates: &[Candidate], seats: &mut Vec<Option<usize>>) -> Harm {
    if seats.len() == candidates.len() {
        return harm(rules, candidates, seats);
    }
    let mut best = (usize::MAX, 0, 0);
    for shard in 0..rules.shards {
        if seats.iter().filter(|seat| **seat == Some(shard)).count() < rules.members {
            seats.push(Some(shard));
            best = best.min(least(rules, candidates, seats));
            seats.pop();
        }
    }
    best
}

fn small() -> impl Strategy<Value = (Rules, Vec<Candidate>)> {
    (1..=3_usize, 1..=3_usize, any::<bool>(), any::<bool>()).prop_flat_map(|(shards, members, hosts, zones)| {
        let pod = (0..4_usize, prop::option::of(0..shards), any::<bool>());
        let rules = Rules { shards, members, hosts, zones };
        (Just(rules), prop::collection::vec(pod, 0..=(shards * members).min(7))).prop_map(|(rules, pods)| {
            let mut primaries = vec![false; rules.shards];
            let candidate = |(host, serves, primary): (usize, Option<usize>, bool)| {
                let first = serves.is_some_and(|shard| primary && !std::mem::replace(&mut primaries[shard], true));
                Candidate { host, zone: host / 2, serves, primary: first }
            };
            (rules, pods.into_iter().map(candidate).collect())
        })
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 20_000, ..ProptestConfig::default() })]

    #[test]
    fn no_other_matching_does_less_harm((rules, candidates) in small()) {
        let seats = matching(rules, &candidates);
        prop_assert!(seats.iter().all(Option::is_some), "{seats:?}");
        prop_assert_eq!(harm(rules, &candidates, &seats), least(rules, &candidates, &mut Vec::new()), "{:?}", seats);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    /// As many pods on each host as there are shards, at most: then every shard finds its members on different ones (Hall).
    #[test]
    fn an_even_spread_is_always_matched(
        shards in 3..60_usize, members in 1..=4_usize, more in 0..3_usize, seed in prop::collection::vec(any::<u64>(), 240)
    ) {
        let hosts = members + more;
        let pods = shards * members;
        let mut order: Vec<usize> = (0..pods).map(|pod| pod % hosts).collect();
        order.sort_by_key(|host| seed[*host % seed.len()]);
        let mut shuffled: Vec<(u64, usize)> = order.into_iter().enumerate().map(|(at, host)| (seed[at % 240] ^ at as u64, host)).collect();
        shuffled.sort_unstable();
        let candidates: Vec<Candidate> = shuffled.iter().enumerate().map(|(at, &(random, host))| Candidate {
            host, zone: host, serves: (random % 3 == 0).then_some(at / members), primary: false,
        }).collect();
        let rules = Rules { shards, members, hosts: true, zones: true };
        let seats = matching(rules, &candidates);
        prop_assert_eq!(harm(rules, &candidates, &seats).0, 0);
        prop_assert!(seats.iter().all(Option::is_some));
    }
}

#[test]
fn neighbours_serve_one_shard_if_they_can() {
    let pods =
        (0..9).map(|pod| Candidate { host: pod % 3, zone: pod % 3, serves: None, primary: false }).collect::<Vec<_>>();
    let rules = Rules { shards: 3, members: 3, hosts: true, zones: true };
    let seats: Vec<usize> = matching(rules, &pods).into_iter().flatten().collect();
    assert_eq!(seats, [0, 0, 0, 1, 1, 1, 2, 2, 2]);
}
