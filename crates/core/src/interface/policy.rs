//! What the core needs to know about the configuration, and the role in which it runs.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::interface::ids::{FileId, NotifierId, UnitId};

/// The role this run plays. The engine is the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Publish everything or nothing, then end; fail at the deadline.
    Init {
        /// The time for all of it, from the start.
        timeout: Duration,
    },
    /// Keep everything current until asked to stop.
    Daemon,
    /// Do as `init` does until everything is published; then start a process, and keep everything current until it
    /// ends.
    Exec {
        /// The time for everything before the process.
        timeout: Duration,
    },
}

/// The state of a daemon's first readiness: the first time at which everything is ready.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum FirstReady {
    /// It is past: an engine before this one was ready. Whatever happens now, the daemon stays.
    Past,
    /// It is to come, and the daemon tries for as long as it takes. If the daemon is stopped before, it ends with the
    /// code of what kept it from being ready.
    #[default]
    Wanted,
    /// It is to come, and a service manager waits for it: a start that cannot succeed ends with its reason.
    Awaited,
}

/// What the core decides by.
#[derive(Debug, Clone)]
pub struct Policy {
    /// The role.
    pub mode: Mode,
    /// By [`FileId`].
    pub files: Vec<FilePolicy>,
    /// By [`UnitId`]: the set first, if there is one, then absolute files.
    pub units: Vec<UnitPolicy>,
    /// By [`NotifierId`].
    pub notifiers: Vec<NotifierPolicy>,
    /// By [`StoreId`](crate::interface::ids::StoreId): the stores to ask for paths that begin with their names.
    pub stores: Vec<StorePolicy>,
    /// Whether there is a Vault to log in to. If not, every path belongs to a store.
    pub logs_in: bool,
    /// The notifiers of `init`, and what a failure to notify them means.
    pub on_init: BTreeMap<NotifierId, OnInit>,
    /// The process of [`Mode::Exec`].
    pub child: Option<ChildPolicy>,
    /// How to stop.
    pub shutdown: ShutdownPlan,
    /// Whether there is a handoff to keep.
    pub handoff: bool,
    /// Whether `init` only tries: it keeps nothing, and revokes the leases that it makes.
    pub rehearsal: bool,
    /// Whether the token is ours to revoke. A token that another program keeps in a file is not.
    pub owns_token: bool,
    /// Whether we see the token that a login makes. We do not if the login is wrapped for another program.
    pub sees_token: bool,
    /// Whether refused logins lock the account on the server. If so, only a few are tried; otherwise tries go on.
    pub locks_out: bool,
    /// What a person should do about a refused login.
    pub login_advice: String,
    /// The state of the first readiness, and whether a service manager waits for it.
    pub first_ready: FirstReady,
    /// Whether the server binds a token's renewal to the client certificate of its login. If so, another certificate
    /// needs another login.
    pub binds_certificate: bool,
    /// How many requests may be under way at once; at least 1.
    pub max_in_flight: usize,
    /// Spreads pods apart, and is stable for one pod: all jitter is a hash of this and a name.
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
    /// Its name in messages.
    pub name: String,
    /// The unit that it is published in.
    pub unit: UnitId,
    /// How often to poll a secret of it that has no end of its own.
    pub refresh: Duration,
    /// How long it must be quiet before a publish.
    pub wait: Option<Wait>,
    /// The notifiers to notify.
    pub notify: Vec<NotifierId>,
    /// How it holds the login's token; `None` if it is made of secrets.
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
    /// Its name in messages.
    pub name: String,
    /// The longest delay before a notification; the actual delay is drawn from the seed.
    pub splay: Duration,
    /// Whether to notify it of the first generation. An application that starts only once we are ready needs no such
    /// notification.
    pub on_first: bool,
}

/// The process of `exec`.
#[derive(Debug, Clone, Copy)]
pub struct ChildPolicy {
    /// The notifier that stands for it: the last of [`Policy::notifiers`].
    pub notifier: NotifierId,
    /// The unit of its variables, if it has any. A publish of it means that the next process gets them.
    pub environment: Option<UnitId>,
    /// What a change means for it.
    pub on_change: OnChange,
    /// The signal that stops it.
    pub stop_signal: i32,
    /// How long after that signal it is killed.
    pub stop_timeout: Duration,
}

/// Quiescence: publish when nothing has changed for `min`, and at the latest `max` after the first change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wait {
    /// The quiet time.
    pub min: Duration,
    /// The longest delay; at least `min`.
    pub max: Duration,
}

/// What the failure of a notifier means for `init`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnInit {
    /// `init` does not notify it.
    No,
    /// It is retried until the deadline of `init`, which then fails.
    Must,
    /// It is tried once, and a failure is logged.
    MayFail,
}

/// What a change means for the process of `leasehold exec`.
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
    /// How long to go on renewing after SIGTERM before that.
    pub delay: Duration,
}
