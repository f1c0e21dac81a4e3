//! What the core lets be seen: for `/status`, `/readyz`, `/metrics` and USR1. Never a value.

use std::time::Duration;

pub use super::outlook::{Health, Outlook, TroubledFile, Unheard};
use leasehold_base::time::Moment;

/// Everything at one moment.
#[derive(Debug, Clone)]
pub struct View {
    /// When.
    pub now: Moment,
    /// Whether the files can be relied on.
    pub readiness: Readiness,
    /// The current login.
    pub token: Option<TokenView>,
    /// Since when there is no login that requests can be made with; none while there is one.
    pub logged_out: Option<Moment>,
    /// Since when logins are refused or fail, and the last reason.
    pub login: Option<LoginTrouble>,
    /// The credentials of the login were used up by an earlier run: nothing can log in until others are delivered.
    pub used_up: bool,
    /// Since when the server does not answer, and the last reason.
    pub outage: Option<Outage>,
    /// Since when the server has answered nothing although it is asked, where that is long. The core leaves it to the
    /// driver: nothing is decided by it.
    pub silence: Option<Moment>,
    /// Whether requests pass.
    pub breaker: BreakerView,
    /// By [`StoreId`](crate::interface::ids::StoreId).
    pub stores: Vec<StoreView>,
    /// By [`FileId`](crate::interface::ids::FileId).
    pub files: Vec<FileView>,
    /// What is read, in the order it was first needed.
    pub secrets: Vec<SecretView>,
    /// By `NotifierId`.
    pub notifiers: Vec<NotifierView>,
    /// Counts since the start.
    pub counters: Counters,
}

/// Whether requests to the server pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum BreakerView {
    /// All do.
    #[default]
    Closed,
    /// One at a time: the server asked for fewer.
    Narrow,
    /// None but a probe: the server is away, or may be.
    Open,
}

/// A store that is no Vault.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoreView {
    /// The first segment of the paths that are read there.
    pub name: String,
    /// Since when it does not answer, and the last reason.
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
    /// As above, but the server is down: true until this moment.
    ReadyWithoutServer {
        /// The first effective expiry; none where nothing expires.
        until: Option<Moment>,
    },
    /// As the first, but a login is wanted and fails: true until this moment.
    ReadyWithoutLogin {
        /// Since when.
        since: Moment,
        /// The last failure.
        why: String,
    },
    /// As the first, but a store does not answer: true until what is of it ends.
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
    /// A file is not there any more as it was published: it was removed or changed, or its folder was.
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
    /// Whether `/readyz` answers 200.
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
    /// When it ends; none where it does not.
    pub expires: Option<Moment>,
    /// The life that it was granted at its login; none where it does not end, or that is not known.
    pub granted: Option<Duration>,
    /// When something is done about it.
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
    /// When it is tried again; none while that is under way.
    pub next: Option<Moment>,
}

/// One file.
#[derive(Debug, Clone)]
pub struct FileView {
    /// As configured.
    pub name: String,
    /// The generation of its unit that is on disk; none before the first.
    pub generation: Option<u64>,
    /// When it last changed on disk in this run.
    pub changed: Option<Moment>,
    /// The first effective expiry among its secrets; none where nothing expires.
    pub expires: Option<Moment>,
    /// How it is.
    pub health: Health,
    /// What keeps it from being true, where something of its own does.
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
    /// Names it in the log from its first request to its last: made of its path, and so the same in
    /// other runs and pods; numbered where several are read under one path.
    pub id: String,
    /// The path as the server keeps it, with the names of its arguments.
    pub source: String,
    /// Its version, where the engine counts them.
    pub version: Option<u64>,
    /// The name of its version, of a store that is no Vault.
    pub version_id: Option<String>,
    /// Its lease, where it has one.
    pub lease: Option<String>,
    /// `min(lease, token)`; none where nothing expires.
    pub expires: Option<Moment>,
    /// When it was last read or renewed with success.
    pub fresh: Option<Moment>,
    /// What happens next, and when.
    pub next: Option<(NextAction, Moment)>,
    /// How it is.
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
    /// When it was last told.
    pub told: Option<Moment>,
    /// The last failure, until the next success.
    pub error: Option<String>,
    /// How often it was told.
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
