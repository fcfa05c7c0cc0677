//! The one writer of YAML: every string safe for readers of YAML 1.1, text as block literals, the same bytes for the same value.
//!
//! Blocks and indentation are written here; how a string is quoted is asked of serde-saphyr, unless it is plain to everyone.

use std::borrow::Cow;

use crate::error::Error;
use crate::lines::lines;
use crate::tree::{Tree, is_plain_byte};

/// How a value is laid out.
enum Form<'a, 't> {
    /// Fields, one below the other.
    Fields(&'a [(Cow<'t, str>, Tree<'t>)]),
    /// Elements, one below the other.
    Elements(&'a [Tree<'t>]),
    /// On the line of its key, or from there on.
    Line,
}

fn form<'a, 't>(tree: &'a Tree<'t>) -> Form<'a, 't> {
    match tree {
        Tree::Map(fields) if !fields.is_empty() => Form::Fields(fields),
        Tree::List(elements) if !elements.is_empty() => Form::Elements(elements),
        Tree::Null
        | Tree::Bool(_)
        | Tree::Integer(_)
        | Tree::Text(_)
        | Tree::Plain(_)
        | Tree::List(_)
        | Tree::Map(_) => Form::Line,
    }
}

/// The tree as a YAML document, its fields in the order in which they come.
pub(crate) fn write(tree: &Tree<'_>) -> Result<String, Error> {
    let mut out = String::with_capacity(4096);
    match form(tree) {
        Form::Fields(fields) => map(&mut out, fields, 0)?,
        Form::Elements(elements) => list(&mut out, elements, 0)?,
        Form::Line => {
            inline(&mut out, tree, 0)?;
        }
    }
    Ok(out)
}

/// Fields, one below the other; the first stands where the cursor is.
fn map(out: &mut String, fields: &[(Cow<'_, str>, Tree<'_>)], indent: usize) -> Result<(), Error> {
    for (position, (key, value)) in fields.iter().enumerate() {
        if position > 0 {
            pad(out, indent);
        }
        scalar(out, key)?;
        out.push(':');
        match form(value) {
            Form::Fields(inner) => {
                out.push('\n');
                pad(out, indent + 2);
                map(out, inner, indent + 2)?;
            }
            Form::Elements(elements) => {
                out.push('\n');
                pad(out, indent);
                list(out, elements, indent)?;
            }
            Form::Line => {
                out.push(' ');
                inline(out, value, indent)?;
            }
        }
    }
    Ok(())
}

