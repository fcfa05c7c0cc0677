//! How a cluster stands by what was seen, or that nothing was.
//!
//! What waits for a cluster goes by kstatus: a condition `Stalled` is a failure, `Reconciling` is work, and only `Ready` about the
//! latest generation is success.

use planner::{Plan, SLOTS, Shard, Sight, Survey, Template};
use spec::status::{Condition, ConditionType, Endpoints, Secrets, ShardStatus, Status};
use spec::{Cluster, names};

use crate::agent::Blind;
use crate::sighting::{Lack, Sighting};
use crate::valkey::AskError;

/// How many matters and steps a message names before it counts the rest.
const NAMED: usize = 5;

/// How the cluster stands by this look. The moments of changes are left to [`Status::since`].
#[must_use]
pub fn stand(sighting: &Sighting, survey: &Survey) -> Status {
    let generation = sighting.generation;
    let cluster = &sighting.wanted.cluster;
    let mut conditions = vec![ready(sighting), reconciling(sighting), stalled(sighting)];
    conditions.extend([covered(survey), in_sync(sighting, survey), balanced(survey), up_to_date(sighting)]);
    let conditions = conditions.into_iter().map(|finding| finding.condition(generation)).collect();
    let shards: Vec<ShardStatus> = survey.shards.iter().map(|shard| of_shard(cluster, shard)).collect();
    Status {
        observed_generation: generation,
        summary: summary(sighting),
        conditions,
        shard_count: small(shards.len()),
        served_slots: survey.served.len(),
        shards,
        selector: names::server_selector(&cluster.name),
        endpoints: Endpoints::of(cluster),
        secrets: Secrets::of(cluster),
    }
}

fn of_shard(cluster: &Cluster, shard: &Shard) -> ShardStatus {
    let pod = |pod: planner::Ordinal| names::pod(&cluster.name, pod.0);
    ShardStatus {
        shard: shard.number,
        primary: shard.primary.map(pod),
        replicas: shard.replicas.iter().map(|replica| pod(replica.pod)).collect(),
        in_sync: small(shard.replicas.iter().filter(|replica| replica.in_sync).count()),
        slots: shard.slots.to_string(),
        slot_count: shard.slots.len(),
    }
}

/// There are never as many of anything.
fn small(count: usize) -> u16 {
    u16::try_from(count).unwrap_or(u16::MAX)
}

/// What can be said when nothing can be seen: that, and what was known before. What may mend by itself is no failure.
#[must_use]
pub fn without_sight(before: &Status, blind: &Blind, generation: Option<i64>) -> Status {
    let why = blind.to_string();
    let generation = generation.unwrap_or(before.observed_generation);
    let finding = |kind, status| Finding { kind, status, reason: "NothingSeen", message: why.clone() };
    let (reconciling, stalled) = if blind.is_passing() { ("True", "False") } else { ("False", "True") };
    let known = [
        finding(ConditionType::Ready, "False"),
        finding(ConditionType::Reconciling, reconciling),
        finding(ConditionType::Stalled, stalled),
    ];
    let unknown = [
        ConditionType::SlotsCovered,
        ConditionType::ReplicasInSync,
        ConditionType::TopologyBalanced,
        ConditionType::UpToDate,
    ];
    let all = known.into_iter().chain(unknown.map(|kind| finding(kind, "Unknown")));
    let conditions = all.map(|finding| finding.condition(generation)).collect();
    Status { observed_generation: generation, summary: why.clone(), conditions, ..before.clone() }
}

struct Finding {
    kind: ConditionType,
    status: &'static str,
    reason: &'static str,
    message: String,
}

impl Finding {
    fn of(kind: ConditionType, holds: bool, reasons: (&'static str, &'static str), message: impl Into<String>) -> Self {
        let (status, reason) = if holds { ("True", reasons.0) } else { ("False", reasons.1) };
        Self { kind, status, reason, message: message.into() }
    }

    fn condition(self, observed_generation: i64) -> Condition {
        let Self { kind, status, reason, message } = self;
        let (status, reason) = (status.to_owned(), reason.to_owned());
        Condition { kind, status, reason, message, last_transition_time: String::new(), observed_generation }
    }
}

fn ready(sighting: &Sighting) -> Finding {
    let reasons = match &sighting.plan {
        Plan::Done => ("AsDesired", sighting.lack().map_or("AsDesired", Lack::reason)),
        plan if plan.needs_help() => ("AsDesired", "Stuck"),
        Plan::Do(..) => ("AsDesired", "Working"),
        Plan::Wait(..) | Plan::Stuck(_) => ("AsDesired", "Waiting"),
    };
    Finding::of(ConditionType::Ready, sighting.is_as_desired(), reasons, summary(sighting))
}

fn reconciling(sighting: &Sighting) -> Finding {
    let busy = !sighting.is_as_desired() && !sighting.plan.needs_help();
    Finding::of(ConditionType::Reconciling, busy, ("InProgress", "AtRest"), summary(sighting))
}

