//! A status made of the core's view.

use std::time::Duration;

use super::{
    Auth, Backend, Certificate, Counts, File, Login, Next, Notifier, Process, Secret, Server, Status, Token,
};
use crate::core::view::{
    BreakerView, Counters, Fault, FileView, Health, NextAction, NotifierView, Readiness, SecretView,
    StoreView, TokenView, View,
};
use crate::observe::metrics::Besides;
use crate::observe::{advice, readiness};
use leasehold_base::time::Moment;

impl Status {
    /// Returns the state of everything, with what the core does not know.
    #[must_use]
    pub fn of(view: &View, besides: &Besides) -> Self {
        let certificates = besides.certificates.iter().map(|one| Certificate {
            key: one.key.to_owned(),
            file: one.file.clone(),
            expires_in_seconds: one.left,
            error: one.error.clone(),
        });
        let about = &besides.about;
        let mut status = Self::from(view);
        status.certificates = certificates.collect();
        status.server.address = Some(about.address.clone()).filter(|address| !address.is_empty());
        status.auth = (!about.method.is_empty()).then(|| Auth {
            method: about.method.to_owned(),
            mount: about.mount.clone(),
            role: about.role.clone(),
        });
        for (backend, kind) in status.backends.iter_mut().zip(&about.backends) {
            backend.kind = (*kind).to_owned();
        }
        status.process = Some(Process {
            uptime_seconds: -until(view.now, about.started),
            configuration: about.configuration.clone(),
            overrides: about.overrides.clone(),
            reload_error: about.reload_error.clone(),
        });
        status.next = advice::of(&status);
        status
    }
}

impl From<&View> for Status {
    fn from(view: &View) -> Self {
        let now = view.now;
        Self {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            ready: view.readiness.is_ready(),
            state: state(&view.readiness).to_owned(),
            reason: readiness::line(&view.outlook()),
            next: None,
            server: Server {
                up: view.outage.is_none(),
                down_seconds: view.outage.as_ref().map(|outage| -until(now, outage.since)),
                error: view.outage.as_ref().map(|outage| outage.why.clone()),
                silent_seconds: view.silence.map(|since| -until(now, since)),
                breaker: breaker(view.breaker).to_owned(),
                address: None,
            },
            backends: view.stores.iter().map(|store| Backend::at(now, store)).collect(),
            logged_in: view.logged_out.is_none(),
            token: view.token.as_ref().map(|token| Token::at(now, token)),
            login: Login::at(view),
            auth: None,
            process: None,
            credentials_used_up: view.used_up,
            certificates: Vec::new(),
            files: view.files.iter().map(|file| File::at(view, file)).collect(),
            secrets: view.secrets.iter().map(|secret| Secret::at(now, secret)).collect(),
            notifiers: view.notifiers.iter().map(|notifier| Notifier::at(now, notifier)).collect(),
            counters: view.counters.into(),
        }
    }
}

impl Login {
    /// Returns the login's trouble. At the start there is none yet: something has to have been published.
    fn at(view: &View) -> Option<Self> {
        let since = view.logged_out.filter(|_| view.files.iter().any(|file| file.generation.is_some()));
        let trouble = view.login.as_ref();
        let state = match (since.or(view.logged_out.filter(|_| trouble.is_some())), trouble) {
            (None, None) => return None,
            (Some(_), _) => "logged_out",
            (None, Some(_)) => "failing",
        };
        let under_way = || "the token is gone, and another login is under way".to_owned();
        Some(Self {
            state: state.to_owned(),
            logged_out_seconds: view.logged_out.map(|at| -until(view.now, at)),
            failing_seconds: trouble.map_or(0, |login| -until(view.now, login.since)),
            error: trouble.map_or_else(under_way, |login| login.why.clone()),
            next_in_seconds: trouble.and_then(|login| login.next).map(|at| until(view.now, at)),
        })
    }
}

impl Backend {
    fn at(now: Moment, store: &StoreView) -> Self {
        Self {
            name: store.name.clone(),
            kind: String::new(),
            up: store.outage.is_none(),
            down_seconds: store.outage.as_ref().map(|outage| -until(now, outage.since)),
            error: store.outage.as_ref().map(|outage| outage.why.clone()),
            answers: store.answers,
            failures: store.failures,
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
        let fault = fault(file.error.as_ref(), file.health);
        let sources = file.secrets.iter().filter_map(|&index| view.secrets.get(index));
        Self {
            name: file.name.clone(),
            generation: file.generation,
            changed_seconds_ago: file.changed.map(|at| -until(view.now, at)),
            expires_in_seconds: file.expires.map(|at| until(view.now, at)),
            state: file.health.name().to_owned(),
            error: fault.as_ref().map(|fault| fault.text.clone()),
            error_class: fault.as_ref().map(|fault| fault.class.to_owned()),
            sources: sources.map(|secret| secret.source.clone()).collect(),
            renders: file.renders,
        }
    }
}

impl Secret {
    fn at(now: Moment, secret: &SecretView) -> Self {
        let fault = fault(secret.error.as_ref(), secret.health);
        Self {
            id: secret.id.clone(),
            source: secret.source.clone(),
            version: secret.version,
            version_id: secret.version_id.clone(),
            lease: secret.lease.clone(),
            expires_in_seconds: secret.expires.map(|at| until(now, at)),
            fresh_seconds_ago: secret.fresh.map(|at| -until(now, at)),
            next: Next::at(now, secret.next),
            state: secret.health.name().to_owned(),
            error: fault.as_ref().map(|fault| fault.text.clone()),
            error_class: fault.as_ref().map(|fault| fault.class.to_owned()),
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

/// Returns what keeps a file or a secret from being true. If there is no other reason, being past its end is one.
pub(crate) fn fault(own: Option<&Fault>, health: Health) -> Option<Fault> {
    let expired =
        || Fault { class: "expired", text: "it is past its end, and no successor could be had".to_owned() };
    own.cloned().or_else(|| matches!(health, Health::Expired(_)).then(expired))
}

/// Returns the seconds from `now` to `at`; negative if `at` is past.
pub(crate) fn until(now: Moment, at: Moment) -> i64 {
    let whole = |duration: Duration| i64::try_from(duration.as_secs()).unwrap_or(i64::MAX);
    if at >= now { whole(now.until(at)) } else { -whole(at.until(now)) }
}

/// Returns the name of a state; also a label of the metrics.
pub(crate) fn state(readiness: &Readiness) -> &'static str {
    match readiness {
        // The files on disk are as good. /readyz, `login` and leasehold_login_failing tell the two apart.
        Readiness::Ready | Readiness::ReadyWithoutLogin { .. } => "ready",
        Readiness::ReadyWithoutServer { .. } => "server_down",
        Readiness::ReadyWithoutStore { .. } => "store_down",
        Readiness::NotRendered { .. } => "not_rendered",
        Readiness::Lost { .. } => "lost",
        Readiness::Expired { .. } => "expired",
    }
}

/// Returns the name of a state of the breaker; also a label of the metrics.
pub(crate) fn breaker(breaker: BreakerView) -> &'static str {
    match breaker {
        BreakerView::Closed => "closed",
        BreakerView::Narrow => "narrow",
        BreakerView::Open => "open",
    }
}

/// Returns the name of an action; also a label of the metrics.
pub(crate) fn action_name(action: NextAction) -> &'static str {
    match action {
        NextAction::LogIn => "log_in",
        NextAction::Read => "read",
        NextAction::Renew => "renew",
        NextAction::Replace => "replace",
        NextAction::Retry => "retry",
    }
}
