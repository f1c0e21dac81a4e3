//! The floor under `leasehold init`: a bare HTTP client that logs in and reads the same paths from the same server, as
//! many at a time, and does nothing else.
//!
//! ```text
//! floor ADDRESS CA_FILE ROLE_ID_FILE SECRET_ID_FILE PATH FILES IN_FLIGHT
//! ```
//!
//! Reads `PATH0` to `PATH(FILES - 1)` and prints the milliseconds from the start of `main` until the last
//! answer was whole. It logs in with AppRole, as what it is compared with does.
#![allow(clippy::disallowed_methods, clippy::print_stdout, reason = "a benchmark reads the clock and prints")]

use std::error::Error;
use std::time::{Duration, Instant};

use futures_util::stream::{FuturesUnordered, StreamExt as _};

type Failed = Box<dyn Error>;

fn main() -> Result<(), Failed> {
    let start = Instant::now();
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [address, ca_file, role_id, secret_id, path, files, in_flight] = arguments.as_slice() else {
        return Err("usage: floor ADDRESS CA_FILE ROLE_ID_FILE SECRET_ID_FILE PATH FILES IN_FLIGHT".into());
    };
    let client = client(&std::fs::read(ca_file)?)?;
    let (role_id, secret_id) = (std::fs::read_to_string(role_id)?, std::fs::read_to_string(secret_id)?);
    let credentials = format!(r#"{{"role_id":"{}","secret_id":"{}"}}"#, role_id.trim(), secret_id.trim());
    let login = format!("{address}/v1/auth/approle/login");
    let urls = (0..files.parse::<usize>()?).map(|n| format!("{address}/v1/{path}{n}"));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let in_flight = in_flight.parse()?;
    runtime.block_on(async {
        let token = log_in(&client, login, credentials).await?;
        read(&client, &token, urls, in_flight).await
    })?;
    println!("{:.2}", start.elapsed().as_secs_f64() * 1e3);
    Ok(())
}

/// Returns the token that the login brings.
async fn log_in(client: &reqwest::Client, login: String, credentials: String) -> Result<String, Failed> {
    let answer = client.post(login).body(credentials).send().await?.error_for_status()?;
    let answer: serde_json::Value = serde_json::from_slice(&answer.bytes().await?)?;
    let token = answer["auth"]["client_token"].as_str().ok_or("the login brought no token")?;
    Ok(token.to_owned())
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
