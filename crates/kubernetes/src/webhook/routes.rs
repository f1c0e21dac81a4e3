//! What each path answers.

use std::cell::{Cell, RefCell};
use std::time::Duration;

use http::header::CONTENT_TYPE;
use http::{HeaderValue, Method, Response, StatusCode};
use http_body_util::Full;
use hyper::body::Bytes;
use leasehold_base::clock;

use super::metrics::Metrics;
use super::review::{self, Record};
use crate::settings::Settings;

/// An answer as hyper sends it.
pub(crate) type Reply = Response<Full<Bytes>>;

/// The settings and the counters.
#[derive(Debug)]
pub(super) struct Webhook {
    settings: Settings,
    metrics: Metrics,
    stopping: Cell<bool>,
    ready: RefCell<Result<(), String>>,
}

impl Webhook {
    pub(super) fn new(settings: Settings) -> Self {
        let (stopping, ready) = (Cell::new(false), RefCell::new(Ok(())));
        Self { settings, metrics: Metrics::new(), stopping, ready }
    }

    /// Marks the webhook as no longer ready.
    pub(super) fn stop(&self) {
        self.stopping.set(true);
    }

    /// Records whether the webhook is ready, or why not.
    pub(super) fn set_ready(&self, ready: Result<(), String>) {
        if *self.ready.borrow() != ready {
            match &ready {
                Ok(()) => tracing::info!("ready"),
                Err(why) => tracing::warn!("not ready: {why}"),
            }
            *self.ready.borrow_mut() = ready;
        }
    }

    /// Records when the certificate ends, in seconds since 1970, and whether this replica renews it for all.
    pub(super) fn set_certificate(&self, end: i64, leads: bool) {
        self.metrics.certificate(end, leads);
    }

    fn readiness(&self) -> Reply {
        if self.stopping.get() {
            return text(StatusCode::SERVICE_UNAVAILABLE, "stopping\n");
        }
        match &*self.ready.borrow() {
            Ok(()) => text(StatusCode::NO_CONTENT, ""),
            Err(why) => text(StatusCode::SERVICE_UNAVAILABLE, format!("{why}\n")),
        }
    }

    /// Answers a request without a body.
    pub(super) fn look(&self, method: &Method, path: &str) -> Reply {
        match (path, method) {
            ("/livez", &Method::GET) => text(StatusCode::OK, "ok\n"),
            ("/health/ready" | "/readyz", &Method::GET) => self.readiness(),
            ("/metrics", &Method::GET) => {
                let mut reply = text(StatusCode::OK, self.metrics.text());
                let format = "application/openmetrics-text; version=1.0.0; charset=utf-8";
                reply.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(format));
                reply
            }
            ("/livez" | "/health/ready" | "/readyz" | "/metrics" | "/mutate", _) => {
                text(StatusCode::METHOD_NOT_ALLOWED, "another method is needed\n")
            }
            _ => text(StatusCode::NOT_FOUND, "there is no such path\n"),
        }
    }

    /// Answers a review.
    pub(super) fn mutate(&self, content_type: Option<&HeaderValue>, body: &[u8]) -> Reply {
        let kind = content_type.and_then(|kind| kind.to_str().ok()).unwrap_or_default();
        if kind.split(';').next().map(str::trim) != Some("application/json") {
            return text(StatusCode::BAD_REQUEST, "the content type is not application/json\n");
        }
        self.metrics.begin();
        let begun = clock::moment();
        let answer = review::answer(body, &self.settings);
        let took = begun.until(clock::moment());
        match answer {
            Ok(answer) => {
                self.metrics.end(&answer.record, took);
                log(&answer.record, took);
                let mut reply = Response::new(Full::new(Bytes::from(answer.body)));
                reply.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
                reply
            }
            Err(why) => {
                self.metrics.spoiled(took);
                tracing::warn!("a request is no review: {why}");
                text(StatusCode::INTERNAL_SERVER_ERROR, format!("{why}\n"))
            }
        }
    }
}

/// Logs one line for each decision.
fn log(record: &Record, took: Duration) {
    let Record { uid, namespace, pod, decision, reason, .. } = record;
    let (decision, micros) = (decision.word(), u64::try_from(took.as_micros()).unwrap_or(u64::MAX));
    tracing::info!(%uid, %namespace, %pod, decision, %reason, micros, "reviewed");
}

/// Makes an answer with a text.
pub(crate) fn text(status: StatusCode, text: impl Into<Bytes>) -> Reply {
    let mut reply = Response::new(Full::new(text.into()));
    *reply.status_mut() = status;
    reply.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    reply
}
