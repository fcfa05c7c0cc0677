//! One object as its template wrote it, in the order in which it was written.
//!
//! What templates write is YAML of the simplest kind: blocks, with one key a line, whose values are JSON or plain words. This
//! reads that and nothing else, an order of magnitude faster than a parser of all of YAML, which in tests is its oracle.

use std::borrow::Cow;
use std::fmt;
use std::hash::{Hash, Hasher};

use serde::de::{self, MapAccess, SeqAccess, Visitor};
use serde::ser::{SerializeMap, SerializeSeq};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::lines::{Lines, lines};

/// Room for as many fields as nearly every map has; a list of fields that grows is moved.
const FIELDS: usize = 8;

/// A value with its fields in order, borrowed from the text that it was read from.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Tree<'t> {
    /// `null`
    Null,
    /// `true` or `false`
    Bool(bool),
    /// A whole number.
    Integer(i64),
    /// Text.
    Text(Cow<'t, str>),
    /// What stands without quotes in a text of others, and means what it means to its reader.
    Plain(Cow<'t, str>),
    /// A list.
    List(Vec<Self>),
    /// A map.
    Map(Vec<(Cow<'t, str>, Self)>),
}

impl<'t> Tree<'t> {
    /// Reads what a template wrote.
    ///
    /// # Errors
    /// The line that is not of the simple kind, and what is wrong with it.
    pub(crate) fn read(text: &'t str) -> Result<Self, String> {
        let mut reader = Reader { lines: lines(text), next: None };
        reader.advance();
        let tree = reader.block(0)?;
        match reader.next {
            None => Ok(tree),
            Some(line) => Err(format!("nothing is expected at `{}`", line.content)),
        }
    }

    /// Reads JSON.
    pub(crate) fn read_json(text: &'t str) -> Result<Self, serde_json::Error> {
        serde_json::from_str(text)
    }

    /// The value under a key.
    pub(crate) fn get(&self, key: &str) -> Option<&Self> {
        match self {
            Self::Map(fields) => fields.iter().find(|(name, _)| name == key).map(|(_, value)| value),
            Self::Null | Self::Bool(_) | Self::Integer(_) | Self::Text(_) | Self::Plain(_) | Self::List(_) => None,
        }
    }

    /// The text of a scalar.
    pub(crate) fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) | Self::Plain(text) => Some(text),
            Self::Null | Self::Bool(_) | Self::Integer(_) | Self::List(_) | Self::Map(_) => None,
        }
    }

    /// The text under a path of keys, such as `metadata/name`; empty if there is none.
    pub(crate) fn text_at(&self, path: &str) -> &str {
        path.split('/').try_fold(self, Self::get).and_then(Self::text).unwrap_or_default()
    }

    /// Adds an annotation to the object's own.
    pub(crate) fn annotate(&mut self, key: &'static str, value: Cow<'t, str>) {
        let annotations = self.field("metadata").and_then(|metadata| metadata.field("annotations"));
        if let Some(Self::Map(fields)) = annotations {
            fields.push((Cow::Borrowed(key), Self::Text(value)));
        }
    }

    /// Adds a text to a map of the object's own.
    pub(crate) fn say(&mut self, map: &'static str, key: &'static str, value: Cow<'t, str>) {
        if let Some(Self::Map(fields)) = self.field(map) {
            fields.push((Cow::Borrowed(key), Self::Text(value)));
        }
    }

    /// The map under a key of a map, there already or added.
    pub(crate) fn field(&mut self, key: &'static str) -> Option<&mut Self> {
        let Self::Map(fields) = self else {
            return None;
        };
        let position = fields.iter().position(|(name, _)| name == key).unwrap_or(fields.len());
        if position == fields.len() {
            fields.push((Cow::Borrowed(key), Self::Map(Vec::new())));
        }
        fields.get_mut(position).map(|(_, value)| value)
    }

    /// Feeds everything but the contents of texts: which fields there are, of which types, in which order.
    pub(crate) fn hash_shape(&self, hasher: &mut impl Hasher) {
        std::mem::discriminant(self).hash(hasher);
        match self {
            Self::Null | Self::Text(_) | Self::Plain(_) => {}
            Self::Bool(value) => value.hash(hasher),
            Self::Integer(value) => value.hash(hasher),
            Self::List(elements) => {
                elements.len().hash(hasher);
                for element in elements {
                    element.hash_shape(hasher);
                }
            }
            Self::Map(fields) => {
                fields.len().hash(hasher);
                for (key, value) in fields {
                    key.hash(hasher);
                    value.hash_shape(hasher);
                }
            }
        }
    }
}

