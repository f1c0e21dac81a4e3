//! `/status`: the [`View`] as JSON, with times told from now, in seconds.
//!
//! Its schema is published in `docs/status.schema.json`, and a test holds the two together.
//! Fields are added, never renamed; whoever reads it (`leasehold status` of another version, for
//! one) ignores what it does not know. It names paths, leases and accessors, and no value.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::metrics::Besides;
use super::readiness;
use crate::core::view::{
    BreakerView, Counters, FileView, NextAction, NotifierView, Readiness, SecretView, TokenView, View,
};
use leasehold_base::time::Moment;

/// Everything at one moment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// Leasehold's version.
    pub version: String,
    /// Whether the files can be relied on: `/readyz` answers 200.
    pub ready: bool,
    /// `ready`, `server_down`, `not_rendered`, `lost` or `expired`.
    pub state: String,
    /// The body of `/readyz`.
    pub reason: String,
    /// Whether the server answers.
    pub server: Server,
    /// The current login.
    pub token: Option<Token>,
    /// The login that is wanted and fails, where one does.
    #[serde(default)]
    pub login: Option<Login>,
    /// The wrapping token at hand was opened by an earlier run of this pod: deliver another before the login ends.
    #[serde(default)]
    pub credentials_used_up: bool,
    /// Our own certificates: that of the connection to the server, and the listener's.
    #[serde(default)]
    pub certificates: Vec<Certificate>,
    /// The files, as configured.
    pub files: Vec<File>,
    /// What they are made of.
    pub secrets: Vec<Secret>,
    /// Who is told.
    pub notifiers: Vec<Notifier>,
    /// Counts since the start.
    pub counters: Counts,
}

/// Whether the server answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Server {
    /// Whether it does.
    pub up: bool,
    /// For how long it has not, in seconds.
    pub down_seconds: Option<i64>,
    /// The last failure.
    pub error: Option<String>,
    /// How requests pass: `closed`, all; `narrow`, one at a time; `open`, a probe only.
    #[serde(default)]
    pub breaker: String,
}

/// The current login.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Token {
    /// Names it in the server's audit log; empty for a batch token.
    pub accessor: String,
    /// Until it ends; negative where that is past, absent where it does not end.
    pub ttl_seconds: Option<i64>,
    /// What is done about it.
    pub next: Option<Next>,
}

/// A login that is wanted and fails.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Login {
    /// For how long logins have failed, in seconds.
    pub failing_seconds: i64,
    /// The last failure.
    pub error: String,
    /// Until it is tried again; absent while that is under way.
    pub next_in_seconds: Option<i64>,
}

/// A certificate of our own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Certificate {
    /// The key of the configuration that names it.
    pub key: String,
    /// Its file.
    pub file: String,
    /// Until it ends; negative where that is past.
    pub expires_in_seconds: i64,
    /// What is wrong, where it ends soon or has ended.
    pub error: Option<String>,
}

/// What happens next about something.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Next {
    /// `log_in`, `read`, `renew`, `replace` or `retry`.
    pub action: String,
    /// When; 0 or less where it is under way.
    pub in_seconds: i64,
}

/// One file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct File {
    /// As configured.
    pub name: String,
    /// The generation on disk; absent before the first.
    pub generation: Option<u64>,
    /// Since it last changed on disk in this run.
    pub changed_seconds_ago: Option<i64>,
    /// Until the first of its secrets ends; negative where that is past.
    pub expires_in_seconds: Option<i64>,
    /// What keeps it from being true.
    pub error: Option<String>,
    /// The same as one word of a fixed set.
    #[serde(default)]
    pub error_class: Option<String>,
    /// The sources of its secrets.
    pub sources: Vec<String>,
    /// How often it was rendered.
    pub renders: u64,
}

/// One secret: where it comes from, never what it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Secret {
    /// Names it in the log, in the field `secret`, from its first request to its last.
    #[serde(default)]
    pub id: String,
    /// Its path, with the names of its arguments.
    pub source: String,
    /// Its version, where the engine counts them.
    pub version: Option<u64>,
    /// Its lease, where it has one.
    pub lease: Option<String>,
    /// Until it ends: the lease's or the token's end, whichever is first.
    pub expires_in_seconds: Option<i64>,
    /// Since it was last read or renewed with success.
    pub fresh_seconds_ago: Option<i64>,
    /// What happens next about it.
    pub next: Option<Next>,
    /// The last failure, until the next success.
    pub error: Option<String>,
    /// The same as one word of a fixed set.
    #[serde(default)]
    pub error_class: Option<String>,
    /// How often it was read.
    pub reads: u64,
    /// How often its lease was renewed.
    pub renewals: u64,
    /// How often it was minted anew.
    pub replacements: u64,
}

