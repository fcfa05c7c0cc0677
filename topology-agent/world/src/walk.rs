//! Random walks: the way through a world that nobody thought of. The seed tells it again.

use stateright::Model;

use crate::model::{Action, Checked};
use crate::world::World;

/// A walk that ended where it must not.
#[derive(Debug, Clone)]
pub struct Fall {
    /// The seed of the walk.
    pub seed: u64,
    /// What happened.
    pub actions: Vec<Action>,
    /// Where it ended.
    pub end: World,
}

/// Walks for so many actions, and looks at every state on the way.
///
/// # Errors
/// The way to the first state that must not be.
pub fn walk(checked: &Checked, seed: u64, length: usize) -> Result<(), Box<Fall>> {
    let mut random = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let first = usize::try_from(seed).unwrap_or_default() % checked.starts.len().max(1);
    let Some(mut world) = checked.starts.get(first).cloned() else { return Ok(()) };
    let mut trace = Vec::new();
    for _ in 0..length {
        let mut actions = Vec::new();
        checked.actions(&world, &mut actions);
        let moves =
            actions.into_iter().filter_map(|action| Some((checked.next_state(&world, action.clone())?, action)));
        let mut moves: Vec<(World, Action)> = moves.collect();
        if moves.is_empty() {
            break;
        }
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        let chosen = usize::try_from(random % u64::try_from(moves.len()).unwrap_or(1)).unwrap_or_default();
        let (next, action) = moves.swap_remove(chosen);
        world = next;
        trace.push(action);
        if world.harm.is_some() || !checked.ends_well(&world) {
            return Err(Box::new(Fall { seed, actions: trace, end: world }));
        }
    }
    Ok(())
}
