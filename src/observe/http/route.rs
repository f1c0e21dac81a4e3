//! Decides which request is taken from which peer. Pure.

use std::net::{IpAddr, SocketAddr};

use http::header::{HOST, ORIGIN};
use http::uri::Authority;
use http::{HeaderMap, Method, Request, StatusCode};
use tracing::Level;

use crate::core::event::Wanted;

/// The peer that asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Peer {
    /// A process of this machine, or of this pod.
    Loopback,
    /// A peer elsewhere, if `listen` lets it in.
    Remote,
    /// A peer that the socket's mode lets in.
    UnixSocket,
}

/// The request, after all checks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Route {
    /// `GET /livez`.
    Live,
    /// `GET /readyz`.
    Ready,
    /// `GET /metrics`.
    Metrics,
    /// `GET /status`.
    Status,
    /// `POST /refresh`, of all or with `?file=NAME` or `?path=PATH`.
    Refresh,
    /// `POST /renew?file=NAME` or `?path=PATH`.
    Renew,
    /// `POST /quit`.
    Quit,
    /// `POST /log?level=debug`.
    Log(Level),
}

/// The reason why a request is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refusal {
    /// No request has this path.
    Path,
    /// The path is there, for other methods.
    Method {
        /// The methods that it has.
        allowed: &'static str,
    },
    /// Only a peer on this machine may ask this.
    Peer,
    /// A browser sent it for a page from elsewhere.
    Browser,
    /// The word is no level of the log.
    Level,
    /// The query does not say what to mint anew.
    Wanted,
    /// It says in another way what to look at.
    Refreshed,
}

impl Peer {
    /// Returns the peer of a TCP connection. It also knows an IPv4 address written as IPv6.
    pub(super) fn of(address: SocketAddr) -> Self {
        if address.ip().to_canonical().is_loopback() { Self::Loopback } else { Self::Remote }
    }
}

impl Refusal {
    pub(super) fn status(&self) -> StatusCode {
        match self {
            Self::Path => StatusCode::NOT_FOUND,
            Self::Method { .. } => StatusCode::METHOD_NOT_ALLOWED,
            Self::Peer | Self::Browser => StatusCode::FORBIDDEN,
            Self::Level | Self::Wanted | Self::Refreshed => StatusCode::BAD_REQUEST,
        }
    }

    pub(super) fn reason(&self) -> &'static str {
        match self {
            Self::Path => "not found; try /livez, /readyz, /metrics or /status",
            Self::Method { .. } => "method not allowed",
            Self::Peer => "only from loopback or the Unix socket",
            Self::Level => "write it like /log?level=debug; error, warn, info, debug or trace",
            Self::Wanted => "write it like /renew?file=NAME or /renew?path=PATH",
            Self::Refreshed => "write it like /refresh, /refresh?file=NAME or /refresh?path=PATH",
            Self::Browser => "not for web pages: Host must be an IP address or localhost, without Origin",
        }
    }
}

/// Returns what a request asks, if it is taken from this peer.
pub(super) fn of<B>(request: &Request<B>, peer: Peer) -> Result<Route, Refusal> {
    let route = match request.uri().path() {
        "/livez" => Route::Live,
        "/readyz" => Route::Ready,
        "/metrics" => Route::Metrics,
        "/status" => Route::Status,
        "/refresh" => Route::Refresh,
        "/renew" => Route::Renew,
        "/quit" => Route::Quit,
        "/log" => Route::Log(level(request.uri().query()).ok_or(Refusal::Level)?),
        _ => return Err(Refusal::Path),
    };
    let acts = matches!(route, Route::Refresh | Route::Renew | Route::Quit | Route::Log(_));
    match *request.method() {
        Method::POST if acts => {}
        Method::GET | Method::HEAD if !acts => {}
        _ if acts => return Err(Refusal::Method { allowed: "POST" }),
        _ => return Err(Refusal::Method { allowed: "GET, HEAD" }),
    }
    if acts && peer == Peer::Remote {
        return Err(Refusal::Peer);
    }
    // A browser on this machine reaches loopback for any page that it shows. Such a page either names its origin
    // (Origin), or has made its own name resolve to 127.0.0.1 (DNS rebinding), and then that name is the Host.
    // Scrapers from elsewhere may use names.
    let from_a_page = request.headers().contains_key(ORIGIN) || !hosts_are_local(request);
    if peer == Peer::Loopback && from_a_page {
        return Err(Refusal::Browser);
    }
    Ok(route)
}

/// Returns what a query names, to be minted or polled anew.
pub(super) fn wanted(query: Option<&str>) -> Result<Wanted, Refusal> {
    let mut pairs = url::form_urlencoded::parse(query.unwrap_or_default().as_bytes());
    let (key, value) = pairs.next().ok_or(Refusal::Wanted)?;
    match (&*key, pairs.next()) {
        ("file", None) => Ok(Wanted::File(value.into_owned())),
        ("path", None) => Ok(Wanted::Path(value.into_owned())),
        _ => Err(Refusal::Wanted),
    }
}

/// Returns the level that a query names.
fn level(query: Option<&str>) -> Option<Level> {
    Some(match query?.strip_prefix("level=")? {
        "error" => Level::ERROR,
        "warn" => Level::WARN,
        "info" => Level::INFO,
        "debug" => Level::DEBUG,
        "trace" => Level::TRACE,
        _ => return None,
    })
}

/// Returns whether every host that the request names is an address or `localhost`. HTTP/1.0 names none.
fn hosts_are_local<B>(request: &Request<B>) -> bool {
    header_hosts(request.headers())
        .chain(request.uri().authority().cloned().map(Some))
        .all(|authority| authority.is_some_and(|authority| is_local(authority.host())))
}

