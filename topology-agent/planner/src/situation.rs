//! A view, read once: who is who, who owns what, and where the views of the servers differ.
//!
//! Only those are listened to who [know each other](crate::acquaintance). A node is believed about itself before others are believed
//! about it; of those who are not seen, the report with the highest epoch counts. What is concluded here is used to decide; the [laws](crate::laws) look at the view again, by themselves.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::acquaintance::of_the_cluster;
use crate::desired::Desired;
use crate::id::{NodeId, Ordinal};
use crate::slots::{SLOTS, SlotSet};
use crate::step::Target;
use crate::time::Time;
use crate::view::{Health, JobState, Link, Opinion, Pod, Role, Row, Server, View};

/// A view, read.
pub(crate) struct Situation<'a> {
    pub(crate) desired: &'a Desired,
    pub(crate) view: &'a View,
    pub(crate) now: Time,
    /// Every node that anybody knows, handshakes aside.
    pub(crate) nodes: BTreeMap<NodeId, Node<'a>>,
    /// The nodes that own slots, with what they own.
    pub(crate) owners: BTreeMap<NodeId, SlotSet>,
    /// The slots that nobody owns.
    pub(crate) unowned: SlotSet,
    /// Whether every server that is part of the cluster names the owners that answered, with the same slots.
    pub(crate) agreed: bool,
    /// The nodes that are part of the cluster: those that an owner knows, or all that know anybody while there is none.
    pub(crate) joined: BTreeSet<NodeId>,
    /// The nodes of which slots are on their way, to them or from them.
    pub(crate) moving: BTreeSet<NodeId>,
    /// Who follows each primary, seen or not.
    followers: BTreeMap<NodeId, Vec<NodeId>>,
    /// The opinions that the members hold, each once.
    opinions: BTreeMap<usize, &'a Opinion>,
    /// The opinions that the primaries that answered hold.
    voices: BTreeSet<usize>,
    members: Vec<Member<'a>>,
}

/// A server that answered and is part of the cluster, and the pod that it runs in.
pub(crate) type Member<'a> = (Target, &'a Pod, &'a Server);

/// One node.
#[derive(Clone, Copy)]
pub(crate) struct Node<'a> {
    pub(crate) id: NodeId,
    /// The pod that it runs in, or announced to.
    pub(crate) pod: Option<Ordinal>,
    /// Itself, if it answered.
    pub(crate) seen: Option<(&'a Pod, &'a Server)>,
    /// What is said of it: by itself, if it answered.
    pub(crate) row: &'a Row,
}

impl Node<'_> {
    /// The primary of the shard that it serves: itself, or the one that it follows.
    pub(crate) fn head(&self) -> NodeId {
        match self.row.role {
            Some(Role::Replica(primary)) => primary,
            Some(Role::Primary) | None => self.id,
        }
    }
}

impl<'a> Situation<'a> {
    pub(crate) fn of(desired: &'a Desired, view: &'a View, now: Time) -> Self {
        let held = of_the_cluster(view);
        let nodes = nodes(view, &held);
        let owners = owners(&nodes, &held);
        let covered = owners.values().flat_map(SlotSet::ranges).map(|(start, end)| start..=end).collect::<SlotSet>();
        let voices = voices(&nodes, &owners);
        let joined = joined(view, &voices);
        let members = members(view, &joined);
        let opinions = opinions(view, &members);
        let agreed = agreed(&nodes, &owners, &opinions);
        let moving = moving(view);
        let mut followers: BTreeMap<NodeId, Vec<NodeId>> = BTreeMap::new();
        for node in nodes.values() {
            if let Some(Role::Replica(primary)) = node.row.role {
                followers.entry(primary).or_default().push(node.id);
            }
        }
        let unowned = covered.complement();
        Self {
            desired,
            view,
            now,
            nodes,
            owners,
            unowned,
            agreed,
            joined,
            moving,
            followers,
            opinions,
            voices,
            members,
        }
    }

