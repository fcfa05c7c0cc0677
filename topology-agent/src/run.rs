//! The agent at work.

use std::sync::Arc;
use std::time::Duration;

use kube::Client;
use spec::{ClusterName, names};
use tokio::sync::Notify;
use tokio::time::sleep;

use crate::access::Secrets;
use crate::agent::{Agent, Sighting};
use crate::cli::CommandError;
use crate::kubernetes::{Leadership, lead};
use crate::pace::{Pace, REST};
use crate::perform::Outcome;

/// Looks after a cluster until it is told to stop.
///
/// # Errors
/// The API server cannot be reached at all.
pub async fn run(
    client: Client,
    cluster: &ClusterName,
    secrets: Secrets,
    identity: String,
    _port: u16,
) -> Result<(), CommandError> {
    let (leadership, stop) = (Leadership::default(), Arc::new(Notify::new()));
    let lease = lead(client.clone(), names::agent(cluster), identity, leadership.clone(), Arc::clone(&stop));
    let lease = tokio::spawn(lease);
    let mut agent = Agent::new(&client, cluster, secrets, leadership.clone());
    let mut pace = Pace::default();
    tokio::select! {
        () = told_to_stop() => {}
        () = work(&mut agent, &leadership, &mut pace) => {}
    }
    stop.notify_one();
    drop(lease.await);
    Ok(())
}

async fn work(agent: &mut Agent, leadership: &Leadership, pace: &mut Pace) {
    while let Err(error) = agent.cache().ready().await {
        tracing::warn!(%error, "Kubernetes does not say what there is");
    }
    loop {
        let pause = turn(agent, leadership, pace).await;
        tokio::select! {
            () = agent.cache().changed() => {}
            () = leadership.changed() => {}
            () = sleep(pause) => {}
        }
    }
}

/// One look, and what follows from it.
async fn turn(agent: &mut Agent, leadership: &Leadership, pace: &mut Pace) -> Duration {
    let sighting = match agent.look().await {
        Ok(sighting) => sighting,
        Err(blind) => {
            tracing::warn!(%blind, "nothing can be seen");
            return pace.after_nothing();
        }
    };
    if !leadership.holds() {
        return REST;
    }
    let outcomes = agent.perform(&sighting).await;
    log(&sighting, &outcomes);
    let failed = outcomes.iter().any(|outcome| outcome.result.is_err());
    pace.after(&sighting.plan, failed, sighting.now)
}

fn log(sighting: &Sighting, outcomes: &[Outcome]) {
    for Outcome { step, took, result } in outcomes {
        let took = took.as_millis();
        match result {
            Ok(()) => tracing::info!(took, "{step}"),
            Err(error) => tracing::warn!(took, %error, "not done: {step}"),
        }
    }
    for matter in sighting.plan.matters() {
        tracing::debug!("{matter}");
    }
}

/// What Kubernetes sends before it stops a container, or somebody at a terminal.
async fn told_to_stop() {
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
}
