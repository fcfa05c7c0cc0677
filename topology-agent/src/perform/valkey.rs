//! Steps that servers take.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use planner::{FailoverMode, Migration, NodeId, Opinion, Role, Row, SlotSet, Target};
use spec::names;
use tokio::time::{Instant, sleep};

use super::classic::Move;
use super::{Performer, StepError};
use crate::look::Contact;
use crate::valkey::{AskError, Connection, Reply, Table, count_keys};

/// How long a failover is watched: servers give it up after five seconds.
const FAILOVER: Duration = Duration::from_secs(5);
const GLANCE: Duration = Duration::from_millis(10);
/// How long a server that has handed over is left to tell clients where to go: those that still ask it learn of it by the answer, while
/// those whose connection breaks have to look around.
const REDIRECTING: Duration = Duration::from_secs(1);
/// The node time-out of a server that has just got its first slots, in milliseconds.
const IMPATIENT_MS: &str = "1000";
/// Of more servers than these, none is impatient: each would greet all others twice a second, and give up those that are slow to answer.
const FEW: usize = 64;

impl Performer<'_> {
    /// Both are asked who they are, at the address that is to be greeted.
    pub(super) async fn meet(&self, node: Target, peer: Target, address: IpAddr) -> Result<(), StepError> {
        let (contact, _) = self.node(peer).await?;
        if contact.endpoint().address != address {
            return Err(StepError::Changed("the pod has another address by now"));
        }
        self.tell(node, &["MEET", &address.to_string(), &contact.endpoint().port.to_string()]).await
    }

    /// A server that has had no slots for two seconds takes itself for cut off, and then waits for as long as its node time-out before
    /// it serves the first that it gets. Where nothing was written yet, there is nothing to wait for: until it serves, the time-out of
    /// each of a few is a second, and after that what it should be.
    ///
    /// What it takes for another's, it has to claim.
    pub(super) async fn add_slots(&self, node: Target, slots: &SlotSet) -> Result<(), StepError> {
        if self.view.servers().count() <= FEW && self.view.servers().all(|(_, _, server)| server.keys == 0) {
            let impatient = [(names::NODE_TIMEOUT.to_owned(), IMPATIENT_MS.to_owned())];
            self.configure(node, &impatient.into()).await?;
        }
        if self.opinion(node).is_some_and(|opinion| slots.overlaps(&taken(&opinion.rows, node.id))) {
            return self.claim_slots(node, slots).await;
        }
        self.tell_slots(node, "ADDSLOTSRANGE", slots).await
    }

    async fn tell_slots(&self, node: Target, verb: &'static str, slots: &SlotSet) -> Result<(), StepError> {
        let ranges = ranges(slots);
        let arguments: Vec<&str> = std::iter::once(verb).chain(ranges.iter().map(String::as_str)).collect();
        self.tell(node, &arguments).await
    }

    /// A new epoch first: what is claimed under it, nobody disputes. A server gives up only what it takes for another's, and that is
    /// looked at once more: who owns it by now may be another one, with keys of its own.
    pub(super) async fn claim_slots(&self, node: Target, slots: &SlotSet) -> Result<(), StepError> {
        let (contact, connection) = self.node(node).await?;
        let table = table(&contact, &connection).await?;
        let disputed = slots.and(&taken(&table.rows, node.id));
        if table.rows.iter().any(|row| !self.has_seen(node, row, &disputed)) {
            return Err(StepError::Changed("slots have another owner by now"));
        }
        self.tell(node, &["BUMPEPOCH"]).await?;
        if !disputed.is_empty() {
            self.tell_slots(node, "DELSLOTSRANGE", &disputed).await?;
        }
        self.tell_slots(node, "ADDSLOTSRANGE", slots).await
    }

    /// Whether a node said the same of the owner of these slots when it was looked at.
    fn has_seen(&self, node: Target, now: &Row, slots: &SlotSet) -> bool {
        let then = self.opinion(node).and_then(|opinion| opinion.row(now.id));
        then.map(|row| row.slots.and(slots)).unwrap_or_default() == now.slots.and(slots)
    }

    fn opinion(&self, node: Target) -> Option<&Opinion> {
        self.view.pods.get(&node.pod).and_then(planner::Pod::server).and_then(|server| self.view.opinion(server))
    }

    /// Forgetting what is not known has been done before.
    pub(super) async fn forget(&self, node: Target, gone: NodeId) -> Result<(), StepError> {
        match self.tell(node, &["FORGET", &gone.to_string()]).await {
            Err(StepError::Ask(AskError::Refused(why))) if why.contains("Unknown node") => Ok(()),
            other => other,
        }
    }

    /// A reset empties a replica, but not the files that it starts from: those follow at once, or what was dropped would be back with
    /// the volume. What holds a key after the reset is left alone.
    pub(super) async fn reset(&self, node: Target) -> Result<(), StepError> {
        let (contact, connection) = self.node(node).await?;
        self.fence()?;
        contact.noted(connection.tell("CLUSTER", &["RESET", "HARD"]).await).await?;
        match contact.noted(connection.ask("DBSIZE", &[]).await).await? {
            Reply::Number(0) => {
                self.fence()?;
                Ok(contact.noted(connection.tell("FLUSHALL", &[]).await).await.map(drop)?)
            }
            _ => Err(StepError::Changed("it holds keys")),
        }
    }

    /// Ends when the replica leads, or when servers have given it up. Returns how long it took from the command: the primary, where
    /// there is one, holds writes back for most of that.
    pub(super) async fn fail_over(
        &self,
        replica: Target,
        primary: NodeId,
        mode: FailoverMode,
    ) -> Result<Duration, StepError> {
        let how: &[&str] = match mode {
            FailoverMode::Planned => &["FAILOVER"],
            FailoverMode::Forced => &["FAILOVER", "FORCE"],
            FailoverMode::Takeover => &["FAILOVER", "TAKEOVER"],
        };
        if mode != FailoverMode::Planned {
            self.is_gone(primary).await?;
        }
        let (contact, connection) = self.node(replica).await?;
        self.fence()?;
        let begun = Instant::now();
        contact.noted(connection.tell("CLUSTER", how).await).await?;
        while begun.elapsed() < FAILOVER {
            let role = contact.noted(connection.ask("ROLE", &[]).await).await?;
            if is_primary(&role) {
                let pause = begun.elapsed();
                sleep(if mode == FailoverMode::Planned { REDIRECTING } else { Duration::ZERO }).await;
                return Ok(pause);
            }
            sleep(GLANCE).await;
        }
        Err(StepError::GivenUp)
    }

    /// Whether a node's process has ended: its pod does not run, or runs another node.
    async fn is_gone(&self, node: NodeId) -> Result<(), StepError> {
        let mut rows = self.view.opinions.iter().filter_map(|opinion| opinion.row(node));
        let pod = rows.find_map(|row| row.pod).ok_or(StepError::Changed("nobody knows its pod"))?;
        if let Some(other) = self.view.pods.get(&pod).and_then(planner::Pod::server).filter(|server| server.id != node)
        {
            return self.node(Target { pod, id: other.id }).await.map(drop);
        }
        self.does_not_run(pod).await.map(drop)
    }

    pub(super) async fn migrate(
        &self,
        source: Target,
        target: Target,
        slots: &SlotSet,
        how: Migration,
    ) -> Result<(), StepError> {
        match how {
            Migration::Atomic => {
                let ranges = ranges(slots);
                let id = target.id.to_string();
                let arguments = ["MIGRATESLOTS", "SLOTSRANGE"].into_iter();
                let arguments: Vec<&str> =
                    arguments.chain(ranges.iter().map(String::as_str)).chain(["NODE", &id]).collect();
                self.tell(source, &arguments).await
            }
            Migration::Classic => {
                let (from, _) = self.node(source).await?;
                let (to, _) = self.node(target).await?;
                Move::new(source, &from, target, &to).slots(slots, || self.fence()).await
            }
        }
    }

    /// Keys beside those of the owner are found only while their slot stands open: who has begun to move them since goes on.
    pub(super) async fn close_slots(&self, node: Target, slots: &SlotSet) -> Result<(), StepError> {
        for slot in slots.iter() {
            self.has_keys_at_its_owner_alone(slot).await?;
            self.tell(node, &["SETSLOT", &slot.to_string(), "STABLE"]).await?;
        }
        Ok(())
    }

    async fn has_keys_at_its_owner_alone(&self, slot: u16) -> Result<(), StepError> {
        let owns = |server: &planner::Server| self.view.own_row(server).is_some_and(|row| row.slots.contains(slot));
        let primaries = self.view.servers().filter(|(_, _, server)| server.role == Role::Primary && !owns(server));
        for (pod, _, server) in primaries {
            let (contact, connection) = self.node(Target { pod, id: server.id }).await?;
            if contact.noted(count_keys(&connection, slot).await).await? > 0 {
                return Err(StepError::Changed("keys of the slot lie on another node by now"));
            }
        }
        Ok(())
    }

    /// All in one go, or each alone where one of them is refused: the others are none the worse for it.
    pub(super) async fn configure(&self, node: Target, settings: &BTreeMap<String, String>) -> Result<(), StepError> {
        let pairs: Vec<(&str, &str)> = settings.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        match self.set(node, &pairs).await {
            Err(StepError::Ask(AskError::Refused(_))) if pairs.len() > 1 => {
                let mut outcome = Ok(());
                for pair in pairs {
                    outcome = outcome.and(self.set(node, &[pair]).await);
                }
                outcome
            }
            other => other,
        }
    }

    async fn set(&self, node: Target, pairs: &[(&str, &str)]) -> Result<(), StepError> {
        let (contact, connection) = self.node(node).await?;
        let pairs = pairs.iter().flat_map(|(name, value)| [*name, *value]);
        let arguments: Vec<&str> = std::iter::once("SET").chain(pairs).collect();
        self.fence()?;
        contact.noted(connection.tell("CONFIG", &arguments).await).await?;
        Ok(())
    }

    /// Whether a node holds no key and knows nobody.
    pub(super) async fn is_blank(&self, node: Target) -> Result<bool, StepError> {
        let (contact, connection) = self.node(node).await?;
        let table = table(&contact, &connection).await?;
        let keys = contact.noted(connection.ask("DBSIZE", &[]).await).await?;
        Ok(table.rows.len() == 1 && keys == Reply::Number(0))
    }

    /// What a node does by its own word.
    pub(super) async fn role(&self, node: Target) -> Result<(Role, usize), StepError> {
        let (contact, connection) = self.node(node).await?;
        let role = contact.noted(connection.ask("ROLE", &[]).await).await?;
        if is_primary(&role) {
            return Ok((Role::Primary, replicas(role)));
        }
        let table = table(&contact, &connection).await?;
        let role = table.own().and_then(|row| row.role).ok_or(StepError::Changed("it follows nobody that it knows"))?;
        Ok((role, 0))
    }
}

