//! One exchange with a cloud: TLS, no redirect, a bounded body, a deadline.
//!
//! A request carries a credential, or brings one. So it goes to the host that it was made for and to no other: no
//! redirect is followed and no proxy is asked. Only this machine and the metadata services beside it are spoken to
//! without TLS.

use std::net::IpAddr;
use std::sync::OnceLock;
use std::time::{Duration, UNIX_EPOCH};

use bytes::Bytes;
use http::header::{DATE, RETRY_AFTER};
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use leasehold_http::body::{Collector, Growth, MAX, TooLarge};
use leasehold_http::files::local;
use leasehold_http::quote::{is_in_host, repeats};
use leasehold_http::resolve::Resolver;
use leasehold_http::tls;
use leasehold_http::trouble::Trouble;
use reqwest::redirect::Policy;
use rustls::RootCertStore;
use url::{Host, Url};
use zeroize::Zeroizing;

use leasehold_base::clock;
use leasehold_base::failure::{Failure, FailureKind, FailureKind as K};
use leasehold_base::secret::Secret;

/// The time for a whole request to a cloud.
pub(crate) const REQUEST: Duration = Duration::from_secs(15);

/// The time for a request to a metadata service, which is on this machine or beside it.
pub(crate) const METADATA: Duration = Duration::from_secs(3);

/// How many connections are kept for the next request, for a moment.
const IDLE: usize = 4;
const IDLE_TIMEOUT: Duration = Duration::from_secs(20);

/// The metadata services of the clouds, besides those of 169.254.0.0/16.
const BESIDE_US: [&str; 4] = ["[fd00:ec2::254]", "[fd00:ec2::23]", "metadata.google.internal", "metadata"];

/// The clients, which are made when they are first used: the system's authorities take memory.
#[derive(Default)]
pub(crate) struct Http {
    over_tls: OnceLock<reqwest::Client>,
    plain: OnceLock<reqwest::Client>,
    growth: Growth,
}

/// A request.
pub(crate) struct Call {
    pub(crate) method: Method,
    pub(crate) url: Url,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    pub(crate) timeout: Duration,
    /// The credentials in the body. Those in the headers are marked as sensitive.
    pub(crate) unspoken: Vec<Secret>,
}

/// The answer to a request.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Zeroizing<Vec<u8>>,
    /// The values that a quote of the answer must not contain, should it repeat what it was sent.
    pub(crate) unspoken: Vec<Secret>,
}

#[cfg(test)]
impl Answer {
    /// Makes a 429 with this body that asks for a pause of seven seconds.
    pub(crate) fn of_seven_seconds(body: &str) -> Self {
        let headers =
            HeaderMap::from_iter([(http::header::RETRY_AFTER, http::HeaderValue::from_static("7"))]);
        let body = Zeroizing::new(body.as_bytes().to_vec());
        Self { status: StatusCode::TOO_MANY_REQUESTS, headers, body, unspoken: Vec::new() }
    }
}

impl Answer {
    /// Returns a part of the answer as a part of a message; nothing if it repeats a credential of the request, or the
    /// start of one.
    pub(crate) fn said(&self, text: &str) -> String {
        if self.repeats_credentials(text) { String::new() } else { said(text) }
    }

    /// Returns whether a text repeats a credential of the request.
    pub(crate) fn repeats_credentials(&self, text: &str) -> bool {
        self.unspoken.iter().any(|secret| repeats(text.as_bytes(), secret))
    }
}

impl Call {
    pub(crate) fn get(url: Url) -> Self {
        let (headers, body, unspoken) = Default::default();
        Self { method: Method::GET, url, headers, body, timeout: REQUEST, unspoken }
    }

    /// Returns the credentials of the request.
    fn credentials(&mut self) -> Vec<Secret> {
        let sensitive = self.headers.values().filter(|value| value.is_sensitive()).map(HeaderValue::as_bytes);
        let bare = sensitive.map(|value| value.strip_prefix(b"Bearer ").unwrap_or(value));
        let mut all = std::mem::take(&mut self.unspoken);
        all.extend(bare.map(|value| Secret::new(value.to_vec())));
        all
    }

    /// Makes a POST with a body, which is wiped.
    pub(crate) fn post(url: Url, body: Zeroizing<Vec<u8>>) -> Self {
        Self { method: Method::POST, body: Bytes::from_owner(body), ..Self::get(url) }
    }
}

