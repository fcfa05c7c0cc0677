//! Who should own how many slots, and which slots move for that.

use crate::slots::{SLOTS, SlotSet};

/// A primary, as far as slots go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holder {
    /// What it owns.
    pub slots: SlotSet,
    /// Whether it keeps any; one that does not is drained.
    pub stays: bool,
}

/// Slots that move from one holder to another, both by their place in the list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transfer {
    /// Who gives.
    pub from: usize,
    /// Who takes.
    pub to: usize,
    /// What moves.
    pub slots: SlotSet,
}

/// How many slots each holder should own.
///
/// Even: those that stay differ by one slot at most, and the larger shares go to those that own most, so that as few as can be move.
/// Not even: those that stay give nothing; what others give up fills the smallest first.
#[must_use]
pub fn shares(holders: &[Holder], even: bool) -> Vec<u16> {
    let mut order: Vec<usize> =
        (0..holders.len()).filter(|&at| holders.get(at).is_some_and(|holder| holder.stays)).collect();
    let own = |at: usize| holders.get(at).map_or(0, |holder| holder.slots.len());
    let total: u16 = holders.iter().map(|holder| holder.slots.len()).fold(0, u16::saturating_add).min(SLOTS);
    let mut shares = vec![0; holders.len()];
    let mut give = |at: usize, share: u16| shares.get_mut(at).into_iter().for_each(|place| *place = share);
    order.sort_by_key(|&at| (std::cmp::Reverse(own(at)), at));
    let mut left = total;
    let mut remaining = u16::try_from(order.len()).unwrap_or(u16::MAX);
    // The largest first: what they have beyond an even share of what is left is theirs to keep, unless all are to be even.
    for at in order {
        let fair = left.div_ceil(remaining.max(1));
        let share = if even { fair } else { fair.max(own(at)) };
        give(at, share);
        left = left.saturating_sub(share);
        remaining = remaining.saturating_sub(1);
    }
    shares
}

/// The moves that bring every holder to its share, in as few pieces as can be.
#[must_use]
pub fn transfers(holders: &[Holder], shares: &[u16]) -> Vec<Transfer> {
    let balance = |(holder, share): (&Holder, &u16)| i32::from(holder.slots.len()) - i32::from(*share);
    let balances: Vec<i32> = holders.iter().zip(shares).map(balance).collect();
    let mut takers =
        balances.iter().enumerate().filter(|(_, balance)| **balance < 0).map(|(to, balance)| (to, -balance));
    let mut taker = takers.next();
    let mut transfers = Vec::new();
    for (from, (holder, balance)) in holders.iter().zip(&balances).enumerate() {
        let mut slots = holder.slots.clone();
        let mut surplus = *balance;
        while surplus > 0
            && let Some((to, missing)) = taker
        {
            let count = surplus.min(missing);
            let piece = slots.split_off(u16::try_from(count).unwrap_or(SLOTS));
            transfers.push(Transfer { from, to, slots: piece });
            surplus -= count;
            taker = if missing > count { Some((to, missing - count)) } else { takers.next() };
        }
    }
    transfers
}
