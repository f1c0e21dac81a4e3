//! TLS from files that change: authorities, and our own certificate.

use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use leasehold_http::tls::{add_the_systems, certificates, start};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{ClientConfig, Resumption, WantsClientCert, WebPkiServerVerifier};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{CertificateError, ConfigBuilder, DigitallySignedStruct, RootCertStore, SignatureScheme};
use sha2::{Digest, Sha256};
use url::Host;
use zeroize::Zeroizing;

use super::der;
use super::files::{self, local, plain};
use crate::settings::{ClientCert, VaultPlan};
use leasehold_base::failure::Failure;

/// The longest PEM file. A bundle of all public authorities is a quarter of this.
pub const PEM_MAX: usize = 1024 * 1024;

/// How many TLS sessions are kept for a quick return; there is one server.
const SESSIONS: usize = 4;

/// The files that the connection to the server depends on.
#[derive(Debug, Clone)]
pub(super) struct TlsFiles {
    /// Without TLS no file is read.
    plaintext: bool,
    ca_file: Option<PathBuf>,
    ca_dir: Option<PathBuf>,
    client: Option<ClientCert>,
    /// The address that the server's certificate has to be for, instead of the host of the URL.
    address: Option<IpAddr>,
    /// The issuer of the certificate that was refused last because its authority is unknown.
    stranger: Stranger,
}

type Stranger = Arc<Mutex<Option<String>>>;

/// A digest of what the files held. Equal digests make the same connection.
pub(super) type Fingerprint = [u8; 32];

/// The files' contents, read once, so that the digest and the configuration come from the same bytes.
pub(super) struct Contents {
    authorities: Vec<(PathBuf, Pem)>,
    client: Option<(Pem, Pem)>,
}

/// A file in PEM, which may hold a key.
type Pem = Zeroizing<Vec<u8>>;

impl TlsFiles {
    pub(super) fn of(plan: &VaultPlan) -> Self {
        Self {
            plaintext: plan.address.scheme() == "http",
            ca_file: plan.ca_file.clone(),
            ca_dir: plan.ca_dir.clone(),
            client: plan.client_cert.clone(),
            address: plan.server_name.as_deref().and_then(ip_address),
            stranger: Stranger::default(),
        }
    }

    /// Returns the issuer of the certificate that was refused last because its authority is unknown, in brackets, and
    /// the file or folder of the authorities that are known; `None` if those are the system's.
    pub(super) fn distrust(&self) -> (String, Option<&Path>) {
        let stranger = self.stranger.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let by = stranger.map_or_else(String::new, |name| format!(" ({name})"));
        (by, self.ca_file.as_deref().or(self.ca_dir.as_deref()))
    }

    /// Returns the files and folders to watch.
    pub(super) fn paths(&self) -> Vec<PathBuf> {
        let client = self.client.iter().flat_map(|own| [own.cert_file.clone(), own.key_file.clone()]);
        if self.plaintext {
            return Vec::new();
        }
        self.ca_file.iter().chain(&self.ca_dir).cloned().chain(client).collect()
    }

    pub(super) fn read(&self) -> Result<Contents, Failure> {
        if self.plaintext {
            return Ok(Contents { authorities: Vec::new(), client: None });
        }
        let mut names: Vec<PathBuf> = self.ca_file.iter().cloned().collect();
        if let Some(dir) = &self.ca_dir {
            names.extend(members(dir)?);
        }
        let authorities = names.into_iter().map(|path| {
            let pem = files::read("certificate authority", &path, PEM_MAX)?;
            Ok((path, pem))
        });
        let client = self.client.as_ref().map(|own| {
            let cert = files::read("client certificate", &own.cert_file, PEM_MAX)?;
            Ok((cert, files::read("client key", &own.key_file, PEM_MAX)?))
        });
        Ok(Contents { authorities: authorities.collect::<Result<_, _>>()?, client: client.transpose()? })
    }

    /// Returns the configuration that `contents` make.
    pub(super) fn config(&self, contents: &Contents) -> Result<ClientConfig, Failure> {
        let builder = self.trusting(self.roots(contents)?)?;
        let mut config = match (&self.client, &contents.client) {
            (Some(own), Some((cert, key))) => {
                let chain = certificates("client certificate", &own.cert_file, cert)?;
                let key = PrivateKeyDer::from_pem_slice(key).map_err(|_| {
                    local(format!("client key {} holds no private key in PEM", own.key_file.display()))
                })?;
                builder.with_client_auth_cert(chain, key).map_err(|_| {
                    let (cert, key) = (own.cert_file.display(), own.key_file.display());
                    local(format!("client certificate {cert} and key {key} do not belong together"))
                })?
            }
            _ => builder.with_no_client_auth(),
        };
        config.resumption = Resumption::in_memory_sessions(SESSIONS);
        // An address is never asked for, and the host of the URL is not the server that is meant.
        config.enable_sni = self.address.is_none();
        Ok(config)
    }

