//! Collects what is wrong between fields: each check notes all that it finds and goes on.

use crate::problem::{Complaint, Path};
use crate::text;

/// What has been found so far.
#[derive(Debug, Default)]
pub(crate) struct Checks {
    pub(crate) found: Vec<(Path, Complaint)>,
}

impl Checks {
    /// Notes that the field at this dotted path is wrong, and what to do.
    pub(crate) fn refuse(&mut self, path: &str, message: impl Into<String>, hint: impl Into<String>) {
        self.refuse_at(Path::of(path), Complaint::new(message, hint));
    }

    /// The same, for a path with keys of the user's or with list elements in it.
    pub(crate) fn refuse_at(&mut self, path: Path, complaint: Complaint) {
        self.found.push((path, complaint));
    }

    /// Notes what is wrong with a label in the map at this path: with its key, its value, or both.
    pub(crate) fn label(&mut self, path: &Path, key: &str, value: &str) {
        if let Err(complaint) = text::label_key(key) {
            self.refuse_at(path.name(key), complaint);
        }
        if let Err(complaint) = text::label_value(value) {
            self.refuse_at(path.key(key), complaint);
        }
    }

    /// Notes that a required field is missing.
    pub(crate) fn missing(&mut self, path: &str, hint: &str) {
        self.refuse(path, "is missing", hint);
    }
}