#[derive(Clone, Copy)]
struct Line<'t> {
    indent: usize,
    content: &'t str,
}

impl<'t> Line<'t> {
    /// The line, unless it is blank or a comment.
    fn of(line: &'t str) -> Option<Self> {
        let indent = line.bytes().position(|byte| byte != b' ')?;
        let content = line.get(indent..)?;
        (!content.starts_with('#')).then_some(Self { indent, content })
    }
}

struct Reader<'t> {
    lines: Lines<'t>,
    next: Option<Line<'t>>,
}

impl<'t> Reader<'t> {
    fn advance(&mut self) {
        self.next = self.lines.find_map(Line::of);
    }

    /// The map, list or word whose lines begin at this indentation.
    fn block(&mut self, indent: usize) -> Result<Tree<'t>, String> {
        match self.next {
            Some(line) if line.indent == indent && is_item(line.content) => self.list(indent),
            Some(line) if line.indent == indent && split_key(line.content).is_some() => self.map(indent),
            Some(line) if line.indent == indent => {
                self.advance();
                scalar(line.content)
            }
            _ => Ok(Tree::Null),
        }
    }

    fn list(&mut self, indent: usize) -> Result<Tree<'t>, String> {
        let mut elements = Vec::new();
        while let Some(line) = self.next.filter(|line| line.indent == indent && is_item(line.content)) {
            // What follows the dash stands two columns further in, as if on a line of its own.
            let rest = line.content.get(1..).unwrap_or_default().trim_start_matches(' ');
            let indent = indent + line.content.len() - rest.len();
            self.next = Some(Line { indent, content: rest });
            elements.push(self.block(indent)?);
        }
        Ok(Tree::List(elements))
    }

    fn map(&mut self, indent: usize) -> Result<Tree<'t>, String> {
        let mut fields = Vec::with_capacity(FIELDS);
        while let Some(line) = self.next.filter(|line| line.indent == indent) {
            let Some((key, rest)) = split_key(line.content) else {
                return Err(format!("`{}` is not a key with a value", line.content));
            };
            self.advance();
            let value = if rest.is_empty() { self.nested(indent)? } else { scalar(rest)? };
            fields.push((Cow::Borrowed(key), value));
        }
        Ok(Tree::Map(fields))
    }

    /// What stands below a key: further in, or, if it is a list, in the same column.
    fn nested(&mut self, indent: usize) -> Result<Tree<'t>, String> {
        match self.next {
            Some(line) if line.indent > indent => self.block(line.indent),
            Some(line) if line.indent == indent && is_item(line.content) => self.list(indent),
            _ => Ok(Tree::Null),
        }
    }
}

fn is_item(content: &str) -> bool {
    content == "-" || content.starts_with("- ")
}

/// `key: value` or `key:`, where the key is a plain word.
fn split_key(content: &str) -> Option<(&str, &str)> {
    let end = content.bytes().position(|byte| !is_plain_byte(byte)).filter(|end| *end > 0)?;
    let (key, rest) = content.split_at_checked(end)?;
    match rest.strip_prefix(':')? {
        "" => Some((key, "")),
        value => value.strip_prefix(' ').map(|value| (key, value)),
    }
}

/// Whether words are made of it that need no quotes. Asked of every byte of every text: a look into a table is twice as fast as the
/// comparisons.
#[allow(clippy::indexing_slicing, reason = "the table has an entry for every byte")]
pub(crate) fn is_plain_byte(byte: u8) -> bool {
    const PLAIN: [bool; 256] = {
        let mut table = [false; 256];
        let mut byte = 0;
        while byte < 128_u8 {
            table[byte as usize] = byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'/' | b'-');
            byte += 1;
        }
        table
    };
    PLAIN[usize::from(byte)]
}

