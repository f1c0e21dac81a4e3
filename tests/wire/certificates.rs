//! Certificates made for one test.

use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::{SystemTime, UNIX_EPOCH};

use rcgen::{BasicConstraints, Certificate, CertificateParams, DnType, IsCa, Issuer, KeyPair, date_time_ymd};
use rustls::pki_types::PrivateKeyDer;
use rustls::server::{ClientHello, ResolvesServerCert, WebPkiClientVerifier};
use rustls::sign::CertifiedKey;
use rustls::{ServerConfig, SupportedProtocolVersion};
use tempfile::TempDir;

/// An authority, with its certificate in a file.
pub(crate) struct Authority {
    certificate: Certificate,
    issuer: Issuer<'static, KeyPair>,
    dir: TempDir,
}

/// When a certificate is good.
#[derive(Clone, Copy)]
pub(crate) enum Dates {
    Now,
    Past,
    Future,
    /// Good until then.
    Until(SystemTime),
}

impl Authority {
    pub(crate) fn new(name: &str) -> Self {
        let key = KeyPair::generate().expect("ring makes keys");
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, name);
        let certificate = params.self_signed(&key).expect("a valid certificate");
        let dir = tempfile::tempdir().expect("a folder");
        let authority = Self { certificate, issuer: Issuer::new(params, key), dir };
        authority.file("ca.pem", &authority.certificate.pem());
        authority
    }

    pub(crate) fn ca_file(&self) -> PathBuf {
        self.dir.path().join("ca.pem")
    }

    /// A server for `name`.
    pub(crate) fn server(&self, name: &str, dates: Dates) -> ServerConfig {
        let (certificate, key) = self.sign(name, dates);
        builder()
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], private(&key))
            .expect("they belong together")
    }

    /// A server for `name` that takes clients with a certificate of this authority only.
    pub(crate) fn mutual(&self, name: &str) -> ServerConfig {
        let (certificate, key) = self.sign(name, Dates::Now);
        let mut roots = rustls::RootCertStore::empty();
        roots.add(self.certificate.der().clone()).expect("an authority");
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let clients = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
        builder()
            .with_client_cert_verifier(clients.build().expect("a verifier"))
            .with_single_cert(vec![certificate.der().clone()], private(&key))
            .expect("they belong together")
    }

    /// A server for 127.0.0.1 of one version of TLS alone, which may want a certificate of this authority.
    pub(crate) fn of_version(
        &self,
        version: &'static SupportedProtocolVersion,
        mutual: bool,
    ) -> ServerConfig {
        let (certificate, key) = self.sign("127.0.0.1", Dates::Now);
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_protocol_versions(&[version])
            .expect("ring has it");
        let mut roots = rustls::RootCertStore::empty();
        roots.add(self.certificate.der().clone()).expect("an authority");
        let clients = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
        let builder = match mutual {
            true => builder.with_client_cert_verifier(clients.build().expect("a verifier")),
            false => builder.with_no_client_auth(),
        };
        builder
            .with_single_cert(vec![certificate.der().clone()], private(&key))
            .expect("they belong together")
    }

    /// Files of a client's certificate and its key.
    pub(crate) fn client(&self) -> (PathBuf, PathBuf) {
        self.client_until(Dates::Now)
    }

    /// The same with other dates.
    pub(crate) fn client_until(&self, dates: Dates) -> (PathBuf, PathBuf) {
        let (certificate, key) = self.sign("client", dates);
        (self.file("client.pem", &certificate.pem()), self.file("client.key", &key.serialize_pem()))
    }

    fn sign(&self, name: &str, dates: Dates) -> (Certificate, KeyPair) {
        let key = KeyPair::generate().expect("ring makes keys");
        let mut params = CertificateParams::new(vec![name.to_owned()]).expect("a valid name");
        (params.not_before, params.not_after) = match dates {
            Dates::Now => (date_time_ymd(2000, 1, 1), date_time_ymd(2100, 1, 1)),
            Dates::Past => (date_time_ymd(2000, 1, 1), date_time_ymd(2001, 1, 1)),
            Dates::Future => (date_time_ymd(2099, 1, 1), date_time_ymd(2100, 1, 1)),
            Dates::Until(end) => {
                let since = end.duration_since(UNIX_EPOCH).expect("after 1970");
                (date_time_ymd(2000, 1, 1), date_time_ymd(1970, 1, 1) + since)
            }
        };
        (params.signed_by(&key, &self.issuer).expect("a valid certificate"), key)
    }

    #[allow(clippy::disallowed_methods, reason = "a test writes its own input")]
    fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.dir.path().join(name);
        std::fs::write(&path, text).expect("the test's own folder takes files");
        path
    }
}

/// The certificate that a server shows, which a test can change while it runs.
#[derive(Debug, Clone)]
pub(crate) struct Shown(Arc<Mutex<State>>);

#[derive(Debug)]
struct State {
    key: Arc<CertifiedKey>,
    name: String,
    for_its_name_only: bool,
}

impl Shown {
    pub(crate) fn new(authority: &Authority, name: &str, dates: Dates) -> Self {
        let key = certified(authority, name, dates);
        Self(Arc::new(Mutex::new(State { key, name: name.to_owned(), for_its_name_only: false })))
    }

    /// From now on another one.
    pub(crate) fn show(&self, authority: &Authority, name: &str, dates: Dates) {
        let mut state = self.0.lock().expect("not poisoned");
        (state.key, state.name) = (certified(authority, name, dates), name.to_owned());
    }

    /// From now on none to who asks for another name.
    pub(crate) fn for_its_name_only(&self) {
        self.0.lock().expect("not poisoned").for_its_name_only = true;
    }

    /// A server that shows it.
    pub(crate) fn server(&self) -> ServerConfig {
        builder().with_no_client_auth().with_cert_resolver(Arc::new(self.clone()))
    }
}

impl ResolvesServerCert for Shown {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let state = self.0.lock().expect("not poisoned");
        let asked_for = hello.server_name() == Some(state.name.as_str());
        (asked_for || !state.for_its_name_only).then(|| Arc::clone(&state.key))
    }
}

fn certified(authority: &Authority, name: &str, dates: Dates) -> Arc<CertifiedKey> {
    let (certificate, key) = authority.sign(name, dates);
    let key = rustls::crypto::ring::sign::any_supported_type(&private(&key)).expect("a key");
    Arc::new(CertifiedKey::new(vec![certificate.der().clone()], key))
}

fn builder() -> rustls::ConfigBuilder<ServerConfig, rustls::WantsVerifier> {
    ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("ring has them")
}

fn private(key: &KeyPair) -> PrivateKeyDer<'static> {
    PrivateKeyDer::try_from(key.serialize_der()).expect("a key")
}
