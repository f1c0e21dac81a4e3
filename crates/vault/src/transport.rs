//! One exchange with the server: headers, one redirect at most, a bounded body, a deadline.
//!
//! vaultrs and rustify bring the request here through `rustify::Client`. Their own client follows redirects with the
//! token to any host, reads bodies of any size, and loses the headers of failures. So this client is ours.
//!
//! Some memory cannot be wiped: the buffers of hyper and rustls, through which every byte passes, and the request's
//! URI. Everything else goes into buffers that are wiped. A request's body and the token's header share one each, and
//! the answer's body is collected into one.

use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use http::header::{CONTENT_TYPE, HOST, HeaderMap, HeaderValue, LOCATION};
use http::{Method, StatusCode};
use leasehold_http::header;
use leasehold_http::quote::{is_in_host, shares_a_long_part};
use leasehold_http::trouble::is_forbidden;
use percent_encoding::percent_decode_str;
use rustify::endpoint::Endpoint;
use rustify::errors::ClientError;
use url::Url;
use zeroize::Zeroizing;

use super::body::{Collector, Growth, MAX, TooLarge};
use super::connections::Connections;
use super::files::{is_token, local};
use super::meter::Meter;
use super::traffic::Turn;
use super::trouble;
use super::verdict::Answer;
use crate::settings::VaultPlan;
use leasehold_base::failure::{Failure, FailureKind};
use leasehold_base::secret::Secret;

/// The server's address that [`Call`] gives to rustify. Only the path and the query of what rustify builds are used,
/// since it would put the prefix of an address (`https://host/vault`) into the wrong place.
const BASE: &str = "http://server";

/// The way to the server.
pub(super) struct Transport {
    pub(super) connections: Connections,
    pub(super) meter: Meter,
    growth: Growth,
    home: Url,
    redirect_hosts: Vec<String>,
    timeout: Duration,
    /// The proxy may have kept an answer from coming, so messages say that there is one.
    by_proxy: bool,
}

/// The way to the server for one request: rustify's client.
pub(super) struct Call<'a> {
    pub(super) transport: &'a Transport,
    pub(super) token: Option<&'a Secret>,
    pub(super) namespace: Option<&'a str>,
    /// Has the answer wrapped in a one-time token for this time.
    pub(super) wrap_ttl: Option<Duration>,
}

/// A request, ready to be sent once or, after a redirect, twice.
struct Outgoing {
    method: Method,
    headers: HeaderMap,
    body: Bytes,
}

impl Outgoing {
    /// Returns a place that a server has named, for a message; not if its host repeats the token, or a long part of the
    /// body, which may hold a credential.
    fn shown(&self, url: &Url) -> String {
        let place = place(url);
        let sensitive = self.headers.values().filter(|value| value.is_sensitive());
        let mut sensitive = sensitive.map(|value| Secret::new(value.as_bytes().to_vec()));
        let repeats = sensitive.any(|secret| is_in_host(&place, &secret))
            || shares_a_long_part(&place, &Secret::new(self.body.to_vec()));
        if repeats { "a host that repeats what was sent".to_owned() } else { place }
    }
}

impl Transport {
    pub(super) fn new(plan: &VaultPlan) -> Result<Self, Failure> {
        Ok(Self {
            connections: Connections::new(plan)?,
            meter: Meter::default(),
            growth: Growth::default(),
            home: plan.address.clone(),
            redirect_hosts: plan.redirect_hosts.clone(),
            timeout: plan.timeout,
            by_proxy: plan.proxy.is_some(),
        })
    }

    async fn exchange(&self, path_and_query: &str, out: &Outgoing) -> Result<Answer, Failure> {
        let url = self.url(path_and_query)?;
        let both = async {
            let (first, turn) = self.hop(&url, None, out).await?;
            if !is_redirect(first.status()) {
                return self.collect(&url, first).await;
            }
            let next = self.next_hop(&url, first.headers(), out)?;
            drop((first, turn));
            let (second, _turn) = self.hop(&next, Some(&url), out).await?;
            if is_redirect(second.status()) {
                return Err(redirected(format!("{} redirects once more", place(&next))));
            }
            self.collect(&next, second).await
        };
        // The timeout is around both hops and both bodies, so that neither a redirect nor a slow body extends it.
        tokio::time::timeout(self.timeout, both).await.unwrap_or_else(|_| {
            let after = humantime::format_duration(self.timeout);
            let why = format!("{}: no complete answer within {after}", self.way_to(&self.home));
            Err(Failure::new(FailureKind::Unheard, why))
        })
    }

