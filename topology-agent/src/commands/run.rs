//! The agent at work.

use std::sync::Arc;
use std::time::{Duration, Instant};

use kube::Client;
use planner::survey;
use spec::status::Status;
use spec::{ClusterName, names};
use tokio::sync::Notify;
use tokio::time::{sleep, timeout};

use crate::access::Secrets;
use crate::agent::{Agent, Blind};
use crate::cli::CommandError;
use crate::kubernetes::{Leadership, Revision, Source, lead};
use crate::pace::{Pace, REST};
use crate::perform::Outcome;
use crate::report::{Events, Health, Metrics, Publisher, serve, stand, without_sight};
use crate::route::Route;
use crate::sighting::Sighting;

/// How long a round that has begun may still take when the agent is told to stop.
const LAST_ROUND: Duration = Duration::from_secs(15);

/// How long the API server may be away without a word about it: a watch that breaks begins anew within seconds.
const AWAY: Duration = Duration::from_secs(10);

/// Looks after a cluster until it is told to stop.
///
/// # Errors
/// The port of health and metrics is taken.
pub(crate) async fn run(
    client: Client,
    cluster: &ClusterName,
    source: Source,
    secrets: Secrets,
    identity: String,
    port: u16,
) -> Result<(), CommandError> {
    let (leadership, release, stop) = (Leadership::default(), Arc::new(Notify::new()), Stop::default());
    let metrics = Metrics::new(client.default_namespace(), cluster);
    let mut watch = Watch {
        publisher: Publisher::new(client.clone(), cluster, &source, leadership.clone()),
        agent: Agent::new(&client, cluster, source, secrets, Route::Straight, leadership.clone()),
        events: Events::new(client.clone(), identity.clone()),
        health: Health::default(),
        metrics,
        leadership: leadership.clone(),
        pace: Pace::default(),
        status: Status::default(),
        unheard: None,
    };
    serve(port, watch.health.clone(), watch.metrics.clone())?;
    let lease = tokio::spawn(lead(client, names::agent(cluster), identity, leadership, Arc::clone(&release)));
    stop.listen();
    if watch.keep(&stop).await {
        release.notify_one();
        drop(timeout(LAST_ROUND, lease).await);
    }
    Ok(())
}

/// An agent, and whom it tells.
struct Watch {
    agent: Agent,
    publisher: Publisher,
    events: Events,
    health: Health,
    metrics: Metrics,
    leadership: Leadership,
    pace: Pace,
    status: Status,
    /// Since when the API server is not heard of.
    unheard: Option<Instant>,
}

impl Watch {
    /// Turns until told to stop. A round that has begun is brought to its end: whether it was, or commands may be under way yet, so
    /// that nobody else is to lead before the lease has ended.
    async fn keep(&mut self, stop: &Stop) -> bool {
        tokio::select! {
            () = self.prepare() => {}
            () = stop.told() => return true,
        }
        while !stop.is_told() {
            let turn = self.turn();
            let pause = tokio::select! {
                pause = turn => pause,
                () = stop.overdue() => return false,
            };
            tokio::select! {
                () = self.agent.cache().changed() => {}
                () = self.leadership.changed() => {}
                () = stop.told() => {}
                () = sleep(pause) => {}
            }
        }
        true
    }

    /// Waits until Kubernetes says what there is.
    async fn prepare(&mut self) {
        while let Err(error) = self.agent.cache().ready().await {
            tracing::warn!(%error, "Kubernetes does not say what there is");
            self.health.note(Err(format!("Kubernetes does not say what there is: {error}")));
            sleep(self.pace.after_nothing()).await;
        }
    }

