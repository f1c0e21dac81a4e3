//! The certificate of the webhook, from files that change.

use std::cell::RefCell;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::ServerConfig;
use tokio_rustls::TlsAcceptor;

/// No certificate or key is larger.
const LARGEST: u64 = 1024 * 1024;

/// The files, and what they held when they were read last.
pub(super) struct Certificates {
    cert_file: PathBuf,
    key_file: PathBuf,
    current: RefCell<Current>,
}

struct Current {
    bytes: [Vec<u8>; 2],
    config: Arc<ServerConfig>,
}

impl Certificates {
    /// Reads the files.
    ///
    /// # Errors
    /// Which file cannot be used, and why.
    pub(super) fn new(cert_file: &Path, key_file: &Path) -> Result<Self, String> {
        let current = RefCell::new(read(cert_file, key_file)?);
        Ok(Self { cert_file: cert_file.to_owned(), key_file: key_file.to_owned(), current })
    }

    /// Reads the files again, and returns whether they had changed. New connections get what they hold.
    ///
    /// # Errors
    /// Where they cannot be used; the old ones stay.
    pub(super) fn reload(&self) -> Result<bool, String> {
        let bytes = bytes(&self.cert_file, &self.key_file)?;
        if bytes == self.current.borrow().bytes {
            return Ok(false);
        }
        let config = config(&self.cert_file, &self.key_file, &bytes)?;
        self.current.replace(Current { bytes, config });
        Ok(true)
    }

    /// What shakes hands.
    pub(super) fn acceptor(&self) -> TlsAcceptor {
        TlsAcceptor::from(Arc::clone(&self.current.borrow().config))
    }
}

impl fmt::Debug for Certificates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Certificates").field("cert_file", &self.cert_file).finish_non_exhaustive()
    }
}

fn read(cert_file: &Path, key_file: &Path) -> Result<Current, String> {
    let bytes = bytes(cert_file, key_file)?;
    let config = config(cert_file, key_file, &bytes)?;
    Ok(Current { bytes, config })
}

fn bytes(cert_file: &Path, key_file: &Path) -> Result<[Vec<u8>; 2], String> {
    Ok([capped(cert_file)?, capped(key_file)?])
}

fn capped(path: &Path) -> Result<Vec<u8>, String> {
    use std::io::Read as _;
    let wrong = |why: String| format!("{} cannot be read: {why}", path.display());
    let file = std::fs::File::open(path).map_err(|error| wrong(error.to_string()))?;
    let mut bytes = Vec::new();
    file.take(LARGEST + 1).read_to_end(&mut bytes).map_err(|error| wrong(error.to_string()))?;
    if bytes.len() as u64 > LARGEST { Err(wrong("it is larger than 1 MiB".to_owned())) } else { Ok(bytes) }
}

fn config(
    cert_file: &Path,
    key_file: &Path,
    [cert, key]: &[Vec<u8>; 2],
) -> Result<Arc<ServerConfig>, String> {
    let chain: Vec<_> = CertificateDer::pem_slice_iter(cert).collect::<Result<_, _>>().unwrap_or_default();
    if chain.is_empty() {
        return Err(format!("{} holds no certificate in PEM", cert_file.display()));
    }
    let key = PrivateKeyDer::from_pem_slice(key)
        .map_err(|_| format!("{} holds no private key in PEM", key_file.display()))?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])
        .map_err(|_| "this build has no TLS version to offer")?;
    let mut config = builder
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .map_err(|_| format!("{} and {} do not belong together", cert_file.display(), key_file.display()))?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}
