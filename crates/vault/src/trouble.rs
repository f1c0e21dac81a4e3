//! What kept an answer from arriving, in words that say where to look.
//!
//! The errors of reqwest, hyper and rustls print addresses, types and sometimes bytes; here only
//! their kind is used.

use std::error::Error;
use std::fmt;
use std::io;

use rustls::{AlertDescription, CertificateError};

use super::tls::TlsFiles;
use leasehold_base::failure::{Failure, FailureKind};

/// The name does not resolve. Our resolver's own error, so that it can be told from the others.
#[derive(Debug)]
pub(super) struct NoSuchHost;

impl fmt::Display for NoSuchHost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the name does not resolve")
    }
}

impl Error for NoSuchHost {}

/// Why `place` (scheme, host and port) gave no answer. `files` know of a certificate of an unknown authority.
pub(super) fn explain(error: &reqwest::Error, place: &str, files: &TlsFiles) -> Failure {
    let unsent = error.is_connect() || is_canceled(error);
    if unsent && causes(error).any(is_of_a_stranger) {
        return distrusted(place, files);
    }
    let known = causes(error).find_map(|cause| known(cause, unsent));
    let (kind, why) = known.unwrap_or_else(|| unknown(error, unsent));
    Failure::advised(kind, format!("{place}: {why}"))
}

/// Nobody here knows who signed the certificate of `place`.
fn distrusted(place: &str, files: &TlsFiles) -> Failure {
    let (by, known) = files.distrust();
    match known {
        Some(path) => Failure::advised(
            FailureKind::Unreachable,
            format!(
                "{place}: its certificate is signed by an unknown authority{by}; put that authority's certificate into {}",
                path.display()
            ),
        ),
        None => Failure::advised(
            FailureKind::Unreachable,
            format!(
                "{place}: its certificate is signed by an unknown authority{by}; vault.ca_file is not set: name that authority's certificate there"
            ),
        ),
    }
}

/// Whether this process was not allowed to connect, which is what the sandbox answers for a port that it does not know.
pub(super) fn is_forbidden(error: &reqwest::Error) -> bool {
    let denied = |io: &io::Error| io.kind() == io::ErrorKind::PermissionDenied;
    error.is_connect() && causes(error).any(|cause| cause.downcast_ref::<io::Error>().is_some_and(denied))
}

/// Whether the connection ended before the request went out over it: hyper gives it back then.
fn is_canceled(error: &reqwest::Error) -> bool {
    causes(error).any(|cause| cause.downcast_ref::<hyper::Error>().is_some_and(hyper::Error::is_canceled))
}

