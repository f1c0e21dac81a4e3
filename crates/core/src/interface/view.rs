//! What the core shows: in `/status`, `/readyz`, `/metrics` and on USR1. Never a value.

use std::time::Duration;

pub use super::outlook::{AwayStore, Health, Outlook, TroubledFile, Unheard};
use leasehold_base::time::Moment;

/// The state of everything at one moment.
#[derive(Debug, Clone)]
pub struct View {
    /// When.
    pub now: Moment,
    /// Whether the files can be relied on.
    pub readiness: Readiness,
    /// The current login.
    pub token: Option<TokenView>,
    /// Since when there is no login to make requests with; `None` while there is one.
    pub logged_out: Option<Moment>,
    /// Since when logins have been refused or have failed, and the last reason.
    pub login: Option<LoginTrouble>,
    /// An earlier run used up the credentials of the login: no login is possible until others are delivered.
    pub used_up: bool,
    /// Since when the server has not answered, and the last reason.
    pub outage: Option<Outage>,
    /// Since when the server has answered no request, if that is long ago. The driver fills this in: the core does
    /// not decide by it.
    pub silence: Option<Moment>,
    /// Whether requests pass.
    pub breaker: BreakerView,
    /// By [`StoreId`](crate::interface::ids::StoreId).
    pub stores: Vec<StoreView>,
    /// By [`FileId`](crate::interface::ids::FileId).
    pub files: Vec<FileView>,
    /// The secrets that are read, in the order in which they were first needed.
    pub secrets: Vec<SecretView>,
    /// By `NotifierId`.
    pub notifiers: Vec<NotifierView>,
    /// Counts since the start.
    pub counters: Counters,
}

/// Whether requests to the server pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum BreakerView {
    /// All requests pass.
    #[default]
    Closed,
    /// One request at a time passes: the server asked for fewer.
    Narrow,
    /// Only a probe passes: the server is away, or may be.
    Open,
}

/// A store that is no Vault.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoreView {
    /// The first segment of the paths that are read there.
    pub name: String,
    /// Since when it has not answered, and the last reason.
    pub outage: Option<Outage>,
    /// How often it answered.
    pub answers: u64,
    /// Requests that failed.
    pub failures: u64,
}

/// Something that went wrong and still does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// One word of a fixed set: a [`FailureKind`](leasehold_base::failure::FailureKind)'s, or a
    /// [`Cause`](leasehold_base::exit::Cause)'s.
    pub class: &'static str,
    /// The same for a person.
    pub text: String,
}

/// Whether the files can be relied on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Readiness {
    /// Every file is published and none is past its effective expiry.
    Ready,
    /// Like `Ready`, but the server is down: true until this moment.
    ReadyWithoutServer {
        /// The first effective expiry; `None` if nothing expires.
        until: Option<Moment>,
    },
    /// Like `Ready`, but a login is wanted and fails.
    ReadyWithoutLogin {
        /// Since when.
        since: Moment,
        /// The last failure.
        why: String,
    },
    /// Like `Ready`, but a store does not answer: true until what comes from it ends.
    ReadyWithoutStore {
        /// The first such store.
        store: String,
        /// Since when.
        since: Moment,
        /// The last failure.
        why: String,
    },
    /// A file has not been published yet.
    NotRendered {
        /// The first such file, as configured.
        file: String,
        /// Why.
        why: String,
    },
    /// A file is not there any more as published: the file or its folder was removed or changed.
    Lost {
        /// The first such file, as configured.
        file: String,
        /// Why.
        why: String,
    },
    /// A file's secret is past its effective expiry.
    Expired {
        /// The first such file, as configured.
        file: String,
        /// Why.
        why: String,
    },
}

impl Readiness {
    /// Returns whether `/readyz` answers 200.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        match self {
            Self::Ready
            | Self::ReadyWithoutServer { .. }
            | Self::ReadyWithoutLogin { .. }
            | Self::ReadyWithoutStore { .. } => true,
            Self::NotRendered { .. } | Self::Lost { .. } | Self::Expired { .. } => false,
        }
    }
}

/// The current login.
#[derive(Debug, Clone)]
pub struct TokenView {
    /// Its accessor.
    pub accessor: String,
    /// When it ends; `None` if it does not end.
    pub expires: Option<Moment>,
    /// The life that it was granted at its login; `None` if it does not end, or that is not known.
    pub granted: Option<Duration>,
    /// What happens to it next, and when.
    pub next: Option<(NextAction, Moment)>,
}

/// An outage of the server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outage {
    /// Since when.
    pub since: Moment,
    /// The last failure.
    pub why: String,
}

/// A login that is wanted and fails.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoginTrouble {
    /// Since when.
    pub since: Moment,
    /// The last failure.
    pub why: String,
    /// When it is tried again; `None` while a try is under way.
    pub next: Option<Moment>,
}

/// One file.
#[derive(Debug, Clone)]
pub struct FileView {
    /// As configured.
    pub name: String,
    /// The generation of its unit that is on disk; `None` before the first.
    pub generation: Option<u64>,
    /// When it last changed on disk in this run.
    pub changed: Option<Moment>,
    /// The first effective expiry among its secrets; `None` if nothing expires.
    pub expires: Option<Moment>,
    /// Its state.
    pub health: Health,
    /// What keeps it from being current, if that is a fault of its own.
    pub error: Option<Fault>,
    /// How many requests about its secrets have failed.
    pub failures: u64,
    /// Indices into [`View::secrets`].
    pub secrets: Vec<usize>,
    /// How often it was rendered.
    pub renders: u64,
}

/// One secret.
#[derive(Debug, Clone)]
pub struct SecretView {
    /// Its name in the log from its first request to its last. The name is made of its path, and so the same in other
    /// runs and pods. It is numbered if several secrets are read under one path.
    pub id: String,
    /// The path as the server keeps it, with the names of its arguments.
    pub source: String,
    /// Its version, if the engine counts versions.
    pub version: Option<u64>,
    /// The name of its version, in a store that is no Vault.
    pub version_id: Option<String>,
    /// Its lease, if it has one.
    pub lease: Option<String>,
    /// The accessor of the login that leased it, while that login is known.
    pub accessor: Option<String>,
    /// The end of its lease or its token, whichever is sooner; `None` if nothing expires.
    pub expires: Option<Moment>,
    /// When it was last read or renewed with success.
    pub fresh: Option<Moment>,
    /// What happens next, and when.
    pub next: Option<(NextAction, Moment)>,
    /// Its state.
    pub health: Health,
    /// The last failure, until the next success.
    pub error: Option<Fault>,
    /// How often it was read, renewed, replaced.
    pub reads: u64,
    /// As above.
    pub renewals: u64,
    /// As above.
    pub replacements: u64,
}

/// What the core does next about something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NextAction {
    /// Log in.
    LogIn,
    /// Read (again).
    Read,
    /// Renew.
    Renew,
    /// Mint anew while the old one still lives.
    Replace,
    /// Try again after a failure.
    Retry,
}

/// One notifier.
#[derive(Debug, Clone)]
pub struct NotifierView {
    /// As configured.
    pub name: String,
    /// When it was last notified.
    pub told: Option<Moment>,
    /// The last failure, until the next success.
    pub error: Option<String>,
    /// How often it was notified.
    pub sent: u64,
    /// How often that failed.
    pub failed: u64,
}

/// Counts since the start.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counters {
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
