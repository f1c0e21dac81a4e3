//! The core's state that outlives a run: left by init for the sidecar, by a sidecar for its
//! restart, and carried over in memory when HUP brings a new configuration.
//!
//! It holds no token and no response; the handoff stores those beside it under the same numbers
//! and requests.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::interface::ids::{LeaseId, TokenId};
use leasehold_base::request::Request;
use leasehold_base::time::Moment;

/// What to go on from.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Snapshot {
    /// Living logins, the current one last.
    pub tokens: Vec<KeptToken>,
    /// What was read.
    pub secrets: Vec<KeptSecret>,
    /// Leases that were replaced and still have to be revoked.
    pub retiring: Vec<KeptLease>,
    /// Refused logins in a row, and when the last was: a crash loop must not trip the lockout.
    pub refusals: Option<Refusals>,
    /// Notifiers, by name, that have not heard of everything that is, or is about to be, published.
    pub untold: BTreeSet<String>,
    /// Our tokens may not look themselves up: found out once, by a login that was just granted.
    pub blind: bool,
    /// The current token is to be looked up before it is relied on: something was denied with it that is not
    /// judged yet, or its uses are counted.
    pub unsure: bool,
    /// The run had begun to give back what it has: the current token, and all it leased, may be revoked.
    pub ending: bool,
}

/// What of a [`Snapshot`] has changed since changes were last asked for. A file that takes one line for each of them
/// costs as much as what changes, however much there is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Changes {
    /// Secrets that are new, or other than before. Of one that neither ends nor is rotated, the time at which it was
    /// read is no change: it may be older than in a snapshot.
    pub secrets: Vec<KeptSecret>,
    /// Secrets that are no longer there, by their requests: to be taken out before the others are put in.
    pub dropped: Vec<Request>,
    /// Replaced leases that are new, or other than before.
    pub retiring: Vec<KeptLease>,
    /// Replaced leases that are gone: to be taken out before the others are put in.
    pub retired: Vec<LeaseId>,
    /// Everything else as it is now; its `secrets` and `retiring` are empty.
    pub rest: Snapshot,
}

impl Changes {
    /// Whether nothing has changed, beside the rest.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.secrets.is_empty()
            && self.dropped.is_empty()
            && self.retiring.is_empty()
            && self.retired.is_empty()
    }
}

/// Refused logins in a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusals {
    /// How many.
    pub count: u32,
    /// When the last was.
    pub last: Moment,
    /// What the server said to the last.
    pub why: String,
    /// One more try is due, however many there were: the credentials have changed since, or a person has asked.
    pub pardoned: bool,
}

/// A login.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptToken {
    /// Its number.
    pub id: TokenId,
    /// Names it in logs.
    pub accessor: String,
    /// When it ends; none where it does not.
    pub expires: Option<Moment>,
    /// Until when the server may keep it, since a renewal was sent; none where it does not end.
    pub latest: Option<Moment>,
    /// The TTL it was granted at login, by which a shorter renewal shows `max_ttl`.
    pub granted: Option<Duration>,
    /// Whether it can be renewed.
    pub renewable: bool,
    /// Neither renewable nor revocable.
    pub batch: bool,
    /// How many requests it was good for when this was kept, where they are counted; since then it may have
    /// made more.
    pub uses: Option<u64>,
    /// It comes from another boot, and the server has not told yet what is left of it: the times are the latest
    /// that it can have.
    pub undated: bool,
    /// Another login has taken over from it: it is only to be given back.
    pub leaving: bool,
    /// A login of ours made it. Any other token is not ours to revoke, but its leases are.
    pub owned: bool,
}

/// Something read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptSecret {
    /// As the server keeps it.
    pub request: Request,
    /// Every other way the files write it.
    pub written: Vec<Request>,
    /// When it was asked.
    pub read: Moment,
    /// Its lease.
    pub lease: Option<KeptLease>,
    /// When it ends by itself, where it has no lease.
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
    /// Until when the server may keep it: later where the answer to a renewal was lost.
    pub latest: Moment,
    /// The TTL it was minted with.
    pub granted: Duration,
    /// Whether it can be renewed.
    pub renewable: bool,
    /// It outlives the login that made it.
    pub orphan: bool,
    /// As of a token; `expires` is then the earliest that it can have.
    pub undated: bool,
}
