//! What `CLUSTER NODES` of several nodes tells when it is laid side by side: for when nothing but such dumps is left.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use super::print;
use crate::cli::CommandError;
use crate::diagnosis::{Dump, Finding, examine};
use crate::valkey::{OddTable, Table};

/// Why a dump cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum DumpError {
    /// There is none.
    #[error("{0} holds no dumps; write the answer of each node to CLUSTER NODES into a file of its own there")]
    Empty(PathBuf),
    /// A file or folder that cannot be read.
    #[error("cannot read {path}: {error}")]
    File {
        /// The file or folder.
        path: PathBuf,
        /// Why.
        error: std::io::Error,
    },
    /// A file that holds something else.
    #[error("{path}: {error}; it must hold the answer of one node to CLUSTER NODES")]
    Odd {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        error: OddTable,
    },
}

/// Prints what is wrong, and what to do about it in which order; 0 if nothing is, 1 if something is.
///
/// # Errors
/// A dump cannot be read, or nothing can be printed.
pub(crate) fn doctor(folder: &Path) -> Result<ExitCode, CommandError> {
    let findings = examine(&dumps(folder)?);
    print(told(&findings))?;
    Ok(if findings.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(1) })
}

fn told(findings: &[Finding]) -> Vec<String> {
    if findings.is_empty() {
        return vec!["nothing is wrong by these dumps".to_owned()];
    }
    let numbered = (1..).zip(findings);
    numbered.map(|(number, finding)| format!("{number}. {}\n   {}", finding.what, finding.remedy)).collect()
}

fn dumps(folder: &Path) -> Result<Vec<Dump>, DumpError> {
    let unreadable = |path: &Path, error| DumpError::File { path: path.to_owned(), error };
    let entries = fs::read_dir(folder).map_err(|error| unreadable(folder, error))?;
    let mut paths = entries.map(|entry| entry.map(|entry| entry.path())).collect::<Result<Vec<_>, _>>();
    paths.iter_mut().for_each(|paths| paths.sort());
    let paths = paths.map_err(|error| unreadable(folder, error))?;
    let dumps = paths.iter().filter(|path| path.is_file()).map(|path| {
        let text = fs::read_to_string(path).map_err(|error| unreadable(path, error))?;
        let table = Table::read(&text, |_| None).map_err(|error| DumpError::Odd { path: path.clone(), error })?;
        let name = path.file_stem().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        Ok(Dump { name, table })
    });
    let dumps = dumps.collect::<Result<Vec<_>, DumpError>>()?;
    if dumps.is_empty() { Err(DumpError::Empty(folder.to_owned())) } else { Ok(dumps) }
}
