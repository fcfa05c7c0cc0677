//! What every example renders to, how every wrong one is refused, and what every change is said to do. Adding a file adds a case.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test that cannot go on has failed")]

mod support;

use std::collections::BTreeMap;
use std::process::Output;

use support::{files, root, run, text};

fn compare(folder: &str, cases: BTreeMap<String, String>) {
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path(root().join("snapshots").join(folder));
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.bind(|| {
        for (name, text) in cases {
            insta::assert_snapshot!(name, text);
        }
    });
}

fn cases(folder: &str, case: impl Fn(&str) -> String) -> BTreeMap<String, String> {
    files(folder).into_iter().map(|(name, path)| (name, case(&path))).collect()
}

fn with_code(output: &Output, shown: &[u8]) -> String {
    format!("exit code {}\n\n{}", output.status.code().unwrap(), text(shown))
}

#[test]
fn every_example_renders_to_what_was_reviewed() {
    compare(
        "",
        cases("examples", |path| {
            let output = run(&["render", path]);
            assert!(output.status.success(), "{path}: {}", text(&output.stderr));
            text(&output.stdout)
        }),
    );
}

#[test]
fn every_wrong_spec_is_refused_with_its_reasons() {
    compare(
        "refused",
        cases("examples/refused", |path| {
            let output = run(&["render", path]);
            assert_eq!((output.status.code(), output.stdout.len()), (Some(3), 0), "{path}");
            with_code(&output, &output.stderr)
        }),
    );
}

/// What a change starts from: the file of its name in `from/`, or else the production example.
fn before(path: &str) -> String {
    let own = path.replace("examples/changes/", "examples/changes/from/");
    if root().join(&own).exists() { own } else { "examples/production.yaml".to_owned() }
}

#[test]
fn every_change_is_said_to_do_what_it_does() {
    compare(
        "changes",
        cases("examples/changes", |path| {
            let output = run(&["diff", &before(path), path]);
            with_code(&output, &output.stdout)
        }),
    );
}

#[test]
fn a_comment_on_a_pull_request_is_what_was_reviewed() {
    let changed = "examples/changes/several-at-once.yaml";
    let output = run(&["diff", "examples/production.yaml", changed, "--format", "markdown"]);
    compare("cli", BTreeMap::from([("comment".to_owned(), with_code(&output, &output.stdout))]));
}

#[test]
fn the_definition_of_the_custom_resource_is_what_was_reviewed() {
    compare("cli", BTreeMap::from([("crd".to_owned(), text(&run(&["crd"]).stdout))]));
}

#[test]
fn what_is_explained_of_directives_is_what_was_reviewed() {
    let names = [
        "maxmemory-policy",
        "io-threads",
        "client-output-buffer-limit",
        "hash-seed",
        "maxmemory",
        "slave-priority",
        "hzz",
    ];
    let page = |name: &str| {
        let output = run(&["explain", &format!("spec.config.{name}")]);
        with_code(&output, &[output.stdout.as_slice(), &output.stderr].concat())
    };
    compare("cli", BTreeMap::from([("explain-directives".to_owned(), names.map(page).join("\n"))]));
}

#[test]
fn help_is_what_was_reviewed() {
    let commands = [
        "",
        "render",
        "validate",
        "diff",
        "schema",
        "crd",
        "explain",
        "init",
        "cmp",
        "cmp generate",
        "fn",
        "completions",
        "version",
    ];
    let help = |command: &&str| {
        let output = run(&command.split(' ').filter(|word| !word.is_empty()).chain(["--help"]).collect::<Vec<_>>());
        (format!("help {command}").trim().replace(' ', "-"), text(&output.stdout))
    };
    compare("cli", commands.iter().map(help).collect());
}
