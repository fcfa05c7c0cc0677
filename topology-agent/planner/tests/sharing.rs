//! Slots are shared out exactly, evenly, and with as few moves as that allows.

#![allow(clippy::indexing_slicing, reason = "a test that cannot go on has failed")]

use planner::sharing::{Holder, Transfer, shares, transfers};
use planner::{SLOTS, SlotSet};
use proptest::prelude::*;

/// Holders that own all slots between them, in pieces cut anywhere; at least one of them stays.
fn holders() -> impl Strategy<Value = Vec<Holder>> {
    (1..40_usize).prop_flat_map(|count| {
        let cuts = prop::collection::vec((1..SLOTS, 0..count), 0..60);
        (cuts, prop::collection::vec(any::<bool>(), count)).prop_map(move |(mut cuts, stays)| {
            cuts.sort_unstable();
            let mut owned = vec![SlotSet::EMPTY; count];
            let mut start = 0;
            for (end, owner) in cuts.into_iter().chain([(SLOTS, 0)]).filter(|(end, _)| *end > 0) {
                if end > start {
                    owned[owner] = owned[owner].or(&SlotSet::range(start..=end - 1));
                    start = end;
                }
            }
            let first = |at: usize| at == 0;
            owned.into_iter().enumerate().map(|(at, slots)| Holder { slots, stays: stays[at] || first(at) }).collect()
        })
    })
}

fn after(holders: &[Holder], transfers: &[Transfer]) -> Vec<SlotSet> {
    let mut owned: Vec<SlotSet> = holders.iter().map(|holder| holder.slots.clone()).collect();
    for transfer in transfers {
        assert!(owned[transfer.from].covers(&transfer.slots), "what moves is owned by who gives it");
        owned[transfer.from] = owned[transfer.from].without(&transfer.slots);
        owned[transfer.to] = owned[transfer.to].or(&transfer.slots);
    }
    owned
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, ..ProptestConfig::default() })]

    #[test]
    fn every_slot_keeps_exactly_one_owner(holders in holders(), even in any::<bool>()) {
        let owned = after(&holders, &transfers(&holders, &shares(&holders, even)));
        let sum: u32 = owned.iter().map(|slots| u32::from(slots.len())).sum();
        prop_assert_eq!(sum, u32::from(SLOTS));
        prop_assert_eq!(owned.iter().fold(SlotSet::EMPTY, |all, slots| all.or(slots)), SlotSet::all());
    }

    #[test]
    fn those_that_stay_differ_by_one_at_most_and_the_others_keep_none(holders in holders()) {
        let owned = after(&holders, &transfers(&holders, &shares(&holders, true)));
        let of = |stays: bool| holders.iter().zip(&owned).filter(move |(holder, _)| holder.stays == stays).map(|(_, slots)| slots.len());
        prop_assert!(of(true).max().unwrap() - of(true).min().unwrap() <= 1);
        prop_assert_eq!(of(false).max().unwrap_or(0), 0);
    }

    /// The fewest moves: every one who stays keeps what they have, up to the share that the larger ones may have.
    #[test]
    fn no_way_to_be_even_moves_less(holders in holders()) {
        let moved: u32 = transfers(&holders, &shares(&holders, true)).iter().map(|transfer| u32::from(transfer.slots.len())).sum();
        let mut kept: Vec<u32> = holders.iter().filter(|holder| holder.stays).map(|holder| u32::from(holder.slots.len())).collect();
        kept.sort_unstable_by_key(|slots| std::cmp::Reverse(*slots));
        let count = u32::try_from(kept.len()).unwrap();
        let (share, larger) = (u32::from(SLOTS) / count, u32::from(SLOTS) % count);
        let most = |at: usize| share + u32::from(u32::try_from(at).unwrap() < larger);
        let stay: u32 = kept.iter().enumerate().map(|(at, slots)| (*slots).min(most(at))).sum();
        prop_assert_eq!(moved, u32::from(SLOTS) - stay);
    }

    #[test]
    fn without_evening_out_nobody_who_stays_gives(holders in holders()) {
        let transfers = transfers(&holders, &shares(&holders, false));
        prop_assert!(transfers.iter().all(|transfer| !holders[transfer.from].stays && holders[transfer.to].stays));
        prop_assert!(holders.iter().zip(after(&holders, &transfers)).all(|(holder, slots)| holder.stays || slots.is_empty()));
    }

    /// A drain is spread over the others: whoever takes from it does not end up above an even share if that can be.
    #[test]
    fn pieces_are_few(holders in holders()) {
        let transfers = transfers(&holders, &shares(&holders, true));
        prop_assert!(transfers.len() < holders.len().max(1) * 2);
    }
}
