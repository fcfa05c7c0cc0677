//! The pods that this node runs, and what can be done to them.
//!
//! <https://kubernetes.io/docs/concepts/architecture/#kubelet>

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustix::process::Signal;
use serde_json::Value;
use tokio::sync::mpsc;

use super::board::Board;
use super::pod::{Context, Worker};
use super::process::Handle;
use crate::cluster::Cluster;
use crate::json::{text, uid};
use crate::store::Key;

/// What is done to a pod from outside, by a fault.
#[derive(Clone, Debug)]
pub(crate) enum Order {
    /// SIGKILL to one container, or to all.
    Kill {
        container: Option<String>,
    },
    Freeze,
    Thaw,
    /// New processes at a new address, perhaps without what was in a claim.
    Rebuild {
        lost: Option<Key>,
    },
    /// Whether everything that is flushed to disk fails.
    Disk {
        fails: bool,
    },
    HostDown,
    HostUp,
}

struct Member {
    orders: mpsc::Sender<Order>,
    board: Arc<Board>,
    host: String,
}

/// By uid.
#[derive(Default)]
pub(crate) struct Workers(Mutex<BTreeMap<String, Member>>);

impl Workers {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Member>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Gives an order to a pod; whether there was one to take it.
    pub(crate) fn order(&self, pod: &Value, order: Order) -> bool {
        self.lock().get(uid(pod)).is_some_and(|member| member.orders.try_send(order).is_ok())
    }

    /// Kills every process of a pod at once, where an order would be obeyed a moment later.
    pub(crate) fn kill(&self, pod: &Value) {
        if let Some(member) = self.lock().get(uid(pod)) {
            member.board.handles(None).iter().for_each(|handle| handle.signal_all(Signal::KILL));
        }
    }

    pub(crate) fn order_all_on(&self, host: &str, order: &Order) {
        self.lock().values().filter(|member| member.host == host).for_each(|member| {
            // A pod that takes no orders is on its way out.
            drop(member.orders.try_send(order.clone()));
        });
    }

    /// A container that runs: the one of this name, or the first.
    pub(crate) fn handle(&self, pod: &Value, container: Option<&str>) -> Option<Handle> {
        self.lock().get(uid(pod))?.board.handles(container).into_iter().next()
    }

    pub(super) fn boards(&self) -> Vec<Arc<Board>> {
        self.lock().values().map(|member| Arc::clone(&member.board)).collect()
    }
}

/// Starts a worker for every pod that is bound to a host, for ever.
pub(crate) async fn run(cluster: Arc<Cluster>) {
    let mut latest = cluster.store.subscribe();
    loop {
        latest.mark_unchanged();
        for pod in cluster.store.all("pods") {
            if !text(&pod, "/spec/nodeName").is_empty() && !cluster.workers.lock().contains_key(uid(&pod)) {
                begin(&cluster, &pod);
            }
        }
        if latest.changed().await.is_err() {
            return;
        }
    }
}

fn begin(cluster: &Arc<Cluster>, pod: &Arc<Value>) {
    let context = match Context::new(cluster, pod) {
        Ok(context) => Arc::new(context),
        Err(error) => return cluster.tell(pod, "FailedCreatePodSandBox", &format!("the pod cannot be read: {error}")),
    };
    let (orders, receiver) = mpsc::channel(64);
    let host = context.spec.node_name.clone();
    let member = Member { orders, board: Arc::clone(&context.board), host };
    cluster.workers.lock().insert(uid(pod).to_owned(), member);
    let cluster = Arc::clone(cluster);
    let own = uid(pod).to_owned();
    tokio::spawn(async move {
        Worker { context, orders: receiver }.run().await;
        cluster.workers.lock().remove(&own);
    });
}
