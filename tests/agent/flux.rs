//! What Flux does with its Kustomizations: each is built of its source, with its patches, and applied once those that it depends on are
//! ready; it is ready itself when all that it has applied is.
//!
//! <https://fluxcd.io/flux/components/kustomize/kustomizations/>

use std::fs;
use std::path::Path;

use serde_json::{Value, json};
use support::{flux_health, kstatus, root};

use crate::controllers::{Workshop, copy, is_ready};

/// The project itself, as a source.
const PROJECT: &str = "valkey-gitops";

/// Looks at each Kustomization once.
pub(crate) fn flux(workshop: &Workshop) -> Result<(), String> {
    let list = workshop.get("kustomizations --namespace flux-system")?;
    let all = list["items"].as_array().cloned().unwrap_or_default();
    let is_ready = |name: &Value| all.iter().any(|one| one["metadata"]["name"] == *name && kstatus(one) == "Current");
    for one in &all {
        let needed = one["spec"]["dependsOn"].as_array().cloned().unwrap_or_default();
        if needed.iter().all(|other| is_ready(&other["name"])) {
            // What keeps one from being ready keeps no other that does not wait for it.
            let is_ready = reconcile(workshop, one).unwrap_or(false);
            say(workshop, one, is_ready)?;
        }
    }
    Ok(())
}

fn say(workshop: &Workshop, kustomization: &Value, is_ready: bool) -> Result<(), String> {
    let generation = &kustomization["metadata"]["generation"];
    let ready = if is_ready { "True" } else { "Unknown" };
    let condition = json!({"type": "Ready", "status": ready, "observedGeneration": generation});
    let status = json!({"observedGeneration": generation, "conditions": [condition]});
    let name = kustomization["metadata"]["name"].as_str().unwrap_or_default();
    workshop.say(&format!("kustomization/{name} --namespace flux-system"), &status)
}

/// Applies what a Kustomization is of, and tells whether all of it is well.
fn reconcile(workshop: &Workshop, kustomization: &Value) -> Result<bool, String> {
    let spec = &kustomization["spec"];
    let build = tempfile::tempdir().unwrap();
    fetch(workshop, &spec["sourceRef"], &build.path().join("artifact"))?;
    let path = Path::new("artifact").join(spec["path"].as_str().unwrap_or_default());
    let patches = spec["patches"].as_array().cloned().unwrap_or_default();
    let whole = json!({"resources": [path], "patches": patches});
    fs::write(build.path().join("kustomization.yaml"), whole.to_string()).unwrap();
    let objects = workshop.sh(&format!("kustomize build {}", build.path().display()))?;
    if objects.is_empty() {
        // A stage may have nothing in it, which is well.
        return Ok(true);
    }
    workshop.apply("kustomize-controller", &objects)?;
    let objects: Vec<Value> = serde_saphyr::from_multiple(&objects).map_err(|error| error.to_string())?;
    objects.iter().try_fold(true, |well, object| Ok(is_well(workshop, object, &spec["healthCheckExprs"])? && well))
}

/// Has what a source holds in a folder.
fn fetch(workshop: &Workshop, source: &Value, to: &Path) -> Result<(), String> {
    let word = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let [kind, name] = ["kind", "name"].map(|field| word(&source[field]));
    let found = workshop.get(&format!("{kind}/{name} --namespace flux-system"))?;
    let reference = &found["spec"]["ref"];
    if name == PROJECT {
        fs::create_dir(to).unwrap();
        return copy(&root().join("deploy"), &to.join("deploy"));
    }
    if kind == "OCIRepository" {
        return copy(&workshop.folder.join(".registry").join(word(&reference["tag"])), to);
    }
    let branch = word(&reference["branch"]);
    workshop.sh(&format!("git clone --quiet --branch {branch} ../origin.git {}", to.display())).map(drop)
}

/// Whether an object is as it should be, as it is now.
fn is_well(workshop: &Workshop, applied: &Value, expressions: &Value) -> Result<bool, String> {
    let word = |field: &str| applied["metadata"][field].as_str().unwrap_or_default().to_owned();
    let [kind, group] = ["kind", "apiVersion"].map(|field| applied[field].as_str().unwrap_or_default());
    let group = group.split_once('/').map_or(String::new(), |(group, _)| format!(".{group}"));
    let space = Some(word("namespace")).filter(|space| !space.is_empty());
    let space = space.map_or(String::new(), |space| format!(" --namespace {space}"));
    let object = workshop.get(&format!("{kind}{group}/{}{space}", word("name")))?;
    let is_of = |one: &&Value| one["apiVersion"] == applied["apiVersion"] && one["kind"] == applied["kind"];
    if let Some(expression) = expressions.as_array().into_iter().flatten().find(is_of) {
        return Ok(flux_health(expression, &object) == "Current");
    }
    Ok(match kind {
        "Deployment" => is_ready(&object),
        _ => kstatus(&object) == "Current",
    })
}