impl Http {
    /// Sends the request once.
    pub(crate) async fn send(&self, mut call: Call) -> Result<Answer, Failure> {
        let (place, unspoken) = (place(&call.url), call.credentials());
        let client = self.client(&call.url)?.clone();
        let mut request = reqwest::Request::new(call.method, call.url);
        *request.headers_mut() = call.headers;
        if !call.body.is_empty() {
            *request.body_mut() = Some(call.body.into());
        }
        let exchange = async {
            let response = client.execute(request).await.map_err(|error| explained(&error, &place))?;
            if response.status().is_redirection() {
                return Err(redirected(&place, response.headers(), &unspoken));
            }
            Ok(Answer { unspoken, ..self.collect(&place, response).await? })
        };
        tokio::time::timeout(call.timeout, exchange).await.unwrap_or_else(|_| {
            let why = format!("{place}: no complete answer within {} s", call.timeout.as_secs());
            Err(Failure::new(FailureKind::Unheard, why))
        })
    }

    async fn collect(&self, place: &str, mut response: reqwest::Response) -> Result<Answer, Failure> {
        let too_large = |TooLarge| {
            let why = format!("{place}: the answer is larger than {} MiB", MAX / 1024 / 1024);
            Failure::new(FailureKind::Nonsense, why)
        };
        let mut body = Collector::new(response.content_length(), &self.growth).map_err(too_large)?;
        while let Some(chunk) = response.chunk().await.map_err(|error| explained(&error, place))? {
            body.push(&chunk).await.map_err(too_large)?;
        }
        let headers = std::mem::take(response.headers_mut());
        Ok(Answer { status: response.status(), headers, body: body.finish(), unspoken: Vec::new() })
    }

    fn client(&self, url: &Url) -> Result<&reqwest::Client, Failure> {
        let (kept, tls) = match url.scheme() {
            "https" => (&self.over_tls, true),
            _ if may_be_plain(url) => (&self.plain, false),
            _ => {
                let why = format!("{} is not asked without TLS: it is not on this machine", place(url));
                return Err(Failure::new(FailureKind::Unusable, why));
            }
        };
        if let Some(client) = kept.get() {
            return Ok(client);
        }
        let client = build(tls)?;
        Ok(kept.get_or_init(|| client))
    }
}

fn build(over_tls: bool) -> Result<reqwest::Client, Failure> {
    let builder = match over_tls {
        true => tls::of_the_system()?,
        // The client needs a configuration, and this one trusts no authority.
        false => tls::start()?.0.with_root_certificates(RootCertStore::empty()),
    };
    reqwest::Client::builder()
        .tls_backend_preconfigured(builder.with_no_client_auth())
        .dns_resolver(Resolver::default())
        .redirect(Policy::none())
        .referer(false)
        .no_proxy()
        .http1_only()
        .user_agent(concat!("leasehold/", env!("CARGO_PKG_VERSION")))
        .connect_timeout(if over_tls { Duration::from_secs(5) } else { Duration::from_secs(1) })
        .pool_max_idle_per_host(IDLE)
        .pool_idle_timeout(IDLE_TIMEOUT)
        .build()
        .map_err(|_| local("the HTTP client cannot be made"))
}

/// Returns whether a host may be spoken to without TLS: this machine, and the metadata services of clouds, which have
/// none.
pub(crate) fn may_be_plain(url: &Url) -> bool {
    let address = match url.host() {
        Some(Host::Ipv4(address)) => IpAddr::V4(address),
        Some(Host::Ipv6(address)) => IpAddr::V6(address),
        Some(Host::Domain("localhost")) => return true,
        _ => return url.host_str().is_some_and(|host| BESIDE_US.contains(&host)),
    };
    let is_link_local = matches!(address, IpAddr::V4(address) if address.is_link_local());
    address.is_loopback() || is_link_local || url.host_str().is_some_and(|host| BESIDE_US.contains(&host))
}

/// Returns scheme, host and port.
pub(crate) fn place(url: &Url) -> String {
    format!("{}://{}", url.scheme(), authority(url))
}

/// Returns host and port, as in the header `Host`.
pub(crate) fn authority(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}

/// Returns how long the answer asks us to wait: `Retry-After`, in seconds or as a date.
pub(crate) fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = |name| headers.get(name).and_then(|value: &HeaderValue| value.to_str().ok()).map(str::trim);
    let date = |text| httpdate::parse_http_date(text).ok();
    let value = text(RETRY_AFTER)?;
    if let Ok(seconds) = value.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let end = date(value)?;
    // By the server's clock, so that ours does not matter.
    let now = text(DATE)
        .and_then(date)
        .or_else(|| Some(UNIX_EPOCH + Duration::from_secs(u64::try_from(clock::now().wall).ok()?)))?;
    Some(end.duration_since(now).unwrap_or_default())
}

/// Makes the failure for a service that asks for a later retry.
pub(crate) fn throttled(what: &str, headers: &HeaderMap) -> Failure {
    Failure::new(FailureKind::Overloaded(retry_after(headers)), format!("{what}: too many requests"))
}

