//! What TLS is served with: certificates from files that change, or from our own keeper.

use std::cell::RefCell;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use leasehold::vault::validity::Validity;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::ServerConfig;
use tokio_rustls::TlsAcceptor;

use crate::certificates::server_config;

/// The most bytes of a certificate or key.
const LARGEST: u64 = 1024 * 1024;

/// The configuration that new connections are served with.
#[derive(Default)]
pub(super) struct Serving(RefCell<Option<Arc<ServerConfig>>>);

impl Serving {
    /// Serves new connections with this configuration.
    pub(super) fn set(&self, config: Arc<ServerConfig>) {
        self.0.replace(Some(config));
    }

    /// Returns the acceptor for handshakes; `None` while there is no certificate.
    pub(super) fn acceptor(&self) -> Option<TlsAcceptor> {
        self.0.borrow().clone().map(TlsAcceptor::from)
    }
}

impl fmt::Debug for Serving {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Serving").finish_non_exhaustive()
    }
}

/// The files, and what they held when they were last read.
#[derive(Debug)]
pub(super) struct Files {
    cert_file: PathBuf,
    key_file: PathBuf,
    /// The contents with the key, which rustls also keeps: neither copy is wiped.
    bytes: Vec<u8>,
    /// When the certificate ends, in seconds since 1970.
    pub(super) end: i64,
}

impl Files {
    pub(super) fn new(cert_file: &Path, key_file: &Path) -> Self {
        let (cert_file, key_file) = (cert_file.to_owned(), key_file.to_owned());
        Self { cert_file, key_file, bytes: Vec::new(), end: 0 }
    }

    /// Reads the files. Returns what they hold if they have changed.
    ///
    /// # Errors
    /// Which file cannot be used, and why.
    pub(super) fn read(&mut self) -> Result<Option<Arc<ServerConfig>>, String> {
        let [cert, key] = [capped(&self.cert_file)?, capped(&self.key_file)?];
        let bytes = [&cert[..], &key[..]].concat();
        if bytes == self.bytes {
            return Ok(None);
        }
        let (cert_file, key_file) = (self.cert_file.display(), self.key_file.display());
        let chain: Vec<_> =
            CertificateDer::pem_slice_iter(&cert).collect::<Result<_, _>>().unwrap_or_default();
        let first = chain.first().ok_or_else(|| format!("{cert_file} holds no certificate in PEM"))?;
        // Every certificate that rustls accepts has a validity. If we cannot read that of an odd one, it is served
        // all the same.
        let end = Validity::of(first).map_or(i64::MAX, |validity| validity.end);
        let key = PrivateKeyDer::from_pem_slice(&key)
            .map_err(|_| format!("{key_file} holds no private key in PEM"))?;
        let config = server_config(chain, key)
            .ok_or_else(|| format!("{cert_file} and {key_file} do not belong together"))?;
        (self.bytes, self.end) = (bytes, end);
        Ok(Some(config))
    }
}

fn capped(path: &Path) -> Result<Vec<u8>, String> {
    use std::io::Read as _;
    let wrong = |why: String| format!("{} cannot be read: {why}", path.display());
    let file = std::fs::File::open(path).map_err(|error| wrong(error.to_string()))?;
    let mut bytes = Vec::new();
    file.take(LARGEST + 1).read_to_end(&mut bytes).map_err(|error| wrong(error.to_string()))?;
    if bytes.len() as u64 > LARGEST { Err(wrong("it is larger than 1 MiB".to_owned())) } else { Ok(bytes) }
}
