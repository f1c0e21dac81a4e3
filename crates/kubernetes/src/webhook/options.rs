//! How the webhook runs, from the injector's variables and flags.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use crate::certificates::{Lives, Names};

/// The options, resolved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Options {
    /// Where the webhook is served.
    pub(crate) listen: SocketAddr,
    /// Where health and metrics are served without TLS.
    pub(crate) plain: SocketAddr,
    /// The source of its certificate.
    pub(crate) source: Source,
    /// Whether the log is JSON.
    pub(crate) json: bool,
    pub(crate) level: String,
}

/// The source of the certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Source {
    /// Files that another program keeps.
    Files { cert_file: PathBuf, key_file: PathBuf },
    /// Certificates of our own, for a registration that we keep correct.
    Own { names: Names, lives: Lives },
}

/// The values of the flags.
#[derive(Debug, Default, Clone)]
pub(crate) struct Flags {
    pub(crate) listen: Option<String>,
    pub(crate) plain: Option<String>,
    pub(crate) cert_file: Option<PathBuf>,
    pub(crate) key_file: Option<PathBuf>,
    pub(crate) registration: Option<String>,
    pub(crate) certificate_life: Option<String>,
    pub(crate) authority_life: Option<String>,
}

impl Options {
    /// Resolves the options. Flags win over variables.
    ///
    /// # Errors
    /// What is missing or wrong, and what to do.
    pub(crate) fn resolve(flags: &Flags, variable: &dyn Fn(&str) -> Option<String>) -> Result<Self, String> {
        let get = |name: &str| variable(&format!("AGENT_INJECT_{name}")).filter(|text| !text.is_empty());
        let listen = flags.listen.clone().or_else(|| get("LISTEN")).unwrap_or_else(|| ":8443".to_owned());
        let plain = flags.plain.clone().unwrap_or_else(|| ":9110".to_owned());
        Ok(Self {
            listen: address("--listen", &listen)?,
            plain: address("--plain", &plain)?,
            source: source(flags, variable)?,
            json: get("LOG_FORMAT").as_deref() != Some("standard"),
            level: get("LOG_LEVEL").unwrap_or_else(|| "info".to_owned()),
        })
    }
}

/// Returns the source of the certificate. Files win, as in vault-k8s.
fn source(flags: &Flags, variable: &dyn Fn(&str) -> Option<String>) -> Result<Source, String> {
    let plain = |name: &str| variable(name).filter(|text| !text.is_empty());
    let get = |name: &str| plain(&format!("AGENT_INJECT_{name}"));
    let file = |own: &Option<PathBuf>, name: &str| own.clone().or_else(|| get(name).map(PathBuf::from));
    let (cert, key) = (file(&flags.cert_file, "TLS_CERT_FILE"), file(&flags.key_file, "TLS_KEY_FILE"));
    let missing = |flag: &str, name: &str| format!("no file is given; set --{flag} or AGENT_INJECT_{name}");
    match (cert, key) {
        (Some(cert_file), Some(key_file)) => return Ok(Source::Files { cert_file, key_file }),
        (Some(_), None) => return Err(missing("tls-key-file", "TLS_KEY_FILE")),
        (None, Some(_)) => return Err(missing("tls-cert-file", "TLS_CERT_FILE")),
        (None, None) => {}
    }
    let registration = flags.registration.clone().or_else(|| get("TLS_AUTO")).ok_or(
        "no certificate is given; set --tls-auto or AGENT_INJECT_TLS_AUTO to the name of the \
         MutatingWebhookConfiguration for certificates of the webhook's own, or --tls-cert-file or \
         AGENT_INJECT_TLS_CERT_FILE, and the key's, for files",
    )?;
    let hosts = get("TLS_AUTO_HOSTS").unwrap_or_default();
    let hosts: BTreeSet<String> =
        hosts.split(',').map(str::trim).filter(|host| !host.is_empty()).map(str::to_owned).collect();
    let life = |flag: &Option<String>, name: &str, default: Duration| match flag {
        None => Ok(default),
        Some(text) => match humantime::parse_duration(text) {
            Ok(life) if life >= Duration::from_secs(10) => Ok(life),
            _ => Err(format!("--{name}: {text:?} is no duration of 10 s or more; write \"24h\"")),
        },
    };
    let default = Lives::default();
    let lives = Lives {
        authority: life(&flags.authority_life, "authority-life", default.authority)?,
        leaf: life(&flags.certificate_life, "certificate-life", default.leaf)?,
    };
    let me = plain("POD_NAME").or_else(|| plain("HOSTNAME")).unwrap_or_else(|| "leasehold".to_owned());
    let names = Names {
        registration,
        secret: "leasehold-webhook-certificates".to_owned(),
        lease: "leasehold-webhook".to_owned(),
        hosts,
        namespace: plain("NAMESPACE"),
        me,
    };
    Ok(Source::Own { names, lives })
}

/// Reads `:PORT` for every address, or `IP:PORT`.
pub(crate) fn address(flag: &str, text: &str) -> Result<SocketAddr, String> {
    let everywhere = text.strip_prefix(':').and_then(|port| port.parse().ok());
    let everywhere = everywhere.map(|port| SocketAddr::new(IpAddr::V6(Ipv6Addr::UNSPECIFIED), port));
    everywhere
        .or_else(|| text.parse().ok())
        .ok_or_else(|| format!("{flag}: {text:?} is no address; write \":8443\" or \"127.0.0.1:8443\""))
}