    /// The server of a node, if it answered.
    pub(crate) fn server(&self, id: NodeId) -> Option<&'a Server> {
        self.nodes.get(&id).and_then(|node| node.seen).map(|(_, server)| server)
    }

    /// A node that answered, as the target of a step.
    pub(crate) fn target(&self, id: NodeId) -> Option<Target> {
        let node = self.nodes.get(&id)?;
        node.seen.and(node.pod).map(|pod| Target { pod, id })
    }

    /// The pod of a node, seen or not, if Kubernetes lists it.
    pub(crate) fn pod_of(&self, node: &Node<'_>) -> Option<&'a Pod> {
        node.pod.and_then(|pod| self.view.pods.get(&pod))
    }

    /// The pod in which a node answered.
    pub(crate) fn seen_pod(&self, id: NodeId) -> Option<(Ordinal, &'a Pod)> {
        let node = self.nodes.get(&id)?;
        node.pod.zip(node.seen.map(|(pod, _)| pod))
    }

    /// The zone of a node, seen or not.
    pub(crate) fn zone(&self, id: NodeId) -> Option<Arc<str>> {
        self.nodes.get(&id).and_then(|node| self.pod_of(node)).and_then(|pod| pod.place.zone.clone())
    }

    /// The servers that answered and are part of the cluster.
    pub(crate) fn members(&self) -> impl Iterator<Item = Member<'a>> {
        self.members.iter().copied()
    }

    /// The opinions that the members hold, each once, by their place in the view.
    pub(crate) fn opinions(&self) -> impl Iterator<Item = (usize, &'a Opinion)> {
        self.opinions.iter().map(|(held, opinion)| (*held, *opinion))
    }

    /// The member that greets all others: an owner if there is one, and of those the one in the first pod.
    pub(crate) fn hub(&self) -> Option<Target> {
        let members = self.members().map(|(target, _, _)| target);
        members.max_by_key(|target| (self.owners.contains_key(&target.id), Reverse(target.pod)))
    }

    /// Whether slots of a cluster that was written to have no owner.
    pub(crate) fn has_lost_slots(&self) -> bool {
        self.is_formed() && !self.unowned.is_empty() && !self.is_unused()
    }

    /// Whether slots were handed out at all.
    pub(crate) fn is_formed(&self) -> bool {
        self.unowned.len() < SLOTS
    }

    /// The nodes that follow a node, seen or not.
    pub(crate) fn followers(&self, primary: NodeId) -> impl Iterator<Item = &Node<'a>> {
        self.followers.get(&primary).into_iter().flatten().filter_map(|id| self.nodes.get(id))
    }

    /// Whether a server that answered follows a node.
    pub(crate) fn is_followed(&self, primary: NodeId) -> bool {
        self.followers(primary).any(|node| node.seen.is_some())
    }

    /// Whether a replica has all that its primary has, but for what was written in the last moment.
    pub(crate) fn in_sync(&self, replica: NodeId, primary: NodeId) -> bool {
        let (Some(replica), Some(primary)) = (self.server(replica), self.server(primary)) else { return false };
        let connected = replica.link == Link::Up && primary.followers.contains(&replica.id);
        replica.follows() == Some(primary.id) && connected && replica.history == primary.history
    }

    /// Whether a node can no longer come back: the pod that it lived in answers as another node.
    ///
    /// A node that is merely not seen is never taken as gone.
    pub(crate) fn is_replaced(&self, node: &Node<'_>) -> bool {
        let successor = self.pod_of(node).and_then(Pod::server);
        node.seen.is_none() && successor.is_some_and(|server| server.id != node.id)
    }

    /// Whether a node owns nothing in the view of anyone who answered.
    pub(crate) fn owns_nowhere(&self, id: NodeId) -> bool {
        self.view.opinions.iter().filter_map(|opinion| opinion.row(id)).all(|row| row.slots.is_empty())
    }

    /// How many of the nodes that vote answered, and how many there are.
    pub(crate) fn voters(&self) -> (u32, u32) {
        let alive = self.owners.keys().filter(|id| self.server(**id).is_some()).count();
        (u32::try_from(alive).unwrap_or(u32::MAX), u32::try_from(self.owners.len()).unwrap_or(u32::MAX))
    }

    /// Whether enough of the nodes that vote answered to outvote the others.
    pub(crate) fn has_quorum(&self) -> bool {
        let (alive, voters) = self.voters();
        alive * 2 > voters
    }

    /// Whether every primary answered and is connected to a replica that is to ask for their votes.
    pub(crate) fn all_voters_see(&self, replica: NodeId) -> bool {
        let (alive, voters) = self.voters();
        alive == voters && self.living_voters_see(replica)
    }

    /// Whether every primary that answered is connected to a replica.
    pub(crate) fn living_voters_see(&self, replica: NodeId) -> bool {
        let mut rows =
            self.voices.iter().map(|held| self.view.opinions.get(*held).and_then(|opinion| opinion.row(replica)));
        rows.all(|row| row.is_some_and(|row| row.linked && row.health == Health::Fine))
    }

    /// Whether nothing was ever written: every pod that should be there answered, and none holds a key.
    pub(crate) fn is_unused(&self) -> bool {
        let pods = (0..self.desired.pods()).map(|pod| self.view.pods.get(&Ordinal(pod)).and_then(Pod::server));
        let empty = |server: Option<&Server>| server.is_some_and(|server| server.keys == 0);
        pods.into_iter().all(empty) && self.view.servers().all(|(_, _, server)| server.keys == 0)
    }

    /// Whether every pod that should be there answered, knows nobody and owns nothing, and nothing was ever written.
    pub(crate) fn is_blank(&self) -> bool {
        self.joined.is_empty() && !self.is_formed() && self.is_unused()
    }

    /// Whether a node is a primary, or follows it.
    pub(crate) fn serves(&self, id: NodeId, primary: NodeId) -> bool {
        self.nodes.get(&id).is_some_and(|node| node.head() == primary)
    }
}

