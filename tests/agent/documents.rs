//! The ways in that the documents describe, walked from an empty cluster.

use std::env;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};

use serde_json::{Value, json};
use support::{root, small_with};

use crate::controllers::{Controller, Workshop, argo_cd, copy, kind};
use crate::flux::flux;
use crate::story::Story;
use crate::wait::wait;

/// Commands of the pages that nothing here can run, and why.
const LEFT_OUT: [(&str, &str); 10] = [
    (
        "kubectl apply -f https://github.com/cert-manager/cert-manager/releases/latest/download/cert-manager.yaml",
        NETWORK,
    ),
    ("kubectl wait deployment --all --namespace cert-manager --for=condition=Available --timeout 5m", NETWORK),
    ("kubectl rollout status deployment/argocd-repo-server --namespace argocd", NETWORK),
    ("flux install", NETWORK),
    ("flux get kustomizations valkey-clusters", FLUX),
    (
        "flux build kustomization valkey-clusters --path rendered/ --kustomization-file deploy/flux/oci.yaml --dry-run |",
        FLUX,
    ),
    ("    kubeconform -strict -ignore-missing-schemas", "it is no program of Debian, and asks the network for schemas"),
    ("flux diff kustomization valkey-clusters --path rendered/", FLUX),
    ("ln -s valkey-render /usr/local/bin/valkey-render-fn", "it would change the machine; the link is on the path"),
    (
        "kustomize build --enable-alpha-plugins .",
        "it starts a container; `render/tests/kustomize.rs` has a double of Docker",
    ),
];
const NETWORK: &str = "it fetches images; what the page needs of them is there in another way";
const FLUX: &str = "it is Flux's own program, which is none of Debian";

/// The commands of a page that can run, block by block, as one script. Those of `console` print what stands below them, which
/// `render/tests/documents.rs` tries.
fn script(page: &str) -> String {
    let text = fs::read_to_string(root().join("docs").join(page)).unwrap();
    let blocks = text.split("\n```sh").skip(1).filter_map(|rest| rest.split_once('\n'));
    let lines = blocks.flat_map(|(_, rest)| rest.split("```").next().unwrap_or_default().lines());
    let is_left = |line: &&str| LEFT_OUT.iter().any(|(command, _)| command == line);
    lines.filter(|line| !is_left(line)).fold(String::new(), |script, line| script + line + "\n")
}

#[test]
fn what_is_left_out_stands_in_the_pages() {
    let pages = fs::read_dir(root().join("docs")).unwrap().map(|entry| entry.unwrap().path());
    let pages = pages.filter(|path| path.extension().is_some_and(|extension| extension == "md"));
    let all: String = pages.map(|path| fs::read_to_string(path).unwrap()).collect();
    for (command, why) in LEFT_OUT {
        assert!(all.lines().any(|line| line == command), "{command} ({why})");
    }
}

/// A folder of a page, with the programs on the path, and an empty cluster for kubectl.
fn workshop(story: &Story) -> Workshop {
    let [folder, programs] = ["walk", "programs"].map(|name| story.pocket().folder().join(name));
    [&folder, &programs].into_iter().for_each(|folder| fs::create_dir(folder).unwrap());
    let renderer = env::current_exe().unwrap().ancestors().nth(2).unwrap().join("valkey-render");
    for (program, name) in [
        (renderer.clone(), "valkey-render"),
        (renderer, "valkey-render-fn"),
        (root().join("target/kustomize/5.6/kustomize"), "kustomize"),
    ] {
        assert!(program.exists(), "there is no {}: run `make programs kustomize`", program.display());
        symlink(program, programs.join(name)).unwrap();
    }
    copy(&root().join("deploy"), &folder.join("deploy")).unwrap();
    // Where it is said who administers the Kubernetes cluster, the kind of its issuer and its namespace are there.
    for object in [kind("cert-manager.io", "v1", "ClusterIssuer", "Cluster"), namespace("cert-manager")] {
        story.pocket().apply(&object).unwrap();
    }
    Workshop { folder, programs, kubeconfig: story.pocket().kubeconfig() }
}

fn namespace(name: &str) -> String {
    json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}).to_string()
}

/// Runs a page's commands, and tells what they say.
fn walk(workshop: &Workshop, script: &str) -> String {
    workshop.sh(script).unwrap_or_else(|error| panic!("{error}"))
}

/// A repository with a spec, as the page has it made, and where it was cloned from.
fn with_repository(workshop: &Workshop, specs: &str) {
    let make = format!(
        "mkdir -p {specs}; valkey-render init sessions --namespace shop > {specs}/sessions.yaml\n\
         git init --quiet --bare ../origin.git; git init --quiet; git remote add origin $PWD/../origin.git\n\
         git add {specs}; git commit --quiet --message specs; git push --quiet origin HEAD"
    );
    walk(workshop, &make);
}

