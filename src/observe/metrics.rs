//! `/metrics`: the [`View`] as OpenMetrics text.
//!
//! Labels are names of the configuration (files, notifiers), never paths or leases, so that the
//! number of series is fixed when we start.

use std::fmt::Error;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeCounterValue, EncodeGaugeValue, text};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::exemplar::Exemplar;
use prometheus_client::registry::{Registry, Unit};

use super::status;
use crate::core::view::{FileView, NotifierView, View};

/// The media type of [`render`]'s text.
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// The states of `leasehold_state`, exactly one of which is 1.
const STATES: [&str; 4] = ["ready", "server_down", "not_rendered", "expired"];

/// The text of one scrape.
#[must_use]
pub fn render(view: View) -> String {
    let mut registry = Registry::with_prefix("leasehold");
    registry.register_collector(Box::new(Scrape(view)));
    let mut text = String::new();
    text::encode(&mut text, &registry).expect("writing into a String cannot fail");
    text
}

#[derive(Debug)]
struct Scrape(View);

impl Collector for Scrape {
    fn encode(&self, encoder: DescriptorEncoder<'_>) -> Result<(), Error> {
        let mut writer = Writer { encoder };
        let view = &self.0;
        whole(&mut writer, view)?;
        files(&mut writer, view)?;
        secrets(&mut writer, view)?;
        notifiers(&mut writer, view)?;
        counters(&mut writer, view)
    }
}

fn whole(writer: &mut Writer<'_>, view: &View) -> Result<(), Error> {
    let version = [("version", env!("CARGO_PKG_VERSION"))];
    writer
        .encoder
        .encode_descriptor("build", "What is running", None, MetricType::Info)?
        .encode_info(&version)?;
    let ready = u32::from(view.readiness.is_ready());
    writer.gauge(
        "ready",
        "Whether every file is published and none is past its expiry",
        None,
        Some(ready),
    )?;
    let current = status::state(&view.readiness);
    let states = STATES.map(|state| (state, u32::from(state == current)));
    writer.gauges("state", "1 for the current state of readiness", None, "state", states)?;
    let up = u32::from(view.outage.is_none());
    writer.gauge("server_up", "Whether the server answers", None, Some(up))?;
    let down = view.outage.as_ref().map_or(0, |outage| -status::until(view.now, outage.since));
    writer.gauge(
        "server_down",
        "Since the server stopped answering; 0 while it does",
        SECONDS,
        Some(down),
    )?;
    let ttl = view.token.as_ref().and_then(|token| token.expires);
    let ttl = ttl.map(|at| status::until(view.now, at));
    writer.gauge("token_ttl", "What is left of the token; absent where it does not end", SECONDS, ttl)
}

fn files(writer: &mut Writer<'_>, view: &View) -> Result<(), Error> {
    let by_file = |value: fn(&View, &FileView) -> Option<i64>| {
        view.files.iter().filter_map(move |file| Some((file.name.as_str(), value(view, file)?)))
    };
    let published = by_file(|_, file| Some(i64::from(file.generation.is_some())));
    writer.gauges("file_published", "Whether the file is on disk", None, "file", published)?;
    let generation = by_file(|_, file| i64::try_from(file.generation?).ok());
    writer.gauges("file_generation", "The generation on disk", None, "file", generation)?;
    let expiry = by_file(|view, file| Some(status::until(view.now, file.expires?)));
    let help = "Until the first of its secrets ends, negative where that is past; absent where none does";
    writer.gauges("file_expiry", help, SECONDS, "file", expiry)?;
    let age = by_file(|view, file| Some(-status::until(view.now, file.changed?)));
    writer.gauges("file_age", "Since the file last changed in this run", SECONDS, "file", age)?;
    let error = by_file(|_, file| Some(i64::from(file.error.is_some())));
    writer.gauges("file_error", "Whether something keeps the file from being true", None, "file", error)?;
    let renders = view.files.iter().map(|file| (file.name.as_str(), file.renders));
    writer.counters("file_renders", "How often the file was rendered", "file", renders)
}

fn secrets(writer: &mut Writer<'_>, view: &View) -> Result<(), Error> {
    writer.gauge("secrets", "How many secrets are kept", None, Some(view.secrets.len()))?;
    let failing = view.secrets.iter().filter(|secret| secret.error.is_some()).count();
    writer.gauge("secrets_failing", "Of these, how many failed last", None, Some(failing))?;
    let sum = |count: fn(&crate::core::view::SecretView) -> u64| view.secrets.iter().map(count).sum();
    writer.counter("secret_reads", "Reads of secrets", sum(|secret| secret.reads))?;
    writer.counter("secret_renewals", "Renewals of leases", sum(|secret| secret.renewals))?;
    writer.counter("secret_replacements", "Leases minted anew", sum(|secret| secret.replacements))
}

fn notifiers(writer: &mut Writer<'_>, view: &View) -> Result<(), Error> {
    let by_name = |value: fn(&NotifierView) -> u64| {
        view.notifiers.iter().map(move |notifier| (notifier.name.as_str(), value(notifier)))
    };
    let failing = by_name(|notifier| u64::from(notifier.error.is_some()));
    writer.gauges("notifier_error", "Whether telling it failed last", None, "notifier", failing)?;
    let sent = by_name(|notifier| notifier.sent);
    writer.counters("notifications", "How often it was told", "notifier", sent)?;
    let failed = by_name(|notifier| notifier.failed);
    writer.counters("notification_failures", "How often that failed", "notifier", failed)
}

