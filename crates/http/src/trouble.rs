//! The troubles that keep an answer from arriving.
//!
//! The errors of reqwest, hyper and rustls print addresses, types and sometimes bytes. Only their kind is used
//! here.

use std::error::Error;
use std::io;

use rustls::{AlertDescription, CertificateError};

use crate::resolve::NoSuchHost;

/// The reason why there was no answer. A name that begins with `Certificate` is about the server's own certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "each is its own name")]
pub enum Trouble {
    NoSuchHost,
    ConnectionRefused,
    NoRoute,
    /// This process may not connect there: the sandbox, or a network policy.
    Forbidden,
    /// The connection is not taken in time.
    SlowConnection,
    NoConnection,
    /// It ended the connection before anything was asked.
    ClosedUnasked,
    /// The connection broke off before the answer was complete.
    BrokenOff,
    /// The server was connected to and asked, and did not answer in time.
    Slow,
    NotHttp,
    NotTls,
    NothingInCommon,
    HandshakeEnded,
    HandshakeFailed,
    UnknownName,
    /// The authority of the certificate is not known here.
    CertificateOfAStranger,
    CertificateExpired,
    CertificateNotValidYet,
    CertificateForAnotherName,
    CertificateBadlySigned,
    CertificateRevoked,
    CertificateOfAnAuthority,
    CertificateUnacceptable,
    NoCertificate,
    WantsOurCertificate,
    RefusesOurCertificate,
}

impl Trouble {
    /// Returns what `error` comes to.
    #[must_use]
    pub fn of(error: &reqwest::Error) -> Self {
        let unsent = error.is_connect() || is_canceled(error);
        if unsent && causes(error).any(is_of_a_stranger) {
            return Self::CertificateOfAStranger;
        }
        let known = causes(error).find_map(|cause| known(cause, unsent));
        known.unwrap_or_else(|| unknown(error, unsent))
    }
}

/// Returns whether this process was not allowed to connect, which is what the sandbox answers for a port that it does
/// not know.
#[must_use]
pub fn is_forbidden(error: &reqwest::Error) -> bool {
    let denied = |io: &io::Error| io.kind() == io::ErrorKind::PermissionDenied;
    error.is_connect() && causes(error).any(|cause| cause.downcast_ref::<io::Error>().is_some_and(denied))
}

/// Returns whether the connection ended before the request went out over it: hyper gives the request back then.
fn is_canceled(error: &reqwest::Error) -> bool {
    causes(error).any(|cause| cause.downcast_ref::<hyper::Error>().is_some_and(hyper::Error::is_canceled))
}

fn unknown(error: &reqwest::Error, unsent: bool) -> Trouble {
    match (error.is_timeout(), error.is_connect()) {
        (true, true) => Trouble::SlowConnection,
        (true, false) => Trouble::Slow,
        (false, true) => Trouble::NoConnection,
        // Over HTTP/2 it is not passed on what the server said: mostly an alert of TLS 1.3.
        (false, false) if unsent => Trouble::ClosedUnasked,
        (false, false) => Trouble::BrokenOff,
    }
}

/// Returns the error and what it came from. An `io::Error` hides the error that it carries from `source`.
fn causes<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(error), |error| {
        let error: &'a (dyn Error + 'static) = *error;
        match error.downcast_ref::<io::Error>() {
            Some(io) => io.get_ref().map(|inner| inner as &(dyn Error + 'static)),
            None => error.source(),
        }
    })
}

fn known(error: &(dyn Error + 'static), unsent: bool) -> Option<Trouble> {
    if error.is::<NoSuchHost>() {
        return Some(Trouble::NoSuchHost);
    }
    if let Some(tls) = error.downcast_ref::<rustls::Error>() {
        return of_tls(tls, unsent);
    }
    if let Some(hyper) = error.downcast_ref::<hyper::Error>()
        && hyper.is_parse()
    {
        return Some(Trouble::NotHttp);
    }
    let io = error.downcast_ref::<io::Error>()?;
    if unsent { unconnected(io.kind()) } else { of_tls(&rustls::Error::AlertReceived(alert(io)?), false) }
}

fn unconnected(kind: io::ErrorKind) -> Option<Trouble> {
    match kind {
        io::ErrorKind::ConnectionRefused => Some(Trouble::ConnectionRefused),
        io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkUnreachable => Some(Trouble::NoRoute),
        io::ErrorKind::PermissionDenied => Some(Trouble::Forbidden),
        _ => None,
    }
}

/// Returns the alert that broke a connection off. Over HTTP/2 the alert has lost its type, because h2 keeps only
/// the text of an error.
fn alert(error: &io::Error) -> Option<AlertDescription> {
    let said = error.get_ref()?.to_string();
    (0..=u8::MAX)
        .map(AlertDescription::from)
        .find(|alert| rustls::Error::AlertReceived(*alert).to_string() == said)
}

/// Returns the trouble that an error of TLS means. A server's certificate is verified before any request is sent,
/// although in TLS 1.3 we hear what the server says of ours only behind the first request. For everything else that
/// ends an established connection, it is not known what came before it.
fn of_tls(error: &rustls::Error, unsent: bool) -> Option<Trouble> {
    let ours = match error {
        rustls::Error::AlertReceived(alert) => refused_us(*alert),
        _ => None,
    };
    ours.or_else(|| unsent.then(|| untrusted(error)))
}

fn untrusted(error: &rustls::Error) -> Trouble {
    match error {
        rustls::Error::InvalidCertificate(certificate) => bad_certificate(certificate),
        rustls::Error::AlertReceived(AlertDescription::UnrecognisedName) => Trouble::UnknownName,
        rustls::Error::AlertReceived(_) => Trouble::HandshakeEnded,
        rustls::Error::InvalidMessage(_) => Trouble::NotTls,
        rustls::Error::NoCertificatesPresented => Trouble::NoCertificate,
        rustls::Error::PeerIncompatible(_) => Trouble::NothingInCommon,
        _ => Trouble::HandshakeFailed,
    }
}

fn bad_certificate(error: &CertificateError) -> Trouble {
    match error {
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => Trouble::CertificateExpired,
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            Trouble::CertificateNotValidYet
        }
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            Trouble::CertificateForAnotherName
        }
        CertificateError::BadSignature => Trouble::CertificateBadlySigned,
        CertificateError::Revoked => Trouble::CertificateRevoked,
        CertificateError::Other(other) if other.0.to_string().contains("CaUsedAsEndEntity") => {
            Trouble::CertificateOfAnAuthority
        }
        _ => Trouble::CertificateUnacceptable,
    }
}

/// Returns whether the reason is that the signer of the certificate is not known here.
fn is_of_a_stranger(error: &(dyn Error + 'static)) -> bool {
    let unknown = rustls::Error::InvalidCertificate(CertificateError::UnknownIssuer);
    error.downcast_ref::<rustls::Error>().is_some_and(|error| *error == unknown)
}

/// Returns the trouble if the server ended the connection because of our client certificate, or for lack of one.
fn refused_us(alert: AlertDescription) -> Option<Trouble> {
    match alert {
        AlertDescription::CertificateRequired => Some(Trouble::WantsOurCertificate),
        AlertDescription::BadCertificate
        | AlertDescription::UnknownCA
        | AlertDescription::CertificateUnknown
        | AlertDescription::CertificateExpired
        | AlertDescription::CertificateRevoked
        | AlertDescription::UnsupportedCertificate => Some(Trouble::RefusesOurCertificate),
        _ => None,
    }
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
