//! Opens the destinations of a configuration that was read again. For thousands of absolute files that takes a good
//! part of a second, so another thread does it. The engine is at rest meanwhile: nothing is published.

use std::sync::Arc;
use std::time::Duration;

use super::apart::Apart;
use super::files::{Files, MANY};
use crate::config::plan::Plan;
use crate::core::policy::Policy;
use crate::exit::Ending;
use leasehold_base::time::Moment;

/// Destinations that are not open after this time are on a file system that hangs.
const HANGS: Duration = Duration::from_secs(60);

/// A configuration that the next engine can go on with.
pub(super) struct Opened {
    pub(super) plan: Arc<Plan>,
    pub(super) policy: Policy,
    pub(super) files: Files,
}

/// The one opening that is under way, or over.
#[derive(Default)]
pub(super) struct Reopening {
    under_way: Option<Apart<Result<Opened, Ending>>>,
    began: Moment,
    over: Option<Result<Opened, Ending>>,
}

impl Reopening {
    /// Opens so many destinations. What was opened before, for a configuration that is no longer wanted, is dropped.
    pub(super) fn begin(
        &mut self,
        units: usize,
        now: Moment,
        open: impl FnOnce() -> Result<Opened, Ending> + Send + 'static,
    ) {
        *self = match units < MANY {
            true => Self { over: Some(open()), under_way: None, began: now },
            false => Self { over: None, under_way: Some(Apart::begin(open)), began: now },
        };
    }

    /// Returns whether an opening is under way. It claims folders and tidies them, so no other may begin beside it.
    pub(super) fn is_under_way(&self) -> bool {
        self.under_way.is_some()
    }

    /// Returns whether an opening does not end, as where a file system hangs. The engine is at rest, and nothing is
    /// renewed: this run must not be taken for one that lives.
    pub(super) fn hangs(&self, now: Moment) -> bool {
        self.is_under_way() && self.began.until(now) >= HANGS
    }

    /// Returns whether an opening is under way, or over and not taken yet.
    pub(super) fn is_wanted(&self) -> bool {
        self.under_way.is_some() || self.over.is_some()
    }

    /// Ends when an opening is over; waits for ever if none is under way. The future can be dropped without losing
    /// anything.
    pub(super) async fn ends(&mut self) {
        let Some(opening) = &mut self.under_way else { return std::future::pending().await };
        self.over = Some(opening.outcome("opening the destinations").await);
        self.under_way = None;
    }

    /// Returns what was opened, once it is.
    pub(super) fn take(&mut self) -> Option<Result<Opened, Ending>> {
        self.over.take()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;
    use crate::exit::Cause;

    fn at(seconds: u64) -> Moment {
        Moment::new(Duration::from_secs(seconds))
    }

    #[tokio::test]
    async fn an_opening_that_does_not_end_hangs_and_one_that_ends_is_taken_once() {
        let mut reopening = Reopening::default();
        assert!(!reopening.is_wanted() && !reopening.hangs(at(1000)));
        let (go, gate) = mpsc::channel::<()>();
        reopening.begin(MANY, at(1000), move || {
            gate.recv().expect("the test lets it go on");
            Err(Ending::new(Cause::Config, "what", "hint"))
        });
        assert!(reopening.is_under_way() && reopening.is_wanted());
        assert!(!reopening.hangs(at(1059)) && reopening.hangs(at(1060)));
        assert!(reopening.take().is_none());
        go.send(()).expect("it waits");
        reopening.ends().await;
        assert!(!reopening.is_under_way() && reopening.is_wanted() && !reopening.hangs(at(9000)));
        assert!(reopening.take().is_some_and(|opened| opened.is_err()));
        assert!(!reopening.is_wanted());
    }
}
