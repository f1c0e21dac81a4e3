//! The core's state that outlives a run: left by init for the sidecar, by a sidecar for its
//! restart, and carried over in memory when HUP brings a new configuration.
//!
//! It holds no token and no response; the handoff stores those beside it under the same numbers
//! and requests.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::interface::ids::{LeaseId, TokenId};
use leasehold_base::request::Request;
use leasehold_base::time::Moment;

/// The state to go on from.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Snapshot {
    /// Living logins, the current one last.
    pub tokens: Vec<KeptToken>,
    /// What was read.
    pub secrets: Vec<KeptSecret>,
    /// Leases that were replaced and still have to be revoked.
    pub retiring: Vec<KeptLease>,
    /// How many logins in a row were refused, and when the last was: a crash loop must not trip the lockout.
    pub refusals: Option<Refusals>,
    /// The names of the notifiers that were not notified of everything that is, or is about to be, published.
    pub untold: BTreeSet<String>,
    /// Our tokens may not look themselves up. This was found out once, by a login that was just granted.
    pub blind: bool,
    /// The current token has to be looked up before it is relied on: a denial with it is not judged yet, or its uses
    /// are counted.
    pub unsure: bool,
    /// The run had begun to revoke what it holds: the current token, and all that it leased, may be revoked.
    pub ending: bool,
    /// When the secrets without a lease whose last read failed, or was put off, are read again. This is for an engine
    /// that goes on in the same process, and is not stored: a start plans its own reads.
    pub awaited: BTreeMap<Request, Moment>,
}

/// What has changed of a [`Snapshot`] since the changes were last taken. A file with one line for each change costs
/// as much as what changes, however large the whole is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Changes {
    /// The secrets that are new or have changed. For a secret that neither ends nor is rotated, a later read is no
    /// change: its time may be older here than in a snapshot.
    pub secrets: Vec<KeptSecret>,
    /// The requests of secrets that are no longer there. Remove these before adding the others.
    pub dropped: Vec<Request>,
    /// The replaced leases that are new or have changed.
    pub retiring: Vec<KeptLease>,
    /// The replaced leases that are gone. Remove these before adding the others.
    pub retired: Vec<LeaseId>,
    /// Everything else as it is now, with empty `secrets` and `retiring`.
    pub rest: Snapshot,
}

impl Changes {
    /// Returns whether nothing has changed, apart from the rest.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.secrets.is_empty()
            && self.dropped.is_empty()
            && self.retiring.is_empty()
            && self.retired.is_empty()
    }
}

/// How many logins in a row were refused, and how the last was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusals {
    /// How many.
    pub count: u32,
    /// When the last was.
    pub last: Moment,
    /// What the server said to the last.
    pub why: String,
    /// One more try is due, however many were refused: the credentials have changed since, or a person asks.
    pub pardoned: bool,
}

/// A login.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptToken {
    /// Its number.
    pub id: TokenId,
    /// Names it in logs.
    pub accessor: String,
    /// When it ends; `None` if it does not end.
    pub expires: Option<Moment>,
    /// Until when the server may keep it, even if the answer to a renewal was lost; `None` if it does not end.
    pub latest: Option<Moment>,
    /// The TTL that it was granted at login: a renewal that grants less has met `max_ttl`.
    pub granted: Option<Duration>,
    /// Whether it can be renewed.
    pub renewable: bool,
    /// It can be neither renewed nor revoked.
    pub batch: bool,
    /// How many uses it had left when this was kept, if its uses are counted. It may have been used since.
    pub uses: Option<u64>,
    /// It comes from another boot, and the server has not said yet how long it lives: the times are the latest that
    /// are possible.
    pub undated: bool,
    /// Another login has taken over from it, so it only has to be revoked.
    pub leaving: bool,
    /// It was shown where it must not be known any longer, so a login is to follow it.
    pub exposed: bool,
    /// A login of ours made it. Any other token is not ours to revoke, but its leases are.
    pub owned: bool,
}

/// A secret that was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptSecret {
    /// As the server keeps it.
    pub request: Request,
    /// Every other way in which the files write it.
    pub written: Vec<Request>,
    /// When the read was sent.
    pub read: Moment,
    /// Its lease.
    pub lease: Option<KeptLease>,
    /// When it ends by itself, if it has no lease.
    pub life: crate::interface::event::Life,
    /// Its version.
    pub version: Option<u64>,
}

/// A lease.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptLease {
    /// Its name.
    pub id: LeaseId,
    /// The login that made it.
    pub token: TokenId,
    /// When it ends by itself.
    pub expires: Moment,
    /// Until when the server may keep it, which is later if the answer to a renewal was lost.
    pub latest: Moment,
    /// The TTL it was minted with.
    pub granted: Duration,
    /// Whether it can be renewed.
    pub renewable: bool,
    /// It outlives the login that made it.
    pub orphan: bool,
    /// It comes from another boot, like such a token; `expires` is then the earliest that is possible.
    pub undated: bool,
}
