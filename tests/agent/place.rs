//! Where a story plays: in a pocket Kubernetes of its own or, where `KUBECONFIG` is set, in a namespace of its own on the cluster
//! that it names. Nothing but kubectl reaches that one, and what kubectl cannot do there leaves a story out.

use std::env;
use std::path::PathBuf;
use std::process::Command;

use pocket_cluster::{Fault, Options, Pocket, Said};
use serde_json::{Value, json};
use support::{root, with};

use crate::namespace::{Namespace, leave_out};

pub(crate) enum Place {
    Pocket(Pocket),
    Namespace(Namespace),
}

/// A program that was built together with this one.
fn program(name: &str) -> PathBuf {
    env::current_exe().unwrap().ancestors().nth(2).unwrap().join(name)
}

/// The agent that the environment names, as the one that is shipped, or else the one that was built together with this program.
pub(crate) fn agent() -> PathBuf {
    let named = env::var_os("VALKEY_TOPOLOGY_AGENT").map(|path| root().join(path));
    let agent = named.unwrap_or_else(|| program("valkey-topology-agent"));
    assert!(agent.exists(), "there is no {}: run `make build`", agent.display());
    agent
}

/// A pocket that has all images.
pub(crate) fn options() -> Options {
    let servers = env::var_os("VALKEY_SERVERS").map_or_else(|| root().join("target/valkey"), PathBuf::from);
    assert!(servers.join("9.1/valkey-server").exists(), "{} has no servers: run `make servers`", servers.display());
    Options::new(program("pocket-cluster"))
        .with_image("valkey/valkey", servers.join("{series}"))
        .with_image("valkey-gitops/valkey-topology-agent", agent().parent().unwrap())
        .with_image("valkey-gitops/witness", program("witness").parent().unwrap())
}

fn pocket_kubectl(pocket: &Pocket) -> Command {
    let mut kubectl = Command::new("kubectl");
    kubectl.env("KUBECONFIG", pocket.kubeconfig()).env("HOME", pocket.folder());
    kubectl
}

/// Whether stories play on a cluster that is there already.
pub(crate) fn is_elsewhere() -> bool {
    env::var_os("KUBECONFIG").is_some_and(|path| !path.is_empty())
}

/// What a variable of the environment says that has to say something elsewhere.
fn needed(variable: &str, what: &str) -> String {
    let value = env::var(variable).unwrap_or_default();
    assert!(
        !value.is_empty(),
        "KUBECONFIG names a cluster: set {variable} to {what} that it can pull, or unset KUBECONFIG"
    );
    value
}

/// Has the spec name an agent and an issuer that are there.
fn suit(spec: &mut Value) {
    with(spec, &[("/spec/agent/image", json!(needed("AGENT_IMAGE", "an image of the agent")))]);
    if spec.pointer("/spec/tls/issuerRef").is_some() {
        let Ok(issuer) = env::var("CLUSTER_ISSUER") else {
            leave_out("it needs certificates: set CLUSTER_ISSUER to the name of a ClusterIssuer");
        };
        with(spec, &[("/spec/tls/issuerRef", json!({"name": issuer, "kind": "ClusterIssuer"}))]);
    }
}

impl Place {
    /// A place for the cluster of this spec, which then stands in it.
    pub(crate) fn of(spec: &mut Value) -> Self {
        if !is_elsewhere() {
            return Self::Pocket(Pocket::start(&options()).unwrap());
        }
        // Before anything is made there.
        suit(spec);
        let namespace = Namespace::begin();
        with(spec, &[("/metadata/namespace", json!(namespace.name()))]);
        Self::Namespace(namespace)
    }

    /// A pocket in which each pod has a clock of its own. The agent that is shipped is linked statically, and goes by no other clock than
    /// the machine's: here runs the one that was built together with this program.
    pub(crate) fn with_clocks() -> Self {
        if is_elsewhere() {
            leave_out("hosts have one clock");
        }
        let (mut options, agent) = (options().with_clocks(), "valkey-gitops/valkey-topology-agent");
        options.images.retain(|(image, _)| image != agent);
        let options = options.with_image(agent, program("valkey-topology-agent").parent().unwrap());
        Self::Pocket(Pocket::start(&options).unwrap())
    }

    pub(crate) fn namespace(&self) -> &str {
        match self {
            Self::Pocket(_) => "default",
            Self::Namespace(namespace) => namespace.name(),
        }
    }

    /// What nothing but a pocket can do.
    pub(crate) fn pocket(&self) -> &Pocket {
        match self {
            Self::Pocket(pocket) => pocket,
            Self::Namespace(_) => leave_out("it needs a cluster of its own"),
        }
    }

    pub(crate) fn witness_image(&self) -> String {
        match self {
            Self::Pocket(_) => "valkey-gitops/witness:1".to_owned(),
            Self::Namespace(_) => needed("WITNESS_IMAGE", "an image of the witness"),
        }
    }

    /// What kubectl says, and what it complains about.
    pub(crate) fn kubectl(&self, line: &str) -> String {
        let words: Vec<&str> = line.split_whitespace().collect();
        let output = match self {
            Self::Pocket(pocket) => pocket_kubectl(pocket).args(words).output().unwrap(),
            Self::Namespace(namespace) => namespace.run(&words),
        };
        format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
    }

    pub(crate) fn apply(&self, manifest: &str) -> Result<(), String> {
        match self {
            Self::Pocket(pocket) => pocket.apply(manifest).map_err(|error| error.to_string()),
            Self::Namespace(namespace) => namespace.apply(manifest),
        }
    }

    /// What stands at a path of the API.
    pub(crate) fn get(&self, path: &str) -> Result<Value, String> {
        match self {
            Self::Pocket(pocket) => pocket.get(path).map_err(|error| error.to_string()),
            Self::Namespace(namespace) => namespace.get(path),
        }
    }

    /// What a command in a pod says; an error where the pod does not run.
    pub(crate) fn exec(&self, pod: &str, command: &[&str]) -> Result<Said, String> {
        match self {
            Self::Pocket(pocket) => pocket.exec(pod, command).map_err(|error| error.to_string()),
            Self::Namespace(namespace) => namespace.exec(pod, command),
        }
    }

    pub(crate) fn inject(&self, fault: &Fault) -> Result<(), String> {
        match self {
            Self::Pocket(pocket) => pocket.inject(fault).map_err(|error| error.to_string()),
            Self::Namespace(namespace) => namespace.inject(fault),
        }
    }
}
