//! Counts the requests to the server, how they ended, and how long they took.
//!
//! A request is counted where it is really sent: a question about a mount that is known already costs nothing. The
//! counts are of fixed size: kinds of requests, and kinds of failures.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::verdict::Asked;

/// The upper bounds of the buckets, in seconds; the last one is the default of `vault.timeout`.
pub const BOUNDS: [f64; 11] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0, 15.0];

/// The class of a request that succeeded.
pub(super) const OK: &str = "ok";

/// What was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Operation {
    /// A login, and the unwrapping that comes before it.
    LogIn,
    /// The engine behind a path.
    Resolve,
    /// A secret.
    Read,
    /// More time, for a lease or a token.
    Renew,
    /// The revocation of a lease or a token.
    Revoke,
    /// The look-up of a token.
    LookUp,
    /// Whether the server is there.
    Probe,
}

/// The requests of one kind.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Measured {
    /// How they ended: `ok`, or the class of the failure.
    pub results: BTreeMap<&'static str, u64>,
    /// How many took at most this bound of [`BOUNDS`] and longer than the one before; the last bucket has the rest.
    pub buckets: [u64; BOUNDS.len() + 1],
    /// The sum of their times, in seconds.
    pub seconds: f64,
}

/// All requests by kind.
pub type Tally = BTreeMap<Operation, Measured>;

/// Counts requests.
#[derive(Debug, Default)]
pub(super) struct Meter(Mutex<Tally>);

impl Operation {
    /// Returns one word for it, for metrics.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::LogIn => "log_in",
            Self::Resolve => "resolve",
            Self::Read => "read",
            Self::Renew => "renew",
            Self::Revoke => "revoke",
            Self::LookUp => "look_up",
            Self::Probe => "probe",
        }
    }

    /// Returns how a question is counted.
    pub(super) fn of(asked: Asked) -> Self {
        match asked {
            Asked::Login | Asked::Unwrap => Self::LogIn,
            Asked::Mounts => Self::Resolve,
            Asked::Read | Asked::List | Asked::Write | Asked::Wrap => Self::Read,
            Asked::Renew | Asked::RenewSelf => Self::Renew,
            Asked::Revoke => Self::Revoke,
            Asked::LookUp => Self::LookUp,
            Asked::Health => Self::Probe,
        }
    }
}

impl Meter {
    /// Counts a request that has ended, well or with a failure of this class.
    pub(super) fn count(&self, operation: Operation, took: Duration, class: &'static str) {
        let mut all = self.all();
        let measured = all.entry(operation).or_default();
        *measured.results.entry(class).or_default() += 1;
        let seconds = took.as_secs_f64();
        let bucket = BOUNDS.iter().position(|bound| seconds <= *bound).unwrap_or(BOUNDS.len());
        measured.buckets[bucket] += 1;
        measured.seconds += seconds;
    }

    /// Returns all counts so far.
    pub(super) fn read(&self) -> Tally {
        self.all().clone()
    }

    fn all(&self) -> MutexGuard<'_, Tally> {
        // A poisoned lock means that counting panicked, and a panic ends the process.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_request_is_in_one_bucket_and_one_class() {
        let meter = Meter::default();
        let millis = Duration::from_millis;
        for took in [millis(0), millis(1), millis(2), Duration::from_secs(60)] {
            meter.count(Operation::Read, took, OK);
        }
        meter.count(Operation::Read, millis(3), "denied");
        let all = meter.read();
        let read = &all[&Operation::Read];
        assert_eq!(read.results, BTreeMap::from([("denied", 1), ("ok", 4)]));
        assert_eq!(read.buckets, [2, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 1]);
        assert!((read.seconds - 60.006).abs() < 1e-9, "{}", read.seconds);
        assert_eq!(all.len(), 1);
    }
}
