//! `/metrics`: the [`View`] as OpenMetrics text.
//!
//! Labels are names of the configuration (files, notifiers), words of fixed sets, and places; never
//! paths or leases. So the number of series is bounded by the configuration, and by
//! `secrets::MOST` and `files::MOST` where there are thousands.

mod files;
mod secrets;
mod writer;

use std::fmt::Error;
use std::time::Duration;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, text};
use prometheus_client::registry::Registry;

use self::writer::{Distribution, SECONDS, Writer};
use super::status;
use crate::core::view::{NotifierView, SecretView, StoreView, View};
use crate::observe::certificate::CertificateView;
use crate::sandbox;
use crate::vault::meter::{BOUNDS, Tally};
use leasehold_base::time::Moment;

/// The media type of [`render`]'s text.
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// The states of `leasehold_state`, exactly one of which is 1.
const STATES: [&str; 6] = ["ready", "server_down", "store_down", "not_rendered", "lost", "expired"];

/// The states of `leasehold_breaker`.
const BREAKER: [&str; 3] = ["closed", "narrow", "open"];

/// The facts besides the view, which the core does not know.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Besides {
    /// The requests that were sent.
    pub requests: Tally,
    /// The size of each file's last rendering, by [`FileId`](crate::core::ids::FileId); none for a
    /// variable, and for what was not rendered yet.
    pub bytes: Vec<Option<usize>>,
    /// The part of the sandbox that is in force.
    pub sandbox: sandbox::State,
    /// Our own certificates.
    pub certificates: Vec<CertificateView>,
    /// The configuration and the process.
    pub about: About,
}

/// The configuration and the process, for `/status`. As a label, each place would be one series more.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct About {
    /// The server's address, as resolved from the configuration and the environment.
    pub address: String,
    /// The method of its logins.
    pub method: &'static str,
    /// The mount below `auth/`.
    pub mount: String,
    /// The role or the user, if the method names one.
    pub role: Option<String>,
    /// The kind of each store that is no Vault, in the order of the view's.
    pub backends: Vec<&'static str>,
    /// The files and variables that the configuration comes from.
    pub configuration: Vec<String>,
    /// The variables that are in force in place of a value of theirs.
    pub overrides: Vec<String>,
    /// The moment when the process started.
    pub started: Moment,
    /// The reason why the configuration could not be read again at the last SIGHUP.
    pub reload_error: Option<String>,
    /// The longest life that the current token was seen to have.
    pub token_life: Option<Duration>,
}

/// Returns the text of one scrape.
#[must_use]
pub fn render(view: View, besides: Besides) -> String {
    let mut registry = Registry::with_prefix("leasehold");
    registry.register_collector(Box::new(Scrape { view, besides }));
    let mut text = String::new();
    text::encode(&mut text, &registry).expect("writing into a String cannot fail");
    text
}

#[derive(Debug)]
struct Scrape {
    view: View,
    besides: Besides,
}

impl Collector for Scrape {
    fn encode(&self, encoder: DescriptorEncoder<'_>) -> Result<(), Error> {
        let mut writer = Writer::new(encoder);
        let (view, besides) = (&self.view, &self.besides);
        whole(&mut writer, view, besides.sandbox)?;
        stores(&mut writer, view)?;
        login(&mut writer, view, &besides.about)?;
        process(&mut writer, view, &besides.about)?;
        certificates(&mut writer, &besides.certificates)?;
        files::write(&mut writer, view, &besides.bytes)?;
        secrets::write(&mut writer, view)?;
        notifiers(&mut writer, view)?;
        requests(&mut writer, &besides.requests)?;
        counters(&mut writer, view)
    }
}

fn whole(writer: &mut Writer<'_>, view: &View, sandbox: sandbox::State) -> Result<(), Error> {
    let build = [("version", env!("CARGO_PKG_VERSION")), ("arch", std::env::consts::ARCH)];
    writer.info("build", "What is running", build)?;
    let ready = u32::from(view.readiness.is_ready());
    let help = "Whether every file is published and none is past its expiry";
    writer.gauge("ready", help, None, Some(ready))?;
    let help = "1 for the current state of readiness";
    writer.state("state", help, &STATES, status::state(&view.readiness))?;
    let up = u32::from(view.outage.is_none());
    writer.gauge("server_up", "Whether the server answers", None, Some(up))?;
    let down = view.outage.as_ref().map_or(0, |outage| -status::until(view.now, outage.since));
    let help = "Since the server stopped answering; 0 while it does";
    writer.gauge("server_down", help, SECONDS, Some(down))?;
    let silent = view.silence.map_or(0, |since| -status::until(view.now, since));
    let help = "Since the server has answered nothing although it was asked; 0 where that is less than three seconds";
    writer.gauge("server_silent", help, SECONDS, Some(silent))?;
    let help = "1 for how requests pass: closed, all; narrow, one at a time; open, a probe only";
    writer.state("breaker", help, &BREAKER, status::breaker(view.breaker))?;
    let help = "1 for how much of the sandbox is in force; left_off where a child would inherit it";
    writer.state("sandbox", help, &sandbox::State::ALL.map(sandbox::State::name), sandbox.name())?;
    Ok(())
}

