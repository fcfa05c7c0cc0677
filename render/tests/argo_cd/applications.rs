//! The examples that are shipped, Applications and a set of them, carried out.

use std::fs;
use std::process::Command;

use serde_json::{Value, json};

use crate::controller::Target;
use crate::server::Environment;
use crate::upload::Upload;
use crate::{Argo, example, generating, root, with_parameters};

fn shipped_example(name: &str) -> Value {
    let text = fs::read_to_string(root().join("deploy/argocd/examples").join(name)).unwrap();
    serde_saphyr::from_str(&text).unwrap()
}

/// What the repo-server and the controller make of an Application.
fn carried_out(argo: &Argo, application: &Value) -> Result<Target, String> {
    let source = &application["spec"]["source"];
    assert_eq!(source["plugin"]["name"], argo.server.plugin.metadata.name.as_str());
    let namespace = application["spec"]["destination"]["namespace"].as_str().unwrap();
    let upload: Upload = argo.upload(source["path"].as_str().unwrap());
    let parameters = source["plugin"]["parameters"].to_string();
    let environment: Environment = with_parameters(generating(namespace), &parameters);
    let ran = argo.server.generate(&upload, &environment)?;
    Target::of(&ran.stdout, application["metadata"]["name"].as_str().unwrap(), namespace)
}

#[test]
fn the_application_renders_its_cluster() {
    let target = carried_out(&Argo::new(), &shipped_example("application.yaml")).unwrap();
    assert_eq!(target.objects.len(), 16);
}

/// The same of one whose source is a folder of manifests: what the pattern includes of it is read as it is.
fn carried_out_without_plugin(argo: &Argo, application: &Value) -> Result<Target, String> {
    let source = &application["spec"]["source"];
    assert_eq!((source.get("plugin"), &source["directory"]), (None, &json!({"include": "*.yaml"})));
    let entries = fs::read_dir(argo.path(source["path"].as_str().unwrap())).unwrap();
    let mut files: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    files.retain(|file| file.extension().is_some_and(|extension| extension == "yaml"));
    let text: String = files.iter().map(|file| format!("---\n{}", fs::read_to_string(file).unwrap())).collect();
    let namespace = application["spec"]["destination"]["namespace"].as_str().unwrap();
    Target::of(&text, application["metadata"]["name"].as_str().unwrap(), namespace)
}

#[test]
fn the_application_of_rendered_files_makes_what_the_plugin_would() {
    let argo = Argo::new();
    let page = fs::read_to_string(root().join("docs/argo-cd.md")).unwrap();
    let words = "valkey-render render clusters/sessions --argocd-waves -o rendered/sessions/";
    assert!(page.contains(&format!("$ {words}\n")));
    let arguments = words.split(' ').skip(1);
    let mut render = Command::new(env!("CARGO_BIN_EXE_valkey-render"));
    assert!(render.args(arguments).current_dir(argo.path("")).status().unwrap().success());
    let [rendered, plugin] = ["application-rendered.yaml", "application.yaml"].map(shipped_example);
    let target = carried_out_without_plugin(&argo, &rendered).unwrap();
    assert_eq!(target, carried_out(&argo, &plugin).unwrap());
    for field in ["destination", "syncPolicy", "project"] {
        assert_eq!(rendered["spec"][field], plugin["spec"][field], "{field}");
    }
}

/// Kinds of cert-manager may come later than what needs them.
#[test]
fn every_application_is_tried_again_without_end() {
    let set = shipped_example("application-set.yaml")["spec"]["template"].take();
    let applications = ["application.yaml", "application-rendered.yaml"].map(shipped_example);
    for application in applications.iter().chain([&set]) {
        let retry = json!({"limit": -1, "backoff": {"duration": "5s", "factor": 2, "maxDuration": "3m"}});
        assert_eq!(application["spec"]["syncPolicy"]["retry"], retry);
    }
}

/// The Application that is stamped for a file: fields of the template are those of the file, and its place.
fn stamped(template: &Value, file: &Value, path: &str) -> Value {
    let (folder, name) = path.rsplit_once('/').unwrap();
    let mut text = template.to_string();
    while let Some((before, rest)) = text.split_once("{{") {
        let (field, after) = rest.split_once("}}").unwrap();
        let value = match field.trim() {
            ".path.path" => folder,
            ".path.filename" => name,
            other => file.pointer(&other.replace('.', "/")).unwrap_or_else(|| panic!("{other}")).as_str().unwrap(),
        };
        text = format!("{before}{value}{after}");
    }
    serde_json::from_str(&text).unwrap()
}

#[test]
fn the_set_has_an_application_for_every_spec_of_a_folder() {
    let argo = Argo::new();
    let set = shipped_example("application-set.yaml");
    let pattern = set["spec"]["generators"][0]["git"]["files"][0]["path"].as_str().unwrap();
    let folder = pattern.strip_suffix("/*.yaml").unwrap();
    let mut names = Vec::new();
    for name in ["production", "minimal", "every-field"] {
        let path = format!("{folder}/{name}.yaml");
        argo.write(&path, &example(name));
        let spec: Value = serde_saphyr::from_str(&example(name)).unwrap();
        let application = stamped(&set["spec"]["template"], &spec, &path);
        let target = carried_out(&argo, &application).unwrap();
        let cluster = spec["metadata"]["name"].as_str().unwrap();
        assert!(target.objects.keys().all(|(_, _, _, object)| object.starts_with(cluster)), "{name}");
        names.push(application["metadata"]["name"].clone());
    }
    names.dedup();
    assert_eq!(names.len(), 3, "{names:?}");
}
