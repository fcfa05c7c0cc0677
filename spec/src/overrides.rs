//! Values from outside a text that take the place of what it says, before anything is checked.

use crate::node::{Entry, Node, Value};
use crate::problem::{Complaint, Path, Problem, Segment};

/// A value from outside, for a field of every cluster in a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Override {
    /// What it is called where it comes from, such as "parameter `shards`": what is wrong with it is said of that.
    pub name: String,
    /// The field.
    pub path: Path,
    /// Its value.
    pub value: OverrideValue,
}

/// A value from outside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OverrideValue {
    /// True or false.
    Bool(bool),
    /// A whole number.
    Integer(i64),
    /// Text.
    Text(String),
}

impl Override {
    pub(crate) fn apply(&self, root: &mut Node) {
        let value = match &self.value {
            OverrideValue::Bool(flag) => Value::Bool(*flag),
            OverrideValue::Integer(number) => Value::Integer(*number),
            OverrideValue::Text(text) => Value::Text(text.clone()),
        };
        let mut place = root;
        for segment in self.path.segments() {
            // What stands there instead of a map is a mistake of its own.
            let Some(next) = key(segment).and_then(|key| step(place, key)) else { return };
            place = next;
        }
        place.value = value;
    }

    /// Whether the value, or the key that it was put under, is meant.
    fn is_about(&self, path: &Path) -> bool {
        let (own, other) = (self.path.segments(), path.segments());
        own.len() <= other.len() && own.iter().zip(other).all(|(own, other)| key(own) == key(other))
    }

    /// The problem, said of the value from outside if that is what is meant: it stands nowhere in the text.
    fn claim(&self, problem: Problem) -> Problem {
        if !self.is_about(&problem.path) {
            return problem;
        }
        let message = format!("{}: {}", self.name, problem.complaint.message);
        Problem { path: Path::default(), complaint: Complaint { message, ..problem.complaint }, span: None }
    }
}

/// The key that a step leads to, or that it is.
fn key(segment: &Segment) -> Option<&str> {
    match segment {
        Segment::Key(key) | Segment::Name(key) => Some(key),
        Segment::Index(_) => None,
    }
}

/// Each problem, said of the value from outside that it is about, if there is one.
pub(crate) fn claim(overrides: &[Override], problem: Problem) -> Problem {
    overrides.iter().fold(problem, |problem, given| given.claim(problem))
}

/// The value of a key, which is added where it is missing or empty.
fn step<'n>(node: &'n mut Node, key: &str) -> Option<&'n mut Node> {
    if node.value == Value::Null {
        node.value = Value::Map(Vec::new());
    }
    let start = node.span.start;
    let Value::Map(entries) = &mut node.value else {
        return None;
    };
    let position = entries.iter().position(|entry| entry.key == key);
    let position = position.unwrap_or_else(|| {
        let node = Node { value: Value::Null, span: start..start };
        entries.push(Entry { key: key.to_owned(), key_span: start..start, node });
        entries.len() - 1
    });
    entries.get_mut(position).map(|entry| &mut entry.node)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::read::{read, read_with};

    const TEXT: &str = "apiVersion: valkey-gitops.dev/v1alpha1\nkind: ValkeyCluster\nmetadata: {name: a, namespace: b}\n\
                        spec:\n  version: \"9.1\"\n  tls: {disabled: true}\n  auth: {disabled: true}\n  upgrade:\n";

    fn given(path: &str, value: OverrideValue) -> Override {
        Override { name: format!("parameter `{path}`"), path: Path::of(path), value }
    }

    #[test]
    fn a_value_from_outside_is_read_as_if_it_stood_in_the_text() {
        let overrides = [
            given("spec.version", OverrideValue::Text("9.0".to_owned())),
            given("spec.shards", OverrideValue::Integer(5)),
            given("spec.upgrade.paused", OverrideValue::Bool(true)),
        ];
        let written = TEXT.replace("9.1", "9.0").replace("upgrade:", "upgrade: {paused: true}\n  shards: 5");
        let cluster = |read: Vec<crate::Read>| read[0].cluster.clone();
        assert_eq!(cluster(read_with(TEXT, None, &overrides).unwrap()), cluster(read(&written, None).unwrap()));
    }

    #[test]
    fn what_is_wrong_with_it_is_said_of_it_and_not_of_the_text() {
        let overrides = [
            given("spec.shards", OverrideValue::Integer(2)),
            given("spec.version", OverrideValue::Text("nine".to_owned())),
            given("spec.config.hzz", OverrideValue::Text("9".to_owned())),
        ];
        let problems = read_with(&TEXT.replace("disabled: true", "disable: true"), None, &overrides).unwrap_err();
        let said: Vec<String> = problems.iter().map(ToString::to_string).collect();
        assert!(said.iter().any(|said| said == "parameter `spec.shards`: 2 is not between 3 and 500"), "{said:?}");
        assert!(said.iter().any(|said| said.starts_with("parameter `spec.version`: `nine`")), "{said:?}");
        assert!(said.iter().any(|said| said.starts_with("parameter `spec.config.hzz`: ")), "{said:?}");
        assert!(said.iter().any(|said| said == "spec.tls.disable: there is no such field"), "{said:?}");
        assert!(problems.iter().all(|problem| problem.span.is_none() == problem.path.is_empty()), "{problems:?}");
    }

    #[test]
    fn a_field_that_is_no_map_is_a_mistake_of_its_own() {
        let overrides = [given("spec.upgrade.paused", OverrideValue::Bool(true))];
        let problems = read_with(&TEXT.replace("upgrade:", "upgrade: 5"), None, &overrides).unwrap_err();
        assert_eq!(problems[0].path, Path::of("spec.upgrade"));
    }
}
