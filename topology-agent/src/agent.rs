//! Looks, plans, acts, looks again.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use k8s_openapi::api::apps::v1::StatefulSet;
use kube::{Client, ResourceExt};
use planner::laws::check_round;
use planner::{Desired, Step, Time, View};
use spec::{Cluster, ClusterName, names};

use crate::access::{AccessError, Secrets};
use crate::kubernetes::{Actions, ApiError, Cache, Leadership, PodFacts, Source, Written};
use crate::look::Servers;
use crate::perform::{Outcome, Performer};
use crate::repeats::{Repeats, versions};
use crate::retries::Retries;
use crate::route::Route;
use crate::sighting::{Sighting, Wanted};

/// One agent's eyes and hands.
pub struct Agent {
    cache: Cache,
    servers: Servers,
    secrets: Secrets,
    actions: Actions,
    leadership: Leadership,
    wanted: Option<(Written, Arc<Wanted>)>,
    /// The pods that were deleted, until Kubernetes says so: what it said before is old.
    leaving: BTreeSet<Arc<str>>,
    /// What was done and does not show yet.
    repeats: Repeats,
    /// What servers gave up.
    retries: Retries,
    /// A step of the last round that will not be done before somebody does something, and why: for people to read.
    refused: Option<(Step, String)>,
}

/// Why there is nothing to see.
#[derive(Debug, thiserror::Error)]
pub enum Blind {
    /// There is no desired state.
    #[error("there is no {0} that says what should be; apply what valkey-render renders")]
    NoDesired(String),
    /// The desired state is not one that this agent understands.
    #[error("the desired state cannot be read: {0}; renderer and agent should be of one version")]
    OddDesired(String),
    /// There is no `StatefulSet`.
    #[error("there is no StatefulSet {0}; apply what valkey-render renders")]
    NoSet(String),
    /// The password or the certificates are of no use.
    #[error(transparent)]
    Access(#[from] AccessError),
    /// What there is may not be seen any more; what was seen may be long over.
    #[error("Kubernetes does not say what there is: {0}; apply what valkey-render renders")]
    Refused(ApiError),
}

impl Blind {
    /// Whether it may mend by itself.
    #[must_use]
    pub const fn is_passing(&self) -> bool {
        match self {
            Self::NoDesired(_) | Self::NoSet(_) => true,
            Self::OddDesired(_) | Self::Refused(_) => false,
            Self::Access(error) => error.is_passing(),
        }
    }
}

impl Agent {
    /// An agent of this cluster, which sees nothing before its cache is ready.
    #[must_use]
    pub fn new(
        client: &Client,
        cluster: &ClusterName,
        source: Source,
        secrets: Secrets,
        route: Route,
        leadership: Leadership,
    ) -> Self {
        Self {
            cache: Cache::watch(client, cluster, source),
            servers: Servers::by(route),
            secrets,
            actions: Actions::new(client, cluster),
            leadership,
            wanted: None,
            leaving: BTreeSet::new(),
            repeats: Repeats::default(),
            retries: Retries::default(),
            refused: None,
        }
    }

    /// What Kubernetes says.
    #[must_use]
    pub const fn cache(&self) -> &Cache {
        &self.cache
    }

    /// Looks, and plans.
    ///
    /// # Errors
    /// What should be, or how to get in, is not known.
    pub async fn look(&mut self) -> Result<Sighting, Blind> {
        if let Some(refusal) = self.cache.refusal() {
            return Err(Blind::Refused(refusal));
        }
        let written = self.cache.desired().ok_or_else(|| Blind::NoDesired(self.cache.desired_name()))?;
        let (revision, template) = (written.revision.clone(), written.template.clone());
        let wanted = self.wanted(written)?;
        let set = self.cache.set().ok_or_else(|| Blind::NoSet(wanted.cluster.name.to_string()))?;
        let access = self.secrets.read(&wanted.cluster).await?;
        let scale = set.spec.replicas.and_then(|pods| u32::try_from(pods).ok());
        let generation = set.metadata.generation.unwrap_or_default();
        let observed = set.status.as_ref().and_then(|status| status.observed_generation).unwrap_or_default();
        let spec = revision.is_some().then_some(&wanted.cluster);
        let rendered = is_rendered(&set, spec, template.as_deref());
        let pods = self.pods(&set);
        let Wanted { cluster, desired } = &*wanted;
        let mut look = self.servers.look(cluster, desired, &access, scale.unwrap_or(1), pods, now()).await;
        look.view.rendered = rendered;
        let now = now();
        let plan = planner::plan(desired, &look.view, now);
        let hindrance = self.hindrance(plan.steps(), now);
        let settled = observed >= generation;
        let are_ready = set.status.as_ref().and_then(|status| status.ready_replicas).unwrap_or_default()
            >= set.spec.replicas.unwrap_or(1);
        let generation = revision.as_ref().map_or(generation, |revision| revision.generation);
        Ok(Sighting { wanted, revision, generation, settled, are_ready, look, plan, hindrance, now })
    }