/// Elements, one below the other; the first stands where the cursor is.
fn list(out: &mut String, elements: &[Tree<'_>], indent: usize) -> Result<(), Error> {
    for (position, element) in elements.iter().enumerate() {
        if position > 0 {
            pad(out, indent);
        }
        out.push_str("- ");
        match form(element) {
            Form::Fields(fields) => map(out, fields, indent + 2)?,
            Form::Elements(inner) => list(out, inner, indent + 2)?,
            Form::Line => {
                inline(out, element, indent)?;
            }
        }
    }
    Ok(())
}

/// What stands on one line, or begins on it, as a block literal does.
fn inline(out: &mut String, value: &Tree<'_>, indent: usize) -> Result<(), Error> {
    match value {
        Tree::Null => out.push_str("null"),
        Tree::Bool(flag) => out.push_str(if *flag { "true" } else { "false" }),
        Tree::Integer(number) => out.push_str(&number.to_string()),
        Tree::Plain(text) => out.push_str(text),
        Tree::List(_) => out.push_str("[]"),
        Tree::Map(_) => out.push_str("{}"),
        Tree::Text(text) if is_literal(text) => {
            literal(out, text, indent);
            return Ok(());
        }
        Tree::Text(text) => scalar(out, text)?,
    }
    out.push('\n');
    Ok(())
}

/// Whether the text can stand as a block literal: lines that end with one break, without what a reader or an editor would change.
fn is_literal(text: &str) -> bool {
    let ends_once = text.ends_with('\n') && !text.ends_with("\n\n");
    ends_once && !text.starts_with([' ', '\n']) && !text.contains(" \n") && is_clean(text) && is_printable(text)
}

/// No control characters but breaks. Every byte is looked at, whatever stands before it: so the compiler can take many at once.
fn is_clean(text: &str) -> bool {
    !text.bytes().fold(false, |found, byte| found | (byte.is_ascii_control() && byte != b'\n'))
}

/// No character beyond ASCII that breaks lines or is not shown.
fn is_printable(text: &str) -> bool {
    let breaks = |c: char| c.is_control() && c != '\n' || matches!(c, '\u{2028}' | '\u{2029}' | '\u{feff}');
    text.is_ascii() || !text.chars().any(breaks)
}

fn literal(out: &mut String, text: &str, indent: usize) {
    out.push_str("|\n");
    for line in lines(text) {
        if !line.is_empty() {
            pad(out, indent + 2);
            out.push_str(line);
        }
        out.push('\n');
    }
}

fn scalar(out: &mut String, text: &str) -> Result<(), Error> {
    if is_plain(text) {
        out.push_str(text);
        return Ok(());
    }
    if has_prefix_of_number(text) {
        out.extend(["\"", text, "\""]);
        return Ok(());
    }
    // Lines are never folded: a long string on one line shows in a diff what changed.
    let options = serde_saphyr::ser_options! { folded_wrap_chars: usize::MAX, prefer_block_scalars: false };
    out.push_str(serde_saphyr::to_string_with_options(&text, options)?.trim_end_matches('\n'));
    Ok(())
}

/// Whether it begins as a number in base two, eight or sixteen does: readers differ in which of these they take for one, and in
/// whether capitals count.
fn has_prefix_of_number(text: &str) -> bool {
    let digits = text.trim_start_matches(['+', '-']);
    let prefixed =
        ["0b", "0o", "0x"].iter().any(|prefix| digits.get(..2).is_some_and(|start| start.eq_ignore_ascii_case(prefix)));
    prefixed && digits.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

/// Whether every reader takes these characters, written without quotes, for this text: words that begin with a letter or a slash
/// and cannot be booleans or nothing.
fn is_plain(text: &str) -> bool {
    let starts = text.starts_with(|first: char| first.is_ascii_alphabetic() || first == '/');
    starts && text.bytes().all(is_plain_byte) && (text.len() > 5 || !is_reserved(text))
}

fn is_reserved(text: &str) -> bool {
    let words: &[&str] = match text.as_bytes().first().map(u8::to_ascii_lowercase) {
        Some(b'y') => &["y", "yes"],
        Some(b'n') => &["n", "no", "null", "nan"],
        Some(b'o') => &["on", "off"],
        Some(b't') => &["true"],
        Some(b'f') => &["false"],
        Some(b'i') => &["inf"],
        _ => &[],
    };
    words.iter().any(|word| text.eq_ignore_ascii_case(word))
}

fn pad(out: &mut String, indent: usize) {
    const BLANKS: &str = "                                                                ";
    let mut left = indent;
    while left > 0 {
        let part = left.min(BLANKS.len());
        out.push_str(BLANKS.get(..part).unwrap_or(BLANKS));
        left -= part;
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn written(value: &Value) -> String {
        write(&Tree::read_json(&value.to_string()).unwrap()).unwrap()
    }

    #[test]
    fn an_object_is_written_in_blocks() {
        let object = json!({"a": {"b": [1, {"c": "d", "e": []}, ["f", "g"]], "h": {}}, "i": "x\n\ny\n", "j": "k l"});
        let expected = "a:\n  b:\n  - 1\n  - c: d\n    e: []\n  - - f\n    - g\n  h: {}\ni: |\n  x\n\n  y\nj: k l\n";
        assert_eq!(written(&object), expected);
    }

    /// Texts that one reader or another would take for a number, a date, a truth or nothing at all.
    const MISTAKABLE: &[&str] = &[
        "yes",
        "no",
        "on",
        "y",
        "N",
        "NO",
        "1_000",
        "0BA",
        "0X1f",
        "-0o7",
        "0644",
        "1e3",
        "null",
        "~",
        "",
        "2026-01-01",
        "1:30",
        "=",
        "true",
        "inf",
        ".inf",
        "nan",
    ];

    #[test]
    fn what_is_written_is_read_back_as_it_was() {
        let texts = [
            "a: b",
            "a #b",
            "- a",
            "* x",
            "&x",
            "!x",
            "|",
            ">",
            "%",
            "@a",
            "`a",
            "\"",
            "'",
            "\\",
            "a\tb",
            "a\n",
            "a\nb",
            " a",
            "a ",
            "\n",
            "a\n\n",
            "a \nb\n",
            "\ta\nb\n",
            "é",
            "\u{1f600}",
            "\u{85}x\n",
            "a\u{2028}b\n",
            "\u{feff}a",
            "*.example.com",
            "10Gi",
            "x: |",
            "a:b",
            "a,b",
            "[a",
            "{a",
            "#",
            "?",
            "-",
        ];
        for text in MISTAKABLE.iter().copied().chain(texts) {
            let value = json!({ "key": text, "list": [text], text: 1 });
            let yaml = written(&value);
            assert_eq!(serde_saphyr::from_str::<Value>(&yaml).unwrap(), value, "{yaml}");
        }
    }

    #[test]
    fn lines_stand_as_they_are_unless_an_editor_would_change_them() {
        let is_literal = |text: &str| written(&json!({ "key": text })).starts_with("key: |\n");
        assert!(is_literal("a\n") && is_literal("a\n\n b\n") && is_literal("é $\n"));
        for text in ["a \nb\n", "a\nb \n", "a\tb\n", "a\r\nb\n", "a\u{7f}\n", "a\u{85}\n", "a\n\n", "a\nb"] {
            assert!(!is_literal(text), "{text:?}");
        }
    }

    #[test]
    fn strings_that_other_readers_would_take_for_something_else_are_quoted() {
        for text in MISTAKABLE {
            assert!(written(&json!({ "a": text })).contains(['"', '\'']), "{text}");
        }
    }
}
