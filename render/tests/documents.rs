//! The commands that the documents show print what the documents show.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test that cannot go on has failed")]

mod support;

use std::path::Path;
use std::process::Command;

use support::root;

/// The commands in blocks of `console`, each with the lines that stand below it.
fn commands(text: &str) -> Vec<(String, String)> {
    let mut commands: Vec<(String, String)> = Vec::new();
    for block in text.split("```console\n").skip(1).filter_map(|rest| rest.split("```").next()) {
        for line in block.lines() {
            match (line.strip_prefix("$ "), commands.last_mut()) {
                (Some(command), _) => commands.push((command.to_owned(), String::new())),
                (None, Some((_, output))) => *output += &format!("{line}\n"),
                (None, None) => {}
            }
        }
    }
    commands
}

/// Runs the commands of a document one after the other, in a folder of their own.
fn run_all(document: &Path) -> usize {
    let folder = tempfile::tempdir().unwrap();
    let program = Path::new(env!("CARGO_BIN_EXE_valkey-render")).parent().unwrap();
    let path = format!("{}:{}", program.display(), std::env::var("PATH").unwrap());
    let commands = commands(&std::fs::read_to_string(document).unwrap());
    for (command, expected) in &commands {
        let output =
            Command::new("sh").args(["-c", command]).current_dir(folder.path()).env("PATH", &path).output().unwrap();
        assert_eq!(String::from_utf8(output.stdout).unwrap(), *expected, "{}: $ {command}", document.display());
    }
    commands.len()
}

#[test]
fn the_commands_of_the_readme_print_what_it_shows() {
    let number = run_all(&root().join("README.md"));
    assert!(number >= 7, "{number}");
}

#[test]
fn so_do_those_of_every_way_in() {
    let entries = std::fs::read_dir(root().join("docs")).unwrap().map(|entry| entry.unwrap().path());
    let pages = entries.filter(|path| path.extension().is_some_and(|extension| extension == "md"));
    let number: usize = pages.map(|page| run_all(&page)).sum();
    assert!(number >= 8, "{number}");
}
