//! A client of the API server that knows no more than tests and the command line need.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper::{Method, Request};
use hyper_util::rt::TokioIo;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::runtime::Runtime;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use crate::audit::Asked;
use crate::faults::{Exec, Fault};
use crate::json::{items, text};
use crate::node::Said;

const PATIENCE: Duration = Duration::from_secs(30);

/// Why a request was not answered as wished. Only what went wrong on the way may pass when it is tried again.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error("the kubeconfig cannot be used: {0}")]
    Config(String),
    #[error("the API server does not answer: {0}")]
    Lost(String),
    #[error("{method} {path}: {status}")]
    Refused { method: Method, path: String, status: String },
    #[error("the manifest cannot be read: {0}")]
    Manifest(String),
}

fn unusable(error: impl std::fmt::Display) -> Error {
    Error::Config(error.to_string())
}

fn lost(error: impl std::fmt::Display) -> Error {
    Error::Lost(error.to_string())
}

pub(crate) struct Client {
    runtime: Runtime,
    connector: TlsConnector,
    address: String,
    token: String,
}

impl Client {
    pub(crate) fn of(kubeconfig: &Path) -> Result<Self, Error> {
        let config = std::fs::read_to_string(kubeconfig).map_err(unusable)?;
        let config: Value = serde_json::from_str(&config).map_err(unusable)?;
        let cluster = items(&config, "/clusters").first().cloned().unwrap_or_default();
        let user = items(&config, "/users").first().cloned().unwrap_or_default();
        let authority = STANDARD.decode(text(&cluster, "/cluster/certificate-authority-data")).map_err(unusable)?;
        let mut roots = rustls::RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(&authority).map_err(unusable)?).map_err(unusable)?;
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = rustls::ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(unusable)?
            .with_root_certificates(roots)
            .with_no_client_auth();
        let address = text(&cluster, "/cluster/server").trim_start_matches("https://").to_owned();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(unusable)?;
        let connector = TlsConnector::from(Arc::new(config));
        Ok(Self { runtime, connector, address, token: text(&user, "/user/token").to_owned() })
    }

    pub(crate) fn exec(&self, exec: &Exec) -> Result<Said, Error> {
        let patience = PATIENCE * 4 + Duration::from_millis(exec.patience_millis);
        let said = self.send_within(patience, Method::POST, "/pocket/v1/exec", "application/json", &json!(exec))?;
        serde_json::from_value(said).map_err(lost)
    }

    pub(crate) fn inject(&self, fault: &Fault) -> Result<(), Error> {
        self.post("/pocket/v1/faults", &json!(fault)).map(drop)
    }

    /// Applies every object of a manifest, by force.
    pub(crate) fn apply(&self, manifest: &str) -> Result<(), Error> {
        let documents: Vec<Value> =
            serde_saphyr::from_multiple(manifest).map_err(|error| Error::Manifest(error.to_string()))?;
        documents.iter().filter(|document| !document.is_null()).try_for_each(|document| self.apply_one(document))
    }

    fn apply_one(&self, object: &Value) -> Result<(), Error> {
        let version = text(object, "/apiVersion");
        let group = if version.contains('/') { format!("/apis/{version}") } else { format!("/api/{version}") };
        let resources = self.send(Method::GET, &group, "", &Value::Null)?;
        let is_its = |resource: &&Value| {
            text(resource, "/kind") == text(object, "/kind") && !text(resource, "/name").contains('/')
        };
        let unknown = || Error::Manifest(format!("{version} {} is not served", text(object, "/kind")));
        let resource = items(&resources, "/resources").iter().find(is_its).ok_or_else(unknown)?;
        let namespace = match text(object, "/metadata/namespace") {
            "" => "default",
            namespace => namespace,
        };
        let inside = match crate::json::flag(resource, "/namespaced") {
            Some(true) => format!("/namespaces/{namespace}"),
            _ => String::new(),
        };
        let name = text(object, "/metadata/name");
        let path = format!("{group}{inside}/{}/{name}?fieldManager=pocket&force=true", text(resource, "/name"));
        self.send(Method::PATCH, &path, "application/apply-patch+yaml", object).map(drop)
    }

    pub(crate) fn get(&self, path: &str) -> Result<Value, Error> {
        self.send(Method::GET, path, "", &Value::Null)
    }

    pub(crate) fn requests(&self) -> Result<Vec<Asked>, Error> {
        let answer = self.get("/pocket/v1/requests")?;
        serde_json::from_value(answer.get("requests").cloned().unwrap_or_default()).map_err(lost)
    }

    fn post(&self, path: &str, body: &Value) -> Result<Value, Error> {
        self.send(Method::POST, path, "application/json", body)
    }

    fn send(&self, method: Method, path: &str, kind: &str, body: &Value) -> Result<Value, Error> {
        self.send_within(PATIENCE * 4, method, path, kind, body)
    }

    fn send_within(
        &self,
        patience: Duration,
        method: Method,
        path: &str,
        kind: &str,
        body: &Value,
    ) -> Result<Value, Error> {
        let answered = async { timeout(patience, self.exchange(method, path, kind, body)).await };
        self.runtime.block_on(answered).map_err(|_| lost("it takes too long"))?
    }

    async fn exchange(&self, method: Method, path: &str, kind: &str, body: &Value) -> Result<Value, Error> {
        let stream = timeout(PATIENCE, TcpStream::connect(&self.address)).await.map_err(lost)?.map_err(lost)?;
        let name = ServerName::try_from("127.0.0.1").map_err(lost)?;
        let stream = self.connector.connect(name, stream).await.map_err(lost)?;
        let (mut sender, connection) =
            hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(lost)?;
        tokio::spawn(connection);
        let bytes = if body.is_null() { Bytes::new() } else { Bytes::from(body.to_string()) };
        let request = Request::builder()
            .method(method.clone())
            .uri(path)
            .header("host", &self.address)
            .header("authorization", format!("Bearer {}", self.token))
            .header("content-type", kind)
            .header("user-agent", "pocket-cluster")
            .body(Full::new(bytes))
            .map_err(lost)?;
        let answer = sender.send_request(request).await.map_err(lost)?;
        let status = answer.status();
        let bytes = answer.into_body().collect().await.map_err(lost)?.to_bytes();
        let value: Value = serde_json::from_slice(&bytes).map_err(lost)?;
        if status.is_success() {
            return Ok(value);
        }
        Err(Error::Refused { method, path: path.to_owned(), status: text(&value, "/message").to_owned() })
    }
}
