//! Kubernetes Events: what was done, and what needs help, where people look for it.
//!
//! They are of the core group: whoever administers a namespace has a right to those there, and none to those of `events.k8s.io`, and
//! nobody can give the agent a right that he does not have.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::{Duration, Instant};

use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::core::v1::{self, EventSource, ObjectReference};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, Time};
use k8s_openapi::jiff::{SignedDuration, Timestamp};
use kube::api::{Patch, PatchParams};
use kube::{Api, Client, Resource};
use planner::{Matter, Ordinal, Plan};
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio::time::sleep;

use crate::kubernetes::{ApiError, FIELD_MANAGER, bounded};
use crate::pace::jittered;
use crate::perform::Outcome;
use crate::valkey::AskError;

/// How many events wait to be written; beyond that, they are dropped, for they must hold nothing up.
const MOST: usize = 512;
/// What is told again within this time is counted, and not told anew.
const SERIES: SignedDuration = SignedDuration::from_mins(6);
/// How many bytes the API server takes of what one says.
const LONGEST_NOTE: usize = 1024;
/// How long an event is tried for: what happened while the API server was away is told when it is back.
const PATIENCE: Duration = Duration::from_mins(10);
/// How long to pause after the first try that failed, and at most.
const FIRST_PAUSE: Duration = Duration::from_millis(500);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);
/// How long a server may give no answer before that is told: longer than a start or a restart takes.
const SILENCE: Duration = Duration::from_secs(15);

/// Writes events without anyone waiting for them.
pub struct Events {
    sender: Sender<(ObjectReference, Event)>,
    told: BTreeSet<String>,
    /// Since when a server has given no answer.
    silent: BTreeMap<Ordinal, Instant>,
}

impl Events {
    /// Begins to write. The task ends with the last of these.
    #[must_use]
    pub fn new(client: Client, instance: String) -> Self {
        let (sender, receiver) = channel(MOST);
        tokio::spawn(write(client, instance, receiver));
        Self { sender, told: BTreeSet::new(), silent: BTreeMap::new() }
    }

    /// Tells what was done, what newly needs help, and which servers do not talk to the agent.
    pub fn tell(
        &mut self,
        set: &StatefulSet,
        plan: &Plan,
        failures: &BTreeMap<Ordinal, AskError>,
        outcomes: &[Outcome],
    ) {
        let about = set.object_ref(&());
        for outcome in outcomes {
            self.send(&about, done(outcome));
        }
        let stuck = |matter: &&Matter| matches!(matter, Matter::Stuck { .. });
        let reason = |matter: &Matter| if matter.needs_help() { "Stuck" } else { "Held" };
        let stuck = plan.matters().iter().filter(stuck).map(|matter| (reason(matter), "Plan", matter.to_string()));
        let refused = failures.iter().filter(|(_, error)| !error.is_passing());
        let refused = refused.map(|(pod, error)| ("Stuck", "Plan", format!("{pod}: {error}")));
        let needed: BTreeSet<Need> = stuck.chain(refused).chain(self.silences(failures)).collect();
        self.told.retain(|told| needed.iter().any(|(_, _, note)| note == told));
        for (reason, action, note) in needed {
            self.tell_once(&about, reason, action, note);
        }
    }

    /// The servers that have given no answer for long.
    fn silences(&mut self, failures: &BTreeMap<Ordinal, AskError>) -> Vec<Need> {
        let is_silent = |pod: &Ordinal| failures.get(pod).is_some_and(AskError::is_silence);
        self.silent.retain(|pod, _| is_silent(pod));
        failures.keys().filter(|pod| is_silent(pod)).for_each(|pod| {
            self.silent.entry(*pod).or_insert_with(Instant::now);
        });
        let note = |pod: &Ordinal| format!("{pod}: it has given no answer for {} s", SILENCE.as_secs());
        let lasting = self.silent.iter().filter(|(_, since)| since.elapsed() >= SILENCE);
        lasting.map(|(pod, _)| ("Silent", "Look", note(pod))).collect()
    }

    /// Tells that the API server was away, when it is back.
    pub fn tell_return(&self, set: &StatefulSet, away: Duration) {
        let note =
            format!("nothing was heard of the API server for {} s, and nothing was done meanwhile", away.as_secs());
        self.send(&set.object_ref(&()), event(Tone::Warning, "Unheard", "Look", note));
    }

    /// Tells why nothing can be seen, once.
    pub fn tell_blind(&mut self, set: &StatefulSet, why: &str) {
        self.tell_once(&set.object_ref(&()), "Blind", "Look", why.to_owned());
        if self.told.contains(why) {
            self.told.retain(|told| told == why);
        }
    }

    /// Warns, unless that was told before.
    fn tell_once(&mut self, about: &ObjectReference, reason: &str, action: &'static str, note: String) {
        if !self.told.contains(&note) && self.send(about, event(Tone::Warning, reason, action, note.clone())) {
            self.told.insert(note);
        }
    }

    /// Whether it waits to be written.
    fn send(&self, about: &ObjectReference, event: Event) -> bool {
        let sent = self.sender.try_send((about.clone(), event)).is_ok();
        if !sent {
            tracing::debug!("an event is dropped, for too many wait");
        }
        sent
    }
}

