//! The lines of a text, found many bytes at a time: what a rendering reads and writes is mostly short lines, of which the standard
//! library's way takes its time with every one.

use memchr::memchr;

/// The lines of a text, without the breaks that end them.
pub(crate) fn lines(text: &str) -> Lines<'_> {
    Lines { rest: text }
}

/// What is left of them.
pub(crate) struct Lines<'t> {
    rest: &'t str,
}

impl<'t> Iterator for Lines<'t> {
    type Item = &'t str;

    fn next(&mut self) -> Option<&'t str> {
        let end = match memchr(b'\n', self.rest.as_bytes()) {
            Some(end) => end,
            None if self.rest.is_empty() => return None,
            None => self.rest.len(),
        };
        let line = self.rest.get(..end)?;
        self.rest = self.rest.get(end + 1..).unwrap_or_default();
        Some(line)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn they_are_those_of_the_standard_library() {
        for text in ["", "\n", "\n\n", "a", "a\n", "a\n\n", "\na", "a\nb", "é\n\n ü \n", "a\n\u{2028}b\n"] {
            assert_eq!(lines(text).collect::<Vec<_>>(), text.lines().collect::<Vec<_>>(), "{text:?}");
        }
    }
}
