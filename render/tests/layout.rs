//! How the files of a folder stand: what lists them, and their stages. `make kustomize` fetches those who read the lists.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test that cannot go on has failed")]

mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

use serde_json::Value;
use support::{root, run, text};
use tempfile::TempDir;

const PRODUCTION: &str = "examples/production.yaml";
const STAGES: [&str; 3] = ["00-base", "10-cluster", "20-observability"];
const LAYOUTS: [&str; 2] = ["--layout=flat", "--layout=staged"];

/// Runs `render` with a folder, and says with which exit code it ended.
fn render(words: &[&str], into: &str, folder: &TempDir) -> Option<i32> {
    let folder = format!("{}/", folder.path().display());
    run(&[&["render"], words, &[into, &folder]].concat()).status.code()
}

fn rendered(words: &[&str]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    assert_eq!(render(words, "-o", &folder), Some(0), "{words:?}");
    folder
}

/// The files below a folder, but for the index.
fn files(folder: &Path) -> BTreeSet<String> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let name = |path: &Path| path.file_name().unwrap().to_str().unwrap().to_owned();
    let below = |path: &Path| {
        let of_folder = || files(path).into_iter().map(|file| format!("{}/{file}", name(path))).collect();
        if path.is_dir() { of_folder() } else { vec![name(path)] }
    };
    let all: BTreeSet<String> = entries.flat_map(|path| below(&path)).collect();
    all.into_iter().filter(|name| !name.ends_with(".valkey-render-index")).collect()
}

/// Objects by what they are known by.
type Objects = BTreeMap<String, Value>;

fn objects(stream: &[u8]) -> Objects {
    let all: Vec<Value> = serde_saphyr::from_multiple(&text(stream)).unwrap();
    let known = |object: &Value| {
        format!("{} {} {}", object["kind"], object["metadata"]["namespace"], object["metadata"]["name"])
    };
    all.into_iter().map(|object| (known(&object), object)).collect()
}

/// What a version of kustomize makes of a folder, with none of its options.
fn built(version: &str, folder: &Path) -> Objects {
    let kustomize = root().join("target/kustomize").join(version).join("kustomize");
    let output = Command::new(&kustomize).arg("build").arg(folder).output();
    let output = output.unwrap_or_else(|error| panic!("{}: {error}; run `make kustomize`", kustomize.display()));
    assert!(output.status.success(), "{version}: {}", text(&output.stderr));
    objects(&output.stdout)
}

#[test]
fn kustomize_builds_a_folder_with_a_list_to_what_render_prints() {
    for specs in ["examples", PRODUCTION, "examples/minimal.yaml"] {
        let expected = objects(&run(&["render", specs]).stdout);
        for layout in LAYOUTS {
            for format in ["--format=yaml", "--format=json"] {
                let folder = rendered(&[specs, layout, format, "--emit-kustomization"]);
                for version in ["5.6", "5.8"] {
                    assert!(built(version, folder.path()) == expected, "{specs} {layout} {format} {version}");
                }
            }
        }
    }
}

#[test]
fn each_stage_can_be_built_though_it_is_empty_and_each_object_has_one() {
    for (specs, is_watched) in [(PRODUCTION, true), ("examples/minimal.yaml", false)] {
        let folder = rendered(&[specs, "--layout=staged", "--emit-kustomization"]);
        let [base, cluster, watching] = STAGES.map(|stage| built("5.8", &folder.path().join(stage)));
        assert_eq!(!watching.is_empty(), is_watched);
        let all = objects(&run(&["render", specs]).stdout);
        assert_eq!(base.len() + cluster.len() + watching.len(), all.len());
        assert_eq!([base, cluster, watching].into_iter().flatten().collect::<Objects>(), all);
    }
}

/// A change that mends a cluster comes after whatever has to be ready before.
#[test]
fn nothing_that_is_ready_only_with_pods_stands_before_the_cluster() {
    let folder = rendered(&["examples", "--layout=staged", "--desired-state=custom-resource"]);
    let kinds = |stage| -> BTreeSet<String> {
        let names = files(&folder.path().join(stage)).into_iter();
        names.map(|name| name.split('_').rev().nth(1).unwrap().to_owned()).collect()
    };
    let base = ["certificate", "networkpolicy", "role", "rolebinding", "serviceaccount"];
    assert_eq!(kinds("00-base"), base.map(str::to_owned).into());
    for kind in ["deployment", "statefulset", "valkeycluster"] {
        assert!(kinds("10-cluster").contains(kind), "servers and agent wait for each other: {kind}");
    }
    assert_eq!(kinds("20-observability"), ["podmonitor", "prometheusrule"].map(str::to_owned).into());
}

