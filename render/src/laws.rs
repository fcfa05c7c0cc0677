//! Laws that hold over all documents of a cluster together, which no schema can say.
//!
//! A law is a function from the documents to what breaks it. None can be broken by what a user writes: a broken law is a mistake
//! of this program, found before the output leaves it.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::hash::{BuildHasher, BuildHasherDefault};

use k8s_openapi::api::core::v1::{Container, PodSpec};
use k8s_openapi::api::policy::v1::PodDisruptionBudgetSpec;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use rustc_hash::FxHasher;
use spec::{Auth, Cluster, ClusterName, Tls};

use crate::document::{Document, Draft, Identity, Object};
use crate::error::Error;
use crate::form;
use crate::tree::Tree;
use crate::workload::{Workload, workloads};

/// Judges the texts in the documents, which no two manifests have in common.
pub(crate) fn judge_texts(documents: &[Document], trees: &[Tree<'_>], cluster: &Cluster) -> Result<(), Error> {
    verdict([every_object_has_a_name_of_its_own(documents, cluster), no_text_is_changed_on_the_way(documents, trees)])
}

/// Judges every document by the type of its kind, and all of them together by the laws. The verdict is the same for all manifests
/// of one shape.
pub(crate) fn judge(drafts: &[Draft], trees: &[Tree<'_>], cluster: &Cluster) -> Result<(), Error> {
    let objects = drafts.iter().zip(trees).map(|(draft, tree)| draft.judge(tree)).collect::<Result<Vec<_>, _>>()?;
    let workloads = workloads(&objects);
    verdict([
        workloads.iter().flat_map(workload_selects_its_own_pods).collect(),
        workloads.iter().flat_map(|workload| what_a_pod_names_is_there(workload, &objects, cluster)).collect(),
        workloads.iter().flat_map(what_is_mounted_is_a_volume).collect(),
        every_selector_selects_pods(&objects, &workloads),
        the_certificate_is_written_where_it_is_mounted(&objects, &workloads),
        a_budget_that_counts_the_absent_covers_a_workload(&objects, &workloads),
        services_lead_to_ports(&objects, &workloads),
        the_binding_binds_what_is_there(&objects),
        form::nothing_is_said_that_the_cluster_says(drafts, trees),
        form::what_is_empty_says_something(drafts, trees),
        form::every_port_says_its_protocol_and_name(drafts, trees),
    ])
}

/// Which cluster each object of a run belongs to. Both are kept as hashes, for a run may have a hundred thousand objects.
#[derive(Debug, Default)]
pub(crate) struct Owners(HashMap<u64, u64>);

impl Owners {
    /// Two clusters that claim one object would be applied over each other.
    pub(crate) fn claim(&mut self, object: &Identity, cluster: &ClusterName) -> Result<(), Error> {
        let hasher = BuildHasherDefault::<FxHasher>::default();
        let owner = hasher.hash_one(cluster);
        match self.0.insert(hasher.hash_one(object), owner) {
            Some(other) if other != owner => {
                Err(Error::Law(format!("{object} belongs to another cluster than {cluster}")))
            }
            _ => Ok(()),
        }
    }
}

fn verdict<const N: usize>(broken: [Vec<String>; N]) -> Result<(), Error> {
    match broken.into_iter().flatten().next() {
        None => Ok(()),
        Some(law) => Err(Error::Law(law)),
    }
}

fn every_object_has_a_name_of_its_own(documents: &[Document], cluster: &Cluster) -> Vec<String> {
    let mut seen = BTreeSet::new();
    let mut broken = Vec::new();
    for identity in documents.iter().map(Document::identity) {
        if identity.name.is_empty() || identity.name.len() > 63 || identity.namespace != cluster.namespace.as_ref() {
            broken.push(format!("{identity} has no name, one that is too long, or another namespace"));
        }
        if !seen.insert((&identity.kind, &identity.name)) {
            broken.push(format!("{identity} is there twice"));
        }
    }
    broken
}

fn no_text_is_changed_on_the_way(documents: &[Document], trees: &[Tree<'_>]) -> Vec<String> {
    fn is_changed(tree: &Tree<'_>) -> bool {
        match tree {
            Tree::Text(text) | Tree::Plain(text) => is_text_changed(text),
            Tree::List(elements) => elements.iter().any(is_changed),
            Tree::Map(fields) => fields.iter().any(|(_, value)| is_changed(value)),
            Tree::Null | Tree::Bool(_) | Tree::Integer(_) => false,
        }
    }
    let changed = documents.iter().zip(trees).filter(|(_, tree)| is_changed(tree));
    changed.map(|(document, _)| format!("{} has text that would not arrive as it is", document.identity())).collect()
}

/// Flux replaces `${…}` and `$$` in manifests; editors and Git's own check take blanks from the ends of lines.
fn is_text_changed(text: &str) -> bool {
    // Few texts have one of these bytes; the others are looked at once, not four times.
    text.bytes().any(|byte| matches!(byte, b'$' | b'\n' | b'\t'))
        && ["${", "$$", " \n", "\t"].iter().any(|changed| text.contains(changed))
}

fn workload_selects_its_own_pods(workload: &Workload<'_>) -> Vec<String> {
    let selector = workload.selector.match_labels.clone().unwrap_or_default();
    let fine = !selector.is_empty() && workload.is_selected_by(&selector);
    if fine { Vec::new() } else { vec![format!("{} does not select its own pods", workload.name)] }
}

fn what_a_pod_names_is_there(workload: &Workload<'_>, objects: &[Object], cluster: &Cluster) -> Vec<String> {
    let secrets = external_secrets(cluster);
    let mut broken = Vec::new();
    let mut expect = |there: bool, what: String| {
        if !there {
            broken.push(format!("{} names {what}, which is not there", workload.name));
        }
    };
    for volume in workload.pod.volumes.iter().flatten() {
        if let Some(map) = &volume.config_map {
            expect(config_map(objects, &map.name).is_some(), format!("the ConfigMap {}", map.name));
        }
        if let Some(name) = volume.secret.as_ref().and_then(|secret| secret.secret_name.as_ref()) {
            expect(secrets.contains(name), format!("the Secret {name}"));
        }
    }
    if let Some(account) = &workload.pod.service_account_name {
        let there = objects.iter().any(
            |object| matches!(object, Object::ServiceAccount(found) if found.metadata.name.as_ref() == Some(account)),
        );
        expect(there, format!("the ServiceAccount {account}"));
    }
    if let Some(name) = workload.service {
        expect(is_headless_service(objects, name), format!("the headless Service {name}"));
    }
    for script in scripts(workload.pod) {
        let there = objects.iter().any(|object| has_key(object, &script));
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

fn config_map<'d>(objects: &'d [Object], name: &str) -> Option<&'d Object> {
    objects.iter().find(|object| matches!(object, Object::ConfigMap(map) if map.metadata.name.as_deref() == Some(name)))
}

fn is_headless_service(objects: &[Object], name: &str) -> bool {
    objects.iter().any(|object| match object {
        Object::Service(service) => {
            let spec = service.spec.as_ref();
            service.metadata.name.as_deref() == Some(name)
                && spec.and_then(|spec| spec.cluster_ip.as_deref()) == Some("None")
        }
        _ => false,
    })
}

fn has_key(object: &Object, key: &str) -> bool {
    matches!(object, Object::ConfigMap(map) if map.data.as_ref().is_some_and(|data| data.contains_key(key)))
}

/// The scripts that a pod runs, by the name of the file.
fn scripts(pod: &PodSpec) -> BTreeSet<String> {
    let container = |container: &Container| {
        let probes = [&container.startup_probe, &container.liveness_probe, &container.readiness_probe];
        let hook = container
            .lifecycle
            .as_ref()
            .and_then(|lifecycle| lifecycle.pre_stop.as_ref())
            .and_then(|hook| hook.exec.as_ref());
        let probes = probes.into_iter().flatten().filter_map(|probe| probe.exec.as_ref());
        let commands = probes.chain(hook).filter_map(|exec| exec.command.as_ref()).chain(&container.command);
        let words = commands.flatten().filter_map(|word| word.strip_prefix("/etc/valkey/")).map(str::to_owned);
        words.collect::<Vec<_>>()
    };
    pod.containers.iter().flat_map(container).collect()
}

fn what_is_mounted_is_a_volume(workload: &Workload<'_>) -> Vec<String> {
    let volumes = workload.pod.volumes.iter().flatten().map(|volume| volume.name.clone());
    let there: BTreeSet<String> = volumes.chain(workload.claims.iter().cloned()).collect();
    let mounts = workload.pod.containers.iter().flat_map(|container| container.volume_mounts.iter().flatten());
    let mounted: BTreeSet<String> = mounts.map(|mount| mount.name.clone()).collect();
    there
        .symmetric_difference(&mounted)
        .map(|name| format!("{}: {name} is not both a volume and mounted", workload.name))
        .collect()
}

fn every_selector_selects_pods(objects: &[Object], workloads: &[Workload<'_>]) -> Vec<String> {
    let empty = BTreeMap::new();
    let labels =
        |selector: &Option<LabelSelector>| selector.as_ref().and_then(|selector| selector.match_labels.clone());
    let selector = |object: &Object| match object {
        Object::Service(service) => service.spec.as_ref().map(|spec| spec.selector.clone().unwrap_or_default()),
        Object::PodDisruptionBudget(budget) => budget.spec.as_ref().and_then(|spec| labels(&spec.selector)),
        Object::NetworkPolicy(policy) => policy.spec.as_ref().and_then(|spec| labels(&spec.pod_selector)),
        Object::PodMonitor(monitor) => Some(monitor.spec.selector.match_labels.clone().unwrap_or_default()),
        Object::ServiceAccount(_)
        | Object::Role(_)
        | Object::RoleBinding(_)
        | Object::Certificate(_)
        | Object::ConfigMap(_)
        | Object::StatefulSet(_)
        | Object::Deployment(_)
        | Object::PrometheusRule(_)
        | Object::ValkeyCluster(_) => None,
    };
    let selectors = objects.iter().filter_map(selector);
    let lost = |selector: &BTreeMap<String, String>| {
        *selector == empty || !workloads.iter().any(|workload| workload.is_selected_by(selector))
    };
    selectors.filter(lost).map(|selector| format!("{selector:?} selects no pods")).collect()
}

fn the_certificate_is_written_where_it_is_mounted(objects: &[Object], workloads: &[Workload<'_>]) -> Vec<String> {
    let volumes = workloads.iter().flat_map(|workload| workload.pod.volumes.iter().flatten());
    let mounted: BTreeSet<&str> =
        volumes.filter_map(|volume| volume.secret.as_ref().and_then(|secret| secret.secret_name.as_deref())).collect();
    let is_bad = |object: &&Object| match object {
        Object::Certificate(certificate) => !mounted.contains(certificate.spec.secret_name.as_str()),
        _ => false,
    };
    objects
        .iter()
        .filter(is_bad)
        .map(|_| "the certificate is written to a Secret that no pod mounts".to_owned())
        .collect()
}

/// The pods of `maxUnavailable` are counted against the whole workload: for a part of it, no eviction would ever be allowed.
fn a_budget_that_counts_the_absent_covers_a_workload(objects: &[Object], workloads: &[Workload<'_>]) -> Vec<String> {
    let covers_all = |budget: &PodDisruptionBudgetSpec| {
        workloads.iter().any(|workload| Some(workload.selector) == budget.selector.as_ref())
    };
    let is_bad = |object: &&Object| match object {
        Object::PodDisruptionBudget(budget) => {
            budget.spec.as_ref().is_some_and(|spec| spec.max_unavailable.is_some() && !covers_all(spec))
        }
        _ => false,
    };
    objects
        .iter()
        .filter(is_bad)
        .map(|_| "a budget with maxUnavailable covers a part of a workload".to_owned())
        .collect()
}

fn services_lead_to_ports(objects: &[Object], workloads: &[Workload<'_>]) -> Vec<String> {
    let containers = workloads.iter().flat_map(|workload| &workload.pod.containers);
    let ports: BTreeSet<&str> = containers
        .flat_map(|container| container.ports.iter().flatten())
        .filter_map(|port| port.name.as_deref())
        .collect();
    let mut broken = Vec::new();
    for object in objects {
        if let Object::Service(service) = object {
            for port in service.spec.iter().flat_map(|spec| spec.ports.iter().flatten()) {
                if !matches!(&port.target_port, Some(IntOrString::String(name)) if ports.contains(name.as_str())) {
                    broken.push(format!("a Service leads to the port {:?}, which no pod has", port.target_port));
                }
            }
        }
    }
    broken
}

fn the_binding_binds_what_is_there(objects: &[Object]) -> Vec<String> {
    let mut roles = BTreeSet::new();
    let mut accounts = BTreeSet::new();
    for object in objects {
        match object {
            Object::Role(role) => roles.extend(role.metadata.name.clone()),
            Object::ServiceAccount(account) => accounts.extend(account.metadata.name.clone()),
            _ => {}
        }
    }
    let bad = |object: &Object| match object {
        Object::RoleBinding(binding) => {
            let subjects = binding.subjects.iter().flatten().all(|subject| accounts.contains(&subject.name));
            !(roles.contains(&binding.role_ref.name) && subjects && binding.subjects.is_some())
        }
        _ => false,
    };
    objects.iter().filter(|object| bad(object)).map(|_| "the RoleBinding binds what is not there".to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manifest;

    const SPEC: &str = "apiVersion: valkey-gitops.dev/v1alpha1\nkind: ValkeyCluster\nmetadata: {name: a, namespace: b}\nspec:\n  \
                        version: \"9.1\"\n  tls: {issuerRef: {name: ca}}\n  auth: {passwordSecret: {name: s}}\n  \
                        disruptionBudget: PerShard\n  monitoring: {podMonitor: true}\n";

    /// What the laws say of a manifest in which the text of one template is changed.
    fn verdict(template: &str, from: &str, to: &str) -> String {
        let cluster = spec::read(SPEC, None).unwrap().remove(0).cluster;
        let mut drafts = manifest::write(&cluster, crate::DesiredState::ConfigMap).unwrap();
        let draft = drafts.iter_mut().find(|draft| draft.template == template).unwrap();
        assert!(draft.text.contains(from), "{}", draft.text);
        draft.text = draft.text.replace(from, to);
        let trees: Vec<Tree<'_>> = drafts.iter().map(|draft| draft.tree().unwrap()).collect();
        let of = |(draft, tree): (&Draft, _)| Document::of(draft.kind, tree).unwrap();
        let documents: Vec<Document> = drafts.iter().zip(&trees).map(of).collect();
        let judged = judge_texts(&documents, &trees, &cluster).and_then(|()| judge(&drafts, &trees, &cluster));
        judged.map_or_else(|error| error.to_string(), |()| "lawful".to_owned())
    }

    #[test]
    fn every_law_is_broken_by_what_it_is_about() {
        let broken = [
            ("service.yaml", r#"name: "a""#, "name: \"\"", "has no name"),
            ("service.yaml", r#"namespace: "b""#, r#"namespace: "c""#, "another namespace"),
            ("service.yaml", r#"name: "a""#, r#"name: "a-nodes""#, "is there twice"),
            ("service.yaml", r#""valkey-render""#, r#""$${x}""#, "would not arrive as it is"),
            ("config-map.yaml", r"set -eu\n", r"set -eu \n", "would not arrive as it is"),
            ("config-map.yaml", r#""start.sh""#, r#""begin.sh""#, "the script start.sh"),
            ("config-map.yaml", r#"name: "a-config""#, r#"name: "a-settings""#, "the ConfigMap a-config"),
            ("service-account.yaml", r#"name: "a-agent""#, r#"name: "agent""#, "the ServiceAccount a-agent"),
            ("service-nodes.yaml", "clusterIP: None", "clusterIP: null", "the headless Service a-nodes"),
            ("stateful-set.yaml", r#"secretName: "s""#, r#"secretName: "t""#, "the Secret t"),
            (
                "stateful-set.yaml",
                "- name: run\n          mountPath",
                "- name: ran\n          mountPath",
                "ran is not both",
            ),
            ("agent-deployment.yaml", "matchLabels: {\"app", "matchLabels: {\"no", "does not select its own pods"),
            ("service.yaml", "selector: {\"app", "selector: {\"no", "selects no pods"),
            ("network-policy.yaml", "matchLabels: {\"app", "matchLabels: {\"no", "selects no pods"),
            ("pod-monitor.yaml", "matchLabels: {\"app", "matchLabels: {\"no", "selects no pods"),
            ("certificate.yaml", r#"secretName: "a-tls""#, r#"secretName: "b-tls""#, "a Secret that no pod mounts"),
            ("pod-disruption-budget.yaml", "minAvailable:", "maxUnavailable:", "covers a part of a workload"),
            ("service.yaml", "targetPort: tcp-client", "targetPort: tcp", "leads to the port"),
            ("role-binding.yaml", r#"name: "a-agent""#, r#"name: "agent""#, "binds what is not there"),
            ("service.yaml", "type: ClusterIP", "type: null", "for the cluster to say"),
            ("service.yaml", "spec:\n", "status: {}\nspec:\n", "for the cluster to say"),
            ("config-map.yaml", "metadata:\n", "metadata:\n  uid: \"1\"\n", "for the cluster to say"),
            ("stateful-set.yaml", "    metadata:\n", "    metadata:\n      generation: 1\n", "for the cluster to say"),
            ("service.yaml", "spec:\n", "spec:\n  externalIPs: []\n", "an empty externalIPs"),
            (
                "stateful-set.yaml",
                "      containers:\n",
                "      nodeSelector: {}\n      containers:\n",
                "an empty nodeSelector",
            ),
            ("network-policy.yaml", "\n      protocol: TCP", "", "a port without a protocol"),
            ("service.yaml", "protocol: TCP", "appProtocol: tcp", "a port without a protocol"),
            (
                "agent-deployment.yaml",
                "- name: http-metrics\n          containerPort",
                "- containerPort",
                "a protocol or a name",
            ),
        ];
        for (template, from, to, law) in broken {
            let said = verdict(template, from, to);
            assert!(said.contains(law), "{template} with {to}: {said}");
        }
    }

    #[test]
    fn a_text_is_changed_for_each_reason_by_itself() {
        for text in ["a${b}", "a$$", "a \nb", "a\tb"] {
            assert!(is_text_changed(text), "{text:?}");
        }
        for text in ["", "a", "$a", "a$", "{a}", "a\nb\n", " a b ", "a\n b"] {
            assert!(!is_text_changed(text), "{text:?}");
        }
    }

    #[test]
    fn an_object_belongs_to_one_cluster_of_a_run() {
        let cluster = spec::read(SPEC, None).unwrap().remove(0).cluster;
        let drafts = manifest::write(&cluster, crate::DesiredState::ConfigMap).unwrap();
        let identity = Identity::of(&drafts[0].tree().unwrap());
        let mut owners = Owners::default();
        assert!(owners.claim(&identity, &cluster.name).is_ok() && owners.claim(&identity, &cluster.name).is_ok());
        let said = owners.claim(&identity, &"b".parse().unwrap()).unwrap_err().to_string();
        assert!(said.contains("belongs to another cluster"), "{said}");
    }

    #[test]
    fn what_is_rendered_breaks_none() {
        assert_eq!(verdict("service.yaml", "ClusterIP", "ClusterIP"), "lawful");
    }
}
