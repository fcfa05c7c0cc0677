//! Tells people what is wrong: the place, an excerpt with a caret, and what to do. On standard error.

use std::borrow::Cow;
use std::io::{IsTerminal, Write};
use std::ops::Range;

use annotate_snippets::{AnnotationKind, Group, Level, Origin, Renderer, Snippet};
use spec::Problem;

use super::failure::{Failure, Source};

/// More would scroll away what comes first.
const MOST_PROBLEMS: usize = 50;
/// A line that is longer is cut around the place, before the renderer crops it to a screen.
const LONGEST_LINE: usize = 4096;
/// More is not said where the reader has few lines, in bytes.
const SHORT: usize = 4096;

/// Says why a command failed, and of one that writes, that it did not.
pub(crate) fn failure(failure: &Failure, writes: bool) {
    let mut lines = String::new();
    if let Failure::Refused(refused) = failure {
        for (source, problem) in problems(refused).take(MOST_PROBLEMS) {
            lines += &excerpt(Level::ERROR, source, problem);
            lines += "\n\n";
        }
        lines += &more(problems(refused).count());
    }
    let outcome = if writes && !lines.is_empty() { "; nothing was written" } else { "" };
    say(&format!("{lines}valkey-render: {failure}{outcome}\n"));
}

/// Says why a step of a plugin failed: the cause first, for it travels to where few lines are shown, and is kept there.
pub(crate) fn briefly(failure: &Failure) {
    let Failure::Refused(refused) = failure else {
        say(&format!("error: {failure}\n"));
        return;
    };
    let mut lines = String::new();
    let mut left = problems(refused).count();
    for (source, problem) in problems(refused) {
        if lines.len() < SHORT {
            lines += &format!("{}\n\n", excerpt(Level::ERROR, source, problem));
            left -= 1;
        }
    }
    match left {
        0 => say(lines.trim_end_matches('\n')),
        left => say(&format!("{lines}… and {left} more")),
    }
    say("\n");
}

/// What may be meant otherwise, told in the end, and only counted once there is too much of it.
#[derive(Debug, Default)]
pub(crate) struct Warnings {
    found: usize,
    lines: String,
}

impl Warnings {
    pub(crate) fn add(&mut self, source: &Source, problem: &Problem) {
        self.found += 1;
        if self.found <= MOST_PROBLEMS {
            self.lines += &format!("{}\n\n", excerpt(Level::WARNING, source, problem));
        }
    }

    pub(crate) fn say(self) {
        say(&format!("{}{}", self.lines, more(self.found)));
    }
}

fn problems(refused: &[(Source, Vec<Problem>)]) -> impl Iterator<Item = (&Source, &Problem)> {
    refused.iter().flat_map(|(source, problems)| problems.iter().map(move |problem| (source, problem)))
}

fn more(found: usize) -> String {
    match found.saturating_sub(MOST_PROBLEMS) {
        0 => String::new(),
        more => format!("… and {more} more\n\n"),
    }
}

fn say(text: &str) {
    // Nobody is left to tell if this fails.
    let _ = std::io::stderr().lock().write_all(text.as_bytes());
}

fn renderer() -> Renderer {
    let colour = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    if colour { Renderer::styled() } else { Renderer::plain() }
}

fn excerpt(level: Level<'_>, source: &Source, problem: &Problem) -> String {
    let title = problem.to_string();
    let group = level.primary_title(title.as_str());
    let mut group = match &problem.span {
        Some(span) => with_place(group, source, span),
        None => group.element(Origin::path(source.path.as_str())),
    };
    if let Some(hint) = &problem.complaint.hint {
        group = group.element(Level::HELP.message(hint.as_str()));
    }
    renderer().render(&[group])
}

fn with_place<'a>(title: annotate_snippets::Title<'a>, source: &'a Source, span: &Range<usize>) -> Group<'a> {
    let place = Place::of(&source.text, span);
    let annotation = AnnotationKind::Primary.span(place.marked);
    let path = source.path.as_str();
    match place.shown {
        Cow::Borrowed(line) => {
            title.element(Snippet::source(line).path(path).line_start(place.line).annotation(annotation))
        }
        // A line that was cut no longer tells the column.
        Cow::Owned(line) => {
            let origin = Origin::path(path).line(place.line).char_column(place.column);
            title.element(origin).element(Snippet::source(line).line_start(place.line).annotation(annotation))
        }
    }
}

/// Where a span stands, and what is shown of its first line.
struct Place<'a> {
    line: usize,
    column: usize,
    shown: Cow<'a, str>,
    marked: Range<usize>,
}

impl<'a> Place<'a> {
    fn of(text: &'a str, span: &Range<usize>) -> Self {
        let start = floor(text, span.start);
        let line_start = text.get(..start).and_then(|before| before.rfind('\n')).map_or(0, |at| at + 1);
        let rest = text.get(line_start..).unwrap_or_default();
        let line_text = rest.split(['\n', '\r']).next().unwrap_or_default();
        let column = text.get(line_start..start).map_or(0, |before| before.chars().count());
        let length = span.end.saturating_sub(start).max(1);
        let (shown, offset) = cut(line_text, start - line_start);
        let marked_start = offset.min(shown.len());
        let marked = marked_start..ceiling(&shown, marked_start + length);
        // Byte by byte, which is done many at a time: at most fifty places are ever looked for.
        let lines_before = text.bytes().take(line_start).filter(|byte| *byte == b'\n').count();
        Self { line: lines_before + 1, column: column + 1, shown, marked }
    }
}

/// The line, cut around the byte at `offset` if it is too long, and where that byte stands in what is left.
fn cut(line: &str, offset: usize) -> (Cow<'_, str>, usize) {
    if line.len() <= LONGEST_LINE {
        return (Cow::Borrowed(line), offset);
    }
    let start = floor(line, offset.saturating_sub(LONGEST_LINE / 2));
    let end = floor(line, (start + LONGEST_LINE).min(line.len()));
    let piece = line.get(start..end).unwrap_or_default();
    let prefix = if start > 0 { "…" } else { "" };
    (Cow::Owned(format!("{prefix}{piece}…")), prefix.len() + offset - start)
}

fn floor(text: &str, mut index: usize) -> usize {
    index = index.min(text.len());
    while !text.is_char_boundary(index) {
        index -= 1;
    }
    index
}

fn ceiling(text: &str, mut index: usize) -> usize {
    index = index.min(text.len());
    while !text.is_char_boundary(index) {
        index += 1;
    }
    index
}
