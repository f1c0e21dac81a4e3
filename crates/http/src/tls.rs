//! TLS by ring, and authorities.

use std::path::Path;
use std::sync::Arc;

use rustls::client::{ClientConfig, WantsClientCert};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ConfigBuilder, RootCertStore, WantsVerifier};

use crate::files::local;
use leasehold_base::failure::Failure;

/// A configuration that is being made, and the provider that it is made with.
pub type Start = (ConfigBuilder<ClientConfig, WantsVerifier>, Arc<CryptoProvider>);

/// Begins a configuration: ring by name, because a process-wide default would be whatever another part of the program
/// installed.
///
/// # Errors
/// A build without a version of TLS.
pub fn start() -> Result<Start, Failure> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(|_| local("this build has no TLS version to offer"))?;
    Ok((builder, provider))
}

/// Adds the system's authorities, which may be none.
pub fn add_the_systems(roots: &mut RootCertStore) {
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
}

/// Returns a configuration that trusts the system's authorities, or those of `SSL_CERT_FILE` and `SSL_CERT_DIR`.
///
/// # Errors
/// If the system has no authorities.
pub fn of_the_system() -> Result<ConfigBuilder<ClientConfig, WantsClientCert>, Failure> {
    let mut roots = RootCertStore::empty();
    add_the_systems(&mut roots);
    if roots.is_empty() {
        return Err(local("this system has no certificate authorities; install them, or set SSL_CERT_FILE"));
    }
    Ok(start()?.0.with_root_certificates(roots))
}

/// Reads the certificates of a file in PEM, at least one.
///
/// # Errors
/// What is wrong with the file, by its name.
pub fn certificates(what: &str, path: &Path, pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, Failure> {
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    match found {
        Ok(found) if !found.is_empty() => Ok(found),
        Ok(_) => Err(local(format!("{what} {} holds no certificate in PEM", path.display()))),
        Err(_) => Err(local(format!("{what} {} is not valid PEM", path.display()))),
    }
}
