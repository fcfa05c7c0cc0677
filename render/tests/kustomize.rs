//! The function in the hands of real kustomize, and what `deploy/` has for it. `make kustomize` fetches it.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test that cannot go on has failed")]

mod support;

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};
use support::{files, root, run, run_with_input, text};
use tempfile::TempDir;

const VERSIONS: [&str; 2] = ["5.6", "5.8"];

/// A folder with a copy of `deploy/`, in which kustomize finds the function.
struct Workshop {
    folder: TempDir,
}

impl Workshop {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("bin")).unwrap();
        for name in ["valkey-render", "valkey-render-fn"] {
            symlink(env!("CARGO_BIN_EXE_valkey-render"), folder.path().join("bin").join(name)).unwrap();
        }
        copy(&root().join("deploy"), &folder.path().join("deploy"));
        Self { folder }
    }

    fn path(&self, path: &str) -> PathBuf {
        self.folder.path().join(path)
    }

    fn write(&self, path: &str, text: &str) {
        fs::create_dir_all(self.path(path).parent().unwrap()).unwrap();
        fs::write(self.path(path), text).unwrap();
    }

    fn change(&self, path: &str, from: &str, to: &str) {
        let text = fs::read_to_string(self.path(path)).unwrap();
        assert!(text.contains(from), "{path}: {text}");
        self.write(path, &text.replace(from, to));
    }

    /// What one version makes of a folder, or what it says against it.
    fn build_by(&self, version: &str, folder: &str) -> Result<Objects, String> {
        self.run(version, &["build", "--enable-alpha-plugins", "--enable-exec", folder]).map(|said| objects(&said))
    }

    fn run(&self, version: &str, arguments: &[&str]) -> Result<String, String> {
        let kustomize = root().join("target/kustomize").join(version).join("kustomize");
        let output = Command::new(&kustomize)
            .args(arguments)
            .current_dir(self.folder.path())
            .env("PATH", format!("{}:{}", self.path("bin").display(), std::env::var("PATH").unwrap()))
            .output()
            .unwrap_or_else(|error| panic!("{}: {error}; run `make kustomize`", kustomize.display()));
        if output.status.success() { Ok(text(&output.stdout)) } else { Err(text(&output.stderr)) }
    }

    /// What all versions make of a folder.
    fn build(&self, folder: &str) -> Result<Objects, String> {
        let [first, second] = VERSIONS.map(|version| self.build_by(version, folder));
        assert_eq!(first.as_ref().ok(), second.as_ref().ok(), "{folder}");
        first
    }
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir(to).unwrap();
    for entry in fs::read_dir(from).unwrap().map(Result::unwrap) {
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

/// Objects by kind and name, each of which is there once.
type Objects = BTreeMap<String, Value>;

fn objects(stream: &str) -> Objects {
    let all: Vec<Value> = serde_saphyr::from_multiple(stream).unwrap();
    let number = all.len();
    let name = |object: &Value| format!("{}/{}", text_at(object, "/kind"), text_at(object, "/metadata/name"));
    let objects: Objects = all.into_iter().map(|object| (name(&object), object)).collect();
    assert_eq!(objects.len(), number, "an object is there twice");
    objects
}

fn text_at<'o>(object: &'o Value, pointer: &str) -> &'o str {
    object.pointer(pointer).and_then(Value::as_str).unwrap()
}

/// What `render` makes of the same spec, without what tells other programs what to do with it.
fn rendered(spec: &Value) -> Objects {
    objects(&text(&run_with_input(&["render"], spec.to_string().as_bytes()).stdout))
}

fn read(path: &Path) -> Value {
    serde_saphyr::from_str(&fs::read_to_string(path).unwrap()).unwrap()
}

#[test]
fn a_generator_makes_what_render_prints_of_every_example() {
    let workshop = Workshop::new();
    for (name, path) in files("examples") {
        let mut spec = read(&root().join(&path));
        spec["metadata"]["annotations"]["config.kubernetes.io/function"] = json!("exec: {path: valkey-render-fn}");
        workshop.write("all/kustomization.yaml", "generators: [spec.yaml]\n");
        workshop.write("all/spec.yaml", &spec.to_string());
        let expected = objects(&text(&run(&["render", &path]).stdout));
        assert!(workshop.build("all").unwrap() == expected, "{name}");
    }
}

