//! The controllers: each looks at everything and does what is to do, whenever anything has changed.
//!
//! <https://kubernetes.io/docs/concepts/architecture/controller/>

pub(crate) mod budget;
mod certificates;
mod claims;
mod deployment;
mod garbage;
mod machines;
mod names;
mod namespaces;
mod owned;
mod scheduler;
mod stateful_set;

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{sleep, timeout};

use crate::cluster::Cluster;

pub(crate) use machines::create as create_machines;
pub(crate) use namespaces::create as create_namespace;

/// So that a burst of changes is one look.
const GATHER: Duration = Duration::from_millis(3);
/// What was refused is tried again, even if nothing changes.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

const CONTROLLERS: [fn(&Cluster); 10] = [
    namespaces::reconcile,
    machines::reconcile,
    garbage::reconcile,
    claims::reconcile,
    certificates::reconcile,
    stateful_set::reconcile,
    deployment::reconcile,
    scheduler::reconcile,
    budget::reconcile,
    names::reconcile,
];

pub(crate) async fn run(cluster: Arc<Cluster>) {
    let mut latest = cluster.store.subscribe();
    loop {
        latest.mark_unchanged();
        CONTROLLERS.iter().for_each(|controller| controller(&cluster));
        let _ = timeout(LOOK_AGAIN, latest.changed()).await;
        sleep(GATHER).await;
    }
}
