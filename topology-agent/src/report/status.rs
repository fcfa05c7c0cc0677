//! How a cluster stands, as an object: what `<name>-status` holds.
//!
//! Nothing in here changes while nothing happens: no counts of keys, no moments but those of changes.

use std::collections::BTreeMap;

use planner::{Plan, SLOTS, Sight, Survey, Template};
use serde::{Deserialize, Serialize};
use spec::names;

use crate::agent::Sighting;
use crate::valkey::AskError;

/// How many matters and steps a message names before it counts the rest.
const NAMED: usize = 5;

/// How a cluster stands.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Status {
    /// The generation of the `StatefulSet` that this is about.
    pub observed_generation: i64,
    /// In one line, for people.
    pub summary: String,
    /// What holds and what does not, in the manner of Kubernetes.
    pub conditions: Vec<Condition>,
    /// Its shards.
    pub shards: Vec<ShardStatus>,
}

/// Something that holds or does not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Condition {
    /// What.
    #[serde(rename = "type")]
    pub kind: ConditionType,
    /// `True`, `False` or `Unknown`.
    pub status: String,
    /// Why, in one word.
    pub reason: String,
    /// Why, for people.
    pub message: String,
    /// Since when, as in RFC 3339.
    pub last_transition_time: String,
    /// The generation that it is about.
    pub observed_generation: i64,
}

/// What can hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum ConditionType {
    /// Everything is as it should be.
    Ready,
    /// Something is being done or waited for.
    Reconciling,
    /// Nothing can be done without help.
    Stalled,
    /// Every slot is served.
    SlotsCovered,
    /// Every shard has its replicas, in sync.
    ReplicasInSync,
    /// No shard has more slots than another, but for one.
    TopologyBalanced,
    /// Every pod runs the latest template.
    UpToDate,
}

/// How a shard stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ShardStatus {
    /// Its number; none if it dissolves.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub shard: Option<u16>,
    /// The pod of its primary.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub primary: Option<String>,
    /// The pods of its replicas.
    pub replicas: Vec<String>,
    /// How many of them are in sync.
    pub in_sync: usize,
    /// Its slots.
    pub slots: String,
    /// How many they are.
    pub slot_count: u16,
}

impl Status {
    /// How the cluster stands by this look. The moments of changes are left to [`Status::since`].
    #[must_use]
    pub fn of(sighting: &Sighting, survey: &Survey) -> Self {
        let generation = sighting.generation;
        let mut conditions = vec![ready(sighting), reconciling(sighting), stalled(sighting)];
        conditions.extend([covered(survey), in_sync(sighting, survey), balanced(survey), up_to_date(sighting)]);
        let conditions = conditions.into_iter().map(|finding| finding.condition(generation)).collect();
        let pod = |pod: planner::Ordinal| names::pod(&sighting.wanted.cluster.name, pod.0);
        let shards = survey.shards.iter().map(|shard| ShardStatus {
            shard: shard.number,
            primary: shard.primary.map(pod),
            replicas: shard.replicas.iter().map(|replica| pod(replica.pod)).collect(),
            in_sync: shard.replicas.iter().filter(|replica| replica.in_sync).count(),
            slots: shard.slots.to_string(),
            slot_count: shard.slots.len(),
        });
        Self { observed_generation: generation, summary: summary(sighting), conditions, shards: shards.collect() }
    }

    /// What can be said when nothing can be seen: that, and what was known before.
    #[must_use]
    pub fn blind(before: &Self, why: &str) -> Self {
        let unknown = |kind| Finding { kind, status: "Unknown", reason: "NothingSeen", message: why.to_owned() };
        let ready =
            Finding { kind: ConditionType::Ready, status: "False", reason: "NothingSeen", message: why.to_owned() };
        let stalled =
            Finding { kind: ConditionType::Stalled, status: "True", reason: "NothingSeen", message: why.to_owned() };
        let rest = [
            ConditionType::Reconciling,
            ConditionType::SlotsCovered,
            ConditionType::ReplicasInSync,
            ConditionType::TopologyBalanced,
            ConditionType::UpToDate,
        ];
        let all = [ready, stalled].into_iter().chain(rest.map(unknown));
        let conditions = all.map(|finding| finding.condition(before.observed_generation)).collect();
        Self { summary: why.to_owned(), conditions, ..before.clone() }
    }

    /// The same, with the moments of changes: now for what has changed, the former ones for the rest.
    #[must_use]
    pub fn since(mut self, before: &Self, now: &str) -> Self {
        let former: BTreeMap<ConditionType, &Condition> =
            before.conditions.iter().map(|condition| (condition.kind, condition)).collect();
        for condition in &mut self.conditions {
            let same = former.get(&condition.kind).filter(|former| former.status == condition.status);
            condition.last_transition_time =
                same.map_or_else(|| now.to_owned(), |same| same.last_transition_time.clone());
        }
        self
    }

    /// Whether a condition holds.
    #[must_use]
    pub fn holds(&self, kind: ConditionType) -> bool {
        self.conditions.iter().any(|condition| condition.kind == kind && condition.status == "True")
    }
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
        Plan::Done => ("AsDesired", "TemplateUnseen"),
        plan if plan.needs_help() => ("AsDesired", "Stuck"),
        Plan::Do(..) => ("AsDesired", "Working"),
        Plan::Wait(..) | Plan::Stuck(_) => ("AsDesired", "Waiting"),
    };
    Finding::of(ConditionType::Ready, sighting.is_as_desired(), reasons, summary(sighting))
}

fn reconciling(sighting: &Sighting) -> Finding {
    let busy = sighting.plan != Plan::Done && !sighting.plan.needs_help();
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
    let all = current == pods.len() && sighting.settled && !pods.is_empty();
    let message = format!("{current} of {} pods run the latest template", pods.len());
    Finding::of(ConditionType::UpToDate, all, ("Current", "Outdated"), message)
}

/// A plan in one line; before it, what people have to know who wonder about it.
fn summary(sighting: &Sighting) -> String {
    let plan = match &sighting.plan {
        Plan::Done => "the cluster is as it should be".to_owned(),
        Plan::Do(round, _) => named(round.0.iter().map(ToString::to_string)),
        Plan::Wait(matters, _) | Plan::Stuck(matters) => named(matters.iter().map(ToString::to_string)),
    };
    refusal(sighting).map_or_else(|| plan.clone(), |refusal| format!("{refusal}; {plan}"))
}

/// To the plan, a server that gives no answer and one whose answer is of no use are the same. To people they are not; one of them
/// stands for the others, for one cause often has many.
fn refusal(sighting: &Sighting) -> Option<String> {
    let is_answer = |error: &AskError| match error {
        AskError::Untrusted(_) | AskError::Refused(_) | AskError::Odd { .. } => true,
        AskError::Unreachable(_) | AskError::TimedOut | AskError::Locked(_) | AskError::Loading => false,
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
