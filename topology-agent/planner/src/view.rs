//! What was seen, doubt included.
//!
//! ```text
//! View ──► Pod (what Kubernetes says) ──► Sight ──► Server (what it says of itself)
//!   └────► Opinion (what servers say of all nodes) ──► Row
//! ```
//!
//! Servers at rest agree, so an [`Opinion`] is kept once for all that share it: 2,000 servers do not make four million rows.
//! Nothing in here says "gone": a server that gave no answer is [`Sight::Silent`], and a node in nobody's table may still run.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;

use spec::Version;

use crate::id::{History, NodeId, Ordinal};
use crate::slots::SlotSet;
use crate::time::{Span, Time};

/// What one look saw.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct View {
    /// How many pods the `StatefulSet` is told to have.
    pub scale: u32,
    /// Whether the `StatefulSet` was rendered from what should be. While one of the two is older, nobody knows onto what a pod would
    /// restart, and whether it may.
    pub rendered: bool,
    /// The pods that Kubernetes lists.
    pub pods: BTreeMap<Ordinal, Pod>,
    /// The different tables of nodes that servers hold.
    pub opinions: Vec<Opinion>,
}

/// What Kubernetes says of a pod, and what its server answered.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Pod {
    /// Tells this pod from an earlier one of the same name.
    pub uid: Arc<str>,
    /// Whether it runs the current template of the `StatefulSet`.
    pub template: Template,
    /// The host that it was bound to, and that host's zone.
    pub place: Place,
    /// Where it is reached; none before it runs.
    pub address: Option<IpAddr>,
    /// Since when Kubernetes has not found it ready, however often its container started anew meanwhile; none while it is ready.
    pub unready: Option<Time>,
    /// When its server last answered, as far as anybody remembers; when it was first asked if it never has.
    pub answered: Time,
    /// Whether Kubernetes is taking it down.
    pub terminating: bool,
    /// The labels that the agent wrote.
    pub labels: Labels,
    /// The bytes that its volume claim asks for; none without a claim.
    pub volume: Option<u64>,
    /// The bytes of memory that it may use; none without a limit.
    pub memory_limit: Option<u64>,
    /// What its server answered.
    pub sight: Sight,
}

/// Whether a pod runs the current template.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Template {
    /// It does.
    Current,
    /// It was made from an earlier one.
    Old,
}

/// Where a pod stands.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Place {
    /// The host; none before it is bound, or where it is not known.
    pub host: Option<Arc<str>>,
    /// The zone of that host; none where hosts name none.
    pub zone: Option<Arc<str>>,
}

/// The labels by which Services and budgets select.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Labels {
    /// Whether it is labelled as a primary or as a replica.
    pub role: Option<RoleLabel>,
    /// The number of its shard.
    pub shard: Option<u16>,
}

/// What the label of a role says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RoleLabel {
    /// It takes writes.
    Primary,
    /// It follows a primary.
    Replica,
}

/// What came of asking a server.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Sight {
    /// It does not run: it was never started, or Kubernetes says that it ended.
    Down,
    /// It gave no answer, or none in time. It may be running all the same.
    Silent,
    /// It answers, and is still reading its data.
    Loading,
    /// It answers, and does not let us in.
    Locked,
    /// It answered.
    Seen(Box<Server>),
}

/// What a server says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[allow(clippy::struct_excessive_bools, reason = "each is a question of its own")]
pub struct Server {
    /// Its identity.
    pub id: NodeId,
    /// The version that runs.
    pub version: Version,
    /// Which of the view's opinions it holds.
    pub opinion: usize,
    /// What it does.
    pub role: Role,
    /// The largest configuration epoch that it knows of.
    pub epoch: u64,
    /// The history of its data.
    pub history: History,
    /// How far in that history it is.
    pub offset: u64,
    /// For a replica, its link to its primary.
    pub link: Link,
    /// For a primary, the replicas that receive its writes right now.
    pub followers: BTreeSet<NodeId>,
    /// Whether it holds writes back, as a primary does while it hands over.
    pub paused: bool,
    /// Whether it refuses clients, as it does while it takes the cluster to be down, and for some seconds after.
    pub refuses: bool,
    /// Whether it could not write to its disk when it last had to. As a primary it then refuses writes, and as a replica it may end.
    pub disk_fails: bool,
    /// How many keys it holds.
    pub keys: u64,
    /// The slots of which it holds keys and that it does not own.
    pub strays: SlotSet,
    /// The slots that stand open on it.
    pub open: Vec<OpenSlot>,
    /// The atomic migrations that it exports, newest first.
    pub jobs: Vec<Job>,
    /// Bytes in use.
    pub memory: u64,
    /// The bytes at which it evicts or refuses; none if it never does.
    pub max_memory: Option<u64>,
    /// How many threads serve its clients.
    pub io_threads: u16,
    /// Whether it holds fields with an expiry of their own, which older series cannot represent.
    pub field_expiry: bool,
    /// The values of the directives that are set live.
    pub settings: Arc<BTreeMap<String, String>>,
}

