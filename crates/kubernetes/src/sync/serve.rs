//! Serves health and metrics, without TLS, at the address where secrets-manager has its metrics.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use http::header::CONTENT_TYPE;
use http::{HeaderValue, Method, Request, StatusCode};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};

use super::board::Board;
use crate::webhook::{Reply, bind, text};

const IDLE: Duration = Duration::from_secs(30);

/// Serves in the background.
///
/// # Errors
/// The address, and why it cannot be bound.
pub(crate) async fn start(address: SocketAddr, board: Rc<Board>) -> Result<(), String> {
    let listener = bind(address).await?;
    tracing::info!(%address, "listening: health and metrics");
    tokio::task::spawn_local(async move {
        loop {
            let Ok((stream, _)) = listener.accept().await else {
                // No descriptors are left, or the client is gone already.
                tokio::time::sleep(Duration::from_millis(50)).await;
                continue;
            };
            let board = Rc::clone(&board);
            tokio::task::spawn_local(async move {
                let service = service_fn(|request: Request<Incoming>| {
                    let reply = answer(request.method(), request.uri().path(), &board);
                    async move { Ok::<_, Infallible>(reply) }
                });
                let connection = http1::Builder::new()
                    .timer(TokioTimer::new())
                    .header_read_timeout(IDLE)
                    .max_buf_size(16 * 1024)
                    .serve_connection(TokioIo::new(stream), service);
                // A client that breaks off needs no handling.
                let _ended = connection.await;
            });
        }
    });
    Ok(())
}

fn answer(method: &Method, path: &str, board: &Board) -> Reply {
    match path {
        _ if method != Method::GET => text(StatusCode::METHOD_NOT_ALLOWED, "another method is needed\n"),
        "/livez" | "/healthz" => text(StatusCode::OK, "ok\n"),
        "/readyz" => match board.unready() {
            None => text(StatusCode::OK, "ok\n"),
            Some(why) => text(StatusCode::SERVICE_UNAVAILABLE, format!("{why}\n")),
        },
        "/metrics" => {
            let mut reply = text(StatusCode::OK, board.metrics());
            let format = "text/plain; version=0.0.4; charset=utf-8";
            reply.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(format));
            reply
        }
        _ => text(StatusCode::NOT_FOUND, "there is no such path\n"),
    }
}
