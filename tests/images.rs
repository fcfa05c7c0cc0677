//! The images, as far as their recipe tells: no image is built here.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test that cannot go on has failed")]

use std::fs;

use support::{examples, manifest, root};

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

#[test]
fn an_image_holds_one_program_and_runs_it_as_nobody() {
    let stages = stages();
    assert_eq!(stages.len(), 3);
    for (stage, program) in stages[1..].iter().zip(["valkey-render", "valkey-topology-agent"]) {
        assert_eq!(find(stage, "FROM"), [format!("scratch AS {program}")]);
        assert_eq!(find(stage, "USER"), ["65532:65532"], "a number, so that Kubernetes can tell that it is not root");
        assert_eq!(find(stage, "ENTRYPOINT"), [format!("[\"/usr/local/bin/{program}\"]")]);
        let copied = find(stage, "COPY");
        assert!(copied.len() == 1 && copied[0].starts_with(&format!("--from=build /out/{program}")), "{copied:?}");
        assert!(["RUN", "ADD", "CMD", "VOLUME"].iter().all(|instruction| find(stage, instruction).is_empty()));
        let label = find(stage, "LABEL")[0];
        for name in ["title", "description", "source", "licenses", "version", "revision"] {
            assert!(label.contains(&format!("org.opencontainers.image.{name}=\"")), "{program}: {name}");
        }
    }
}

#[test]
fn the_agents_image_is_the_one_that_is_rendered() {
    let text = fs::read_to_string(&examples()[0]).unwrap();
    let rendered = manifest(&support::clusters(&text)[0]).to_yaml();
    assert!(rendered.contains("command:\n        - /usr/local/bin/valkey-topology-agent\n"), "{rendered}");
    assert!(rendered.contains("runAsUser: 65532"));
    let recipe = fs::read_to_string(root().join("Dockerfile")).unwrap();
    let version = env!("CARGO_PKG_VERSION");
    assert!(recipe.contains(&format!("--tag valkey-gitops/valkey-topology-agent:{version} .")));
    assert_eq!(recipe.matches(&format!("ARG VERSION={version}\n")).count(), 2);
    let toolchain = fs::read_to_string(root().join("rust-toolchain.toml")).unwrap();
    assert!(toolchain.contains("1.95") && recipe.contains("FROM rust:1.95-"), "{toolchain}");
}
