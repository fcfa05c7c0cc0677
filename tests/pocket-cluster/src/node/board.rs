//! What a pod tells about itself.
//!
//! <https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/#pod-phase>

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::{Value, json};
use tokio::sync::watch;

use super::network::Sandbox;
use super::process::Handle;
use super::shape::{ContainerSpec, PodSpec};
use crate::cluster::Cluster;
use crate::json::{now, set, set_condition, text, uid};
use crate::store::Key;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum State {
    Waiting { reason: &'static str, message: String },
    Running { since: String },
    Terminated { code: i32, since: String, until: String },
}

impl State {
    pub(super) fn waiting(reason: &'static str, message: impl Into<String>) -> Self {
        Self::Waiting { reason, message: message.into() }
    }

    fn to_json(&self) -> Value {
        match self {
            Self::Waiting { reason, message } => json!({"waiting": {"reason": reason, "message": message}}),
            Self::Running { since } => json!({"running": {"startedAt": since}}),
            Self::Terminated { code, since, until } => json!({"terminated": {
                "exitCode": code, "reason": if *code == 0 { "Completed" } else { "Error" }, "startedAt": since, "finishedAt": until,
            }}),
        }
    }
}

/// One container on the board.
#[derive(Clone, Debug)]
pub(super) struct Line {
    name: String,
    image: String,
    is_init: bool,
    pub(super) state: State,
    pub(super) last: Option<State>,
    pub(super) restarts: i64,
    pub(super) is_started: bool,
    pub(super) is_ready: bool,
    pub(super) handle: Option<Handle>,
}

impl Line {
    fn of(container: &ContainerSpec, is_init: bool) -> Self {
        Self {
            name: container.name.clone(),
            image: container.image.clone(),
            is_init,
            state: State::waiting(if is_init { "PodInitializing" } else { "ContainerCreating" }, ""),
            last: None,
            restarts: 0,
            is_started: false,
            is_ready: false,
            handle: None,
        }
    }

    fn is_done(&self) -> bool {
        matches!(self.state, State::Terminated { .. })
    }

    fn to_json(&self) -> Value {
        let mut status = json!({
            "name": self.name, "image": self.image, "imageID": self.image, "restartCount": self.restarts,
            "ready": self.is_ready, "started": self.is_started, "state": self.state.to_json(),
            "lastState": self.last.as_ref().map_or_else(|| json!({}), State::to_json),
        });
        if matches!(self.state, State::Running { .. }) {
            set(&mut status, "/containerID", format!("pocket://{}-{}", self.name, self.restarts));
        }
        status
    }
}

/// The board of a pod: its containers write, the API server reads.
pub(super) struct Board {
    cluster: Arc<Cluster>,
    pub(super) key: Key,
    uid: String,
    host: String,
    restarts_always: bool,
    since: String,
    lines: Mutex<Vec<Line>>,
    sandbox: Mutex<Option<Sandbox>>,
    mount_failure: Mutex<Option<String>>,
    /// Whether what its containers flush to disk fails.
    pub(super) disk_fails: watch::Sender<bool>,
}

impl Board {
    pub(super) fn new(cluster: &Arc<Cluster>, pod: &Value, spec: &PodSpec) -> Self {
        let inits = spec.init_containers.iter().map(|container| Line::of(container, true));
        let lines = inits.chain(spec.containers.iter().map(|container| Line::of(container, false))).collect();
        Self {
            cluster: Arc::clone(cluster),
            key: Key::of("pods", pod),
            uid: uid(pod).to_owned(),
            host: spec.node_name.clone(),
            restarts_always: spec.restart_policy == "Always",
            since: now(),
            lines: Mutex::new(lines),
            sandbox: Mutex::new(None),
            mount_failure: Mutex::new(None),
            disk_fails: watch::Sender::new(false),
        }
    }

    fn lines(&self) -> MutexGuard<'_, Vec<Line>> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn sandbox(&self) -> Option<Sandbox> {
        self.sandbox.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn move_to(&self, sandbox: Option<Sandbox>) {
        *self.sandbox.lock().unwrap_or_else(PoisonError::into_inner) = sandbox;
    }

    /// Notes why volumes cannot be mounted, if so; whether that was known.
    pub(super) fn mount_failure(&self, why: Option<&str>) -> bool {
        let mut known = self.mount_failure.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::replace(&mut *known, why.map(str::to_owned)).as_deref() == why
    }

    /// Changes what is known of a container, and tells it.
    pub(super) fn note(&self, container: &str, change: impl FnOnce(&mut Line)) {
        if let Some(line) = self.lines().iter_mut().find(|line| line.name == container) {
            change(line);
        }
        self.report();
    }

    pub(super) fn line(&self, container: &str) -> Option<Line> {
        self.lines().iter().find(|line| line.name == container).cloned()
    }

    /// The processes of all containers that run, or of one.
    pub(super) fn handles(&self, container: Option<&str>) -> Vec<Handle> {
        let lines = self.lines();
        let wanted = lines.iter().filter(|line| container.is_none_or(|container| line.name == container));
        wanted.filter_map(|line| line.handle.clone()).collect()
    }

    /// What ended last is kept beside what is now.
    pub(super) fn turn(&self, container: &str, state: State) {
        self.note(container, |line| {
            let before = std::mem::replace(&mut line.state, state);
            if matches!(before, State::Terminated { .. }) {
                line.last = Some(before);
            }
        });
    }

    /// Writes the status of the pod. A host that is down tells nothing.
    pub(super) fn report(&self) {
        if self.cluster.faults.is_down(&self.host) {
            return;
        }
        let host = self.cluster.store.get(&Key::new("nodes", "", &self.host));
        let host = host.map(|host| text(&host, "/status/addresses/0/address").to_owned());
        let lines = self.lines().clone();
        let (inits, mains): (Vec<_>, Vec<_>) = lines.into_iter().partition(|line| line.is_init);
        let address = self.sandbox().map(|sandbox| sandbox.address().to_string());
        self.cluster.store.edit(&self.key, |pod| {
            if uid(pod) != self.uid {
                return;
            }
            set(pod, "/status/phase", self.phase(&mains));
            set(pod, "/status/startTime", self.since.clone());
            set(pod, "/status/observedGeneration", crate::json::number(pod, "/metadata/generation"));
            if let Some(address) = address {
                set(pod, "/status/podIPs", json!([{"ip": address}]));
                set(pod, "/status/podIP", address);
                set(pod, "/status/hostIP", host);
            }
            set(pod, "/status/containerStatuses", mains.iter().map(Line::to_json).collect::<Vec<_>>());
            if !inits.is_empty() {
                set(pod, "/status/initContainerStatuses", inits.iter().map(Line::to_json).collect::<Vec<_>>());
            }
            let is_ready = mains.iter().all(|line| line.is_ready);
            set_condition(pod, condition("Initialized", inits.iter().all(Line::is_done), "ContainersNotInitialized"));
            set_condition(pod, condition("ContainersReady", is_ready, "ContainersNotReady"));
            set_condition(pod, condition("Ready", is_ready, "ContainersNotReady"));
        });
    }

    fn phase(&self, mains: &[Line]) -> &'static str {
        let failed = |line: &Line| matches!(line.state, State::Terminated { code, .. } if code != 0);
        if !self.restarts_always && mains.iter().all(Line::is_done) {
            return if mains.iter().any(failed) { "Failed" } else { "Succeeded" };
        }
        let never_began = |line: &Line| matches!(line.state, State::Waiting { .. }) && line.last.is_none();
        if mains.iter().any(never_began) { "Pending" } else { "Running" }
    }
}

fn condition(kind: &str, is: bool, otherwise: &str) -> Value {
    if is {
        return json!({"type": kind, "status": "True"});
    }
    json!({"type": kind, "status": "False", "reason": otherwise})
}