#[test]
fn what_is_shipped_builds_to_what_render_prints_and_the_overlay_patches_it() {
    let workshop = Workshop::new();
    let spec = read(&workshop.path("deploy/kustomize/generated/sessions.yaml"));
    let mut expected = rendered(&spec);
    assert_eq!(workshop.build("deploy/kustomize/generated").unwrap(), expected);
    expected.get_mut("StatefulSet/sessions").unwrap()["spec"]["template"]["spec"]["runtimeClassName"] = json!("gvisor");
    assert_eq!(workshop.build("deploy/kustomize/overlay").unwrap(), expected);
}

#[test]
fn a_transformer_renders_specs_after_they_were_renamed_moved_and_patched() {
    let workshop = Workshop::new();
    let mut spec = read(&workshop.path("deploy/kustomize/base/sessions.yaml"));
    spec["metadata"]["name"] = json!("staging-sessions");
    spec["metadata"]["namespace"] = json!("staging");
    spec["spec"]["resources"] = json!({"requests": {"memory": "256Mi"}, "limits": {"memory": "256Mi"}});
    let built = workshop.build("deploy/kustomize/staging").unwrap();
    assert_eq!(built, rendered(&spec));
    let names = built["Certificate/staging-sessions"]["spec"]["dnsNames"].to_string();
    assert!(names.contains("staging-sessions-nodes.staging.svc"), "{names}");
}

#[test]
fn what_renames_objects_after_they_were_rendered_is_refused() {
    for (change, was) in
        [("namePrefix: blue-", "blue-sessions"), ("nameSuffix: -blue", "-blue"), ("namespace: checkout", "checkout")]
    {
        for labels in ["", "labels: [{pairs: {app.kubernetes.io/managed-by: kustomize}}]\n"] {
            let workshop = Workshop::new();
            let changed = format!("{change}\n{labels}resources:");
            workshop.change("deploy/kustomize/overlay/kustomization.yaml", "resources:", &changed);
            let refusal = workshop.build("deploy/kustomize/overlay").unwrap_err();
            let expected = "was rendered as `sessions-config` in namespace `shop`";
            assert!(refusal.contains(expected) && refusal.contains(was), "{changed}: {refusal}");
        }
    }
}

#[test]
fn other_objects_come_out_as_they_would_without_it() {
    let workshop = Workshop::new();
    let others = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: words} # a comment\ndata:\n  a: \"yes\"\n  b: '0644'\n\
                  \x20 c: |\n    one\n      two\n  d: >-\n    folded\n    text\n---\napiVersion: example.com/v1\nkind: Thing\n\
                  metadata: {name: numbers}\nspec: {mode: 0644, on: true, share: 1.50, big: 12345678901234567890, none: null, list: []}\n";
    workshop.write("plain/others.yaml", others);
    workshop.write("plain/kustomization.yaml", "resources: [others.yaml]\n");
    workshop.write(
        "both/kustomization.yaml",
        "resources: [../plain, ../deploy/kustomize/base]\ntransformers: [../deploy/kustomize/rendering]\n",
    );
    let built = workshop.build("both").unwrap();
    for (name, object) in workshop.build("plain").unwrap() {
        assert_eq!(built[&name], object);
    }
    assert_eq!(built.len(), 2 + rendered(&read(&workshop.path("deploy/kustomize/base/sessions.yaml"))).len());
}

