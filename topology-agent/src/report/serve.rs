//! Health and metrics over HTTP.

use std::convert::Infallible;
use std::net::{Ipv6Addr, SocketAddr};
use std::time::Duration;

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpSocket};

use super::health::Health;
use super::metrics::Metrics;

/// How long a client may take to ask.
const PATIENCE: Duration = Duration::from_secs(10);
/// Without it, Prometheus takes nothing.
const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
/// How many may wait to be served.
const BACKLOG: u32 = 64;

/// Listens on every address of either family, and answers until the runtime ends.
///
/// # Errors
/// The port cannot be listened on.
pub fn serve(port: u16, health: Health, metrics: Metrics) -> std::io::Result<()> {
    let listener = listen(port)?;
    tokio::spawn(async move {
        loop {
            match listener.accept().await {
                Ok((stream, _)) => answer(TokioIo::new(stream), health.clone(), metrics.clone()),
                Err(error) => {
                    tracing::warn!(%error, "a connection was not accepted");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            }
        }
    });
    Ok(())
}

/// Where there is no IPv6, IPv4 alone.
fn listen(port: u16) -> std::io::Result<TcpListener> {
    let both = |socket: TcpSocket, address: SocketAddr| {
        socket.set_reuseaddr(true)?;
        socket.bind(address)?;
        socket.listen(BACKLOG)
    };
    let six = TcpSocket::new_v6().and_then(|socket| both(socket, (Ipv6Addr::UNSPECIFIED, port).into()));
    six.or_else(|_| both(TcpSocket::new_v4()?, ([0, 0, 0, 0], port).into()))
}

fn answer(stream: TokioIo<tokio::net::TcpStream>, health: Health, metrics: Metrics) {
    let service = service_fn(move |request: Request<Incoming>| {
        let response = respond(request.uri().path(), &health, &metrics);
        async move { Ok::<_, Infallible>(response) }
    });
    tokio::spawn(async move {
        let mut server = http1::Builder::new();
        server.timer(TokioTimer::new()).header_read_timeout(PATIENCE);
        if let Err(error) = server.serve_connection(stream, service).await {
            tracing::debug!(%error, "a client went away");
        }
    });
}

fn respond(path: &str, health: &Health, metrics: &Metrics) -> Response<Full<Bytes>> {
    match path {
        "/healthz" if health.is_alive() => text(StatusCode::OK, "alive\n".to_owned()),
        "/healthz" => text(StatusCode::SERVICE_UNAVAILABLE, "the agent hangs\n".to_owned()),
        "/readyz" => match health.ready() {
            Ok(()) => text(StatusCode::OK, "the cluster is as it should be\n".to_owned()),
            Err(why) => text(StatusCode::SERVICE_UNAVAILABLE, format!("{why}\n")),
        },
        "/metrics" => {
            let mut response = text(StatusCode::OK, metrics.text());
            response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(OPEN_METRICS));
            response
        }
        _ => text(StatusCode::NOT_FOUND, "ask for /healthz, /readyz or /metrics\n".to_owned()),
    }
}

fn text(status: StatusCode, text: String) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(text)));
    *response.status_mut() = status;
    response
}
