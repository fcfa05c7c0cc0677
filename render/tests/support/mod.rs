//! Runs the binary, and finds the files that it is run on.

#![allow(dead_code, reason = "not every test uses all of it")]

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// The folder of the workspace.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize().unwrap()
}

/// `valkey-render`, run from the workspace's folder, so that messages show paths as a reader has them.
pub(crate) fn valkey_render() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_valkey-render"));
    command.current_dir(root()).stdin(Stdio::null());
    command
}

/// What Git says in a folder, by nobody's own settings.
pub(crate) fn git(folder: &Path, arguments: &[&str]) -> String {
    let output = with_identity(Command::new("git").current_dir(folder).args(arguments)).output().unwrap();
    assert!(output.status.success(), "{arguments:?}: {}", text(&output.stderr));
    text(&output.stdout)
}

/// A command that may have Git make commits, by nobody's own settings.
pub(crate) fn with_identity(command: &mut Command) -> &mut Command {
    let names = ["GIT_AUTHOR_NAME", "GIT_COMMITTER_NAME", "GIT_AUTHOR_EMAIL", "GIT_COMMITTER_EMAIL"];
    command
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .envs(names.map(|name| (name, "test@example.com")))
}

/// What it says when it is run with these arguments.
pub(crate) fn run(arguments: &[&str]) -> Output {
    valkey_render().args(arguments).output().unwrap()
}

/// The same, with a text on standard input.
pub(crate) fn run_with_input(arguments: &[&str], input: &[u8]) -> Output {
    let mut child = valkey_render()
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // It may refuse before it has read everything.
    let _ = child.stdin.take().unwrap().write_all(input);
    child.wait_with_output().unwrap()
}

pub(crate) fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// The YAML files of a folder below the workspace's, in order: their names without extension, and their paths from there.
pub(crate) fn files(folder: &str) -> Vec<(String, String)> {
    let mut files: Vec<(String, String)> = std::fs::read_dir(root().join(folder))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "yaml"))
        .map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned())
        .map(|name| (name.clone(), format!("{folder}/{name}.yaml")))
        .collect();
    files.sort();
    assert!(!files.is_empty());
    files
}
