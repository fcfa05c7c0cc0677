//! Connections, and the way of a request through the server.

use std::sync::Arc;
use std::time::Duration;

use http_body_util::{BodyExt, Limited};
use hyper::Method;
use hyper::body::Incoming;
use hyper::header::{
    ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderName, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_PROTOCOL, USER_AGENT,
};
use hyper::http::request::Parts;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;

use super::answer::Answer;
use super::request::{Query, Request, Target, Verb};
use super::rights::{Act, Subject, permit};
use super::selector::Selection;
use super::websocket::Upgrade;
use super::{discovery, eviction, exec, forward, log, read, scale, watch, write};
use crate::audit::Asked;
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
    let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).with_upgrades().await;
}

async fn answer(cluster: &Arc<Cluster>, request: hyper::Request<Incoming>) -> Result<Answer, Cut> {
    let (mut head, body) = request.into_parts();
    let connection = head.extensions.remove::<OnUpgrade>();
    let upgrade = connection.map(|connection| Upgrade {
        connection,
        key: header(&head, SEC_WEBSOCKET_KEY).to_owned(),
        protocols: header(&head, SEC_WEBSOCKET_PROTOCOL).to_owned(),
    });
    let bearer = header(&head, AUTHORIZATION).strip_prefix("Bearer ").unwrap_or_default();
    let Some(subject) = cluster.subjects.of(bearer) else {
        return Ok(Refusal::new(Reason::Unauthorized, "Unauthorized").into());
    };
    let Ok(body) = Limited::new(body, LARGEST_BODY).collect().await else {
        return Ok(Refusal::bad_request("the body cannot be read").into());
    };
    let body = body.to_bytes().to_vec();
    if let Some(path) = head.uri.path().strip_prefix("/pocket/v1/") {
        return Ok(faults::answer(cluster, &subject, path, &body).await);
    }
    // A lease is renewed as time goes by, whatever else is done.
    let is_write = head.method != Method::GET && !head.uri.path().contains("/leases");
    match cluster.faults.befall(&subject, is_write).await {
        Passage::Open => Ok(hear(cluster, &subject, &head, body, upgrade)),
        Passage::Refused(refusal) => Ok(refusal.into()),
        Passage::Lost(loss) => {
            if loss.is_performed {
                drop(hear(cluster, &subject, &head, body, upgrade));
            }
            if loss.kills {
                faults::strike(cluster, &subject);
            }
            Err(Cut)
        }
    }
}

fn header(head: &Parts, name: HeaderName) -> &str {
    head.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

/// Answers as far as the subject may ask.
fn hear(cluster: &Arc<Cluster>, subject: &Subject, head: &Parts, body: Vec<u8>, upgrade: Option<Upgrade>) -> Answer {
    let kinds = kinds::all(&cluster.store);
    if let Some(answer) = discovery::answer(head.uri.path(), &kinds, &cluster.store) {
        return answer;
    }
    let query = Query::parse(head.uri.query().unwrap_or_default());
    let target = Target::parse(head.uri.path(), &kinds);
    let request = target.and_then(|target| Ok((Verb::of(&head.method, &target, &query)?, target)));
    let request = request.map(|(verb, target)| Request {
        subject: subject.clone(),
        verb,
        target,
        query,
        accept: header(head, ACCEPT).to_owned(),
        content_type: header(head, CONTENT_TYPE).split(';').next().unwrap_or_default().trim().to_owned(),
        user_agent: header(head, USER_AGENT).to_owned(),
        body,
        upgrade,
    });
    match request {
        Ok(request) => perform_and_note(cluster, request),
        Err(refusal) => refusal.into(),
    }
}

fn perform_and_note(cluster: &Arc<Cluster>, request: Request) -> Answer {
    let key = request.target.key();
    let subresource = request.target.subresource.map_or(String::new(), |inner| format!("/{}", inner.name()));
    let verb = request.verb.name().to_owned();
    let by = request.subject.to_string();
    let permitted = check_rights(cluster, &request);
    let answer = permitted.and_then(|()| perform(cluster, request)).unwrap_or_else(Answer::from);
    cluster.audit.note(Asked {
        by,
        verb,
        resource: key.resource + &subresource,
        namespace: key.namespace,
        name: key.name,
        code: answer.status().as_u16(),
    });
    answer
}

fn check_rights(cluster: &Cluster, request: &Request) -> Result<(), Refusal> {
    let (subject, target) = (&request.subject, &request.target);
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

fn perform(cluster: &Arc<Cluster>, mut request: Request) -> Result<Answer, Refusal> {
    match (request.target.subresource, request.verb) {
        (Some(Subresource::Scale), _) => scale::answer(cluster, &request),
        (Some(Subresource::Eviction), _) => eviction::evict(cluster, &request),
        (Some(Subresource::Log), _) => log::answer(cluster, &request),
        (Some(Subresource::Exec), _) => exec::answer(cluster, &mut request),
        (Some(Subresource::PortForward), _) => forward::answer(cluster, &mut request),
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
