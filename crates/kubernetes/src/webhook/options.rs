//! How the webhook runs: from the injector's variables and flags.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;

/// The options, resolved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Options {
    /// Where the webhook is served.
    pub(crate) listen: SocketAddr,
    /// Where health and metrics are served without TLS.
    pub(crate) plain: SocketAddr,
    pub(crate) cert_file: PathBuf,
    pub(crate) key_file: PathBuf,
    /// Whether the log is JSON.
    pub(crate) json: bool,
    pub(crate) level: String,
}

/// What flags say.
#[derive(Debug, Default, Clone)]
pub(crate) struct Flags {
    pub(crate) listen: Option<String>,
    pub(crate) plain: Option<String>,
    pub(crate) cert_file: Option<PathBuf>,
    pub(crate) key_file: Option<PathBuf>,
}

impl Options {
    /// Resolves the options: flags win over variables.
    ///
    /// # Errors
    /// What is missing or wrong, and what to do.
    pub(crate) fn resolve(flags: &Flags, variable: &dyn Fn(&str) -> Option<String>) -> Result<Self, String> {
        let get = |name: &str| variable(&format!("AGENT_INJECT_{name}")).filter(|text| !text.is_empty());
        let listen = flags.listen.clone().or_else(|| get("LISTEN")).unwrap_or_else(|| ":8443".to_owned());
        let plain = flags.plain.clone().unwrap_or_else(|| ":9110".to_owned());
        let file = |own: &Option<PathBuf>, name: &str, flag: &str| {
            let file = own.clone().or_else(|| get(name).map(PathBuf::from));
            file.ok_or_else(|| format!("no file is given; set --{flag} or AGENT_INJECT_{name}"))
        };
        Ok(Self {
            listen: address("--listen", &listen)?,
            plain: address("--plain", &plain)?,
            cert_file: file(&flags.cert_file, "TLS_CERT_FILE", "tls-cert-file")?,
            key_file: file(&flags.key_file, "TLS_KEY_FILE", "tls-key-file")?,
            json: get("LOG_FORMAT").as_deref() != Some("standard"),
            level: get("LOG_LEVEL").unwrap_or_else(|| "info".to_owned()),
        })
    }
}

/// `:PORT` for every address, or `IP:PORT`.
fn address(flag: &str, text: &str) -> Result<SocketAddr, String> {
    let everywhere = text.strip_prefix(':').and_then(|port| port.parse().ok());
    let everywhere = everywhere.map(|port| SocketAddr::new(IpAddr::V6(Ipv6Addr::UNSPECIFIED), port));
    everywhere
        .or_else(|| text.parse().ok())
        .ok_or_else(|| format!("{flag}: {text:?} is no address; write \":8443\" or \"127.0.0.1:8443\""))
}
