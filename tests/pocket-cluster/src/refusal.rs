//! What the API server answers instead of what was asked for.

use hyper::StatusCode;
use serde_json::{Value, json};

/// The reasons of Kubernetes' `Status`, with their codes.
/// <https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/status/>
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reason {
    AlreadyExists,
    BadRequest,
    Conflict,
    Expired,
    Forbidden,
    InternalError,
    Invalid,
    MethodNotAllowed,
    NotFound,
    ServiceUnavailable,
    TooManyRequests,
    Unauthorized,
    UnsupportedMediaType,
}

impl Reason {
    pub(crate) fn code(self) -> StatusCode {
        match self {
            Self::AlreadyExists | Self::Conflict => StatusCode::CONFLICT,
            Self::BadRequest => StatusCode::BAD_REQUEST,
            Self::Expired => StatusCode::GONE,
            Self::Forbidden => StatusCode::FORBIDDEN,
            Self::InternalError => StatusCode::INTERNAL_SERVER_ERROR,
            Self::Invalid => StatusCode::UNPROCESSABLE_ENTITY,
            Self::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::ServiceUnavailable => StatusCode::SERVICE_UNAVAILABLE,
            Self::TooManyRequests => StatusCode::TOO_MANY_REQUESTS,
            Self::Unauthorized => StatusCode::UNAUTHORIZED,
            Self::UnsupportedMediaType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
        }
    }

    /// Whether the same request may pass later. To an eviction and to a conflict, Kubernetes does not say when.
    pub(crate) fn may_pass_later(self) -> bool {
        match self {
            Self::Conflict | Self::Expired | Self::InternalError | Self::ServiceUnavailable | Self::TooManyRequests => {
                true
            }
            Self::AlreadyExists
            | Self::BadRequest
            | Self::Forbidden
            | Self::Invalid
            | Self::MethodNotAllowed
            | Self::NotFound
            | Self::Unauthorized
            | Self::UnsupportedMediaType => false,
        }
    }
}

/// An answer that says no, and why.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{message}")]
pub(crate) struct Refusal {
    pub(crate) reason: Reason,
    pub(crate) message: String,
    pub(crate) details: Value,
}

impl Refusal {
    pub(crate) fn new(reason: Reason, message: impl Into<String>) -> Self {
        Self { reason, message: message.into(), details: json!({}) }
    }

    /// Names the object, as clients expect it in the details.
    pub(crate) fn about(mut self, group: &str, plural: &str, name: &str) -> Self {
        self.details = json!({"name": name, "group": group, "kind": plural});
        self
    }

    pub(crate) fn bad_request(message: impl Into<String>) -> Self {
        Self::new(Reason::BadRequest, message)
    }

    pub(crate) fn invalid(message: impl Into<String>) -> Self {
        Self::new(Reason::Invalid, message)
    }

    pub(crate) fn not_found(resource: &str, name: &str) -> Self {
        let (plural, group) = resource.split_once('.').unwrap_or((resource, ""));
        Self::new(Reason::NotFound, format!("{resource} {name:?} not found")).about(group, plural, name)
    }

    pub(crate) fn conflict(resource: &str, name: &str, why: &str) -> Self {
        let (plural, group) = resource.split_once('.').unwrap_or((resource, ""));
        let message = format!("Operation cannot be fulfilled on {resource} {name:?}: {why}");
        Self::new(Reason::Conflict, message).about(group, plural, name)
    }

    /// The same, with when to come again, where it may pass then.
    pub(crate) fn after(mut self, seconds: u64) -> Self {
        if self.reason.may_pass_later() {
            crate::json::set(&mut self.details, "/retryAfterSeconds", seconds);
        }
        self
    }

    /// The refusal as the object that it travels as.
    pub(crate) fn to_status(&self) -> Value {
        json!({
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Failure",
            "message": self.message,
            "reason": format!("{:?}", self.reason),
            "details": self.details,
            "code": self.reason.code().as_u16(),
        })
    }
}
