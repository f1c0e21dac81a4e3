//! What a daemon does while there is nothing to do: it takes less memory.

use std::time::Duration;

use super::inputs::FIRST_LOOK;
use crate::observe::clock;
use crate::pages::{self, Pages};
use crate::sandbox;
use leasehold_base::time::Moment;

/// A daemon is idle when nothing has happened for this long. It is not less than the time from the start to the first
/// look at the files: that look would bring back, for a whole pause, what was given back just before.
const QUIET: Duration = FIRST_LOOK;
/// The pause between two rests, since what every look brings back need not go after each of them. It is less than the
/// minute between two looks, so that what a look brings back goes again.
const PAUSE: Duration = Duration::from_secs(50);

/// The program's pages, which are given back now and then.
pub(super) struct Rest {
    /// `None` if nothing can be gained: `init` is over before it is idle.
    pages: Option<Pages>,
    last: Option<Moment>,
    /// Much of the heap was used for a while, and is free again: by the start, a reload, or a large handoff.
    heap: bool,
}

impl Rest {
    /// Makes one that has given nothing back yet.
    pub(super) fn new(pages: Option<Pages>) -> Self {
        Self { pages, last: None, heap: true }
    }

    /// Records that much of the heap was used, and is free again.
    pub(super) fn owe_heap(&mut self) {
        self.heap = true;
    }

    /// Ends when it is time to [`begin`](Self::begin), if nothing else happens before. It has to be waited for anew
    /// after every event. It never ends if the last rest was lately.
    pub(super) async fn comes(&self) {
        match self.wait(clock::moment()) {
            Some(wait) => tokio::time::sleep(wait).await,
            None => std::future::pending().await,
        }
    }

    fn wait(&self, now: Moment) -> Option<Duration> {
        let lately = self.last.is_some_and(|at| at.until(now) < PAUSE);
        (self.pages.is_some() && (self.heap || !lately)).then_some(QUIET)
    }

    /// Gives back what can be had again at once.
    pub(super) fn begin(&mut self) {
        self.last = Some(clock::moment());
        if std::mem::take(&mut self.heap) {
            sandbox::with_memory_unlocked(pages::give_back_heap);
        }
        let Some(pages) = &mut self.pages else { return };
        if let Err(why) = pages.give_back() {
            tracing::debug!("the program's pages stay resident: {why}");
            self.pages = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rest_comes_after_a_quiet_moment_and_not_again_at_once() {
        let mut rest = Rest::new(Pages::open().ok());
        assert_eq!(rest.wait(clock::moment()), Some(QUIET));
        rest.begin();
        assert!(rest.pages.is_some(), "they were given back");
        let began = rest.last.expect("it was noted");
        assert_eq!(rest.wait(began.after(PAUSE / 2)), None);
        rest.owe_heap();
        assert_eq!(rest.wait(began.after(PAUSE / 2)), Some(QUIET), "a reload is over");
        rest.begin();
        let began = rest.last.expect("it was noted");
        assert_eq!(rest.wait(began.after(PAUSE)), Some(QUIET));
    }

    #[test]
    fn without_pages_it_never_comes() {
        let mut rest = Rest::new(None);
        assert_eq!(rest.wait(clock::moment()), None);
        rest.begin();
        assert_eq!(rest.wait(clock::moment().after(PAUSE)), None);
    }
}
