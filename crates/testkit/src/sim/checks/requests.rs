//! How many requests the server may get: in a minute, for logins, and while it is away.

use std::time::Duration;

use super::super::faults::Fault;
use super::super::server::Health;
use super::super::setup::Kind;
use super::super::world::World;
use super::{Held, MINUTE, QUARTER};

/// Returns how many requests are allowed in a minute: twice what the schedule itself needs, and room for starting and
/// mending everything.
pub(super) fn most_a_minute(world: &World) -> usize {
    let paths = &world.setup.paths;
    let refresh = world.setup.files.iter().map(|file| file.refresh).min().unwrap_or(MINUTE);
    let per_minute = |every: Duration| MINUTE.as_secs_f64() / every.as_secs_f64().max(1.0);
    let need: f64 = paths
        .iter()
        .map(|(_, kind)| match kind {
            Kind::Kv => per_minute(refresh.mul_f64(0.9)),
            Kind::Dynamic { ttl, .. } => 4.0 * per_minute(*ttl),
            // A rotation whose password is late is asked about several times.
            Kind::Static { period } => 1.0 + 4.0 * per_minute(*period) + per_minute(refresh.mul_f64(0.9)),
            Kind::Certificate { life } => 2.0 * per_minute(*life),
        })
        .sum();
    let sinks = world.setup.files.iter().filter(|file| file.sink.is_some()).count();
    // A proxy's answer is followed by a probe, one a second at the most.
    let probes = if world.setup.proxied { 60 } else { 0 };
    // A run that was just started looks up and gives back what the one before did, too.
    let late = |at: &&Duration| **at + MINUTE >= world.now;
    let starts = ANEW * world.checks.starts.iter().filter(late).count();
    let room = 60 + probes + starts + 14 * (paths.len() + sinks);
    room + (2.0 * need).ceil() as usize
}

/// Returns how many leases had to be given back recently, each with one request of its own. There are many at once if
/// logins are short-lived and the handoff could not be written for long, because the handoff has to record that first.
pub(super) fn given_back(world: &World) -> usize {
    let late = |at: Duration| at + MINUTE >= world.now;
    let leases = world.server.leases.values().filter(|lease| lease.elsewhere);
    leases.filter(|lease| lease.revoked.map_or(lease.expires > world.now, late)).count()
}

/// How many logins are allowed in a minute. The pauses double from one second on, separately for refused logins and for
/// logins that fail otherwise. Before the token that they follow has ended, the pauses are half of what is left of it.
const LOGINS: usize = 14 + 6;
/// The extra logins that a start or new credentials may cause. Both may have fixed the cause, so the pauses begin again
/// at the shortest.
const ANEW: usize = 7;

/// Checks that there are no more logins in a minute than allowed. Logins go one at a time, with a pause that grows if
/// they do not last.
pub(super) fn no_login_storm(world: &mut World) -> Held {
    let now = world.now;
    let (logins, starts) = (&mut world.checks.logins, &mut world.checks.starts);
    for times in [&mut *logins, &mut *starts] {
        while times.front().is_some_and(|at| *at + MINUTE < now) {
            times.pop_front();
        }
    }
    let most = LOGINS + ANEW * starts.len();
    if logins.len() > most {
        return Err(format!("{} logins in a minute, where {most} are plenty", logins.len()));
    }
    Ok(())
}

/// Checks that refused logins stay below the server's lockout.
pub(super) fn lockout_not_tripped(world: &World) -> Held {
    // What is refused is remembered across restarts in the handoff only.
    let remembers = world.setup.handoff && !world.checks.lost;
    if !remembers && world.checks.runs > 1 {
        return Ok(());
    }
    if !world.setup.locks_out {
        return Ok(());
    }
    let recent = world.server.refused.iter().filter(|at| **at + QUARTER > world.now).count();
    if recent >= 5 {
        return Err(format!("{recent} refused logins in a quarter of an hour"));
    }
    Ok(())
}

/// Checks that the run sends few requests while the server is away. One probe asks, however many secrets there are.
pub(super) fn quiet_during_outage(world: &World) -> Held {
    let away = world.faults.contains(&Fault::Health(Health::Down))
        || world.faults.contains(&Fault::Health(Health::Sealed));
    let since = world.calm;
    let settled = away && world.faults.len() == 1 && since + 2 * MINUTE < world.now;
    if settled && world.checks.sent.len() > 64 {
        return Err(format!("{} requests in a minute of outage", world.checks.sent.len()));
    }
    Ok(())
}
