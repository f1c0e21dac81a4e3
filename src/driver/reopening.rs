//! Opens the destinations of a configuration that was read again. For thousands of absolute files that takes a good
//! part of a second, so another thread does it. The engine is at rest meanwhile: nothing is published.

use std::sync::Arc;

use tokio::task::JoinHandle;

use super::files::{Files, MANY};
use crate::config::plan::Plan;
use crate::core::policy::Policy;
use crate::exit::{Cause, Ending};

/// A configuration that the next engine can go on with.
pub(super) struct Opened {
    pub(super) plan: Arc<Plan>,
    pub(super) policy: Policy,
    pub(super) files: Files,
}

/// The one opening that is under way, or over.
#[derive(Default)]
pub(super) struct Reopening {
    under_way: Option<JoinHandle<Result<Opened, Ending>>>,
    over: Option<Result<Opened, Ending>>,
}

impl Reopening {
    /// Opens so many destinations. What was opened before, for a configuration that is no longer wanted, is dropped.
    pub(super) fn begin(
        &mut self,
        units: usize,
        open: impl FnOnce() -> Result<Opened, Ending> + Send + 'static,
    ) {
        *self = match units < MANY {
            true => Self { over: Some(open()), under_way: None },
            false => Self { over: None, under_way: Some(tokio::task::spawn_blocking(open)) },
        };
    }

    /// Returns whether an opening is under way, or over and not taken yet.
    pub(super) fn is_wanted(&self) -> bool {
        self.under_way.is_some() || self.over.is_some()
    }

    /// Ends when an opening is over; waits for ever if none is under way. The future can be dropped without losing
    /// anything.
    pub(super) async fn ends(&mut self) {
        let Some(opening) = &mut self.under_way else { return std::future::pending().await };
        let bug =
            |_| Ending::new(Cause::Bug, "opening the destinations did not finish", "please report this");
        self.over = Some(opening.await.map_err(bug).flatten());
        self.under_way = None;
    }

    /// Returns what was opened, once it is.
    pub(super) fn take(&mut self) -> Option<Result<Opened, Ending>> {
        self.over.take()
    }
}
