//! The webhook: HTTP over TLS around [`inject`](crate::inject()). It calls nothing, and keeps nothing but counters.
//!
//! ```text
//! connection ─▶ server (TLS, limits) ─▶ routes ─▶ review (pure) ─▶ inject
//!                    └ certificates (files, read again)     └▶ metrics, log
//! ```

mod certificates;
mod log;
mod metrics;
mod options;
mod review;
mod routes;
mod server;
#[cfg(test)]
mod tests;

use std::rc::Rc;
use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};

pub(crate) use options::{Flags, Options};

use crate::settings::Settings;
use certificates::Certificates;
use routes::Webhook;

/// How often the certificate's files are read: the kubelet takes a minute to write new ones.
const READ_AGAIN: Duration = Duration::from_secs(5);

/// Serves until SIGTERM.
///
/// # Errors
/// What keeps it from starting: an address that is taken, or certificates that cannot be used.
pub(crate) fn run(options: &Options, settings: Settings) -> Result<(), String> {
    log::start(options.json, &options.level);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| format!("cannot start: {error}"))?;
    let local = tokio::task::LocalSet::new();
    local.block_on(&runtime, serve(options, settings))
}

async fn serve(options: &Options, settings: Settings) -> Result<(), String> {
    let certificates = Rc::new(Certificates::new(&options.cert_file, &options.key_file)?);
    let webhook = Rc::new(Webhook::new(settings));
    let secure = server::bind(options.listen).await?;
    let plain = server::bind(options.plain).await?;
    let terminate =
        signal(SignalKind::terminate()).map_err(|error| format!("cannot wait for SIGTERM: {error}"))?;
    for (listener, what) in [(&secure, "webhook"), (&plain, "health and metrics")] {
        let address = listener.local_addr().map_err(|error| error.to_string())?;
        tracing::info!(address = %address, "listening: {what}");
    }
    tokio::task::spawn_local(server::serve(secure, Some(Rc::clone(&certificates)), Rc::clone(&webhook)));
    tokio::task::spawn_local(server::serve(plain, None, Rc::clone(&webhook)));
    tokio::task::spawn_local(read_again(certificates));
    drain(terminate, &webhook).await;
    Ok(())
}

/// Takes new certificates from their files.
async fn read_again(certificates: Rc<Certificates>) {
    let mut failed = None;
    loop {
        tokio::time::sleep(READ_AGAIN).await;
        let outcome = certificates.reload();
        match &outcome {
            Ok(true) => tracing::info!("the certificate has changed: new connections get the new one"),
            Ok(false) => {}
            // Between the writes of certificate and key, and logged once.
            Err(why) if failed.as_ref() != Some(why) => tracing::warn!("{why}; the old certificate stays"),
            Err(_) => {}
        }
        failed = outcome.err();
    }
}

/// Waits for SIGTERM, and serves on for a moment: the API server learns of the end of an endpoint only then.
async fn drain(mut terminate: tokio::signal::unix::Signal, webhook: &Webhook) {
    const MOMENT: Duration = Duration::from_secs(3);
    terminate.recv().await;
    webhook.stop();
    tracing::info!("stopping: SIGTERM; requests are served for 3 seconds more");
    tokio::time::sleep(MOMENT).await;
}
