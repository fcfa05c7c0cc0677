//! One container: starts it, watches over it, starts it again, and ends it.
//!
//! <https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/#container-restarts>

use std::convert::Infallible;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use rustix::process::Signal;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until, timeout};

use super::board::{Board, State};
use super::clock;
use super::environment::{Environment, expand};
use super::pod::Context;
use super::probe::{Prober, Verdict, next_verdict};
use super::process::{Bind, Handle, Plan, Process};
use super::shape::{ContainerSpec, Mount};
use super::volumes::Volumes;
use crate::json::now;

/// Kubernetes waits 10 s before the second restart, doubles that up to 5 min, and forgets after 10 min without one. A test has less
/// time: everything is twenty times as fast.
const FIRST_BACK_OFF: Duration = Duration::from_millis(500);
const LONGEST_BACK_OFF: Duration = Duration::from_secs(15);
const FORGIVEN_AFTER: Duration = Duration::from_secs(30);
/// What a container gets after SIGTERM, however short its grace is and however long its hook took.
const LEAST_GRACE: Duration = Duration::from_secs(2);

/// Whether a container is to run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wanted {
    Running,
    /// Ended in order, and by force at this moment.
    Ended(Instant),
    /// Ended by force, now.
    Killed,
}

pub(super) struct Container {
    pub(super) context: Arc<Context>,
    pub(super) spec: ContainerSpec,
    pub(super) wanted: watch::Receiver<Wanted>,
}

/// How a life of a container went.
enum Life {
    Lived { code: i32, long: bool },
    NotBegun(&'static str, String),
}

impl Container {
    /// Runs until the container is wanted no more, or has ended for good.
    pub(super) async fn run(mut self) {
        let mut back_off = Duration::ZERO;
        while *self.wanted.borrow_and_update() == Wanted::Running {
            match self.live().await {
                Life::Lived { code, long } => {
                    if long {
                        back_off = Duration::ZERO;
                    }
                    if *self.wanted.borrow() != Wanted::Running || !self.comes_back(code) {
                        return;
                    }
                    if !back_off.is_zero() {
                        let message = format!("back-off {back_off:?} restarting failed container {}", self.spec.name);
                        self.wait_as("CrashLoopBackOff", &message);
                    }
                }
                Life::NotBegun(reason, message) => self.wait_as(reason, &message),
            }
            self.pause(back_off.max(Duration::from_millis(50))).await;
            back_off = (back_off * 2).clamp(FIRST_BACK_OFF, LONGEST_BACK_OFF);
        }
    }

    /// Runs an init container: again and again, until it succeeds once.
    pub(super) async fn run_to_success(mut self) {
        let mut back_off = FIRST_BACK_OFF;
        while *self.wanted.borrow_and_update() == Wanted::Running {
            match self.live().await {
                Life::Lived { code: 0, .. } => return,
                Life::Lived { code, .. } => self.wait_as("CrashLoopBackOff", &format!("exit code {code}")),
                Life::NotBegun(reason, message) => self.wait_as(reason, &message),
            }
            self.pause(back_off).await;
            back_off = (back_off * 2).min(LONGEST_BACK_OFF);
        }
    }

    fn board(&self) -> &Board {
        &self.context.board
    }

    fn comes_back(&self, code: i32) -> bool {
        match self.context.spec.restart_policy.as_str() {
            "Never" => false,
            "OnFailure" => code != 0,
            _ => true,
        }
    }

    fn wait_as(&self, reason: &'static str, message: &str) {
        self.board().turn(&self.spec.name, State::waiting(reason, message));
        if reason != "ContainerCreating" {
            self.context.tell(if reason == "CrashLoopBackOff" { "BackOff" } else { "Failed" }, message);
        }
    }

    async fn pause(&mut self, pause: Duration) {
        let _ = timeout(pause, self.wanted.wait_for(|wanted| *wanted != Wanted::Running)).await;
    }

