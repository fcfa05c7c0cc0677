//! What `deploy/ci` makes of a pull request, in a repository with a base and a head.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test that cannot go on has failed")]

mod support;

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
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
}

#[test]
fn whoever_mends_what_was_merged_wrong_may_be_let_through() {
    let wrong = [("specs/a.yaml", production().replace("shards:", "shard:"))];
    let twice = [("specs/a.yaml", production()), ("specs/b.yaml", production())];
    let right = [("specs/a.yaml", production())];
    for (base, reason) in [(&wrong[..], "./specs/a.yaml:"), (&twice, "`sessions` in namespace `shop` stands in")] {
        let repository = Repository::between(base, &right);
        let (code, comment) = said(&repository.diff(&[]));
        assert_eq!(code, Some(4), "{comment}");
        assert!(comment.contains("> **Dangerous: base-unreadable.**") && comment.contains(reason), "{comment}");
        let (code, comment) = said(&repository.diff(&[("VALKEY_ALLOW", "valkey-allow/base-unreadable")]));
        assert_eq!(code, Some(0), "{comment}");
        assert!(comment.contains("> **Dangerous (allowed): base-unreadable.**"), "{comment}");
        let (code, comment) = said(&Repository::between(base, &wrong).diff(&[]));
        assert_eq!(code, Some(3), "{comment}");
        assert!(comment.contains("## Valkey: a spec is wrong") && comment.contains("./specs/a.yaml:"), "{comment}");
    }
}

#[test]
fn no_name_of_a_file_is_a_way_past_the_gate() {
    let base = [("specs/größe.yaml", production())];
    let head = [("specs/größe.yaml", example("changes/tls-off.yaml"))];
    assert_eq!(Repository::between(&base, &head).diff(&[]).status.code(), Some(4));
    let quoted = [("specs/größe.yaml", production()), ("specs/a\"b.yaml", example("minimal.yaml"))];
    let output = Repository::between(&base, &quoted).diff(&[]);
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("rename these files"), "{}", text(&output.stderr));
}

#[test]
fn a_link_is_the_file_to_which_it_leads() {
    let repository = Repository::new();
    let link = |target: &str| {
        repository.git(&["rm", "--quiet", "--ignore-unmatch", "specs/linked.yaml"]);
        fs::create_dir_all(repository.path().join("specs")).unwrap();
        symlink(target, repository.path().join("specs/linked.yaml")).unwrap();
    };
    let files = [("shared/sessions.yaml", production()), ("specs/minimal.yaml", example("minimal.yaml"))];
    link("../shared/sessions.yaml");
    repository.commit("base", &files);
    let files = [("shared/sessions.yaml", example("changes/tls-off.yaml")), files[1].clone()];
    link("../shared/sessions.yaml");
    repository.commit("head", &files);
    let (code, comment) = said(&repository.diff(&[]));
    assert_eq!(code, Some(4), "{comment}");
    assert!(comment.contains("> **Dangerous: tls-switched.**"), "{comment}");
    for nowhere in ["../shared/moved.yaml", "/etc/hostname"] {
        link(nowhere);
        repository.git(&["tag", "--delete", "head"]);
        repository.commit("head", &files);
        let (code, comment) = said(&repository.diff(&[]));
        assert_eq!(code, Some(3), "{comment}");
        assert!(comment.contains("specs/linked.yaml: is a link that leads to no file"), "{comment}");
    }
}

#[test]
fn a_spec_may_move_to_another_file() {
    let repository =
        Repository::between(&[("specs/a.yaml", production())], &[("specs/b/c d.yaml", production() + "# moved\n")]);
    let (code, comment) = said(&repository.diff(&[]));
    assert_eq!(code, Some(0));
    assert!(comment.contains("## Valkey: nothing changes\n"), "{comment}");
}

