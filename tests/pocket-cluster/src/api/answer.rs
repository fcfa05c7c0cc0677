//! Answers: whole ones, and those that go on.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use http_body_util::Full;
use hyper::body::{Bytes, Frame};
use hyper::header::{CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use hyper::{Response, StatusCode};
use serde_json::Value;
use tokio::sync::mpsc;

use crate::json::number;
use crate::refusal::Refusal;

pub(crate) type Answer = Response<Body>;

pub(crate) enum Body {
    Whole(Full<Bytes>),
    /// Ends when its sender goes.
    Stream(mpsc::Receiver<Bytes>),
}

impl hyper::body::Body for Body {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        match self.get_mut() {
            Self::Whole(whole) => Pin::new(whole).poll_frame(context),
            Self::Stream(receiver) => {
                receiver.poll_recv(context).map(|bytes| bytes.map(|bytes| Ok(Frame::data(bytes))))
            }
        }
    }
}

fn with(status: StatusCode, kind: &'static str, body: Body) -> Answer {
    let mut answer = Response::new(body);
    *answer.status_mut() = status;
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    answer
}

pub(crate) fn json(status: StatusCode, value: &Value) -> Answer {
    with(status, "application/json", Body::Whole(Full::from(value.to_string())))
}

pub(crate) fn ok(value: &Value) -> Answer {
    json(StatusCode::OK, value)
}

pub(crate) fn text(text: impl Into<Bytes>) -> Answer {
    with(StatusCode::OK, "text/plain", Body::Whole(Full::new(text.into())))
}

pub(crate) fn stream(kind: &'static str, receiver: mpsc::Receiver<Bytes>) -> Answer {
    with(StatusCode::OK, kind, Body::Stream(receiver))
}

impl From<Refusal> for Answer {
    fn from(refusal: Refusal) -> Self {
        let mut answer = json(refusal.reason.code(), &refusal.to_status());
        if let Some(seconds) = number(&refusal.details, "/retryAfterSeconds") {
            answer.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        answer
    }
}
