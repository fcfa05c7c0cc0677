//! Laws that hold over all documents of a cluster together, which no schema can say.
//!
//! A law is a function from the documents to what breaks it. None can be broken by what a user writes: a broken law is a mistake
//! of this program, found before the output leaves it.

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::api::core::v1::{PodSpec, PodTemplateSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use serde_json::Value;
use spec::{Auth, Cluster, Tls, names};

use crate::document::{Document, Identity};
use crate::error::Error;

/// Checks every law.
pub(crate) fn hold(documents: &[Document], cluster: &Cluster) -> Result<(), Error> {
    let objects = documents.iter().map(Document::to_json).collect::<Result<Vec<_>, _>>().map_err(|e| Error::Law(e.to_string()))?;
    let workloads = workloads(documents);
    let broken = [
        every_object_has_a_name_of_its_own(&objects, cluster),
        nothing_is_substituted_on_the_way(&objects),
        workloads.iter().flat_map(workload_selects_its_own_pods).collect(),
        workloads.iter().flat_map(|workload| what_a_pod_names_is_there(workload, documents, cluster)).collect(),
        workloads.iter().flat_map(|workload| what_is_mounted_is_a_volume(workload)).collect(),
        every_selector_selects_pods(documents, &workloads),
        services_lead_to_ports(documents, &workloads),
        the_binding_binds_what_is_there(documents),
    ];
    match broken.into_iter().flatten().next() {
        None => Ok(()),
        Some(law) => Err(Error::Law(law)),
    }
}

/// Pods and what makes them.
struct Workload<'d> {
    name: String,
    selector: &'d LabelSelector,
    template: &'d PodTemplateSpec,
    pod: PodSpec,
    claims: Vec<String>,
    service: Option<&'d str>,
}

fn workloads(documents: &[Document]) -> Vec<Workload<'_>> {
    documents.iter().filter_map(workload).collect()
}

fn workload(document: &Document) -> Option<Workload<'_>> {
    match document {
        Document::StatefulSet(set) => {
            let spec = &set.spec;
            let claims = spec.volume_claim_templates.iter().flatten().filter_map(|claim| claim.metadata.name.clone());
            Some(Workload {
                name: set.metadata.name.clone()?,
                selector: &spec.selector,
                template: &spec.template,
                pod: spec.template.spec.clone()?,
                claims: claims.collect(),
                service: spec.service_name.as_deref(),
            })
        }
        Document::Deployment(deployment) => {
            let spec = &deployment.spec;
            Some(Workload {
                name: deployment.metadata.name.clone()?,
                selector: &spec.selector,
                template: &spec.template,
                pod: spec.template.spec.clone()?,
                claims: Vec::new(),
                service: None,
            })
        }
        Document::ServiceAccount(_)
        | Document::Role(_)
        | Document::RoleBinding(_)
        | Document::NetworkPolicy(_)
        | Document::Certificate(_)
        | Document::ConfigMap(_)
        | Document::Service(_)
        | Document::PodDisruptionBudget(_)
        | Document::PodMonitor(_)
        | Document::PrometheusRule(_) => None,
    }
}

impl Workload<'_> {
    fn labels(&self) -> BTreeMap<String, String> {
        self.template.metadata.as_ref().and_then(|metadata| metadata.labels.clone()).unwrap_or_default()
    }

    fn is_selected_by(&self, selector: &BTreeMap<String, String>) -> bool {
        let labels = self.labels();
        // The agent writes these two on the running pods.
        let by_agent = [names::ROLE_LABEL, names::SHARD_LABEL];
        selector.iter().all(|(key, value)| labels.get(key) == Some(value) || by_agent.contains(&key.as_str()))
    }
}

