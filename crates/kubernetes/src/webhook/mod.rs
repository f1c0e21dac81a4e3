//! The webhook: HTTP over TLS around [`inject`](crate::inject()). A review calls nothing. Only the keeper of our own
//! certificates asks the API server, apart from the reviews.
//!
//! ```text
//! connection ─▶ server (TLS, limits) ─▶ routes ─▶ review (pure) ─▶ inject
//!                    └ certificates (files, or the keeper)  └▶ metrics, log
//! ```

mod certificates;
mod metrics;
mod options;
mod review;
mod routes;
mod server;
#[cfg(test)]
mod tests;

use std::rc::Rc;
use std::time::Duration;

use leasehold_base::clock;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::Notify;

pub(crate) use options::{Flags, Options, Source, address};
pub use review::NoReview;
pub(crate) use routes::{Reply, text};
pub(crate) use server::bind;

use crate::certificates::{Keeper, Report};
use crate::settings::Settings;
use certificates::{Files, Serving};
use routes::Webhook;

/// Answers a review of the API server: bytes in, bytes out.
///
/// # Errors
/// [`NoReview`] for other bytes.
pub fn review(bytes: &[u8], settings: &Settings) -> Result<Vec<u8>, NoReview> {
    review::answer(bytes, settings).map(|answer| answer.body)
}

/// How often the certificate's files are read: the kubelet takes a minute to write new ones.
const READ_AGAIN: Duration = Duration::from_secs(5);

/// Serves until SIGTERM.
///
/// # Errors
/// What keeps it from starting: an address that is taken, or certificates that cannot be used.
pub(crate) fn run(options: &Options, settings: Settings) -> Result<(), String> {
    crate::log::start(options.json, &options.level);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| format!("cannot start: {error}"))?;
    let local = tokio::task::LocalSet::new();
    local.block_on(&runtime, serve(options, settings))
}

async fn serve(options: &Options, settings: Settings) -> Result<(), String> {
    let (serving, stop) = (Rc::new(Serving::default()), Rc::new(Notify::new()));
    let webhook = Rc::new(Webhook::new(settings));
    let keeping = keep(&options.source, Rc::clone(&serving), Rc::clone(&webhook), Rc::clone(&stop)).await?;
    let secure = server::bind(options.listen).await?;
    let plain = server::bind(options.plain).await?;
    let terminate =
        signal(SignalKind::terminate()).map_err(|error| format!("cannot wait for SIGTERM: {error}"))?;
    for (listener, what) in [(&secure, "webhook"), (&plain, "health and metrics")] {
        let address = listener.local_addr().map_err(|error| error.to_string())?;
        tracing::info!(address = %address, "listening: {what}");
    }
    tokio::task::spawn_local(server::serve(secure, Some(serving), Rc::clone(&webhook)));
    tokio::task::spawn_local(server::serve(plain, None, Rc::clone(&webhook)));
    tokio::task::spawn_local(keeping);
    drain(terminate, &webhook, &stop).await;
    Ok(())
}

/// Starts with the certificates, and returns what keeps them.
async fn keep(
    source: &Source,
    serving: Rc<Serving>,
    webhook: Rc<Webhook>,
    stop: Rc<Notify>,
) -> Result<std::pin::Pin<Box<dyn Future<Output = ()>>>, String> {
    match source {
        Source::Files { cert_file, key_file } => {
            let mut files = Files::new(cert_file, key_file);
            files.read()?.into_iter().for_each(|config| serving.set(config));
            judge(&files, &webhook);
            Ok(Box::pin(read_again(files, serving, webhook)))
        }
        Source::Own { names, lives } => {
            let keeper = Keeper::new(names.clone(), *lives).await.map_err(|away| away.to_string())?;
            webhook.set_ready(Err("no certificate yet".to_owned()));
            Ok(Box::pin(keep_own(keeper, serving, webhook, stop)))
        }
    }
}

/// Reads new certificates from their files.
async fn read_again(mut files: Files, serving: Rc<Serving>, webhook: Rc<Webhook>) {
    let mut failed = None;
    loop {
        tokio::time::sleep(READ_AGAIN).await;
        let outcome = files.read().map(|changed| {
            changed.into_iter().for_each(|config| {
                tracing::info!("the certificate has changed: new connections get the new one");
                serving.set(config);
            });
        });
        match &outcome {
            // This happens between the writes of certificate and key, and is logged once.
            Err(why) if failed.as_ref() != Some(why) => tracing::warn!("{why}; the old certificate stays"),
            _ => {}
        }
        failed = outcome.err();
        judge(&files, &webhook);
    }
}

/// Marks the webhook as not ready if its certificate has ended.
fn judge(files: &Files, webhook: &Webhook) {
    let ended = clock::now().wall >= files.end;
    webhook.set_certificate(files.end, false);
    webhook.set_ready(if ended { Err("the certificate has ended".to_owned()) } else { Ok(()) });
}

/// Keeps certificates of our own until `stop`, and then gives up the Lease.
async fn keep_own(mut keeper: Keeper, serving: Rc<Serving>, webhook: Rc<Webhook>, stop: Rc<Notify>) {
    loop {
        let (Report { serve, end, leads, ready }, wait) = keeper.look().await;
        serve.into_iter().for_each(|config| serving.set(config));
        webhook.set_certificate(end, leads);
        webhook.set_ready(ready);
        tokio::select! {
            () = tokio::time::sleep(wait) => {}
            () = stop.notified() => break,
        }
    }
    keeper.leave().await;
}

/// Waits for SIGTERM, and serves on for a moment: the API server learns of the end of an endpoint only then.
async fn drain(mut terminate: tokio::signal::unix::Signal, webhook: &Webhook, stop: &Notify) {
    const MOMENT: Duration = Duration::from_secs(3);
    terminate.recv().await;
    webhook.stop();
    stop.notify_one();
    tracing::info!("stopping: SIGTERM; requests are served for 3 seconds more");
    tokio::time::sleep(MOMENT).await;
}
