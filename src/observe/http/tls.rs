//! TLS for the listener, from files that change. A client from elsewhere may have to show a certificate. A client
//! on loopback, such as a pod's probe, need not.

use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::server::{ServerConfig, WebPkiClientVerifier};
use rustls::{RootCertStore, SupportedProtocolVersion};
use sha2::{Digest as _, Sha256};
use tokio_rustls::TlsAcceptor;

use leasehold_base::failure::Failure;

use super::route::Peer;
use crate::config::plan::ListenTls;
use crate::vault::{PEM_MAX, certificates, read_file};

/// The protocol that we speak, and announce.
const PROTOCOL: &[u8] = b"http/1.1";
const VERSIONS: [&SupportedProtocolVersion; 2] = [&rustls::version::TLS13, &rustls::version::TLS12];

/// The certificates of the listener.
pub struct Tls {
    files: ListenTls,
    current: Mutex<Current>,
}

/// The content of the files when they were read last.
struct Current {
    digest: [u8; 32],
    /// The configuration for peers on loopback.
    open: Arc<ServerConfig>,
    /// The configuration for peers from elsewhere.
    closed: Arc<ServerConfig>,
}

/// The reason why the listener cannot use its files: the file, and what is wrong with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TlsError {
    /// It cannot be read, or holds no certificates.
    File(String),
    /// One of the certificates in the file cannot be an authority.
    Authority(PathBuf),
    /// No client could be verified by what it holds.
    Verifier(String),
    /// It holds no private key in PEM.
    Key(PathBuf),
    /// The certificate is not this key's.
    Pair {
        /// `listen_tls.cert_file`.
        cert: PathBuf,
        /// `listen_tls.key_file`.
        key: PathBuf,
    },
    /// The program was built without a version of TLS.
    Versions,
}

impl fmt::Display for TlsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(why) | Self::Verifier(why) => f.write_str(why),
            Self::Authority(path) => {
                write!(f, "listen_tls.client_ca_file {} is not acceptable", path.display())
            }
            Self::Key(path) => {
                write!(f, "listen_tls.key_file {} holds no private key in PEM", path.display())
            }
            Self::Pair { cert, key } => {
                let (cert, key) = (cert.display(), key.display());
                write!(f, "listen_tls.cert_file {cert} and listen_tls.key_file {key} do not belong together")
            }
            Self::Versions => f.write_str("this build has no TLS version to offer"),
        }
    }
}

impl From<Failure> for TlsError {
    fn from(failure: Failure) -> Self {
        Self::File(failure.why)
    }
}

impl Tls {
    /// Reads the files.
    ///
    /// # Errors
    /// Which file cannot be used, and why.
    pub fn new(files: &ListenTls) -> Result<Self, TlsError> {
        Ok(Self { files: files.clone(), current: Mutex::new(read(files)?) })
    }

    /// Returns the files to watch.
    pub fn watched(&self) -> impl Iterator<Item = &PathBuf> {
        let ListenTls { cert_file, key_file, client_ca_file } = &self.files;
        [cert_file, key_file].into_iter().chain(client_ca_file)
    }

    /// Reads the files again, and takes what they hold for new connections. Returns whether they had changed.
    ///
    /// # Errors
    /// If they cannot be used, as between the writes of certificate and key. The old ones stay.
    pub fn reload(&self) -> Result<bool, TlsError> {
        let new = read(&self.files)?;
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        let changed = new.digest != current.digest;
        if changed {
            *current = new;
        }
        Ok(changed)
    }

    /// Returns what shakes hands with a peer.
    pub(super) fn acceptor(&self, peer: Peer) -> TlsAcceptor {
        let current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        let config = if peer == Peer::Remote { &current.closed } else { &current.open };
        TlsAcceptor::from(Arc::clone(config))
    }
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tls").field("files", &self.files).finish_non_exhaustive()
    }
}

fn read(files: &ListenTls) -> Result<Current, TlsError> {
    let load = |what, path| read_file(what, path, PEM_MAX);
    let cert = load("listen_tls.cert_file", &files.cert_file)?;
    let key = load("listen_tls.key_file", &files.key_file)?;
    let clients = files.client_ca_file.as_ref().map(|path| load("listen_tls.client_ca_file", path));
    let clients = clients.transpose()?;
    let mut digest = Sha256::new();
    for part in [&cert, &key].into_iter().chain(&clients) {
        digest.update(part.len().to_le_bytes());
        digest.update(part.as_slice());
    }
    let open = config(files, &cert, &key, None)?;
    let closed = match &clients {
        Some(clients) => config(files, &cert, &key, Some(clients))?,
        None => Arc::clone(&open),
    };
    Ok(Current { digest: digest.finalize().into(), open, closed })
}