/// `build` leaves comments out; who has a package changed in its files finds them where they were.
#[test]
fn what_is_passed_on_in_a_package_keeps_its_file_with_every_comment() {
    let others = "# above\napiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: words # beside\ndata:\n  # between\n  b: \"yes\"\n  a: \"0644\" # behind\n";
    for version in VERSIONS {
        let workshop = Workshop::new();
        workshop.write("package/others.yaml", others);
        let spec = fs::read_to_string(workshop.path("deploy/kustomize/base/sessions.yaml")).unwrap();
        let note = "metadata:\n  annotations: {config.kubernetes.io/local-config: \"true\"}\n";
        let kept = "# the spec\n".to_owned() + &spec.replacen("metadata:\n", note, 1);
        workshop.write("package/spec/sessions.yaml", &kept);
        let function = fs::read_to_string(workshop.path("deploy/kustomize/rendering/function.yaml")).unwrap();
        workshop.write("package/function.yaml", &function);
        // The second time, what was rendered is there already.
        for _ in 0..2 {
            workshop.run(version, &["fn", "run", "package", "--enable-exec"]).unwrap();
            assert_eq!(fs::read_to_string(workshop.path("package/others.yaml")).unwrap(), others, "{version}");
            let spec = fs::read_to_string(workshop.path("package/spec/sessions.yaml")).unwrap();
            assert!(spec.starts_with("# the spec\n"), "{spec}");
            assert!(fs::read_dir(workshop.path("package/shop")).unwrap().count() > 10, "{version}");
        }
    }
}

#[test]
fn a_mistake_fails_the_build_and_is_named() {
    let workshop = Workshop::new();
    workshop.change("deploy/kustomize/generated/sessions.yaml", "spec:\n", "spec:\n  shard: 4\n");
    let refusal = workshop.build("deploy/kustomize/overlay").unwrap_err();
    assert!(refusal.starts_with("error: spec.shard: there is no such field"), "{refusal}");
    assert!(refusal.contains("did you mean `shards`?"), "{refusal}");
}

#[test]
fn newer_versions_pass_arguments() {
    let workshop = Workshop::new();
    let shipped = workshop.build("deploy/kustomize/generated").unwrap();
    let spec = "deploy/kustomize/generated/sessions.yaml";
    workshop.change(spec, "exec: {path: valkey-render-fn}", "exec: {path: valkey-render, args: [fn]}");
    assert_eq!(workshop.build_by("5.8", "deploy/kustomize/generated").unwrap(), shipped);
    let refusal = workshop.build_by("5.6", "deploy/kustomize/generated").unwrap_err();
    assert!(refusal.contains("unknown field \"args\""), "{refusal}");
}

/// Docker, as far as kustomize needs it for a function: an image is started by its entry point, with no network and as nobody.
const DOCKER: &str = "#!/bin/sh\ncase \"$*\" in\n'run '*'--network none --user nobody '*' valkey-gitops/valkey-render-fn:0.1.0') \
                      exec valkey-render-fn ;;\nesac\necho \"$*\" >&2\nexit 1\n";

#[test]
fn a_function_may_be_an_image() {
    let workshop = Workshop::new();
    let shipped = workshop.build("deploy/kustomize/staging").unwrap();
    workshop.write("bin/docker", DOCKER);
    fs::set_permissions(workshop.path("bin/docker"), fs::Permissions::from_mode(0o755)).unwrap();
    let page = fs::read_to_string(root().join("docs/kustomize.md")).unwrap();
    let image = "container: {image: valkey-gitops/valkey-render-fn:0.1.0}";
    assert!(page.contains(image) && image.contains(env!("CARGO_PKG_VERSION")));
    workshop.change("deploy/kustomize/rendering/function.yaml", "exec: {path: valkey-render-fn}", image);
    assert_eq!(workshop.build("deploy/kustomize/staging").unwrap(), shipped);
}

#[test]
fn waves_are_an_option_of_the_transformer() {
    let workshop = Workshop::new();
    let function = "deploy/kustomize/rendering/function.yaml";
    workshop.change(function, "metadata:", "data: {argocd-waves: \"true\"}\nmetadata:");
    let built = workshop.build("deploy/kustomize/staging").unwrap();
    let note = "/metadata/annotations/argocd.argoproj.io~1sync-wave";
    assert_eq!(text_at(&built["Certificate/staging-sessions"], note), "-2");
}

#[test]
fn the_definition_comes_with_the_roles_of_those_who_use_it() {
    let built = Workshop::new().build("deploy/kubernetes/custom-resource").unwrap();
    assert_eq!(built.keys().filter(|name| name.starts_with("ClusterRole/")).count(), 3);
    let printed = objects(&text(&run(&["crd"]).stdout));
    assert!(printed.iter().all(|(name, definition)| built[name] == *definition));
}

