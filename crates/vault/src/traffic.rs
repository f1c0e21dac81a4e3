//! Decides which of a host's connections a request goes over.
//!
//! With HTTP/1, few connections stay open between requests, since each holds buffers of a size that shows in an idle
//! sidecar. But a start reads a thousand secrets, eight at a time, and a pool that keeps two would open a connection
//! for every third of them. So a request that goes out beside others goes through a pool that keeps all its
//! connections, for a moment.
//!
//! If the server speaks HTTP/2, one connection carries an ordinary start or the end of an outage, and the server
//! makes one handshake. For a few files that handshake is a good part of all it has to do (docs/BENCHMARKS.md). A
//! long run of requests costs the server more over one connection, on which it has to put all answers in a row, than
//! over several. Such a run pays for connections of its own, and goes on over those.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use http::Version;

use leasehold_base::time::Moment;

/// How many HTTP/1 connections are kept for the next request.
pub(super) const IDLE: usize = 2;

/// How many requests of one run a shared connection carries. At a hundred both ways cost the same.
const SHARED: usize = 128;

/// A run is over when no request has been under way or sent for this long: between any two answers that is so for an
/// instant.
pub(super) const REST: Duration = Duration::from_millis(500);

/// Which of a host's two pools.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Pool {
    /// Kept open for requests that come now and then.
    Steady,
    /// For many requests at once, over HTTP/1.
    Burst,
}

/// The requests of one host.
#[derive(Debug, Default)]
pub(super) struct Traffic(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    /// The host last answered in HTTP/2.
    shares: bool,
    /// The requests under way over the steady pool.
    steady: usize,
    /// The requests under way over the burst pool.
    burst: usize,
    /// The requests since the last rest.
    run: usize,
    /// When the last request was sent.
    last: Moment,
}

impl Traffic {
    /// Returns a place for a request that is sent now, to be held until its answer is complete.
    pub(super) fn take(self: &Arc<Self>, now: Moment) -> Turn {
        let pool = self.with(|state| state.take(now));
        Turn { traffic: Arc::clone(self), pool }
    }

    fn with<T>(&self, act: impl FnOnce(&mut State) -> T) -> T {
        act(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl State {
    fn take(&mut self, now: Moment) -> Pool {
        if self.steady + self.burst == 0 && self.last.until(now) >= REST {
            self.run = 0;
        }
        self.last = now;
        let has_room = if self.shares { self.run < SHARED } else { self.steady < IDLE };
        self.run = self.run.saturating_add(1);
        let pool = if has_room { Pool::Steady } else { Pool::Burst };
        *self.under_way(pool) += 1;
        pool
    }

    fn under_way(&mut self, pool: Pool) -> &mut usize {
        match pool {
            Pool::Steady => &mut self.steady,
            Pool::Burst => &mut self.burst,
        }
    }
}

/// A request's place, until it is dropped.
#[derive(Debug)]
pub(super) struct Turn {
    traffic: Arc<Traffic>,
    pool: Pool,
}

impl Turn {
    /// Returns the pool that the request goes through.
    pub(super) fn pool(&self) -> Pool {
        self.pool
    }

    /// Records that the host answered in this version.
    pub(super) fn answered(&self, version: Version) {
        // The burst pool speaks HTTP/1 whatever the server can do.
        if self.pool == Pool::Steady {
            self.traffic.with(|state| state.shares = version == Version::HTTP_2);
        }
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.traffic.with(|state| *state.under_way(self.pool) -= 1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: u64) -> Moment {
        Moment::new(Duration::from_secs(1000) + Duration::from_millis(millis))
    }

    fn pools(turns: &[Turn]) -> Vec<Pool> {
        turns.iter().map(Turn::pool).collect()
    }

    #[test]
    fn over_http_1_what_is_beside_others_has_connections_of_its_own() {
        let traffic = Arc::new(Traffic::default());
        let mut turns: Vec<Turn> = (0..4).map(|_| traffic.take(at(0))).collect();
        assert_eq!(pools(&turns), [Pool::Steady, Pool::Steady, Pool::Burst, Pool::Burst]);
        turns[3].answered(Version::HTTP_11);
        turns.remove(0);
        assert_eq!(traffic.take(at(1)).pool(), Pool::Steady);
    }

    #[test]
    fn over_http_2_all_share_until_they_are_many_in_a_row() {
        let traffic = Arc::new(Traffic::default());
        traffic.take(at(0)).answered(Version::HTTP_2);
        for round in [1000, 3000] {
            let mut turns: Vec<Turn> = (0..SHARED).map(|_| traffic.take(at(round))).collect();
            assert!(pools(&turns).iter().all(|pool| *pool == Pool::Steady));
            turns.drain(1..);
            let more = traffic.take(at(round + 900));
            assert_eq!(more.pool(), Pool::Burst, "one of them is under way still");
            more.answered(Version::HTTP_11);
            drop((turns, more));
            assert_eq!(traffic.take(at(round + 901)).pool(), Pool::Burst, "an instant is no rest");
        }
    }

    #[test]
    fn a_server_that_speaks_http_2_no_longer_is_noticed() {
        let traffic = Arc::new(Traffic::default());
        traffic.take(at(0)).answered(Version::HTTP_2);
        traffic.take(at(0)).answered(Version::HTTP_11);
        let turns: Vec<Turn> = (0..3).map(|_| traffic.take(at(0))).collect();
        assert_eq!(turns[2].pool(), Pool::Burst);
    }
}
