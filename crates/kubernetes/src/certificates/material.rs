//! What the Secret holds: an authority with its key, a certificate with its key, and older authorities.

use std::collections::BTreeSet;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use leasehold::vault::validity::Validity;
use leasehold_base::secret::Secret;
use rustls::RootCertStore;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::ServerCertVerifier as _;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use serde_json::{Value, json};

/// More are not kept: each is there for a day at most.
pub(super) const MOST: usize = 16;

/// A certificate that can be looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Certificate {
    pub(super) der: CertificateDer<'static>,
    /// When it ends, in seconds since 1970.
    pub(super) start: i64,
    pub(super) end: i64,
}

/// A certificate with its key.
#[derive(Debug, Clone)]
pub(super) struct Pair {
    pub(super) certificate: Certificate,
    /// PEM.
    pub(super) key: Secret,
}

/// Everything that the Secret holds.
#[derive(Debug, Clone)]
pub(super) struct Material {
    pub(super) authority: Pair,
    pub(super) leaf: Pair,
    /// Older authorities, which stay in the bundle.
    pub(super) previous: Vec<Certificate>,
    /// Until when, in seconds since 1970: the end of the last certificate of theirs.
    pub(super) previous_until: i64,
}

const AUTHORITY: &str = "ca.crt";
const AUTHORITY_KEY: &str = "ca.key";
const LEAF: &str = "tls.crt";
const LEAF_KEY: &str = "tls.key";
const PREVIOUS: &str = "previous.crt";
const PREVIOUS_UNTIL: &str = "previous-until";

impl Certificate {
    /// Reads one; none where these bytes are none.
    pub(super) fn new(der: CertificateDer<'static>) -> Option<Self> {
        let Validity { start, end } = Validity::of(&der)?;
        Some(Self { der, start, end })
    }

    /// Reads every certificate of a PEM text. What is no certificate is left out.
    pub(super) fn all(pem: &[u8]) -> Vec<Self> {
        CertificateDer::pem_slice_iter(pem).flatten().take(4 * MOST).filter_map(Self::new).collect()
    }

    /// Returns whether an authority has signed this certificate for a host, as far as TLS is concerned. The certificate
    /// is checked as of the time `at`, in seconds since 1970.
    pub(super) fn is_of(&self, authority: &Self, host: &str, at: i64) -> bool {
        let mut roots = RootCertStore::empty();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let Ok(name) = ServerName::try_from(host) else { return false };
        if roots.add(authority.der.clone()).is_err() {
            return false;
        }
        let Ok(verifier) = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider).build()
        else {
            return false;
        };
        let at = std::time::Duration::from_secs(u64::try_from(at).unwrap_or(0));
        verifier.verify_server_cert(&self.der, &[], &name, &[], UnixTime::since_unix_epoch(at)).is_ok()
    }

    /// Returns the certificate as PEM.
    pub(super) fn pem(&self) -> String {
        let text = STANDARD.encode(&self.der);
        let lines: Vec<&str> =
            (0..text.len()).step_by(64).filter_map(|at| text.get(at..text.len().min(at + 64))).collect();
        format!("-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n", lines.join("\n"))
    }
}

/// Returns several certificates as one text of PEM.
pub(super) fn bundle<'a>(certificates: impl IntoIterator<Item = &'a Certificate>) -> String {
    certificates.into_iter().map(Certificate::pem).collect()
}

impl Material {
    /// Reads the data of a Secret; none where it cannot be used as a whole.
    pub(super) fn read(data: &Value) -> Option<Self> {
        let pair = |certificate, key| {
            let certificate = Certificate::all(&bytes(data, certificate)?).into_iter().next()?;
            let key = bytes(data, key)?;
            rcgen::KeyPair::from_pem(std::str::from_utf8(&key).ok()?).ok()?;
            Some(Pair { certificate, key: Secret::new(key) })
        };
        let until =
            bytes(data, PREVIOUS_UNTIL).and_then(|text| String::from_utf8(text).ok()?.trim().parse().ok());
        let material = Self {
            authority: pair(AUTHORITY, AUTHORITY_KEY)?,
            leaf: pair(LEAF, LEAF_KEY)?,
            previous: bytes(data, PREVIOUS).map(|pem| Certificate::all(&pem)).unwrap_or_default(),
            previous_until: until.unwrap_or(0),
        };
        // A key that is another certificate's would be found out by every caller.
        super::make::serves(&material.leaf).then_some(material)
    }

    /// Returns the material as the data of a Secret.
    pub(super) fn data(&self) -> Value {
        let encoded = |bytes: &[u8]| STANDARD.encode(bytes);
        json!({
            AUTHORITY: encoded(self.authority.certificate.pem().as_bytes()),
            AUTHORITY_KEY: encoded(self.authority.key.expose()),
            LEAF: encoded(self.leaf.certificate.pem().as_bytes()),
            LEAF_KEY: encoded(self.leaf.key.expose()),
            PREVIOUS: encoded(bundle(&self.previous).as_bytes()),
            PREVIOUS_UNTIL: encoded(self.previous_until.to_string().as_bytes()),
        })
    }

    /// Returns the authorities that the API servers are to trust now.
    pub(super) fn trusted(&self, now: i64) -> Vec<Certificate> {
        let mut all = vec![self.authority.certificate.clone()];
        for older in &self.previous {
            if now < older.end && !all.contains(older) && all.len() < MOST {
                all.push(older.clone());
            }
        }
        all
    }

    /// Returns whether the present authority itself, and no older one, has signed the certificate for every host.
    pub(super) fn belongs(&self, hosts: &BTreeSet<String>) -> bool {
        let Pair { certificate, .. } = &self.leaf;
        let at = certificate.start.saturating_add(1);
        hosts.iter().all(|host| certificate.is_of(&self.authority.certificate, host, at))
    }

    /// Returns whether an authority that is trusted now has signed the certificate for every host.
    pub(super) fn serves(&self, hosts: &BTreeSet<String>, now: i64) -> bool {
        let trusted = self.trusted(now);
        let good =
            |host: &String| trusted.iter().any(|authority| self.leaf.certificate.is_of(authority, host, now));
        now < self.leaf.certificate.end && hosts.iter().all(good)
    }
}

fn bytes(data: &Value, key: &str) -> Option<Vec<u8>> {
    STANDARD.decode(data[key].as_str()?).ok()
}
