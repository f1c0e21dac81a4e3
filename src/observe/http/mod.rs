//! The listener: probes, metrics, status, and a few requests to do something.
//!
//! It knows nothing by itself. Every request becomes an [`Ask`] to the main loop, which owns the
//! state; a probe that is answered therefore proves that the loop turns. Whatever clients do,
//! memory stays bounded: so many connections, so long each, so much of a header, and no body is
//! ever read.

mod gate;
mod listener;
mod route;
mod socket;
mod tls;

use std::cell::Cell;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::future::Abortable;
use futures_util::stream::FuturesUnordered;
use http::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, X_CONTENT_TYPE_OPTIONS};
use http::{HeaderValue, Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::{mpsc, oneshot};
use tokio_rustls::TlsAcceptor;
use tracing::Level;

use self::gate::{Gate, Guest, Places};
use self::listener::{Listener, Stream};
use self::route::{Peer, Refusal, Route};
pub use self::tls::{Tls, TlsError};
use super::metrics::{self, Besides};
use super::status::Status;
use super::{clock, readiness};
use crate::config::plan::Listen;
use crate::core::event::Wanted;
use crate::core::view::{Outlook, View};
use crate::exit::Ending;
use leasehold_base::time::Moment;

/// The most that a client may cost us.
#[derive(Debug, Clone, Copy)]
struct Limits {
    /// Connections served at once.
    places: Places,
    /// The time for a whole connection. A client that reads or writes slowly is cut off.
    life: Duration,
    /// The time for the header of a request, and before it for the handshake of TLS.
    header_time: Duration,
    /// The time for the main loop to answer.
    loop_time: Duration,
    /// The bytes of a request's line and header.
    header_bytes: usize,
    /// The lines of a request's header.
    header_lines: usize,
}

const LIMITS: Limits = Limits {
    places: Places {
        local: 64,
        remote: 32,
        each: 8,
        waiting: 64,
        silent: Duration::from_millis(500),
        slow: Duration::from_secs(2),
    },
    life: Duration::from_secs(10),
    header_time: Duration::from_secs(2),
    loop_time: Duration::from_secs(5),
    header_bytes: 16 * 1024,
    header_lines: 64,
};

/// The pause before accepting again after that failed, for instance for lack of descriptors.
const PAUSE: Duration = Duration::from_millis(50);

/// A response whose body is there as a whole.
type HttpResponse = Response<Full<Bytes>>;

/// A request to the main loop. If the sender of an answer is dropped, the answer is "shutting down".
#[derive(Debug)]
pub enum Ask {
    /// Asks whether the loop turns.
    Alive(oneshot::Sender<()>),
    /// Asks whether the files are true, and what is not well.
    Ready(oneshot::Sender<Outlook>),
    /// Asks for the state of everything, with what the core does not know.
    Scrape(oneshot::Sender<(View, Besides)>),
    /// Shows log lines of this level and above from now on, until the configuration is read again.
    Log(Level, oneshot::Sender<()>),
    /// Polls everything now, or only this. The answer comes when the request is understood, not when it is done,
    /// and says whether there is such a thing.
    Refresh(Option<Wanted>, oneshot::Sender<bool>),
    /// Mints this anew. The answer is as above.
    Renew(Wanted, oneshot::Sender<bool>),
    /// Revokes everything and ends with 0. The answer comes as above.
    Quit(oneshot::Sender<()>),
}

/// A bound listener. The file of a Unix socket goes with it.
#[derive(Debug)]
pub struct Server {
    listener: Listener,
    tls: Option<Rc<Tls>>,
    limits: Limits,
}

impl Server {
    /// Binds the listener. The file of a dead Unix socket is replaced, and one on which a process listens is not.
    ///
    /// # Errors
    /// 73, with the address and the reason.
    pub fn bind(listen: &Listen) -> Result<Self, Ending> {
        Listener::bind(listen).map(|listener| Self { listener, tls: None, limits: LIMITS })
    }

    /// Speaks TLS and nothing else.
    #[must_use]
    pub fn secured(self, tls: Option<Rc<Tls>>) -> Self {
        Self { tls, ..self }
    }

    /// Returns the address that it listens on, with the port that the kernel chose for port 0.
    #[must_use]
    pub fn address(&self) -> Listen {
        self.listener.address()
    }

    /// Serves until it is dropped, and all connections with it. It runs inside the task that polls it: it spawns
    /// nothing.
    pub async fn serve(self, asks: mpsc::Sender<Ask>) -> Infallible {
        let Self { mut listener, tls, limits } = self;
        let mut gate = Gate::new(limits.places);
        let mut connections = FuturesUnordered::new();
        loop {
            while let Some(guest) = gate.admit(clock::moment()) {
                connections.push(attend(guest, asks.clone(), limits));
            }
            tokio::select! {
                // What has been asked already must not be taken for silence.
                biased;
                Some(number) = connections.next(), if !connections.is_empty() => {
                    gate.leave(number, clock::moment());
                }
                accepted = listener.accept(), if gate.is_open() => match accepted {
                    Ok((stream, peer, origin)) => {
                        let acceptor = tls.as_ref().map(|tls| tls.acceptor(peer));
                        gate.arrive(origin, Visitor { stream, acceptor, peer });
                    }
                    Err(_out_of_descriptors_or_gone_already) => tokio::time::sleep(PAUSE).await,
                },
                () = until(gate.deadline()) => gate.make_room(clock::moment()),
                () = listener.is_lost() => listener.restore(),
            }
        }
    }
}

/// A connection and what it was accepted with.
struct Visitor {
    stream: Stream,
    acceptor: Option<TlsAcceptor>,
    peer: Peer,
}

/// Serves one connection to its end, or until it has to make room; returns its number.
async fn attend(guest: Guest<Visitor>, asks: mpsc::Sender<Ask>, limits: Limits) -> u64 {
    let Guest { number, stream: Visitor { stream, acceptor, peer }, heard, cut } = guest;
    let _cut_off = Abortable::new(connection(stream, acceptor, peer, asks, limits, &heard), cut).await;
    number
}

/// Ends behind the deadline, when the kernel has been asked for news since.
async fn until(deadline: Option<Moment>) {
    match deadline {
        Some(deadline) => tokio::time::sleep(clock::moment().until(deadline)).await,
        None => std::future::pending().await,
    }
    tokio::task::yield_now().await;
}

/// Serves one connection that comes from `address`, or from the Unix socket if there is no address. A [`Server`]
/// does this with each connection that it accepts.
pub async fn converse(
    stream: impl AsyncRead + AsyncWrite + Unpin,
    address: Option<SocketAddr>,
    asks: mpsc::Sender<Ask>,
) {
    let peer = address.map_or(Peer::UnixSocket, Peer::of);
    connection(stream, None, peer, asks, LIMITS, &Cell::default()).await;
}

/// Serves one connection, behind TLS if there is an `acceptor`. Its request is `heard` when the whole header is
/// there.
async fn connection(
    stream: impl AsyncRead + AsyncWrite + Unpin,
    acceptor: Option<TlsAcceptor>,
    peer: Peer,
    asks: mpsc::Sender<Ask>,
    limits: Limits,
    heard: &Cell<bool>,
) {
    let whole = async {
        let Some(acceptor) = acceptor else { return exchange(stream, peer, asks, limits, heard).await };
        // The time for a header is also that for a handshake.
        if let Ok(Ok(stream)) = tokio::time::timeout(limits.header_time, acceptor.accept(stream)).await {
            exchange(stream, peer, asks, limits, heard).await;
        }
    };
    // A client that is too slow is its own trouble.
    let _cut_off = tokio::time::timeout(limits.life, whole).await;
}

/// Serves one request and its answer.
async fn exchange(
    stream: impl AsyncRead + AsyncWrite + Unpin,
    peer: Peer,
    asks: mpsc::Sender<Ask>,
    limits: Limits,
    heard: &Cell<bool>,
) {
    let service = service_fn(|request| {
        heard.set(true);
        let asks = &asks;
        async move { Ok::<_, Infallible>(answer(&request, peer, asks, limits.loop_time).await) }
    });
    let serving = http1::Builder::new()
        .keep_alive(false)
        .timer(TokioTimer::new())
        .header_read_timeout(limits.header_time)
        .max_buf_size(limits.header_bytes)
        .max_headers(limits.header_lines)
        .serve_connection(TokioIo::new(stream), service);
    // And so is one that went away or sent rubbish.
    let _client_trouble = serving.await;
}

async fn answer(
    request: &Request<Incoming>,
    peer: Peer,
    asks: &mpsc::Sender<Ask>,
    limit: Duration,
) -> HttpResponse {
    let route = match route::of(request, peer) {
        Ok(route) => route,
        Err(refusal) => return refused(&refusal),
    };
    match tokio::time::timeout(limit, performed(route, request.uri().query(), asks)).await {
        Ok(Some(answer)) => answer,
        Ok(None) => text(StatusCode::SERVICE_UNAVAILABLE, "shutting down"),
        Err(_elapsed) => text(StatusCode::SERVICE_UNAVAILABLE, "the main loop does not answer"),
    }
}

/// Asks the main loop; returns `None` if the loop is gone.
async fn performed(route: Route, query: Option<&str>, asks: &mpsc::Sender<Ask>) -> Option<HttpResponse> {
    Some(match route {
        Route::Live => asked(asks, Ask::Alive).await.map(|()| text(StatusCode::OK, "alive"))?,
        Route::Refresh => {
            match query.filter(|query| !query.is_empty()).map(|query| route::wanted(Some(query))).transpose()
            {
                Ok(wanted) => doing("refreshing", asked(asks, |reply| Ask::Refresh(wanted, reply)).await?),
                Err(_not_one) => refused(&Refusal::Refreshed),
            }
        }
        Route::Log(level) => {
            let line = format!("logging {}", level.as_str().to_lowercase());
            asked(asks, |reply| Ask::Log(level, reply)).await.map(|()| text(StatusCode::OK, &line))?
        }
        Route::Renew => match route::wanted(query) {
            Ok(wanted) => doing("renewing", asked(asks, |reply| Ask::Renew(wanted, reply)).await?),
            Err(refusal) => refused(&refusal),
        },
        Route::Quit => asked(asks, Ask::Quit).await.map(|()| text(StatusCode::ACCEPTED, "quitting"))?,
        Route::Ready => ready(&asked(asks, Ask::Ready).await?),
        Route::Metrics => {
            let (view, besides) = asked(asks, Ask::Scrape).await?;
            let body = metrics::render(view, besides);
            typed(StatusCode::OK, metrics::CONTENT_TYPE, body.into_bytes())
        }
        Route::Status => {
            let (view, besides) = asked(asks, Ask::Scrape).await?;
            let status = Status::of(&view, &besides);
            let json = serde_json::to_vec(&status).expect("plain structs always serialize");
            typed(StatusCode::OK, "application/json", json)
        }
    })
}

fn doing(what: &str, is_there: bool) -> HttpResponse {
    match is_there {
        true => text(StatusCode::ACCEPTED, what),
        false => text(StatusCode::NOT_FOUND, "no file of that name, or nothing is read under that path"),
    }
}

fn ready(outlook: &Outlook) -> HttpResponse {
    let ready = outlook.readiness.is_ready();
    let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    text(status, &readiness::line(outlook))
}

async fn asked<T>(asks: &mpsc::Sender<Ask>, ask: impl FnOnce(oneshot::Sender<T>) -> Ask) -> Option<T> {
    let (sender, receiver) = oneshot::channel();
    asks.send(ask(sender)).await.ok()?;
    receiver.await.ok()
}

fn refused(refusal: &Refusal) -> HttpResponse {
    let mut answer = text(refusal.status(), refusal.reason());
    if let Refusal::Method { allowed } = refusal {
        answer.headers_mut().insert(ALLOW, HeaderValue::from_static(allowed));
    }
    answer
}

fn text(status: StatusCode, line: &str) -> HttpResponse {
    typed(status, "text/plain; charset=utf-8", format!("{line}\n").into_bytes())
}

fn typed(status: StatusCode, media_type: &'static str, body: Vec<u8>) -> HttpResponse {
    let mut answer = Response::new(Full::new(Bytes::from(body)));
    *answer.status_mut() = status;
    let headers = answer.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(media_type));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    answer
}

#[cfg(test)]
mod tests;
