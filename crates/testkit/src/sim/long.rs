//! One sidecar over months, with restarts and outages in every week. What it keeps and how much it asks must not grow.
//! Another program kept a sleeping goroutine for each restart of its runner, and after 27 days thousands of them woke
//! at once (consul-template#2148).

use std::time::Duration;

use super::faults::{Fault, Planned};
use super::server::Health;
use super::setup::{FileSetup, Kind, Role, Setup};
use super::world::World;
use super::{DB, HOUR, KV, MINUTE, secs};

const DAY: Duration = Duration::from_secs(24 * 3600);
/// How many weeks at each end are compared.
const WEEKS: usize = 3;

/// The figures of one week.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Week {
    /// How many requests were sent.
    pub requests: usize,
    /// How many requests were sent in the busiest second.
    pub peak: usize,
    /// How many characters the engine takes at the end of the week, when it is written out with all that it holds.
    pub engine: usize,
    /// How many characters the content of a handoff takes then.
    pub handoff: usize,
    /// How many leases are alive on the server.
    pub leases: usize,
}

/// Lives through this many days. Returns each whole week after the first, which has the start in it.
///
/// # Errors
/// The first promise that did not hold.
pub fn live(days: u32) -> Result<Vec<Week>, String> {
    let mut world = World::new(7, setup(DAY * days));
    // A day of many deadlines has some ten thousand steps.
    world.most_steps = u64::from(days) * 100_000;
    for week in 0..days / 7 {
        plan(&mut world, DAY * 7 * week);
    }
    let (mut weeks, mut sent) = (Vec::new(), 0);
    for week in 1..=days / 7 {
        world.live_until(DAY * 7 * week - HOUR)?;
        let now = world.now;
        let engine = &world.process.as_ref().ok_or("no process runs")?.engine;
        let (engine, handoff) = (format!("{engine:?}").len(), format!("{:?}", engine.snapshot()).len());
        let leases = world.server.living(now).count();
        let requests = &world.sent[sent..];
        weeks.push(Week { requests: requests.len(), peak: peak(requests), engine, handoff, leases });
        sent = world.sent.len();
    }
    weeks.remove(0);
    Ok(weeks)
}

/// One of the figures of a week.
type Figure = fn(&Week) -> usize;

/// Returns what has grown by more than a twentieth from the first weeks to the last. The result is empty if nothing
/// has.
pub fn grown(weeks: &[Week]) -> Vec<String> {
    let part = WEEKS.min(weeks.len() / 2);
    let (first, last) = (&weeks[..part], &weeks[weeks.len() - part..]);
    let most = |of: &[Week], what: Figure| of.iter().map(what).max().unwrap_or_default();
    let figures: [(&str, Figure); 5] = [
        ("requests a week", |week| week.requests),
        ("the busiest second", |week| week.peak),
        ("what the engine holds", |week| week.engine),
        ("what the handoff holds", |week| week.handoff),
        ("living leases", |week| week.leases),
    ];
    let told = figures.into_iter().map(|(name, what)| (name, most(first, what), most(last, what)));
    told.filter(|(_, before, after)| after * 20 > before * 21)
        .map(|(name, before, after)| format!("{name}: from {before} to {after}"))
        .collect()
}

/// Returns the most requests in one second.
fn peak(sent: &[Duration]) -> usize {
    sent.chunk_by(|one, next| one.as_secs() == next.as_secs())
        .map(<[Duration]>::len)
        .max()
        .unwrap_or_default()
}

/// Plans one week, which is the same as every other: a configuration that is read again, restarts of every kind,
/// outages, and revoked tokens and leases.
fn plan(world: &mut World, week: Duration) {
    let (kv, now) = (|| Fault::Change(KV.to_owned()), Duration::ZERO);
    for (at, lasts, fault) in [
        (DAY, now, Fault::Reload),
        (DAY + 2 * HOUR, now, kv()),
        (2 * DAY, now, Fault::Kill),
        (2 * DAY + 6 * HOUR, 10 * MINUTE, Fault::Health(Health::Down)),
        (3 * DAY, now, Fault::Restart(secs(60))),
        (3 * DAY + 3 * HOUR, now, Fault::Suspend(4 * HOUR)),
        (4 * DAY, now, Fault::Reboot(2 * MINUTE)),
        (4 * DAY + 5 * HOUR, now, kv()),
        (5 * DAY, now, Fault::TokensRevoked),
        (5 * DAY + 5 * HOUR, now, Fault::LeasesRevoked),
        (6 * DAY, 5 * MINUTE, Fault::Network(30)),
    ] {
        world.plan(Planned { at: week + at, lasts, fault });
    }
}

/// Returns the setup of a sidecar with one file of the set for a secret of each kind, polled as often as is usual.
fn setup(end: Duration) -> Setup {
    let paths = [
        (KV, Kind::Kv),
        (DB, Kind::Dynamic { ttl: HOUR, max: DAY, renewable: true }),
        ("database/static-creds/st", Kind::Static { period: DAY }),
        ("pki/issue/pk", Kind::Certificate { life: 3 * DAY }),
    ];
    let file = |path: &str| FileSetup {
        paths: vec![path.to_owned()],
        choice: None,
        refresh: 5 * MINUTE,
        wait: None,
        sink: None,
    };
    let plain = Setup::plain(KV, Kind::Kv);
    Setup {
        files: paths.iter().map(|(path, _)| file(path)).collect(),
        members: paths.len(),
        paths: paths.map(|(path, kind)| (path.to_owned(), kind)).into(),
        role: Role { max: Some(2 * DAY), ..plain.role },
        handoff: true,
        end,
        ..plain
    }
}
