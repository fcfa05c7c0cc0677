//! What makes pods, in the one shape in which the laws look at it.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{PodSpec, PodTemplateSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use spec::names;

use crate::document::Object;

/// Pods and what makes them.
pub(crate) struct Workload<'d> {
    pub(crate) name: String,
    pub(crate) selector: &'d LabelSelector,
    template: &'d PodTemplateSpec,
    pub(crate) pod: &'d PodSpec,
    pub(crate) claims: Vec<String>,
    pub(crate) service: Option<&'d str>,
}

/// Those among the objects.
pub(crate) fn workloads(objects: &[Object]) -> Vec<Workload<'_>> {
    objects.iter().filter_map(workload).collect()
}

fn workload(object: &Object) -> Option<Workload<'_>> {
    match object {
        Object::StatefulSet(set) => {
            let spec = &set.spec;
            let claims = spec.volume_claim_templates.iter().flatten().filter_map(|claim| claim.metadata.name.clone());
            Some(Workload {
                name: set.metadata.name.clone()?,
                selector: &spec.selector,
                template: &spec.template,
                pod: spec.template.spec.as_ref()?,
                claims: claims.collect(),
                service: spec.service_name.as_deref(),
            })
        }
        Object::Deployment(deployment) => {
            let spec = &deployment.spec;
            Some(Workload {
                name: deployment.metadata.name.clone()?,
                selector: &spec.selector,
                template: &spec.template,
                pod: spec.template.spec.as_ref()?,
                claims: Vec::new(),
                service: None,
            })
        }
        Object::ServiceAccount(_)
        | Object::Role(_)
        | Object::RoleBinding(_)
        | Object::NetworkPolicy(_)
        | Object::Certificate(_)
        | Object::ConfigMap(_)
        | Object::Service(_)
        | Object::PodDisruptionBudget(_)
        | Object::PodMonitor(_)
        | Object::PrometheusRule(_)
        | Object::ValkeyCluster(_) => None,
    }
}

impl Workload<'_> {
    fn labels(&self) -> BTreeMap<String, String> {
        self.template.metadata.as_ref().and_then(|metadata| metadata.labels.clone()).unwrap_or_default()
    }

    pub(crate) fn is_selected_by(&self, selector: &BTreeMap<String, String>) -> bool {
        let labels = self.labels();
        // The agent writes these two on the running pods.
        let by_agent = [names::ROLE_LABEL, names::SHARD_LABEL];
        selector.iter().all(|(key, value)| labels.get(key) == Some(value) || by_agent.contains(&key.as_str()))
    }
}
