//! Explains what kept an answer from arriving, in words that say where to look.

use leasehold_http::trouble::Trouble;

use super::tls::TlsFiles;
use leasehold_base::failure::{Failure, FailureKind, FailureKind as K};

/// Explains why `place` (scheme, host and port) gave no answer. `files` knows the last certificate of an unknown
/// authority.
pub(super) fn explain(error: &reqwest::Error, place: &str, files: &TlsFiles) -> Failure {
    match Trouble::of(error) {
        Trouble::CertificateOfAStranger => distrusted(place, files),
        trouble => {
            let (kind, why) = words(trouble);
            Failure::advised(kind, format!("{place}: {why}"))
        }
    }
}

/// Explains that no authority that is known here signed the certificate of `place`.
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

fn words(trouble: Trouble) -> (K, &'static str) {
    match trouble {
        Trouble::NoSuchHost => (K::Unreachable, "its name does not resolve; check vault.address and the DNS"),
        Trouble::ConnectionRefused => (
            K::Unreachable,
            "it refuses the connection; check that the server is running, and the port in vault.address",
        ),
        Trouble::NoRoute => (K::Unreachable, "there is no route to it; check vault.address and the network"),
        Trouble::Forbidden => {
            (K::Unreachable, "this process may not connect there; check the network policy and the sandbox")
        }
        Trouble::SlowConnection => (
            K::Unreachable,
            "it does not take the connection in time; check vault.address, the network policy and the firewall",
        ),
        Trouble::NoConnection => {
            (K::Unreachable, "no connection; check vault.address and the network policy")
        }
        Trouble::ClosedUnasked => (
            K::Unreachable,
            "it closed the connection before anything was asked; see the server's log, and check whether it wants a client certificate (vault.client_cert_file)",
        ),
        Trouble::BrokenOff => (
            K::Unheard,
            "the connection broke off before the answer was complete; see the server's log, and what is on the way to it",
        ),
        Trouble::Slow => {
            (K::Unheard, "it did not answer in time; check whether it is overloaded, or raise vault.timeout")
        }
        Trouble::NotHttp => {
            (K::Nonsense, "it does not answer as an HTTP server does; check the port in vault.address")
        }
        Trouble::WantsOurCertificate => {
            (K::Unreachable, "it wants a client certificate; set vault.client_cert_file and client_key_file")
        }
        Trouble::RefusesOurCertificate => {
            (K::Unreachable, "it refuses our client certificate; check vault.client_cert_file")
        }
        trouble => words_of_tls(trouble),
    }
}

fn words_of_tls(trouble: Trouble) -> (K, &'static str) {
    match trouble {
        Trouble::NotTls => (
            K::Unreachable,
            "it does not speak TLS; correct the port in vault.address, or write http:// there for a server on this machine that has no TLS",
        ),
        Trouble::NothingInCommon => {
            (K::Unreachable, "it and we have no TLS version or cipher in common; it needs TLS 1.2 or 1.3")
        }
        Trouble::HandshakeEnded => (K::Unreachable, "it broke the TLS handshake off; see the server's log"),
        Trouble::UnknownName => {
            (K::Unreachable, "it does not serve this name; check vault.address and vault.server_name")
        }
        Trouble::CertificateExpired => {
            (K::Unreachable, "its certificate has expired; renew it, or check this machine's clock")
        }
        Trouble::CertificateNotValidYet => {
            (K::Unreachable, "its certificate is not valid yet; check this machine's clock")
        }
        Trouble::CertificateForAnotherName => (
            K::Unreachable,
            "its certificate is for another name; check vault.address, or set vault.server_name",
        ),
        Trouble::CertificateBadlySigned => (
            K::Unreachable,
            "its certificate is signed by another authority of the same name; name the right one in vault.ca_file",
        ),
        Trouble::CertificateRevoked => {
            (K::Unreachable, "its certificate is revoked; give the server another")
        }
        Trouble::CertificateOfAnAuthority => (
            K::Unreachable,
            "it presents a certificate authority as its own certificate; give it one of its own",
        ),
        Trouble::CertificateUnacceptable => {
            (K::Unreachable, "its certificate is not acceptable; look at it with openssl s_client")
        }
        Trouble::NoCertificate => (K::Unreachable, "it presents no certificate; give the server one"),
        _ => (K::Unreachable, "the TLS handshake failed; see the server's log"),
    }
}
