//! What `deploy/flux` makes of specs in CI: a branch with what they render to, and an OCI artifact.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test that cannot go on has failed")]

mod support;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use support::{git, root, text, with_identity};

/// A checkout with specs, and what it was cloned from.
struct Checkout {
    folder: tempfile::TempDir,
}

impl Checkout {
    fn new() -> Self {
        let checkout = Self { folder: tempfile::tempdir().unwrap() };
        checkout.git(".", &["init", "--quiet", "--bare", "origin.git"]);
        checkout.git(".", &["clone", "--quiet", "origin.git", "here"]);
        checkout.write("specs/sessions.yaml", &example("production.yaml"));
        checkout.commit();
        checkout
    }

    fn here(&self) -> PathBuf {
        self.folder.path().join("here")
    }

    fn git(&self, folder: &str, arguments: &[&str]) -> String {
        git(&self.folder.path().join(folder), arguments)
    }

    fn write(&self, path: &str, content: &str) {
        let path = self.here().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    fn commit(&self) {
        self.git("here", &["add", "--all"]);
        self.git("here", &["commit", "--quiet", "--message", "specs"]);
    }

    fn run(&self, script: &str, arguments: &[&str]) -> Output {
        let path = format!("{}:{}", self.folder.path().display(), std::env::var("PATH").unwrap());
        let script = root().join("deploy/flux").join(script);
        let mut command = Command::new(script);
        command.args(arguments).current_dir(self.here()).env("PATH", path);
        with_identity(command.env("VALKEY_RENDER", env!("CARGO_BIN_EXE_valkey-render"))).output().unwrap()
    }

    fn render(&self) -> String {
        let output = self.run("render-branch", &["specs", "rendered"]);
        assert!(output.status.success(), "{}", text(&output.stderr));
        text(&output.stdout)
    }

    /// The files of the branch.
    fn files(&self) -> Vec<String> {
        let names = self.git("origin.git", &["ls-tree", "-r", "--name-only", "rendered"]);
        names.lines().map(str::to_owned).collect()
    }
}

fn example(name: &str) -> String {
    fs::read_to_string(root().join("examples").join(name)).unwrap()
}

fn program(folder: &Path, name: &str, script: &str) {
    let path = folder.join(name);
    fs::write(&path, format!("#!/bin/sh\n{script}")).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
}

#[test]
fn the_branch_holds_what_the_specs_render_to_and_nothing_else() {
    let checkout = Checkout::new();
    let head = checkout.git("here", &["rev-parse", "HEAD"]);
    assert_eq!(checkout.render(), format!("render-branch: rendered is rendered from {head}"));
    let files = checkout.files();
    assert!(files.contains(&"clusters/apps_v1_statefulset_sessions.yaml".to_owned()), "{files:?}");
    assert!(files.iter().all(|file| file.starts_with("clusters/")), "{files:?}");
    let list = checkout.git("origin.git", &["show", "rendered:clusters/kustomization.yaml"]);
    assert!(list.contains("- apps_v1_statefulset_sessions.yaml\n"), "{list}");
    let message = checkout.git("origin.git", &["log", "--format=%s", "rendered"]);
    assert_eq!(message, format!("Rendered from {head}"));
    assert_eq!(checkout.git("here", &["status", "--porcelain"]), "", "the checkout is as it was");
    assert_eq!(checkout.git("here", &["worktree", "list"]).lines().count(), 1);
}

#[test]
fn there_is_a_commit_only_where_something_differs_and_what_is_gone_goes() {
    let checkout = Checkout::new();
    checkout.render();
    checkout.write("README.md", "nothing that is rendered");
    checkout.commit();
    assert_eq!(checkout.render(), "render-branch: rendered is up to date\n");
    checkout.write("specs/minimal.yaml", &example("minimal.yaml"));
    fs::remove_file(checkout.here().join("specs/sessions.yaml")).unwrap();
    checkout.commit();
    checkout.render();
    let files = checkout.files();
    assert!(files.contains(&"clusters/apps_v1_statefulset_minimal.yaml".to_owned()), "{files:?}");
    assert!(!files.iter().any(|file| file.contains("sessions")), "{files:?}");
    assert_eq!(checkout.git("origin.git", &["rev-list", "--count", "rendered"]), "2\n");
}

#[test]
fn a_wrong_spec_changes_no_branch() {
    let checkout = Checkout::new();
    checkout.render();
    checkout.write("specs/wrong.yaml", &example("refused/unknown-field.yaml"));
    checkout.commit();
    let output = checkout.run("render-branch", &["specs", "rendered"]);
    assert_eq!(output.status.code(), Some(3));
    assert!(text(&output.stderr).contains("there is no such field"), "{}", text(&output.stderr));
    assert_eq!(checkout.git("origin.git", &["rev-list", "--count", "rendered"]), "1\n");
}

#[test]
fn a_remote_that_does_not_answer_is_not_one_without_the_branch() {
    let checkout = Checkout::new();
    checkout.git("here", &["remote", "set-url", "origin", "../moved.git"]);
    let output = checkout.run("render-branch", &["specs", "rendered"]);
    let said = text(&output.stderr);
    assert!(!output.status.success() && said.contains("does not tell whether there is a branch rendered"), "{said}");
}

#[test]
fn commits_are_by_whoever_is_configured_and_by_the_renderer_where_nobody_is() {
    let checkout = Checkout::new();
    let author = |version: &str, wanted: &str| {
        checkout.write("specs/sessions.yaml", &example("production.yaml").replace("9.1", version));
        checkout.commit();
        let mut command = Command::new(root().join("deploy/flux/render-branch"));
        command.args(["specs", "rendered"]).current_dir(checkout.here()).env("HOME", "/nowhere").env("EMAIL", "");
        command.envs([("GIT_CONFIG_GLOBAL", "/dev/null"), ("GIT_CONFIG_NOSYSTEM", "1")]);
        command.env("VALKEY_RENDER", env!("CARGO_BIN_EXE_valkey-render"));
        let output = command.output().unwrap();
        assert!(output.status.success(), "{}", text(&output.stderr));
        let by = checkout.git("origin.git", &["log", "-1", "--format=%an %ae %cn %ce", "rendered"]);
        assert_eq!(by, format!("{wanted} {wanted}\n"));
    };
    author("9.0", "valkey-render valkey-render@localhost");
    checkout.git("here", &["config", "user.name", "ci"]);
    checkout.git("here", &["config", "user.email", "ci@example.com"]);
    author("8.1", "ci ci@example.com");
}

#[test]
fn flags_for_the_renderer_are_passed_on() {
    let checkout = Checkout::new();
    let mut command = Command::new(root().join("deploy/flux/render-branch"));
    command.args(["specs", "rendered"]).current_dir(checkout.here());
    command.env("VALKEY_RENDER", env!("CARGO_BIN_EXE_valkey-render"));
    let output = with_identity(command.env("RENDER_FLAGS", "--desired-state=custom-resource")).output().unwrap();
    assert!(output.status.success(), "{}", text(&output.stderr));
    let files = checkout.files();
    assert!(files.contains(&"clusters/valkey-gitops.dev_v1alpha1_valkeycluster_sessions.yaml".to_owned()), "{files:?}");
    let staged = with_identity(command.env("RENDER_FLAGS", "--layout=staged")).output().unwrap();
    assert!(staged.status.success(), "{}", text(&staged.stderr));
    let files = checkout.files();
    assert!(files.contains(&"clusters/10-cluster/apps_v1_statefulset_sessions.yaml".to_owned()), "{files:?}");
    assert!(!files.contains(&"clusters/apps_v1_statefulset_sessions.yaml".to_owned()), "{files:?}");
}

#[test]
fn an_artifact_is_pushed_under_its_commit_and_then_tagged() {
    let checkout = Checkout::new();
    let folder = checkout.folder.path();
    program(folder, "flux", "echo \"$*\" >>\"$(dirname \"$0\")/asked\"\ncase $1 in push) ls \"$5\" ;; esac\n");
    let output = checkout.run("push-artifact", &["specs", "oci://registry.example.com/clusters", "production"]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    let said = text(&output.stdout);
    assert!(said.contains("apps_v1_statefulset_sessions.yaml") && said.contains("kustomization.yaml"), "{said}");
    let commit = checkout.git("here", &["rev-parse", "HEAD"]);
    let short = checkout.git("here", &["rev-parse", "--short", "HEAD"]);
    let asked = fs::read_to_string(folder.join("asked")).unwrap();
    let lines: Vec<&str> = asked.lines().collect();
    let pushed = format!("push artifact oci://registry.example.com/clusters:{} --path ", short.trim());
    assert!(lines[0].starts_with(&pushed) && lines[0].ends_with("--reproducible"), "{asked}");
    assert!(lines[0].contains(&format!("@sha1:{}", commit.trim())), "{asked}");
    let tagged = format!("tag artifact oci://registry.example.com/clusters:{} --tag production", short.trim());
    assert_eq!(lines[1..], [tagged]);
}

#[test]
fn an_artifact_tells_nobody_the_token_of_its_runner() {
    let checkout = Checkout::new();
    let folder = checkout.folder.path();
    program(folder, "flux", "echo \"$*\" >>\"$(dirname \"$0\")/asked\"\n");
    let push = || checkout.run("push-artifact", &["specs", "oci://registry.example.com/clusters", "production"]);
    for (origin, source) in [
        ("https://x-token:s3cret@git.example.com/shop/clusters", "https://git.example.com/shop/clusters"),
        ("https://x-token:s3@cret@git.example.com/shop", "https://git.example.com/shop"),
        ("git@git.example.com:shop/clusters", "git@git.example.com:shop/clusters"),
    ] {
        checkout.git("here", &["remote", "set-url", "origin", origin]);
        assert!(push().status.success());
        let asked = fs::read_to_string(folder.join("asked")).unwrap();
        assert!(asked.contains(&format!("--source {source} ")) && !asked.contains("cret@"), "{asked}");
    }
}
