//! Many sidecars at one server, and how many requests the server gets in each second. Each sidecar lives in a world of
//! its own, on the fleet's clock, and keeps every promise of `checks`. They have in common when they start, when the
//! server is away, and when they are restarted.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::clock::BEGIN;
use super::faults::{Fault, Planned};
use super::server::Health;
use super::setup::{Kind, Setup};
use super::world::World;
use super::{HOUR, KV, MINUTE};

/// What happens to all sidecars at once, at a time that counts from the fleet's beginning.
#[derive(Debug, Clone, Copy)]
pub enum Blow {
    /// Each sidecar is killed and started again, and still has its handoff.
    Restart,
    /// Each sidecar is killed and started again without its handoff, evenly over this time. The same happens when all
    /// pods are made anew.
    Recreation(Duration),
    /// The server is sealed for this long.
    Seal(Duration),
}

/// The sidecars and what happens to them.
#[derive(Debug, Clone)]
pub struct Fleet {
    pub sidecars: u64,
    pub lasts: Duration,
    /// The sidecars start evenly over this time.
    pub rollout: Duration,
    pub blows: Vec<(Duration, Blow)>,
}

/// What all sidecars sent, and how soon each was current again.
#[derive(Debug, Clone)]
pub struct Load {
    /// How many requests were sent in each second.
    pub seconds: Vec<u32>,
    /// The times from the end of each blow until a sidecar's file was current, sorted. A sidecar whose file was current
    /// all along has none.
    pub back: Vec<Vec<Duration>>,
}

impl Fleet {
    /// Returns a fleet of this many sidecars, which start over half an hour. It lives for three hours, and meets `blow`
    /// after two.
    pub fn of(sidecars: u64, blow: Blow) -> Self {
        Self { sidecars, lasts: 3 * HOUR, rollout: 30 * MINUTE, blows: vec![(2 * HOUR, blow)] }
    }

    /// Lives through the whole life of the fleet, and returns what all sidecars sent.
    ///
    /// # Errors
    /// The first promise that one of them broke.
    pub fn live(&self) -> Result<Load, String> {
        let next = AtomicU64::new(0);
        let seconds = usize::try_from(self.lasts.as_secs()).expect("a few days") + 1;
        let work = || {
            let mut load = Load { seconds: vec![0; seconds], back: vec![Vec::new(); self.blows.len()] };
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
        let parts: Vec<Result<Load, String>> = std::thread::scope(|scope| {
            let threads = std::thread::available_parallelism().map_or(1, usize::from);
            let all: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
            all.into_iter().map(|one| one.join().expect("a violation is an error, not a panic")).collect()
        });
        let mut all = Load { seconds: vec![0; seconds], back: vec![Vec::new(); self.blows.len()] };
        for part in parts {
            let part = part?;
            all.seconds.iter_mut().zip(part.seconds).for_each(|(sum, part)| *sum += part);
            all.back.iter_mut().zip(part.back).for_each(|(all, part)| all.extend(part));
        }
        all.back.iter_mut().for_each(|back| back.sort());
        Ok(all)
    }

    fn live_one(&self, sidecar: u64, load: &mut Load) -> Result<(), String> {
        let part = sidecar as f64 / self.sidecars as f64;
        let start = self.rollout.mul_f64(part);
        let mut world = World::new(sidecar, web(sidecar, self.lasts));
        let mut ends = Vec::new();
        for (at, blow) in &self.blows {
            let (late, lasts, fault) = match blow {
                Blow::Restart => (Duration::ZERO, Duration::ZERO, Fault::Kill),
                Blow::Recreation(over) => (over.mul_f64(part), Duration::ZERO, Fault::KillAndForget),
                Blow::Seal(lasts) => (Duration::ZERO, *lasts, Fault::Health(Health::Sealed)),
            };
            let at = (*at + late).saturating_sub(start);
            world.plan(Planned { at, lasts, fault });
            if !lasts.is_zero() {
                // A sidecar whose file has this version is up to date.
                let fault = Fault::Change(KV.to_owned());
                world.plan(Planned { at: at + lasts / 2, lasts: Duration::ZERO, fault });
            }
            ends.push(at + lasts);
        }
        for (end, back) in ends.into_iter().zip(&mut load.back) {
            world.live_until(end)?;
            let before = world.disk.changed.clone();
            world.live_until(end + MINUTE)?;
            if before != world.disk.changed {
                back.extend(world.disk.changed.values().map(|at| *at - BEGIN - end));
            }
        }
        world.live_until(self.lasts - start)?;
        for at in &world.sent {
            let second = usize::try_from((*at - BEGIN + start).as_secs()).expect("a few days");
            load.seconds[second] += 1;
        }
        Ok(())
    }
}

/// The return of a server that answers `capacity` requests a second. All requests beyond that wait in its queue.
#[derive(Debug, Clone, Copy)]
pub struct Flood {
    pub sidecars: u64,
    pub sealed: Duration,
    pub capacity: f64,
}

/// What the first two minutes after the return came to.
#[derive(Debug, Clone)]
pub struct Flooded {
    /// How long an answer took in each step of time, one step after the other.
    pub waits: Vec<Duration>,
    /// How soon each sidecar's file was current, sorted.
    pub back: Vec<Duration>,
}

impl Flood {
    /// The time from one look at the queue to the next.
    const STEP: Duration = Duration::from_millis(250);

