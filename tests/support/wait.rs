//! Waiting for a condition by asking again, never by sleeping for a guessed time.

use std::thread;
use std::time::{Duration, Instant};

/// Short beside what is measured (200 ms is the shortest promise), long beside the cost of asking.
const BETWEEN: Duration = Duration::from_millis(5);

/// Asks `probe` until it answers `Some`, and panics naming `what` when `deadline` has passed.
pub fn wait_for<T>(what: &str, deadline: Duration, mut probe: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(answer) = probe() {
            return answer;
        }
        assert!(start.elapsed() < deadline, "waited {deadline:?} in vain for {what}");
        thread::sleep(BETWEEN);
    }
}

/// [`wait_for`] of something that is true or not; answers the time that it took.
pub fn wait_until(what: &str, deadline: Duration, mut condition: impl FnMut() -> bool) -> Duration {
    let start = Instant::now();
    wait_for(what, deadline, || condition().then_some(()));
    start.elapsed()
}
