//! YAML text as a tree in which every key and value knows where it stands.
//!
//! A typed reading stops at the first mistake and forgets places. This one goes on: duplicate keys, ambiguous scalars and
//! misused features of YAML are collected as problems while the tree is built, so that one run names them all.

use std::collections::HashMap;
use std::ops::Range;

use granit_parser::{ErrorKind, Event, Parser, ScalarStyle, ScanError};

use crate::node::{Entry, Node, Value};
use crate::plain::{self, Plain};
use crate::problem::{Complaint, Path, Problem};

/// The tree of the one document in `text`, which starts at byte `base` of its file; none if it holds nothing but comments.
///
/// A mistake of syntax ends the reading; every other problem is added to `problems` and read past.
pub(crate) fn parse(text: &str, base: usize, problems: &mut Vec<Problem>) -> Option<Node> {
    let mut builder =
        Builder { base, stack: Vec::new(), root: None, anchors: HashMap::new(), nodes: 0, read: 0, problems };
    for item in Parser::new_from_str(text) {
        match item {
            Ok((event, span)) => {
                let bytes = bytes_of(text, span.start.byte_offset(), span.end.byte_offset(), base);
                builder.read = bytes.end - base;
                if builder.take(event, bytes).is_err() {
                    return None;
                }
            }
            Err(error) => {
                builder.syntax(text, &error);
                return None;
            }
        }
    }
    builder.root
}

fn bytes_of(text: &str, start: Option<usize>, end: Option<usize>, base: usize) -> Range<usize> {
    let start = start.unwrap_or(0).min(text.len());
    let end = end.unwrap_or(start).clamp(start, text.len());
    base + start..base + end
}

/// More nodes than any spec has; what stops an alias bomb.
const NODE_LIMIT: usize = 20_000;

/// Longer than any value of a spec, in bytes.
const LONGEST_SCALAR: usize = 16 * 1024;

/// A map or list that is still being read.
enum Open {
    List { elements: Vec<Node>, start: usize, anchor: usize },
    Map { entries: Vec<Entry>, key: Option<(String, Range<usize>)>, start: usize, anchor: usize },
}

impl Open {
    const fn start(&self) -> usize {
        match self {
            Self::List { start, .. } | Self::Map { start, .. } => *start,
        }
    }
}

struct Builder<'p> {
    base: usize,
    stack: Vec<Open>,
    root: Option<Node>,
    anchors: HashMap<usize, Node>,
    nodes: usize,
    /// Up to where of the document it has been understood.
    read: usize,
    problems: &'p mut Vec<Problem>,
}

/// The document cannot be read further; the problem has been noted.
struct Stop;