/// The slots that are said to be others'.
fn taken(rows: &[Row], id: NodeId) -> SlotSet {
    rows.iter().filter(|row| row.id != id).fold(SlotSet::EMPTY, |all, row| all.or(&row.slots))
}

/// The nodes that a server knows. In which pods they are is not asked.
async fn table(contact: &Contact, connection: &Connection) -> Result<Table, StepError> {
    let nodes = contact.noted(connection.ask("CLUSTER", &["NODES"]).await).await?.text("CLUSTER NODES")?;
    let odd = |what: String| AskError::Odd { command: "CLUSTER NODES", what };
    Ok(Table::read(&nodes, |_| None).map_err(|error| odd(error.to_string()))?)
}

/// First and last slot of each range, as words.
fn ranges(slots: &SlotSet) -> Vec<String> {
    slots.ranges().flat_map(|(start, end)| [start.to_string(), end.to_string()]).collect()
}

/// `[master, offset, [replica, …]]`
fn is_primary(role: &Reply) -> bool {
    let Reply::List(items) = role else { return false };
    items.first() == Some(&Reply::Text("master".to_owned()))
}

fn replicas(role: Reply) -> usize {
    let Reply::List(items) = role else { return 0 };
    match items.into_iter().nth(2) {
        Some(Reply::List(replicas)) => replicas.len(),
        Some(Reply::Nil | Reply::Number(_) | Reply::Text(_) | Reply::Bytes(_)) | None => 0,
    }
}