fn stores(writer: &mut Writer<'_>, view: &View) -> Result<(), Error> {
    fn of(store: &StoreView) -> [(&'static str, &str); 1] {
        [("backend", store.name.as_str())]
    }
    let up = view.stores.iter().map(|store| (of(store), u32::from(store.outage.is_none())));
    writer.gauges("backend_up", "Whether the store that is no Vault answers", None, up)?;
    let answers = view.stores.iter().map(|store| (of(store), store.answers));
    writer.counters("backend_answers", "Answers of the store, whatever they said", answers)?;
    let failures = view.stores.iter().map(|store| (of(store), store.failures));
    writer.counters("backend_failures", "Requests to the store that failed", failures)
}

fn login(writer: &mut Writer<'_>, view: &View, about: &About) -> Result<(), Error> {
    let help = "Whether there is a login to make requests with";
    writer.gauge("logged_in", help, None, Some(u32::from(view.logged_out.is_none())))?;
    let failing = view.login.as_ref().map_or(0, |login| -status::until(view.now, login.since).min(-1));
    let help = "Since logins that are wanted are refused or fail; 0 while none is";
    writer.gauge("login_failing", help, SECONDS, Some(failing))?;
    let help = "Whether an earlier run of Leasehold opened the wrapping token at hand: deliver another before the login ends";
    writer.gauge("credentials_used_up", help, None, Some(u32::from(view.used_up)))?;
    let ttl = view.token.as_ref().and_then(|token| token.expires);
    let ttl = ttl.map(|at| status::until(view.now, at));
    writer.gauge("token_ttl", "What is left of the token; absent where it does not end", SECONDS, ttl)?;
    let granted = view.token.as_ref().and_then(|token| token.granted);
    let granted = granted.max(about.token_life.filter(|_| granted.is_some())).map(|life| life.as_secs());
    let help = "The life that the token was granted at its login; absent where it does not end";
    writer.gauge("token_life", help, SECONDS, granted)?;
    let next = view.token.as_ref().and_then(|token| token.next);
    let next =
        next.map(|(action, at)| ([("action", status::action_name(action))], status::until(view.now, at)));
    writer.gauges("token_next", "Until the next action about the token", SECONDS, next)
}

fn process(writer: &mut Writer<'_>, view: &View, about: &About) -> Result<(), Error> {
    let uptime = -status::until(view.now, about.started);
    writer.gauge("uptime", "Since the process started", SECONDS, Some(uptime))?;
    let error = u32::from(about.reload_error.is_some());
    let help = "Whether the configuration could not be read again at the last SIGHUP, and the one before is in force";
    writer.gauge("reload_error", help, None, Some(error))
}

fn certificates(writer: &mut Writer<'_>, all: &[CertificateView]) -> Result<(), Error> {
    let help = "Until our own certificate of that key ends, negative where that is past";
    let left = all.iter().map(|one| ([("key", one.key)], one.left));
    writer.gauges("certificate_expiry", help, SECONDS, left)
}

fn notifiers(writer: &mut Writer<'_>, view: &View) -> Result<(), Error> {
    let by_name = |value: fn(&NotifierView) -> u64| {
        view.notifiers.iter().map(move |one| ([("notifier", one.name.as_str())], value(one)))
    };
    let failing = by_name(|notifier| u64::from(notifier.error.is_some()));
    writer.gauges("notifier_error", "Whether the last notification failed", None, failing)?;
    let told = view
        .notifiers
        .iter()
        .filter_map(|one| Some(([("notifier", one.name.as_str())], -status::until(view.now, one.told?))));
    writer.gauges("notifier_age", "Time since the last notification", SECONDS, told)?;
    let sent = by_name(|notifier| notifier.sent);
    writer.counters("notifications", "Notifications sent", sent)?;
    let failed = by_name(|notifier| notifier.failed);
    writer.counters("notification_failures", "How often that failed", failed)
}

fn requests(writer: &mut Writer<'_>, requests: &Tally) -> Result<(), Error> {
    let results = requests.iter().flat_map(|(operation, measured)| {
        let labels = |class| [("operation", operation.name()), ("class", class)];
        measured.results.iter().map(move |(class, count)| (labels(*class), *count))
    });
    writer.counters(
        "request_results",
        "Answers of the server, and their absence, by what they mean",
        results,
    )?;
    let times = requests.iter().map(|(operation, measured)| {
        let bounds = BOUNDS.into_iter().chain([f64::INFINITY]);
        let buckets = bounds.zip(measured.buckets).collect();
        ([("operation", operation.name())], Distribution { buckets, sum: measured.seconds })
    });
    writer.histograms("request_duration", "How long requests to the server took", SECONDS, times)
}

fn counters(writer: &mut Writer<'_>, view: &View) -> Result<(), Error> {
    let counters = &view.counters;
    writer.counter("logins", "Logins that were granted", counters.logins)?;
    writer.counter("login_failures", "Logins that were refused or failed", counters.failed_logins)?;
    writer.counter("requests", "Requests sent to the server", counters.requests)?;
    writer.counter("request_failures", "Requests that failed", counters.failures)?;
    let sum = |count: fn(&SecretView) -> u64| view.secrets.iter().map(count).sum();
    writer.counter("reads", "Reads of all secrets that are kept", sum(|secret| secret.reads))?;
    writer.counter("renewals", "Renewals of leases", sum(|secret| secret.renewals))?;
    writer.counter("replacements", "Secrets minted anew", sum(|secret| secret.replacements))?;
    writer.counter("publishes", "Generations published", counters.publishes)
}

#[cfg(test)]
mod tests;
