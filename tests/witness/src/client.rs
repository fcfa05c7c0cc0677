//! One client, as an application has it: it follows MOVED and ASK, and asks again where that is sound.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use redis::cluster::{ClusterClient, ClusterClientBuilder};
use redis::cluster_async::ClusterConnection;
use redis::cluster_routing::{Route, SingleNodeRoutingInfo, SlotAddr};
use redis::{ClientTlsConfig, Cmd, ErrorKind, FromRedisValue, RedisError, TlsCertificates, Value, cmd};
use tokio::time::timeout;

use crate::options::Options;
use crate::watch::Error;

/// Pauses between two tries of one command, in milliseconds: short enough not to be taken for the cluster's.
const SHORTEST_PAUSE: u64 = 2;
const LONGEST_PAUSE: u64 = 50;
/// How often the password is looked at.
const GLANCE: Duration = Duration::from_millis(500);
/// More than fit into anyone's patience.
const TRIES: u32 = 1_000;

/// Why a command was not done, or may not have been, in one word.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{kind}: {details}")]
pub(crate) struct Failure {
    pub(crate) kind: String,
    details: String,
}

impl Failure {
    pub(crate) fn new(kind: &str, details: &(impl ToString + ?Sized)) -> Self {
        Self { kind: kind.to_owned(), details: details.to_string() }
    }
}

impl From<RedisError> for Failure {
    fn from(error: RedisError) -> Self {
        let kind = match (error.code(), error.kind()) {
            (Some(code), _) => code,
            (None, ErrorKind::AuthenticationFailed) => "locked",
            (None, _) if error.is_timeout() => "timeout",
            (None, ErrorKind::Io | ErrorKind::ClusterConnectionNotFound) => "connection",
            (None, _) => "other",
        };
        Self::new(kind, &error)
    }
}

/// A client with connections of its own, which its clones share.
#[derive(Clone)]
pub(crate) struct Client {
    connection: ClusterConnection,
    patience: Duration,
    password: Option<String>,
    /// When the password was last looked at.
    looked: Instant,
}

impl Client {
    pub(crate) async fn open(options: &Options) -> Result<Self, Failure> {
        let setup = |error: Error| Failure::new("setup", &error);
        let password = password(options).map_err(setup)?;
        let client = build(options, password.as_deref()).map_err(setup)?;
        let patience = options.patience();
        let connection = timeout(patience * 5, client.get_async_connection());
        let connection = connection.await.map_err(|_| Failure::new("timeout", "no server lets us in"))??;
        Ok(Self { connection, patience, password, looked: Instant::now() })
    }

    /// Whether the password is another by now: looked at now and then, as an application does whose Secret is mounted. Old connections
    /// go on, but no server that starts anew would take the old one.
    pub(crate) fn is_outdated(&mut self, options: &Options) -> bool {
        if self.looked.elapsed() < GLANCE {
            return false;
        }
        self.looked = Instant::now();
        password(options).is_ok_and(|password| password != self.password)
    }

    /// Appends a number to a list; where replicas are named, waits until so many have it.
    pub(crate) async fn append(&mut self, key: &str, number: u64, replicas: Option<u8>) -> Result<(), Failure> {
        let append = cmd("RPUSH").arg(key).arg(number).take();
        let Some(replicas) = replicas else {
            return self.ask::<u64>(append).await.map(drop);
        };
        let wait = cmd("WAIT").arg(replicas).arg(self.patience.as_millis() / 2).take();
        // Both over one connection, for a server counts what this connection has written.
        let answers = self.ask_together(key, [append, wait]).await?;
        match answers.as_slice() {
            [Value::Int(_), Value::Int(copies)] if *copies >= i64::from(replicas) => Ok(()),
            [Value::Int(_), Value::Int(_)] => Err(Failure::new("not replicated", key)),
            [Value::ServerError(error), ..] | [_, Value::ServerError(error), ..] => {
                Err(Failure::new(error.code(), error.details().unwrap_or_default()))
            }
            _ => Err(Failure::new("other", "an odd answer")),
        }
    }

    /// The last numbers of a list, at most so many.
    pub(crate) async fn latest(&mut self, key: &str, most: i64) -> Result<Vec<u64>, Failure> {
        self.ask(cmd("LRANGE").arg(key).arg(-most).arg(-1).take()).await
    }

    /// All numbers of a list.
    pub(crate) async fn all(&mut self, key: &str) -> Result<Vec<u64>, Failure> {
        self.ask(cmd("LRANGE").arg(key).arg(0).arg(-1).take()).await
    }

    pub(crate) async fn set(&mut self, key: &str, value: &str) -> Result<(), Failure> {
        self.ask(cmd("SET").arg(key).arg(value).take()).await
    }

    pub(crate) async fn get(&mut self, key: &str) -> Result<Option<String>, Failure> {
        self.ask(cmd("GET").arg(key).take()).await
    }

    pub(crate) async fn slots(&mut self) -> Result<Value, Failure> {
        self.ask(cmd("CLUSTER").arg("SLOTS").take()).await
    }

    async fn ask<T: FromRedisValue>(&mut self, command: Cmd) -> Result<T, Failure> {
        let answer = timeout(self.patience * 2, command.query_async(&mut self.connection)).await;
        Ok(answer.map_err(|_| Failure::new("timeout", "the client itself gave no answer"))??)
    }

    async fn ask_together(&mut self, key: &str, commands: [Cmd; 2]) -> Result<Vec<Value>, Failure> {
        let mut pipeline = redis::pipe();
        for command in commands {
            pipeline.add_command(command);
        }
        let route = SingleNodeRoutingInfo::SpecificNode(Route::with_key(key, SlotAddr::Master));
        let answers = timeout(self.patience * 2, self.connection.route_pipeline(pipeline, 0, 2, route)).await;
        Ok(answers.map_err(|_| Failure::new("timeout", "the client itself gave no answer"))??)
    }
}

fn password(options: &Options) -> Result<Option<String>, Error> {
    let text = |path: &PathBuf| Ok(String::from_utf8_lossy(&read(path)?).trim_end_matches('\n').to_owned());
    options.password_file.as_ref().map(text).transpose()
}

fn build(options: &Options, password: Option<&str>) -> Result<ClusterClient, Error> {
    // Whoever was first has chosen it.
    drop(rustls::crypto::ring::default_provider().install_default());
    let scheme = if options.tls.is_some() { "rediss" } else { "redis" };
    let servers = options.servers.iter().map(|server| format!("{scheme}://{server}"));
    let mut builder = ClusterClientBuilder::new(servers)
        .retries(TRIES)
        // Pauses that do not grow: their formula overflows after sixty tries.
        .retry_wait_formula(LONGEST_PAUSE, 1)
        .min_retry_wait(SHORTEST_PAUSE)
        .max_retry_wait(LONGEST_PAUSE)
        .connection_timeout(options.patience())
        .response_timeout(options.patience());
    if let Some(password) = password {
        builder = builder.password(password);
    }
    if let Some(folder) = &options.tls {
        let [root_cert, client_cert, client_key] =
            ["ca.crt", "tls.crt", "tls.key"].map(|name| read(&folder.join(name)));
        let client_tls = Some(ClientTlsConfig { client_cert: client_cert?, client_key: client_key? });
        builder = builder.certs(TlsCertificates { client_tls, root_cert: Some(root_cert?) });
    }
    Ok(builder.build()?)
}

fn read(path: &Path) -> Result<Vec<u8>, Error> {
    fs::read(path).map_err(|error| Error::File { path: path.to_owned(), error })
}