/// What a node does in its shard.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// It takes writes, or would if it had slots.
    Primary,
    /// It follows that node.
    Replica(NodeId),
}

/// The link of a replica to its primary.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Link {
    /// It receives what the primary writes.
    Up,
    /// It is being sent the whole data set.
    Syncing,
    /// It receives nothing any more, since then. Up to that moment it had what the primary wrote.
    Down(Time),
    /// It has received nothing yet since it started, or since it follows this primary.
    Never,
}

/// A slot that stands open for the classic migration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OpenSlot {
    /// The slot.
    pub slot: u16,
    /// To which side it is open.
    pub to: Opening,
}

/// The two sides of a classic migration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Opening {
    /// Its keys leave for that node.
    Migrating(NodeId),
    /// Its keys come from that node.
    Importing(NodeId),
}

/// An atomic migration, as its source lists it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Job {
    /// The node that takes the slots.
    pub target: NodeId,
    /// The slots.
    pub slots: SlotSet,
    /// How it stands.
    pub state: JobState,
    /// When that was last written down.
    pub updated: Time,
}

/// How an atomic migration stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum JobState {
    /// Under way.
    Running,
    /// Done.
    Succeeded,
    /// Given up by a server or called off.
    Failed,
}

/// What one or more servers say of all the nodes that they know: their `CLUSTER NODES`, less what differs between equals.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Opinion {
    /// A row for each node, in the order of their ids.
    pub rows: Vec<Row>,
}

/// What is said of one node.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Row {
    /// The node.
    pub id: NodeId,
    /// Whose host name it announces, if it is one of this cluster's pods.
    pub pod: Option<Ordinal>,
    /// Where it is thought to be; none if that is not known.
    pub address: Option<IpAddr>,
    /// What it does; none if it follows a node that is not known.
    pub role: Option<Role>,
    /// Whether it answers.
    pub health: Health,
    /// Whether the holders of this opinion are connected to it.
    pub linked: bool,
    /// The epoch of its configuration.
    pub epoch: u64,
    /// The slots it is said to own.
    pub slots: SlotSet,
}

/// Whether a node answers others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Health {
    /// It does.
    Fine,
    /// Not to the holder of the opinion.
    Suspected,
    /// A majority of voters agreed that it does not.
    Failed,
    /// It is being greeted for the first time; its id is provisional.
    Handshake,
}

impl Opinion {
    /// What it says of a node.
    #[must_use]
    pub fn row(&self, id: NodeId) -> Option<&Row> {
        self.rows.binary_search_by_key(&id, |row| row.id).ok().and_then(|index| self.rows.get(index))
    }
}

impl Pod {
    /// Its server, if that answered.
    #[must_use]
    pub fn server(&self) -> Option<&Server> {
        match &self.sight {
            Sight::Seen(server) => Some(server),
            Sight::Down | Sight::Silent | Sight::Loading | Sight::Locked => None,
        }
    }

    /// Whether Kubernetes has not found it ready for longer than this.
    #[must_use]
    pub fn is_unready_for(&self, span: Span, now: Time) -> bool {
        self.unready.is_some_and(|since| now.since(since) > span)
    }
}

impl Server {
    /// The node that it follows.
    #[must_use]
    pub const fn follows(&self) -> Option<NodeId> {
        match self.role {
            Role::Primary => None,
            Role::Replica(primary) => Some(primary),
        }
    }
}

impl View {
    /// The pods from this one on, those included that Kubernetes is told to have and does not list right now.
    #[must_use]
    pub fn pods_from(&self, first: Ordinal) -> BTreeMap<Ordinal, Option<&Pod>> {
        let wanted = (first.0..self.scale).map(|pod| (Ordinal(pod), None));
        let listed = self.pods.range(first..).map(|(pod, seen)| (*pod, Some(seen)));
        wanted.chain(listed).collect()
    }

    /// The servers that answered, by their pods.
    pub fn servers(&self) -> impl Iterator<Item = (Ordinal, &Pod, &Server)> {
        self.pods.iter().filter_map(|(&ordinal, pod)| pod.server().map(|server| (ordinal, pod, server)))
    }

    /// What a server says of all nodes.
    #[must_use]
    pub fn opinion(&self, server: &Server) -> Option<&Opinion> {
        self.opinions.get(server.opinion)
    }

    /// What a server says of itself.
    #[must_use]
    pub fn own_row(&self, server: &Server) -> Option<&Row> {
        self.opinion(server).and_then(|opinion| opinion.row(server.id))
    }
}
