//! The HTTP clients: one for each host that may be spoken to. All are rebuilt when one of their files changes.
//!
//! `server_name` is what TLS asks for and checks, and never the host that we connect to. reqwest takes the name to
//! ask for from the URL. So if `server_name` is a host name, it becomes the host of the URL, and the client's
//! resolver leads it to the real host. Hence there is a client for each host: two real hosts behind one such name
//! must not share a pool.
//!
//! An IP address is never asked for, and no resolver is asked about it. The URL keeps its host, and [`super::tls`]
//! checks the certificate for the address instead.
//!
//! Over HTTP/2 one connection that has silently died would keep every request waiting until each has timed out, where
//! HTTP/1 gives each its own connection. So a connection that carries requests and brings nothing is asked for a sign
//! of life, and is given up if none comes.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use leasehold_http::resolve::Resolver;
use reqwest::redirect::Policy;
use rustls::ClientConfig;
use url::Url;

use super::files::local;
use super::tls::{self, Contents, Fingerprint, TlsFiles};
use super::traffic::{IDLE, Pool, REST, Traffic, Turn};
use crate::settings::VaultPlan;
use leasehold_base::clock;
use leasehold_base::failure::Failure;

/// A server that is there accepts the connection well within this time.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// The part of a request's time that connecting may take, if that is less. If a connection attempt used up all of the
/// time, it could not be told from a request that was sent and not answered.
const CONNECTING: f64 = 0.8;

/// How long connections are kept for the next request. It is less than any load balancer keeps them, so that no
/// request is sent into a connection that is being closed.
const IDLE_TIMEOUT: Duration = Duration::from_secs(20);

/// How long an HTTP/2 connection may carry requests and bring nothing before it is asked for a sign of life.
const SILENCE: Duration = Duration::from_secs(5);

/// How long that sign may take. Both times together are less than a request waits for its answer by default, so that
/// the next request goes over a new connection.
const SIGN_OF_LIFE: Duration = Duration::from_secs(5);

/// How many bytes of one HTTP/2 answer a server may send before we have read them.
const STREAM_WINDOW: u32 = 64 * 1024;

/// How many bytes it may send in this way of all answers together.
const CONNECTION_WINDOW: u32 = 256 * 1024;

/// All connections to the server.
pub(super) struct Connections {
    files: TlsFiles,
    /// The name that stands for every host: `server_name`, unless it is an IP address.
    alias: Option<String>,
    proxy: Option<Url>,
    connect_timeout: Duration,
    max_in_flight: usize,
    current: RwLock<Arc<Generation>>,
}

/// The clients that were made from one state of the files.
struct Generation {
    tls: ClientConfig,
    fingerprint: Fingerprint,
    by_host: Mutex<HashMap<String, Host>>,
}

/// A host's clients, which are made when they are first used.
#[derive(Default)]
struct Host {
    clients: HashMap<Pool, reqwest::Client>,
    traffic: Arc<Traffic>,
}

impl Connections {
    pub(super) fn new(plan: &VaultPlan) -> Result<Self, Failure> {
        if plan.server_name.is_some() && plan.proxy.is_some() {
            // The proxy would be asked for a host that only our resolver knows.
            return Err(local("vault.server_name does not work together with vault.proxy"));
        }
        let files = TlsFiles::of(plan);
        let current = RwLock::new(Arc::new(Generation::new(&files, &files.read()?)?));
        Ok(Self {
            files,
            alias: plan.server_name.clone().filter(|name| tls::ip_address(name).is_none()),
            proxy: plan.proxy.clone(),
            connect_timeout: CONNECT_TIMEOUT.min(plan.timeout.mul_f64(CONNECTING)),
            max_in_flight: plan.max_in_flight,
            current,
        })
    }

    pub(super) fn files(&self) -> &TlsFiles {
        &self.files
    }

    /// Reads the files again. Returns whether they changed. Requests under way end on the old connections, and the
    /// next one uses the new ones. If the files cannot be used, the old connections stay.
    pub(super) fn reload(&self) -> Result<bool, Failure> {
        let contents = self.files.read()?;
        if contents.fingerprint() == self.generation().fingerprint {
            return Ok(false);
        }
        let fresh = Arc::new(Generation::new(&self.files, &contents)?);
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = fresh;
        Ok(true)
    }

    /// Returns the client for `url`, the URL that this client has to be given, and a place to be held until the
    /// answer is complete.
    pub(super) fn to(&self, url: &Url) -> Result<(reqwest::Client, Url, Turn), Failure> {
        let host = url.host_str().ok_or_else(|| local("the address has no host"))?;
        let generation = self.generation();
        let mut hosts = generation.by_host.lock().unwrap_or_else(PoisonError::into_inner);
        let known = hosts.entry(host.to_owned()).or_default();
        let turn = known.traffic.take(clock::moment());
        let client = match known.clients.entry(turn.pool()) {
            Entry::Occupied(there) => there.get().clone(),
            Entry::Vacant(none) => {
                none.insert(self.build(generation.tls.clone(), host, turn.pool())?).clone()
            }
        };
        let mut asked = url.clone();
        if let Some(name) = &self.alias {
            asked.set_host(Some(name)).map_err(|_| local("vault.server_name is not a host name"))?;
        }
        Ok((client, asked, turn))
    }

    fn generation(&self) -> Arc<Generation> {
        Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn build(&self, mut tls: ClientConfig, host: &str, pool: Pool) -> Result<reqwest::Client, Failure> {
        let (idle, idle_timeout) = match pool {
            Pool::Steady => (IDLE, IDLE_TIMEOUT),
            // They outlive their run by a rest, since the requests of a run follow each other at once.
            Pool::Burst => (self.max_in_flight, REST),
        };
        let alias = self.alias.as_ref().map(|name| (name.to_ascii_lowercase(), host.to_owned()));
        // HTTP/2 has the host in the URL only, which is the alias if there is one.
        let may_share = pool == Pool::Steady && self.alias.is_none();
        if may_share {
            tls.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        }
        let mut builder = reqwest::Client::builder()
            .tls_backend_preconfigured(tls)
            .dns_resolver(Resolver { alias })
            .redirect(Policy::none())
            .referer(false)
            .http2_keep_alive_interval(SILENCE)
            .http2_keep_alive_timeout(SIGN_OF_LIFE)
            .http2_keep_alive_while_idle(false)
            .http2_initial_stream_window_size(STREAM_WINDOW)
            .http2_initial_connection_window_size(CONNECTION_WINDOW)
            .no_proxy()
            .user_agent(concat!("leasehold/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(self.connect_timeout)
            .pool_max_idle_per_host(idle)
            .pool_idle_timeout(idle_timeout)
            .tcp_keepalive(Duration::from_secs(30));
        if !may_share {
            builder = builder.http1_only();
        }
        if let Some(proxy) = &self.proxy {
            let proxy =
                reqwest::Proxy::all(proxy.as_str()).map_err(|_| local("vault.proxy is not usable"))?;
            builder = builder.proxy(proxy);
        }
        builder.build().map_err(|_| local("the HTTP client cannot be made from vault's settings"))
    }
}

impl Generation {
    fn new(files: &TlsFiles, contents: &Contents) -> Result<Self, Failure> {
        let tls = files.config(contents)?;
        Ok(Self { tls, fingerprint: contents.fingerprint(), by_host: Mutex::default() })
    }
}
