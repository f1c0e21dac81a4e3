//! The floor under `leasehold init`: a bare HTTP client that reads the same paths from the same server, as
//! many at a time, and does nothing else.
//!
//! ```text
//! floor ADDRESS CA_FILE TOKEN_FILE PATH FILES IN_FLIGHT
//! ```
//!
//! Reads `PATH0` to `PATH(FILES - 1)` and prints the milliseconds from the start of `main` until the last
//! answer was whole. The token is given, so that no login is in it.
#![allow(clippy::disallowed_methods, clippy::print_stdout, reason = "a benchmark reads the clock and prints")]

use std::error::Error;
use std::time::{Duration, Instant};

use futures_util::stream::{FuturesUnordered, StreamExt as _};

type Failed = Box<dyn Error>;

fn main() -> Result<(), Failed> {
    let start = Instant::now();
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [address, ca_file, token_file, path, files, in_flight] = arguments.as_slice() else {
        return Err("usage: floor ADDRESS CA_FILE TOKEN_FILE PATH FILES IN_FLIGHT".into());
    };
    let client = client(&std::fs::read(ca_file)?)?;
    let token = std::fs::read_to_string(token_file)?;
    let urls = (0..files.parse::<usize>()?).map(|n| format!("{address}/v1/{path}{n}"));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(read(&client, token.trim(), urls, in_flight.parse()?))?;
    println!("{:.2}", start.elapsed().as_secs_f64() * 1e3);
    Ok(())
}

/// Reads all, `in_flight` at a time.
async fn read(
    client: &reqwest::Client,
    token: &str,
    mut urls: impl Iterator<Item = String>,
    in_flight: usize,
) -> Result<(), Failed> {
    let one = |url: String| async move {
        let answer = client.get(url).header("x-vault-token", token).send().await?.error_for_status()?;
        answer.bytes().await
    };
    let mut under_way: FuturesUnordered<_> = urls.by_ref().take(in_flight).map(one).collect();
    while let Some(answer) = under_way.next().await {
        answer?;
        under_way.extend(urls.next().map(one));
    }
    Ok(())
}

/// reqwest on rustls with ring, as ours, with nothing of ours on top.
fn client(ca: &[u8]) -> Result<reqwest::Client, Failed> {
    use rustls::pki_types::pem::PemObject as _;
    let mut roots = rustls::RootCertStore::empty();
    for certificate in rustls::pki_types::CertificateDer::pem_slice_iter(ca) {
        roots.add(certificate?)?;
    }
    let provider = rustls::crypto::ring::default_provider();
    let tls = rustls::ClientConfig::builder_with_provider(provider.into())
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(reqwest::Client::builder()
        .tls_backend_preconfigured(tls)
        .http1_only()
        .no_proxy()
        .timeout(Duration::from_secs(60))
        .build()?)
}