    /// One look, and what follows from it; then, how long to pause.
    async fn turn(&mut self) -> Duration {
        let begun = Instant::now();
        let sighting = match self.agent.look().await {
            Ok(sighting) => sighting,
            Err(blind) => return self.tell_blind(&blind),
        };
        self.tell(&sighting, begun.elapsed());
        self.tell_return();
        if !self.leadership.holds() {
            return REST;
        }
        if !self.agent.cache().is_current() {
            return self.pace.after_nothing();
        }
        let outcomes = self.agent.perform(&sighting).await;
        self.tell_outcomes(&sighting, &outcomes);
        let failed = outcomes.iter().any(|outcome| outcome.result.is_err());
        self.pace.after(&sighting.plan, failed, sighting.now)
    }

    fn tell(&mut self, sighting: &Sighting, took: Duration) {
        let survey = survey(&sighting.wanted.desired, &sighting.look.view, sighting.now);
        self.metrics.note_leader(self.leadership.holds());
        self.metrics.note(sighting, &survey, took);
        let status = stand(sighting, &survey);
        let ready = if sighting.is_as_desired() { Ok(()) } else { Err(status.summary.clone()) };
        if status.summary != self.status.summary {
            tracing::info!("{}", status.summary);
        }
        self.health.note(ready);
        // What has changed since is looked at again at once.
        if self.agent.cache().revision().map(Revision::what) == sighting.revision.clone().map(Revision::what) {
            self.publish(status.clone());
        }
        self.status = status;
    }

    fn publish(&self, status: Status) {
        let cache = self.agent.cache();
        self.publisher.publish(status, cache.revision(), cache.set().as_deref());
    }

    fn tell_blind(&mut self, blind: &Blind) -> Duration {
        tracing::warn!("{blind}");
        self.metrics.note_leader(self.leadership.holds());
        self.metrics.note_blind();
        self.health.note(Err(blind.to_string()));
        if let Some(set) = self.agent.cache().set()
            && self.leadership.holds()
        {
            self.events.tell_blind(&set, &blind.to_string());
        }
        let generation = self.agent.cache().revision().map(|revision| revision.generation);
        self.publish(without_sight(&self.status, blind, generation));
        self.pace.after_nothing()
    }

    /// Whoever led when the API server was last heard of tells how long that is ago, when it is heard again.
    fn tell_return(&mut self) {
        if !self.agent.cache().is_current() {
            self.unheard = self.unheard.or_else(|| self.leadership.holds().then(Instant::now));
        } else if let Some(since) = self.unheard.take()
            && since.elapsed() > AWAY
            && let Some(set) = self.agent.cache().set()
        {
            self.events.tell_return(&set, since.elapsed());
        }
    }

    fn tell_outcomes(&mut self, sighting: &Sighting, outcomes: &[Outcome]) {
        self.metrics.note_outcomes(outcomes);
        if let Some(set) = self.agent.cache().set() {
            self.events.tell(&set, &sighting.plan, &sighting.look.failures, outcomes);
        }
        for Outcome { step, took, pause: _, result } in outcomes {
            let (kind, took) = (step.kind(), took.as_millis());
            match result {
                Ok(()) => tracing::info!(kind, took, "{step}"),
                Err(error) => tracing::warn!(kind, took, %error, "not done: {step}"),
            }
        }
    }
}

/// Whether the agent was told to stop.
#[derive(Clone, Default)]
struct Stop(Arc<tokio::sync::watch::Sender<bool>>);

impl Stop {
    /// Listens for what Kubernetes sends before it stops a container, and for somebody at a terminal.
    fn listen(&self) {
        let stop = self.clone();
        tokio::spawn(async move {
            let terminated = async {
                match tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()) {
                    Ok(mut signal) => drop(signal.recv().await),
                    Err(_) => std::future::pending().await,
                }
            };
            tokio::select! {
                () = terminated => {}
                _ = tokio::signal::ctrl_c() => {}
            }
            stop.0.send_replace(true);
        });
    }

    fn is_told(&self) -> bool {
        *self.0.borrow()
    }

    async fn told(&self) {
        drop(self.0.subscribe().wait_for(|told| *told).await);
    }

    /// Told to stop, so long ago that nothing is waited for any more.
    async fn overdue(&self) {
        self.told().await;
        sleep(LAST_ROUND).await;
    }
}