fn redirected(place: &str, headers: &HeaderMap, unspoken: &[Secret]) -> Failure {
    let to = headers.get(http::header::LOCATION).and_then(|value| value.to_str().ok());
    let to = to.and_then(|to| Url::parse(to).ok()).filter(|to| matches!(to.scheme(), "https" | "http"));
    let to = to.map(|to| self::place(&to)).filter(|to| !unspoken.iter().any(|secret| is_in_host(to, secret)));
    let to = to.unwrap_or_else(|| "elsewhere".to_owned());
    let why = format!(
        "{place} redirects to {to}, which the clouds never do, and nothing was sent there; look at what is in front of it"
    );
    // Something in front of the cloud says it, and the answer says nothing about the cloud.
    Failure::advised(FailureKind::Intercepted, why)
}

fn explained(error: &reqwest::Error, place: &str) -> Failure {
    let (kind, why) = words(Trouble::of(error));
    Failure::advised(kind, format!("{place}: {why}"))
}

fn words(trouble: Trouble) -> (K, &'static str) {
    match trouble {
        Trouble::NoSuchHost => {
            (K::Unreachable, "its name does not resolve; check what names it in `backends`, and the DNS")
        }
        Trouble::ConnectionRefused => {
            (K::Unreachable, "it refuses the connection; check the address and the network")
        }
        Trouble::NoRoute | Trouble::SlowConnection | Trouble::NoConnection => (
            K::Unreachable,
            "no connection to it; check the network policy, the firewall and the way out of the network",
        ),
        Trouble::Forbidden => {
            (K::Unreachable, "this process may not connect there; check the network policy and the sandbox")
        }
        Trouble::Slow => (K::Unheard, "it did not answer in time; check the network on the way to it"),
        Trouble::BrokenOff | Trouble::ClosedUnasked => (
            K::Unheard,
            "the connection broke off before the answer was complete; check what is on the way to it",
        ),
        Trouble::NotHttp => (K::Nonsense, "it does not answer as an HTTP server does; check the address"),
        Trouble::NotTls => (K::Unreachable, "it does not speak TLS; check the address and the port"),
        Trouble::CertificateOfAStranger => (
            K::Unreachable,
            "its certificate is signed by an unknown authority; SSL_CERT_FILE can name one, and a proxy that opens TLS has one of its own",
        ),
        Trouble::CertificateExpired | Trouble::CertificateNotValidYet => {
            (K::Unreachable, "its certificate is not valid at this time; check this machine's clock")
        }
        Trouble::CertificateForAnotherName => {
            (K::Unreachable, "its certificate is for another name; check the address")
        }
        _ => (K::Unreachable, "the TLS handshake failed; check what is on the way to it"),
    }
}

