//! What the command line promises: exit codes, streams, files.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test that cannot go on has failed")]

mod support;

use std::fs::{self, Permissions};
use std::io::Read;
use std::os::unix::fs::{FileTypeExt, PermissionsExt, symlink};
use std::path::Path;
use std::process::{Command, Stdio};

use support::{root, run, run_with_input, text, valkey_render};

const PRODUCTION: &str = "examples/production.yaml";

fn code(arguments: &[&str]) -> Option<i32> {
    run(arguments).status.code()
}

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

fn path(folder: &Path) -> &str {
    folder.to_str().unwrap()
}

#[test]
fn exit_codes_say_what_happened() {
    let missing = root().join("no-such-file.yaml");
    assert_eq!(code(&["render", PRODUCTION]), Some(0));
    assert_eq!(code(&["diff", PRODUCTION, PRODUCTION]), Some(0));
    assert_eq!(code(&["diff", PRODUCTION, "examples/changes/add-a-shard.yaml"]), Some(1));
    assert_eq!(code(&["render", "--no-such-flag"]), Some(2));
    assert_eq!(code(&[]), Some(2));
    assert_eq!(code(&["explain", "spec.shard"]), Some(2));
    assert_eq!(code(&["render", "examples/refused/unknown-field.yaml"]), Some(3));
    assert_eq!(code(&["diff", PRODUCTION, "examples/changes/downgrade.yaml"]), Some(4));
    assert_eq!(code(&["render", path(&missing)]), Some(5));
    assert_eq!(code(&["render", PRODUCTION, "-o", "/proc/no-such-folder/file.yaml"]), Some(5));
}

#[test]
fn a_dangerous_change_can_be_allowed_by_its_rule() {
    let change = ["diff", PRODUCTION, "examples/changes/downgrade.yaml"];
    assert_eq!(code(&[&change[..], &["--allow", "tls-switched"]].concat()), Some(4));
    assert_eq!(code(&[&change[..], &["--allow", "downgrade"]].concat()), Some(1));
    let output = run(&[&change[..], &["--allow", "downgrad"]].concat());
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("did you mean downgrade?"));
}

#[test]
fn standard_input_is_a_file_like_any_other() {
    let spec = fs::read(root().join(PRODUCTION)).unwrap();
    let from_file = run(&["render", PRODUCTION]).stdout;
    assert_eq!(run_with_input(&["render", "-"], &spec).stdout, from_file);
    assert_eq!(run_with_input(&["render"], &spec).stdout, from_file);
    let refused = run_with_input(&["render"], b"spec: 1\n");
    assert!(text(&refused.stderr).contains("--> standard input:1:"), "{}", text(&refused.stderr));
}

#[test]
fn output_is_the_same_whatever_the_environment_holds() {
    let expected = run(&["render", PRODUCTION]).stdout;
    let variables = [
        ("LANG", "tr_TR.UTF-8"),
        ("LC_ALL", "ar_SA"),
        ("TZ", "Pacific/Kiritimati"),
        ("HOME", "/nonexistent"),
        ("KUBE_VERSION", "1.20"),
    ];
    let elsewhere = tempfile::tempdir().unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_valkey-render"))
        .env_clear()
        .envs(variables)
        .current_dir(elsewhere.path())
        .args(["render", path(&root().join(PRODUCTION))])
        .output()
        .unwrap();
    assert_eq!(output.stdout, expected);
}

#[test]
fn nobody_reading_to_the_end_is_no_failure() {
    let mut child =
        valkey_render().args(["render", "examples"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), text(&output.stderr)), (Some(0), String::new()));
}

#[test]
fn colour_is_for_terminals_alone() {
    for variable in ["", "1"] {
        let output = valkey_render()
            .env("NO_COLOR", variable)
            .args(["render", "examples/refused/unknown-field.yaml"])
            .output()
            .unwrap();
        assert!(!output.stderr.contains(&0x1b));
    }
}

#[test]
fn a_namespace_from_outside_fills_in_and_never_overrides() {
    let without = fs::read_to_string(root().join("examples/refused/namespace-missing.yaml")).unwrap();
    let output = run_with_input(&["render", "--namespace", "given"], without.as_bytes());
    assert!(text(&output.stdout).contains("namespace: given"));
    let output = run(&["render", PRODUCTION, "--namespace", "given"]);
    assert_eq!(output.status.code(), Some(3));
    assert!(text(&output.stderr).contains("`shop` is not `given`"));
}

