//! A handoff from another boot: its times mean nothing, only the server knows what is left.

use std::time::Duration;

use leasehold::core::view::Readiness;

use leasehold_testkit::sim::faults::Fault;
use leasehold_testkit::sim::server::Health;
use leasehold_testkit::sim::setup::{Kind, Setup};
use leasehold_testkit::sim::stage::{database, dynamic, exit, living, until, view, with};
use leasehold_testkit::sim::{DB, HOUR, KV, MINUTE, secs};

fn reboot(at: Duration) -> (Duration, Duration, Fault) {
    (at, Duration::ZERO, Fault::Reboot(MINUTE))
}

fn kept() -> Setup {
    Setup { handoff: true, end: 4 * HOUR, ..database() }
}

#[test]
fn a_lease_that_can_be_renewed_goes_on_without_a_login_and_without_a_write() {
    let mut world = with(kept(), [reboot(10 * MINUTE)]);
    until(&mut world, 9 * MINUTE);
    let generations = world.disk.generations.clone();
    until(&mut world, 11 * MINUTE + secs(2));
    assert_eq!((world.server.logins, world.server.leases.len()), (1, 1));
    assert_eq!(world.disk.generations, generations);
    let seen = view(&world);
    assert_eq!((seen.readiness, seen.secrets[0].renewals), (Readiness::Ready, 1));
    let (told, true_end) = (
        seen.secrets[0].expires.expect("a lease"),
        world.server.lease_end(world.server.leases.keys().next().expect("one")).expect("it ends"),
    );
    assert!(
        world.boot.time(told).abs_diff(true_end) < secs(2),
        "{told:?} where the server says {true_end:?}"
    );
    let token = seen.token.and_then(|token| token.expires).expect("it ends");
    assert!(world.boot.time(token) <= HOUR + secs(1001), "{token:?}: an hour since the login");
    world.live().expect("nothing is left behind");
}

#[test]
fn a_lease_that_cannot_be_renewed_is_read_anew_and_given_back() {
    let mut setup = kept();
    setup.paths[0].1 = Kind::Dynamic { ttl: HOUR, max: HOUR, renewable: false };
    let mut world = with(setup, [reboot(10 * MINUTE)]);
    until(&mut world, 11 * MINUTE + secs(2));
    assert_eq!((world.server.logins, world.server.leases.len()), (1, 2));
    until(&mut world, 11 * MINUTE + secs(20));
    assert_eq!(living(&mut world), 1);
}

#[test]
fn what_ended_while_the_machine_was_off_is_replaced_at_once() {
    let mut setup = kept();
    setup.role.ttl = Some(20 * MINUTE);
    let mut world = with(setup, [(10 * MINUTE, Duration::ZERO, Fault::Reboot(2 * HOUR))]);
    until(&mut world, 2 * HOUR + 10 * MINUTE + secs(3));
    assert_eq!((world.server.logins, living(&mut world)), (2, 1));
    assert_eq!(view(&world).readiness, Readiness::Ready);
}

#[test]
fn nothing_is_called_good_before_the_server_has_told_and_nothing_is_minted_for_its_absence() {
    let faults = [reboot(10 * MINUTE), (10 * MINUTE + secs(1), 5 * MINUTE, Fault::Health(Health::Down))];
    let mut world = with(kept(), faults);
    until(&mut world, 14 * MINUTE);
    assert!(matches!(view(&world).readiness, Readiness::Expired { .. }), "{:?}", view(&world).readiness);
    until(&mut world, 15 * MINUTE + secs(10));
    assert_eq!(view(&world).readiness, Readiness::Ready);
    assert_eq!((world.server.logins, world.server.leases.len()), (1, 1));
}

#[test]
fn a_token_that_may_not_look_itself_up_is_followed_by_a_login() {
    let mut setup = kept();
    setup.role.default_policy = false;
    // A denial makes the engine ask, once, and find out.
    let denied = (Duration::ZERO, secs(30), Fault::Denied(DB.to_owned()));
    let mut world = with(setup, [denied, reboot(10 * MINUTE)]);
    until(&mut world, 9 * MINUTE);
    let logins = world.server.logins;
    until(&mut world, 11 * MINUTE + secs(5));
    assert_eq!(world.server.logins, logins + 1);
    assert_eq!(view(&world).readiness, Readiness::Ready);
}

#[test]
fn refused_logins_are_remembered_but_for_one_try() {
    let setup = Setup { init: true, locks_out: true, ..kept() };
    let faults = [(Duration::ZERO, 2 * HOUR, Fault::LoginsRefused), reboot(3 * MINUTE), reboot(6 * MINUTE)];
    let mut world = with(setup, faults);
    until(&mut world, 15 * MINUTE);
    assert_eq!(world.server.logins, 4, "the server counts on, and locks us out at five");
}

#[test]
fn what_has_no_lease_is_looked_at_within_its_interval() {
    let setup = Setup { handoff: true, ..Setup::plain(KV, Kind::Kv) };
    let changed = (10 * MINUTE + secs(1), Duration::ZERO, Fault::Change(KV.to_owned()));
    let mut world = with(setup, [reboot(10 * MINUTE), changed]);
    until(&mut world, 11 * MINUTE + secs(11));
    assert_eq!(world.disk.generations.values().sum::<u64>(), 2);
    assert_eq!(world.server.logins, 1);
}

/// Init that failed is tried again, minutes later: what it left may be over.
#[test]
fn init_shows_nothing_of_an_earlier_try_that_has_ended_since() {
    let setup = Setup { init: true, handoff: true, ..Setup::plain(DB, dynamic(MINUTE, MINUTE)) };
    let mut setup = setup;
    setup.files[0].paths.push(KV.to_owned());
    setup.paths.push((KV.to_owned(), Kind::Kv));
    // The lease is minted, and init fails on the other path; its revocation meets an outage.
    let faults = [
        (
            Duration::ZERO,
            secs(100),
            Fault::Broken(KV.to_owned(), leasehold_base::failure::FailureKind::Fault),
        ),
        (secs(1), Duration::ZERO, Fault::Kill),
        (secs(3), secs(200), Fault::Health(Health::Down)),
    ];
    let mut world = with(setup, faults);
    until(&mut world, 10 * MINUTE);
    assert!(world.exits.iter().enumerate().any(|(index, _)| exit(&world, index).1.is_ok()));
    let on_disk = world
        .disk
        .files
        .values()
        .flat_map(|content| content.values())
        .filter_map(|value| value.lease.clone());
    let dead: Vec<_> = on_disk.filter(|id| !world.server.is_lease_alive(id, world.now)).collect();
    assert!(dead.is_empty(), "{dead:?}");
}