/// A script, where `gh` answers what is asked for with this, and writes down what it is told.
fn with_forge(repository: &Repository, script: &str, answer: &str) -> Command {
    let forge = format!(
        "case $* in *--jq*) printf '{answer}\\n' ;; *) for word; do printf '%s\\n' \"$word\"; done >>\"$ASKED\" ;; esac\n"
    );
    repository.program("gh", &forge);
    let folder = repository.path().join(".git");
    let path = format!("{}:{}", folder.display(), std::env::var("PATH").unwrap());
    let mut command = Command::new(root().join("deploy/ci").join(script));
    command
        .envs([("PATH", path.as_str()), ("GITHUB_REPOSITORY", "shop/clusters"), ("PULL_REQUEST", "7")])
        .env("ASKED", folder.join("asked"));
    command
}

/// What is told when a comment is posted where there are these.
fn forge(repository: &Repository, comments: &str, comment: &str) -> String {
    let folder = repository.path().join(".git");
    fs::write(folder.join("comment"), comment).unwrap();
    let (asked, summary) = (folder.join("asked"), folder.join("summary"));
    let output = with_forge(repository, "post-to-github", comments)
        .arg(folder.join("comment"))
        .env("GITHUB_STEP_SUMMARY", &summary)
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

#[test]
fn labels_are_withdrawn_from_other_commits_and_one_that_stays_closes_the_gate() {
    let repository = Repository::new();
    let labels = "valkey-allow%%2Ftls-switched\\nvalkey-allow%%2Fdowngrade";
    let output = with_forge(&repository, "withdraw-labels", labels).output().unwrap();
    assert!(output.status.success(), "{}", text(&output.stderr));
    let asked = fs::read_to_string(repository.path().join(".git/asked")).unwrap().replace('\n', " ");
    for label in ["valkey-allow%2Ftls-switched", "valkey-allow%2Fdowngrade"] {
        assert!(asked.contains(&format!("--method DELETE repos/shop/clusters/issues/7/labels/{label} ")), "{asked}");
    }
    let mut refused = with_forge(&repository, "withdraw-labels", labels);
    let output = refused.env("ASKED", repository.path()).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("by hand"), "{}", text(&output.stderr));
}

/// What a step of the workflow runs, as the runner does.
fn step(repository: &Repository, name: &str) -> Output {
    let workflow = fs::read_to_string(root().join("deploy/ci/github-workflow.yaml")).unwrap();
    let workflow: serde_json::Value = serde_saphyr::from_str(&workflow).unwrap();
    let steps = workflow["jobs"]["diff"]["steps"].as_array().unwrap();
    let step = steps.iter().find(|step| step["name"] == name).unwrap();
    Command::new("bash")
        .args(["-e", "-c", step["run"].as_str().unwrap()])
        .current_dir(repository.path())
        .envs([("BASE", "base"), ("HEAD", "head")])
        .env("RUNNER_TEMP", repository.path().join(".git"))
        .output()
        .unwrap()
}

#[test]
fn a_pull_request_does_not_replace_the_gate_in_itself() {
    let script = |name: &str| fs::read_to_string(root().join("deploy/ci").join(name)).unwrap();
    let mut base = vec![
        ("specs/a.yaml", production()),
        ("deploy/ci/valkey-diff", script("valkey-diff")),
        ("deploy/ci/post-to-github", "#!/bin/sh\ncp \"$1\" \"$RUNNER_TEMP/posted\"\n".to_owned()),
        ("deploy/ci/withdraw-labels", script("withdraw-labels")),
    ];
    let repository = Repository::new();
    repository.commit("base", &base);
    base[0].1 = example("changes/tls-off.yaml");
    base[1].1 = "#!/bin/sh\n".to_owned();
    repository.commit("head", &base);
    symlink(env!("CARGO_BIN_EXE_valkey-render"), repository.path().join(".git/valkey-render")).unwrap();
    let taken = step(&repository, "Take the gate from the base");
    assert!(taken.status.success(), "{}", text(&taken.stderr));
    assert_eq!(step(&repository, "Compare").status.code(), Some(4));
    let posted = fs::read_to_string(repository.path().join(".git/posted")).unwrap();
    assert!(posted.contains("> **Dangerous: tls-switched.**"), "{posted}");
}
