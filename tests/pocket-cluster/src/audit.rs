//! Who has asked the API server for what.
//!
//! <https://kubernetes.io/docs/tasks/debug/debug-cluster/audit/>

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};

/// Older ones are forgotten.
const KEPT: usize = 10_000;

/// One request that named a resource, in the words of RBAC, or a command to a server that was listened to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Asked {
    /// `system:serviceaccount:NAMESPACE:NAME`, or `pocket-admin`.
    pub by: String,
    /// `get`, `list`, `watch`, `create`, `update`, `patch`, `delete` or `deletecollection`; `tell` for a command to a server.
    pub verb: String,
    /// The plural, with the group and the subresource: `pods`, `statefulsets.apps/scale`; of a command its first two words:
    /// `cluster meet`.
    pub resource: String,
    /// Empty where it was about all namespaces, or about none.
    pub namespace: String,
    /// Empty where it was about a collection; the address of the server for a command.
    pub name: String,
    /// The code of the answer, whether anybody has heard it or not; commands have none.
    pub code: u16,
}

#[derive(Default)]
pub(crate) struct Audit(Mutex<VecDeque<Asked>>);

impl Audit {
    fn lock(&self) -> MutexGuard<'_, VecDeque<Asked>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn note(&self, asked: Asked) {
        let mut all = self.lock();
        all.push_back(asked);
        if all.len() > KEPT {
            all.pop_front();
        }
    }

    pub(crate) fn all(&self) -> Vec<Asked> {
        self.lock().iter().cloned().collect()
    }
}
