//! Makes authorities and certificates.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use leasehold_base::secret::Secret;
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer,
    KeyPair, KeyUsagePurpose, date_time_ymd,
};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::ServerConfig;

use super::material::{Certificate, Pair};

/// A certificate begins as much earlier, for API servers whose clocks are behind.
const EARLIER: i64 = 3600;

/// A certificate could not be made: ring or rcgen refused.
#[derive(Debug)]
pub(super) struct Unmade(String);

impl std::fmt::Display for Unmade {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "a certificate cannot be made: {}", self.0)
    }
}

impl From<rcgen::Error> for Unmade {
    fn from(error: rcgen::Error) -> Self {
        Self(error.to_string())
    }
}

/// Makes an authority that lives for as long.
pub(super) fn authority(now: i64, life: Duration) -> Result<Pair, Unmade> {
    let key = KeyPair::generate()?;
    let mut params = subject();
    lasts(&mut params, now, end(now, life));
    pair(params.self_signed(&key)?.der().clone().into_owned(), &key)
}

/// Makes a certificate of an authority for these hosts. It never outlives the authority.
pub(super) fn leaf(
    authority: &Pair,
    hosts: &BTreeSet<String>,
    now: i64,
    life: Duration,
) -> Result<Pair, Unmade> {
    let pem = authority.key.expose_str().unwrap_or_default();
    let issuer = Issuer::new(subject(), KeyPair::from_pem(pem)?);
    let key = KeyPair::generate()?;
    let mut params = CertificateParams::new(hosts.iter().cloned().collect::<Vec<_>>())?;
    params.distinguished_name = named("Leasehold webhook");
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.use_authority_key_identifier_extension = true;
    lasts(&mut params, now, end(now, life).min(authority.certificate.end));
    pair(params.signed_by(&key, &issuer)?.der().clone().into_owned(), &key)
}

/// Returns what every authority of ours says of itself. Two authorities differ in their keys, which certificates name.
fn subject() -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = named("Leasehold webhook authority");
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params
}

fn named(name: &str) -> DistinguishedName {
    let mut names = DistinguishedName::new();
    names.push(DnType::CommonName, name);
    names
}

fn end(now: i64, life: Duration) -> i64 {
    now.saturating_add(i64::try_from(life.as_secs()).unwrap_or(i64::MAX))
}

fn lasts(params: &mut CertificateParams, now: i64, end: i64) {
    // The year 2200 is as far as anybody gets.
    let since = |seconds: i64| Duration::from_secs(u64::try_from(seconds).unwrap_or(0).min(7_258_118_400));
    let epoch = date_time_ymd(1970, 1, 1);
    (params.not_before, params.not_after) = (epoch + since(now - EARLIER), epoch + since(end));
}

fn pair(der: CertificateDer<'static>, key: &KeyPair) -> Result<Pair, Unmade> {
    let certificate = Certificate::new(der).ok_or_else(|| Unmade("it cannot be read again".to_owned()))?;
    Ok(Pair { certificate, key: Secret::from(key.serialize_pem()) })
}

/// Returns the configuration with which TLS is served, or `None` if the certificate and the key do not belong together.
pub(super) fn server(pair: &Pair) -> Option<Arc<ServerConfig>> {
    let key = PrivateKeyDer::from_pem_slice(pair.key.expose()).ok()?;
    server_config(vec![pair.certificate.der.clone()], key)
}

/// Returns the configuration with which TLS is served, or `None` if the key is not the certificate's.
pub(crate) fn server_config(
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
) -> Option<Arc<ServerConfig>> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])
        .ok()?;
    let mut config = builder.with_no_client_auth().with_single_cert(chain, key).ok()?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Some(Arc::new(config))
}

/// Returns whether the certificate and the key belong together.
pub(super) fn serves(pair: &Pair) -> bool {
    server(pair).is_some()
}
