//! Records since when the server has answered nothing, although it was asked.
//!
//! The outcome of a request is known when it is answered or its time is over, which may take minutes. A person who
//! looks in the meantime has to see that the server does not answer. The core decides nothing by it.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use crate::observe::clock;
use leasehold_base::time::Moment;

/// A silence of this length is reported.
const LONG: Duration = Duration::from_secs(3);

/// We are woken when a silence is long. If we come later than this, it was we who did not listen: the process was
/// stopped, the machine was asleep, or the loop was busy. The answer may be there unread.
const LATE: Duration = Duration::from_secs(1);

/// The requests that are under way at the moment.
#[derive(Debug, Clone, Default)]
pub(super) struct Silence(Rc<State>);

#[derive(Debug, Default)]
struct State {
    /// How many requests wait for their answers.
    waiting: Cell<usize>,
    /// When the last request was answered, or the first was sent; `None` if no request waits.
    since: Cell<Option<Moment>>,
    /// Whether the silence was found to be long.
    long: Cell<bool>,
}

/// A request that waits for its answer, until it is dropped.
pub(super) struct Waiting(Rc<State>);

impl Silence {
    /// Records a request that is sent after this time. It counts from now on, and not from its first poll: the driver
    /// asks before that how long it may sleep.
    pub(super) fn begin(&self, wait: Duration) -> Waiting {
        self.begin_at(clock::moment().after(wait))
    }

    fn begin_at(&self, now: Moment) -> Waiting {
        let state = &self.0;
        state.waiting.set(state.waiting.get() + 1);
        state.since.set(state.since.get().or(Some(now)));
        Waiting(Rc::clone(state))
    }

    /// Returns when the silence becomes long; `None` if no request waits.
    pub(super) fn is_long_at(&self) -> Option<Moment> {
        self.0.since.get().map(|since| since.after(LONG))
    }

    /// Returns since when the silence lasts, if it is long by now.
    pub(super) fn long(&self, now: Moment) -> Option<Moment> {
        let since = self.0.since.get().filter(|since| since.after(LONG) <= now)?;
        if !self.0.long.get() && since.after(LONG + LATE) < now {
            self.0.since.set(Some(now));
            return None;
        }
        self.0.long.set(true);
        Some(since)
    }
}

impl Waiting {
    fn end_at(&self, now: Moment) {
        let left = self.0.waiting.get().saturating_sub(1);
        self.0.waiting.set(left);
        self.0.since.set((left > 0).then_some(now));
        self.0.long.set(false);
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.end_at(clock::moment());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_lasts_from_the_first_request_or_the_last_answer_whichever_is_later() {
        let silence = Silence::default();
        let at = |seconds| Moment::new(Duration::from_secs(seconds));
        assert_eq!(silence.is_long_at(), None, "nothing is asked");
        let (first, second) = (silence.begin_at(at(10)), silence.begin_at(at(12)));
        assert_eq!(silence.is_long_at(), Some(at(13)));
        assert_eq!((silence.long(at(12)), silence.long(at(13))), (None, Some(at(10))));
        first.end_at(at(14));
        assert_eq!(silence.long(at(16)), None, "one was answered, which shows that the server is there");
        assert_eq!(silence.long(at(17)), Some(at(14)));
        second.end_at(at(18));
        assert_eq!(silence.is_long_at(), None);
        std::mem::forget((first, second));
    }

    #[test]
    fn a_process_that_did_not_listen_itself_starts_to_count_anew() {
        let silence = Silence::default();
        let at = |seconds| Moment::new(Duration::from_secs(seconds));
        let one = silence.begin_at(at(10));
        assert_eq!(silence.long(at(60)), None, "it was stopped for 50 s");
        assert_eq!(silence.long(at(63)), Some(at(60)));
        assert_eq!(silence.long(at(90)), Some(at(60)), "it is known by now");
        std::mem::forget(one);
    }
}
