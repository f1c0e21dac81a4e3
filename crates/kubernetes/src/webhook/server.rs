//! Connections, with and without TLS, and the limits for a client.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use http::header::CONTENT_TYPE;
use http::{Method, Request, StatusCode};
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::Semaphore;

use super::certificates::Serving;
use super::routes::{Reply, Webhook, text};

/// How many connections are served at once; further ones wait in the kernel's queue.
const CONNECTIONS: usize = 256;
const BACKLOG: u32 = 1024;
/// The time for a handshake.
const HANDSHAKE: Duration = Duration::from_secs(5);
/// The time for the header of a request, and between two requests: the API server closes idle connections after 90 s.
const IDLE: Duration = Duration::from_secs(120);
/// The time for a body to arrive.
const BODY_TIME: Duration = Duration::from_secs(10);
/// The most bytes of a body. The API server accepts no object of more than 3 MiB, and a review of a new pod holds it
/// once.
const BODY: usize = 4 * 1024 * 1024;
/// How many bodies are read at once, which bounds the memory.
const BODIES: usize = 8;
/// The pause after an accept that failed, for instance because no descriptor is left.
const PAUSE: Duration = Duration::from_millis(50);

/// Binds an address.
///
/// # Errors
/// The address, and why it cannot be bound.
#[allow(clippy::unused_async, reason = "a socket needs the runtime")]
pub(crate) async fn bind(address: SocketAddr) -> Result<TcpListener, String> {
    let bound = || {
        let socket = if address.is_ipv6() { TcpSocket::new_v6() } else { TcpSocket::new_v4() }?;
        socket.set_reuseaddr(true)?;
        socket.bind(address)?;
        socket.listen(BACKLOG)
    };
    // A machine without IPv6 has no [::].
    let again = || {
        let v4 = SocketAddr::from(([0, 0, 0, 0], address.port()));
        let socket = TcpSocket::new_v4()?;
        socket.set_reuseaddr(true)?;
        socket.bind(v4)?;
        socket.listen(BACKLOG)
    };
    let result =
        if address.ip().is_unspecified() { bound().or_else(|_: std::io::Error| again()) } else { bound() };
    result.map_err(|error| format!("cannot listen on {address}: {error}"))
}

/// Serves a listener for ever.
pub(super) async fn serve(listener: TcpListener, serving: Option<Rc<Serving>>, webhook: Rc<Webhook>) {
    let places = Arc::new(Semaphore::new(CONNECTIONS));
    let bodies = Rc::new(Semaphore::new(BODIES));
    loop {
        let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
        match listener.accept().await {
            Ok((stream, _)) => {
                let visit = visit(stream, serving.clone(), Rc::clone(&webhook), Rc::clone(&bodies));
                tokio::task::spawn_local(async move {
                    visit.await;
                    drop(place);
                });
            }
            Err(_out_of_descriptors_or_gone_already) => tokio::time::sleep(PAUSE).await,
        }
    }
}

/// Serves one connection to its end.
async fn visit(stream: TcpStream, serving: Option<Rc<Serving>>, webhook: Rc<Webhook>, bodies: Rc<Semaphore>) {
    let _without_delay = stream.set_nodelay(true);
    let Some(serving) = serving else { return converse(stream, webhook, bodies, false).await };
    // Without a certificate no answer is possible: the caller tries again.
    let Some(acceptor) = serving.acceptor() else { return };
    if let Ok(Ok(stream)) = tokio::time::timeout(HANDSHAKE, acceptor.accept(stream)).await {
        converse(stream, webhook, bodies, true).await;
    }
}

/// Serves the requests of a connection, one after the other.
async fn converse(
    stream: impl AsyncRead + AsyncWrite + Unpin,
    webhook: Rc<Webhook>,
    bodies: Rc<Semaphore>,
    secure: bool,
) {
    let service = service_fn(|request| {
        let (webhook, bodies) = (Rc::clone(&webhook), Rc::clone(&bodies));
        async move { Ok::<_, Infallible>(answer(request, &webhook, &bodies, secure).await) }
    });
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(IDLE)
        .max_buf_size(64 * 1024)
        .serve_connection(TokioIo::new(stream), service);
    // A client that breaks off needs no handling.
    let _ended = served.await;
}

/// Answers one request. Pods are reviewed over TLS only.
async fn answer(request: Request<Incoming>, webhook: &Webhook, bodies: &Semaphore, secure: bool) -> Reply {
    let (head, body) = request.into_parts();
    let path = head.uri.path();
    if path != "/mutate" || head.method != Method::POST || !secure {
        return webhook.look(&head.method, if secure || path != "/mutate" { path } else { "" });
    }
    let Ok(_place) = bodies.acquire().await else {
        return text(StatusCode::SERVICE_UNAVAILABLE, "stopping\n");
    };
    match tokio::time::timeout(BODY_TIME, Limited::new(body, BODY).collect()).await {
        Ok(Ok(body)) => webhook.mutate(head.headers.get(CONTENT_TYPE), &body.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => {
            text(StatusCode::PAYLOAD_TOO_LARGE, "the body is larger than 4 MiB\n")
        }
        Ok(Err(_)) => text(StatusCode::BAD_REQUEST, "the body does not arrive\n"),
        Err(_) => text(StatusCode::REQUEST_TIMEOUT, "the body does not arrive in time\n"),
    }
}
