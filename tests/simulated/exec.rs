//! The engine as the parent of a process. In all of its worlds the promises of `sim::application` hold too.

use std::time::Duration;

use leasehold::config::plan::OnChange;
use leasehold::core::ids::NotifierId;
use leasehold::exit::Cause;

use leasehold_testkit::sim::application::{ApplicationSetup, STOP_TIMEOUT};
use leasehold_testkit::sim::faults::Fault;
use leasehold_testkit::sim::server::Health;
use leasehold_testkit::sim::setup::{Kind, Setup};
use leasehold_testkit::sim::stage::{dynamic, kill, living, until, view, with};
use leasehold_testkit::sim::world::World;
use leasehold_testkit::sim::{DB, HOUR, KV, MINUTE, secs};

/// A world of one secret in a file and a variable, and these faults.
fn world<const N: usize>(
    path: &str,
    kind: Kind,
    application: ApplicationSetup,
    faults: [(Duration, Duration, Fault); N],
) -> World {
    let mut setup = Setup::plain(path, kind);
    setup.files.push(setup.files[0].clone());
    setup.application = Some(ApplicationSetup { variable: true, ..application });
    setup.handoff = true;
    with(setup, faults)
}

fn restarted() -> ApplicationSetup {
    ApplicationSetup::plain(OnChange::Restart)
}

fn change(at: Duration) -> (Duration, Duration, Fault) {
    (at, Duration::ZERO, Fault::Change(KV.to_owned()))
}

fn starts(world: &World) -> usize {
    world.applications.starts.len()
}

#[test]
fn the_process_waits_for_the_server_and_its_end_is_the_end_with_nothing_left() {
    let down = (Duration::ZERO, MINUTE, Fault::Health(Health::Down));
    let kind = dynamic(HOUR, 24 * HOUR);
    let mut world = world(DB, kind, restarted(), [down]);
    until(&mut world, secs(59));
    assert_eq!(starts(&world), 0);
    until(&mut world, secs(70));
    assert_eq!(starts(&world), 1);
    world.application_ends(1).expect("every promise holds");
    until(&mut world, secs(71));
    assert_eq!(world.exits.len(), 1);
    assert_eq!(living(&mut world), 0);
}

#[test]
fn a_server_that_never_comes_is_69_and_no_process() {
    let down = (Duration::ZERO, HOUR, Fault::Health(Health::Down));
    let mut world = world(KV, Kind::Kv, restarted(), [down]);
    until(&mut world, secs(130));
    assert_eq!(starts(&world), 0);
    let (_, result) = world.exits.first().expect("two minutes are over");
    assert_eq!(result.as_ref().map_err(|ending| ending.cause), Err(Cause::Unavailable));
}

#[test]
fn what_changes_together_restarts_the_process_once_and_it_is_not_killed() {
    let mut world = world(KV, Kind::Kv, restarted(), [change(secs(60))]);
    until(&mut world, 2 * MINUTE);
    let seen = &world.applications;
    assert_eq!((starts(&world), seen.stops.len(), seen.kills.len()), (2, 1, 0));
}

#[test]
fn a_process_that_is_deaf_is_killed_after_its_time_and_started_anew() {
    let deaf = ApplicationSetup { deaf: 100, ..restarted() };
    let mut world = world(KV, Kind::Kv, deaf, [change(secs(60))]);
    until(&mut world, 2 * MINUTE);
    let seen = &world.applications;
    assert_eq!((starts(&world), seen.stops.len(), seen.kills.len()), (2, 1, 1));
    assert_eq!(seen.kills[0], seen.stops[0] + STOP_TIMEOUT);
}

#[test]
fn a_restart_that_meets_an_outage_is_made_all_the_same() {
    let deaf = ApplicationSetup { deaf: 100, ..restarted() };
    let mut world = world(KV, Kind::Kv, deaf, [change(secs(60))]);
    world.live_until_so(|world| world.applications.stops.len() == 1).expect("every promise holds");
    world.begin(Fault::Health(Health::Down), HOUR).expect("every promise holds");
    let stopped = world.age();
    until(&mut world, stopped + STOP_TIMEOUT + secs(1));
    assert_eq!(starts(&world), 2, "with what was published before");
    assert!(world.faults.contains(&Fault::Health(Health::Down)));
}

