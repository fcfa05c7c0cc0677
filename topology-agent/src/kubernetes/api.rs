//! Requests to the API server, each with a bound in time.

use std::future::Future;
use std::time::Duration;

use kube::runtime::watcher;
use tokio::time::timeout;

/// How long a request may take; a busy API server takes some seconds.
const LONGEST: Duration = Duration::from_secs(10);

/// Why a request did not succeed.
#[derive(Debug, Clone, thiserror::Error)]
pub enum ApiError {
    /// There was no answer in time. Whether the request was carried out is not known.
    #[error("the API server gave no answer in {} s", LONGEST.as_secs())]
    TimedOut,
    /// It has not yet told what there is.
    #[error("the API server has not told what there is")]
    Unlisted,
    /// Somebody else changed the object meanwhile, or it is another one by now.
    #[error("the object has changed meanwhile")]
    Conflict,
    /// There is no such object.
    #[error("there is no such object")]
    Missing,
    /// The agent may not do that.
    #[error("the API server forbids it: {0}")]
    Forbidden(String),
    /// It is not a request that the API server takes, now or later.
    #[error("the API server refuses it: {0}")]
    Refused(String),
    /// Anything else.
    #[error("the API server answered: {0}")]
    Failed(String),
}

impl ApiError {
    /// Whether the same request may succeed later without anyone doing anything.
    #[must_use]
    pub const fn is_passing(&self) -> bool {
        match self {
            Self::TimedOut | Self::Unlisted | Self::Conflict | Self::Failed(_) => true,
            Self::Missing | Self::Forbidden(_) | Self::Refused(_) => false,
        }
    }
}

impl From<kube::Error> for ApiError {
    fn from(error: kube::Error) -> Self {
        match error {
            kube::Error::Api(status) => match status.code {
                409 => Self::Conflict,
                404 => Self::Missing,
                401 | 403 => Self::Forbidden(status.message),
                400 | 405 | 413 | 415 | 422 => Self::Refused(status.message),
                _ => Self::Failed(status.to_string()),
            },
            other => Self::Failed(other.to_string()),
        }
    }
}

impl From<watcher::Error> for ApiError {
    fn from(error: watcher::Error) -> Self {
        match error {
            watcher::Error::InitialListFailed(error)
            | watcher::Error::WatchStartFailed(error)
            | watcher::Error::WatchFailed(error) => error.into(),
            watcher::Error::WatchError(status) => kube::Error::Api(status).into(),
            watcher::Error::NoResourceVersion => Self::Failed(error.to_string()),
        }
    }
}

/// Waits for an answer, but not for ever.
///
/// # Errors
/// There is no answer in time, or it is an error.
pub async fn bounded<T>(request: impl Future<Output = Result<T, kube::Error>>) -> Result<T, ApiError> {
    timeout(LONGEST, request).await.map_err(|_| ApiError::TimedOut)?.map_err(ApiError::from)
}
