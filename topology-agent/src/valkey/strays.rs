//! Keys in slots that their holder does not own: what a migration left behind that somebody closed too early.

use futures::future::{try_join, try_join_all};
use planner::SlotSet;

use super::connection::Connection;
use super::info::Info;
use super::reply::{AskError, Reply};

const STATS: &str = "CLUSTER SLOT-STATS";
const COUNT: &str = "CLUSTER COUNTKEYSINSLOT";
/// How often a difference may be due to what happened in between.
const TRIES: usize = 3;
/// How many counts are on their way at once.
const SIDE_BY_SIDE: usize = 512;

/// The slots of which a server holds keys, and that it does not own.
///
/// One question tells whether there can be any; only then are slots counted one by one.
///
/// # Errors
/// The server does not answer.
pub async fn count_strays(connection: &Connection, owned: &SlotSet, keys: u64) -> Result<SlotSet, AskError> {
    if keys == 0 || are_all_owned(connection, owned).await? {
        return Ok(SlotSet::EMPTY);
    }
    let others: Vec<u16> = owned.complement().iter().collect();
    let mut held = Vec::new();
    for some in others.chunks(SIDE_BY_SIDE) {
        let counts = try_join_all(some.iter().map(|slot| count_keys(connection, *slot))).await?;
        held.extend(some.iter().zip(counts).filter(|(_, count)| *count > 0).map(|(slot, _)| *slot..=*slot));
    }
    Ok(held.into_iter().collect())
}

/// Both are asked for in one go, which a server answers without doing anything for others in between, most of the time: keys come and
/// go, and who counts them at two moments finds a difference.
async fn are_all_owned(connection: &Connection, owned: &SlotSet) -> Result<bool, AskError> {
    for _ in 0..TRIES {
        let all = async {
            Ok(Info::read(&connection.ask("INFO", &["keyspace"]).await?.text("INFO")?).over_databases("keys"))
        };
        let (all, of_owned) = try_join(all, owned_keys(connection, owned)).await?;
        if all == of_owned {
            return Ok(true);
        }
    }
    Ok(false)
}

async fn owned_keys(connection: &Connection, owned: &SlotSet) -> Result<u64, AskError> {
    if owned.is_empty() {
        return Ok(0);
    }
    let entries = connection.ask("CLUSTER", &["SLOT-STATS", "SLOTSRANGE", "0", "16383"]).await?.list(STATS)?;
    entries.into_iter().map(keys_of).sum()
}

/// `[slot, ["key-count", n, …]]`
fn keys_of(entry: Reply) -> Result<u64, AskError> {
    let odd = || AskError::Odd { command: STATS, what: "an entry without a count of keys".to_owned() };
    let stats = entry.list(STATS)?.into_iter().nth(1).ok_or_else(odd)?.list(STATS)?;
    let position = stats.iter().position(|item| *item == Reply::Text("key-count".to_owned())).ok_or_else(odd)?;
    let count = stats.get(position + 1).ok_or_else(odd)?.number(STATS)?;
    u64::try_from(count).map_err(|_| odd())
}

/// How many keys a server holds of a slot.
///
/// # Errors
/// The server does not say.
pub async fn count_keys(connection: &Connection, slot: u16) -> Result<i64, AskError> {
    connection.ask("CLUSTER", &["COUNTKEYSINSLOT", &slot.to_string()]).await?.number(COUNT)
}
