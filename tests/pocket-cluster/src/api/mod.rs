//! The API server: who asks, may they, and what for.
//!
//! <https://kubernetes.io/docs/reference/using-api/api-concepts/>

mod answer;
mod defaults;
mod discovery;
mod events;
mod eviction;
mod exec;
mod forward;
mod laws;
mod log;
mod patch;
mod quota;
mod read;
mod request;
mod rights;
mod scale;
mod selector;
mod serve;
mod structural;
mod table;
mod watch;
mod websocket;
mod write;

pub(crate) use answer::{Answer, json as answer_json};
pub(crate) use rights::Subject;
pub(crate) use selector::{LabelSelector, carries_all};
pub(crate) use serve::{listen, serve};
pub(crate) use write::{create_object, delete_object};
