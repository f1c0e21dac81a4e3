//! Many sidecars at one server: what it is asked, second by second. Each lives in a world of its own, on
//! the fleet's clock, so that every promise of `checks` is kept by each of them; what they have in common
//! is when they start, when the server is away, and when they are restarted.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::faults::{Fault, Planned};
use super::server::Health;
use super::setup::{Kind, Setup};
use super::world::World;

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3600);
const KV: &str = "secret/data/web";

/// The sidecars and what happens to them, in time from the fleet's beginning.
#[derive(Debug, Clone)]
pub struct Fleet {
    pub sidecars: u64,
    pub lasts: Duration,
    /// They start evenly over this.
    pub rollout: Duration,
    /// The server is sealed from the first on, for the second.
    pub sealed: Option<(Duration, Duration)>,
    /// So many of them are killed and started again at this moment.
    pub restarted: Option<(u64, Duration)>,
}

/// How many requests were sent in each second.
#[derive(Debug, Clone)]
pub struct Load(pub Vec<u32>);

impl Fleet {
    /// A thousand that were started over ten minutes, and all restarted after two hours of three.
    pub fn restarted() -> Self {
        Self {
            sidecars: 1000,
            lasts: 3 * HOUR,
            rollout: 10 * MINUTE,
            sealed: None,
            restarted: Some((1000, 2 * HOUR)),
        }
    }

    /// What all of them send.
    ///
    /// # Errors
    /// The first promise that one of them broke.
    pub fn live(&self) -> Result<Load, String> {
        let next = AtomicU64::new(0);
        let seconds = usize::try_from(self.lasts.as_secs()).expect("a few days") + 1;
        let work = || {
            let mut load = vec![0; seconds];
            loop {
                let sidecar = next.fetch_add(1, Ordering::Relaxed);
                if sidecar >= self.sidecars {
                    return Ok(load);
                }
                if let Err(why) = self.live_one(sidecar, &mut load) {
                    next.store(self.sidecars, Ordering::Relaxed);
                    return Err(format!("sidecar {sidecar}: {why}"));
                }
            }
        };
        let parts: Vec<Result<Vec<u32>, String>> = std::thread::scope(|scope| {
            let threads = std::thread::available_parallelism().map_or(1, usize::from);
            let all: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
            all.into_iter().map(|one| one.join().expect("a violation is an error, not a panic")).collect()
        });
        let mut sum = vec![0; seconds];
        for part in parts {
            sum.iter_mut().zip(part?).for_each(|(sum, part)| *sum += part);
        }
        Ok(Load(sum))
    }

    fn live_one(&self, sidecar: u64, load: &mut [u32]) -> Result<(), String> {
        let share = sidecar as f64 / self.sidecars as f64;
        let start = self.rollout.mul_f64(share);
        let mut world = World::new(sidecar, web(sidecar, self.lasts));
        let mut plan =
            |at: Duration, lasts, fault| world.plan(Planned { at: at.saturating_sub(start), lasts, fault });
        if let Some((at, lasts)) = self.sealed {
            plan(at, lasts, Fault::Health(Health::Sealed));
        }
        // Every nth, so that old and young ones are among them.
        if let Some((count, at)) = self.restarted
            && sidecar * count / self.sidecars != (sidecar + 1) * count / self.sidecars
        {
            plan(at, Duration::ZERO, Fault::Kill);
        }
        world.live_until(self.lasts - start)?;
        let begin = world.moment(Duration::ZERO).since_boot();
        for at in &world.sent {
            let second = usize::try_from((*at - begin + start).as_secs()).expect("a few days");
            load[second] += 1;
        }
        Ok(())
    }
}

/// A sidecar such as most are: a database credential of an hour and a secret of KV v2, which is looked at
/// every five minutes, under a token of an hour; and a handoff.
fn web(seed: u64, lasts: Duration) -> Setup {
    let database = Kind::Dynamic { ttl: HOUR, max: 24 * HOUR, renewable: true };
    let mut setup = Setup::plain("database/creds/web", database);
    setup.paths.push((KV.to_owned(), Kind::Kv));
    setup.files[0].paths.push(KV.to_owned());
    setup.files[0].refresh = 5 * MINUTE;
    Setup { seed, handoff: true, end: lasts + HOUR, ..setup }
}

impl Load {
    /// Requests a second in each whole window of so many seconds, from one moment up to another.
    pub fn rates(&self, from: Duration, to: Duration, window: usize) -> Vec<f64> {
        let second = |at: Duration| usize::try_from(at.as_secs()).expect("a few days");
        let windows = self.0[second(from)..second(to)].chunks_exact(window);
        windows.map(|window| f64::from(window.iter().sum::<u32>()) / window.len() as f64).collect()
    }
}

/// The highest of them, and their mean.
pub fn peak_and_mean(rates: &[f64]) -> (f64, f64) {
    (rates.iter().copied().fold(0.0, f64::max), rates.iter().sum::<f64>() / rates.len() as f64)
}
