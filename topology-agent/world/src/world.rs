//! The state of the world: small, hashable, cheap to copy.

use std::hash::{Hash, Hasher};
use std::sync::Arc;

use planner::{Labels, SlotSet, Step};

/// The number of a node's identity.
pub type Id = u8;

/// Everything there is.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct World {
    /// Which of the scenario's specs is in force.
    pub spec: u8,
    /// How many pods the `StatefulSet` is told to have.
    pub scale: u8,
    /// The pods, by ordinal, and what is left where there is none.
    pub pods: Vec<Pod>,
    /// The identity that the next new node gets.
    pub next_id: Id,
    /// The steps of the last plan that were not performed yet.
    pub pending: Vec<Step>,
    /// How many faults may still happen.
    pub faults: u8,
    /// Whether keys were ever written: from then on every slot has some.
    pub used: bool,
    /// Slots whose newest data was lost to faults.
    pub lost: Arc<SlotSet>,
    /// A law that was broken.
    pub harm: Option<String>,
    /// How many more events are looked at.
    pub horizon: Horizon,
}

/// How far one looks from a world. It is no part of what that is: worlds that differ in nothing else are one.
#[derive(Debug, Clone, Copy)]
pub struct Horizon(pub u16);

impl Horizon {
    /// As far as one likes.
    pub const NONE: Self = Self(u16::MAX);
}

impl PartialEq for Horizon {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for Horizon {}

impl Hash for Horizon {
    fn hash<H: Hasher>(&self, _: &mut H) {}
}

/// A pod, and the volume under its name.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Pod {
    /// What it is doing.
    pub phase: Phase,
    /// Tells it from earlier pods of its name; its address changes with it.
    pub generation: u8,
    /// The spec whose template it was made from.
    pub template: u8,
    /// The labels that the agent wrote.
    pub labels: Labels,
    /// What its volume holds: the node that it was, with its table and data.
    pub node: Option<Node>,
}

/// What a pod is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Phase {
    /// There is none.
    #[default]
    Absent,
    /// It was made, and its server is not up.
    Starting,
    /// Its server answers.
    Up,
    /// Its server runs and answers nobody, for a while.
    Frozen,
    /// Its server answers the agent, and no other server reaches it.
    Cut,
}

/// A Valkey node: what stands in its `nodes.conf`, and its data.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Node {
    /// Its identity.
    pub id: Id,
    /// The newest data format that was written to its volume.
    pub format: u8,
    /// The greatest epoch that it has seen.
    pub epoch: u8,
    /// What it knows of all nodes, itself among them, in the order of their ids.
    pub table: Arc<Vec<Row>>,
    /// The slots of which it has the newest data.
    pub fresh: Arc<SlotSet>,
    /// Its link to its primary.
    pub link: Link,
    /// The atomic migration that it exports, or the last one.
    pub job: Option<Job>,
}

/// The link of a replica to its primary.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Link {
    /// It was not up since the server started, or since it follows this primary.
    Never,
    /// It receives what its primary writes.
    Up,
    /// It was up until its primary stopped.
    Lost,
}

/// An atomic migration.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Job {
    /// Who takes the slots.
    pub target: Id,
    /// The slots.
    pub slots: Arc<SlotSet>,
    /// Whether it still runs; if not, it failed.
    pub running: bool,
}

/// What a node knows of one node.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Row {
    /// The node.
    pub id: Id,
    /// Its pod.
    pub pod: u8,
    /// The generation of that pod whose address is known.
    pub address: u8,
    /// The primary that it follows.
    pub primary: Option<Id>,
    /// The epoch of its configuration.
    pub epoch: u8,
    /// Whether there is a connection.
    pub linked: bool,
    /// Whether it answers.
    pub health: Health,
    /// What it owns.
    pub slots: Arc<SlotSet>,
}

/// Whether a node answers another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Health {
    /// It does.
    Fine,
    /// It does not.
    Suspected,
    /// A majority says that it does not.
    Failed,
}

impl World {
    /// The pods whose servers answer, with their nodes.
    pub fn running(&self) -> impl Iterator<Item = (u8, &Pod, &Node)> {
        let up = self.pods.iter().enumerate().filter(|(_, pod)| matches!(pod.phase, Phase::Up | Phase::Cut));
        up.filter_map(|(ordinal, pod)| {
            pod.node.as_ref().map(|node| (u8::try_from(ordinal).unwrap_or(u8::MAX), pod, node))
        })
    }

    /// The node of a pod, if its server answers.
    #[must_use]
    pub fn node_at(&self, ordinal: u8) -> Option<&Node> {
        self.running().find(|(at, _, _)| *at == ordinal).map(|(_, _, node)| node)
    }

    /// The identity of the node of a pod, if its server answers.
    #[must_use]
    pub fn id_at(&self, ordinal: u8) -> Option<Id> {
        self.node_at(ordinal).map(|node| node.id)
    }