fn counters(writer: &mut Writer<'_>, view: &View) -> Result<(), Error> {
    let counters = &view.counters;
    writer.counter("logins", "Logins that were granted", counters.logins)?;
    writer.counter("login_failures", "Logins that were refused or failed", counters.failed_logins)?;
    writer.counter("requests", "Requests sent to the server", counters.requests)?;
    writer.counter("request_failures", "Requests that failed", counters.failures)?;
    writer.counter("publishes", "Generations published", counters.publishes)
}

const SECONDS: Option<&Unit> = Some(&Unit::Seconds);

/// Writes families; one without values is left out.
struct Writer<'a> {
    encoder: DescriptorEncoder<'a>,
}

impl Writer<'_> {
    fn gauge(
        &mut self,
        name: &str,
        help: &str,
        unit: Option<&Unit>,
        value: Option<impl EncodeGaugeValue>,
    ) -> Result<(), Error> {
        let Some(value) = value else { return Ok(()) };
        self.encoder.encode_descriptor(name, help, unit, MetricType::Gauge)?.encode_gauge(&value)
    }

    fn gauges<'v, V: EncodeGaugeValue>(
        &mut self,
        name: &str,
        help: &str,
        unit: Option<&Unit>,
        label: &str,
        values: impl IntoIterator<Item = (&'v str, V)>,
    ) -> Result<(), Error> {
        let mut values = values.into_iter().peekable();
        if values.peek().is_none() {
            return Ok(());
        }
        let mut family = self.encoder.encode_descriptor(name, help, unit, MetricType::Gauge)?;
        values.try_for_each(|(of, value)| family.encode_family(&[(label, of)])?.encode_gauge(&value))
    }

    fn counter(&mut self, name: &str, help: &str, value: u64) -> Result<(), Error> {
        let mut metric = self.encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
        metric.encode_counter(&value, NO_EXEMPLAR)
    }

    fn counters<'v, V: EncodeCounterValue>(
        &mut self,
        name: &str,
        help: &str,
        label: &str,
        values: impl IntoIterator<Item = (&'v str, V)>,
    ) -> Result<(), Error> {
        let mut values = values.into_iter().peekable();
        if values.peek().is_none() {
            return Ok(());
        }
        let mut family = self.encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
        values.try_for_each(|(of, value)| {
            family.encode_family(&[(label, of)])?.encode_counter(&value, NO_EXEMPLAR)
        })
    }
}

const NO_EXEMPLAR: Option<&Exemplar<[(&str, &str); 0], u64>> = None;

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::core::time::Moment;
    use crate::core::view::{Outage, Readiness};
    use crate::observe::sample;

    fn has(text: &str, line: &str) {
        assert!(text.lines().any(|one| one == line), "{line} is not in:\n{text}");
    }

    #[test]
    fn a_scrape_has_a_series_for_each_file_and_notifier() {
        let text = render(sample::view());
        for line in [
            "leasehold_ready 1",
            "leasehold_state{state=\"ready\"} 1",
            "leasehold_state{state=\"expired\"} 0",
            "leasehold_server_up 1",
            "leasehold_server_down_seconds 0",
            "leasehold_token_ttl_seconds 1800",
            "leasehold_file_generation{file=\"db.env\"} 4",
            "leasehold_file_expiry_seconds{file=\"db.env\"} 600",
            "leasehold_file_age_seconds{file=\"db.env\"} 100",
            "leasehold_file_renders_total{file=\"db.env\"} 5",
            "leasehold_file_published{file=\"api-key\"} 1",
            "leasehold_secrets 2",
            "leasehold_secret_renewals_total 3",
            "leasehold_notifier_error{notifier=\"app\"} 1",
            "leasehold_notification_failures_total{notifier=\"app\"} 1",
            "leasehold_requests_total 12",
            "# TYPE leasehold_requests counter",
            "# UNIT leasehold_file_expiry_seconds seconds",
        ] {
            has(&text, line);
        }
        assert!(!text.contains("file_expiry_seconds{file=\"api-key\"}"), "what does not end has no expiry");
        assert!(text.ends_with("# EOF\n"));
    }

    #[test]
    fn neither_paths_nor_leases_nor_accessors_become_series() {
        let text = render(sample::view());
        for word in ["database/creds", "secret/data", "AbC", "acc\""] {
            assert!(!text.contains(word), "{word} in:\n{text}");
        }
    }

    #[test]
    fn an_outage_and_an_expiry_show() {
        let mut view = sample::view();
        view.now = view.now.after(Duration::from_secs(700));
        view.outage = Some(Outage { since: Moment::new(Duration::from_secs(10_000)), why: "refused".into() });
        view.readiness = Readiness::Expired { file: "db.env".into(), why: String::new() };
        let text = render(view);
        has(&text, "leasehold_ready 0");
        has(&text, "leasehold_state{state=\"expired\"} 1");
        has(&text, "leasehold_server_up 0");
        has(&text, "leasehold_server_down_seconds 700");
        has(&text, "leasehold_file_expiry_seconds{file=\"db.env\"} -100");
    }

    #[test]
    fn a_name_cannot_break_out_of_its_label() {
        let mut view = sample::view();
        view.files[0].name = "a\"} 1\nforged 2\\".into();
        let text = render(view);
        has(&text, "leasehold_file_renders_total{file=\"a\\\"} 1\\nforged 2\\\\\"} 5");
        assert!(!text.lines().any(|line| line.starts_with("forged")));
    }
}
