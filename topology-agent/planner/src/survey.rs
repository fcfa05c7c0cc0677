//! How a cluster stands, for those who report it.

use crate::desired::Desired;
use crate::id::Ordinal;
use crate::layout::Layout;
use crate::situation::{Node, Situation};
use crate::slots::SlotSet;
use crate::time::Time;
use crate::view::{Health, Role, View};

/// How a cluster stands.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Survey {
    /// Its shards: those that stay by their numbers, then those that dissolve.
    pub shards: Vec<Shard>,
    /// The slots whose owner serves them.
    pub served: SlotSet,
    /// How many of the nodes that vote answered.
    pub voters_alive: u32,
    /// How many nodes vote.
    pub voters: u32,
}

/// How a shard stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shard {
    /// Its number; none if it dissolves.
    pub number: Option<u16>,
    /// The pod of its primary; none if it has none, or nobody knows in which pod.
    pub primary: Option<Ordinal>,
    /// Whether its primary serves.
    pub serves: bool,
    /// The slots that it owns.
    pub slots: SlotSet,
    /// The pods that follow its primary.
    pub replicas: Vec<Replica>,
}

/// How a replica stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Replica {
    /// Its pod.
    pub pod: Ordinal,
    /// Whether it has all that its primary has.
    pub in_sync: bool,
}

/// How a cluster stands.
#[must_use]
pub fn survey(desired: &Desired, view: &View, now: Time) -> Survey {
    let situation = Situation::of(desired, view, now);
    let layout = Layout::of(&situation);
    let staying = layout.shards.iter().map(|shard| (Some(shard.number), shard.head));
    let dissolving = layout.dissolving.iter().map(|head| (None, Some(*head)));
    let heads = staying.chain(dissolving).map(|(number, head)| (number, head.and_then(|id| situation.nodes.get(&id))));
    let shards: Vec<Shard> = heads.map(|(number, head)| shard(&situation, number, head)).collect();
    let served = shards.iter().filter(|shard| shard.serves).fold(SlotSet::EMPTY, |all, shard| all.or(&shard.slots));
    let (voters_alive, voters) = situation.voters();
    Survey { shards, served, voters_alive, voters }
}

fn shard(situation: &Situation<'_>, number: Option<u16>, head: Option<&Node<'_>>) -> Shard {
    let Some(head) = head else {
        return Shard { number, primary: None, serves: false, slots: SlotSet::EMPTY, replicas: Vec::new() };
    };
    let replicas = situation
        .followers(head.id)
        .filter_map(|node| node.pod.map(|pod| Replica { pod, in_sync: situation.in_sync(node.id, head.id) }));
    Shard {
        number,
        primary: head.pod,
        serves: serves(situation, head),
        slots: situation.owners.get(&head.id).cloned().unwrap_or_default(),
        replicas: replicas.collect(),
    }
}

/// One that gave us no answer serves all the same while the others reach it.
fn serves(situation: &Situation<'_>, head: &Node<'_>) -> bool {
    let reached = situation
        .opinions()
        .any(|(_, opinion)| opinion.row(head.id).is_some_and(|row| row.linked && row.health == Health::Fine));
    head.row.role == Some(Role::Primary) && (head.seen.is_some() || reached)
}
