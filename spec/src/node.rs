//! What stands in a text: values that know their places.

use std::ops::Range;

use crate::problem::{Path, Segment};

/// A value and the bytes of the source that it stands in.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Node {
    pub(crate) value: Value,
    pub(crate) span: Range<usize>,
}

/// What a node holds.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Value {
    Null,
    Bool(bool),
    Integer(i64),
    /// As it is written, and no number is too large to be read from it: advice repeats what people wrote.
    Float(String),
    Text(String),
    List(Vec<Node>),
    Map(Vec<Entry>),
}

/// One key of a map.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Entry {
    pub(crate) key: String,
    pub(crate) key_span: Range<usize>,
    pub(crate) node: Node,
}

impl Node {
    /// How many entries the list or map has.
    pub(crate) const fn length(&self) -> usize {
        match &self.value {
            Value::List(elements) => elements.len(),
            Value::Map(entries) => entries.len(),
            Value::Null | Value::Bool(_) | Value::Integer(_) | Value::Float(_) | Value::Text(_) => 0,
        }
    }

    /// How many values it is, with all that stands in it.
    pub(crate) fn count(&self) -> usize {
        match &self.value {
            Value::List(elements) => 1 + elements.iter().map(Self::count).sum::<usize>(),
            Value::Map(entries) => 1 + entries.iter().map(|entry| entry.node.count()).sum::<usize>(),
            Value::Null | Value::Bool(_) | Value::Integer(_) | Value::Float(_) | Value::Text(_) => 1,
        }
    }

    /// How many entries the longest list or map in it has.
    pub(crate) fn longest(&self) -> usize {
        let below = match &self.value {
            Value::List(elements) => elements.iter().map(Self::longest).max(),
            Value::Map(entries) => entries.iter().map(|entry| entry.node.longest()).max(),
            Value::Null | Value::Bool(_) | Value::Integer(_) | Value::Float(_) | Value::Text(_) => None,
        };
        below.unwrap_or_default().max(self.length())
    }

    /// What stands in it, with its path.
    pub(crate) fn below(&self, path: &Path) -> Vec<(Path, &Self)> {
        match &self.value {
            Value::List(elements) => {
                elements.iter().enumerate().map(|(index, element)| (path.index(index), element)).collect()
            }
            Value::Map(entries) => entries.iter().map(|entry| (path.key(&entry.key), &entry.node)).collect(),
            Value::Null | Value::Bool(_) | Value::Integer(_) | Value::Float(_) | Value::Text(_) => Vec::new(),
        }
    }

    /// The text of a field; none if it is missing or something else.
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        let Value::Map(entries) = &self.value else { return None };
        match &entries.iter().find(|entry| entry.key == name)?.node.value {
            Value::Text(text) => Some(text),
            Value::Null | Value::Bool(_) | Value::Integer(_) | Value::Float(_) | Value::List(_) | Value::Map(_) => None,
        }
    }

    /// The bytes to point at for a path: of its value, or of what comes nearest above it.
    pub(crate) fn locate(&self, path: &Path) -> Range<usize> {
        let mut node = self;
        let mut span = 0..0;
        for segment in path.segments() {
            match (segment, &node.value) {
                (Segment::Key(key), Value::Map(entries)) => match entries.iter().find(|entry| entry.key == *key) {
                    Some(entry) => {
                        span = entry.pointed_at();
                        node = &entry.node;
                    }
                    None => break,
                },
                (Segment::Name(key), Value::Map(entries)) => {
                    let named = entries.iter().find(|entry| entry.key == *key);
                    return named.map_or(span, |entry| entry.key_span.clone());
                }
                (Segment::Index(index), Value::List(elements)) => match elements.get(*index) {
                    Some(element) => {
                        span = element.span.clone();
                        node = element;
                    }
                    None => break,
                },
                _ => break,
            }
        }
        if span.is_empty() { self.span.start..self.span.start } else { span }
    }
}

impl Entry {
    /// A scalar is pointed at itself; of anything longer, the key.
    pub(crate) fn pointed_at(&self) -> Range<usize> {
        match self.node.value {
            Value::List(_) | Value::Map(_) | Value::Null => self.key_span.clone(),
            Value::Bool(_) | Value::Integer(_) | Value::Float(_) | Value::Text(_) => self.node.span.clone(),
        }
    }
}