/// Returns the first line of what a cloud says, without control characters, as a part of a message.
pub(crate) fn said(text: &str) -> String {
    const MOST: usize = 300;
    let line = text.trim().lines().next().unwrap_or_default();
    let clean: String = line.chars().filter(|c| !c.is_control()).take(MOST).collect();
    clean.trim_end_matches(['.', ' ']).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use leasehold_http::header::sensitive;

    #[test]
    fn only_this_machine_and_metadata_services_are_spoken_to_without_tls() {
        let plain = |url: &str| may_be_plain(&Url::parse(url).expect("a URL"));
        for beside in [
            "http://127.0.0.1:9",
            "http://[::1]",
            "http://localhost:80",
            "http://169.254.169.254",
            "http://169.254.170.23/v1/credentials",
            "http://[fd00:ec2::23]",
            "http://[fd00:ec2::254]",
            "http://metadata.google.internal",
        ] {
            assert!(plain(beside), "{beside}");
        }
        for elsewhere in
            ["http://10.0.0.1", "http://example.com", "http://localhost.example", "http://[fd00:ec2::24]"]
        {
            assert!(!plain(elsewhere), "{elsewhere}");
        }
    }

    #[test]
    fn an_answer_that_repeats_a_credential_of_its_request_is_not_quoted() {
        let mut call = Call::post(Url::parse("https://example.com").expect("a URL"), Zeroizing::default());
        call.unspoken.push("eyJhbGciOiJFUzI1NiJ9.claims.signature".into());
        for (name, value) in [("authorization", "Bearer of-a-bearer-token"), ("x-token", "shorter")] {
            call.headers.insert(name, sensitive(&value.into()).expect("a header"));
        }
        call.headers.insert("accept", HeaderValue::from_static("application/json"));
        let unspoken = call.credentials();
        let answer = Answer {
            status: StatusCode::OK,
            headers: HeaderMap::new(),
            body: Zeroizing::default(),
            unspoken,
        };
        for repeats in [
            "Value 'eyJhbGciOiJFUzI1NiJ9.claims.signature' at 'webIdentityToken' failed",
            "Value 'eyJhbGciOiJFUzI1...' at 'webIdentityToken' failed",
            "of-a-bearer-token is no token",
            "not shorter",
        ] {
            assert_eq!(answer.said(repeats), "", "{repeats}");
        }
        let unspoken = vec!["Q8Q~of/the+client secret".into()];
        let answer = Answer { unspoken, ..answer };
        for repeats in ["client_secret=Q8Q%7Eof%2Fthe%2Bclient+secret&x=y", "no q=Q8Q%7eof%2fthe%2bcli..."] {
            assert_eq!(answer.said(repeats), "", "{repeats}");
        }
        for good in ["Value at 'webIdentityToken' failed", "Bearer of application/json", "50% of 100%2"] {
            assert_eq!(answer.said(good), good);
        }
    }

    #[test]
    fn a_pause_is_asked_for_in_seconds_or_until_a_date() {
        const EIGHT: &str = "Sun, 29 Nov 2026 14:11:08 GMT";
        const NINE: &str = "Sun, 29 Nov 2026 14:11:09 GMT";
        let asked = |all: &[(http::HeaderName, &'static str)]| {
            let all = all.iter().map(|(name, value)| (name.clone(), HeaderValue::from_static(value)));
            let failure = throttled("it", &all.collect());
            let FailureKind::Overloaded(asked) = failure.kind else { panic!("{failure}") };
            asked.map(|asked| asked.as_secs())
        };
        assert_eq!(asked(&[]), None);
        assert_eq!(asked(&[(RETRY_AFTER, "7")]), Some(7));
        assert_eq!(asked(&[(RETRY_AFTER, " 7 ")]), Some(7));
        assert_eq!(asked(&[(RETRY_AFTER, NINE), (DATE, EIGHT)]), Some(1));
        assert_eq!(asked(&[(RETRY_AFTER, EIGHT), (DATE, NINE)]), Some(0));
        assert_eq!(asked(&[(RETRY_AFTER, "soon"), (DATE, NINE)]), None);
        let ours = asked(&[(RETRY_AFTER, "Fri, 31 Dec 9999 23:59:59 GMT")]).expect("a date");
        assert!(ours > 7900 * 365 * 86_400, "{ours}");
    }

    fn redirect(to: &str, unspoken: &[&str]) -> Failure {
        let mut headers = HeaderMap::new();
        headers.insert("location", HeaderValue::from_str(to).expect("a header"));
        let unspoken: Vec<Secret> = unspoken.iter().map(|secret| Secret::from(*secret)).collect();
        redirected("https://vault", &headers, &unspoken)
    }

    #[test]
    fn a_redirect_is_no_answer_of_the_cloud() {
        let failure = redirect("https://portal.example/login?x=1", &["hunter2"]);
        assert!(failure.kind.is_outage(), "{:?}", failure.kind);
        assert!(failure.why.contains("redirects to https://portal.example, which"), "{failure}");
    }

    #[test]
    fn a_redirect_to_a_host_that_repeats_a_credential_is_not_quoted() {
        let long = "eyJhbGciOiJFUzI1NiJ9.Claims-Of-The-Subject.signature";
        for to in [
            "https://hunter2.example/",
            "https://HUNTER2.example/",
            "https://%68unter2.example/",
            "hunter2://x",
            "https://eyjhbgcioijf.example/",
            "https://claims-of-the-subject.example/",
            "/hunter2",
        ] {
            let failure = redirect(to, &["Hunter2", long]);
            assert!(failure.why.contains("redirects to elsewhere, which"), "{failure}");
        }
        // A form that is repeated has its credential in escapes.
        let secret = "Q8Q~of.the-client/secret";
        for to in [
            "https://Q8Q%257Eof.the-client.example/",
            "https://Q8Q%7Eof.the-client%2Fsecret/",
            "https://q8q%7eof.%74he-client.example/",
            "https://Q8Q~of.the-client%2Fsecret:x@Q8Q%7Eof.the-client/",
        ] {
            let failure = redirect(to, &[secret]);
            assert!(failure.why.contains("redirects to elsewhere, which"), "{failure}");
        }
        let failure = redirect("https://Q8Q%7Eof.the-client%2Fsecret:x@portal.example/", &[secret]);
        assert!(failure.why.contains("to https://portal.example, which"), "{failure}");
        let signed = "AWS4-HMAC-SHA256 Credential=AKIA/20150830/eu-central-1/secretsmanager/aws4_request";
        let failure = redirect("https://secretsmanager.eu-central-1.amazonaws.com/", &[signed]);
        assert!(
            failure.why.contains("to https://secretsmanager.eu-central-1.amazonaws.com, which"),
            "{failure}"
        );
    }

    #[test]
    fn a_clouds_words_are_one_short_line() {
        assert_eq!(said("  it is\u{7} so.\nAnd more"), "it is so");
        assert_eq!(said(&"x".repeat(1000)).len(), 300);
    }
}
