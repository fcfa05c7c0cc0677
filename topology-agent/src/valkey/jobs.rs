//! `CLUSTER GETSLOTMIGRATIONS`: the atomic migrations that a server remembers, newest first.

use std::collections::BTreeMap;

use planner::{Job, JobState, SlotSet, Time};

use super::reply::{AskError, Reply, pairs};
use super::table::read_range;

const COMMAND: &str = "CLUSTER GETSLOTMIGRATIONS";

/// What a server exports.
#[derive(Debug, Default)]
pub struct Exports {
    /// The migrations that it remembers, newest first.
    pub jobs: Vec<Job>,
    /// Bytes that it has yet to send for those under way, snapshots aside; none where it does not say.
    pub remaining: Option<u64>,
}

type Entry = BTreeMap<String, String>;

impl Exports {
    /// Fields are found by name, for series differ in which there are.
    ///
    /// # Errors
    /// The answer is not a list of such entries.
    pub fn read(reply: Reply) -> Result<Self, AskError> {
        let entries = reply.list(COMMAND)?.into_iter().map(|entry| entry.list(COMMAND));
        let entries = entries.collect::<Result<Vec<_>, _>>()?;
        let fields = entries.into_iter().map(|entry| pairs(entry).collect::<Entry>());
        let exports: Vec<Entry> =
            fields.filter(|entry| entry.get("operation").is_some_and(|operation| operation == "EXPORT")).collect();
        let jobs: Vec<Job> = exports.iter().map(job).collect::<Result<_, _>>()?;
        let running = exports.iter().zip(&jobs).filter(|(_, job)| job.state == JobState::Running);
        let remaining = running.filter_map(|(entry, _)| entry.get("remaining_repl_size")?.parse::<u64>().ok());
        let remaining = remaining.reduce(u64::saturating_add);
        Ok(Self { jobs, remaining })
    }
}

fn job(entry: &Entry) -> Result<Job, AskError> {
    let odd = |what: &str| AskError::Odd { command: COMMAND, what: what.to_owned() };
    let get = |name: &'static str| entry.get(name).map(String::as_str).unwrap_or_default();
    let ranges = get("slot_ranges").split_whitespace().map(read_range).collect::<Result<Vec<_>, _>>();
    let seconds: u64 = get("last_update_time").parse().map_err(|_| odd("a job without a time"))?;
    Ok(Job {
        target: get("target_node").parse().map_err(|_| odd("a job without a target"))?,
        slots: ranges.map_err(odd)?.into_iter().collect::<SlotSet>(),
        state: state(get("state")),
        updated: Time(seconds.saturating_mul(1000)),
    })
}

/// Every state but three is one of a job that goes on.
fn state(word: &str) -> JobState {
    match word {
        "success" => JobState::Succeeded,
        "failed" | "cancelled" => JobState::Failed,
        _ => JobState::Running,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "07c37dfeb235213a872192d90877d0cd55635b91";

    fn entry(operation: &str, state: &str) -> Reply {
        let text = |text: &str| Reply::Text(text.to_owned());
        let fields = [
            ("name", text(ID)),
            ("operation", text(operation)),
            ("slot_ranges", text("0-9 20")),
            ("target_node", text(ID)),
            ("last_update_time", Reply::Number(1_700_000_000)),
            ("state", text(state)),
            ("remaining_repl_size", Reply::Number(7)),
        ];
        Reply::List(fields.into_iter().flat_map(|(name, value)| [text(name), value]).collect())
    }

    fn read(entries: Vec<Reply>) -> Exports {
        Exports::read(Reply::List(entries)).unwrap()
    }

    #[test]
    fn what_is_left_to_send_is_that_of_migrations_under_way() {
        let remaining = |states: [&str; 3]| read(states.map(|state| entry("EXPORT", state)).into()).remaining;
        assert_eq!(remaining(["replicating", "snapshotting", "failed"]), Some(14));
        assert_eq!(remaining(["success", "cancelled", "failed"]), None);
    }

    #[test]
    fn exports_are_listed_and_imports_are_not() {
        let found = read(vec![entry("EXPORT", "snapshotting"), entry("IMPORT", "failed")]);
        let [job] = found.jobs.as_slice() else { panic!("{found:?}") };
        assert_eq!(job.slots.to_string(), "0-9 20");
        assert_eq!((job.state, job.updated), (JobState::Running, Time(1_700_000_000_000)));
    }

    #[test]
    fn a_job_has_ended_only_in_three_states() {
        for (word, expected) in
            [("success", JobState::Succeeded), ("failed", JobState::Failed), ("cancelled", JobState::Failed)]
        {
            assert_eq!(read(vec![entry("EXPORT", word)]).jobs[0].state, expected);
        }
        for word in ["connecting", "failover-paused", "a state of a later series"] {
            assert_eq!(read(vec![entry("EXPORT", word)]).jobs[0].state, JobState::Running);
        }
    }

    #[test]
    fn what_is_no_list_of_jobs_is_odd() {
        let wrong = [Reply::Nil, Reply::Text("OK".to_owned()), Reply::List(vec![Reply::Number(1)])];
        for reply in wrong {
            assert!(matches!(Exports::read(reply), Err(AskError::Odd { .. })));
        }
    }
}