    async fn live(&mut self) -> Life {
        let plan = match self.plan() {
            Ok(plan) => plan,
            Err((reason, message)) => return Life::NotBegun(reason, message),
        };
        let mut process = match Process::start(&plan).await {
            Ok(process) => process,
            Err(super::process::Error::Ended(code)) => return self.ended(code, &now(), Instant::now()),
            Err(error) => return Life::NotBegun("CreateContainerError", error.to_string()),
        };
        let (since, began) = (now(), Instant::now());
        let handle = process.handle.clone();
        self.board().note(&self.spec.name, |line| line.handle = Some(handle.clone()));
        self.board().turn(&self.spec.name, State::Running { since: since.clone() });
        let mut wanted = self.wanted.clone();
        let failure = tokio::select! {
            code = process.wait() => return self.ended(code, &since, began),
            why = self.watch_over(&handle) => Some(why),
            _ = wanted.wait_for(|wanted| *wanted != Wanted::Running) => None,
            never = self.keep_disk(&handle) => match never {},
        };
        if let Some(why) = failure {
            self.context.tell("Unhealthy", &why);
            self.context.tell("Killing", &format!("Container {} failed its probe, will be restarted", self.spec.name));
        }
        let code = self.end(&mut process).await;
        self.ended(code, &since, began)
    }

    fn ended(&self, code: i32, since: &str, began: Instant) -> Life {
        let is_over = matches!(*self.wanted.borrow(), Wanted::Ended(_)) || !self.comes_back(code);
        self.board().note(&self.spec.name, |line| {
            line.handle = None;
            line.is_ready = false;
            line.is_started = false;
            line.restarts += i64::from(!is_over);
        });
        self.board().turn(&self.spec.name, State::Terminated { code, since: since.to_owned(), until: now() });
        Life::Lived { code, long: began.elapsed() > FORGIVEN_AFTER }
    }

    /// What the container is made of, or why it waits.
    fn plan(&self) -> Result<Plan, (&'static str, String)> {
        let context = &self.context;
        let cluster = &context.cluster;
        let sandbox = context.board.sandbox().ok_or(("ContainerCreating", String::new()))?;
        let image = cluster.images.folder(&self.spec.image).map_err(|error| (self.pull_reason(), error.to_string()))?;
        let pod = context.pod();
        let sources = Environment { store: &cluster.store, pod: &pod, spec: &context.spec };
        let mut environment =
            sources.of(&self.spec).map_err(|error| ("CreateContainerConfigError", error.to_string()))?;
        if cluster.has_clocks {
            environment.extend([clock::environment()]);
        }
        let command = [self.spec.command.as_slice(), self.spec.args.as_slice()].concat();
        if command.is_empty() {
            return Err(("CreateContainerError", "no command specified".to_owned()));
        }
        let (own, of_pod) = (&self.spec.security_context, &context.spec.security_context);
        let restarts = context.board.line(&self.spec.name).map_or(0, |line| line.restarts);
        Ok(Plan {
            command: command.iter().map(|word| expand(word, &environment)).collect(),
            environment,
            directory: if self.spec.working_dir.is_empty() { "/".to_owned() } else { self.spec.working_dir.clone() },
            hostname: context.spec.hostname.clone(),
            user: own.run_as_user.or(of_pod.run_as_user).unwrap_or(0),
            group: own.run_as_group.or(of_pod.run_as_group).unwrap_or(0),
            read_only_root: own.read_only_root_filesystem,
            image,
            names: cluster.places.names(&context.board.key.namespace),
            binds: self.binds(&Volumes { cluster, pod: &pod, spec: &context.spec })?,
            network: sandbox.file(),
            log: cluster.places.log(&context.uid, &self.spec.name, restarts),
        })
    }

    /// The first failure is an error, those that follow are waited out.
    fn pull_reason(&self) -> &'static str {
        let before = self.context.board.line(&self.spec.name).map(|line| line.state);
        match before {
            Some(State::Waiting { reason: "ErrImagePull" | "ImagePullBackOff", .. }) => "ImagePullBackOff",
            _ => "ErrImagePull",
        }
    }

    fn binds(&self, volumes: &Volumes<'_>) -> Result<Vec<Bind>, (&'static str, String)> {
        let bind = |mount: &Mount| {
            let folder = volumes.folder(&mount.name)?;
            let from = if mount.sub_path.is_empty() { folder } else { folder.join(&mount.sub_path) };
            Ok(Bind { from, to: mount.path.clone(), read_only: mount.read_only })
        };
        let mounts: Result<Vec<Bind>, super::volumes::Error> = self.spec.volume_mounts.iter().map(bind).collect();
        let mut binds = mounts.map_err(|error| ("CreateContainerConfigError", error.to_string()))?;
        let token = |from| Bind { from, to: TOKEN_PATH.to_owned(), read_only: true };
        binds.extend(volumes.token_folder().map(token));
        if volumes.cluster.has_clocks {
            let from = volumes.cluster.places.clock(&self.context.uid);
            let from = from.map_err(|error| ("CreateContainerError", error.to_string()))?;
            binds.push(Bind { from, to: clock::FOLDER.to_owned(), read_only: true });
        }
        // An outer folder has to be there before what stands in it.
        binds.sort_by_key(|bind| bind.to.matches('/').count());
        Ok(binds)
    }