fn stalled(sighting: &Sighting) -> Finding {
    let stuck = sighting.plan.needs_help();
    Finding::of(
        ConditionType::Stalled,
        stuck,
        ("NeedsHelp", "NotStuck"),
        if stuck { summary(sighting) } else { String::new() },
    )
}

fn covered(survey: &Survey) -> Finding {
    let count = survey.served.len();
    let message = format!("{count} of {SLOTS} slots are served");
    Finding::of(ConditionType::SlotsCovered, count == SLOTS, ("AllServed", "SomeUnserved"), message)
}

fn in_sync(sighting: &Sighting, survey: &Survey) -> Finding {
    let wanted = usize::from(sighting.wanted.desired.replicas);
    let has_all = |shard: &&planner::Shard| shard.replicas.iter().filter(|replica| replica.in_sync).count() >= wanted;
    let complete = survey.shards.iter().filter(has_all).count();
    let message = format!("{complete} of {} shards have their replicas in sync", survey.shards.len());
    Finding::of(ConditionType::ReplicasInSync, complete == survey.shards.len(), ("InSync", "Behind"), message)
}

fn balanced(survey: &Survey) -> Finding {
    let counts = || survey.shards.iter().map(|shard| shard.slots.len());
    let (least, most) = (counts().min().unwrap_or_default(), counts().max().unwrap_or_default());
    let even = most - least <= 1 && least > 0;
    let message = format!("shards own {least} to {most} slots");
    Finding::of(ConditionType::TopologyBalanced, even, ("Even", "Uneven"), message)
}

fn up_to_date(sighting: &Sighting) -> Finding {
    let pods = &sighting.look.view.pods;
    let current = pods.values().filter(|pod| pod.template == Template::Current && pod.sight != Sight::Down).count();
    let all = current == pods.len() && sighting.settled && sighting.look.view.rendered && !pods.is_empty();
    let message = format!("{current} of {} pods run the latest template", pods.len());
    Finding::of(ConditionType::UpToDate, all, ("Current", "Outdated"), message)
}

/// A plan in one line; before it, what people have to know who wonder about it.
fn summary(sighting: &Sighting) -> String {
    let plan = match &sighting.plan {
        Plan::Done => {
            sighting.lack().map_or_else(|| "the cluster is as it should be".to_owned(), |lack| lack.to_string())
        }
        Plan::Do(round, _) => named(round.0.iter().map(ToString::to_string)),
        Plan::Wait(matters, _) | Plan::Stuck(matters) => named(matters.iter().map(ToString::to_string)),
    };
    let first = refusal(sighting).or_else(|| sighting.hindrance.clone());
    first.map_or_else(|| plan.clone(), |first| format!("{first}; {plan}"))
}

/// To the plan, a server that gives no answer and one whose answer is of no use are the same. To people they are not; one of them
/// stands for the others, for one cause often has many.
fn refusal(sighting: &Sighting) -> Option<String> {
    let is_answer = |error: &AskError| match error {
        AskError::Untrusted(_) | AskError::Refused(_) | AskError::Odd { .. } => true,
        AskError::Unreachable(_)
        | AskError::TimedOut
        | AskError::Locked(_)
        | AskError::Loading
        | AskError::Hindered(_) => false,
    };
    let (pod, error) = sighting.look.failures.iter().find(|(_, error)| is_answer(error))?;
    Some(format!("{pod}: {error}"))
}

fn named(mut all: impl ExactSizeIterator<Item = String>) -> String {
    let count = all.len();
    let first: Vec<String> = all.by_ref().take(NAMED).collect();
    let rest = count - first.len();
    let text = first.join("; ");
    if rest == 0 { text } else { format!("{text}; and {rest} more") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(ready: bool, message: &str) -> Status {
        let condition = Finding::of(ConditionType::Ready, ready, ("AsDesired", "Working"), message).condition(1);
        Status { conditions: vec![condition], ..Status::default() }
    }

    #[test]
    fn a_condition_keeps_the_moment_at_which_it_changed() {
        let first = status(false, "one thing").since(&Status::default(), "10:00");
        let second = status(false, "another thing").since(&first, "10:01");
        let third = status(true, "").since(&second, "10:02");
        let moments = [&first, &second, &third].map(|status| status.conditions[0].last_transition_time.as_str());
        assert_eq!(moments, ["10:00", "10:00", "10:02"]);
    }

    #[test]
    fn a_status_is_read_back_as_it_was_written() {
        let mut status = status(false, "pod 0: waiting, its server is not in sync").since(&Status::default(), "10:00");
        status.shards.push(ShardStatus {
            shard: None,
            primary: Some("a-0".to_owned()),
            replicas: vec!["a-1".to_owned()],
            in_sync: 1,
            slots: "0-5460".to_owned(),
            slot_count: 5461,
        });
        let text = serde_saphyr::to_string(&status).unwrap();
        assert_eq!(serde_saphyr::from_str::<Status>(&text).unwrap(), status);
    }

    #[test]
    fn many_steps_are_counted_after_the_first() {
        let said = named((0..7).map(|number| number.to_string()).collect::<Vec<_>>().into_iter());
        assert_eq!(said, "0; 1; 2; 3; 4; and 2 more");
    }
}
