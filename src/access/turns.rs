//! The turns of requests at a limited rate: a command asks no faster than a run would.

use std::cell::RefCell;

use leasehold_base::clock;
use leasehold_base::rate::{Pace, RateLimit};

/// The turns of the requests to one server. If there is no limit, each comes at once.
pub(super) struct Turns(RefCell<Option<Pace>>);

impl Turns {
    pub(super) fn new(limit: Option<RateLimit>) -> Self {
        Self(RefCell::new(limit.map(Pace::new)))
    }

    /// Waits until the next request may be sent.
    pub(super) async fn next(&self) {
        let wait = self.0.borrow_mut().as_mut().map(|pace| pace.take(clock::moment())).unwrap_or_default();
        if !wait.is_zero() {
            tokio::time::sleep(wait).await;
        }
    }
}
