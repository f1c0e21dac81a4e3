//! What goes wrong with the machine, the disk, the application, the credentials and the handoff, one test each:
//! as in [`server`](super::server).

use std::time::Duration;

use leasehold::core::event::Event;
use leasehold::core::ids::FileId;
use leasehold::core::view::Readiness;
use leasehold::exit::Cause;

use crate::metrics;
use leasehold_testkit::evidence;
use leasehold_testkit::sim::faults::Fault;
use leasehold_testkit::sim::server::Health;
use leasehold_testkit::sim::setup::{Kind, Setup};
use leasehold_testkit::sim::stage::{code, database, dynamic, exit, until, view, with};
use leasehold_testkit::sim::{DB, HOUR, KV, MINUTE, secs};

#[test]
fn f23_a_wall_clock_that_jumps_a_day_moves_nothing_but_certificates_and_makes_no_burst() {
    let mut fault = evidence!(23, Simulated);
    for by in [86_400, -86_400] {
        let mut setup = database();
        for index in 0..30 {
            let path = format!("secret/data/{index}");
            setup.files[0].paths.push(path.clone());
            setup.paths.push((path, Kind::Kv));
        }
        setup.files[0].refresh = 5 * MINUTE;
        let mut world = with(setup.clone(), [(secs(30), Duration::ZERO, Fault::WallJump(by))]);
        until(&mut world, HOUR - MINUTE);
        let mut other = with(setup, []);
        until(&mut other, HOUR - MINUTE);
        assert_eq!(world.sent, other.sent, "what is due does not go by the wall clock");
        fault.metric(&metrics(&world), "leasehold_ready 1");
    }
    fault.holds("an hour of requests is sent to the millisecond as without the jump");
}

#[test]
fn f24_two_hours_asleep_are_noticed_at_once_on_waking() {
    let mut fault = evidence!(24, Simulated);
    let setup = Setup { end: 6 * HOUR, ..database() };
    let mut world = with(setup, [(secs(60), Duration::ZERO, Fault::Suspend(2 * HOUR))]);
    until(&mut world, secs(59));
    let before = world.disk.files.clone();
    until(&mut world, secs(60) + 2 * HOUR + secs(2));
    assert_ne!(world.disk.files, before, "lease and token died asleep: new ones are on disk");
    assert_eq!(view(&world).readiness, Readiness::Ready);
    assert_eq!(world.server.logins, 2);
    fault.metric(&metrics(&world), "leasehold_logins_total 2");
    fault.metric(&metrics(&world), "leasehold_ready 1");
    fault.holds("noticed within 2 s of waking; what died asleep is replaced");
}

