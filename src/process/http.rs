//! The HTTP notifier: a POST without a body. Any 2xx is a success.

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use reqwest::Client;
use reqwest::redirect::Policy;
use rustls::{ClientConfig, RootCertStore};
use url::Url;

use super::NotifyError;

/// Sends the POST and returns the status. The body of the answer is not read.
///
/// A client is made for each call: notifications are rare, and a kept connection would mostly be found closed. There
/// is no proxy and no redirect: the request goes where the configuration says, or nowhere.
pub(super) async fn post(url: &Url, timeout: Duration) -> Result<u16, NotifyError> {
    let host = authority(url);
    let client = Client::builder()
        .tls_backend_preconfigured(tls(url.scheme() == "https", &host)?)
        .redirect(Policy::none())
        .no_proxy()
        .referer(false)
        .timeout(timeout)
        .build()
        .map_err(|why| NotifyError::Client { host: host.clone(), why: root_cause(&why) })?;
    let answer = client.post(url.clone()).header(reqwest::header::CONTENT_LENGTH, 0).send().await;
    match answer {
        Ok(answer) if answer.status().is_success() => Ok(answer.status().as_u16()),
        Ok(answer) => Err(NotifyError::Status { host, status: answer.status().as_u16() }),
        Err(why) if why.is_timeout() => {
            let why = format!("nothing within {}", humantime::format_duration(timeout));
            Err(NotifyError::NoAnswer { host, why })
        }
        Err(why) => Err(NotifyError::NoAnswer { host, why: root_cause(&why) }),
    }
}

/// Returns host and port. The rest of a URL may hold a secret.
fn authority(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    url.port_or_known_default().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}

/// Returns the system's authorities for https; none for http, so that they are not read for nothing.
fn tls(https: bool, host: &str) -> Result<ClientConfig, NotifyError> {
    let mut roots = RootCertStore::empty();
    if https {
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map(|builder| builder.with_root_certificates(roots).with_no_client_auth())
        .map_err(|why| NotifyError::Client { host: host.to_owned(), why: why.to_string() })
}

/// Returns the innermost error: the outer ones repeat the URL, and say less.
fn root_cause(error: &dyn Error) -> String {
    let innermost = std::iter::successors(error.source(), |&inner| inner.source()).last();
    innermost.map_or_else(|| "the request failed".to_owned(), ToString::to_string)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_name_host_and_port_only() {
        let url = Url::parse("http://user:canary@app.example/reload?token=canary").expect("a URL");
        assert_eq!(authority(&url), "app.example:80");
        let url = Url::parse("https://[::1]:8443/x").expect("a URL");
        assert_eq!(authority(&url), "[::1]:8443");
    }
}