fn is_told_to_be_well(said: &str) {
    assert!(said.contains("the cluster is as it should be"), "{said}");
}

/// As much of flux as pushes artifacts, into a folder. What the real one would not take, it does not.
const PUSH: &str = r#"#!/bin/sh
set -eu
action=$1 kind=$2 url=$3
shift 3
[ "$kind" = artifact ]
case $url in oci://*:*) ;; *) exit 1 ;; esac
mkdir -p "$HOME/.registry"
if [ "$action" = tag ]; then
    [ $# = 2 ] && [ "$1" = --tag ]
    rm -rf "$HOME/.registry/$2"
    cp -r "$HOME/.registry/${url##*:}" "$HOME/.registry/$2"
    exit
fi
[ "$action" = push ]
path='' source='' revision=''
while [ $# -gt 0 ]; do
    case $1 in
    --path) path=$2; shift 2 ;;
    --source) source=$2; shift 2 ;;
    --revision) revision=$2; shift 2 ;;
    --reproducible) shift ;;
    *) exit 1 ;;
    esac
done
[ -d "$path" ] && [ -n "$source" ]
expr "$revision" : '.*@sha1:[0-9a-f]\{40\}$' >/dev/null
cp -r "$path" "$HOME/.registry/${url##*:}"
"#;

/// A page's folder with a repository of specs, and Flux at work on its kinds.
fn with_flux_at_work(story: &Story) -> (Workshop, Controller) {
    let workshop = workshop(story);
    with_repository(&workshop, "specs");
    let program = workshop.programs.join("flux");
    fs::write(&program, PUSH).unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    for object in [
        kind("kustomize.toolkit.fluxcd.io", "v1", "Kustomization", "Namespaced"),
        kind("source.toolkit.fluxcd.io", "v1", "GitRepository", "Namespaced"),
        kind("source.toolkit.fluxcd.io", "v1", "OCIRepository", "Namespaced"),
        // Beside the definition stand roles that the pocket knows nothing of.
        kind("rbac.authorization.k8s.io", "v1", "ClusterRole", "Cluster"),
        namespace("flux-system"),
    ] {
        story.pocket().apply(&object).unwrap();
    }
    let here = workshop.clone();
    (workshop, Controller::begin(move || flux(&here)))
}

#[test]
fn with_flux() {
    // Only for the room that its servers take: the page makes the cluster.
    let story = Story::prepare(small_with(&[]));
    let (workshop, _flux) = with_flux_at_work(&story);
    let said = walk(&workshop, &script("flux.md"));
    assert!(said.contains("rendered is rendered from") && said.contains("condition met"), "{said}");
    is_told_to_be_well(&said);
    let set = story.pocket().get("/apis/apps/v1/namespaces/shop/statefulsets/sessions").unwrap();
    assert_eq!(set["metadata"]["annotations"]["kustomize.toolkit.fluxcd.io/prune"], "Disabled");
}

#[test]
fn with_flux_in_stages_and_the_custom_resource() {
    // Only for the room that its servers take: the page makes the cluster.
    let story = Story::prepare(small_with(&[]));
    let (workshop, _flux) = with_flux_at_work(&story);
    let page = fs::read_to_string(root().join("docs/flux.md")).unwrap();
    let flags = ["--layout=staged", "--desired-state=custom-resource"];
    assert!(flags.iter().all(|flag| page.contains(&format!("RENDER_FLAGS={flag}"))));
    let whole = script("flux.md");
    let (before, _) = whole.split_once("kubectl apply -f deploy/flux/oci.yaml\n").unwrap();
    let depends = "sed -i 's/^  - name: valkey-base$/&\\n  - name: valkey-custom-resource/' deploy/flux/staged.yaml";
    let script = format!(
        "export RENDER_FLAGS='{}'\n{before}{depends}\n\
         kubectl apply -f deploy/flux/custom-resource.yaml -f deploy/flux/staged.yaml\n\
         kubectl wait kustomizations --all --namespace flux-system --for=condition=Ready --timeout 5m\n\
         kubectl wait --for=condition=Ready valkeycluster/sessions --namespace shop --timeout 1s\n",
        flags.join(" ")
    );
    let said = walk(&workshop, &script);
    for name in ["valkey-base", "valkey-clusters", "valkey-observability", "valkey-custom-resource"] {
        assert!(said.contains(&format!("{name} condition met")), "{said}");
    }
}

