//! The part of the view that has to be watched, and the state of a file or a secret in one word.

use super::view::{Counters, Fault, LoginTrouble, NotifierView, Outage, Readiness, StoreView, View};
use leasehold_base::time::Moment;

/// The part of a [`View`] that has to be watched. A thousand files cost no more than one look at each, and files that
/// are well are only counted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outlook {
    /// When.
    pub now: Moment,
    /// Whether the files can be relied on.
    pub readiness: Readiness,
    /// The first effective expiry; `None` if nothing expires.
    pub until: Option<Moment>,
    /// As [`View::logged_out`].
    pub logged_out: Option<Moment>,
    /// As [`View::login`].
    pub login: Option<LoginTrouble>,
    /// As [`View::outage`].
    pub outage: Option<Outage>,
    /// As [`View::silence`].
    pub silence: Option<Moment>,
    /// The stores that do not answer, in their order.
    pub away: Vec<AwayStore>,
    /// How many files there are.
    pub files: usize,
    /// The files that are not well, in their order.
    pub troubled: Vec<TroubledFile>,
    /// How many notifiers there are.
    pub notifiers: usize,
    /// The notifiers that could not be notified.
    pub unheard: Vec<Unheard>,
    /// As [`View::counters`].
    pub counters: Counters,
}

/// A store that does not answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AwayStore {
    /// The first segment of its paths.
    pub name: String,
    /// Since when, and why.
    pub outage: Outage,
}

/// A file that is not well.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TroubledFile {
    /// As configured.
    pub name: String,
    /// How it is.
    pub health: Health,
    /// What keeps it from being current, if that is a fault of its own.
    pub error: Option<Fault>,
    /// How many requests about its secrets have failed.
    pub failures: u64,
}

/// A notifier that could not be notified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unheard {
    /// As configured.
    pub name: String,
    /// Why.
    pub why: String,
    /// How often it failed.
    pub failures: u64,
}

/// The state of a file or a secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Health {
    /// Up to date, as far as is known.
    #[default]
    Good,
    /// Since this moment it should have been read or renewed, but nothing can be asked: there is no login, or no
    /// server.
    Stale(Moment),
    /// The file on disk can still be used, but a fault of its own keeps it from being current.
    Failing,
    /// It is past its effective expiry, since this moment.
    Expired(Moment),
    /// It is not there: never published, or gone from the disk.
    Missing,
}

impl Health {
    /// Returns the word for it: `ok`, `stale`, `failing`, `expired` or `missing`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Good => "ok",
            Self::Stale(_) => "stale",
            Self::Failing => "failing",
            Self::Expired(_) => "expired",
            Self::Missing => "missing",
        }
    }
}

impl View {
    /// Returns the part of it that has to be watched.
    #[must_use]
    pub fn outlook(&self) -> Outlook {
        let troubled = self.files.iter().filter(|file| file.health != Health::Good);
        let troubled = troubled.map(|file| TroubledFile {
            name: file.name.clone(),
            health: file.health,
            error: file.error.clone(),
            failures: file.failures,
        });
        Outlook {
            now: self.now,
            readiness: self.readiness.clone(),
            until: self.files.iter().filter_map(|file| file.expires).min(),
            logged_out: self.logged_out,
            login: self.login.clone(),
            outage: self.outage.clone(),
            silence: self.silence,
            away: self.stores.iter().filter_map(AwayStore::of).collect(),
            files: self.files.len(),
            troubled: troubled.collect(),
            notifiers: self.notifiers.len(),
            unheard: self.notifiers.iter().filter_map(Unheard::of).collect(),
            counters: self.counters,
        }
    }
}

impl AwayStore {
    /// Returns the store, if it does not answer.
    pub(crate) fn of(store: &StoreView) -> Option<Self> {
        Some(Self { name: store.name.clone(), outage: store.outage.clone()? })
    }
}

impl Unheard {
    /// Returns the notifier's failure, if its last notification failed.
    pub(crate) fn of(notifier: &NotifierView) -> Option<Self> {
        let (name, why) = (notifier.name.clone(), notifier.error.clone()?);
        Some(Self { name, why, failures: notifier.failed })
    }
}
