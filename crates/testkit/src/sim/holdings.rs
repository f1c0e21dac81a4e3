//! What the model server keeps: tokens, leases, and what is under each path.

use std::time::Duration;

use leasehold_base::failure::FailureKind;
use leasehold_core::ids::LeaseId;

use super::setup::{Kind, Role};

#[derive(Debug, Clone)]
pub struct Token {
    pub created: Duration,
    pub expires: Option<Duration>,
    pub last: Option<Duration>,
    pub revoked: bool,
    /// Until when the client has to take the token to be alive, as with a lease.
    pub seen: Option<Duration>,
    pub role: Role,
    pub uses: Option<u64>,
}

#[derive(Debug, Clone)]
pub struct Lease {
    pub path: String,
    pub token: u64,
    pub minted: Duration,
    /// When the lease was last granted time.
    pub asked: Duration,
    pub expires: Duration,
    pub last: Duration,
    pub ttl: Duration,
    pub renewable: bool,
    pub revoked: Option<Duration>,
    /// The answer reached the client, which can do something about this lease.
    pub known: bool,
    /// Until when the client has to take the lease to be alive, whatever answers have reached it.
    pub seen: Duration,
    /// The lease is in another namespace than its token, or an orphan. It is not revoked with its token.
    pub elsewhere: bool,
    /// The client itself had the lease revoked, or its token.
    pub given_back: bool,
}

#[derive(Debug, Clone)]
pub struct Path {
    pub kind: Kind,
    pub denied: bool,
    pub missing: bool,
    /// The secrets engine behind the path fails in this way.
    pub broken: Option<FailureKind>,
    /// Its data is not what templates expect.
    pub bad: bool,
    pub version: u64,
    pub changed: Duration,
    /// When a static role was last rotated by hand. The next field is how long after the time of a rotation its
    /// password changes.
    pub rotated: Duration,
    pub late: Duration,
}

impl Path {
    /// Returns the version that a read brings, since when it is current, and in how long a static role rotates.
    pub fn at(&self, now: Duration) -> (u64, Duration, Duration) {
        let Kind::Static { period } = self.kind else { return (self.version, self.changed, Duration::ZERO) };
        let rotations = (now - self.rotated).as_secs() / period.as_secs();
        let last = self.rotated + Duration::from_secs(rotations * period.as_secs());
        let next = (last + period).saturating_sub(now);
        let version = self.version + rotations;
        // The time is moved on before the password.
        if now < last + self.late && version > 1 {
            let before = if rotations == 0 { self.changed } else { last - period + self.late };
            return (version - 1, before, next);
        }
        (version, last + self.late, next)
    }

    /// Rotates a static role, as a person does by hand.
    pub fn rotate(&mut self, now: Duration) {
        let (version, changed, _) = self.at(now + self.late);
        (self.version, self.changed, self.rotated) = (version + 1, changed, now);
    }
}

/// A value that was read. It shows which answer it came with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Value {
    pub version: u64,
    pub lease: Option<LeaseId>,
    pub bad: bool,
}
