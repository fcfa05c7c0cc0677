//! One connection to one server. The client library is named here and nowhere else.
//!
//! A connection serves until a command has no answer; then it is dropped, for the library may go on without noticing that the other
//! side is gone. No command is ever sent twice, and none touches a key: one `CLUSTERDOWN` would end it.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use fred::interfaces::ClientLike;
use fred::prelude::{Builder, Client, Config, Error, ErrorKind, ServerConfig, Value};
use fred::types::config::{Server, TlsConfig, UnresponsiveConfig};
use fred::types::{ClusterHash, ConnectHandle, CustomCommand};
use tokio::time::timeout;

use super::reply::{AskError, Reply};
use crate::trust::Trust;

/// How long a connection may take to come about.
const CONNECT: Duration = Duration::from_secs(2);
/// How long an answer may take: servers themselves bound what they do at five seconds.
const ANSWER: Duration = Duration::from_secs(6);
/// How long any one answer to a question may take; see [`Connection::ask`].
pub(super) const LOOK: Duration = Duration::from_secs(2);

/// Where a server is, and how to be let in.
#[derive(Debug, Clone)]
pub struct Endpoint {
    /// Its address.
    pub address: IpAddr,
    /// Its port.
    pub port: u16,
    /// The name that its certificate has to hold, and whom to trust; none without TLS.
    pub tls: Option<(String, Arc<Trust>)>,
    /// The password; none if there is none.
    pub password: Option<String>,
    /// The one before, which a server may still have.
    pub former_password: Option<String>,
}

impl Endpoint {
    /// Whether it is the same server, let in the same way.
    #[must_use]
    pub fn is_same(&self, other: &Self) -> bool {
        let trust = |endpoint: &Self| endpoint.tls.as_ref().map(|(_, trust)| Arc::as_ptr(trust));
        (self.address, self.port, &self.password) == (other.address, other.port, &other.password)
            && trust(self) == trust(other)
    }
}

/// A connection to a server.
#[derive(Debug)]
pub struct Connection {
    client: Client,
    _task: Task,
}

/// The library's own task. Left alone, it would keep the socket for as long as the server does, whatever becomes of the client.
#[derive(Debug)]
struct Task(ConnectHandle);

impl Drop for Task {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Connection {
    /// Connects.
    ///
    /// # Errors
    /// The server cannot be reached in time, is not to be trusted, or does not let us in.
    pub async fn open(endpoint: &Endpoint) -> Result<Self, AskError> {
        match (Self::open_with(endpoint, endpoint.password.clone()).await, &endpoint.former_password) {
            (Err(AskError::Locked(_)), Some(former)) => Self::open_with(endpoint, Some(former.clone())).await,
            (result, _) => result,
        }
    }

    async fn open_with(endpoint: &Endpoint, password: Option<String>) -> Result<Self, AskError> {
        let client = client(endpoint, password).map_err(|error| understand(&error))?;
        let connection = Self { _task: Task(client.connect()), client };
        match timeout(CONNECT, connection.client.wait_for_connect()).await {
            Err(_) => Err(AskError::TimedOut),
            Ok(Err(error)) => Err(understand(&error)),
            Ok(Ok(())) => Ok(connection),
        }
    }

    /// Asks something that changes nothing; two seconds are enough for that.
    ///
    /// # Errors
    /// There is no answer, or it is a refusal.
    pub async fn ask(&self, command: &'static str, arguments: &[&str]) -> Result<Reply, AskError> {
        self.send(command, words(arguments), LOOK).await
    }

    /// Has the server do something. No answer does not mean that it was not done.
    ///
    /// # Errors
    /// There is no answer, or it is a refusal.
    pub async fn tell(&self, command: &'static str, arguments: &[&str]) -> Result<Reply, AskError> {
        self.send(command, words(arguments), ANSWER).await
    }

    /// The same, with arguments that need not be texts, as keys are not.
    ///
    /// # Errors
    /// There is no answer, or it is a refusal.
    pub async fn tell_bytes(&self, command: &'static str, arguments: Vec<Vec<u8>>) -> Result<Reply, AskError> {
        let arguments = arguments.into_iter().map(|bytes| Value::Bytes(bytes.into())).collect();
        self.send(command, arguments, ANSWER).await
    }