    fn trusting(
        &self,
        roots: RootCertStore,
    ) -> Result<ConfigBuilder<ClientConfig, WantsClientCert>, Failure> {
        let (builder, provider) = start()?;
        // Without authorities there is no TLS, so nothing is verified.
        if roots.is_empty() {
            return Ok(builder.with_root_certificates(roots));
        }
        let inner = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider)
            .build()
            .map_err(|_| local("the certificate authorities are not acceptable"))?;
        Ok(builder.dangerous().with_custom_certificate_verifier(Arc::new(Verifier {
            inner,
            address: self.address,
            stranger: Arc::clone(&self.stranger),
        })))
    }

    /// Returns the given authorities and no others. The system's are used only if none is given: to hold them costs
    /// memory, and to trust them besides an own one defeats its purpose.
    fn roots(&self, contents: &Contents) -> Result<RootCertStore, Failure> {
        let mut roots = RootCertStore::empty();
        for (path, pem) in &contents.authorities {
            for certificate in certificates("certificate authority", path, pem)? {
                roots.add(certificate).map_err(|_| {
                    local(format!("certificate authority {} is not acceptable", path.display()))
                })?;
            }
        }
        if !self.plaintext && self.ca_file.is_none() && self.ca_dir.is_none() {
            add_the_systems(&mut roots);
            if roots.is_empty() {
                return Err(local("this system has no certificate authorities; set vault.ca_file"));
            }
        }
        Ok(roots)
    }
}

impl Contents {
    pub(super) fn fingerprint(&self) -> Fingerprint {
        let mut hash = Sha256::new();
        let client = self.client.iter().flat_map(|(cert, key)| [cert, key]);
        for part in self.authorities.iter().map(|(_, pem)| pem).chain(client) {
            hash.update(part.len().to_le_bytes());
            hash.update(part.as_slice());
        }
        hash.finalize().into()
    }
}

/// Returns the IP address that a name is, read as a URL's host would be.
pub(super) fn ip_address(name: &str) -> Option<IpAddr> {
    if let Ok(address) = name.parse() {
        return Some(address);
    }
    match Host::parse(name).ok()? {
        Host::Ipv4(address) => Some(address.into()),
        Host::Ipv6(address) => Some(address.into()),
        Host::Domain(_) => None,
    }
}

/// The usual verifier, which also records the issuer of a certificate that it does not trust.
#[derive(Debug)]
struct Verifier {
    inner: Arc<WebPkiServerVerifier>,
    /// The address that the certificate has to be for, instead of the host of the URL.
    address: Option<IpAddr>,
    stranger: Stranger,
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        of_the_url: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let own = self.address.map(ServerName::from);
        let name = own.as_ref().unwrap_or(of_the_url);
        let verified = self.inner.verify_server_cert(end_entity, intermediates, name, ocsp_response, now);
        if let Err(rustls::Error::InvalidCertificate(CertificateError::UnknownIssuer)) = &verified {
            // No authority that is known here signed the last certificate of the chain.
            let last = intermediates.last().unwrap_or(end_entity);
            *self.stranger.lock().unwrap_or_else(PoisonError::into_inner) = der::issuer(last);
        }
        verified
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.inner.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.inner.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.inner.supported_verify_schemes()
    }
}

/// Returns the files of a folder of authorities, sorted by name. Names with a dot in front belong to atomic writers
/// (`..data`); the other names lead through them.
fn members(dir: &Path) -> Result<Vec<PathBuf>, Failure> {
    let complain = |error: std::io::Error| local(format!("ca_dir {}: {}", dir.display(), plain(&error)));
    let mut files = Vec::new();
    for entry in std::fs::read_dir(dir).map_err(complain)? {
        let path = entry.map_err(complain)?.path();
        let hidden = path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
        if !hidden && path.is_file() {
            files.push(path);
        }
    }
    if files.is_empty() {
        return Err(local(format!("ca_dir {} holds no file", dir.display())));
    }
    files.sort_unstable();
    Ok(files)
}