    /// Why one of these steps will not be done soon.
    fn hindrance(&self, steps: &[Step], now: Time) -> Option<String> {
        let refused = self.refused.as_ref().filter(|(step, _)| steps.contains(step));
        let refused = refused.map(|(step, why)| (step, why.clone()));
        let held = || steps.iter().find_map(|step| Some((step, self.retries.reason(step, now)?)));
        refused.or_else(held).map(|(step, why)| format!("not done: {step}: {why}"))
    }

    /// What Kubernetes says of the pods, and what it is about to say of those that were deleted.
    fn pods(&mut self, set: &StatefulSet) -> Vec<PodFacts> {
        let mut pods = self.cache.pods(set);
        self.leaving.retain(|uid| pods.iter().any(|facts| facts.pod.uid == *uid));
        for facts in pods.iter_mut().filter(|facts| self.leaving.contains(&facts.pod.uid)) {
            facts.pod.terminating = true;
        }
        pods
    }

    /// The desired state is read anew only when its text has changed.
    fn wanted(&mut self, written: Written) -> Result<Arc<Wanted>, Blind> {
        if let Some((last, wanted)) = &self.wanted
            && (&last.text, last.is_paused) == (&written.text, written.is_paused)
        {
            return Ok(Arc::clone(wanted));
        }
        let odd = |problems: Vec<spec::Problem>| {
            let first = problems.first().map(ToString::to_string);
            Blind::OddDesired(first.unwrap_or_default())
        };
        let read = spec::read(&written.text, None).map_err(odd)?;
        let ours = read.into_iter().find(|read| read.cluster.name == *self.cache.cluster());
        let mut cluster = ours.ok_or_else(|| Blind::OddDesired(format!("it has no {}", self.cache.cluster())))?.cluster;
        cluster.upgrade.paused |= written.is_paused;
        let desired = Desired::of(&cluster);
        let wanted = Arc::new(Wanted { cluster, desired });
        self.wanted = Some((written, Arc::clone(&wanted)));
        Ok(wanted)
    }

    /// Has the steps of a plan done. A step that breaks a law is left out, whatever the plan thinks of it.
    pub async fn perform(&mut self, sighting: &Sighting) -> Vec<Outcome> {
        let version = |changed| self.cache.version(changed);
        self.repeats.forget(version);
        let due = |step: &&Step| !self.repeats.holds(step) && !self.retries.hold(step, sighting.now);
        let steps: Vec<Step> = sighting.plan.steps().iter().filter(due).cloned().collect();
        let steps = lawful(&sighting.wanted.desired, &sighting.look.view, &steps);
        let before = versions(&steps, version);
        let (servers, actions, leadership, view) =
            (&self.servers, &self.actions, &self.leadership, &sighting.look.view);
        let outcomes = Performer { servers, actions, leadership, view }.round(&steps).await;
        self.leaving.extend(outcomes.iter().filter_map(deleted));
        self.repeats.note(&outcomes, &before);
        self.retries.note(&outcomes, now());
        // The first of the plan, for they end in any order.
        let refusals: Vec<(Step, String)> = outcomes.iter().filter_map(refused).collect();
        let refusal = |step: &Step| refusals.iter().find(|(refused, _)| refused == step).cloned();
        self.refused = sighting.plan.steps().iter().find_map(refusal);
        outcomes
    }
}

/// Whether the `StatefulSet` says that it was rendered with this template, and from this spec, where one of the two is named.
fn is_rendered(set: &StatefulSet, spec: Option<&Cluster>, template: Option<&str>) -> bool {
    let said = |name| set.annotations().get(name).map(String::as_str);
    let is_of = |spec: &Cluster| said(names::FINGERPRINT_ANNOTATION) == Some(&spec.fingerprint());
    spec.is_none_or(is_of) && template.is_none_or(|template| said(names::TEMPLATE_ANNOTATION) == Some(template))
}

/// The pod that a step has deleted.
fn deleted(outcome: &Outcome) -> Option<Arc<str>> {
    let Step::DeletePod { uid, .. } = &outcome.step else { return None };
    outcome.result.is_ok().then(|| Arc::clone(uid))
}

/// A step that was not done, unless it may be without anyone's help.
fn refused(outcome: &Outcome) -> Option<(Step, String)> {
    let error = outcome.result.as_ref().err().filter(|error| !error.is_passing())?;
    Some((outcome.step.clone(), error.to_string()))
}

/// The steps that keep the laws, alone and beside those before them.
fn lawful(desired: &Desired, view: &View, steps: &[Step]) -> Vec<Step> {
    if check_round(desired, view, steps).is_ok() {
        return steps.to_vec();
    }
    let mut kept: Vec<Step> = Vec::with_capacity(steps.len());
    for step in steps {
        kept.push(step.clone());
        if let Err(broken) = check_round(desired, view, &kept) {
            tracing::error!(%step, law = ?broken.law, why = broken.why, "a step that breaks a law is left out");
            kept.pop();
        }
    }
    kept
}

/// The time of day. Clocks may jump: nothing but patience depends on it.
#[must_use]
pub fn now() -> Time {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
    Time(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}
