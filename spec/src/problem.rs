//! What can be wrong with a spec, and where: every message that a user reads starts here.

use std::fmt;
use std::ops::Range;

/// One thing wrong with a spec: what, where, and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The field, such as `spec.storage.size`; empty when the file as a whole is meant.
    pub path: Path,
    /// What is wrong and what to do.
    pub complaint: Complaint,
    /// The bytes of the source that are meant; none when the spec did not come from text.
    pub span: Option<Range<usize>>,
}

impl fmt::Display for Problem {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.path.is_empty() {
            write!(out, "{}", self.complaint.message)
        } else {
            write!(out, "{}: {}", shortened(&self.path.to_string(), LONGEST_PATH), self.complaint.message)
        }
    }
}

/// In characters; more would hide what is said about it.
const LONGEST_PATH: usize = 100;
const LONGEST_MESSAGE: usize = 160;
const LONGEST_HINT: usize = 800;

/// On one line, and without its middle if it is longer: a value is known by its ends, and a message is no place for megabytes.
fn shortened(text: &str, most: usize) -> String {
    let line = |text: &str| text.chars().map(|char| if char.is_control() { ' ' } else { char }).collect();
    let cut = |at: usize| text.char_indices().nth(at).map_or(text.len(), |(index, _)| index);
    let length = text.chars().count();
    if length <= most {
        return line(text);
    }
    let (head, tail) = (text.get(..cut(most / 2)), text.get(cut(length - most / 2)..));
    line(&format!("{}…{}", head.unwrap_or_default(), tail.unwrap_or_default()))
}

/// What is wrong with a value, said without knowing where the value stands.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Complaint {
    /// What is wrong, in words that fit behind the field's path.
    pub message: String,
    /// What to do.
    pub hint: Option<String>,
    /// The value that was probably meant.
    pub instead: Option<String>,
}

impl Complaint {
    /// A complaint that comes with what to do.
    pub fn new(message: impl Into<String>, hint: impl Into<String>) -> Self {
        let message = shortened(&message.into(), LONGEST_MESSAGE);
        Self { message, hint: Some(shortened(&hint.into(), LONGEST_HINT)), instead: None }
    }
}

/// Where a value stands in a document, from the top.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Path(Vec<Segment>);

/// One step into a document.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Segment {
    /// Into the value of a key.
    Key(String),
    /// To a key itself, not its value; only as the last step.
    Name(String),
    /// Into an element of a list, counted from zero.
    Index(usize),
}

impl Path {
    /// The path of a dotted name of plain keys, such as `spec.storage.size`.
    #[must_use]
    pub fn of(dotted: &str) -> Self {
        Self(dotted.split('.').map(|key| Segment::Key(key.to_owned())).collect())
    }

    /// This path and one key more.
    #[must_use]
    pub fn key(&self, key: impl Into<String>) -> Self {
        self.with(Segment::Key(key.into()))
    }

    /// This path and a key, of which the name is meant and not the value.
    #[must_use]
    pub fn name(&self, key: impl Into<String>) -> Self {
        self.with(Segment::Name(key.into()))
    }

    /// This path and one element more.
    #[must_use]
    pub fn index(&self, index: usize) -> Self {
        self.with(Segment::Index(index))
    }

    /// Whether the document as a whole is meant.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether the other path is this one or leads through it.
    #[must_use]
    pub fn contains(&self, other: &Self) -> bool {
        other.0.starts_with(&self.0)
    }

    /// The steps, from the top.
    #[must_use]
    pub fn segments(&self) -> &[Segment] {
        &self.0
    }

    fn with(&self, segment: Segment) -> Self {
        let mut segments = self.0.clone();
        segments.push(segment);
        Self(segments)
    }
}

impl fmt::Display for Path {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, segment) in self.0.iter().enumerate() {
            match segment {
                Segment::Index(index) => write!(out, "[{index}]")?,
                Segment::Key(key) | Segment::Name(key) => {
                    if key.contains(['.', '/', ' ', '[']) || key.is_empty() {
                        write!(out, "[{key:?}]")?;
                    } else {
                        write!(out, "{}{key}", if position == 0 { "" } else { "." })?;
                    }
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_long_is_known_by_its_ends() {
        let complaint = Complaint::new(format!("`ä{}z` is wrong", "x\n".repeat(9000)), "mend it");
        let message = complaint.message;
        assert!(message.starts_with("`äx x") && message.ends_with("z` is wrong") && message.contains('…'), "{message}");
        assert_eq!(message.chars().count(), LONGEST_MESSAGE + 1);
    }

    #[test]
    fn a_path_reads_as_one_would_write_it() {
        assert_eq!(Path::of("spec.persistence.snapshots").index(1).to_string(), "spec.persistence.snapshots[1]");
        assert_eq!(Path::of("metadata.labels").key("a.b/c").to_string(), r#"metadata.labels["a.b/c"]"#);
    }
}
