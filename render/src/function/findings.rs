//! What a function has to say about the objects that it was handed.

use std::borrow::Cow;
use std::fmt;

use spec::Problem;

use super::list::Item;
use crate::document::Identity;
use crate::tree::Tree;

/// Something that is wrong, or worth a look, with an object.
#[derive(Debug, Clone)]
pub struct Finding {
    /// Whether it is wrong, or just worth a look.
    pub severity: Severity,
    /// What, at which field, and what to do.
    pub problem: Problem,
    object: Identity,
    file: Option<(String, String)>,
    value: Option<Tree<'static>>,
}

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Severity {
    /// Nothing is rendered.
    Error,
    /// It may be meant otherwise.
    Warning,
}

impl Severity {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
        }
    }
}

impl Finding {
    /// A problem of an object. Where it stands in a text is forgotten: the text is not the one that a person wrote.
    pub(super) fn of(item: &Item, severity: Severity, problem: Problem) -> Self {
        let is_scalar = |value: &&Tree<'static>| !matches!(value, Tree::List(_) | Tree::Map(_) | Tree::Null);
        Self {
            severity,
            object: item.identity(),
            file: item.file().map(|(path, index)| (path.to_owned(), index.to_owned())),
            value: item.value(&problem.path).filter(is_scalar).cloned(),
            problem: Problem { span: None, ..problem },
        }
    }

    /// As an entry of `results`.
    pub(super) fn tree(&self) -> Tree<'static> {
        let message = match &self.problem.complaint.hint {
            Some(hint) => format!("{}; {hint}", self.problem),
            None => self.problem.to_string(),
        };
        let mut fields = vec![
            ("message", text(message)),
            ("severity", text(self.severity.as_str())),
            ("resourceRef", self.reference()),
        ];
        if !self.problem.path.is_empty() {
            let path = ("path", text(self.problem.path.to_string()));
            let current = self.value.clone().map(|value| ("currentValue", value));
            let proposed = self.problem.complaint.instead.clone().map(|value| ("proposedValue", text(value)));
            fields.push(("field", map([Some(path), current, proposed])));
        }
        if let Some((path, index)) = &self.file {
            let index = index.parse().ok().map(|index| ("index", Tree::Integer(index)));
            fields.push(("file", map([Some(("path", text(path.clone()))), index])));
        }
        map(fields.into_iter().map(Some))
    }

    fn reference(&self) -> Tree<'static> {
        let Identity { api_version, kind, namespace, name } = self.object.clone();
        let namespace = Some(namespace).filter(|namespace| !namespace.is_empty());
        map([
            Some(("apiVersion", text(api_version))),
            Some(("kind", text(kind))),
            Some(("name", text(name))),
            namespace.map(|namespace| ("namespace", text(namespace))),
        ])
    }
}

/// The object, and the file that it stands in if that is known.
impl fmt::Display for Finding {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.file {
            Some((path, _)) => write!(out, "{} in {path}", self.object),
            None => write!(out, "{}", self.object),
        }
    }
}

fn text(text: impl Into<Cow<'static, str>>) -> Tree<'static> {
    Tree::Text(text.into())
}

fn map(fields: impl IntoIterator<Item = Option<(&'static str, Tree<'static>)>>) -> Tree<'static> {
    Tree::Map(fields.into_iter().flatten().map(|(key, value)| (Cow::Borrowed(key), value)).collect())
}