    /// Asks the probes; returns why the container has to restart, if it has to.
    async fn watch_over(&self, handle: &Handle) -> String {
        let prober = Prober { container: &self.spec, handle, address: self.address() };
        if let Some(probe) = &self.spec.startup_probe
            && let Verdict::Fails(why) = next_verdict(&prober, probe, None).await
        {
            return format!("Startup probe failed: {why}");
        }
        self.board().note(&self.spec.name, |line| line.is_started = true);
        tokio::select! {
            why = self.watch_liveness(&prober) => why,
            never = self.watch_readiness(&prober) => never,
        }
    }

    async fn watch_liveness(&self, prober: &Prober<'_>) -> String {
        let Some(probe) = &self.spec.liveness_probe else { return std::future::pending().await };
        let mut verdict = None;
        loop {
            match next_verdict(prober, probe, verdict.as_ref()).await {
                Verdict::Fails(why) => return format!("Liveness probe failed: {why}"),
                Verdict::Passes => verdict = Some(Verdict::Passes),
            }
        }
    }

    async fn watch_readiness(&self, prober: &Prober<'_>) -> String {
        let Some(probe) = &self.spec.readiness_probe else {
            self.board().note(&self.spec.name, |line| line.is_ready = true);
            return std::future::pending().await;
        };
        let mut verdict = None;
        loop {
            let next = next_verdict(prober, probe, verdict.as_ref()).await;
            self.board().note(&self.spec.name, |line| line.is_ready = next == Verdict::Passes);
            if let Verdict::Fails(why) = &next {
                self.context.tell("Unhealthy", &format!("Readiness probe failed: {why}"));
            }
            verdict = Some(next);
        }
    }

    /// Fails what the container flushes to disk, for as long as it is wanted.
    async fn keep_disk(&self, handle: &Handle) -> Infallible {
        let mut fails = self.board().disk_fails.subscribe();
        loop {
            // Dropped with the next turn, it lets go of the container.
            let spoiler = if *fails.borrow_and_update() { handle.spoil_disk() } else { None };
            if fails.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
            drop(spoiler);
        }
    }

    /// The preStop hook, SIGTERM, and at last SIGKILL.
    /// <https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/#pod-termination-flow>
    async fn end(&self, process: &mut Process) -> i32 {
        let end = Instant::now() + self.context.grace();
        let handle = process.handle.clone();
        let mut wanted = self.wanted.clone();
        tokio::select! {
            () = self.run_hook(&handle) => {}
            () = deadline(&mut wanted, end, Instant::now()) => {}
        }
        handle.signal(Signal::TERM);
        tokio::select! {
            code = process.wait() => code,
            () = deadline(&mut wanted, end, Instant::now() + LEAST_GRACE) => {
                handle.signal_all(Signal::KILL);
                process.wait().await
            }
        }
    }

    async fn run_hook(&self, handle: &Handle) {
        let Some(hook) = &self.spec.lifecycle.pre_stop else { return };
        let prober = Prober { container: &self.spec, handle, address: self.address() };
        if let Err(why) = prober.ask(hook, self.context.grace()).await {
            self.context.tell("FailedPreStopHook", &why);
        }
    }

    fn address(&self) -> Ipv4Addr {
        self.board().sandbox().map_or(Ipv4Addr::LOCALHOST, |sandbox| sandbox.address())
    }
}

const TOKEN_PATH: &str = "/var/run/secrets/kubernetes.io/serviceaccount";

/// Waits until the container has to be gone, which may be brought forward, but not before the least that it is given.
async fn deadline(wanted: &mut watch::Receiver<Wanted>, default: Instant, least: Instant) {
    loop {
        let end = match *wanted.borrow_and_update() {
            Wanted::Running => default,
            Wanted::Ended(end) => end,
            Wanted::Killed => return,
        };
        tokio::select! {
            () = sleep_until(end.max(least)) => return,
            changed = wanted.changed() => if changed.is_err() {
                // Nobody brings it forward any more.
                return sleep_until(end.max(least)).await;
            },
        }
    }
}
