//! One pod: its network, its volumes, its containers, and its end.
//!
//! <https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/>

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rustix::process::Signal;
use serde_json::Value;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use super::board::Board;
use super::container::{Container, Wanted};
use super::shape::{ContainerSpec, PodSpec};
use super::tap::Tap;
use super::volumes::{self, Volumes};
use super::workers::Order;
use crate::api::Subject;
use crate::cluster::Cluster;
use crate::json::{is_leaving, number, set, uid};
use crate::store::Key;

const RETRY: Duration = Duration::from_millis(300);

/// What all containers of a pod share.
pub(super) struct Context {
    pub(super) cluster: Arc<Cluster>,
    pub(super) spec: PodSpec,
    pub(super) uid: String,
    pub(super) board: Arc<Board>,
    /// As it was last seen: it stays known after the object is gone.
    seen: Mutex<Arc<Value>>,
}

impl Context {
    pub(super) fn new(cluster: &Arc<Cluster>, pod: &Arc<Value>) -> Result<Self, serde_json::Error> {
        let mut spec = PodSpec::of(pod)?;
        if spec.hostname.is_empty() {
            crate::json::name(pod).clone_into(&mut spec.hostname);
        }
        let board = Arc::new(Board::new(cluster, pod, &spec));
        let seen = Mutex::new(Arc::clone(pod));
        Ok(Self { cluster: Arc::clone(cluster), spec, uid: uid(pod).to_owned(), board, seen })
    }

    pub(super) fn pod(&self) -> Arc<Value> {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(pod) = self.stored() {
            *seen = pod;
        }
        Arc::clone(&seen)
    }

    /// The object of this pod, unless it is gone; another with its name is another pod.
    fn stored(&self) -> Option<Arc<Value>> {
        self.cluster.store.get(&self.board.key).filter(|pod| uid(pod) == self.uid)
    }

    pub(super) fn tell(&self, reason: &str, message: &str) {
        self.cluster.tell(&self.pod(), reason, message);
    }

    pub(super) fn grace(&self) -> Duration {
        let pod = self.pod();
        let seconds = number(&pod, "/metadata/deletionGracePeriodSeconds")
            .or_else(|| number(&pod, "/spec/terminationGracePeriodSeconds"));
        Duration::from_secs(seconds.and_then(|seconds| u64::try_from(seconds).ok()).unwrap_or(30))
    }
}

/// Why a life of a pod ended.
enum Next {
    /// It goes on: with new processes, at a new address, perhaps without what was in a volume.
    Again {
        lost: Option<Key>,
    },
    Down,
    Leaving,
}

/// A pod at work.
pub(super) struct Worker {
    pub(super) context: Arc<Context>,
    pub(super) orders: mpsc::Receiver<Order>,
}

impl Worker {
    /// Runs until the pod is gone.
    pub(super) async fn run(mut self) {
        let mut is_down = self.context.cluster.faults.is_down(&self.context.spec.node_name);
        loop {
            let next = if is_down { self.wait_for_host().await } else { self.live().await };
            is_down = matches!(next, Next::Down);
            match next {
                Next::Leaving => break,
                Next::Down => {}
                Next::Again { lost } => {
                    // Nothing of the pod runs now, so that nothing of what was lost is written again.
                    let lost = lost.map(|claim| volumes::lose(&self.context.cluster, &claim));
                    if let Some(Err(error)) = lost {
                        self.context.tell("FailedMount", &error.to_string());
                    }
                }
            }
        }
        self.clean_up().await;
    }

    /// A host that is down does nothing, not even end a pod; only who removes the object by force goes on without it.
    async fn wait_for_host(&mut self) -> Next {
        loop {
            tokio::select! {
                order = self.orders.recv() => match order {
                    Some(Order::HostUp) => return Next::Again { lost: None },
                    Some(_) => {}
                    None => return Next::Leaving,
                },
                () = sleep(RETRY) => if self.context.stored().is_none() {
                    return Next::Leaving;
                },
            }
        }
    }

    /// From an address to the loss of it.
    async fn live(&mut self) -> Next {
        let tap = match self.enter_network().await {
            Ok(tap) => tap,
            Err(why) => {
                self.context.tell("FailedCreatePodSandBox", &why);
                self.leave_network().await;
                sleep(RETRY).await;
                return if self.is_leaving() { Next::Leaving } else { Next::Again { lost: None } };
            }
        };
        self.context.board.report();
        let (wanted, receiver) = watch::channel(Wanted::Running);
        let mut containers = tokio::spawn(run_containers(Arc::clone(&self.context), receiver));
        let next = tokio::select! {
            next = self.watch(&wanted) => next,
            // They have ended for good; the pod stays until it is deleted.
            _ = &mut containers => self.watch(&wanted).await,
        };
        if !containers.is_finished() {
            let _ = containers.await;
        }
        drop(tap);
        self.leave_network().await;
        next
    }