/// One notifier.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notifier {
    /// As configured.
    pub name: String,
    /// Since it was last told.
    pub told_seconds_ago: Option<i64>,
    /// The last failure, until the next success.
    pub error: Option<String>,
    /// How often it was told.
    pub sent: u64,
    /// How often that failed.
    pub failed: u64,
}

/// Counts since the start.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Logins that were granted.
    pub logins: u64,
    /// Logins that were refused or failed.
    pub failed_logins: u64,
    /// Requests sent.
    pub requests: u64,
    /// Requests that failed.
    pub failures: u64,
    /// Generations published.
    pub publishes: u64,
}

impl Status {
    /// How everything stands, with what the core knows nothing of.
    #[must_use]
    pub fn of(view: &View, besides: &Besides) -> Self {
        let certificates = besides.certificates.iter().map(|one| Certificate {
            key: one.key.to_owned(),
            file: one.file.clone(),
            expires_in_seconds: one.left,
            error: one.error.clone(),
        });
        Self { certificates: certificates.collect(), ..Self::from(view) }
    }
}

impl From<&View> for Status {
    fn from(view: &View) -> Self {
        let now = view.now;
        Self {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            ready: view.readiness.is_ready(),
            state: state(&view.readiness).to_owned(),
            reason: readiness::line(&view.readiness, view.now),
            server: Server {
                up: view.outage.is_none(),
                down_seconds: view.outage.as_ref().map(|outage| -until(now, outage.since)),
                error: view.outage.as_ref().map(|outage| outage.why.clone()),
                breaker: breaker(view.breaker).to_owned(),
            },
            token: view.token.as_ref().map(|token| Token::at(now, token)),
            login: view.login.as_ref().map(|login| Login {
                failing_seconds: -until(now, login.since),
                error: login.why.clone(),
                next_in_seconds: login.next.map(|at| until(now, at)),
            }),
            credentials_used_up: view.used_up,
            certificates: Vec::new(),
            files: view.files.iter().map(|file| File::at(view, file)).collect(),
            secrets: view.secrets.iter().map(|secret| Secret::at(now, secret)).collect(),
            notifiers: view.notifiers.iter().map(|notifier| Notifier::at(now, notifier)).collect(),
            counters: view.counters.into(),
        }
    }
}

impl Token {
    fn at(now: Moment, token: &TokenView) -> Self {
        Self {
            accessor: token.accessor.clone(),
            ttl_seconds: token.expires.map(|at| until(now, at)),
            next: Next::at(now, token.next),
        }
    }
}

impl Next {
    fn at(now: Moment, next: Option<(NextAction, Moment)>) -> Option<Self> {
        next.map(|(action, at)| Self { action: action_name(action).to_owned(), in_seconds: until(now, at) })
    }
}

impl File {
    fn at(view: &View, file: &FileView) -> Self {
        let sources = file.secrets.iter().filter_map(|&index| view.secrets.get(index));
        Self {
            name: file.name.clone(),
            generation: file.generation,
            changed_seconds_ago: file.changed.map(|at| -until(view.now, at)),
            expires_in_seconds: file.expires.map(|at| until(view.now, at)),
            error: file.error.as_ref().map(|fault| fault.text.clone()),
            error_class: file.error.as_ref().map(|fault| fault.class.to_owned()),
            sources: sources.map(|secret| secret.source.clone()).collect(),
            renders: file.renders,
        }
    }
}

impl Secret {
    fn at(now: Moment, secret: &SecretView) -> Self {
        Self {
            id: secret.id.clone(),
            source: secret.source.clone(),
            version: secret.version,
            lease: secret.lease.clone(),
            expires_in_seconds: secret.expires.map(|at| until(now, at)),
            fresh_seconds_ago: secret.fresh.map(|at| -until(now, at)),
            next: Next::at(now, secret.next),
            error: secret.error.as_ref().map(|fault| fault.text.clone()),
            error_class: secret.error.as_ref().map(|fault| fault.class.to_owned()),
            reads: secret.reads,
            renewals: secret.renewals,
            replacements: secret.replacements,
        }
    }
}

