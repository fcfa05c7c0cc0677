//! The four ways to change a part of an object.
//!
//! <https://kubernetes.io/docs/reference/using-api/api-concepts/#patch-and-apply>

mod fields;
mod lists;
mod managed;
mod merge;
mod operations;
mod strategic;

use serde_json::Value;

pub(super) use managed::Managed;
pub(super) use merge::merged;

use super::request::Request;
use crate::refusal::{Reason, Refusal};

pub(super) const APPLY: &str = "application/apply-patch+yaml";
const MERGE: &str = "application/merge-patch+json";
const STRATEGIC: &str = "application/strategic-merge-patch+json";
const OPERATIONS: &str = "application/json-patch+json";

/// What comes of an object when a request patches it.
pub(super) fn patched(request: &Request, before: &Value, patch: Value) -> Result<Value, Refusal> {
    match request.content_type.as_str() {
        MERGE => Ok(merged(before, &patch)),
        STRATEGIC if lists::are_known(&request.target.kind.group) => Ok(strategic::merged(before, &patch)),
        OPERATIONS => operations::performed(before, &patch),
        APPLY => {
            let mut applied = patch;
            let force = request.query.is_true("force");
            Managed::of(request, "Apply").applies(before, &mut applied, force)?;
            Ok(applied)
        }
        kind => {
            let message = format!("the body of the request was in an unknown format - {kind}");
            Err(Refusal::new(Reason::UnsupportedMediaType, message))
        }
    }
}