fn every_object_has_a_name_of_its_own(objects: &[Value], cluster: &Cluster) -> Vec<String> {
    let mut seen = BTreeSet::new();
    let mut broken = Vec::new();
    for object in objects {
        match Identity::of(object) {
            None => broken.push(format!("an object has no apiVersion, kind or name: {object}")),
            Some(identity) => {
                if identity.name.len() > 63 || identity.namespace != cluster.namespace.to_string() {
                    broken.push(format!("{identity} has a name that is too long, or another namespace"));
                }
                if !seen.insert((identity.kind.clone(), identity.name.clone())) {
                    broken.push(format!("{identity} is there twice"));
                }
            }
        }
    }
    broken
}

/// Flux replaces `${…}` and `$$` in manifests; text with either would arrive as another.
fn nothing_is_substituted_on_the_way(objects: &[Value]) -> Vec<String> {
    let suspicious = |object: &&Value| {
        let text = object.to_string();
        text.contains("${") || text.contains("$$")
    };
    let name = |object: &Value| Identity::of(object).map(|identity| identity.to_string()).unwrap_or_default();
    objects.iter().filter(suspicious).map(|object| format!("{} has text that Flux would substitute", name(object))).collect()
}

fn workload_selects_its_own_pods(workload: &Workload<'_>) -> Vec<String> {
    let selector = workload.selector.match_labels.clone().unwrap_or_default();
    let fine = !selector.is_empty() && workload.is_selected_by(&selector);
    if fine { Vec::new() } else { vec![format!("{} does not select its own pods", workload.name)] }
}

fn what_a_pod_names_is_there(workload: &Workload<'_>, documents: &[Document], cluster: &Cluster) -> Vec<String> {
    let secrets = external_secrets(cluster);
    let mut broken = Vec::new();
    let mut expect = |there: bool, what: String| {
        if !there {
            broken.push(format!("{} names {what}, which is not there", workload.name));
        }
    };
    for volume in workload.pod.volumes.iter().flatten() {
        if let Some(map) = &volume.config_map {
            expect(config_map(documents, &map.name).is_some(), format!("the ConfigMap {}", map.name));
        }
        if let Some(name) = volume.secret.as_ref().and_then(|secret| secret.secret_name.as_ref()) {
            expect(secrets.contains(name), format!("the Secret {name}"));
        }
    }
    if let Some(account) = &workload.pod.service_account_name {
        let there = documents.iter().any(|document| matches!(document, Document::ServiceAccount(found) if found.metadata.name.as_ref() == Some(account)));
        expect(there, format!("the ServiceAccount {account}"));
    }
    if let Some(name) = workload.service {
        expect(is_headless_service(documents, name), format!("the headless Service {name}"));
    }
    for script in scripts(&workload.pod) {
        let there = documents.iter().any(|document| has_key(document, &script));
        expect(there, format!("the script {script}"));
    }
    broken
}

/// The Secrets that others provide: the user, or cert-manager.
fn external_secrets(cluster: &Cluster) -> BTreeSet<String> {
    let password = match &cluster.auth {
        Auth::Password(secret) => Some(secret.name.to_string()),
        Auth::Disabled => None,
    };
    let certificate = (cluster.tls != Tls::Disabled).then(|| cluster.tls_secret_name());
    password.into_iter().chain(certificate).collect()
}

fn config_map<'d>(documents: &'d [Document], name: &str) -> Option<&'d Document> {
    documents.iter().find(|document| matches!(document, Document::ConfigMap(map) if map.metadata.name.as_deref() == Some(name)))
}

fn is_headless_service(documents: &[Document], name: &str) -> bool {
    documents.iter().any(|document| match document {
        Document::Service(service) => {
            let spec = service.spec.as_ref();
            service.metadata.name.as_deref() == Some(name) && spec.and_then(|spec| spec.cluster_ip.as_deref()) == Some("None")
        }
        _ => false,
    })
}

fn has_key(document: &Document, key: &str) -> bool {
    matches!(document, Document::ConfigMap(map) if map.data.as_ref().is_some_and(|data| data.contains_key(key)))
}