    /// The ordinal of the pod on whose volume a node lives.
    #[must_use]
    pub fn home(&self, id: Id) -> Option<u8> {
        (0..).zip(&self.pods).find(|(_, pod)| pod.node.as_ref().is_some_and(|node| node.id == id)).map(|(at, _)| at)
    }

    /// A node, if its server answers.
    #[must_use]
    pub fn up(&self, id: Id) -> Option<&Node> {
        self.running().find(|(_, _, node)| node.id == id).map(|(_, _, node)| node)
    }

    /// The node of a pod, to be changed.
    pub fn node_mut(&mut self, ordinal: u8) -> Option<&mut Node> {
        self.pods.get_mut(usize::from(ordinal)).and_then(|pod| pod.node.as_mut())
    }

    /// A node wherever it lives, to be changed.
    pub fn id_mut(&mut self, id: Id) -> Option<&mut Node> {
        self.home(id).and_then(|ordinal| self.node_mut(ordinal))
    }

    /// Whether one node reaches another: it knows where that is now, and its server answers.
    #[must_use]
    pub fn reaches(&self, from: &Node, to: Id) -> bool {
        let Some(row) = from.row(to) else { return false };
        let home = self.home(from.id).and_then(|home| self.pods.get(usize::from(home)));
        if home.is_none_or(|pod| pod.phase != Phase::Up) {
            return false;
        }
        let pod = self.pods.get(usize::from(row.pod));
        pod.is_some_and(|pod| {
            pod.phase == Phase::Up
                && pod.generation == row.address
                && pod.node.as_ref().is_some_and(|node| node.id == to)
        })
    }

    /// The slots that some node takes for its own, whether it is up or not.
    #[must_use]
    pub fn claimed(&self) -> SlotSet {
        let nodes = self.pods.iter().filter_map(|pod| pod.node.as_ref());
        nodes.fold(SlotSet::EMPTY, |all, node| all.or(&node.slots()))
    }

    /// Clients write to every slot, once each has an owner.
    pub fn begin_use(&mut self) {
        self.used |= self.claimed() == SlotSet::all();
    }

    /// The slots of which somebody still has the newest data.
    #[must_use]
    pub fn kept(&self) -> SlotSet {
        let nodes = self.pods.iter().filter_map(|pod| pod.node.as_ref());
        nodes.fold(SlotSet::EMPTY, |kept, node| kept.or(&node.fresh))
    }

    /// Writes off the data that a fault took with it: nobody's steps are to blame for that later.
    pub fn note_losses(&mut self) {
        if self.used {
            self.lost = Arc::new(self.lost.or(&self.kept().complement()));
        }
    }

    /// Remembers the first law that was broken.
    pub fn break_law(&mut self, harm: String) {
        self.harm.get_or_insert(harm);
    }
}

impl Node {
    /// A node on an empty volume.
    #[must_use]
    pub fn new(id: Id, pod: u8, generation: u8, format: u8) -> Self {
        let mut node =
            Self { id, format, epoch: 0, table: Arc::default(), fresh: Arc::default(), link: Link::Never, job: None };
        node.learn(Row::new(id, pod, generation));
        node
    }

    /// What it knows of a node.
    #[must_use]
    pub fn row(&self, id: Id) -> Option<&Row> {
        self.table.iter().find(|row| row.id == id)
    }

    /// What it knows of a node, to be changed.
    pub fn row_mut(&mut self, id: Id) -> Option<&mut Row> {
        Arc::make_mut(&mut self.table).iter_mut().find(|row| row.id == id)
    }

    /// Adds a node that it did not know.
    pub fn learn(&mut self, row: Row) {
        let table = Arc::make_mut(&mut self.table);
        let at = table.partition_point(|known| known.id < row.id);
        table.insert(at, row);
    }

    /// What it owns by its own table.
    #[must_use]
    pub fn slots(&self) -> Arc<SlotSet> {
        self.row(self.id).map(|row| row.slots.clone()).unwrap_or_default()
    }

    /// Whether it receives what its primary writes.
    #[must_use]
    pub fn synced(&self) -> bool {
        self.link == Link::Up
    }

    /// The primary that it follows.
    #[must_use]
    pub fn primary(&self) -> Option<Id> {
        self.row(self.id).and_then(|row| row.primary)
    }

    /// The nodes that own slots, by its own table.
    pub fn owners(&self) -> impl Iterator<Item = &Row> {
        self.table.iter().filter(|row| !row.slots.is_empty())
    }
}

impl Row {
    /// What is known of a node that owns nothing and follows nobody.
    #[must_use]
    pub fn new(id: Id, pod: u8, generation: u8) -> Self {
        Self {
            id,
            pod,
            address: generation,
            primary: None,
            epoch: 0,
            linked: true,
            health: Health::Fine,
            slots: Arc::default(),
        }
    }
}