/// Returns the hosts of the header; `None` for one that cannot be read.
fn header_hosts(headers: &HeaderMap) -> impl Iterator<Item = Option<Authority>> {
    headers.get_all(HOST).into_iter().map(|value| value.to_str().ok()?.parse().ok())
}

fn is_local(host: &str) -> bool {
    let bare = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(host);
    host.eq_ignore_ascii_case("localhost") || bare.parse::<IpAddr>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(method: &str, uri: &str, headers: &[(&str, &str)], peer: Peer) -> Result<Route, Refusal> {
        let request =
            headers.iter().fold(Request::builder().method(method).uri(uri), |request, (name, value)| {
                request.header(*name, *value)
            });
        of(&request.body(()).expect("a request"), peer)
    }

    #[test]
    fn every_path_has_its_method_and_everything_else_is_refused() {
        for (path, route) in [
            ("/livez", Route::Live),
            ("/readyz?verbose", Route::Ready),
            ("/metrics", Route::Metrics),
            ("/status", Route::Status),
        ] {
            assert_eq!(ask("GET", path, &[], Peer::Remote), Ok(route));
            assert_eq!(ask("HEAD", path, &[], Peer::Remote), Ok(route));
            for method in ["POST", "PUT", "DELETE", "OPTIONS", "TRACE", "BREW"] {
                let refusal = Refusal::Method { allowed: "GET, HEAD" };
                assert_eq!(ask(method, path, &[], Peer::Loopback), Err(refusal));
            }
        }
        for (path, route) in [("/refresh", Route::Refresh), ("/quit", Route::Quit)] {
            assert_eq!(ask("POST", path, &[], Peer::Loopback), Ok(route));
            assert_eq!(ask("GET", path, &[], Peer::Loopback), Err(Refusal::Method { allowed: "POST" }));
        }
        for path in ["/", "/livez/", "/LIVEZ", "//livez", "/status/../quit", "/debug/pprof"] {
            assert_eq!(ask("GET", path, &[], Peer::Loopback), Err(Refusal::Path), "{path}");
        }
    }

    #[test]
    fn what_is_wanted_anew_is_a_file_or_a_path() {
        assert_eq!(wanted(Some("file=db.env")), Ok(Wanted::File("db.env".into())));
        assert_eq!(wanted(Some("path=pki%2Fissue%2Fweb")), Ok(Wanted::Path("pki/issue/web".into())));
        for query in [None, Some(""), Some("db.env"), Some("file=a&path=b"), Some("all=true")] {
            assert_eq!(wanted(query), Err(Refusal::Wanted), "{query:?}");
        }
        assert_eq!(ask("POST", "/renew?file=a", &[], Peer::Loopback), Ok(Route::Renew));
        assert_eq!(
            ask("GET", "/renew?file=a", &[], Peer::Loopback),
            Err(Refusal::Method { allowed: "POST" })
        );
    }

    #[test]
    fn what_acts_is_taken_from_loopback_and_the_unix_socket_only() {
        for path in ["/refresh", "/renew?file=a", "/quit"] {
            assert_eq!(ask("POST", path, &[], Peer::Remote), Err(Refusal::Peer));
            assert_eq!(ask("POST", path, &[("host", "127.0.0.1")], Peer::Remote), Err(Refusal::Peer));
            assert!(ask("POST", path, &[], Peer::UnixSocket).is_ok());
        }
    }

    #[test]
    fn loopback_is_known_in_all_its_spellings() {
        let peer = |text: &str| Peer::of(text.parse().expect("an address"));
        for address in ["127.0.0.1:1", "127.9.9.9:1", "[::1]:1", "[::ffff:127.0.0.1]:1"] {
            assert_eq!(peer(address), Peer::Loopback, "{address}");
        }
        for address in ["10.0.0.1:1", "[::ffff:10.0.0.1]:1", "[2001:db8::1]:1", "0.0.0.0:1", "[::]:1"] {
            assert_eq!(peer(address), Peer::Remote, "{address}");
        }
    }

    #[test]
    fn a_web_page_cannot_reach_us_through_a_browser_on_this_machine() {
        for host in
            ["127.0.0.1", "127.0.0.1:9110", "[::1]:9110", "localhost:9110", "LOCALHOST", "10.1.2.3:80"]
        {
            assert_eq!(ask("GET", "/status", &[("host", host)], Peer::Loopback), Ok(Route::Status), "{host}");
        }
        for host in ["evil.example:9110", "localhost.evil.example", "127.0.0.1.evil.example", "", "a b"] {
            let refused = ask("GET", "/status", &[("host", host)], Peer::Loopback);
            assert_eq!(refused, Err(Refusal::Browser), "{host:?}");
        }
        let both = [("host", "localhost"), ("host", "evil.example")];
        assert_eq!(ask("GET", "/status", &both, Peer::Loopback), Err(Refusal::Browser));
        let absolute = ask("GET", "http://evil.example/status", &[("host", "localhost")], Peer::Loopback);
        assert_eq!(absolute, Err(Refusal::Browser));
        let origin = [("host", "127.0.0.1:9110"), ("origin", "https://evil.example")];
        assert_eq!(ask("POST", "/quit", &origin, Peer::Loopback), Err(Refusal::Browser));
        assert_eq!(ask("POST", "/quit", &[("origin", "null")], Peer::Loopback), Err(Refusal::Browser));
    }

    #[test]
    fn a_scraper_from_elsewhere_may_use_a_name() {
        let named = [("host", "web-0.web.default.svc:9110")];
        assert_eq!(ask("GET", "/metrics", &named, Peer::Remote), Ok(Route::Metrics));
    }
}