/// The scripts that a pod runs, by the name of the file.
fn scripts(pod: &PodSpec) -> BTreeSet<String> {
    let text = serde_json::to_string(pod).unwrap_or_default();
    let named = |piece: &str| piece.split('"').next().map(str::to_owned);
    text.split("/etc/valkey/").skip(1).filter_map(named).collect()
}

fn what_is_mounted_is_a_volume(workload: &Workload<'_>) -> Vec<String> {
    let volumes = workload.pod.volumes.iter().flatten().map(|volume| volume.name.clone());
    let there: BTreeSet<String> = volumes.chain(workload.claims.iter().cloned()).collect();
    let mounts = workload.pod.containers.iter().flat_map(|container| container.volume_mounts.iter().flatten());
    let mounted: BTreeSet<String> = mounts.map(|mount| mount.name.clone()).collect();
    there.symmetric_difference(&mounted).map(|name| format!("{}: {name} is not both a volume and mounted", workload.name)).collect()
}

fn every_selector_selects_pods(documents: &[Document], workloads: &[Workload<'_>]) -> Vec<String> {
    let empty = BTreeMap::new();
    let labels = |selector: &Option<LabelSelector>| selector.as_ref().and_then(|selector| selector.match_labels.clone());
    let selector = |document: &Document| match document {
        Document::Service(service) => service.spec.as_ref().map(|spec| spec.selector.clone().unwrap_or_default()),
        Document::PodDisruptionBudget(budget) => budget.spec.as_ref().and_then(|spec| labels(&spec.selector)),
        Document::NetworkPolicy(policy) => policy.spec.as_ref().and_then(|spec| labels(&spec.pod_selector)),
        Document::PodMonitor(monitor) => Some(monitor.spec.selector.match_labels.clone().unwrap_or_default()),
        Document::ServiceAccount(_)
        | Document::Role(_)
        | Document::RoleBinding(_)
        | Document::Certificate(_)
        | Document::ConfigMap(_)
        | Document::StatefulSet(_)
        | Document::Deployment(_)
        | Document::PrometheusRule(_) => None,
    };
    let selectors = documents.iter().filter_map(selector);
    let lost = |selector: &BTreeMap<String, String>| *selector == empty || !workloads.iter().any(|workload| workload.is_selected_by(selector));
    selectors.filter(lost).map(|selector| format!("{selector:?} selects no pods")).collect()
}

fn services_lead_to_ports(documents: &[Document], workloads: &[Workload<'_>]) -> Vec<String> {
    let containers = workloads.iter().flat_map(|workload| &workload.pod.containers);
    let ports: BTreeSet<&str> = containers.flat_map(|container| container.ports.iter().flatten()).filter_map(|port| port.name.as_deref()).collect();
    let mut broken = Vec::new();
    for document in documents {
        if let Document::Service(service) = document {
            for port in service.spec.iter().flat_map(|spec| spec.ports.iter().flatten()) {
                if !matches!(&port.target_port, Some(IntOrString::String(name)) if ports.contains(name.as_str())) {
                    broken.push(format!("a Service leads to the port {:?}, which no pod has", port.target_port));
                }
            }
        }
    }
    broken
}

fn the_binding_binds_what_is_there(documents: &[Document]) -> Vec<String> {
    let mut roles = BTreeSet::new();
    let mut accounts = BTreeSet::new();
    for document in documents {
        match document {
            Document::Role(role) => roles.extend(role.metadata.name.clone()),
            Document::ServiceAccount(account) => accounts.extend(account.metadata.name.clone()),
            _ => {}
        }
    }
    let bad = |document: &Document| match document {
        Document::RoleBinding(binding) => {
            let subjects = binding.subjects.iter().flatten().all(|subject| accounts.contains(&subject.name));
            !(roles.contains(&binding.role_ref.name) && subjects && binding.subjects.is_some())
        }
        _ => false,
    };
    documents.iter().filter(|document| bad(document)).map(|_| "the RoleBinding binds what is not there".to_owned()).collect()
}