#[test]
fn a_change_that_nobody_can_read_leaves_the_process_alone_until_it_can_be_read() {
    let down = (secs(55), 10 * MINUTE, Fault::Health(Health::Down));
    let mut world = world(KV, Kind::Kv, restarted(), [down, change(secs(60))]);
    until(&mut world, 10 * MINUTE);
    assert_eq!((starts(&world), world.applications.stops.len()), (1, 0));
    until(&mut world, 12 * MINUTE);
    assert_eq!((starts(&world), world.applications.stops.len()), (2, 1));
}

#[test]
fn a_restart_is_put_off_by_a_part_of_the_splay() {
    let spread = ApplicationSetup { splay: MINUTE, ..restarted() };
    let mut world = world(KV, Kind::Kv, spread, [change(secs(60))]);
    world.live_until_so(|world| world.disk.generations.values().sum::<u64>() == 4).expect("both units");
    let published = world.now;
    world.live_until_so(|world| world.applications.stops.len() == 1).expect("every promise holds");
    let late = world.now - published;
    assert!(late > secs(1) && late <= MINUTE, "{late:?}");
}

#[test]
fn a_signal_is_sent_once_and_the_lease_of_a_variable_lives_as_long_as_it_can() {
    let kind = Kind::Dynamic { ttl: 10 * MINUTE, max: 10 * MINUTE, renewable: false };
    let mut world = world(DB, kind, ApplicationSetup::plain(OnChange::Signal(1)), []);
    world.live_until_so(|world| !world.applications.signals.is_empty()).expect("every promise holds");
    until(&mut world, 9 * MINUTE);
    assert_eq!((world.applications.signals.len(), starts(&world)), (1, 1));
    assert_eq!(living(&mut world), 2, "the process still has the first in its environment");
    until(&mut world, 11 * MINUTE);
    assert_eq!(living(&mut world), 1);
}

#[test]
fn leases_that_could_not_be_given_back_when_the_process_ended_are_minted_anew_by_the_next_run() {
    let mut world = world(DB, dynamic(HOUR, HOUR), restarted(), []);
    // A batch token cannot be revoked, so its leases are given back one by one, and the server is busy.
    (world.setup.role.batch, world.setup.role.renewable) = (true, false);
    world.server.role = world.setup.role;
    until(&mut world, MINUTE);
    world.begin(Fault::Health(Health::Busy(None)), secs(20)).expect("every promise holds");
    world.application_ends(1).expect("every promise holds");
    until(&mut world, 3 * MINUTE);
    assert_eq!(world.exits.len(), 1);
    assert_eq!((starts(&world), world.server.leases.len(), living(&mut world)), (2, 2, 1));
}

#[test]
fn others_that_a_killed_exec_had_not_told_are_told_by_the_next() {
    let mut world = world(KV, Kind::Kv, restarted(), [change(secs(60))]);
    world.live_until_so(|world| world.disk.changed.len() == 2).expect("every promise holds");
    let published = world.now;
    assert!(world.told.get(&NotifierId(0)).is_none_or(|told| *told < published), "not told yet");
    kill(&mut world);
    until(&mut world, 2 * MINUTE);
    assert!(world.told.get(&NotifierId(0)) >= Some(&published));
}

#[test]
fn a_file_that_cannot_be_replaced_is_not_called_good_once_its_lease_has_ended() {
    let kind = Kind::Dynamic { ttl: 10 * MINUTE, max: 10 * MINUTE, renewable: false };
    let full = (MINUTE, 20 * MINUTE, Fault::DiskFull);
    let mut world = world(DB, kind, restarted(), [full]);
    until(&mut world, 11 * MINUTE);
    let readiness = view(&world).readiness;
    assert!(!readiness.is_ready(), "{readiness:?}");
    until(&mut world, 22 * MINUTE);
    let readiness = view(&world).readiness;
    assert!(readiness.is_ready(), "{readiness:?}");
}
