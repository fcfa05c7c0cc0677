//! What `deploy/ci` makes of a pull request, in a repository with a base and a head.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test that cannot go on has failed")]

mod support;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output};

use support::{git, root, text};

/// A repository in a folder, whose commits have tags.
struct Repository {
    folder: tempfile::TempDir,
}

impl Repository {
    fn new() -> Self {
        let repository = Self { folder: tempfile::tempdir().unwrap() };
        repository.git(&["init", "--quiet"]);
        repository
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    fn git(&self, arguments: &[&str]) {
        git(self.path(), arguments);
    }

    /// A commit in which these are the files.
    fn commit(&self, tag: &str, files: &[(&str, String)]) {
        self.git(&["rm", "-r", "--quiet", "--ignore-unmatch", "."]);
        for (name, content) in files {
            let path = self.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, content).unwrap();
        }
        self.git(&["add", "--all"]);
        self.git(&["commit", "--quiet", "--allow-empty", "--message", tag]);
        self.git(&["tag", tag]);
    }

    /// A program of this text, outside the repository's commits.
    fn program(&self, name: &str, script: &str) -> String {
        let path = self.path().join(".git").join(name);
        fs::write(&path, format!("#!/bin/sh\n{script}")).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        path.to_str().unwrap().to_owned()
    }

    fn diff(&self, variables: &[(&str, &str)]) -> Output {
        Command::new(root().join("deploy/ci/valkey-diff"))
            .args(["base", "head", "specs"])
            .current_dir(self.path())
            .env("VALKEY_RENDER", env!("CARGO_BIN_EXE_valkey-render"))
            .envs(variables.iter().copied())
            .output()
            .unwrap()
    }

    fn between(base: &[(&str, String)], head: &[(&str, String)]) -> Self {
        let repository = Self::new();
        repository.commit("base", base);
        repository.commit("head", head);
        repository
    }
}

fn example(path: &str) -> String {
    fs::read_to_string(root().join("examples").join(path)).unwrap()
}

fn production() -> String {
    example("production.yaml")
}

/// The exit code and the comment.
fn said(output: &Output) -> (Option<i32>, String) {
    (output.status.code(), text(&output.stdout))
}

#[test]
fn what_changes_is_told_and_posted() {
    let head = [("specs/shop/sessions.yaml", example("changes/several-at-once.yaml"))];
    let repository = Repository::between(&[("specs/shop/sessions.yaml", production())], &head);
    let post = repository.program("post", "cp \"$1\" \"$POSTED\"\n");
    let posted = repository.path().join(".git/posted");
    let output = repository.diff(&[("VALKEY_POST", &post), ("POSTED", posted.to_str().unwrap())]);
    let (code, comment) = said(&output);
    assert_eq!(code, Some(0), "{comment}{}", text(&output.stderr));
    assert_eq!(fs::read_to_string(posted).unwrap(), comment);
    assert!(comment.contains("## Valkey: 1 cluster changes\n\n### `shop/sessions`\n\n- "), "{comment}");
    assert!(comment.contains("pods restart one by one"), "{comment}");
    assert!(comment.contains("<details><summary>"), "{comment}");
}

#[test]
fn what_is_dangerous_closes_the_gate_until_somebody_allows_it() {
    let head = [("specs/a.yaml", example("changes/tls-off.yaml"))];
    let repository = Repository::between(&[("specs/a.yaml", production())], &head);
    let (code, comment) = said(&repository.diff(&[]));
    assert_eq!(code, Some(4));
    assert!(comment.contains("1 dangerous change, do not merge"), "{comment}");
    assert!(comment.contains("> **Dangerous: tls-switched.** Members with"), "{comment}");
    let (code, comment) = said(&repository.diff(&[("VALKEY_ALLOW", "urgent valkey-allow/tls-switched *")]));
    assert_eq!(code, Some(0), "{comment}");
    assert!(comment.contains("> **Dangerous (allowed): tls-switched.**"), "{comment}");
    assert_eq!(repository.diff(&[("VALKEY_ALLOW", "valkey-allow/shard-count")]).status.code(), Some(4));
    assert_eq!(repository.diff(&[("VALKEY_ALLOW", "valkey-allow/anything")]).status.code(), Some(2));
}