    fn way_to(&self, url: &Url) -> String {
        let by = if self.by_proxy { " by way of vault.proxy" } else { "" };
        format!("{}{by}", place(url))
    }

    /// Returns the URL: the address, `/v1` and what is asked for.
    fn url(&self, path_and_query: &str) -> Result<Url, Failure> {
        let base = self.home.as_str().trim_end_matches('/');
        let text = Zeroizing::new(format!("{base}/v1{path_and_query}"));
        Url::parse(&text).map_err(|_| local("the path does not make a URL"))
    }

    /// Asks at `url`, to which a redirect of `from` may have led.
    async fn hop(
        &self,
        url: &Url,
        from: Option<&Url>,
        out: &Outgoing,
    ) -> Result<(reqwest::Response, Turn), Failure> {
        let (client, asked, turn) = self.connections.to(url)?;
        let mut request = reqwest::Request::new(out.method.clone(), asked);
        request.headers_mut().clone_from(&out.headers);
        if request.url().host_str() != url.host_str() {
            // With `server_name`, the URL's host is not the host that is spoken to.
            let host =
                HeaderValue::from_str(&authority(url)).map_err(|_| local("the address has no host"))?;
            request.headers_mut().insert(HOST, host);
        }
        if !out.body.is_empty() {
            request.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
            *request.body_mut() = Some(out.body.clone().into());
        }
        let answer = client.execute(request).await.map_err(|error| match from {
            Some(from) if is_forbidden(&error) => closed(from, url),
            _ => self.explained(&error, url),
        })?;
        turn.answered(answer.version());
        Ok((answer, turn))
    }

    fn explained(&self, error: &reqwest::Error, url: &Url) -> Failure {
        trouble::explain(error, &self.way_to(url), self.connections.files())
    }

    /// Returns where a redirect leads: to another server that may be asked for the same. Any port of our own host is
    /// allowed, since nodes of a cluster on one machine differ by it; over TLS its certificate has to be good.
    fn next_hop(&self, from: &Url, headers: &HeaderMap, out: &Outgoing) -> Result<Url, Failure> {
        let location = headers.get(LOCATION).and_then(|value| value.to_str().ok());
        let Some(next) = location.and_then(|location| from.join(location).ok()) else {
            return Err(redirected(format!("{} redirects without saying where to", place(from))));
        };
        let refuse =
            |why: &str| Err(redirected(format!("{} redirects to {}{why}", place(from), out.shown(&next))));
        if next.scheme() != from.scheme() {
            return refuse(": another scheme");
        }
        if !next.username().is_empty() || next.password().is_some() {
            return refuse(" with a user name or password in the URL, which Vault never does");
        }
        if !self.may_lead_to(&next) {
            return refuse(", which is not in vault.redirect_hosts");
        }
        let Some(path) = self.same_path(from, &next) else {
            return refuse(
                " and another path or query than was asked for, which Vault never does: look at what is in front of it",
            );
        };
        // Only the server is taken from the answer. The path and the query stay.
        let mut hop = from.clone();
        hop.set_path(path);
        let moved = hop.set_host(next.host_str()).is_ok() && hop.set_port(next.port()).is_ok();
        if moved { Ok(hop) } else { refuse(": not a server") }
    }

    fn may_lead_to(&self, next: &Url) -> bool {
        next.host_str().is_some_and(|host| {
            let port = next.port_or_known_default().unwrap_or_default();
            let with_port = format!("{host}:{port}");
            let named = |allowed: &String| {
                allowed.eq_ignore_ascii_case(host) || allowed.eq_ignore_ascii_case(&with_port)
            };
            Some(host) == self.home.host_str() || self.redirect_hosts.iter().any(named)
        })
    }

    /// Returns our path, if `next` has the same one in whatever escaping: the whole path, or the part behind the path
    /// of `vault.address`, which a proxy may have removed before Vault saw it.
    fn same_path<'u>(&self, from: &'u Url, next: &Url) -> Option<&'u str> {
        let same = |ours: &str, theirs: &str| percent_decode_str(ours).eq(percent_decode_str(theirs));
        let (asked, led_to) = (from.query().unwrap_or_default(), next.query().unwrap_or_default());
        let whole = from.path();
        let within = whole.strip_prefix(self.home.path().trim_end_matches('/'));
        let paths = std::iter::once(whole).chain(within);
        paths.filter(|_| same(asked, led_to)).find(|path| same(path, next.path()))
    }

    async fn collect(&self, url: &Url, mut response: reqwest::Response) -> Result<Answer, Failure> {
        let too_large = |TooLarge| {
            let (place, most) = (place(url), MAX / 1024 / 1024);
            Failure::new(FailureKind::Nonsense, format!("{place}: the answer is larger than {most} MiB"))
        };
        let mut body = Collector::new(response.content_length(), &self.growth).map_err(too_large)?;
        while let Some(chunk) = response.chunk().await.map_err(|error| self.explained(&error, url))? {
            body.push(&chunk).await.map_err(too_large)?;
        }
        let headers = std::mem::take(response.headers_mut());
        Ok(Answer { status: response.status(), headers, body: body.finish() })
    }
}