#[test]
fn only_picks_kinds_and_objects() {
    let output = text(&run(&["render", PRODUCTION, "--only", "statefulset", "--only", "Service/sessions"]).stdout);
    assert_eq!(output.matches("\nkind: ").count(), 2);
    assert_eq!(code(&["render", PRODUCTION, "--only", "Secret"]), Some(2));
}

#[test]
fn json_is_a_stream_of_objects() {
    let output = run(&["render", PRODUCTION, "--format", "json"]).stdout;
    let objects: Vec<serde_json::Value> =
        serde_json::Deserializer::from_slice(&output).into_iter().collect::<Result<_, _>>().unwrap();
    assert_eq!(objects.len(), 16);
}

#[test]
fn a_folder_holds_one_file_an_object_and_loses_stale_ones() {
    let folder = tempfile::tempdir().unwrap();
    let into = format!("{}/", path(folder.path()));
    assert_eq!(code(&["render", "examples/large.yaml", "-o", &into]), Some(0));
    fs::write(folder.path().join("foreign.yaml"), "mine").unwrap();
    assert!(names(folder.path()).contains(&"policy_v1_poddisruptionbudget_catalogue-shard-29.yaml".to_owned()));
    assert_eq!(code(&["render", PRODUCTION, "-o", &into]), Some(0));
    let left = names(folder.path());
    assert!(
        left.contains(&"foreign.yaml".to_owned()) && left.contains(&"apps_v1_statefulset_sessions.yaml".to_owned()),
        "{left:?}"
    );
    assert!(!left.iter().any(|name| name.contains("catalogue") || name.contains(".tmp")), "{left:?}");
}

#[test]
fn a_file_of_others_is_never_overwritten() {
    let folder = tempfile::tempdir().unwrap();
    let foreign = folder.path().join("apps_v1_statefulset_sessions.yaml");
    fs::write(&foreign, "mine").unwrap();
    let output = run(&["render", PRODUCTION, "-o", path(folder.path())]);
    assert_eq!(output.status.code(), Some(5));
    assert!(text(&output.stderr).contains("was not written by valkey-render"));
    assert_eq!((fs::read_to_string(&foreign).unwrap().as_str(), names(folder.path()).len()), ("mine", 1));
}

#[test]
fn an_index_cannot_lead_out_of_its_folder() {
    let folder = tempfile::tempdir().unwrap();
    let outside = folder.path().join("outside.yaml");
    fs::write(&outside, "mine").unwrap();
    let inside = folder.path().join("inside");
    fs::create_dir(&inside).unwrap();
    fs::write(inside.join(".valkey-render-index"), "../outside.yaml\n").unwrap();
    assert_eq!(code(&["render", PRODUCTION, "-o", path(&inside)]), Some(0));
    assert!(outside.exists());
}

#[test]
fn check_compares_and_writes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    assert_eq!(code(&["render", PRODUCTION, "--check", path(folder.path())]), Some(1));
    assert!(names(folder.path()).is_empty());
    assert_eq!(code(&["render", PRODUCTION, "-o", path(folder.path())]), Some(0));
    let output = run(&["render", PRODUCTION, "--check", path(folder.path())]);
    assert_eq!((output.status.code(), output.stdout.len()), (Some(0), 0));
    let output = run(&["render", "examples/changes/add-a-shard.yaml", "--check", path(folder.path())]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stdout).contains("-      shards: 3\n+      shards: 4\n"), "{}", text(&output.stdout));
}

#[test]
fn only_leaves_the_other_files_of_a_folder_alone() {
    let folder = tempfile::tempdir().unwrap();
    let into = format!("{}/", path(folder.path()));
    assert_eq!(code(&["render", PRODUCTION, "-o", &into]), Some(0));
    let all = names(folder.path());
    let picked = ["render", "examples/changes/more-memory.yaml", "--only", "StatefulSet"];
    assert_eq!(code(&[&picked[..], &["--check", &into]].concat()), Some(1));
    assert_eq!(code(&[&picked[..], &["-o", &into]].concat()), Some(0));
    assert_eq!(names(folder.path()), all);
    assert_eq!(code(&[&picked[..], &["--check", &into]].concat()), Some(0));
    assert_eq!(code(&["render", "examples/changes/more-memory.yaml", "-o", &into]), Some(0));
    assert_eq!(code(&["render", "examples/large.yaml", "-o", &into]), Some(0));
    assert!(!names(folder.path()).iter().any(|name| name.contains("sessions")));
}

