//! What Flux and Argo CD do with the objects that the documents have people apply, as far as a page waits for it: they fetch, build and
//! apply, and say when what they have applied is healthy. Their own kinds are known, and nothing else of them is there. What Flux does
//! stands in `flux.rs`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{JoinHandle, sleep, spawn};
use std::time::Duration;

use serde_json::{Value, json};
use support::root;

/// Somebody who looks again and again whether there is something to do, until dropped.
pub(crate) struct Controller {
    over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Controller {
    pub(crate) fn begin(look: impl Fn() -> Result<(), String> + Send + 'static) -> Self {
        let over = Arc::new(AtomicBool::new(false));
        let is_over = Arc::clone(&over);
        let thread = spawn(move || {
            while !is_over.load(Ordering::Relaxed) {
                // What is not there yet comes, and whoever waits for it tells if it does not.
                let _ = look();
                sleep(Duration::from_millis(500));
            }
        });
        Self { over, thread: Some(thread) }
    }
}

impl Drop for Controller {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

/// A folder with what a page takes for granted, and kubectl for its cluster.
#[derive(Clone)]
pub(crate) struct Workshop {
    pub(crate) folder: PathBuf,
    pub(crate) programs: PathBuf,
    pub(crate) kubeconfig: PathBuf,
}

impl Workshop {
    /// A command with the programs of the page on its path.
    pub(crate) fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        let path = format!("{}:{}", self.programs.display(), std::env::var("PATH").unwrap());
        let nobody = ["GIT_AUTHOR_NAME", "GIT_COMMITTER_NAME", "GIT_AUTHOR_EMAIL", "GIT_COMMITTER_EMAIL"];
        command
            .current_dir(&self.folder)
            .env("PATH", path)
            .env("KUBECONFIG", &self.kubeconfig)
            .env("HOME", &self.folder)
            .envs(nobody.map(|name| (name, "test@example.com")));
        command
    }

    /// What a script says, run here.
    pub(crate) fn sh(&self, script: &str) -> Result<String, String> {
        let output = self.command("sh").args(["-euc", script]).output().unwrap();
        let said = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        if output.status.success() { Ok(said(&output.stdout)) } else { Err(said(&output.stderr)) }
    }

    /// An object, as `kubectl get` says it.
    pub(crate) fn get(&self, words: &str) -> Result<Value, String> {
        serde_json::from_str(&self.sh(&format!("kubectl get {words} --output json"))?)
            .map_err(|error| error.to_string())
    }

    pub(crate) fn apply(&self, manager: &str, objects: &str) -> Result<(), String> {
        let file = self.folder.join(format!(".{manager}.yaml"));
        fs::write(&file, objects).unwrap();
        self.sh(&format!(
            "kubectl apply --server-side --force-conflicts --field-manager {manager} -f {}",
            file.display()
        ))
        .map(drop)
    }

    pub(crate) fn say(&self, object: &str, status: &Value) -> Result<(), String> {
        let patch = json!({"status": status});
        self.sh(&format!("kubectl patch {object} --subresource status --type merge --patch '{patch}'")).map(drop)
    }

    /// Whether there are Deployments in the namespace, and all are ready for their latest spec.
    fn is_healthy(&self, namespace: &str) -> Result<bool, String> {
        let list = self.get(&format!("deployments --namespace {namespace}"))?;
        let all = list["items"].as_array().cloned().unwrap_or_default();
        Ok(!all.is_empty() && all.iter().all(is_ready))
    }
}

/// Whether a Deployment is ready for its latest spec.
pub(crate) fn is_ready(deployment: &Value) -> bool {
    let (status, spec) = (&deployment["status"], &deployment["spec"]);
    status["readyReplicas"] == spec["replicas"] && status["observedGeneration"] == deployment["metadata"]["generation"]
}

/// Has the API server know a kind, whatever stands in its objects.
pub(crate) fn kind(group: &str, version: &str, kind: &str, scope: &str) -> String {
    let singular = kind.to_lowercase();
    let plural = if singular.ends_with('y') { singular.replace("tory", "tories") } else { format!("{singular}s") };
    let schema = json!({"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": true}});
    let version =
        json!({"name": version, "served": true, "storage": true, "schema": schema, "subresources": {"status": {}}});
    json!({
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": format!("{plural}.{group}")},
        "spec": {"group": group, "scope": scope, "names": {"kind": kind, "plural": plural}, "versions": [version]},
    })
    .to_string()
}

/// What Argo CD does for the Application: what the plugin's own command makes of a copy of its folder, or the files that stand there.
pub(crate) fn argo_cd(workshop: &Workshop) -> Result<(), String> {
    let named = "application/sessions --namespace argocd";
    let spec = workshop.get(named)?["spec"].take();
    let copied = tempfile::tempdir().unwrap();
    workshop.sh(&format!("git clone --quiet ../origin.git {}/all", copied.path().display()))?;
    let folder = copied.path().join("all").join(spec["source"]["path"].as_str().unwrap_or_default());
    let objects = match spec["source"].get("plugin") {
        Some(plugin) => by_plugin(workshop, &folder, &spec, plugin)?,
        None => workshop.sh(&format!("for file in {}/*.yaml; do echo ---; cat $file; done", folder.display()))?,
    };
    workshop.apply("argocd-controller", &objects)?;
    let health = if workshop.is_healthy("shop")? { "Healthy" } else { "Progressing" };
    workshop.say(named, &json!({"health": {"status": health}}))
}

fn by_plugin(workshop: &Workshop, folder: &Path, spec: &Value, plugin: &Value) -> Result<String, String> {
    let file = fs::read_to_string(root().join("deploy/argocd/plugin.yaml")).unwrap();
    let shipped: Value = serde_saphyr::from_str(&file).unwrap();
    let words =
        ["command", "args"].map(|part| shipped["spec"]["generate"][part].as_array().cloned().unwrap_or_default());
    let words: Vec<String> = words.concat().iter().filter_map(Value::as_str).map(str::to_owned).collect();
    let (program, arguments) = words.split_first().ok_or("no command")?;
    let output = workshop
        .command(program)
        .args(arguments)
        .current_dir(folder)
        .env("ARGOCD_APP_NAME", "sessions")
        .env("ARGOCD_APP_NAMESPACE", spec["destination"]["namespace"].as_str().unwrap_or_default())
        .env("ARGOCD_APP_PARAMETERS", plugin["parameters"].to_string())
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let said = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    if output.status.success() { Ok(said(&output.stdout)) } else { Err(said(&output.stderr)) }
}

/// Copies a folder with all that is in it.
pub(crate) fn copy(from: &Path, to: &Path) -> Result<(), String> {
    let status = Command::new("cp").arg("-r").args([from, to]).stderr(Stdio::null()).status();
    if status.is_ok_and(|status| status.success()) { Ok(()) } else { Err(format!("no {}", from.display())) }
}
