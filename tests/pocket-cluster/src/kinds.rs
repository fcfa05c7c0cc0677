//! Which kinds are served, and under which paths.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::json::{flag, items, text};
use crate::store::Store;

/// One kind in one version of its group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Kind {
    pub(crate) group: String,
    pub(crate) version: String,
    pub(crate) name: String,
    pub(crate) plural: String,
    pub(crate) short: Vec<String>,
    pub(crate) is_namespaced: bool,
    pub(crate) subresources: Vec<Subresource>,
    /// The columns that a definition adds, and the paths of their values.
    pub(crate) columns: Vec<(String, String)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Subresource {
    Status,
    Scale,
    Eviction,
    Log,
    Exec,
    PortForward,
}

impl Subresource {
    pub(crate) const ALL: [Self; 6] =
        [Self::Status, Self::Scale, Self::Eviction, Self::Log, Self::Exec, Self::PortForward];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Status => "status",
            Self::Scale => "scale",
            Self::Eviction => "eviction",
            Self::Log => "log",
            Self::Exec => "exec",
            Self::PortForward => "portforward",
        }
    }
}

impl Kind {
    fn builtin(group_version: &str, kind: &str, plural: &str, short: &str) -> Self {
        let (group, version) = group_version.split_once('/').unwrap_or(("", group_version));
        Self {
            group: group.to_owned(),
            version: version.to_owned(),
            name: kind.to_owned(),
            plural: plural.to_owned(),
            short: short.split_whitespace().map(str::to_owned).collect(),
            is_namespaced: true,
            subresources: Vec::new(),
            columns: Vec::new(),
        }
    }

    fn without_namespace(mut self) -> Self {
        self.is_namespaced = false;
        self
    }

    fn with(mut self, subresources: &[Subresource]) -> Self {
        self.subresources = subresources.to_vec();
        self
    }

    pub(crate) fn api_version(&self) -> String {
        if self.group.is_empty() { self.version.clone() } else { format!("{}/{}", self.group, self.version) }
    }

    /// How the store and RBAC call it. Events have two groups and are stored once.
    pub(crate) fn resource(&self) -> String {
        match self.group.as_str() {
            "" | "events.k8s.io" => self.plural.clone(),
            group => format!("{}.{group}", self.plural),
        }
    }

    pub(crate) fn singular(&self) -> String {
        self.name.to_lowercase()
    }
}

/// Every kind that is served: those that are built in, and those of stored definitions.
pub(crate) fn all(store: &Store) -> Vec<Arc<Kind>> {
    let definitions = store.all("customresourcedefinitions.apiextensions.k8s.io");
    let custom = definitions.iter().flat_map(|definition| of_definition(definition));
    builtin().into_iter().chain(custom).map(Arc::new).collect()
}

fn builtin() -> Vec<Kind> {
    use Subresource::{Eviction, Exec, Log, PortForward, Scale, Status};
    let kind = Kind::builtin;
    vec![
        kind("v1", "Namespace", "namespaces", "ns").without_namespace().with(&[Status]),
        kind("v1", "Node", "nodes", "no").without_namespace().with(&[Status]),
        kind("v1", "Pod", "pods", "po").with(&[Status, Eviction, Log, Exec, PortForward]),
        kind("v1", "Service", "services", "svc").with(&[Status]),
        kind("v1", "ConfigMap", "configmaps", "cm"),
        kind("v1", "Secret", "secrets", ""),
        kind("v1", "ServiceAccount", "serviceaccounts", "sa"),
        kind("v1", "PersistentVolumeClaim", "persistentvolumeclaims", "pvc").with(&[Status]),
        kind("v1", "ResourceQuota", "resourcequotas", "quota"),
        kind("v1", "Event", "events", "ev"),
        kind("events.k8s.io/v1", "Event", "events", "ev"),
        kind("apps/v1", "StatefulSet", "statefulsets", "sts").with(&[Status, Scale]),
        kind("apps/v1", "Deployment", "deployments", "deploy").with(&[Status, Scale]),
        kind("apps/v1", "ControllerRevision", "controllerrevisions", ""),
        kind("policy/v1", "PodDisruptionBudget", "poddisruptionbudgets", "pdb").with(&[Status]),
        kind("networking.k8s.io/v1", "NetworkPolicy", "networkpolicies", "netpol"),
        kind("rbac.authorization.k8s.io/v1", "Role", "roles", ""),
        kind("rbac.authorization.k8s.io/v1", "RoleBinding", "rolebindings", ""),
        kind("coordination.k8s.io/v1", "Lease", "leases", ""),
        kind("cert-manager.io/v1", "Certificate", "certificates", "cert certs").with(&[Status]),
        kind("monitoring.coreos.com/v1", "PodMonitor", "podmonitors", "pmon"),
        kind("monitoring.coreos.com/v1", "PrometheusRule", "prometheusrules", "promrule"),
        kind("apiextensions.k8s.io/v1", "CustomResourceDefinition", "customresourcedefinitions", "crd crds")
            .without_namespace()
            .with(&[Status]),
    ]
}

