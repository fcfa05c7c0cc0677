//! Who asks, and whether they may: the stored Roles decide.
//!
//! <https://kubernetes.io/docs/reference/access-authn-authz/rbac/>

use std::fmt;

use serde_json::Value;

use super::request::Verb;
use crate::json::{items, text};
use crate::kinds::Kind;
use crate::refusal::{Reason, Refusal};
use crate::store::Store;

/// Who asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Subject {
    /// Whoever holds the kubeconfig: may do everything.
    Admin,
    ServiceAccount {
        namespace: String,
        name: String,
    },
}

impl fmt::Display for Subject {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Admin => formatter.write_str("pocket-admin"),
            Self::ServiceAccount { namespace, name } => write!(formatter, "system:serviceaccount:{namespace}:{name}"),
        }
    }
}

/// What is asked for, as rules see it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Act<'a> {
    pub(super) verb: Verb,
    pub(super) kind: &'a Kind,
    pub(super) subresource: &'a str,
    pub(super) namespace: &'a str,
    /// Empty where the request names no object: a creation, and a list or watch that selects no single name.
    pub(super) name: &'a str,
}

impl Act<'_> {
    fn resource(&self) -> String {
        match self.subresource {
            "" => self.kind.plural.clone(),
            subresource => format!("{}/{subresource}", self.kind.plural),
        }
    }
}

pub(super) fn permit(store: &Store, subject: &Subject, act: Act<'_>) -> Result<(), Refusal> {
    match subject {
        Subject::Admin => Ok(()),
        Subject::ServiceAccount { namespace, name } if is_bound(store, namespace, name, act) => Ok(()),
        Subject::ServiceAccount { .. } => Err(forbidden(subject, act)),
    }
}

fn forbidden(subject: &Subject, act: Act<'_>) -> Refusal {
    let Act { verb, kind, namespace, name, .. } = act;
    let object = if name.is_empty() { String::new() } else { format!(" {name:?}") };
    let scope = match namespace {
        "" => "at the cluster scope".to_owned(),
        namespace => format!("in the namespace {namespace:?}"),
    };
    let full = if kind.group.is_empty() { kind.plural.clone() } else { format!("{}.{}", kind.plural, kind.group) };
    let message = format!(
        "{full}{object} is forbidden: User \"{subject}\" cannot {} resource {:?} in API group {:?} {scope}",
        verb.name(),
        act.resource(),
        kind.group,
    );
    Refusal::new(Reason::Forbidden, message).about(&kind.group, &kind.plural, name)
}

fn is_bound(store: &Store, namespace: &str, name: &str, act: Act<'_>) -> bool {
    let bindings = store.in_namespace("rolebindings.rbac.authorization.k8s.io", act.namespace);
    let bound = bindings.iter().filter(|binding| names(binding, act.namespace, namespace, name));
    bound.filter(|binding| text(binding, "/roleRef/kind") == "Role").any(|binding| {
        let role =
            crate::store::Key::new("roles.rbac.authorization.k8s.io", act.namespace, text(binding, "/roleRef/name"));
        store.get(&role).is_some_and(|role| items(&role, "/rules").iter().any(|rule| allows(rule, act)))
    })
}

fn names(binding: &Value, here: &str, namespace: &str, name: &str) -> bool {
    items(binding, "/subjects").iter().any(|subject| {
        let inside = match text(subject, "/namespace") {
            "" => here,
            inside => inside,
        };
        text(subject, "/kind") == "ServiceAccount" && text(subject, "/name") == name && inside == namespace
    })
}

fn allows(rule: &Value, act: Act<'_>) -> bool {
    let has = |path: &str, wanted: &str| {
        items(rule, path).iter().filter_map(Value::as_str).any(|word| word == "*" || word == wanted)
    };
    let any_of_subresource = format!("*/{}", act.subresource);
    let resource =
        has("/resources", &act.resource()) || (!act.subresource.is_empty() && has("/resources", &any_of_subresource));
    let names = items(rule, "/resourceNames");
    let is_named = names.is_empty() || names.iter().any(|name| !act.name.is_empty() && *name == *act.name);
    has("/verbs", act.verb.name()) && has("/apiGroups", &act.kind.group) && resource && is_named
}
