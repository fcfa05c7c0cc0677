//! Connections, and the way of a request through the server.

use std::sync::Arc;
use std::time::Duration;

use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderName, USER_AGENT};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;

use super::answer::Answer;
use super::request::{Query, Request, Target, Verb};
use super::rights::{Act, Subject, permit};
use super::selector::Selection;
use super::{discovery, eviction, log, read, scale, watch, write};
use crate::cluster::Cluster;
use crate::faults::{self, Passage};
use crate::kinds::{self, Subresource};
use crate::refusal::{Reason, Refusal};

const HANDSHAKE: Duration = Duration::from_secs(10);
/// As much as etcd takes for one object, and some more for its wrapping.
const LARGEST_BODY: usize = 4 * 1024 * 1024;

pub(crate) async fn listen(address: &str) -> std::io::Result<TcpListener> {
    TcpListener::bind(address).await
}

/// Serves for ever.
pub(crate) async fn serve(cluster: Arc<Cluster>, listener: TcpListener, acceptor: TlsAcceptor) {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => drop(tokio::spawn(attend(Arc::clone(&cluster), stream, acceptor.clone()))),
            // Out of file descriptors, most likely: some will be given back.
            Err(_) => tokio::time::sleep(Duration::from_millis(100)).await,
        }
    }
}

/// The connection is cut, as when a server dies.
#[derive(Debug, thiserror::Error)]
#[error("the connection is cut")]
struct Cut;

async fn attend(cluster: Arc<Cluster>, stream: TcpStream, acceptor: TlsAcceptor) {
    let _ = stream.set_nodelay(true);
    let Ok(Ok(stream)) = timeout(HANDSHAKE, acceptor.accept(stream)).await else { return };
    let service = service_fn(|request| {
        let cluster = Arc::clone(&cluster);
        async move { answer(&cluster, request).await }
    });
    // A client that goes away in the middle is no fault of ours.
    let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
}

async fn answer(cluster: &Arc<Cluster>, request: hyper::Request<Incoming>) -> Result<Answer, Cut> {
    let header =
        |name: HeaderName| request.headers().get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let bearer = header(AUTHORIZATION).strip_prefix("Bearer ").unwrap_or_default().to_owned();
    let (accept, user_agent) = (header(ACCEPT).to_owned(), header(USER_AGENT).to_owned());
    let content_type = header(CONTENT_TYPE).split(';').next().unwrap_or_default().trim().to_owned();
    let (method, uri) = (request.method().clone(), request.uri().clone());
    let Some(subject) = cluster.subjects.of(&bearer) else {
        return Ok(Refusal::new(Reason::Unauthorized, "Unauthorized").into());
    };
    let Ok(body) = http_body_util::Limited::new(request.into_body(), LARGEST_BODY).collect().await else {
        return Ok(Refusal::bad_request("the body cannot be read").into());
    };
    let body = body.to_bytes().to_vec();
    let query = Query::parse(uri.query().unwrap_or_default());
    if let Some(path) = uri.path().strip_prefix("/pocket/v1/") {
        return Ok(faults::answer(cluster, &subject, path, &body).await);
    }
    let is_heard = match cluster.faults.befall(&subject).await {
        Passage::Open => true,
        Passage::Unheard => false,
        Passage::Refused(refusal) => return Ok(refusal.into()),
        Passage::Cut => return Err(Cut),
    };
    let kinds = kinds::all(&cluster.store);
    if let Some(answer) = discovery::answer(uri.path(), &kinds) {
        return Ok(answer);
    }
    let answered = Target::parse(uri.path(), &kinds).and_then(|target| {
        let verb = Verb::of(&method, &target, &query)?;
        let request = Request { verb, target, query, accept, content_type, user_agent, body };
        check_rights(cluster, &subject, &request)?;
        perform(cluster, request)
    });
    if is_heard { Ok(answered.unwrap_or_else(Answer::from)) } else { Err(Cut) }
}

fn check_rights(cluster: &Cluster, subject: &Subject, request: &Request) -> Result<(), Refusal> {
    let target = &request.target;
    let selection = Selection::of(&request.query)?;
    // A list or a watch of one name counts as naming it.
    // <https://kubernetes.io/docs/reference/access-authn-authz/rbac/#referring-to-resources>
    let selected = match request.verb {
        Verb::List | Verb::Watch => selection.fields.name(),
        Verb::Get | Verb::Create | Verb::Update | Verb::Patch | Verb::Delete | Verb::DeleteCollection => None,
    };
    let act = Act {
        verb: request.verb,
        kind: &target.kind,
        subresource: target.subresource.map_or("", Subresource::name),
        namespace: target.namespace.as_deref().unwrap_or_default(),
        name: target.name.as_deref().or(selected).unwrap_or_default(),
    };
    permit(&cluster.store, subject, act)?;
    let creates = request.content_type == super::patch::APPLY && cluster.store.get(&target.key()).is_none();
    // Applying what is not there yet needs the right to create it, too.
    if creates { permit(&cluster.store, subject, Act { verb: Verb::Create, ..act }) } else { Ok(()) }
}

fn perform(cluster: &Arc<Cluster>, request: Request) -> Result<Answer, Refusal> {
    match (request.target.subresource, request.verb) {
        (Some(Subresource::Scale), _) => scale::answer(cluster, &request),
        (Some(Subresource::Eviction), _) => eviction::evict(cluster, &request),
        (Some(Subresource::Log), _) => log::answer(cluster, &request),
        (_, Verb::Get) => read::get(&cluster.store, &request),
        (_, Verb::List) => read::list(&cluster.store, &request),
        (_, Verb::Watch) => watch::begin(cluster, request),
        (_, Verb::Create) => write::create(cluster, &request),
        (_, Verb::Update) => write::update(cluster, &request),
        (_, Verb::Patch) => write::patch(cluster, &request),
        (_, Verb::Delete) => write::delete(cluster, &request),
        (_, Verb::DeleteCollection) => write::delete_collection(cluster, &request),
    }
}
