//! What kept an answer from arriving, in words that say where to look.
//!
//! The errors of reqwest, hyper and rustls print addresses, types and sometimes bytes; here only
//! their kind is used.

use std::error::Error;
use std::fmt;
use std::io;

use rustls::{AlertDescription, CertificateError};

use super::failure::{Failure, FailureKind};

/// The name does not resolve. Our resolver's own error, so that it can be told from the others.
#[derive(Debug)]
pub(super) struct NoSuchHost;

impl fmt::Display for NoSuchHost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the name does not resolve")
    }
}

impl Error for NoSuchHost {}

/// Why `place` (scheme, host and port) gave no answer. `connecting` tells whether a time-out hit
/// before the connection stood.
pub(super) fn explain(error: &reqwest::Error, place: &str) -> Failure {
    let (kind, why) = causes(error).find_map(known).unwrap_or_else(|| unknown(error));
    Failure::advised(kind, format!("{place}: {why}"))
}

fn unknown(error: &reqwest::Error) -> (FailureKind, String) {
    let (kind, why) = if error.is_timeout() && error.is_connect() {
        (
            FailureKind::Unreachable,
            "it does not take the connection in time; check vault.address, the network policy and the firewall",
        )
    } else if error.is_timeout() {
        (FailureKind::Unheard, "it did not answer in time; is it overloaded, or vault.timeout too short?")
    } else if error.is_connect() {
        (FailureKind::Unreachable, "no connection; check vault.address and the network policy")
    } else {
        (
            FailureKind::Unheard,
            "the connection broke off before the answer was complete; see the server's log, and what is on the way to it",
        )
    };
    (kind, why.to_owned())
}

/// The error and what it came from. An `io::Error` hides the error it carries from `source`.
fn causes<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(error), |error| {
        let error: &'a (dyn Error + 'static) = *error;
        match error.downcast_ref::<io::Error>() {
            Some(io) => io.get_ref().map(|inner| inner as &(dyn Error + 'static)),
            None => error.source(),
        }
    })
}

fn known(error: &(dyn Error + 'static)) -> Option<(FailureKind, String)> {
    let unreachable = |why: &str| Some((FailureKind::Unreachable, why.to_owned()));
    if error.is::<NoSuchHost>() {
        return unreachable("its name does not resolve; check vault.address and the DNS");
    }
    if let Some(tls) = error.downcast_ref::<rustls::Error>() {
        return Some((FailureKind::Unreachable, untrusted(tls)));
    }
    if let Some(hyper) = error.downcast_ref::<hyper::Error>()
        && hyper.is_parse()
    {
        let why =
            "what it sends is not HTTP as a server of Vault's API speaks it; check the port in vault.address";
        return Some((FailureKind::Nonsense, why.to_owned()));
    }
    match error.downcast_ref::<io::Error>()?.kind() {
        io::ErrorKind::ConnectionRefused => {
            unreachable("it refuses the connection; is the server up, and is the port right?")
        }
        io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkUnreachable => {
            unreachable("there is no route to it; check vault.address and the network")
        }
        io::ErrorKind::PermissionDenied => {
            unreachable("this process may not connect there; check the network policy and the sandbox")
        }
        _ => None,
    }
}

fn untrusted(error: &rustls::Error) -> String {
    match error {
        rustls::Error::InvalidCertificate(certificate) => bad_certificate(certificate).to_owned(),
        rustls::Error::AlertReceived(alert) => refused_us(*alert),
        rustls::Error::InvalidMessage(_) => {
            "it does not speak TLS; is http:// meant in vault.address, or another port?".to_owned()
        }
        rustls::Error::NoCertificatesPresented => {
            "it presents no certificate; give the server one".to_owned()
        }
        rustls::Error::PeerIncompatible(_) => {
            "it and we have no TLS version or cipher in common; it needs TLS 1.2 or 1.3".to_owned()
        }
        _ => "the TLS handshake failed; see the server's log".to_owned(),
    }
}

fn bad_certificate(error: &CertificateError) -> &'static str {
    match error {
        CertificateError::UnknownIssuer => {
            "its certificate is signed by an unknown authority; check vault.ca_file"
        }
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            "its certificate has expired; renew it, or check this machine's clock"
        }
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            "its certificate is not valid yet; check this machine's clock"
        }
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            "its certificate is for another name; check vault.address, or set vault.server_name"
        }
        CertificateError::BadSignature => {
            "its certificate is signed by another authority of the same name; check vault.ca_file"
        }
        CertificateError::Revoked => "its certificate is revoked; give the server another",
        CertificateError::Other(other) if other.0.to_string().contains("CaUsedAsEndEntity") => {
            "it presents a certificate authority as its own certificate; give it one of its own"
        }
        _ => "its certificate is not acceptable; look at it with openssl s_client",
    }
}

/// The server ended the handshake: mostly because of our client certificate.
fn refused_us(alert: AlertDescription) -> String {
    match alert {
        AlertDescription::CertificateRequired => {
            "it wants a client certificate; set vault.client_cert_file and client_key_file".to_owned()
        }
        AlertDescription::BadCertificate
        | AlertDescription::UnknownCA
        | AlertDescription::CertificateUnknown
        | AlertDescription::CertificateExpired
        | AlertDescription::CertificateRevoked
        | AlertDescription::UnsupportedCertificate => {
            "it refuses our client certificate; check vault.client_cert_file".to_owned()
        }
        AlertDescription::UnrecognisedName => {
            "it does not serve this name; check vault.address and vault.server_name".to_owned()
        }
        _ => "it broke the TLS handshake off; see the server's log".to_owned(),
    }
}