/// As much of an installation of Argo CD as the plugin is added to.
const INSTALLATION: &str = "{apiVersion: apps/v1, kind: Deployment, metadata: {name: argocd-repo-server}, spec: {selector: {matchLabels: \
                            {app: repo-server}}, template: {metadata: {labels: {app: repo-server}}, spec: {containers: [{name: argocd-repo-server, \
                            image: argocd}], volumes: [{name: var-files, emptyDir: {}}, {name: plugins, emptyDir: {}}]}}}}\n---\n\
                            {apiVersion: v1, kind: ConfigMap, metadata: {name: argocd-cm}, data: {url: https://argocd.example.com}}\n";

#[test]
fn with_argo_cd() {
    with_argo_cd_and("application.yaml", "");
}

#[test]
fn with_argo_cd_and_rendered_files() {
    let render = "valkey-render render clusters/sessions --argocd-waves -o rendered/sessions/";
    assert!(fs::read_to_string(root().join("docs/argo-cd.md")).unwrap().contains(render));
    let commit = "git add rendered; git commit --quiet --message rendered; git push --quiet origin HEAD";
    with_argo_cd_and("application-rendered.yaml", &format!("{render}\n{commit}\n"));
}

/// Walks the page with this example as its Application, when more than specs was committed.
fn with_argo_cd_and(example: &str, commit: &str) {
    // Only for the room that its servers take: the page makes the cluster.
    let story = Story::prepare(small_with(&[]));
    let workshop = workshop(&story);
    with_repository(&workshop, "clusters/sessions");
    walk(&workshop, commit);
    fs::write(workshop.folder.join("install.yaml"), INSTALLATION).unwrap();
    fs::create_dir(workshop.folder.join("valkey-gitops")).unwrap();
    copy(&root().join("deploy"), &workshop.folder.join("valkey-gitops/deploy")).unwrap();
    let example = root().join("deploy/argocd/examples").join(example);
    fs::copy(example, workshop.folder.join("application.yaml")).unwrap();
    story.pocket().apply(&kind("argoproj.io", "v1alpha1", "Application", "Namespaced")).unwrap();
    let here = workshop.clone();
    let _argo_cd = Controller::begin(move || argo_cd(&here));
    let address = "https://raw.githubusercontent.com/argoproj/argo-cd/stable/manifests/install.yaml";
    let page = script("argo-cd.md");
    assert!(page.contains(address));
    let said = walk(&workshop, &page.replace(address, "install.yaml"));
    assert!(said.contains("deployment.apps/argocd-repo-server serverside-applied"), "{said}");
    assert!(said.contains("application.argoproj.io/sessions condition met"), "{said}");
    is_told_to_be_well(&said);
    let settings = story.pocket().get("/api/v1/namespaces/argocd/configmaps/argocd-cm").unwrap();
    assert_eq!(settings["data"].as_object().unwrap().len(), 3, "what was there stays: {settings}");
}

#[test]
fn with_kubectl_alone() {
    // Only for the room that its servers take: the page makes the cluster.
    let story = Story::prepare(small_with(&[]));
    let said = walk(&workshop(&story), &script("kubectl.md"));
    assert!(said.contains("successfully rolled out"), "{said}");
    assert!(said.contains("adds 1 shard: about 4,096 of 16,384 slots move, no restart"), "{said}");
    let (_, rows) = said.rsplit_once("condition met\n").unwrap();
    let words: Vec<&str> = rows.split_whitespace().collect();
    assert_eq!(
        words[..11],
        ["NAME", "READY", "SHARDS", "SLOTS", "VERSION", "AGE", "sessions", "True", "3", "16384", "9.1.2"]
    );
}

#[test]
fn with_kustomize() {
    // Only for the room that its servers take in the end: the page makes the cluster.
    let story = Story::prepare(small_with(&[("/spec/shards", json!(4))]));
    let said = walk(&workshop(&story), &script("kustomize.md"));
    let (_, status) = said.split_once("successfully rolled out").unwrap();
    assert!(status.contains("- type: Ready\n") && status.contains("slots: 10923-16383"), "{said}");
    wait("the fourth shard", || {
        let map = story.pocket().get("/api/v1/namespaces/shop/configmaps/sessions-status");
        let map = map.map_err(|error| error.to_string())?;
        let text = map["data"]["status.yaml"].as_str().unwrap_or_default();
        let status: Value = serde_saphyr::from_str(text).map_err(|error| error.to_string())?;
        let has_slots = |shard: &Value| shard["slotCount"].as_u64().is_some_and(|slots| slots > 4000);
        let served = status["shards"]
            .as_array()
            .is_some_and(|shards| shards.iter().filter(|shard| has_slots(shard)).count() == 4);
        let is_ready = text.contains("- type: Ready\n  status: \"True\"");
        if served && is_ready { Ok(()) } else { Err(text.to_owned()) }
    });
}
