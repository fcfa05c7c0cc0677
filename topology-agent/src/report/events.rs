//! Kubernetes Events: what was done, and what needs help, where people look for it.

use std::collections::BTreeSet;
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
        tokio::spawn(write(Recorder::new(client, reporter), receiver));
        Self { sender, told: BTreeSet::new() }
    }

    /// Tells what was done, and what newly needs help.
    pub fn tell(&mut self, set: &StatefulSet, plan: &Plan, outcomes: &[Outcome]) {
        let about = set.object_ref(&());
        outcomes.iter().for_each(|outcome| self.send(&about, done(outcome)));
        let stuck = |matter: &&Matter| matches!(matter, Matter::Stuck { .. });
        let needed: BTreeSet<String> = plan.matters().iter().filter(stuck).map(ToString::to_string).collect();
        for help in needed.difference(&self.told) {
            let event = event(EventType::Warning, "Stuck", "Plan", help.clone());
            self.send(&about, event);
        }
        self.told = needed;
    }

    fn send(&self, about: &ObjectReference, event: Event) {
        if self.sender.try_send((about.clone(), event)).is_err() {
            tracing::debug!("an event is dropped, for too many wait");
        }
    }
}

fn done(Outcome { step, result, .. }: &Outcome) -> Event {
    match result {
        Ok(()) => event(EventType::Normal, step.kind(), "Perform", step.to_string()),
        Err(error) => event(EventType::Warning, step.kind(), "Perform", format!("not done: {step}: {error}")),
    }
}

fn event(type_: EventType, reason: &str, action: &str, note: String) -> Event {
    Event { type_, reason: reason.to_owned(), note: Some(note), action: action.to_owned(), secondary: None }
}

async fn write(recorder: Recorder, mut events: Receiver<(ObjectReference, Event)>) {
    while let Some((about, event)) = events.recv().await {
        match timeout(LONGEST, recorder.publish(&event, &about)).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::debug!(%error, "an event was not written"),
            Err(_) => tracing::debug!("an event was not written in time"),
        }
    }
}