/// Every node that anybody knows who holds one of these opinions, and all who answered; each with the best that is said of it.
fn nodes<'a>(view: &'a View, held: &BTreeSet<usize>) -> BTreeMap<NodeId, Node<'a>> {
    let mut nodes: BTreeMap<NodeId, Node<'_>> = BTreeMap::new();
    let rows = held.iter().filter_map(|index| view.opinions.get(*index)).flat_map(|opinion| &opinion.rows);
    for row in rows.filter(|row| row.health != Health::Handshake) {
        let fresh = Node { id: row.id, pod: row.pod, seen: None, row };
        let node = nodes.entry(row.id).or_insert(fresh);
        node.pod = node.pod.or(row.pod);
        if (row.epoch, &row.slots) > (node.row.epoch, &node.row.slots) {
            node.row = row;
        }
    }
    for (ordinal, pod, server) in view.servers() {
        if let Some(row) = view.opinion(server).and_then(|opinion| opinion.row(server.id)) {
            nodes.insert(server.id, Node { id: server.id, pod: Some(ordinal), seen: Some((pod, server)), row });
        }
    }
    nodes
}

/// Who owns which slots, as far as those say who hold these opinions. Where two claim one, the higher epoch wins, as it does among servers; of equals, the lower id.
fn owners(nodes: &BTreeMap<NodeId, Node<'_>>, held: &BTreeSet<usize>) -> BTreeMap<NodeId, SlotSet> {
    let is_ours = |node: &&Node<'_>| node.seen.is_none_or(|(_, server)| held.contains(&server.opinion));
    let claims = nodes.values().filter(|node| node.row.role == Some(Role::Primary) && !node.row.slots.is_empty());
    let mut claims: Vec<&Node<'_>> = claims.filter(is_ours).collect();
    // Where nothing is claimed twice there is nothing to settle, and settling is what costs.
    let all: SlotSet = claims.iter().flat_map(|node| node.row.slots.ranges()).map(|(start, end)| start..=end).collect();
    if u32::from(all.len()) == claims.iter().map(|node| u32::from(node.row.slots.len())).sum::<u32>() {
        return claims.into_iter().map(|node| (node.id, node.row.slots.clone())).collect();
    }
    claims.sort_by_key(|node| (Reverse(node.row.epoch), node.id));
    let mut taken = SlotSet::EMPTY;
    let mut owners = BTreeMap::new();
    for node in claims {
        let slots = node.row.slots.without(&taken);
        taken = taken.or(&slots);
        if !slots.is_empty() {
            owners.insert(node.id, slots);
        }
    }
    owners
}

fn moving(view: &View) -> BTreeSet<NodeId> {
    let mut moving = BTreeSet::new();
    for (_, _, server) in view.servers().filter(|(_, _, server)| server.role == Role::Primary) {
        let running =
            server.jobs.iter().filter(|job| job.state == JobState::Running).map(|job| [server.id, job.target]);
        moving.extend(running.flatten());
        moving.extend(server.open.first().map(|_| server.id));
    }
    moving
}

fn voices(nodes: &BTreeMap<NodeId, Node<'_>>, owners: &BTreeMap<NodeId, SlotSet>) -> BTreeSet<usize> {
    let answered = owners.keys().filter_map(|id| nodes.get(id)).filter_map(|node| node.seen);
    answered.map(|(_, server)| server.opinion).collect()
}

fn joined(view: &View, voices: &BTreeSet<usize>) -> BTreeSet<NodeId> {
    let mut held = voices.clone();
    if held.is_empty() {
        held = view.servers().map(|(_, _, server)| server.opinion).filter(|&held| knows_others(view, held)).collect();
    }
    let opinions = held.into_iter().filter_map(|index| view.opinions.get(index));
    opinions.flat_map(|opinion| &opinion.rows).filter(|row| row.health != Health::Handshake).map(|row| row.id).collect()
}

fn knows_others(view: &View, opinion: usize) -> bool {
    view.opinions.get(opinion).is_some_and(|opinion| opinion.rows.len() > 1)
}

fn members<'a>(view: &'a View, joined: &BTreeSet<NodeId>) -> Vec<Member<'a>> {
    let servers = view.servers().filter(|(_, _, server)| joined.contains(&server.id));
    servers.map(|(pod, about, server)| (Target { pod, id: server.id }, about, server)).collect()
}

fn opinions<'a>(view: &'a View, members: &[Member<'_>]) -> BTreeMap<usize, &'a Opinion> {
    let held = members.iter().map(|(_, _, server)| server.opinion);
    held.filter_map(|held| view.opinions.get(held).map(|opinion| (held, opinion))).collect()
}

/// Whether all servers of the cluster say of the owners that answered what these say of themselves. What is said of others may
/// differ: it is what some heard last.
fn agreed(
    nodes: &BTreeMap<NodeId, Node<'_>>,
    owners: &BTreeMap<NodeId, SlotSet>,
    opinions: &BTreeMap<usize, &Opinion>,
) -> bool {
    let seen = |id: &NodeId| nodes.get(id).is_some_and(|node| node.seen.is_some());
    opinions.values().all(|opinion| {
        let owning = opinion.rows.iter().filter(|row| !row.slots.is_empty() && seen(&row.id));
        owning.map(|row| (&row.id, &row.slots)).eq(owners.iter().filter(|(id, _)| seen(id)))
    })
}