    async fn send(&self, command: &'static str, arguments: Vec<Value>, limit: Duration) -> Result<Reply, AskError> {
        let command = CustomCommand::new_static(command, ClusterHash::FirstKey, false);
        // The library's futures are large, and many are under way at once.
        let answer = Box::pin(self.client.custom::<Value, Value>(command, arguments));
        match timeout(limit, answer).await {
            Err(_) => Err(AskError::TimedOut),
            Ok(Err(error)) => Err(understand(&error)),
            Ok(Ok(value)) => Ok(reply(value)),
        }
    }
}

fn words(arguments: &[&str]) -> Vec<Value> {
    arguments.iter().map(|argument| Value::from(*argument)).collect()
}

fn client(endpoint: &Endpoint, password: Option<String>) -> Result<Client, Error> {
    let host = endpoint.address.to_string();
    let (server, tls) = match &endpoint.tls {
        None => (Server::new(host, endpoint.port), None),
        Some((name, trust)) => {
            let server = Server::new_with_tls(host, endpoint.port, Some(name.clone()));
            (server, Some(TlsConfig::from(trust.config().clone())))
        }
    };
    let config =
        Config { fail_fast: true, server: ServerConfig::Centralized { server }, password, tls, ..Config::default() };
    let mut builder = Builder::from_config(config);
    builder.set_performance_config(fred::types::config::PerformanceConfig {
        default_command_timeout: ANSWER,
        ..Default::default()
    });
    builder.set_connection_config(fred::types::config::ConnectionConfig {
        connection_timeout: CONNECT,
        internal_command_timeout: LOOK,
        max_command_attempts: 1,
        max_redirections: 0,
        unresponsive: UnresponsiveConfig { max_timeout: None, interval: ANSWER },
        ..Default::default()
    });
    builder.build()
}

fn reply(value: Value) -> Reply {
    match value {
        Value::Null => Reply::Nil,
        Value::Integer(number) => Reply::Number(number),
        Value::Boolean(truth) => Reply::Number(i64::from(truth)),
        Value::Array(items) => Reply::List(items.into_iter().map(reply).collect()),
        Value::Map(map) => Reply::List(
            map.inner().into_iter().flat_map(|(key, value)| [reply(Value::from(key)), reply(value)]).collect(),
        ),
        Value::Bytes(bytes) => Reply::Bytes(bytes.to_vec()),
        text @ (Value::String(_) | Value::Double(_) | Value::Queued) => {
            Reply::Text(text.into_string().unwrap_or_default())
        }
    }
}

/// The library has a kind for few of the errors that matter; the rest is told by how the text begins.
fn understand(error: &Error) -> AskError {
    let details = error.details().to_owned();
    let word = details.split_whitespace().next().unwrap_or_default();
    match (word, error.kind()) {
        ("NOAUTH" | "WRONGPASS" | "NOPERM", _) | (_, ErrorKind::Auth) => AskError::Locked(details),
        ("LOADING" | "BUSY", _) => AskError::Loading,
        ("IOERR" | "TRYAGAIN" | "MASTERDOWN" | "NOREPLICAS", _) => AskError::Hindered(details),
        (_, ErrorKind::Timeout) => AskError::TimedOut,
        (_, ErrorKind::Tls) => AskError::Untrusted(explained(details)),
        // In words of rustls, which come as if the line was bad: `InvalidCertificate(UnknownIssuer)`, `AlertReceived(UnknownCA)`.
        (_, ErrorKind::IO) if ["ertificate", "AlertReceived"].iter().any(|word| details.contains(word)) => {
            AskError::Untrusted(explained(details))
        }
        (_, ErrorKind::IO | ErrorKind::Canceled | ErrorKind::Routing | ErrorKind::Protocol | ErrorKind::Parse) => {
            AskError::Unreachable(details)
        }
        // Fatal to the connection: no command that is sent here should earn it.
        (_, ErrorKind::Cluster) => AskError::Unreachable(details),
        (
            _,
            ErrorKind::Config
            | ErrorKind::InvalidCommand
            | ErrorKind::InvalidArgument
            | ErrorKind::Url
            | ErrorKind::Unknown
            | ErrorKind::Sentinel
            | ErrorKind::NotFound
            | ErrorKind::Backpressure,
        ) => AskError::Refused(details),
    }
}

/// What the library says of a certificate, and what to do about it.
fn explained(details: String) -> String {
    let hints = [
        (
            "CaUsedAsEndEntity",
            "it is that of an authority itself; have the authority issue another one for the servers",
        ),
        (
            "NotValidForName",
            "it lacks the host name of the pod; its subject alternative names need a wildcard for all pods",
        ),
        ("UnknownIssuer", "another authority has issued it than the one in ca.crt"),
        ("Expired", "it has ended; look at what should renew it"),
    ];
    match hints.into_iter().find(|(name, _)| details.contains(name)) {
        Some((_, hint)) => format!("{details}: {hint}"),
        None => details,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn understood(kind: ErrorKind, details: &'static str) -> AskError {
        understand(&Error::new(kind, details))
    }

    #[test]
    fn errors_are_told_apart_by_what_can_be_done_about_them() {
        assert!(matches!(understood(ErrorKind::Auth, "WRONGPASS invalid"), AskError::Locked(_)));
        assert!(matches!(understood(ErrorKind::Unknown, "NOAUTH Authentication required."), AskError::Locked(_)));
        assert_eq!(understood(ErrorKind::Unknown, "LOADING Valkey is loading"), AskError::Loading);
        assert_eq!(understood(ErrorKind::Timeout, "Request timed out."), AskError::TimedOut);
        assert!(matches!(understood(ErrorKind::IO, "Connection refused"), AskError::Unreachable(_)));
        assert!(matches!(understood(ErrorKind::Cluster, "CLUSTERDOWN Hash slot not served"), AskError::Unreachable(_)));
        assert!(matches!(understood(ErrorKind::Unknown, "ERR Unknown node"), AskError::Refused(_)));
        assert!(matches!(understood(ErrorKind::Unknown, "IOERR error or timeout"), AskError::Hindered(_)));
    }

    #[test]
    fn a_certificate_that_is_refused_comes_with_what_to_do() {
        let details = "invalid peer certificate: Other(OtherError(CaUsedAsEndEntity))";
        let AskError::Untrusted(said) = understood(ErrorKind::IO, details) else { panic!() };
        assert!(said.ends_with("have the authority issue another one for the servers"), "{said}");
    }

    #[test]
    fn a_certificate_that_is_refused_is_no_bad_line() {
        let said = |details: &str| understand(&Error::new(ErrorKind::IO, details.to_owned()));
        for details in [
            "Custom { kind: InvalidData, error: InvalidCertificate(UnknownIssuer) }",
            "Custom { kind: InvalidData, error: AlertReceived(UnknownCA) }",
        ] {
            assert!(matches!(said(details), AskError::Untrusted(_)), "{details}");
        }
        let details = "Os { code: 104, kind: ConnectionReset }";
        assert_eq!(said(details), AskError::Unreachable(details.to_owned()));
    }
}
