//! Has steps done: each is checked at once before, bounded in time, and harmless if it was done already.

mod classic;
mod kubernetes;
mod valkey;

use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use futures::stream;
use planner::{Ordinal, Step, Target, View};

use crate::kubernetes::{Actions, ApiError, Leadership};
use crate::look::{Contact, Servers};
use crate::valkey::{AskError, Connection};

/// How many steps are under way at once.
const SIDE_BY_SIDE: usize = 64;

/// Why a step was not done, or may not have been.
#[derive(Debug, thiserror::Error)]
pub enum StepError {
    /// Another agent may be at work.
    #[error("this agent does not hold the lease")]
    NotLeading,
    /// What has to hold before it does not hold any more.
    #[error("left out: {0}")]
    Changed(&'static str),
    /// Servers began it and gave it up.
    #[error("servers gave it up")]
    GivenUp,
    /// A server did not do it.
    #[error(transparent)]
    Ask(#[from] AskError),
    /// Kubernetes did not do it.
    #[error(transparent)]
    Api(#[from] ApiError),
}

impl StepError {
    /// Whether it may be done later without anyone doing anything.
    #[must_use]
    pub const fn is_passing(&self) -> bool {
        match self {
            Self::NotLeading | Self::Changed(_) | Self::GivenUp => true,
            Self::Ask(error) => error.is_passing(),
            Self::Api(error) => error.is_passing(),
        }
    }
}

/// What came of a step.
#[derive(Debug)]
pub struct Outcome {
    /// The step.
    pub step: Step,
    /// How long it took.
    pub took: Duration,
    /// For a failover, how long writes were held back at the most.
    pub pause: Option<Duration>,
    /// What came of it.
    pub result: Result<(), StepError>,
}

/// All that it takes to have steps done.
pub struct Performer<'a> {
    /// The servers.
    pub servers: &'a Servers,
    /// Kubernetes.
    pub actions: &'a Actions,
    /// Whether this agent may act.
    pub leadership: &'a Leadership,
    /// What the plan was made upon.
    pub view: &'a View,
}

impl Performer<'_> {
    /// Has the steps of a round done, side by side.
    pub async fn round(&self, steps: &[Step]) -> Vec<Outcome> {
        let each = steps.iter().map(|step| async {
            let begun = tokio::time::Instant::now();
            let done = tokio::select! {
                done = self.step(step) => done,
                () = self.leadership.lost() => Err(StepError::NotLeading),
            };
            let (pause, result) = match done {
                Ok(pause) => (pause, Ok(())),
                Err(error) => (None, Err(error)),
            };
            Outcome { step: step.clone(), took: begun.elapsed(), pause, result }
        });
        stream::iter(each).buffer_unordered(SIDE_BY_SIDE).collect().await
    }

    /// For a failover, how long writes were held back at the most.
    async fn step(&self, step: &Step) -> Result<Option<Duration>, StepError> {
        self.fence()?;
        let done: Result<(), StepError> = match step {
            Step::Scale { pods } => self.scale(*pods).await,
            Step::Label { pod, labels } => Ok(self.actions.label(*pod, &self.uid(*pod)?, *labels).await?),
            Step::SetConfigEpoch { node, epoch } => self.tell(*node, &["SET-CONFIG-EPOCH", &epoch.to_string()]).await,
            Step::Meet { node, peer, address } => self.meet(*node, *peer, *address).await,
            Step::AddSlots { node, slots } => self.add_slots(*node, slots).await,
            Step::ClaimSlots { node, slots } => self.claim_slots(*node, slots).await,
            Step::Replicate { node, primary } => self.tell(*node, &["REPLICATE", &primary.to_string()]).await,
            Step::Failover { replica, primary, mode } => {
                return self.fail_over(*replica, *primary, *mode).await.map(Some);
            }
            Step::Forget { node, gone } => self.forget(*node, *gone).await,
            Step::Reset { node } => self.reset(*node).await,
            Step::Migrate { source, target, slots, how } => self.migrate(*source, *target, slots, *how).await,
            Step::CloseSlots { node, slots } => self.close_slots(*node, slots).await,
            Step::Configure { node, settings } => self.configure(*node, settings).await,
            Step::DeletePod { pod, uid, guard, volume } => self.delete_pod(*pod, uid, *guard, *volume).await,
            Step::Grow { pod, bytes } => Ok(self.actions.grow(*pod, *bytes).await?),
        };
        done.map(|()| None)
    }

    /// Asked before everything that changes anything.
    fn fence(&self) -> Result<(), StepError> {
        if self.leadership.holds() { Ok(()) } else { Err(StepError::NotLeading) }
    }

    fn uid(&self, pod: Ordinal) -> Result<Arc<str>, StepError> {
        let seen = self.view.pods.get(&pod).ok_or(StepError::Changed("there is no such pod"))?;
        Ok(Arc::clone(&seen.uid))
    }

    fn contact(&self, pod: Ordinal) -> Result<Arc<Contact>, StepError> {
        self.servers.contact(pod).ok_or(StepError::Changed("the pod does not run"))
    }

    /// A connection to a node, once its server has said that it still is that node.
    async fn node(&self, target: Target) -> Result<(Arc<Contact>, Arc<Connection>), StepError> {
        let contact = self.contact(target.pod)?;
        let connection = contact.connection().await?;
        let id = contact.noted(connection.ask("CLUSTER", &["MYID"]).await).await?.text("CLUSTER MYID")?;
        if id != target.id.to_string() {
            return Err(StepError::Changed("another node runs in the pod by now"));
        }
        Ok((contact, connection))
    }

    /// Has a node do something with the cluster.
    async fn tell(&self, target: Target, arguments: &[&str]) -> Result<(), StepError> {
        let (contact, connection) = self.node(target).await?;
        self.fence()?;
        contact.noted(connection.tell("CLUSTER", arguments).await).await?;
        Ok(())
    }
}