impl Call<'_> {
    /// Sends what `endpoint` describes.
    pub(super) async fn ask(&self, endpoint: &impl Endpoint) -> Result<Answer, Failure> {
        let result = endpoint.exec(self).await.map_err(own_failure)?;
        let (parts, body) = result.response.into_parts();
        Ok(Answer { status: parts.status, headers: parts.headers, body: Zeroizing::new(body) })
    }

    fn headers(&self) -> Result<HeaderMap, Failure> {
        let mut headers = HeaderMap::new();
        // Vault refuses requests without this header where it listens for an agent: it keeps browsers out.
        headers.insert("x-vault-request", HeaderValue::from_static("true"));
        if let Some(namespace) = self.namespace {
            let value = HeaderValue::from_str(namespace)
                .map_err(|_| local("the namespace has a character that no header takes"))?;
            headers.insert("x-vault-namespace", value);
        }
        if let Some(ttl) = self.wrap_ttl {
            let value = HeaderValue::from_str(&format!("{}s", ttl.as_secs()))
                .map_err(|_| local("the time to wrap for is no header"))?;
            headers.insert("x-vault-wrap-ttl", value);
        }
        if let Some(token) = self.token {
            if !is_token(token) {
                return Err(local("the token is not one line of visible ASCII characters"));
            }
            let value = header::sensitive(token)
                .ok_or_else(|| local("the token has a character that no header takes"))?;
            headers.insert("x-vault-token", value);
        }
        Ok(headers)
    }
}

#[async_trait]
impl rustify::client::Client for Call<'_> {
    async fn send(&self, request: http::Request<Vec<u8>>) -> Result<http::Response<Vec<u8>>, ClientError> {
        let (parts, body) = request.into_parts();
        // The body is taken over before anything can fail, so that it is wiped whatever happens.
        let body = Bytes::from_owner(Zeroizing::new(body));
        let path = parts.uri.path_and_query().map_or("/", |path| path.as_str());
        let answer = async {
            let out = Outgoing { method: parts.method, headers: self.headers()?, body };
            self.transport.exchange(path, &out).await
        };
        let mut answer =
            answer.await.map_err(|failure| ClientError::GenericError { source: failure.into() })?;
        let mut response = http::Response::new(std::mem::take(&mut *answer.body));
        *response.status_mut() = answer.status;
        *response.headers_mut() = answer.headers;
        Ok(response)
    }

    fn base(&self) -> &str {
        BASE
    }

    /// Returns an answer whatever its status. Failures have headers (`Retry-After`), and a body that rustify's own
    /// version would copy into an error.
    async fn execute(&self, request: http::Request<Vec<u8>>) -> Result<http::Response<Vec<u8>>, ClientError> {
        self.send(request).await
    }
}

/// Takes our own failure out of the error that carried it through rustify.
fn own_failure(error: ClientError) -> Failure {
    match error {
        ClientError::GenericError { source } => {
            source.downcast().unwrap_or_else(|_| local("the request failed inside the client"))
        }
        _ => local("the request cannot be built"),
    }
}

/// Returns whether a status is a redirect that is followed. 303 is not, since it would turn a write into a read.
fn is_redirect(status: StatusCode) -> bool {
    matches!(
        status,
        StatusCode::MOVED_PERMANENTLY
            | StatusCode::FOUND
            | StatusCode::TEMPORARY_REDIRECT
            | StatusCode::PERMANENT_REDIRECT
    )
}

fn redirected(why: String) -> Failure {
    Failure::new(FailureKind::Redirected, why)
}

/// Makes the failure for a redirect to a place where this process may not connect.
fn closed(from: &Url, to: &Url) -> Failure {
    let (host, port) = (to.host_str().unwrap_or_default(), to.port_or_known_default().unwrap_or_default());
    let why = format!(
        "{} redirects to {}, where this process may not connect; add {host}:{port} to vault.redirect_hosts, which opens the sandbox for it, and check the network policy",
        place(from),
        place(to)
    );
    Failure::advised(FailureKind::Redirected, why)
}

fn place(url: &Url) -> String {
    format!("{}://{}", url.scheme(), authority(url))
}

/// Returns host and port, without user and password.
fn authority(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}