#[test]
fn only_does_not_change_how_files_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let into = format!("{}/", path(folder.path()));
    let other = fs::read_to_string(root().join(PRODUCTION)).unwrap().replace("namespace: shop", "namespace: shop-test");
    let specs = folder.path().join("specs");
    fs::create_dir(&specs).unwrap();
    fs::write(specs.join("test.yaml"), other.replace("name: sessions\n", "name: carts\n")).unwrap();
    fs::copy(root().join(PRODUCTION), specs.join("shop.yaml")).unwrap();
    assert_eq!(code(&["render", path(&specs), "-o", &into]), Some(0));
    assert_eq!(code(&["render", path(&specs), "--only", "StatefulSet/carts", "--check", &into]), Some(0));
}

#[test]
fn a_file_is_replaced_whole() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("out.yaml");
    assert_eq!(code(&["render", PRODUCTION, "-o", path(&file)]), Some(0));
    assert_eq!(fs::read(&file).unwrap(), run(&["render", PRODUCTION]).stdout);
    assert_eq!(code(&["render", "examples/refused/unknown-field.yaml", "-o", path(&file)]), Some(3));
    assert_eq!(fs::read(&file).unwrap(), run(&["render", PRODUCTION]).stdout);
    assert_eq!(names(folder.path()), ["out.yaml"]);
}

#[test]
fn a_file_keeps_its_mode_when_it_is_replaced() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("out.yaml");
    fs::write(&file, "old").unwrap();
    fs::set_permissions(&file, Permissions::from_mode(0o664)).unwrap();
    assert_eq!(code(&["render", PRODUCTION, "-o", path(&file)]), Some(0));
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o664);
    let into = format!("{}/", path(folder.path()));
    fs::remove_file(&file).unwrap();
    assert_eq!(code(&["render", PRODUCTION, "-o", &into]), Some(0));
    let inside = folder.path().join("apps_v1_statefulset_sessions.yaml");
    fs::set_permissions(&inside, Permissions::from_mode(0o600)).unwrap();
    assert_eq!(code(&["render", "examples/changes/more-memory.yaml", "-o", &into]), Some(0));
    assert_eq!(fs::metadata(&inside).unwrap().permissions().mode() & 0o777, 0o600);
}

#[test]
fn a_link_is_written_through() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("below")).unwrap();
    let (file, link) = (folder.path().join("below/out.yaml"), folder.path().join("link.yaml"));
    symlink("below/out.yaml", &link).unwrap();
    for _ in ["the file is not there yet", "the file is there"] {
        assert_eq!(code(&["render", PRODUCTION, "-o", path(&link)]), Some(0));
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(fs::read(&file).unwrap(), run(&["render", PRODUCTION]).stdout);
    }
    assert_eq!(names(&folder.path().join("below")), ["out.yaml"]);
}

#[test]
fn what_is_no_regular_file_is_written_into() {
    let folder = tempfile::tempdir().unwrap();
    let fifo = folder.path().join("fifo");
    assert!(Command::new("mkfifo").arg(&fifo).status().unwrap().success());
    // Open for both, so that neither side waits for the other.
    let mut reader = fs::File::options().read(true).write(true).open(&fifo).unwrap();
    assert_eq!(code(&["render", PRODUCTION, "-o", path(&fifo)]), Some(0));
    assert!(fs::metadata(&fifo).unwrap().file_type().is_fifo());
    let expected = run(&["render", PRODUCTION]).stdout;
    let mut written = vec![0; expected.len()];
    reader.read_exact(&mut written).unwrap();
    assert_eq!((written, names(folder.path())), (expected, vec!["fifo".to_owned()]));
}

#[test]
fn a_dash_is_standard_output_and_adds_to_what_stands_there() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("log");
    fs::write(&log, "before\n").unwrap();
    let appending = fs::File::options().append(true).open(&log).unwrap();
    assert!(valkey_render().args(["render", PRODUCTION, "-o", "-"]).stdout(appending).status().unwrap().success());
    assert_eq!(fs::read(&log).unwrap(), [b"before\n".as_slice(), &run(&["render", PRODUCTION]).stdout].concat());
}