#[test]
fn f25_a_full_disk_leaves_the_old_set_and_costs_no_lease() {
    let mut fault = evidence!(25, Simulated);
    let mut setup = Setup::plain(KV, Kind::Kv);
    setup.files[0].paths.push(DB.to_owned());
    setup.paths.push((DB.to_owned(), dynamic(HOUR, 24 * HOUR)));
    let full = (secs(60), 10 * MINUTE, Fault::DiskFull);
    let change = (secs(120), Duration::ZERO, Fault::Change(KV.to_owned()));
    let mut world = with(setup, [full, change]);
    until(&mut world, secs(100));
    let before = world.disk.files.clone();
    until(&mut world, secs(650));
    assert_eq!(world.disk.files, before);
    assert_eq!(world.server.leases.len(), 1);
    let error = view(&world).files[0].error.clone().expect("it cannot be published");
    assert!(error.text.contains("no space left"), "{error:?}");
    until(&mut world, secs(730));
    assert_eq!(world.disk.files[&FileId(0)][KV].version, 2);
    fault.metric(&metrics(&world), r#"leasehold_file_error{file="file-0"} 0"#);
    fault.holds("the old set stays, no lease is minted for it, published when there is room again");
}

/// As [`database`], with a login whose account the server locks.
fn locking() -> Setup {
    Setup { locks_out: true, ..database() }
}

#[test]
fn f28_refused_credentials_are_tried_three_times_and_again_when_they_change() {
    let mut fault = evidence!(28, Simulated);
    let mut world = with(locking(), [(Duration::ZERO, 10 * MINUTE, Fault::LoginsRefused)]);
    until(&mut world, 9 * MINUTE);
    assert_eq!(world.server.logins, 3);
    until(&mut world, 10 * MINUTE + secs(1));
    world.give(Event::CredentialsChanged).expect("every promise holds");
    until(&mut world, 10 * MINUTE + secs(3));
    assert_eq!(world.server.logins, 4);
    assert_eq!(view(&world).readiness, Readiness::Ready);
    fault.metric(&metrics(&world), "leasehold_login_failures_total 3");
    fault.metric(&metrics(&world), "leasehold_ready 1");
    fault.holds("three tries at most, and one more when the credentials change");
}

#[test]
fn f28_credentials_that_are_mended_while_the_server_is_away_are_tried_as_soon_as_it_is_back() {
    let mut fault = evidence!(28, Simulated);
    for away in [Health::Sealed, Health::Down] {
        let stale = (Duration::ZERO, 3 * MINUTE, Fault::CredentialsStale);
        let mut world = with(locking(), [stale, (2 * MINUTE, 2 * MINUTE, Fault::Health(away))]);
        until(&mut world, 2 * MINUTE);
        assert_eq!(world.server.logins, 3);
        // The one try that new credentials are worth was never looked at.
        until(&mut world, 4 * MINUTE + secs(10));
        assert_eq!(view(&world).readiness, Readiness::Ready, "{away:?}");
        assert_eq!(world.server.logins, 4);
        fault.metric(&metrics(&world), "leasehold_ready 1");
    }
    fault.holds("mended while the server is sealed or down: tried as soon as it is back");
}

#[test]
fn f28_refused_credentials_end_init_with_77_and_are_remembered_by_the_next_try() {
    let mut fault = evidence!(28, Simulated);
    let setup = Setup { init: true, handoff: true, ..locking() };
    let mut world = with(setup, [(Duration::ZERO, HOUR, Fault::LoginsRefused)]);
    until(&mut world, 14 * MINUTE);
    assert!(world.exits.len() > 3, "the kubelet starts it again and again");
    assert!((0..world.exits.len()).all(|index| exit(&world, index).1 == Err(Cause::Denied)));
    assert_eq!(world.server.logins, 3, "a crash loop does not trip the lockout");
    fault.exit(code(&world, 0), 77);
    fault.holds("remembered by the next start: a crash loop does not trip the lockout");
}

#[test]
fn f29_an_application_that_cannot_be_told_is_told_later_and_nothing_is_read_for_it() {
    let mut fault = evidence!(29, Simulated);
    let fails = (secs(30), 10 * MINUTE, Fault::NotifiersFail);
    let change = (secs(60), Duration::ZERO, Fault::Change(KV.to_owned()));
    let mut world = with(Setup::plain(KV, Kind::Kv), [fails, change]);
    until(&mut world, secs(600));
    let requests = world.totals.requests;
    assert!((60..=75).contains(&requests), "one look every ten seconds and no more: {requests}");
    assert!(view(&world).notifiers[0].error.is_some());
    assert!((10..20).contains(&view(&world).notifiers[0].failed));
    until(&mut world, secs(700));
    assert!(view(&world).notifiers[0].error.is_none());
    assert_eq!(world.disk.generations.values().sum::<u64>(), 2);
    fault.metric(&metrics(&world), r#"leasehold_notifier_error{notifier="app"} 0"#);
    fault.holds("told later, and nothing is read or published for it");
}

#[test]
fn f30_init_sidecar_and_its_restart_make_one_login_and_one_lease() {
    let mut fault = evidence!(30, Simulated);
    let setup = Setup { init: true, handoff: true, ..database() };
    let mut world = with(setup, [(secs(600), Duration::ZERO, Fault::Kill)]);
    until(&mut world, secs(590));
    let generations = world.disk.generations.clone();
    until(&mut world, secs(700));
    assert_eq!((world.server.logins, world.server.leases.len()), (1, 1));
    assert_eq!(world.disk.generations, generations, "the file is unchanged");
    assert_eq!(view(&world).readiness, Readiness::Ready);
    fault.metric(&metrics(&world), "leasehold_ready 1");
    fault.metric(&metrics(&world), "leasehold_logins_total 0");
    fault.holds("one login and one lease in all, the file unchanged");
}

#[test]
fn f30_init_whose_handoff_cannot_be_written_fails_and_leaves_nothing() {
    let mut fault = evidence!(30, Simulated);
    let setup = Setup { init: true, handoff: true, ..database() };
    let mut world = with(setup, [(Duration::ZERO, HOUR, Fault::HandoffFull)]);
    until(&mut world, secs(5));
    assert_eq!(exit(&world, 0).1, Err(Cause::Destination));
    assert!(world.server.living(world.now).next().is_none(), "what it minted is given back");
    fault.exit(code(&world, 0), 73);
    fault.holds("what was minted is given back");
}

#[test]
fn f30_a_handoff_that_cannot_be_used_is_a_fresh_login() {
    let mut fault = evidence!(30, Simulated);
    let setup = Setup { handoff: true, ..database() };
    let mut world = with(setup, [(secs(600), Duration::ZERO, Fault::KillAndForget)]);
    until(&mut world, secs(620));
    assert_eq!((world.server.logins, world.server.leases.len()), (2, 2));
    assert_eq!(view(&world).readiness, Readiness::Ready);
    fault.metric(&metrics(&world), "leasehold_logins_total 1");
    fault.metric(&metrics(&world), "leasehold_ready 1");
    fault.holds("a fresh login, never a crash");
}

#[test]
fn f30_a_handoff_whose_token_was_revoked_is_a_fresh_login_within_a_quarter_of_an_hour() {
    let mut fault = evidence!(30, Simulated);
    let mut setup = Setup { init: true, handoff: true, end: 48 * HOUR, ..database() };
    // Nothing is due for hours.
    setup.role.ttl = Some(24 * HOUR);
    setup.paths[0].1 = dynamic(12 * HOUR, 24 * HOUR);
    let faults =
        [(secs(599), Duration::ZERO, Fault::TokensRevoked), (secs(600), Duration::ZERO, Fault::Kill)];
    let mut world = with(setup, faults);
    until(&mut world, secs(600) + 16 * MINUTE);
    assert_eq!((world.server.logins, world.server.leases.len()), (2, 2));
    assert_eq!(view(&world).readiness, Readiness::Ready);
    fault.metric(&metrics(&world), "leasehold_logins_total 1");
    fault.metric(&metrics(&world), "leasehold_ready 1");
    fault.holds(
        "a fresh login: at the first use that is due within a quarter of an hour, or when that is over",
    );
}

#[test]
fn f30_a_token_that_was_denied_at_the_end_is_asked_about_before_the_next_run_relies_on_it() {
    let mut fault = evidence!(30, Simulated);
    let setup = Setup { handoff: true, delay: secs(5), ..database() };
    let mut world = with(setup, [(secs(599), Duration::ZERO, Fault::TokensRevoked)]);
    until(&mut world, secs(600));
    world.give(Event::Stop { at_once: true }).expect("every promise holds");
    // Its revocation is denied: dead, or may not. The handoff stays, and it is started again.
    until(&mut world, secs(605));
    assert_eq!((world.server.logins, world.server.leases.len()), (2, 2));
    assert_eq!(view(&world).readiness, Readiness::Ready);
    fault.metric(&metrics(&world), "leasehold_logins_total 1");
    fault.metric(&metrics(&world), "leasehold_ready 1");
    fault.holds("after an orderly end whose revocation was denied, a fresh login at once");
}

#[test]
fn f30_a_token_that_is_used_soon_anyhow_is_not_asked_about() {
    let mut fault = evidence!(30, Simulated);
    let mut setup = Setup { handoff: true, ..database() };
    setup.files[0].paths.push(KV.to_owned());
    setup.files[0].refresh = 5 * MINUTE;
    setup.paths.push((KV.to_owned(), Kind::Kv));
    let mut world = with(setup, [(secs(600), Duration::ZERO, Fault::Kill)]);
    until(&mut world, secs(590));
    let before = world.totals.requests;
    until(&mut world, 24 * MINUTE);
    assert_eq!(world.totals.requests - before, 3, "what it looks at, and nothing for the start's sake");
    fault.metric(&metrics(&world), "leasehold_ready 1");
    fault.holds("a restart costs no request");
}
