//! Tokens, and whose they are.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Mutex, PoisonError};

use crate::api::Subject;
use crate::random;

pub(crate) struct Subjects {
    admin: String,
    /// What the tokens of service accounts begin with: nobody outside can guess one.
    secret: String,
    issued: Mutex<BTreeMap<String, Subject>>,
}

impl Subjects {
    pub(crate) fn new() -> io::Result<Self> {
        Ok(Self { admin: random::token()?, secret: random::token()?, issued: Mutex::default() })
    }

    pub(crate) fn admin_token(&self) -> &str {
        &self.admin
    }

    /// The token of a service account. Kubernetes would rotate it; this one is good as long as the cluster lives.
    /// <https://kubernetes.io/docs/concepts/storage/projected-volumes/#serviceaccounttoken>
    pub(crate) fn token_of(&self, namespace: &str, name: &str) -> String {
        let token = format!("{}.{namespace}.{name}", self.secret);
        let subject = Subject::ServiceAccount { namespace: namespace.to_owned(), name: name.to_owned() };
        self.issued.lock().unwrap_or_else(PoisonError::into_inner).insert(token.clone(), subject);
        token
    }

    pub(crate) fn of(&self, token: &str) -> Option<Subject> {
        if token == self.admin {
            return Some(Subject::Admin);
        }
        self.issued.lock().unwrap_or_else(PoisonError::into_inner).get(token).cloned()
    }
}