    /// Gets an address; and a tap, where somebody wants to know what the pod tells servers.
    async fn enter_network(&self) -> Result<Option<Tap>, String> {
        let cluster = &self.context.cluster;
        let sandbox = cluster.network.attach().await.map_err(|error| error.to_string())?;
        self.context.board.move_to(Some(sandbox.clone()));
        let (namespace, name) = (&self.context.board.key.namespace, &self.context.spec.service_account_name);
        if !cluster.faults.is_heard(namespace, name) {
            return Ok(None);
        }
        let subject = Subject::ServiceAccount { namespace: namespace.clone(), name: name.clone() };
        Tap::open(cluster, &sandbox, subject).await.map(Some).map_err(|error| error.to_string())
    }

    async fn leave_network(&self) {
        if let Some(sandbox) = self.context.board.sandbox() {
            self.context.board.move_to(None);
            if let Err(error) = self.context.cluster.network.detach(&sandbox).await {
                self.context.tell("FailedKillPod", &error.to_string());
            }
        }
    }

    fn is_leaving(&self) -> bool {
        self.context.stored().is_none_or(|pod| is_leaving(&pod))
    }

    /// Waits for what ends this life, keeps volumes up to date until then, and says how the containers have to end.
    async fn watch(&mut self, wanted: &watch::Sender<Wanted>) -> Next {
        let mut latest = self.context.cluster.store.subscribe();
        loop {
            latest.mark_unchanged();
            if self.is_leaving() {
                self.end(wanted, &mut latest).await;
                return Next::Leaving;
            }
            refresh_volumes(&self.context);
            tokio::select! {
                order = self.orders.recv() => if let Some(next) = self.obey(order) {
                    wanted.send_replace(Wanted::Killed);
                    return next;
                },
                _ = latest.changed() => {}
            }
        }
    }

    fn obey(&self, order: Option<Order>) -> Option<Next> {
        let board = &self.context.board;
        match order {
            None => Some(Next::Leaving),
            Some(Order::Rebuild { lost }) => Some(Next::Again { lost }),
            Some(Order::HostDown) => Some(Next::Down),
            Some(Order::Kill { container }) => {
                board.handles(container.as_deref()).iter().for_each(|handle| handle.signal(Signal::KILL));
                None
            }
            Some(Order::Freeze) => {
                board.handles(None).iter().for_each(|handle| handle.signal_all(Signal::STOP));
                None
            }
            Some(Order::Thaw) => {
                board.handles(None).iter().for_each(|handle| handle.signal_all(Signal::CONT));
                None
            }
            Some(Order::Disk { fails }) => {
                board.disk_fails.send_replace(fails);
                None
            }
            Some(Order::HostUp) => None,
        }
    }

    /// Lets the containers end within the grace, which a second deletion may shorten.
    async fn end(&mut self, wanted: &watch::Sender<Wanted>, latest: &mut watch::Receiver<u64>) {
        let started = Instant::now();
        while !wanted.is_closed() {
            let is_forced = self.context.stored().is_none();
            let end = if is_forced { Wanted::Killed } else { Wanted::Ended(started + self.context.grace()) };
            wanted.send_if_modified(|wanted| std::mem::replace(wanted, end) != end);
            if is_forced {
                return;
            }
            tokio::select! {
                () = wanted.closed() => return,
                _ = latest.changed() => {}
                order = self.orders.recv() => drop(self.obey(order)),
            }
        }
    }

    async fn clean_up(&self) {
        self.leave_network().await;
        let folder = self.context.cluster.places.pod(&self.context.uid);
        // What cannot be removed is in memory and ends with the pocket.
        drop(std::fs::remove_dir_all(folder));
        self.context.cluster.store.edit(&self.context.board.key, |pod| {
            if uid(pod) == self.context.uid {
                set(pod, "/metadata/deletionGracePeriodSeconds", 0);
            }
        });
    }
}

/// The kubelet tries again by itself; readers keep what they have meanwhile.
fn refresh_volumes(context: &Context) {
    let pod = context.pod();
    let volumes = Volumes { cluster: &context.cluster, pod: &pod, spec: &context.spec };
    if let Err(error) = volumes.refresh() {
        let is_told = context.board.mount_failure(Some(&error.to_string()));
        if !is_told {
            context.tell("FailedMount", &error.to_string());
        }
    } else {
        context.board.mount_failure(None);
    }
}

/// Init containers one after the other, then all others side by side.
async fn run_containers(context: Arc<Context>, wanted: watch::Receiver<Wanted>) {
    while *wanted.borrow() == Wanted::Running && !are_mounted(&context) {
        sleep(RETRY / 6).await;
    }
    let container =
        |spec: &ContainerSpec| Container { context: Arc::clone(&context), spec: spec.clone(), wanted: wanted.clone() };
    for spec in &context.spec.init_containers {
        container(spec).run_to_success().await;
    }
    let mut running = JoinSet::new();
    for spec in &context.spec.containers {
        running.spawn(container(spec).run());
    }
    running.join_all().await;
}

fn are_mounted(context: &Context) -> bool {
    let pod = context.pod();
    Volumes { cluster: &context.cluster, pod: &pod, spec: &context.spec }.refresh().is_ok()
}
