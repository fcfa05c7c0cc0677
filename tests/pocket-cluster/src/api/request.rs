//! A request, taken apart: verb, resource, object, and what stands in the query.
//!
//! <https://kubernetes.io/docs/reference/using-api/api-concepts/#resource-uris>

use std::sync::Arc;

use hyper::Method;

use super::rights::Subject;
use super::websocket::Upgrade;
use crate::kinds::{Kind, Subresource};
use crate::refusal::{Reason, Refusal};
use crate::store::Key;

/// The pairs of a query.
#[derive(Clone, Debug, Default)]
pub(crate) struct Query(Vec<(String, String)>);

impl Query {
    pub(crate) fn parse(query: &str) -> Self {
        Self(form_urlencoded::parse(query.as_bytes()).into_owned().collect())
    }

    pub(crate) fn get(&self, key: &str) -> &str {
        self.0.iter().find(|(name, _)| name == key).map_or("", |(_, value)| value)
    }

    /// Every value of what may be said more than once.
    pub(crate) fn all(&self, key: &str) -> Vec<String> {
        self.0.iter().filter(|(name, _)| name == key).map(|(_, value)| value.clone()).collect()
    }

    pub(crate) fn is_true(&self, key: &str) -> bool {
        matches!(self.get(key), "true" | "1")
    }
}

/// What a path names.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    pub(crate) kind: Arc<Kind>,
    /// None where a request is about all namespaces.
    pub(crate) namespace: Option<String>,
    /// None where a request is about a collection.
    pub(crate) name: Option<String>,
    pub(crate) subresource: Option<Subresource>,
}

impl Target {
    /// The target of a path that begins with `/api/` or `/apis/`.
    pub(crate) fn parse(path: &str, kinds: &[Arc<Kind>]) -> Result<Self, Refusal> {
        let unknown = || Refusal::new(Reason::NotFound, "the server could not find the requested resource");
        let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
        let (group, version, rest) = match parts.as_slice() {
            ["api", version, rest @ ..] => ("", *version, rest),
            ["apis", group, version, rest @ ..] => (*group, *version, rest),
            _ => return Err(unknown()),
        };
        let (namespace, rest) = match rest {
            // `status` is a namespace's own; nothing else in a namespace is called so.
            ["namespaces", namespace, rest @ ..] if !rest.is_empty() && rest != ["status"] => (Some(*namespace), rest),
            rest => (None, rest),
        };
        let (plural, name, subresource) = match rest {
            [plural] => (*plural, None, None),
            [plural, name] => (*plural, Some(*name), None),
            [plural, name, subresource] => (*plural, Some(*name), Some(*subresource)),
            _ => return Err(unknown()),
        };
        let served = |kind: &&Arc<Kind>| kind.group == group && kind.version == version && kind.plural == plural;
        let kind = kinds.iter().find(served).ok_or_else(unknown)?;
        Ok(Self {
            kind: Arc::clone(kind),
            namespace: namespace.map(str::to_owned),
            name: name.map(str::to_owned),
            subresource: subresource.map(|name| subresource_of(kind, name).ok_or_else(unknown)).transpose()?,
        })
    }

    pub(crate) fn key(&self) -> Key {
        let (namespace, name) = (self.namespace.as_deref(), self.name.as_deref());
        Key::new(&self.kind.resource(), namespace.unwrap_or_default(), name.unwrap_or_default())
    }
}

fn subresource_of(kind: &Kind, name: &str) -> Option<Subresource> {
    let wanted = Subresource::ALL.into_iter().find(|subresource| subresource.name() == name)?;
    kind.subresources.contains(&wanted).then_some(wanted)
}

/// What is asked for, in the words of RBAC.
/// <https://kubernetes.io/docs/reference/access-authn-authz/authorization/#determine-the-request-verb>
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verb {
    Get,
    List,
    Watch,
    Create,
    Update,
    Patch,
    Delete,
    DeleteCollection,
}

impl Verb {
    pub(crate) fn of(method: &Method, target: &Target, query: &Query) -> Result<Self, Refusal> {
        match (method.as_str(), &target.name) {
            ("GET", None) if query.is_true("watch") => Ok(Self::Watch),
            ("GET", None) => Ok(Self::List),
            ("GET", Some(_)) => Ok(Self::Get),
            ("POST", _) => Ok(Self::Create),
            ("PUT", Some(_)) => Ok(Self::Update),
            ("PATCH", Some(_)) => Ok(Self::Patch),
            ("DELETE", Some(_)) => Ok(Self::Delete),
            ("DELETE", None) => Ok(Self::DeleteCollection),
            _ => Err(Refusal::new(
                Reason::MethodNotAllowed,
                "the server does not allow this method on the requested resource",
            )),
        }
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Get => "get",
            Self::List => "list",
            Self::Watch => "watch",
            Self::Create => "create",
            Self::Update => "update",
            Self::Patch => "patch",
            Self::Delete => "delete",
            Self::DeleteCollection => "deletecollection",
        }
    }
}

/// A request, ready to be answered.
pub(crate) struct Request {
    /// Who asks.
    pub(crate) subject: Subject,
    pub(crate) verb: Verb,
    pub(crate) target: Target,
    pub(crate) query: Query,
    /// The media types that the client takes.
    pub(crate) accept: String,
    pub(crate) content_type: String,
    pub(crate) user_agent: String,
    pub(crate) body: Vec<u8>,
    /// Present where the client wants to go on over a WebSocket.
    pub(crate) upgrade: Option<Upgrade>,
}

impl Request {
    /// Who writes, as managed fields tell it: what the client says, or else how its program is called.
    pub(crate) fn manager(&self) -> &str {
        match self.query.get("fieldManager") {
            "" => self.user_agent.split('/').next().filter(|name| !name.is_empty()).unwrap_or("unknown"),
            manager => manager,
        }
    }

    pub(crate) fn is_dry_run(&self) -> bool {
        self.query.get("dryRun") == "All"
    }
}
