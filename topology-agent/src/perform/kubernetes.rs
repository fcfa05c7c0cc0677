//! Steps that Kubernetes takes, with what is asked at once before.

use k8s_openapi::api::core::v1::Pod;
use planner::{Guard, NodeId, Ordinal, Role, Target, Volume};

use super::{Performer, StepError};
use crate::kubernetes::runs;

impl Performer<'_> {
    /// Those that go are looked at once more: what was blank may have been found by somebody meanwhile.
    pub(super) async fn scale(&self, pods: u32) -> Result<(), StepError> {
        for pod in (pods..self.view.scale).map(Ordinal) {
            match self.target(pod) {
                Ok(node) if self.is_blank(node).await? => {}
                Ok(_) => return Err(StepError::Changed("a pod that would go is not blank")),
                Err(_) => drop(self.does_not_run(pod).await?),
            }
        }
        self.fence()?;
        Ok(self.actions.scale(pods).await?)
    }

    pub(super) async fn delete_pod(
        &self,
        pod: Ordinal,
        uid: &str,
        guard: Guard,
        volume: Volume,
    ) -> Result<(), StepError> {
        let version = match guard {
            Guard::Down => self.does_not_run(pod).await?.and_then(|pod| pod.metadata.resource_version),
            Guard::Follows(primary) => self.follows(pod, primary).await.map(|()| None)?,
            Guard::Alone => self.is_alone(pod).await.map(|()| None)?,
        };
        match volume {
            Volume::Kept => {}
            Volume::Fresh => self.give_up_volume(pod).await?,
        }
        self.fence()?;
        Ok(self.actions.delete_pod(pod, uid, version).await?)
    }

    async fn give_up_volume(&self, pod: Ordinal) -> Result<(), StepError> {
        let Some(uid) = self.actions.claim(pod).await? else { return Ok(()) };
        self.fence()?;
        Ok(self.actions.delete_claim(pod, uid).await?)
    }

    /// The pod as Kubernetes has it now, if its server does not run.
    pub(super) async fn does_not_run(&self, pod: Ordinal) -> Result<Option<Pod>, StepError> {
        let present = self.actions.pod(pod).await?;
        if present.as_ref().is_some_and(runs) { Err(StepError::Changed("the pod runs")) } else { Ok(present) }
    }

    /// The server follows that node, which by its own word leads.
    async fn follows(&self, pod: Ordinal, primary: NodeId) -> Result<(), StepError> {
        let leader = self.view.servers().find(|(_, _, server)| server.id == primary).map(|(pod, _, _)| pod);
        let leader = Target { pod: leader.ok_or(StepError::Changed("its primary gave no answer"))?, id: primary };
        let (role, _) = self.role(self.target(pod)?).await?;
        let (leads, _) = self.role(leader).await?;
        match (role, leads) {
            (Role::Replica(id), Role::Primary) if id == primary => Ok(()),
            (Role::Primary | Role::Replica(_), _) => Err(StepError::Changed("roles have changed")),
        }
    }

    async fn is_alone(&self, pod: Ordinal) -> Result<(), StepError> {
        match self.role(self.target(pod)?).await? {
            (_, 0) => Ok(()),
            (_, _) => Err(StepError::Changed("a replica follows it")),
        }
    }

    fn target(&self, pod: Ordinal) -> Result<Target, StepError> {
        let server = self.view.pods.get(&pod).and_then(planner::Pod::server);
        Ok(Target { pod, id: server.ok_or(StepError::Changed("its server gave no answer"))?.id })
    }
}
