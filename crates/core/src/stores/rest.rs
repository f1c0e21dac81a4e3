//! The rest of a store that does not answer: pure arithmetic.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::interface::ids::SecretId;
use crate::tools::dice::pause;
use leasehold_base::failure::{Failure, FailureKind};
use leasehold_base::time::Moment;

/// The first rest, and the longest: the files must be current within a minute of a store's return.
const FIRST: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_secs(30);
/// No rest is longer, whatever the store asks for.
const MOST_ASKED: Duration = Duration::from_secs(50);

/// Whether a store answers, and when it is asked again if it does not.
#[derive(Debug, Default)]
pub(crate) struct Rest {
    away: Option<Away>,
    /// Secrets whose last request met the failure.
    stranded: BTreeSet<SecretId>,
}

#[derive(Debug)]
struct Away {
    since: Moment,
    failure: Failure,
    /// How many failures in a row; requests that were under way together count as one.
    tries: u32,
    until: Moment,
}

impl Rest {
    /// Returns until when nothing is asked; `None` if the store answers. If that is past, one request finds out.
    pub(crate) fn until(&self) -> Option<Moment> {
        self.away.as_ref().map(|away| away.until)
    }

    /// Returns since when the store does not answer, and the last reason.
    pub(crate) fn outage(&self) -> Option<(Moment, &Failure)> {
        self.away.as_ref().map(|away| (away.since, &away.failure))
    }

    /// Records that a request was not answered, or that the store asked for a pause. Returns whether that is news.
    /// `draw` is from 0 to 1.
    pub(crate) fn failed(&mut self, id: SecretId, failure: Failure, now: Moment, draw: f64) -> bool {
        self.stranded.insert(id);
        let news = self.away.is_none();
        let away = self.away.get_or_insert_with(|| Away {
            since: now,
            failure: failure.clone(),
            tries: 0,
            until: now,
        });
        let asked = match failure.kind {
            FailureKind::Overloaded(asked) => asked.unwrap_or_default().min(MOST_ASKED),
            _ => Duration::ZERO,
        };
        away.put_off(asked, now, draw);
        away.failure = failure;
        news
    }

    /// Records that the request did not come to the store, for which we had no credentials. If the store is away, that
    /// is not known to have ended.
    pub(crate) fn not_asked(&mut self, now: Moment, draw: f64) {
        if let Some(away) = &mut self.away {
            away.put_off(Duration::ZERO, now, draw);
        }
    }

    /// Records that the store itself has answered. If it had been away, returns since when, and the secrets whose
    /// requests failed for that.
    pub(crate) fn answered(&mut self) -> Option<(Moment, BTreeSet<SecretId>)> {
        let away = self.away.take()?;
        Some((away.since, std::mem::take(&mut self.stranded)))
    }
}

impl Away {
    /// Sets the next request, if the one before it was due.
    fn put_off(&mut self, asked: Duration, now: Moment, draw: f64) {
        if self.until > now {
            return;
        }
        self.tries = self.tries.saturating_add(1);
        // A little later than the store asked, and not all pods at the same moment.
        let asked = asked.saturating_add(if asked.is_zero() { asked } else { FIRST.mul_f64(draw) });
        self.until = now.after(pause(self.tries, FIRST, LONGEST, draw).max(asked));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Moment {
        Moment::new(Duration::from_secs(seconds))
    }

    fn away() -> Failure {
        Failure::new(FailureKind::Unreachable, "connection refused")
    }

    #[test]
    fn failures_of_one_round_count_once_and_rounds_are_further_and_further_apart() {
        let mut rest = Rest::default();
        assert!(rest.failed(SecretId(0), away(), at(10), 1.0));
        let first = rest.until().expect("it rests");
        assert!(!rest.failed(SecretId(1), away(), at(10), 1.0));
        assert_eq!(rest.until(), Some(first), "the same round");
        let mut now = first;
        for _ in 0..20 {
            rest.failed(SecretId(0), away(), now, 1.0);
            let next = rest.until().expect("it rests");
            assert!(now.until(next) <= LONGEST);
            now = next;
        }
        let (since, met) = rest.answered().expect("it was away");
        assert_eq!((since, met.len()), (at(10), 2));
        assert_eq!(rest.until(), None);
    }

    #[test]
    fn a_rest_that_is_asked_for_is_kept_within_a_minute() {
        let asked =
            |seconds| Failure::new(FailureKind::Overloaded(Some(Duration::from_secs(seconds))), "slow down");
        for (seconds, least, most) in [(10, 10, 11), (3600, 50, 51)] {
            let mut rest = Rest::default();
            rest.failed(SecretId(0), asked(seconds), at(0), 0.5);
            let until = rest.until().expect("it rests");
            assert!(until >= at(least) && until <= at(most), "{until:?}");
        }
    }
}
