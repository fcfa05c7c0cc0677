//! The images, as far as their recipe tells: no image is built here.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test that cannot go on has failed")]

use std::fs;

use serde_json::Value;
use support::{examples, manifest, root, small_with};

/// The instructions of each stage, with continued lines joined; the first is `FROM`.
fn stages() -> Vec<Vec<String>> {
    let text = fs::read_to_string(root().join("Dockerfile")).unwrap().replace("\\\n", " ");
    let lines = text.lines().filter(|line| !line.starts_with('#') && !line.trim().is_empty());
    let mut stages: Vec<Vec<String>> = Vec::new();
    for line in lines.map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")) {
        if line.starts_with("FROM ") {
            stages.push(Vec::new());
        }
        stages.last_mut().unwrap().push(line);
    }
    stages
}

fn find<'a>(stage: &'a [String], instruction: &str) -> Vec<&'a str> {
    stage.iter().filter_map(|line| line.strip_prefix(instruction)?.strip_prefix(' ')).collect()
}

/// Each image, its program, and what is copied into it from where it was built.
const IMAGES: [(&str, &[&str]); 3] = [
    ("valkey-render", &["/out/valkey-render /out/valkey-render-fn /usr/local/bin/"]),
    ("valkey-render-fn", &["/out/passwd /etc/", "/out/valkey-render /out/valkey-render-fn /usr/local/bin/"]),
    ("valkey-topology-agent", &["/out/valkey-topology-agent /usr/local/bin/"]),
];

#[test]
fn an_image_holds_one_program_and_runs_it_as_nobody() {
    let stages = stages();
    let [_, common, images @ ..] = stages.as_slice() else { panic!("{stages:?}") };
    assert_eq!(find(common, "FROM"), ["scratch AS image"]);
    assert_eq!(find(common, "USER"), ["65532:65532"], "a number, so that Kubernetes can tell that it is not root");
    assert_eq!(images.len(), IMAGES.len());
    for (stage, (program, copied)) in images.iter().zip(IMAGES) {
        assert_eq!(find(stage, "FROM"), [format!("image AS {program}")]);
        assert_eq!(find(stage, "ENTRYPOINT"), [format!("[\"/usr/local/bin/{program}\"]")]);
        assert_eq!(find(stage, "COPY"), copied.iter().map(|what| format!("--from=build {what}")).collect::<Vec<_>>());
        let others = ["RUN", "ADD", "CMD", "VOLUME", "USER", "ARG"];
        assert!(others.iter().all(|instruction| find(stage, instruction).is_empty()));
        let labels = [find(common, "LABEL")[0], find(stage, "LABEL")[0]].concat();
        for name in ["title", "description", "source", "licenses", "version", "revision"] {
            let label = format!("org.opencontainers.image.{name}=\"");
            assert_eq!(labels.matches(&label).count(), 1, "{program}: {name}");
        }
    }
}

#[test]
fn every_way_in_says_where_images_come_from_and_where_their_names_go() {
    let page = |name: &str| fs::read_to_string(root().join("docs").join(name)).unwrap();
    for way in ["argo-cd.md", "flux.md", "kubectl.md", "kustomize.md"] {
        assert!(page(way).contains("](images.md"), "{way}");
    }
    let images = page("images.md");
    let mut blocks = images.split("```yaml\n").skip(1).map(|rest| rest.split("```").next().unwrap());
    let said: Value = serde_saphyr::from_str(blocks.next().unwrap()).unwrap();
    let spec =
        small_with(&[("/spec/agent", said["spec"]["agent"].clone()), ("/spec/image", said["spec"]["image"].clone())]);
    let rendered = manifest(&support::clusters(&spec.to_string())[0]).to_yaml();
    let image = said["spec"]["agent"]["image"].as_str().unwrap();
    assert!(image.ends_with(concat!(":", env!("CARGO_PKG_VERSION"))));
    assert!(rendered.contains(&format!("image: {image}\n")), "{rendered}");

    let kustomization: Value = serde_saphyr::from_str(blocks.next().unwrap()).unwrap();
    let sidecar = fs::read_to_string(root().join("deploy/argocd/repo-server.yaml")).unwrap();
    let name = kustomization["images"][0]["name"].as_str().unwrap();
    assert!(sidecar.contains(&format!("image: {name}:")), "{name}");
}

#[test]
fn the_authority_that_is_shipped_is_the_one_that_a_new_spec_names() {
    let text = fs::read_to_string(root().join("deploy/kubernetes/internal-ca.yaml")).unwrap();
    let shipped: Vec<Value> = serde_saphyr::from_multiple(&text).unwrap();
    let starter = fs::read_to_string(root().join("render/src/cli/starter.yaml")).unwrap();
    let starter: Value = serde_saphyr::from_str(&starter).unwrap();
    let wanted = &starter["spec"]["tls"]["issuerRef"];
    let issuer = shipped.last().unwrap();
    assert_eq!([&issuer["kind"], &issuer["metadata"]["name"]], [&wanted["kind"], &wanted["name"]]);
    assert_eq!(issuer["spec"]["ca"]["secretName"], shipped[1]["spec"]["secretName"]);
    assert_eq!(shipped[1]["spec"]["issuerRef"]["name"], shipped[0]["metadata"]["name"]);
}

#[test]
fn a_function_is_started_as_a_user_that_its_image_knows() {
    let built = &stages()[0];
    assert!(find(built, "RUN").iter().any(|run| run.contains("echo 'nobody:x:65534:65534:nobody:/:' >/out/passwd")));
}

#[test]
fn the_agents_image_is_the_one_that_is_rendered() {
    let text = fs::read_to_string(&examples()[0]).unwrap();
    let rendered = manifest(&support::clusters(&text)[0]).to_yaml();
    assert!(rendered.contains("command:\n        - /usr/local/bin/valkey-topology-agent\n"), "{rendered}");
    assert!(rendered.contains("runAsUser: 65532"));
    let recipe = fs::read_to_string(root().join("Dockerfile")).unwrap();
    let version = env!("CARGO_PKG_VERSION");
    for (image, _) in IMAGES {
        let line = format!("#   docker build --target {image} --tag valkey-gitops/{image}:{version} .\n");
        assert!(recipe.contains(&line), "{line}");
    }
    assert_eq!(recipe.matches(&format!("ARG VERSION={version}\n")).count(), 1);
    let toolchain = fs::read_to_string(root().join("rust-toolchain.toml")).unwrap();
    assert!(toolchain.contains("1.95") && recipe.contains("FROM rust:1.95-"), "{toolchain}");
}
