//! Kubernetes Events: what was done, and what needs help, where people look for it.

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::core::v1::ObjectReference;
use kube::runtime::events::{Event, EventType, Recorder, Reporter};
use kube::{Client, Resource};
use planner::{Matter, Plan};
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio::time::timeout;

use crate::kubernetes::FIELD_MANAGER;
use crate::perform::Outcome;

/// How many events wait to be written; beyond that, they are dropped, for they must hold nothing up.
const MOST: usize = 512;
/// How long one may take.
const LONGEST: Duration = Duration::from_secs(5);
/// How many bytes the API server takes of what one says.
const LONGEST_NOTE: usize = 1024;

/// Writes events without anyone waiting for them.
pub struct Events {
    sender: Sender<(ObjectReference, Event)>,
    told: BTreeSet<String>,
}

impl Events {
    /// Begins to write. The task ends with the last of these.
    #[must_use]
    pub fn new(client: Client, instance: String) -> Self {
        let (sender, receiver) = channel(MOST);
        let reporter = Reporter { controller: FIELD_MANAGER.to_owned(), instance: Some(instance) };
        tokio::spawn(write(client, reporter, receiver));
        Self { sender, told: BTreeSet::new() }
    }

    /// Tells what was done, and what newly needs help.
    pub fn tell(&mut self, set: &StatefulSet, plan: &Plan, outcomes: &[Outcome]) {
        let about = set.object_ref(&());
        for outcome in outcomes {
            self.send(&about, done(outcome));
        }
        let stuck = |matter: &&Matter| matches!(matter, Matter::Stuck { .. });
        let needed: BTreeSet<String> = plan.matters().iter().filter(stuck).map(ToString::to_string).collect();
        self.told.retain(|told| needed.contains(told));
        for help in needed {
            self.tell_once(&about, "Stuck", "Plan", help);
        }
    }

    /// Tells why nothing can be seen, once.
    pub fn tell_blind(&mut self, set: &StatefulSet, why: &str) {
        self.tell_once(&set.object_ref(&()), "Blind", "Look", why.to_owned());
        if self.told.contains(why) {
            self.told.retain(|told| told == why);
        }
    }

    /// Warns, unless that was told before.
    fn tell_once(&mut self, about: &ObjectReference, reason: &str, action: &str, note: String) {
        if !self.told.contains(&note) && self.send(about, event(EventType::Warning, reason, action, note.clone())) {
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

fn done(Outcome { step, result, .. }: &Outcome) -> Event {
    match result {
        Ok(()) => event(EventType::Normal, step.kind(), "Perform", step.to_string()),
        Err(error) => event(EventType::Warning, step.kind(), "Perform", format!("not done: {step}: {error}")),
    }
}

fn event(type_: EventType, reason: &str, action: &str, mut note: String) -> Event {
    note.truncate(note.floor_char_boundary(LONGEST_NOTE));
    Event { type_, reason: reason.to_owned(), note: Some(note), action: action.to_owned(), secondary: None }
}

/// A recorder counts events of one reason as one, whatever they say: so each note has a recorder of its own.
async fn write(client: Client, reporter: Reporter, mut events: Receiver<(ObjectReference, Event)>) {
    let mut recorders: HashMap<Option<String>, Recorder> = HashMap::new();
    while let Some((about, event)) = events.recv().await {
        if recorders.len() > MOST {
            recorders.clear();
        }
        let fresh = || Recorder::new(client.clone(), reporter.clone());
        let recorder = recorders.entry(event.note.clone()).or_insert_with(fresh);
        match timeout(LONGEST, recorder.publish(&event, &about)).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::debug!(%error, "an event was not written"),
            Err(_) => tracing::debug!("an event was not written in time"),
        }
    }
}
