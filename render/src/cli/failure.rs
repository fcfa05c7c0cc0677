//! Why a command did not do what it was asked to, and with which exit code.

use std::path::PathBuf;
use std::process::ExitCode;

use spec::Problem;

/// Why a command failed. None is worth a second try with the same input.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// Specs are wrong.
    #[error("{count} in {files}", count = problems(.0), files = files(.0))]
    Refused(Vec<(Source, Vec<Problem>)>),
    /// A file is not what it has to be.
    #[error("{path}: {reason}")]
    Unreadable { path: String, reason: String },
    /// The arguments ask for what there is not.
    #[error("{0}")]
    Usage(String),
    /// A file or folder cannot be read or written.
    #[error("cannot {action} {path}: {source}", path = path.display())]
    Io { action: &'static str, path: PathBuf, source: std::io::Error },
    /// A folder holds what is not ours.
    #[error("{0}")]
    Foreign(String),
    /// A mistake of this program.
    #[error("{0} (a mistake of valkey-render; please report it)")]
    Internal(#[from] render::Error),
    /// A mistake of this program.
    #[error("{0} (a mistake of valkey-render; please report it)")]
    Json(#[from] serde_json::Error),
}

/// A text that was read, and where it came from.
#[derive(Debug, Clone)]
pub(crate) struct Source {
    pub(crate) path: String,
    pub(crate) text: String,
}

impl Source {
    /// The place of a byte, as editors take it.
    pub(crate) fn place(&self, at: usize) -> String {
        let before = self.text.get(..at).unwrap_or_default();
        let lines = before.bytes().filter(|byte| *byte == b'\n').count();
        let column = before.chars().rev().take_while(|char| *char != '\n').count();
        format!("{}:{}:{}", self.path, lines + 1, column + 1)
    }
}

impl Failure {
    pub(crate) fn io(action: &'static str, path: impl Into<PathBuf>, source: std::io::Error) -> Self {
        Self::Io { action, path: path.into(), source }
    }

    pub(crate) fn exit_code(&self) -> ExitCode {
        match self {
            Self::Usage(_) => ExitCode::from(2),
            Self::Refused(_) | Self::Unreadable { .. } => ExitCode::from(3),
            Self::Io { .. } | Self::Foreign(_) | Self::Internal(_) | Self::Json(_) => ExitCode::from(5),
        }
    }
}

fn problems(refused: &[(Source, Vec<Problem>)]) -> String {
    match refused.iter().map(|(_, problems)| problems.len()).sum() {
        1_usize => "1 problem".to_owned(),
        number => format!("{number} problems"),
    }
}

fn files(refused: &[(Source, Vec<Problem>)]) -> String {
    match refused {
        [(source, _)] => source.path.clone(),
        _ => format!("{} files", refused.len()),
    }
}