    /// Lives through the return with all sidecars together, since each waits for what the others ask.
    ///
    /// # Errors
    /// The first promise that one of them broke.
    pub fn live(&self) -> Result<Flooded, String> {
        let end = HOUR + self.sealed;
        let mut worlds =
            (0..self.sidecars).map(|one| self.wait_for(one, end)).collect::<Result<Vec<_>, _>>()?;
        let (mut queue, mut flooded) = (0.0, Flooded { waits: Vec::new(), back: Vec::new() });
        let mut now = Duration::ZERO;
        while now < 2 * MINUTE {
            now += Self::STEP;
            let backlog = Duration::from_secs_f64(queue / self.capacity);
            flooded.waits.push(backlog);
            let mut sent = 0;
            for (begin, world) in &mut worlds {
                world.backlog = backlog;
                let before = world.sent.len();
                world.live_until(*begin + now)?;
                sent += world.sent.len() - before;
            }
            queue = f64::max(queue + sent as f64 - self.capacity * Self::STEP.as_secs_f64(), 0.0);
        }
        for (begin, world) in &worlds {
            let changed = world.disk.changed.values().map(|at| at.saturating_sub(BEGIN + *begin));
            flooded.back.extend(changed.filter(|at| !at.is_zero()));
        }
        flooded.back.sort();
        Ok(flooded)
    }

    /// Makes a sidecar that has lived up to the return of the server, which is at `end` on the fleet's clock. Returns
    /// it with the same moment on its own clock.
    fn wait_for(&self, sidecar: u64, end: Duration) -> Result<(Duration, World), String> {
        let start = (20 * MINUTE).mul_f64(sidecar as f64 / self.sidecars as f64);
        let mut world = World::new(sidecar, web(sidecar, 4 * HOUR));
        let at = end - self.sealed - start;
        world.plan(Planned { at, lasts: self.sealed, fault: Fault::Health(Health::Sealed) });
        let fault = Fault::Change(KV.to_owned());
        world.plan(Planned { at: at + self.sealed / 2, lasts: Duration::ZERO, fault });
        world.live_until(end - start)?;
        Ok((end - start, world))
    }
}

/// Returns the setup of a sidecar such as most are. It has a database credential of an hour, and a secret of KV v2 that
/// is polled every five minutes. Its token lives for an hour, and it has a handoff.
fn web(seed: u64, lasts: Duration) -> Setup {
    let database = Kind::Dynamic { ttl: HOUR, max: 24 * HOUR, renewable: true };
    let mut setup = Setup::plain("database/creds/web", database);
    setup.paths.push((KV.to_owned(), Kind::Kv));
    setup.files[0].paths.push(KV.to_owned());
    setup.files[0].refresh = 5 * MINUTE;
    Setup { seed, handoff: true, end: lasts + HOUR, ..setup }
}

/// The load in a stretch of time, in requests a second.
#[derive(Debug, Clone, Copy)]
pub struct Stretch {
    pub mean: f64,
    /// The load of the busiest ten seconds.
    pub ten_seconds: f64,
    /// The load of the busiest second.
    pub second: f64,
}

impl Load {
    /// Returns how soon this many of a hundred sidecars were current after the blow of this number.
    pub fn current(&self, blow: usize, percent: usize) -> Duration {
        let back = &self.back[blow];
        back.get((back.len() * percent).div_ceil(100).saturating_sub(1)).copied().unwrap_or_default()
    }

    /// Returns the load from one moment up to another.
    pub fn between(&self, from: Duration, to: Duration) -> Stretch {
        let second = |at: Duration| usize::try_from(at.as_secs()).expect("a few days");
        let all = &self.seconds[second(from)..second(to)];
        let rate = |seconds: &[u32]| f64::from(seconds.iter().sum::<u32>()) / seconds.len() as f64;
        Stretch {
            mean: rate(all),
            ten_seconds: all.windows(10).map(rate).fold(0.0, f64::max),
            second: f64::from(all.iter().copied().max().unwrap_or(0)),
        }
    }
}
