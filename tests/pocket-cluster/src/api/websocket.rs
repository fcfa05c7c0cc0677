//! What goes on over a WebSocket, for as long as both sides wish.
//!
//! <https://kubernetes.io/docs/reference/using-api/api-concepts/#websockets>

use hyper::header::{CONNECTION, HeaderValue, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_PROTOCOL, UPGRADE};
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper::{Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::Role;

use super::answer::{Answer, text};
use crate::refusal::Refusal;

/// A client at the other end of a WebSocket.
pub(super) type Client = WebSocketStream<TokioIo<Upgraded>>;

/// What goes wrong in the middle: both sides hear of it by the end of the connection.
pub(super) type Failure = Box<dyn std::error::Error + Send + Sync>;

/// What a client sends that wants to go on over a WebSocket.
pub(crate) struct Upgrade {
    pub(super) connection: OnUpgrade,
    pub(super) key: String,
    /// The protocols that it speaks, with commas in between.
    pub(super) protocols: String,
}

impl Upgrade {
    /// The answer that goes before, in this protocol.
    pub(super) fn answer(&self, protocol: &'static str) -> Result<Answer, Refusal> {
        let accept = HeaderValue::from_str(&derive_accept_key(self.key.as_bytes()));
        let accept = accept.map_err(|_| Refusal::bad_request("the key of the WebSocket is odd"))?;
        let mut answer: Response<_> = text("");
        *answer.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
        let headers = answer.headers_mut();
        headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
        headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
        headers.insert(SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static(protocol));
        headers.insert(SEC_WEBSOCKET_ACCEPT, accept);
        Ok(answer)
    }

    /// The first of these protocols that the client speaks.
    pub(super) fn speaks(&self, protocols: &[&'static str]) -> Option<&'static str> {
        let spoken = |protocol: &&&str| self.protocols.split(',').any(|offered| offered.trim() == **protocol);
        protocols.iter().find(spoken).copied()
    }

    /// The client, once it has got the answer.
    pub(super) async fn client(self) -> hyper::Result<Client> {
        Ok(WebSocketStream::from_raw_socket(TokioIo::new(self.connection.await?), Role::Server, None).await)
    }
}
