//! The deadlines, soonest first, so that an idle agent with a thousand secrets checks one entry.

use std::collections::{BTreeMap, BTreeSet};

use crate::interface::ids::{FileId, LeaseId, NotifierId, SecretId, StoreId, TokenId, UnitId};
use leasehold_base::time::Moment;

/// The purpose of a deadline. The order decides between equal moments: a login goes before a read.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Timer {
    /// A token is past its end.
    TokenEnd(TokenId),
    /// The token's renewal or its successor is due.
    Token(TokenId),
    /// A login that was put off is due.
    LogIn,
    /// At a start, a refused login was tried for long enough.
    Patience,
    /// What keeps a daemon from being ready for the first time has done so for long enough.
    First,
    /// A look-up that was put off is due.
    LookUp,
    /// A token from an earlier run is looked up, unless a request has shown by then that it lives.
    Proof(TokenId),
    /// The next probe of a server that is away is due.
    Probe,
    /// A store that did not answer may be asked again.
    Store(StoreId),
    /// The secret is still denied, and the other secrets' files are published without it.
    Denied(SecretId),
    /// The secret's next step is due.
    Secret(SecretId),
    /// A unit's quiet time, gathering or retry is over.
    Unit(UnitId),
    /// A notification is retried.
    Notifier(NotifierId),
    /// The grace period of a replaced lease is over, or its revocation is retried.
    Retiree(LeaseId),
    /// The revocation of a token that was replaced is retried.
    Leaving(TokenId),
    /// The wrapping of the token for a sink is retried.
    Wrap(FileId),
    /// The handoff has to be written.
    Handoff,
    /// The deadline of `init`, or of what comes before the process of `exec`.
    Init,
    /// The delay before the process of `exec` is notified of a change is over.
    Child,
    /// The process of `exec` has not stopped in time.
    Kill,
    /// The delay before stopping, or the time for leaving, is over.
    Stop,
}

/// At most one deadline for each [`Timer`].
#[derive(Debug, Default)]
pub(crate) struct Timers {
    queue: BTreeSet<(Moment, Timer)>,
    places: BTreeMap<Timer, Moment>,
}

impl Timers {
    /// Sets or moves a deadline.
    pub(crate) fn set(&mut self, timer: Timer, at: Moment) {
        self.clear(&timer);
        self.queue.insert((at, timer.clone()));
        self.places.insert(timer, at);
    }

    /// Removes a deadline, if it is there.
    pub(crate) fn clear(&mut self, timer: &Timer) {
        if let Some(at) = self.places.remove(timer) {
            self.queue.remove(&(at, timer.clone()));
        }
    }

    /// Removes all deadlines.
    pub(crate) fn clear_all(&mut self) {
        *self = Self::default();
    }

    /// Returns when a deadline is, if there is one.
    pub(crate) fn at(&self, timer: &Timer) -> Option<Moment> {
        self.places.get(timer).copied()
    }

    /// Returns the soonest deadline.
    pub(crate) fn next(&self) -> Option<Moment> {
        self.queue.first().map(|(at, _)| *at)
    }

    /// Takes the soonest deadline that is not after `now`.
    pub(crate) fn pop(&mut self, now: Moment) -> Option<Timer> {
        if self.next()? > now {
            return None;
        }
        let (_, timer) = self.queue.pop_first()?;
        self.places.remove(&timer);
        Some(timer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn at(seconds: u64) -> Moment {
        Moment::new(Duration::from_secs(seconds))
    }

    #[test]
    fn deadlines_come_in_order_and_move_when_set_again() {
        let mut timers = Timers::default();
        timers.set(Timer::Init, at(9));
        timers.set(Timer::Probe, at(5));
        timers.set(Timer::Init, at(3));
        timers.set(Timer::LogIn, at(5));
        timers.clear(&Timer::Stop);
        assert_eq!((timers.at(&Timer::Init), timers.at(&Timer::Stop)), (Some(at(3)), None));
        assert_eq!(timers.next(), Some(at(3)));
        assert_eq!(timers.pop(at(2)), None);
        assert_eq!(timers.pop(at(9)), Some(Timer::Init));
        assert_eq!(timers.pop(at(9)), Some(Timer::LogIn), "a login before a probe");
        assert_eq!(timers.pop(at(9)), Some(Timer::Probe));
        assert_eq!(timers.next(), None);
    }
}
