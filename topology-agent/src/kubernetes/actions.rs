//! What is asked of Kubernetes: sizes, labels, restarts, volumes. Each request is harmless if it is sent twice.

use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::core::v1::{PersistentVolumeClaim, Pod};
use kube::api::{DeleteParams, Patch, PatchParams, Preconditions};
use kube::{Api, Client};
use planner::{Labels, Ordinal, RoleLabel};
use serde_json::json;
use spec::{ClusterName, Quantity, names};

use super::api::{ApiError, bounded};

/// Under which name the agent changes objects.
pub const FIELD_MANAGER: &str = "valkey-topology-agent";

/// Requests about the objects of one cluster.
#[derive(Clone)]
pub struct Actions {
    cluster: ClusterName,
    pods: Api<Pod>,
    sets: Api<StatefulSet>,
    claims: Api<PersistentVolumeClaim>,
}

impl Actions {
    /// Requests about this cluster, in the client's own namespace.
    #[must_use]
    pub fn new(client: &Client, cluster: &ClusterName) -> Self {
        Self {
            cluster: cluster.clone(),
            pods: Api::default_namespaced(client.clone()),
            sets: Api::default_namespaced(client.clone()),
            claims: Api::default_namespaced(client.clone()),
        }
    }

    fn pod_name(&self, pod: Ordinal) -> String {
        names::pod(&self.cluster, pod.0)
    }

    /// The pod as it is right now, not as a watch last told; none if there is none.
    ///
    /// # Errors
    /// The API server does not say.
    pub async fn pod(&self, pod: Ordinal) -> Result<Option<Pod>, ApiError> {
        bounded(self.pods.get_opt(&self.pod_name(pod))).await
    }

    /// Sets the number of pods.
    ///
    /// # Errors
    /// The API server does not do it.
    pub async fn scale(&self, pods: u32) -> Result<(), ApiError> {
        let patch = Patch::Merge(json!({"spec": {"replicas": pods}}));
        bounded(self.sets.patch_scale(self.cluster.as_str(), &parameters(), &patch)).await.map(drop)
    }

    /// Labels the pod of this uid.
    ///
    /// # Errors
    /// The API server does not do it, or the pod is another one by now.
    pub async fn label(&self, pod: Ordinal, uid: &str, labels: Labels) -> Result<(), ApiError> {
        let role = labels.role.map(|role| match role {
            RoleLabel::Primary => names::PRIMARY,
            RoleLabel::Replica => names::REPLICA,
        });
        let shard = labels.shard.map(|shard| shard.to_string());
        let labels = json!({names::ROLE_LABEL: role, names::SHARD_LABEL: shard});
        let patch = Patch::Merge(json!({"metadata": {"uid": uid, "labels": labels}}));
        bounded(self.pods.patch(&self.pod_name(pod), &parameters(), &patch)).await.map(drop)
    }

    /// Deletes the pod of this uid; with a version, only if nothing about it has changed since.
    ///
    /// # Errors
    /// The API server does not do it, or the pod is another one by now.
    pub async fn delete_pod(&self, pod: Ordinal, uid: &str, version: Option<String>) -> Result<(), ApiError> {
        let preconditions = Preconditions { uid: Some(uid.to_owned()), resource_version: version };
        let parameters = DeleteParams::default().preconditions(preconditions);
        bounded(self.pods.delete(&self.pod_name(pod), &parameters)).await.map(drop)
    }

    /// Asks for a larger volume.
    ///
    /// # Errors
    /// The API server does not do it.
    pub async fn grow(&self, pod: Ordinal, bytes: u64) -> Result<(), ApiError> {
        let storage = json!({"storage": Quantity::bytes(bytes).to_string()});
        let patch = Patch::Merge(json!({"spec": {"resources": {"requests": storage}}}));
        bounded(self.claims.patch(&names::claim(&self.cluster, pod.0), &parameters(), &patch)).await.map(drop)
    }

    /// The uid of a pod's claim; none if there is none.
    ///
    /// # Errors
    /// The API server does not say.
    pub async fn claim(&self, pod: Ordinal) -> Result<Option<String>, ApiError> {
        let claim = bounded(self.claims.get_opt(&names::claim(&self.cluster, pod.0))).await?;
        Ok(claim.and_then(|claim| claim.metadata.uid))
    }

    /// Gives the volume of a pod up; it goes once the pod does. One that is gone already is fine.
    ///
    /// # Errors
    /// The API server does not do it, or the claim is another one by now.
    pub async fn delete_claim(&self, pod: Ordinal, uid: String) -> Result<(), ApiError> {
        let preconditions = Preconditions { uid: Some(uid), resource_version: None };
        let parameters = DeleteParams::default().preconditions(preconditions);
        match bounded(self.claims.delete(&names::claim(&self.cluster, pod.0), &parameters)).await {
            Ok(_) | Err(ApiError::Missing) => Ok(()),
            Err(error) => Err(error),
        }
    }
}

fn parameters() -> PatchParams {
    PatchParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..PatchParams::default() }
}
