//! The server and how to reach it.

use std::path::PathBuf;
use std::time::Duration;

use leasehold_base::rate::RateLimit;

/// The server and how to reach it.
#[derive(Debug, Clone, PartialEq)]
pub struct VaultPlan {
    /// `https://host:port`, without a path's trailing slash; a path before `/v1` is kept.
    pub address: url::Url,
    /// The namespace header of every request.
    pub namespace: Option<String>,
    /// A PEM file with the only authorities to trust; those of the system if neither this nor a folder is given.
    pub ca_file: Option<PathBuf>,
    /// A folder of such PEM files.
    pub ca_dir: Option<PathBuf>,
    /// The client certificate and its key, in PEM.
    pub client_cert: Option<ClientCert>,
    /// The name to expect in the server's certificate, if it is not the address's host.
    pub server_name: Option<String>,
    /// Hosts, besides our own, that a redirect may lead to: `host` or `host:port`.
    pub redirect_hosts: Vec<String>,
    /// The only proxy that is used; those of the environment are not.
    pub proxy: Option<url::Url>,
    /// The time for a whole request, from connecting to the last byte.
    pub timeout: Duration,
    /// The token bucket over all requests.
    pub rate_limit: Option<RateLimit>,
    /// How many requests may be under way at once; at least 1.
    pub max_in_flight: usize,
}

impl VaultPlan {
    /// Makes the plan for no Vault: nothing is ever asked at this address.
    ///
    /// # Panics
    /// Never: the address is a constant, and a test reads it.
    #[must_use]
    pub fn nowhere() -> Self {
        Self {
            address: url::Url::parse("http://localhost/").expect("a constant that is a URL"),
            namespace: None,
            ca_file: None,
            ca_dir: None,
            client_cert: None,
            server_name: None,
            redirect_hosts: Vec::new(),
            proxy: None,
            timeout: Duration::from_secs(60),
            rate_limit: None,
            max_in_flight: 1,
        }
    }
}

/// A client certificate and its key, PEM files that may change at any time.
#[derive(Debug, Clone, PartialEq)]
pub struct ClientCert {
    /// The certificate chain.
    pub cert_file: PathBuf,
    /// Its key.
    pub key_file: PathBuf,
}