/// The kinds that a definition adds, one for each version that it serves.
/// <https://kubernetes.io/docs/tasks/extend-kubernetes/custom-resources/custom-resource-definitions/>
fn of_definition(definition: &Value) -> Vec<Kind> {
    let served = items(definition, "/spec/versions").iter().filter(|version| flag(version, "/served") == Some(true));
    served
        .map(|version| Kind {
            group: text(definition, "/spec/group").to_owned(),
            version: text(version, "/name").to_owned(),
            name: text(definition, "/spec/names/kind").to_owned(),
            plural: text(definition, "/spec/names/plural").to_owned(),
            short: items(definition, "/spec/names/shortNames")
                .iter()
                .filter_map(|name| name.as_str().map(str::to_owned))
                .collect(),
            is_namespaced: text(definition, "/spec/scope") == "Namespaced",
            subresources: [Subresource::Status, Subresource::Scale]
                .into_iter()
                .filter(|subresource| version.pointer(&format!("/subresources/{}", subresource.name())).is_some())
                .collect(),
            columns: items(version, "/additionalPrinterColumns")
                .iter()
                .map(|column| (text(column, "/name").to_owned(), text(column, "/jsonPath").to_owned()))
                .collect(),
        })
        .collect()
}

/// What `kubectl get all` asks for. <https://kubernetes.io/docs/reference/kubectl/generated/kubectl_get/>
const IN_ALL: [&str; 5] = ["Deployment", "Pod", "ReplicaSet", "Service", "StatefulSet"];

/// The kind as discovery lists it, followed by its subresources.
pub(crate) fn describe(kind: &Kind) -> Vec<Value> {
    let mut described = vec![json!({
        "name": kind.plural,
        "singularName": kind.singular(),
        "namespaced": kind.is_namespaced,
        "kind": kind.name,
        "verbs": ["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"],
        "shortNames": kind.short,
        "categories": if IN_ALL.contains(&kind.name.as_str()) { vec!["all"] } else { Vec::new() },
    })];
    described.extend(kind.subresources.iter().map(|subresource| {
        let name = format!("{}/{}", kind.plural, subresource.name());
        let (kind_name, group, version, verbs) = match subresource {
            Subresource::Status => (kind.name.as_str(), "", "", json!(["get", "patch", "update"])),
            Subresource::Scale => ("Scale", "autoscaling", "v1", json!(["get", "patch", "update"])),
            Subresource::Eviction => ("Eviction", "policy", "v1", json!(["create"])),
            Subresource::Log => ("Pod", "", "", json!(["get"])),
            Subresource::Exec => ("PodExecOptions", "", "", json!(["create", "get"])),
            Subresource::PortForward => ("PodPortForwardOptions", "", "", json!(["create", "get"])),
        };
        let mut value = json!({
            "name": name, "singularName": "", "namespaced": kind.is_namespaced, "kind": kind_name, "verbs": verbs,
        });
        if !version.is_empty() {
            crate::json::set(&mut value, "/group", group);
            crate::json::set(&mut value, "/version", version);
        }
        value
    }));
    described
}
