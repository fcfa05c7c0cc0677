//! Moves slots key by key, for servers that know no other way.
//!
//! The order matters: at every moment the slot has one owner, and whoever asks for a key finds it. What is cut short shows as an open
//! slot, which the next plan carries on with.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use futures::future::join_all;
use planner::{SlotSet, Target};
use tokio::time::Instant;

use super::StepError;
use crate::look::Contact;
use crate::valkey::{AskError, Connection, Endpoint, Info, Reply};

/// How long slots are moved before the agent looks again.
const TURN: Duration = Duration::from_secs(2);
/// How long a slot with very many keys is worked at before the agent looks again; it stays open, and is carried on with.
const LONGEST_SLOT: Duration = Duration::from_secs(10);
/// How many slots move side by side.
const LANES: usize = 8;
/// How many keys are sent at once: both servers wait for them.
const BATCH: &str = "50";
/// How long servers may take to send them, in milliseconds.
const SEND: &str = "5000";

/// The way from one primary to another.
pub(super) struct Move<'a> {
    source: Target,
    target: Target,
    from: &'a Contact,
    to: &'a Contact,
}

impl<'a> Move<'a> {
    pub(super) const fn new(source: Target, from: &'a Contact, target: Target, to: &'a Contact) -> Self {
        Self { source, target, from, to }
    }

    /// Moves slots for as long as a turn lasts, several at a time: most of what one takes is waiting for replicas to hear of it.
    pub(super) async fn slots(
        &self,
        slots: &SlotSet,
        fence: impl Fn() -> Result<(), StepError>,
    ) -> Result<(), StepError> {
        let end = Instant::now() + TURN;
        // The lowest first, whoever takes it: what is left is then as unbroken as it was.
        let rest = Mutex::new(slots.iter());
        let next = || rest.lock().unwrap_or_else(PoisonError::into_inner).next().filter(|_| Instant::now() < end);
        // Every lane brings the slot to its end that it has begun, whatever becomes of the others.
        join_all((0..LANES).map(|_| self.lane(next, &fence))).await.into_iter().collect()
    }

    /// Moves slots one after the other, over connections of its own: databases are chosen on them, and a server that waits for its
    /// replicas lets a connection wait.
    async fn lane(
        &self,
        next: impl Fn() -> Option<u16>,
        fence: impl Fn() -> Result<(), StepError>,
    ) -> Result<(), StepError> {
        let from = self.from.connect().await?;
        let to = self.to.connect().await?;
        let databases: Vec<u16> =
            Info::read(&from.ask("INFO", &["keyspace"]).await?.text("INFO")?).databases().collect();
        while let Some(slot) = next() {
            self.slot(&from, &to, &slot.to_string(), &databases, &fence).await?;
        }
        Ok(())
    }

    async fn slot(
        &self,
        from: &Connection,
        to: &Connection,
        slot: &str,
        databases: &[u16],
        fence: impl Fn() -> Result<(), StepError>,
    ) -> Result<(), StepError> {
        fence()?;
        let end = Instant::now() + LONGEST_SLOT;
        let (source, target) = (self.source.id.to_string(), self.target.id.to_string());
        let arrived =
            is_refused(to.tell("CLUSTER", &["SETSLOT", slot, "IMPORTING", &source]).await, "already the owner")?;
        let left = is_refused(from.tell("CLUSTER", &["SETSLOT", slot, "MIGRATING", &target]).await, "not the owner")?;
        match (arrived, left) {
            (true, true) => return Ok(()),
            // Somebody else has it by now, and keys of it that whoever claims it would have dropped.
            (false, true) => return Err(StepError::Changed("the slot has another owner by now")),
            (_, false) => {}
        }
        for database in databases {
            from.tell("SELECT", &[&database.to_string()]).await?;
            if !self.keys(from, slot, &database.to_string(), &fence, end).await? {
                return Ok(());
            }
        }
        fence()?;
        // The target first: were it the other way round and the target lost, nobody would own the slot.
        to.tell("CLUSTER", &["SETSLOT", slot, "NODE", &target]).await?;
        from.tell("CLUSTER", &["SETSLOT", slot, "NODE", &target]).await?;
        Ok(())
    }

    /// Whether all keys of the slot in this database are on the other side.
    async fn keys(
        &self,
        from: &Connection,
        slot: &str,
        database: &str,
        fence: impl Fn() -> Result<(), StepError>,
        end: Instant,
    ) -> Result<bool, StepError> {
        while Instant::now() < end {
            let keys = from.ask("CLUSTER", &["GETKEYSINSLOT", slot, BATCH]).await?.list("CLUSTER GETKEYSINSLOT")?;
            let keys = keys.into_iter().map(|key| key.bytes("CLUSTER GETKEYSINSLOT")).collect::<Result<Vec<_>, _>>()?;
            if keys.is_empty() {
                return Ok(true);
            }
            fence()?;
            self.send(from, database, &keys).await?;
        }
        Ok(false)
    }

    /// Keys that are on both sides were sent before, and the answer was lost: the source is their owner, so its values stand.
    async fn send(&self, from: &Connection, database: &str, keys: &[Vec<u8>]) -> Result<(), StepError> {
        match from.tell_bytes("MIGRATE", self.arguments(database, keys, None)).await {
            Err(AskError::Refused(why)) if why.contains("BUSYKEY") => {
                from.tell_bytes("MIGRATE", self.arguments(database, keys, Some("REPLACE"))).await?;
            }
            other => drop(other?),
        }
        Ok(())
    }

    fn arguments(&self, database: &str, keys: &[Vec<u8>], replace: Option<&str>) -> Vec<Vec<u8>> {
        let Endpoint { address, port, password, .. } = self.to.endpoint();
        let (address, port) = (address.to_string(), port.to_string());
        let head = [address.as_str(), &port, "", database, SEND].into_iter().chain(replace);
        let password = password.iter().flat_map(|password| ["AUTH", password.as_str()]);
        let words = head.chain(password).chain(["KEYS"]).map(|word| word.as_bytes().to_vec());
        words.chain(keys.iter().cloned()).collect()
    }
}

/// Whether a command was refused for this reason.
fn is_refused(result: Result<Reply, AskError>, reason: &str) -> Result<bool, AskError> {
    match result {
        Err(AskError::Refused(why)) if why.contains(reason) => Ok(true),
        other => other.map(|_| false),
    }
}