/// JSON, or a plain word.
fn scalar(text: &str) -> Result<Tree<'_>, String> {
    if text.starts_with(|first: char| first.is_ascii_alphabetic() || first == '/')
        && !["true", "false", "null"].contains(&text)
    {
        return if text.bytes().all(is_plain_byte) {
            Ok(Tree::Text(Cow::Borrowed(text)))
        } else {
            Err(format!("`{text}` is not a plain word"))
        };
    }
    serde_json::from_str(text).map_err(|error| format!("`{text}` is neither JSON nor a plain word: {error}"))
}

impl Serialize for Tree<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Null => serializer.serialize_unit(),
            Self::Bool(value) => serializer.serialize_bool(*value),
            Self::Integer(value) => serializer.serialize_i64(*value),
            Self::Text(value) | Self::Plain(value) => serializer.serialize_str(value),
            Self::List(elements) => {
                let mut list = serializer.serialize_seq(Some(elements.len()))?;
                elements.iter().try_for_each(|element| list.serialize_element(element))?;
                list.end()
            }
            Self::Map(fields) => {
                let mut map = serializer.serialize_map(Some(fields.len()))?;
                fields.iter().try_for_each(|(key, value)| map.serialize_entry(key, value))?;
                map.end()
            }
        }
    }
}

impl<'de> Deserialize<'de> for Tree<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(TreeVisitor)
    }
}

/// A key, borrowed where it can be; `Cow` by itself is always copied.
#[derive(Deserialize)]
struct Key<'t>(#[serde(borrow)] Cow<'t, str>);

struct TreeVisitor;

impl<'de> Visitor<'de> for TreeVisitor {
    type Value = Tree<'de>;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a value of JSON without fractions")
    }

    fn visit_unit<E>(self) -> Result<Tree<'de>, E> {
        Ok(Tree::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Tree<'de>, E> {
        Ok(Tree::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Tree<'de>, E> {
        Ok(Tree::Integer(value))
    }

    fn visit_u64<E: de::Error>(self, value: u64) -> Result<Tree<'de>, E> {
        i64::try_from(value).map(Tree::Integer).map_err(E::custom)
    }

    fn visit_borrowed_str<E>(self, value: &'de str) -> Result<Tree<'de>, E> {
        Ok(Tree::Text(Cow::Borrowed(value)))
    }

    fn visit_str<E>(self, value: &str) -> Result<Tree<'de>, E> {
        Ok(Tree::Text(Cow::Owned(value.to_owned())))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Tree<'de>, A::Error> {
        let mut elements = Vec::new();
        while let Some(element) = list.next_element()? {
            elements.push(element);
        }
        Ok(Tree::List(elements))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Tree<'de>, A::Error> {
        let mut fields = Vec::with_capacity(FIELDS);
        while let Some(Key(key)) = map.next_key()? {
            fields.push((key, map.next_value()?));
        }
        Ok(Tree::Map(fields))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn agrees_with_a_parser_of_all_of_yaml(text: &str) {
        let ours = serde_json::to_value(Tree::read(text).unwrap()).unwrap();
        let theirs: serde_json::Value = serde_saphyr::from_str(text).unwrap();
        assert_eq!(ours, theirs, "{text}");
    }

    #[test]
    fn blocks_and_lists_are_read_as_any_parser_would() {
        for text in [
            "a: 1\nb:\n  c: \"x: y\"\n  d: {\"e\": [1, true]}\nf: word\n",
            "a:\n- b: 1\n  c: 2\n- b: 3\n",
            "a:\n  - b:\n      c: 1\n    d: 2\n  - word\n",
            "# comment\na:\n- - 1\n  - 2\n- 3\n\nb: {}\n",
            "a:\nb: null\nc/d.e-f: \"#\"\n",
            "rules:\n- apiGroups: [\"\"]\n  verbs: [\"get\", \"list\"]\n# between\n- apiGroups: [\"apps\"]\n",
        ] {
            agrees_with_a_parser_of_all_of_yaml(text);
        }
    }

    #[test]
    fn everything_else_is_refused() {
        for text in [
            "a: b c\n",
            "a: |\n  x\n",
            "a: 'x'\n",
            "a: &x 1\n",
            "a: 0644\n",
            "a: 1\n  b: 2\n",
            "a: \"x\"-y\n",
            "a: [x, y]\n",
            "a: x # y\n",
        ] {
            assert!(Tree::read(text).is_err(), "{text}");
        }
    }
}