impl Notifier {
    fn at(now: Moment, notifier: &NotifierView) -> Self {
        Self {
            name: notifier.name.clone(),
            told_seconds_ago: notifier.told.map(|at| -until(now, at)),
            error: notifier.error.clone(),
            sent: notifier.sent,
            failed: notifier.failed,
        }
    }
}

impl From<Counters> for Counts {
    fn from(counters: Counters) -> Self {
        Self {
            logins: counters.logins,
            failed_logins: counters.failed_logins,
            requests: counters.requests,
            failures: counters.failures,
            publishes: counters.publishes,
        }
    }
}

/// Seconds from `now` to `at`, negative where that is past.
pub(super) fn until(now: Moment, at: Moment) -> i64 {
    let whole = |duration: Duration| i64::try_from(duration.as_secs()).unwrap_or(i64::MAX);
    if at >= now { whole(now.until(at)) } else { -whole(at.until(now)) }
}

/// The name of a state; also a label of the metrics.
pub(super) fn state(readiness: &Readiness) -> &'static str {
    match readiness {
        // What is on disk is as good: /readyz, `login` and leasehold_login_failing tell the two apart.
        Readiness::Ready | Readiness::ReadyWithoutLogin { .. } => "ready",
        Readiness::ReadyWithoutServer { .. } => "server_down",
        Readiness::NotRendered { .. } => "not_rendered",
        Readiness::Lost { .. } => "lost",
        Readiness::Expired { .. } => "expired",
    }
}

/// The name of a state of the breaker; also a label of the metrics.
pub(super) fn breaker(breaker: BreakerView) -> &'static str {
    match breaker {
        BreakerView::Closed => "closed",
        BreakerView::Narrow => "narrow",
        BreakerView::Open => "open",
    }
}

/// The name of an action; also a label of the metrics.
pub(super) fn action_name(action: NextAction) -> &'static str {
    match action {
        NextAction::LogIn => "log_in",
        NextAction::Read => "read",
        NextAction::Renew => "renew",
        NextAction::Replace => "replace",
        NextAction::Retry => "retry",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observe::sample;

    #[test]
    fn times_are_told_from_now() {
        let view = sample::view();
        let status = Status::from(&view);
        assert!(status.ready);
        let token = status.token.expect("logged in");
        assert_eq!(token.ttl_seconds, Some(1800));
        assert_eq!(token.next, Some(Next { action: "renew".into(), in_seconds: 900 }));
        assert_eq!(status.files[0].changed_seconds_ago, Some(100));
        assert_eq!(status.files[0].expires_in_seconds, Some(600));
        assert_eq!(status.files[0].sources, ["database/creds/web"]);
        assert_eq!(status.secrets[0].fresh_seconds_ago, Some(20));
        assert_eq!(status.secrets[0].lease.as_deref(), Some("database/creds/web/AbC"));
        assert_eq!(status.notifiers[0].told_seconds_ago, Some(99));
    }

    #[test]
    fn what_is_past_is_negative() {
        let mut view = sample::view();
        view.now = view.now.after(Duration::from_secs(700));
        assert_eq!(Status::from(&view).files[0].expires_in_seconds, Some(-100));
    }

    #[test]
    fn the_json_keeps_its_names() {
        let json = serde_json::to_value(Status::from(&sample::view())).expect("serializes");
        assert_eq!(json["state"], "ready");
        assert_eq!(
            json["server"],
            serde_json::json!({"up": true, "down_seconds": null, "error": null, "breaker": "closed"})
        );
        assert_eq!(json["files"][0]["name"], "db.env");
        assert_eq!(json["files"][0]["generation"], 4);
        assert_eq!(json["secrets"][0]["source"], "database/creds/web");
        assert_eq!(json["secrets"][0]["next"], serde_json::json!({"action": "renew", "in_seconds": 300}));
        assert_eq!(json["notifiers"][0]["error"], "no answer");
        assert_eq!(json["counters"]["requests"], 12);
    }

    #[test]
    fn an_older_reader_ignores_what_it_does_not_know() {
        let mut json = serde_json::to_value(Status::from(&sample::view())).expect("serializes");
        json["files"][0]["weight"] = "new".into();
        json["mood"] = "new".into();
        let status: Status = serde_json::from_value(json).expect("reads");
        assert_eq!(status, Status::from(&sample::view()));
    }

    #[test]
    fn the_end_of_time_fits() {
        let end = Moment::new(Duration::MAX);
        assert_eq!(until(Moment::default(), end), i64::MAX);
        assert_eq!(until(end, Moment::default()), -i64::MAX);
    }
}