/// The repo-server of an installation, as far as the plugin is added to it.
const REPO_SERVER: &str = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: argocd-repo-server}\nspec:\n  selector:\n    \
                           matchLabels: {app.kubernetes.io/name: argocd-repo-server}\n  template:\n    metadata:\n      labels: \
                           {app.kubernetes.io/name: argocd-repo-server}\n    spec:\n      containers:\n      - name: argocd-repo-server\n        \
                           image: argocd\n        volumeMounts:\n        - {name: tmp, mountPath: /tmp}\n        - {name: plugins, mountPath: /plugins}\n      \
                           volumes:\n      - {name: var-files, emptyDir: {}}\n      - {name: plugins, emptyDir: {}}\n      - {name: tmp, emptyDir: {}}\n";

#[test]
fn the_plugin_is_added_to_argo_cd() {
    let workshop = Workshop::new();
    let settings =
        "---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: argocd-cm}\ndata: {url: https://argocd.example.com}\n";
    workshop.write("argocd/install.yaml", &(REPO_SERVER.to_owned() + settings));
    workshop.write("argocd/kustomization.yaml", "resources: [install.yaml]\ncomponents: [../deploy/argocd]\n");
    let built = workshop.build("argocd").unwrap();
    let server = &built["Deployment/argocd-repo-server"];
    // Read into the type of the API server, with nothing lost on the way.
    let typed: k8s_openapi::api::apps::v1::Deployment = serde_json::from_value(server.clone()).unwrap();
    assert_eq!(serde_json::to_value(&typed).unwrap(), *server);

    let pod = typed.spec.template.spec.unwrap();
    assert_eq!(pod.containers.len(), 2);
    let plugin = pod.containers.iter().find(|container| container.name == "valkey-render").unwrap();
    assert_eq!(plugin.command.as_deref().unwrap(), ["/var/run/argocd/argocd-cmp-server"]);
    let volumes = pod.volumes.unwrap();
    for mount in plugin.volume_mounts.iter().flatten() {
        assert!(volumes.iter().any(|volume| volume.name == mount.name), "{}", mount.name);
    }
    let mounted = |path: &str| {
        plugin.volume_mounts.iter().flatten().find(|mount| mount.mount_path == path).unwrap_or_else(|| panic!("{path}"))
    };
    assert_ne!(mounted("/tmp").name, "tmp", "each has its own");
    assert_eq!(mounted("/var/run/argocd").name, "var-files");
    assert_eq!(mounted("/home/argocd/cmp-server/plugins").name, "plugins");

    let file = mounted("/home/argocd/cmp-server/config/plugin.yaml");
    let volume = volumes.iter().find(|volume| volume.name == file.name).unwrap();
    let config = &volume.config_map.as_ref().unwrap().name;
    let shipped = fs::read_to_string(root().join("deploy/argocd/plugin.yaml")).unwrap();
    assert_eq!(built[&format!("ConfigMap/{config}")]["data"][file.sub_path.as_deref().unwrap()], json!(shipped));

    let settings = built["ConfigMap/argocd-cm"]["data"].as_object().unwrap();
    assert_eq!(settings.len(), 3, "what is there stays: {settings:?}");
    let health = read(&root().join("deploy/argocd/argocd-cm.yaml"))["data"].as_object().unwrap().clone();
    assert!(health.iter().all(|(key, script)| settings[key] == *script));
}

#[test]
fn the_plugin_may_do_as_little_as_a_pod_can() {
    let container = &read(&root().join("deploy/argocd/repo-server.yaml"))["spec"]["template"]["spec"]["containers"][0];
    let expected = json!({
        "runAsNonRoot": true,
        "runAsUser": 999,
        "allowPrivilegeEscalation": false,
        "readOnlyRootFilesystem": true,
        "capabilities": {"drop": ["ALL"]},
        "seccompProfile": {"type": "RuntimeDefault"},
    });
    assert_eq!(container["securityContext"], expected);
    assert!(container["resources"]["limits"].get("memory").is_some());
    let version = json!(format!("valkey-gitops/valkey-render:{}", env!("CARGO_PKG_VERSION")));
    assert_eq!(container["image"], version, "the same version as the program");
}
