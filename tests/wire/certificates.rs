//! Certificates made for one test.

use std::path::PathBuf;
use std::sync::Arc;

use rcgen::{BasicConstraints, Certificate, CertificateParams, DnType, IsCa, Issuer, KeyPair, date_time_ymd};
use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;
use rustls::server::WebPkiClientVerifier;
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

    /// Files of a client's certificate and its key.
    pub(crate) fn client(&self) -> (PathBuf, PathBuf) {
        let (certificate, key) = self.sign("client", Dates::Now);
        (self.file("client.pem", &certificate.pem()), self.file("client.key", &key.serialize_pem()))
    }

    fn sign(&self, name: &str, dates: Dates) -> (Certificate, KeyPair) {
        let key = KeyPair::generate().expect("ring makes keys");
        let mut params = CertificateParams::new(vec![name.to_owned()]).expect("a valid name");
        (params.not_before, params.not_after) = match dates {
            Dates::Now => (date_time_ymd(2000, 1, 1), date_time_ymd(2100, 1, 1)),
            Dates::Past => (date_time_ymd(2000, 1, 1), date_time_ymd(2001, 1, 1)),
            Dates::Future => (date_time_ymd(2099, 1, 1), date_time_ymd(2100, 1, 1)),
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

fn builder() -> rustls::ConfigBuilder<ServerConfig, rustls::WantsVerifier> {
    ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("ring has them")
}

fn private(key: &KeyPair) -> PrivateKeyDer<'static> {
    PrivateKeyDer::try_from(key.serialize_der()).expect("a key")
}