/// Something that people should know of: the reason, the action, and the note of its event.
type Need = (&'static str, &'static str, String);

/// An event as it is told.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Event {
    tone: Tone,
    reason: String,
    action: &'static str,
    note: String,
}

/// Whether somebody should look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Tone {
    Normal,
    Warning,
}

fn done(Outcome { step, result, .. }: &Outcome) -> Event {
    match result {
        Ok(()) => event(Tone::Normal, step.kind(), "Perform", step.to_string()),
        Err(error) => event(Tone::Warning, step.kind(), "Perform", format!("not done: {step}: {error}")),
    }
}

fn event(tone: Tone, reason: &str, action: &'static str, mut note: String) -> Event {
    note.truncate(note.floor_char_boundary(LONGEST_NOTE));
    Event { tone, reason: reason.to_owned(), action, note }
}

async fn write(client: Client, instance: String, mut events: Receiver<(ObjectReference, Event)>) {
    let mut series = Series::default();
    while let Some((about, event)) = events.recv().await {
        let told = series.add(&about, &event, Timestamp::now());
        if let Err(error) = publish_in_time(&client, object(about, event, &told, &instance)).await {
            tracing::warn!(%error, "an event was not written");
        }
    }
}

/// What was told lately, and how often: of the same object, in the same words.
#[derive(Debug, Default)]
struct Series {
    told: HashMap<(Option<String>, Event), Told>,
}

/// How often something was told, and under which name that stands.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Told {
    name: String,
    count: i32,
    first: Timestamp,
    last: Timestamp,
}

impl Series {
    fn add(&mut self, about: &ObjectReference, event: &Event, now: Timestamp) -> Told {
        if self.told.len() > MOST {
            self.told.clear();
        }
        let name = || format!("{}.{:x}", about.name.as_deref().unwrap_or_default(), now.as_nanosecond());
        let fresh = || Told { name: name(), count: 0, first: now, last: now };
        let told = self.told.entry((about.uid.clone(), event.clone())).or_insert_with(fresh);
        if now.duration_since(told.last) > SERIES {
            *told = fresh();
        }
        *told = Told { count: told.count.saturating_add(1), last: now, ..told.clone() };
        told.clone()
    }
}

fn object(about: ObjectReference, event: Event, told: &Told, instance: &str) -> v1::Event {
    let type_ = match event.tone {
        Tone::Normal => "Normal",
        Tone::Warning => "Warning",
    };
    let source = EventSource { component: Some(FIELD_MANAGER.to_owned()), host: None };
    v1::Event {
        metadata: ObjectMeta {
            name: Some(told.name.clone()),
            namespace: about.namespace.clone(),
            ..ObjectMeta::default()
        },
        involved_object: about,
        type_: Some(type_.to_owned()),
        reason: Some(event.reason),
        action: Some(event.action.to_owned()),
        message: Some(event.note),
        count: Some(told.count),
        first_timestamp: Some(Time(told.first)),
        last_timestamp: Some(Time(told.last)),
        reporting_component: Some(FIELD_MANAGER.to_owned()),
        reporting_instance: Some(instance.to_owned()),
        source: Some(source),
        ..v1::Event::default()
    }
}

/// Tries again for a while, later and later, whatever may pass.
async fn publish_in_time(client: &Client, event: v1::Event) -> Result<(), ApiError> {
    let (begun, mut pause) = (Instant::now(), FIRST_PAUSE);
    loop {
        match publish(client, event.clone()).await {
            Err(error) if error.is_passing() && begun.elapsed() < PATIENCE => sleep(jittered(pause)).await,
            other => return other,
        }
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

/// Writes it whole, whether it is there or not: the API server forgets events while they are counted on.
async fn publish(client: &Client, event: v1::Event) -> Result<(), ApiError> {
    let events = Api::<v1::Event>::default_namespaced(client.clone());
    let name = event.metadata.name.clone().unwrap_or_default();
    let parameters = PatchParams::apply(FIELD_MANAGER).force();
    bounded(events.patch(&name, &parameters, &Patch::Apply(event))).await.map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_words_are_counted_for_a_while_and_then_told_anew() {
        let about = ObjectReference { name: Some("sessions".to_owned()), ..ObjectReference::default() };
        let mut series = Series::default();
        let mut told = |note: &str, second: i64| {
            let said = event(Tone::Normal, "Meet", "Perform", note.to_owned());
            series.add(&about, &said, Timestamp::from_second(second).unwrap())
        };
        let first = told("pods meet", 1000);
        assert_eq!((first.name.as_str(), first.count), ("sessions.e8d4a51000", 1));
        let other = told("others meet", 1001);
        assert_eq!(other.count, 1);
        assert_ne!(other.name, first.name);
        let again = told("pods meet", 1300);
        assert_eq!(again, Told { count: 2, last: Timestamp::from_second(1300).unwrap(), ..first.clone() });
        let anew = told("pods meet", 1661);
        assert_eq!(anew.count, 1);
        assert_ne!(anew.name, first.name);
    }
}
