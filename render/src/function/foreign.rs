//! Reads YAML of others so that it can be written again: every scalar stays what it is, whichever version of YAML its reader follows.

use std::borrow::Cow;
use std::collections::HashMap;
use std::ops::Range;

use granit_parser::{Event, Parser, ScalarStyle};
use spec::{Complaint, Path, Problem};

use crate::tree::Tree;

/// More values than the objects of hundreds of clusters have; what stops an alias bomb.
const MOST_VALUES: usize = 500_000;
/// Deeper than any object is.
const DEEPEST: usize = 200;

/// The one document of a text.
pub(super) fn read(text: &str) -> Result<Tree<'static>, Problem> {
    let mut builder = Builder::default();
    for item in Parser::new_from_str(text) {
        let (event, span) = item.map_err(|error| {
            let at = error.marker().byte_offset().unwrap_or(text.len()).min(text.len());
            problem(format!("not valid YAML: {}", error.kind()), "mend the YAML around this place", at..at)
        })?;
        let at = span.start.byte_offset().unwrap_or(0).min(text.len());
        builder.take(event).map_err(|message| problem(message, "look at what calls the function", at..at))?;
    }
    builder.root.ok_or_else(|| problem("there is nothing in it", "pass a ResourceList", 0..0))
}

fn problem(message: impl Into<String>, hint: &str, span: Range<usize>) -> Problem {
    Problem { path: Path::default(), complaint: Complaint::new(message, hint), span: Some(span) }
}

/// A map or list that is still being read.
enum Open {
    List(Vec<Tree<'static>>, usize),
    Map(Vec<(Cow<'static, str>, Tree<'static>)>, Option<Cow<'static, str>>, usize),
}

#[derive(Default)]
struct Builder {
    stack: Vec<Open>,
    root: Option<Tree<'static>>,
    anchors: HashMap<usize, Tree<'static>>,
    values: usize,
}

impl Builder {
    fn take(&mut self, event: Event<'_>) -> Result<(), String> {
        match event {
            Event::Scalar(_, _, _, Some(_))
            | Event::SequenceStart(_, _, Some(_))
            | Event::MappingStart(_, _, Some(_)) => Err("a tag, and tags are not passed on".to_owned()),
            Event::Scalar(text, style, anchor, None) => self.place(scalar(&text, style), anchor),
            Event::SequenceStart(_, anchor, None) => self.open(Open::List(Vec::new(), anchor)),
            Event::MappingStart(_, anchor, None) => self.open(Open::Map(Vec::new(), None, anchor)),
            Event::SequenceEnd | Event::MappingEnd => match self.stack.pop() {
                Some(Open::List(elements, anchor)) => self.place(Tree::List(elements), anchor),
                Some(Open::Map(fields, _, anchor)) => self.place(Tree::Map(fields), anchor),
                None => Ok(()),
            },
            Event::Alias(id) => {
                let tree = self.anchors.get(&id).cloned().ok_or("an alias stands inside its own anchor")?;
                self.values += count(&tree);
                self.place(tree, 0)
            }
            _ => Ok(()),
        }
    }

    fn open(&mut self, open: Open) -> Result<(), String> {
        self.stack.push(open);
        if self.stack.len() > DEEPEST { Err(format!("more than {DEEPEST} levels deep")) } else { Ok(()) }
    }

    fn place(&mut self, tree: Tree<'static>, anchor: usize) -> Result<(), String> {
        self.values += 1;
        if self.values > MOST_VALUES {
            return Err(format!("more than {MOST_VALUES} values"));
        }
        if anchor != 0 {
            self.anchors.insert(anchor, tree.clone());
        }
        match self.stack.last_mut() {
            None if self.root.is_some() => return Err("a second document, and one is read".to_owned()),
            None => self.root = Some(tree),
            Some(Open::List(elements, _)) => elements.push(tree),
            Some(Open::Map(fields, key, _)) => match (key.take(), tree) {
                (Some(key), value) => fields.push((key, value)),
                (None, Tree::Text(text) | Tree::Plain(text)) => *key = Some(text),
                (None, _) => return Err("a key has to be text".to_owned()),
            },
        }
        Ok(())
    }
}

/// Quotes and blocks mean text to everyone; what stands without them on one line is left to its reader.
fn scalar(text: &str, style: ScalarStyle) -> Tree<'static> {
    let text: Cow<'static, str> = Cow::Owned(text.to_owned());
    match style {
        ScalarStyle::Plain if text.is_empty() => Tree::Null,
        ScalarStyle::Plain if !text.contains('\n') => Tree::Plain(text),
        _ => Tree::Text(text),
    }
}

fn count(tree: &Tree<'_>) -> usize {
    match tree {
        Tree::List(elements) => 1 + elements.iter().map(count).sum::<usize>(),
        Tree::Map(fields) => 1 + fields.iter().map(|(_, value)| count(value)).sum::<usize>(),
        Tree::Null | Tree::Bool(_) | Tree::Integer(_) | Tree::Text(_) | Tree::Plain(_) => 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::yaml;

    #[test]
    fn what_is_read_is_written_as_it_was() {
        let text = "a: 0644\nb: yes\nc: \"yes\"\nd: 1.10\ne: 1e3\nf: 18446744073709551615\ng: ~\nh: 2026-01-01\ni: x y\n\
                    j: |\n  one\n  two\nk:\n- {}\n- []\n- l: \"1_000\"\n  m: .inf\n";
        assert_eq!(yaml::write(&read(text).unwrap()).unwrap(), text);
    }

    #[test]
    fn json_is_yaml_too() {
        let text = r#"{"a": [1, "1", null, true, {"b": "x\ny\n"}], "c": "\u00e9\t"}"#;
        let written = yaml::write(&read(text).unwrap()).unwrap();
        let values = [text, &written].map(|text| serde_saphyr::from_str::<serde_json::Value>(text).unwrap());
        assert_eq!(values[0], values[1], "{written}");
    }

    #[test]
    fn what_cannot_be_passed_on_is_refused() {
        let deep = format!("{}x", "- ".repeat(300));
        for text in ["a: !!binary eA==\n", "a: &x [*x]\n", "a: 1\n---\nb: 2\n", "? [a]\n: b\n", "", "a: [\n", &deep] {
            assert!(read(text).is_err(), "{text}");
        }
        assert!(read(&deep).unwrap_err().to_string().contains("levels deep"));
        let mut bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
        for level in 1..12 {
            let previous = format!("*a{}, ", level - 1).repeat(10);
            bomb += &format!("a{level}: &a{level} [{}]\n", previous.trim_end_matches(", "));
        }
        assert!(read(&bomb).unwrap_err().to_string().contains("more than 500000 values"));
    }
}