#[test]
fn check_holds_lists_and_stages_against_the_folder() {
    let flags = [PRODUCTION, "--layout=staged", "--emit-kustomization"];
    let folder = rendered(&flags);
    assert_eq!(render(&flags, "--check", &folder), Some(0));
    for other in [&[PRODUCTION][..], &[PRODUCTION, "--layout=staged"], &[PRODUCTION, "--emit-kustomization"]] {
        assert_eq!(render(other, "--check", &folder), Some(1), "{other:?}");
    }
    let list = folder.path().join("10-cluster/kustomization.yaml");
    let written = fs::read_to_string(&list).unwrap();
    fs::write(&list, written.replace("- apps_v1_statefulset_sessions.yaml\n", "")).unwrap();
    assert_eq!(render(&flags, "--check", &folder), Some(1));
    assert_eq!(render(&flags, "-o", &folder), Some(0));
    assert_eq!(fs::read_to_string(&list).unwrap(), written);
}

#[test]
fn another_layout_leaves_nothing_of_the_one_before() {
    let layouts = [
        &[PRODUCTION][..],
        &[PRODUCTION, "--emit-kustomization"],
        &[PRODUCTION, "--layout=staged"],
        &[PRODUCTION, "--layout=staged", "--emit-kustomization"],
        &["examples/minimal.yaml", "--layout=staged", "--emit-kustomization"],
    ];
    for before in layouts {
        for after in layouts {
            let folder = rendered(before);
            assert_eq!(render(after, "-o", &folder), Some(0));
            assert_eq!(files(folder.path()), files(rendered(after).path()), "{before:?} {after:?}");
            let is_staged = after.contains(&"--layout=staged");
            assert_eq!(folder.path().join("10-cluster").exists(), is_staged, "no empty folder stays");
        }
    }
}

#[test]
fn what_others_have_put_there_stays_theirs() {
    for (name, words) in [
        ("kustomization.yaml", &[PRODUCTION, "--emit-kustomization"][..]),
        ("00-base/kustomization.yaml", &[PRODUCTION, "--layout=staged", "--emit-kustomization"]),
        ("10-cluster/apps_v1_statefulset_sessions.yaml", &[PRODUCTION, "--layout=staged"]),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, "mine").unwrap();
        assert_eq!(render(words, "-o", &folder), Some(5), "{name}");
        assert_eq!((fs::read_to_string(&path).unwrap().as_str(), files(folder.path()).len()), ("mine", 1), "{name}");
    }
    let folder = rendered(&[PRODUCTION, "--layout=staged"]);
    fs::write(folder.path().join("20-observability/mine.yaml"), "mine").unwrap();
    assert_eq!(render(&[PRODUCTION], "-o", &folder), Some(0));
    assert!(folder.path().join("20-observability/mine.yaml").exists());
}

#[test]
fn a_stage_that_is_a_link_is_not_followed() {
    let (folder, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    symlink(elsewhere.path(), folder.path().join("10-cluster")).unwrap();
    fs::write(elsewhere.path().join("mine.yaml"), "mine").unwrap();
    fs::write(folder.path().join(".valkey-render-index"), "10-cluster/mine.yaml\n").unwrap();
    for layout in LAYOUTS {
        assert_eq!(render(&[PRODUCTION, layout], "-o", &folder), Some(5), "{layout}");
        assert_eq!(files(elsewhere.path()).len(), 1, "{layout}");
    }
}

#[test]
fn lists_and_stages_want_a_folder_with_all_of_it() {
    for words in [
        &["--emit-kustomization"][..],
        &["--layout=staged"],
        &["--layout=staged", "-o", "-"],
        &["--emit-kustomization", "-o", "/tmp/no-such-folder/file.yaml"],
    ] {
        let output = run(&[&["render", PRODUCTION], words].concat());
        assert_eq!((output.status.code(), output.stdout.len()), (Some(2), 0), "{words:?}");
        assert!(text(&output.stderr).contains("name one by -o FOLDER/"), "{}", text(&output.stderr));
    }
    let folder = tempfile::tempdir().unwrap();
    let part = [PRODUCTION, "--emit-kustomization", "--only=StatefulSet"];
    assert_eq!(render(&part, "-o", &folder), Some(2), "a list of a part would have the rest pruned");
}

#[test]
fn a_part_leaves_the_list_of_the_whole() {
    let folder = rendered(&[PRODUCTION, "--layout=staged", "--emit-kustomization"]);
    let before = files(folder.path());
    let part = ["examples/changes/more-memory.yaml", "--layout=staged", "--only=StatefulSet"];
    assert_eq!(render(&part, "--check", &folder), Some(1));
    assert_eq!(render(&part, "-o", &folder), Some(0));
    assert_eq!(files(folder.path()), before);
}

#[test]
fn stages_compare_like_the_specs_they_came_from() {
    let folder = rendered(&[PRODUCTION, "--layout=staged", "--emit-kustomization"]);
    let (staged, change) = (folder.path().to_str().unwrap(), "examples/changes/several-at-once.yaml");
    assert_eq!(run(&["diff", staged, PRODUCTION]).status.code(), Some(0));
    assert_eq!(run(&["diff", staged, change]).stdout, run(&["diff", PRODUCTION, change]).stdout);
}