fn config(
    files: &ListenTls,
    cert: &[u8],
    key: &[u8],
    clients: Option<&[u8]>,
) -> Result<Arc<ServerConfig>, TlsError> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_protocol_versions(&VERSIONS)
        .map_err(|_| TlsError::Versions)?;
    let builder = match clients.zip(files.client_ca_file.as_ref()) {
        None => builder.with_no_client_auth(),
        Some((pem, path)) => {
            let mut roots = RootCertStore::empty();
            for one in certificates("listen_tls.client_ca_file", path, pem)? {
                roots.add(one).map_err(|_| TlsError::Authority(path.clone()))?;
            }
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build();
            builder.with_client_cert_verifier(verifier.map_err(|why| TlsError::Verifier(why.to_string()))?)
        }
    };
    let chain = certificates("listen_tls.cert_file", &files.cert_file, cert)?;
    let key = PrivateKeyDer::from_pem_slice(key).map_err(|_| TlsError::Key(files.key_file.clone()))?;
    let pair = || TlsError::Pair { cert: files.cert_file.clone(), key: files.key_file.clone() };
    let mut config = builder.with_single_cert(chain, key).map_err(|_| pair())?;
    config.alpn_protocols = vec![PROTOCOL.to_vec()];
    // A scraper comes once in a while: to remember sessions would cost memory for nothing.
    config.session_storage = Arc::new(rustls::server::NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    Ok(Arc::new(config))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
    use rustls::ClientConfig;
    use rustls::pki_types::{CertificateDer, ServerName};
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::sync::mpsc;
    use tokio_rustls::TlsConnector;

    use super::super::{Ask, LIMITS, connection};
    use super::*;

    /// An authority that signs both sides.
    struct Authority(CertificateDer<'static>, Issuer<'static, KeyPair>);

    impl Authority {
        fn new() -> Self {
            let key = KeyPair::generate().expect("ring makes keys");
            let mut params = CertificateParams::default();
            params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
            let certificate = params.self_signed(&key).expect("a valid certificate");
            Self(certificate.der().clone(), Issuer::new(params, key))
        }

        /// Writes `tls.crt` and `tls.key` for `localhost`.
        fn write(&self, folder: &Path) {
            let key = KeyPair::generate().expect("ring makes keys");
            let params = CertificateParams::new(vec!["localhost".to_owned()]).expect("a name");
            let certificate = params.signed_by(&key, &self.1).expect("a valid certificate");
            put(&folder.join("tls.crt"), &certificate.pem());
            put(&folder.join("tls.key"), &key.serialize_pem());
        }

        /// Returns a client that trusts it, with a certificate of `of`.
        fn client(&self, of: Option<&Self>) -> TlsConnector {
            let mut roots = RootCertStore::empty();
            roots.add(self.0.clone()).expect("an authority");
            let provider = Arc::new(rustls::crypto::ring::default_provider());
            let builder = ClientConfig::builder_with_provider(provider)
                .with_safe_default_protocol_versions()
                .expect("ring has them")
                .with_root_certificates(roots);
            let config = match of {
                None => builder.with_no_client_auth(),
                Some(of) => {
                    let key = KeyPair::generate().expect("ring makes keys");
                    let params = CertificateParams::new(vec!["scraper".to_owned()]).expect("a name");
                    let certificate = params.signed_by(&key, &of.1).expect("a valid certificate");
                    let key = PrivateKeyDer::try_from(key.serialize_der()).expect("a key");
                    builder
                        .with_client_auth_cert(vec![certificate.der().clone()], key)
                        .expect("they belong together")
                }
            };
            TlsConnector::from(Arc::new(config))
        }
    }

    #[allow(clippy::disallowed_methods, reason = "a test writes its own input")]
    fn put(path: &Path, text: &str) {
        std::fs::write(path, text).expect("the test's own folder takes files");
    }

    fn files(folder: &Path, clients: bool) -> ListenTls {
        ListenTls {
            cert_file: folder.join("tls.crt"),
            key_file: folder.join("tls.key"),
            client_ca_file: clients.then(|| folder.join("clients.pem")),
        }
    }

    /// Returns the answer to `GET /livez`.
    fn answer(tls: &Tls, peer: Peer, client: &TlsConnector) -> String {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async {
            let (ours, theirs) = tokio::io::duplex(64 * 1024);
            let (sender, mut asks) = mpsc::channel(1);
            let heard = std::cell::Cell::default();
            let serve = connection(ours, Some(tls.acceptor(peer)), peer, sender, LIMITS, &heard);
            let main_loop = async {
                while let Some(ask) = asks.recv().await {
                    let Ask::Alive(reply) = ask else { panic!("nothing else is asked") };
                    reply.send(()).expect("somebody asked");
                }
            };
            let ask = async {
                let name = ServerName::try_from("localhost").expect("a name");
                let mut stream = match client.connect(name, theirs).await {
                    Ok(stream) => stream,
                    Err(why) => return why.to_string(),
                };
                let request = b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n";
                let _refused = stream.write_all(request).await;
                let mut answer = String::new();
                match stream.read_to_string(&mut answer).await {
                    Ok(_) => answer,
                    // With TLS 1.3 a client hears only here that its certificate is not taken.
                    Err(why) => why.to_string(),
                }
            };
            tokio::join!(serve, main_loop, ask).2
        })
    }

    fn pem(certificate: &CertificateDer<'_>) -> String {
        use base64::Engine as _;
        let text = base64::engine::general_purpose::STANDARD.encode(certificate);
        format!("-----BEGIN CERTIFICATE-----\n{text}\n-----END CERTIFICATE-----\n")
    }

    #[test]
    fn who_comes_from_elsewhere_needs_a_certificate_of_the_right_authority_and_loopback_none() {
        let folder = tempfile::tempdir().expect("a folder");
        let (ours, theirs) = (Authority::new(), Authority::new());
        ours.write(folder.path());
        put(&folder.path().join("clients.pem"), &pem(&theirs.0));
        let tls = Tls::new(&files(folder.path(), true)).expect("good files");
        let (bare, good) = (ours.client(None), ours.client(Some(&theirs)));
        for (peer, client) in [(Peer::Loopback, &bare), (Peer::Loopback, &good), (Peer::Remote, &good)] {
            let answer = answer(&tls, peer, client);
            assert!(answer.starts_with("HTTP/1.1 200 OK") && answer.ends_with("alive\n"), "{answer}");
        }
        for client in [&bare, &ours.client(Some(&ours))] {
            let answer = answer(&tls, Peer::Remote, client);
            assert!(!answer.contains("HTTP") && !answer.is_empty(), "{answer}");
        }
        // Without `client_ca_file`, no client needs one.
        let tls = Tls::new(&files(folder.path(), false)).expect("good files");
        assert!(answer(&tls, Peer::Remote, &bare).ends_with("alive\n"));
    }

    #[test]
    fn changed_files_are_taken_and_bad_ones_leave_the_old_in_force() {
        let folder = tempfile::tempdir().expect("a folder");
        let (first, second) = (Authority::new(), Authority::new());
        first.write(folder.path());
        let tls = Tls::new(&files(folder.path(), false)).expect("good files");
        assert_eq!(tls.reload(), Ok(false), "nothing has changed");
        let alive = |of: &Authority| answer(&tls, Peer::Loopback, &of.client(None)).ends_with("alive\n");
        assert!(alive(&first) && !alive(&second));
        let key = std::fs::read_to_string(folder.path().join("tls.key")).expect("it is there");
        second.write(folder.path());
        // The new certificate with the old key, as between two writes.
        put(&folder.path().join("tls.key"), &key);
        let why = tls.reload().expect_err("they do not belong together").to_string();
        assert!(why.contains("do not belong together") && why.contains("tls.crt"), "{why}");
        assert!(alive(&first));
        second.write(folder.path());
        assert_eq!(tls.reload(), Ok(true));
        assert!(alive(&second) && !alive(&first));
        put(&folder.path().join("tls.key"), "rubbish");
        let why = tls.reload().expect_err("no key").to_string();
        assert!(why.contains("tls.key") && !why.contains("rubbish"), "{why}");
        std::fs::remove_file(folder.path().join("tls.crt")).expect("it was there");
        let why = Tls::new(&files(folder.path(), false)).expect_err("no certificate").to_string();
        assert!(why.contains("tls.crt"), "{why}");
    }
}