#[test]
fn the_first_cluster_may_come_and_the_last_one_does_not_go_unseen() {
    let cluster = [("specs/a.yaml", production())];
    let readme = [("specs/README.md", "nothing yet".to_owned())];
    let (code, comment) = said(&Repository::between(&readme, &cluster).diff(&[]));
    assert_eq!(code, Some(0));
    assert!(comment.contains("creates a cluster of"), "{comment}");
    let (code, comment) = said(&Repository::between(&cluster, &readme).diff(&[]));
    assert_eq!(code, Some(4));
    assert!(comment.contains("> **Dangerous: cluster-removed.**"), "{comment}");
    assert_eq!(Repository::between(&readme, &readme).diff(&[]).status.code(), Some(2));
}

#[test]
fn a_wrong_spec_is_told_with_its_place_and_closes_the_gate() {
    let wrong = production().replace("shards:", "shard:");
    let right = [("specs/a.yaml", production()), ("specs/b/c.yaml", example("minimal.yaml"))];
    let head = [("specs/a.yaml", wrong), ("specs/b/c.yaml", example("minimal.yaml"))];
    let (code, comment) = said(&Repository::between(&right, &head).diff(&[]));
    assert_eq!(code, Some(3));
    assert!(comment.contains("## Valkey: a spec is wrong"), "{comment}");
    assert!(comment.contains("./specs/a.yaml:") && comment.contains("did you mean `shards`?"), "{comment}");
    let (code, comment) = said(&Repository::between(&head, &right).diff(&[]));
    assert_eq!(code, Some(3));
    assert!(comment.contains("what there is cannot be read") && comment.contains("./specs/a.yaml:"), "{comment}");
}

#[test]
fn a_spec_may_move_to_another_file() {
    let repository =
        Repository::between(&[("specs/a.yaml", production())], &[("specs/b/c d.yaml", production() + "# moved\n")]);
    let (code, comment) = said(&repository.diff(&[]));
    assert_eq!(code, Some(0));
    assert!(comment.contains("## Valkey: nothing changes\n"), "{comment}");
}

/// A `gh` that has these comments, and writes down what it is asked for.
fn forge(repository: &Repository, comments: &str, comment: &str) -> String {
    let script = format!(
        "case $* in *--jq*) echo '{comments}' ;; *) for word; do printf '%s\\n' \"$word\"; done >\"$ASKED\" ;; esac\n"
    );
    let folder = repository.path().join(".git");
    repository.program("gh", &script);
    fs::write(folder.join("comment"), comment).unwrap();
    let path = format!("{}:{}", folder.display(), std::env::var("PATH").unwrap());
    let (asked, summary) = (folder.join("asked"), folder.join("summary"));
    let output = Command::new(root().join("deploy/ci/post-to-github"))
        .arg(folder.join("comment"))
        .envs([("PATH", path.as_str()), ("GITHUB_REPOSITORY", "shop/clusters"), ("PULL_REQUEST", "7")])
        .envs([("ASKED", &asked), ("GITHUB_STEP_SUMMARY", &summary)])
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert_eq!(fs::read_to_string(summary).unwrap(), comment);
    fs::read_to_string(asked).unwrap_or_default().replace('\n', " ")
}

#[test]
fn on_github_there_is_one_comment_that_is_kept_up_to_date() {
    let repository = Repository::new();
    let asked = forge(&repository, "", "## Valkey: 1 cluster changes\n");
    assert!(asked.contains("--method POST repos/shop/clusters/issues/7/comments --field body=@"), "{asked}");
    let asked = forge(&Repository::new(), "42", "## Valkey: nothing changes\n");
    assert!(asked.contains("--method PATCH repos/shop/clusters/issues/comments/42 --field body=@"), "{asked}");
    let asked = forge(&Repository::new(), "", "## Valkey: nothing changes\n");
    assert_eq!(asked, "", "who changes no cluster is not told so");
}