impl Builder<'_> {
    fn take(&mut self, event: Event<'_>, span: Range<usize>) -> Result<(), Stop> {
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                if tag.is_some() {
                    self.complain(span.clone(), "tags are not supported", "remove the `!…` in front of the value");
                }
                let value = self.scalar(&text, style, &span);
                self.place(Node { value, span }, anchor)
            }
            Event::SequenceStart(_, anchor, _) => {
                self.stack.push(Open::List { elements: Vec::new(), start: span.start, anchor });
                Ok(())
            }
            Event::MappingStart(_, anchor, _) => {
                self.stack.push(Open::Map { entries: Vec::new(), key: None, start: span.start, anchor });
                Ok(())
            }
            Event::SequenceEnd | Event::MappingEnd => self.close(span.end),
            Event::Alias(id) => self.alias(id, span),
            _ => Ok(()),
        }
    }

    fn scalar(&mut self, text: &str, style: ScalarStyle, span: &Range<usize>) -> Value {
        if text.len() > LONGEST_SCALAR {
            let message = format!("a value of {} bytes, and at most {LONGEST_SCALAR} fit", text.len());
            self.complain(span.start..span.start, message, "check that it is the file you mean");
            return Value::Null;
        }
        if style != ScalarStyle::Plain {
            return Value::Text(text.to_owned());
        }
        match plain::resolve(text) {
            Plain::Null => Value::Null,
            Plain::Bool(value) => Value::Bool(value),
            Plain::Integer(value) => Value::Integer(value),
            Plain::Float => Value::Float(text.to_owned()),
            Plain::TooLarge => {
                let message = format!("`{text}` is a larger number than all readers of YAML can hold");
                self.complain(span.clone(), message, format!("write \"{text}\" for the text, or a smaller number"));
                Value::Text(text.to_owned())
            }
            Plain::Text => Value::Text(text.to_owned()),
            Plain::Ambiguous(other) => {
                let message = format!("`{text}` is text to some readers of YAML and {other} to others");
                let hint = match other {
                    "a boolean" => format!("write \"{text}\" for the text, or true or false"),
                    "a special key" => "write the fields out".to_owned(),
                    _ => format!("write \"{text}\" for the text, or a plain decimal number"),
                };
                self.complain(span.clone(), message, hint);
                Value::Text(text.to_owned())
            }
        }
    }

    fn alias(&mut self, id: usize, span: Range<usize>) -> Result<(), Stop> {
        match self.anchors.get(&id).cloned() {
            Some(node) => {
                self.nodes += node.count();
                self.place(Node { value: node.value, span }, 0)
            }
            None => self.stop(span, "an alias stands inside its own anchor", "write the value out"),
        }
    }

    fn close(&mut self, end: usize) -> Result<(), Stop> {
        match self.stack.pop() {
            Some(Open::List { elements, start, anchor }) => {
                self.place(Node { value: Value::List(elements), span: start..end.max(start) }, anchor)
            }
            Some(Open::Map { entries, start, anchor, .. }) => {
                self.place(Node { value: Value::Map(entries), span: start..end.max(start) }, anchor)
            }
            None => Ok(()),
        }
    }

    /// Puts a finished node where it belongs: a key, the value of the key before it, an element, or the document itself.
    fn place(&mut self, node: Node, anchor: usize) -> Result<(), Stop> {
        self.nodes += 1;
        if self.nodes > NODE_LIMIT {
            return self.stop(
                node.span,
                format!("more than {NODE_LIMIT} values in one document"),
                "split it, or write aliases out",
            );
        }
        if anchor != 0 {
            self.anchors.insert(anchor, node.clone());
        }
        match self.stack.last_mut() {
            None if self.root.is_some() => {
                return self.stop(
                    node.span,
                    "a second document stands behind the first",
                    "write --- between documents",
                );
            }
            None => self.root = Some(node),
            Some(Open::List { elements, .. }) => elements.push(node),
            Some(Open::Map { entries, key, .. }) => match key.take() {
                Some((name, key_span)) if entries.iter().any(|entry| entry.key == name) => {
                    self.duplicate(&name, key_span);
                }
                Some((key, key_span)) => entries.push(Entry { key, key_span, node }),
                None => match key_text(&node.value) {
                    Some(name) => *key = Some((name, node.span)),
                    None => return self.stop(node.span, "a key has to be text", "write the key as plain text"),
                },
            },
        }
        Ok(())
    }

    fn duplicate(&mut self, name: &str, span: Range<usize>) {
        let message = format!("the key `{name}` stands here a second time");
        self.complain(span, message, "keep one of the two: a reader would silently drop the other");
    }

    fn syntax(&mut self, text: &str, error: &ScanError) {
        let found = error.marker().byte_offset().unwrap_or(text.len()).min(text.len());
        let cause = indenting_tab(text, found).map(|at| (at, "indent with spaces: YAML does not allow tabs there"));
        let (at, hint) = cause.or_else(|| self.left_open(text, error.kind())).unwrap_or((found, advice(error.kind())));
        let message = format!("not valid YAML: {}", error.kind());
        self.complain(self.base + at..self.base + at, message, hint);
    }

    /// Where what was not closed begins: the parser notices far behind it.
    fn left_open(&self, text: &str, kind: &ErrorKind) -> Option<(usize, &'static str)> {
        match kind {
            ErrorKind::UnclosedQuotedScalar
            | ErrorKind::InvalidQuotedScalarIndent
            | ErrorKind::DocumentIndicatorInQuotedScalar => {
                let quote = text.get(self.read..)?.find(['"', '\''])?;
                Some((self.read + quote, "close the quote that opens here"))
            }
            ErrorKind::UnclosedFlowCollection { .. }
            | ErrorKind::UnexpectedEofFlowSequence
            | ErrorKind::UnexpectedEofFlowMapping => {
                Some((self.stack.last()?.start() - self.base, "close the bracket that opens here"))
            }
            // There are a hundred kinds more, and the next version may bring others.
            _ => None,
        }
    }

    fn stop(&mut self, span: Range<usize>, message: impl Into<String>, hint: &str) -> Result<(), Stop> {
        self.complain(span, message, hint);
        Err(Stop)
    }

    fn complain(&mut self, span: Range<usize>, message: impl Into<String>, hint: impl Into<String>) {
        self.problems.push(Problem { path: self.path(), complaint: Complaint::new(message, hint), span: Some(span) });
    }

    /// The path of what is being read just now.
    fn path(&self) -> Path {
        self.stack.iter().fold(Path::default(), |path, open| match open {
            Open::List { elements, .. } => path.index(elements.len()),
            Open::Map { key: Some((name, _)), .. } => path.key(name.clone()),
            Open::Map { key: None, .. } => path,
        })
    }
}