#[test]
fn rendered_files_compare_like_the_specs_they_came_from() {
    let folder = tempfile::tempdir().unwrap();
    let (old, new) = (folder.path().join("old"), folder.path().join("new.yaml"));
    let change = "examples/changes/several-at-once.yaml";
    assert_eq!(code(&["render", PRODUCTION, "-o", &format!("{}/", path(&old))]), Some(0));
    assert_eq!(code(&["render", change, "-o", path(&new)]), Some(0));
    assert_eq!(run(&["diff", path(&old), path(&new)]).stdout, run(&["diff", PRODUCTION, change]).stdout);
    assert_eq!(code(&["diff", path(&old), PRODUCTION]), Some(0));
}

#[test]
fn a_diff_for_bots_is_json() {
    let output = run(&["diff", PRODUCTION, "examples/changes/add-a-shard.yaml", "--format", "json"]);
    let difference: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(
        difference.pointer("/clusters/0/plan/0").unwrap(),
        "adds 1 shard: about 4,096 of 16,384 slots move, no restart"
    );
    assert_eq!(difference.pointer("/clusters/0/changes/0/class").unwrap(), "TOPOLOGY");
}

#[test]
fn what_init_prints_is_valid_and_what_it_says() {
    let starter = run(&["init", "carts", "--namespace", "shop"]).stdout;
    let output = run_with_input(&["validate"], &starter);
    assert_eq!((output.status.code(), text(&output.stdout)), (Some(0), "shop/carts: valid\n".to_owned()));
    assert_eq!(code(&["init", "Carts"]), Some(2));
    let schema: serde_json::Value = serde_json::from_slice(&run(&["schema"]).stdout).unwrap();
    let first = format!("# yaml-language-server: $schema={}\n", schema["$id"].as_str().unwrap());
    assert!(text(&starter).starts_with(&first), "editors know what it is");
}

#[test]
fn explain_knows_every_field_of_the_every_field_example() {
    let spec: serde_json::Value =
        serde_saphyr::from_str(&fs::read_to_string(root().join("examples/every-field.yaml")).unwrap()).unwrap();
    for (group, fields) in spec["spec"].as_object().unwrap() {
        assert_eq!(code(&["explain", &format!("spec.{group}")]), Some(0), "{group}");
        for field in fields.as_object().into_iter().flatten().map(|(field, _)| field) {
            assert_eq!(code(&["explain", &format!("spec.{group}.{field}")]), Some(0), "{group}.{field}");
        }
    }
}

#[test]
fn explain_says_every_default_that_the_reference_says() {
    let reference = fs::read_to_string(root().join("docs/spec.md")).unwrap();
    let mut defaults = 0;
    for section in reference.split("\n## `").skip(1) {
        let group = section.split('`').next().unwrap();
        for cells in section.lines().map(|row| row.split(" | ").collect::<Vec<_>>()).filter(|cells| cells.len() > 3) {
            let Some(default) = cells[2].strip_prefix('`') else { continue };
            let (name, default) = (cells[0].trim_matches(['|', ' ', '`']), default.trim_end_matches('`'));
            let (field, all) = (format!("{group}.{name}"), text(&run(&["explain", group]).stdout));
            let own = text(&run(&["explain", &field]).stdout);
            assert!(own.contains(&format!("\n  default: {default}\n")), "{own}");
            assert!(all.lines().any(|line| line.trim_start().starts_with(name) && line.contains(default)), "{field}");
            defaults += 1;
        }
    }
    assert!(defaults > 25, "{defaults}");
}

#[test]
fn the_schema_takes_every_example_and_names_every_field() {
    let schema: serde_json::Value = serde_json::from_slice(&run(&["schema"]).stdout).unwrap();
    assert_eq!(schema["$schema"], "http://json-schema.org/draft-07/schema#");
    let every_field = schema.pointer("/properties/spec/properties").unwrap().as_object().unwrap();
    let spec: serde_json::Value =
        serde_saphyr::from_str(&fs::read_to_string(root().join("examples/every-field.yaml")).unwrap()).unwrap();
    assert_eq!(every_field.keys().collect::<Vec<_>>(), spec["spec"].as_object().unwrap().keys().collect::<Vec<_>>());
}

#[test]
fn completions_and_version_are_there() {
    for shell in ["bash", "zsh", "fish"] {
        assert!(text(&run(&["completions", shell]).stdout).contains("valkey-render"), "{shell}");
    }
    let version: serde_json::Value = serde_json::from_slice(&run(&["version", "--format", "json"]).stdout).unwrap();
    assert_eq!(version["version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(text(&run(&["version"]).stdout), format!("valkey-render {}\n", env!("CARGO_PKG_VERSION")));
}
