//! What the core needs to know of the configuration, and in which role it runs.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::interface::ids::{FileId, NotifierId, UnitId};

/// The role this run plays. The engine is the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Publish everything all or nothing, then end; fail at the deadline.
    Init {
        /// For all of it, from the start.
        timeout: Duration,
    },
    /// Keep everything true until told to stop.
    Daemon,
    /// As init until everything is published; then start a process, and keep everything true until
    /// it ends.
    Exec {
        /// For all that comes before the process.
        timeout: Duration,
    },
}

/// How the first time stands at which everything of a daemon is ready.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum FirstReady {
    /// It has been: an engine before this one was ready. Whatever happens now, the daemon stays.
    Past,
    /// It is to come, and the daemon tries for as long as it takes. Where it is stopped before, it ends with the code
    /// of what kept it from being ready.
    #[default]
    Wanted,
    /// As above, and a service manager waits for it: a start that cannot succeed ends with its reason.
    Awaited,
}

/// What the core decides by.
#[derive(Debug, Clone)]
pub struct Policy {
    /// The role.
    pub mode: Mode,
    /// By [`FileId`].
    pub files: Vec<FilePolicy>,
    /// By [`UnitId`]: the set first, where there is one, then absolute files.
    pub units: Vec<UnitPolicy>,
    /// By [`NotifierId`].
    pub notifiers: Vec<NotifierPolicy>,
    /// By [`StoreId`](crate::interface::ids::StoreId): where to ask for paths that begin with one of their names.
    pub stores: Vec<StorePolicy>,
    /// Whether there is a Vault to log in to. Where not, every path is a store's.
    pub logs_in: bool,
    /// Those that init notifies, too, and what their failure is to it.
    pub on_init: BTreeMap<NotifierId, OnInit>,
    /// The process of [`Mode::Exec`].
    pub child: Option<ChildPolicy>,
    /// How to stop.
    pub shutdown: ShutdownPlan,
    /// Whether there is a handoff to keep.
    pub handoff: bool,
    /// Whether init only tries: nothing is kept of what it makes, and its leases are revoked.
    pub rehearsal: bool,
    /// Whether the token is ours to revoke: not one that somebody else keeps in a file.
    pub owns_token: bool,
    /// Whether we see the token that a login makes: not where the login is wrapped for somebody else.
    pub sees_token: bool,
    /// Whether refused logins lock the account on the server: then they are few, and otherwise they go on.
    pub locks_out: bool,
    /// What to do where a login is refused.
    pub login_advice: String,
    /// Who waits for a daemon to be ready for the first time.
    pub first_ready: FirstReady,
    /// Whether the server binds a token's renewal to the client certificate of its login: another certificate
    /// means another login.
    pub binds_certificate: bool,
    /// How many requests may be under way at once; at least 1.
    pub max_in_flight: usize,
    /// Spreads pods apart, stable for one pod: all jitter is a hash of this and a name.
    pub seed: u64,
}

/// One store that is no Vault.
#[derive(Debug, Clone)]
pub struct StorePolicy {
    /// The first segment of the paths that are read there.
    pub name: String,
    /// How many requests may be under way at once; at least 1.
    pub max_in_flight: usize,
}

/// One file.
#[derive(Debug, Clone)]
pub struct FilePolicy {
    /// For messages.
    pub name: String,
    /// What it is published with.
    pub unit: UnitId,
    /// How often to poll what has no end of its own.
    pub refresh: Duration,
    /// Quiescence before a publish.
    pub wait: Option<Wait>,
    /// Whom to tell.
    pub notify: Vec<NotifierId>,
    /// The login's token is what it holds; none where it is made of secrets.
    pub sink: Option<SinkPolicy>,
}

/// How a sink holds the token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SinkPolicy {
    /// As it is.
    Plain,
    /// Wrapped, to be opened once within this time.
    Wrapped(Duration),
}

/// One unit of publication.
#[derive(Debug, Clone)]
pub struct UnitPolicy {
    /// Its files.
    pub files: Vec<FileId>,
}

/// One notifier.
#[derive(Debug, Clone)]
pub struct NotifierPolicy {
    /// For messages.
    pub name: String,
    /// The longest delay before telling; the real one is drawn from the seed.
    pub splay: Duration,
    /// Whether the first generation is news to it: not to an application that starts only once we are ready.
    pub on_first: bool,
}

/// The process of `exec`.
#[derive(Debug, Clone, Copy)]
pub struct ChildPolicy {
    /// As whom it is told: the last of [`Policy::notifiers`].
    pub notifier: NotifierId,
    /// The unit of its variables, where it has any. Published means: the next process gets them.
    pub environment: Option<UnitId>,
    /// What a change does to it.
    pub on_change: OnChange,
    /// What stops it.
    pub stop_signal: i32,
    /// It is killed this long after that.
    pub stop_timeout: Duration,
}

/// Quiescence: publish when nothing changed for `min`, and at the latest `max` after the first
/// change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wait {
    /// The quiet time.
    pub min: Duration,
    /// The longest delay; at least `min`.
    pub max: Duration,
}

/// What the failure of a notifier is to `init`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnInit {
    /// Init does not notify it.
    No,
    /// It is tried again until init's deadline, which it fails then.
    Must,
    /// It is tried once, and a failure is logged.
    MayFail,
}

/// What a change does to the process of `leasehold exec`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnChange {
    /// It is stopped, and started with the new values.
    Restart,
    /// It gets the signal of this number. Its variables stay as they were: only a restart changes
    /// them.
    Signal(i32),
    /// It is left alone.
    Ignore,
}

/// How to stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ShutdownPlan {
    /// Whether to revoke token and leases.
    pub revoke: bool,
    /// How long to keep renewing after SIGTERM first.
    pub delay: Duration,
}