/// A tab that indents the line that the parser gave up on, or the next one with anything on it.
fn indenting_tab(text: &str, found: usize) -> Option<usize> {
    let mut start = text.get(..found)?.rfind('\n').map_or(0, |at| at + 1);
    let mut looked_at = 0;
    for line in text.get(start..)?.split_inclusive('\n') {
        let indent = line.len() - line.trim_start_matches([' ', '\t']).len();
        if !line.trim().is_empty() {
            looked_at += 1;
            if let Some(tab) = line.get(..indent)?.find('\t') {
                return Some(start + tab);
            }
        }
        if looked_at == 2 {
            break;
        }
        start += line.len();
    }
    None
}

fn advice(kind: &ErrorKind) -> &'static str {
    match kind {
        ErrorKind::RecursionLimitExceeded => "no field is nested that deep: check that it is the file you mean",
        ErrorKind::TabNotAllowed | ErrorKind::TabInPlainScalar | ErrorKind::TabInBlockIndentation => {
            "write spaces: YAML does not allow tabs there"
        }
        // There are a hundred kinds more, and the next version may bring others.
        _ => "mend the YAML around this place",
    }
}

fn key_text(value: &Value) -> Option<String> {
    match value {
        Value::Text(text) => Some(text.clone()),
        Value::Integer(number) => Some(number.to_string()),
        Value::Bool(flag) => Some(flag.to_string()),
        Value::Null | Value::Float(_) | Value::List(_) | Value::Map(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problems_of(text: &str) -> Vec<String> {
        let mut problems = Vec::new();
        parse(text, 0, &mut problems);
        problems.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn every_duplicate_key_is_found_in_one_reading() {
        assert_eq!(
            problems_of("a: 1\na: 2\nb: {c: 1, c: 2}\n"),
            ["the key `a` stands here a second time", "b: the key `c` stands here a second time"]
        );
    }

    #[test]
    fn values_know_their_place() {
        let text = "spec:\n  list: [one, two]\n";
        let root = parse(text, 0, &mut Vec::new()).unwrap();
        assert_eq!(&text[root.locate(&Path::of("spec.list").index(1))], "two");
        assert_eq!(&text[root.locate(&Path::of("spec.list.nothing"))], "list");
    }

    #[test]
    fn aliases_are_followed_and_bombs_are_not() {
        assert!(problems_of("a: &x {b: 1}\nc: *x\n").is_empty());
        let mut bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
        for level in 1..12 {
            let previous = format!("*a{}, ", level - 1).repeat(10);
            bomb += &format!("a{level}: &a{level} [{}]\n", previous.trim_end_matches(", "));
        }
        assert!(problems_of(&bomb)[0].contains("more than 20000 values"));
    }

    #[test]
    fn a_tab_is_named_as_such() {
        let mut problems = Vec::new();
        parse("spec:\n\tshards: 3\n", 0, &mut problems);
        assert!(problems[0].complaint.hint.as_deref().unwrap().contains("tabs"), "{problems:?}");
    }
}