fn unknown(error: &reqwest::Error, unsent: bool) -> (FailureKind, &'static str) {
    if error.is_timeout() && error.is_connect() {
        (
            FailureKind::Unreachable,
            "it does not take the connection in time; check vault.address, the network policy and the firewall",
        )
    } else if error.is_timeout() {
        (
            FailureKind::Unheard,
            "it did not answer in time; check whether it is overloaded, or raise vault.timeout",
        )
    } else if error.is_connect() {
        (FailureKind::Unreachable, "no connection; check vault.address and the network policy")
    } else if unsent {
        // Over HTTP/2 it is not passed on what the server said: mostly an alert of TLS 1.3.
        (
            FailureKind::Unreachable,
            "it closed the connection before anything was asked; see the server's log, and check whether it wants a client certificate (vault.client_cert_file)",
        )
    } else {
        (
            FailureKind::Unheard,
            "the connection broke off before the answer was complete; see the server's log, and what is on the way to it",
        )
    }
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

fn known(error: &(dyn Error + 'static), unsent: bool) -> Option<(FailureKind, &'static str)> {
    if error.is::<NoSuchHost>() {
        return Some((
            FailureKind::Unreachable,
            "its name does not resolve; check vault.address and the DNS",
        ));
    }
    if let Some(tls) = error.downcast_ref::<rustls::Error>() {
        return of_tls(tls, unsent);
    }
    if let Some(hyper) = error.downcast_ref::<hyper::Error>()
        && hyper.is_parse()
    {
        let why = "it does not answer as an HTTP server does; check the port in vault.address";
        return Some((FailureKind::Nonsense, why));
    }
    let io = error.downcast_ref::<io::Error>()?;
    if unsent { unconnected(io.kind()) } else { of_tls(&rustls::Error::AlertReceived(alert(io)?), false) }
}

fn unconnected(kind: io::ErrorKind) -> Option<(FailureKind, &'static str)> {
    let why = match kind {
        io::ErrorKind::ConnectionRefused => {
            "it refuses the connection; check that the server is running, and the port in vault.address"
        }
        io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkUnreachable => {
            "there is no route to it; check vault.address and the network"
        }
        io::ErrorKind::PermissionDenied => {
            "this process may not connect there; check the network policy and the sandbox"
        }
        _ => return None,
    };
    Some((FailureKind::Unreachable, why))
}

/// The alert that broke a connection off. Over HTTP/2 it has lost its type: h2 keeps of an error what it says.
fn alert(error: &io::Error) -> Option<AlertDescription> {
    let said = error.get_ref()?.to_string();
    (0..=u8::MAX)
        .map(AlertDescription::from)
        .find(|alert| rustls::Error::AlertReceived(*alert).to_string() == said)
}

/// A certificate is looked at before any request is, though in TLS 1.3 we hear of ours only behind the
/// first of them. Of all else that ends a connection which stood, nobody knows what came before it.
fn of_tls(error: &rustls::Error, unsent: bool) -> Option<(FailureKind, &'static str)> {
    let ours = match error {
        rustls::Error::AlertReceived(alert) => refused_us(*alert),
        _ => None,
    };
    ours.or_else(|| unsent.then(|| (FailureKind::Unreachable, untrusted(error))))
}

fn untrusted(error: &rustls::Error) -> &'static str {
    match error {
        rustls::Error::InvalidCertificate(certificate) => bad_certificate(certificate),
        rustls::Error::AlertReceived(AlertDescription::UnrecognisedName) => {
            "it does not serve this name; check vault.address and vault.server_name"
        }
        rustls::Error::AlertReceived(_) => "it broke the TLS handshake off; see the server's log",
        rustls::Error::InvalidMessage(_) => {
            "it does not speak TLS; correct the port in vault.address, or write http:// there for a server on this machine that has no TLS"
        }
        rustls::Error::NoCertificatesPresented => "it presents no certificate; give the server one",
        rustls::Error::PeerIncompatible(_) => {
            "it and we have no TLS version or cipher in common; it needs TLS 1.2 or 1.3"
        }
        _ => "the TLS handshake failed; see the server's log",
    }
}

fn bad_certificate(error: &CertificateError) -> &'static str {
    match error {
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
            "its certificate is signed by another authority of the same name; name the right one in vault.ca_file"
        }
        CertificateError::Revoked => "its certificate is revoked; give the server another",
        CertificateError::Other(other) if other.0.to_string().contains("CaUsedAsEndEntity") => {
            "it presents a certificate authority as its own certificate; give it one of its own"
        }
        _ => "its certificate is not acceptable; look at it with openssl s_client",
    }
}

/// Whether it is that nobody here knows who signed the certificate.
fn is_of_a_stranger(error: &(dyn Error + 'static)) -> bool {
    let unknown = rustls::Error::InvalidCertificate(CertificateError::UnknownIssuer);
    error.downcast_ref::<rustls::Error>().is_some_and(|error| *error == unknown)
}

/// The server ended the connection because of our client certificate, or for lack of one.
fn refused_us(alert: AlertDescription) -> Option<(FailureKind, &'static str)> {
    let why = match alert {
        AlertDescription::CertificateRequired => {
            "it wants a client certificate; set vault.client_cert_file and client_key_file"
        }
        AlertDescription::BadCertificate
        | AlertDescription::UnknownCA
        | AlertDescription::CertificateUnknown
        | AlertDescription::CertificateExpired
        | AlertDescription::CertificateRevoked
        | AlertDescription::UnsupportedCertificate => {
            "it refuses our client certificate; check vault.client_cert_file"
        }
        _ => return None,
    };
    Some((FailureKind::Unreachable, why))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_alert_that_came_through_h2_is_known_by_what_it_says() {
        let passed_on = |error: &rustls::Error| io::Error::new(io::ErrorKind::InvalidData, error.to_string());
        let required = AlertDescription::CertificateRequired;
        assert_eq!(alert(&passed_on(&rustls::Error::AlertReceived(required))), Some(required));
        assert_eq!(alert(&passed_on(&rustls::Error::DecryptError)), None);
    }
}
