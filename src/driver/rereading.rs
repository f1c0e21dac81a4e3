//! Reads the configuration again on another thread. With ten thousand files that takes a good part of a second, in
//! which leases have to be renewed and probes to be answered.

use std::sync::Arc;

use super::apart::Apart;
use crate::config::plan::Plan;
use crate::exit::Ending;

/// Reads the configuration, and checks that this run can go on with it.
pub type Reread = Arc<dyn Fn() -> Result<Plan, Ending> + Send + Sync>;

/// The readings, one at a time.
pub(super) struct Rereading<T = Plan> {
    read: Arc<dyn Fn() -> Result<T, Ending> + Send + Sync>,
    under_way: Option<Apart<Result<T, Ending>>>,
    /// Another HUP came while a reading was under way. That reading may have been too early for what the HUP is about.
    again: bool,
}

impl<T: Send + 'static> Rereading<T> {
    /// Makes one that reads nothing yet.
    pub(super) fn new(read: Arc<dyn Fn() -> Result<T, Ending> + Send + Sync>) -> Self {
        Self { read, under_way: None, again: false }
    }

    /// Begins a reading. If one is under way, another one follows, and only the later one counts.
    pub(super) fn begin(&mut self) {
        if self.under_way.is_some() {
            self.again = true;
            return;
        }
        let read = Arc::clone(&self.read);
        self.under_way = Some(Apart::begin(move || read()));
    }

    /// Returns whether a reading is under way.
    pub(super) fn is_under_way(&self) -> bool {
        self.under_way.is_some()
    }

    /// Returns what the last reading has found, as soon as it is over; waits for ever if none is under way. The future
    /// can be dropped without losing anything.
    pub(super) async fn done(&mut self) -> Result<T, Ending> {
        loop {
            let Some(reading) = &mut self.under_way else { return std::future::pending().await };
            let read = reading.outcome("reading the configuration").await;
            self.under_way = None;
            if std::mem::take(&mut self.again) {
                self.begin();
                continue;
            }
            return read;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};
    use std::sync::mpsc;
    use std::sync::{Mutex, PoisonError};

    use super::*;

    #[tokio::test]
    async fn a_hup_during_a_reading_has_it_read_again_and_only_the_later_one_counts() {
        let (go, gate) = mpsc::channel::<()>();
        let (gate, count) = (Mutex::new(gate), AtomicU32::new(0));
        let mut rereading = Rereading::new(Arc::new(move || {
            let number = count.fetch_add(1, Ordering::Relaxed) + 1;
            let gate = gate.lock().unwrap_or_else(PoisonError::into_inner);
            gate.recv().expect("the test lets it go on");
            Ok(number)
        }));
        rereading.begin();
        rereading.begin();
        rereading.begin();
        {
            let mut dropped = std::pin::pin!(rereading.done());
            assert!(futures_util::poll!(&mut dropped).is_pending(), "it blocks nothing");
        }
        assert!(rereading.is_under_way());
        (0..2).for_each(|_| go.send(()).expect("it waits"));
        assert_eq!(rereading.done().await, Ok(2), "both of the later two are about one reading");
        assert!(!rereading.is_under_way());
        rereading.begin();
        go.send(()).expect("it waits");
        assert_eq!(rereading.done().await, Ok(3));
    }
}
