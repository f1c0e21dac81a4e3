//! What the server, or somebody at it, does wrong, one test each: what happens and what holds. The numbers
//! are those of the list of faults to survive; what needs a network, a disk or a kernel is tested
//! where those are.

use leasehold::core::view::Readiness;
use leasehold::exit::Cause;
use leasehold_base::failure::FailureKind;

use crate::metrics;
use leasehold_testkit::evidence;
use leasehold_testkit::sim::faults::Fault;
use leasehold_testkit::sim::server::Health;
use leasehold_testkit::sim::setup::{FileSetup, Kind, Role, Setup};
use leasehold_testkit::sim::stage::{code, database, down, dynamic, exit, until, view, with};
use leasehold_testkit::sim::{DB, HOUR, KV, MINUTE, secs};
use std::time::Duration;

#[test]
fn f01_ten_minutes_down_change_no_file_and_recover_in_seconds() {
    let mut fault = evidence!(1, Simulated);
    let mut setup = database();
    for index in 0..50 {
        let path = format!("secret/data/{index}");
        setup.files[0].paths.push(path.clone());
        setup.paths.push((path, Kind::Kv));
    }
    let mut world = with(setup, [down(secs(60), 10 * MINUTE)]);
    until(&mut world, secs(59));
    let before = world.disk.clone();
    until(&mut world, secs(90));
    let requests = world.totals.requests;
    until(&mut world, secs(659));
    assert_eq!(world.disk.files, before.files);
    assert_eq!(world.disk.generations, before.generations);
    assert!(matches!(view(&world).readiness, Readiness::ReadyWithoutServer { .. }));
    let asked = world.totals.requests - requests;
    assert!((60..=300).contains(&asked), "one probe every few seconds for fifty secrets: {asked}");
    until(&mut world, secs(674));
    assert_eq!(view(&world).readiness, Readiness::Ready);
    let read =
        view(&world).secrets.iter().filter(|secret| secret.fresh > Some(world.moment(secs(660)))).count();
    assert_eq!(read, 50, "all are looked at again");
    assert_eq!((world.server.logins, world.server.leases.len()), (1, 1));
    fault.metric(&metrics(&world), "leasehold_ready 1");
    fault.metric(&metrics(&world), "leasehold_logins_total 1");
    fault.holds("bytes unchanged, ready throughout, one probe every few seconds for 51 secrets, all looked at again within 14 s of the return, no login, no lease");
}

#[test]
fn f02_down_past_expiry_keeps_the_files_and_is_not_ready() {
    let mut fault = evidence!(2, Simulated);
    let setup = Setup { end: 4 * HOUR, ..database() };
    let mut world = with(setup, [down(secs(60), 2 * HOUR)]);
    until(&mut world, secs(59));
    let before = world.disk.files.clone();
    until(&mut world, HOUR - secs(5));
    assert!(view(&world).readiness.is_ready());
    until(&mut world, HOUR + secs(2));
    assert!(matches!(view(&world).readiness, Readiness::Expired { .. }));
    assert_eq!(world.disk.files, before);
    assert!(world.process.is_some(), "alive");
    until(&mut world, 2 * HOUR + MINUTE + secs(15));
    assert_eq!(view(&world).readiness, Readiness::Ready);
    fault.metric(&metrics(&world), "leasehold_ready 1");
    fault.holds("files kept, not ready from expiry on, alive, ready again within 15 s of the return");
}

#[test]
fn f02_files_are_good_until_their_token_ends_where_that_is_before_their_lease() {
    let mut fault = evidence!(2, Simulated);
    let mut setup = database();
    setup.role.ttl = Some(20 * MINUTE);
    let mut world = with(setup, [down(secs(60), 50 * MINUTE)]);
    until(&mut world, 12 * MINUTE);
    let Readiness::ReadyWithoutServer { until: Some(end) } = view(&world).readiness else {
        panic!("{:?}", view(&world).readiness);
    };
    assert!(end <= world.moment(20 * MINUTE), "{end:?}");
    until(&mut world, 20 * MINUTE + secs(1));
    assert!(matches!(view(&world).readiness, Readiness::Expired { .. }));
    fault.metric(&metrics(&world), r#"leasehold_state{state="expired"} 1"#);
    fault.holds("what is true until when is told by the token where that ends before the lease");
}

#[test]
fn f03_down_at_init_ends_at_the_deadline_with_69_and_no_file() {
    let mut fault = evidence!(3, Simulated);
    let mut world = with(Setup { init: true, ..database() }, [down(Duration::ZERO, HOUR)]);
    until(&mut world, secs(129));
    let (at, result) = exit(&world, 0);
    assert_eq!(result, Err(Cause::Unavailable));
    assert!(at >= secs(120) && at <= secs(126), "{at:?}");
    assert!(world.disk.files.is_empty());
    fault.exit(code(&world, 0), 69);
    fault.holds("ends at the deadline, nothing is written");
}

#[test]
fn f04_sealed_then_unsealed_needs_no_login() {
    let mut fault = evidence!(4, Simulated);
    let mut world = with(database(), [(secs(60), 20 * MINUTE, Fault::Health(Health::Sealed))]);
    until(&mut world, HOUR);
    assert_eq!((world.server.logins, world.server.leases.len()), (1, 1));
    assert_eq!(view(&world).readiness, Readiness::Ready);
    fault.metric(&metrics(&world), "leasehold_logins_total 1");
    fault.metric(&metrics(&world), "leasehold_replacements_total 0");
    fault.holds("the token and the lease from before are used on");
}

#[test]
fn f05_a_leader_that_fails_over_costs_no_lease() {
    let mut fault = evidence!(5, Simulated);
    let faults = [600, 1500, 1790].map(|at| (secs(at), secs(8), Fault::Health(Health::Sealed)));
    let mut world = with(database(), faults);
    until(&mut world, 2 * HOUR - MINUTE);
    assert_eq!((world.server.logins, world.server.leases.len()), (1, 1));
    fault.metric(&metrics(&world), "leasehold_logins_total 1");
    fault.metric(&metrics(&world), "leasehold_replacements_total 0");
    fault.holds("three changes of leader cost no login and no lease");
}

#[test]
fn f06_a_lease_that_is_not_found_is_minted_anew_once() {
    let mut fault = evidence!(6, Simulated);
    let mut world = with(database(), [(secs(10), secs(2000), Fault::LeasesForgotten)]);
    until(&mut world, 2 * HOUR - MINUTE);
    assert_eq!(world.server.leases.len(), 2);
    assert_eq!(view(&world).secrets[0].replacements, 1);
    fault.metric(&metrics(&world), "leasehold_replacements_total 1");
    fault.holds("minted anew exactly once");
}

#[test]
fn f07_renewals_that_fail_for_ever_mint_once_a_lease_life() {
    let mut fault = evidence!(7, Simulated);
    let setup = Setup { end: 24 * HOUR, ..database() };
    let mut world = with(setup, [(secs(10), 24 * HOUR, Fault::LeasesForgotten)]);
    until(&mut world, 20 * HOUR);
    let minted = world.server.leases.len();
    assert!((20..=24).contains(&minted), "{minted} in twenty lives");
    fault.metric(&metrics(&world), "leasehold_logins_total 1");
    fault.holds("one mint a lease life");
}

#[test]
fn f08_a_revoked_token_is_noticed_at_the_first_sign_and_only_leases_are_minted_anew() {
    let mut fault = evidence!(8, Simulated);
    let mut setup = database();
    setup.files[0].paths.push(KV.to_owned());
    setup.paths.push((KV.to_owned(), Kind::Kv));
    let mut world = with(setup, [(secs(300), Duration::ZERO, Fault::TokensRevoked)]);
    until(&mut world, secs(299));
    let kv_reads = view(&world).secrets[1].reads;
    until(&mut world, secs(315));
    assert_eq!((world.server.logins, world.server.leases.len()), (2, 2));
    assert_eq!(view(&world).readiness, Readiness::Ready);
    assert!(view(&world).secrets[1].reads <= kv_reads + 2, "what has no lease is not read for it");
    fault.metric(&metrics(&world), "leasehold_logins_total 2");
    fault.metric(&metrics(&world), "leasehold_ready 1");
    fault.holds("a new login at the first sign; what died with the token is minted anew, what has no lease is not read for it");
}

#[test]
fn f08_a_token_that_dies_just_after_it_was_seen_alive_is_noticed_all_the_same() {
    let mut fault = evidence!(8, Simulated);
    let mut setup = Setup { init: true, handoff: true, ..database() };
    setup.files[0].paths.push(KV.to_owned());
    setup.files[0].refresh = secs(1);
    setup.paths.push((KV.to_owned(), Kind::Kv));
    // The next run takes over within a second or two, and looks its token up then.
    let faults =
        [(secs(600), Duration::ZERO, Fault::Kill), (secs(603), Duration::ZERO, Fault::TokensRevoked)];
    let mut world = with(setup, faults);
    until(&mut world, secs(602));
    assert!(view(&world).token.is_some(), "it has taken over");
    until(&mut world, secs(608));
    assert_eq!((world.server.logins, world.server.leases.len()), (2, 2));
    fault.metric(&metrics(&world), "leasehold_ready 1");
    fault.holds("a look-up from before the first denial does not make a second one a matter of policy");
}

#[test]
fn f09_a_token_that_ends_before_its_lease_is_followed_before_its_end() {
    let mut fault = evidence!(9, Simulated);
    let mut setup = Setup { end: 6 * HOUR, ..database() };
    setup.role.ttl = Some(10 * MINUTE);
    setup.role.max = Some(HOUR);
    let mut world = with(setup, []);
    world.live().expect("no lease dies on disk, and nothing is left behind");
    assert!((6..=9).contains(&world.server.logins), "{}", world.server.logins);
    fault.exit(code(&world, 0), 0);
    fault.holds("followed before its end: no lease dies on disk");
}

#[test]
fn f10_a_lease_cut_by_max_ttl_is_replaced_in_time() {
    let mut fault = evidence!(10, Simulated);
    let mut world = with(Setup::plain(DB, dynamic(2 * MINUTE, 10 * MINUTE)), []);
    world.live().expect("no lease dies on disk");
    let minted = world.server.leases.len();
    assert!((12..=14).contains(&minted), "one every ten minutes of two hours: {minted}");
    assert_eq!(world.server.logins, 1);
    fault.exit(code(&world, 0), 0);
    fault.holds("replaced in time, with overlap");
}

#[test]
fn f11_a_batch_token_is_followed_before_its_end_and_its_leases_with_it() {
    let mut fault = evidence!(11, Simulated);
    let mut setup = database();
    setup.role = Role { ttl: Some(20 * MINUTE), batch: true, renewable: false, ..setup.role };
    let mut world = with(setup, []);
    world.live().expect("no lease dies on disk, and nothing is left behind");
    assert!((8..=11).contains(&world.server.logins), "{}", world.server.logins);
    fault.exit(code(&world, 0), 0);
    fault.holds("followed before its end, and its leases with it");
}

#[test]
fn f12_a_token_whose_last_use_fetched_the_lease_is_a_clear_error() {
    let mut fault = evidence!(12, Simulated);
    let mut setup = Setup { init: true, ..database() };
    setup.role.uses = Some(1);
    let mut world = with(setup, []);
    until(&mut world, secs(20));
    let (_, result) = &world.exits[0];
    let ending = result.as_ref().expect_err("it cannot work");
    assert_eq!(ending.cause, Cause::Denied);
    assert!(ending.to_string().contains("token_num_uses"), "{ending}");
    assert!(world.disk.files.is_empty());
    fault.exit(code(&world, 0), 77);
    fault.holds("a clear error that names token_num_uses, nothing written");
}

#[test]
fn f13_one_denied_path_of_twenty_leaves_nineteen_untouched_without_another_login() {
    let mut fault = evidence!(13, Simulated);
    let mut setup = Setup::plain("secret/data/0", Kind::Kv);
    setup.files[0].refresh = HOUR;
    for index in 1..20 {
        let path = format!("secret/data/{index}");
        setup.paths.push((path.clone(), Kind::Kv));
        setup.files.push(FileSetup {
            paths: vec![path],
            choice: None,
            refresh: HOUR,
            wait: None,
            sink: None,
        });
    }
    setup.members = 20;
    let denied = Fault::Denied("secret/data/3".to_owned());
    let mut world = with(setup, [(Duration::ZERO, HOUR, denied)]);
    until(&mut world, secs(20));
    let published = world.disk.files.len();
    assert_eq!(published, 19);
    let before = world.totals.requests;
    until(&mut world, secs(280));
    let asked = world.totals.requests - before;
    assert!(asked < 30, "the denied path is asked once a minute: {asked}");
    assert_eq!(world.server.logins, 1);
    let error = view(&world).files[3].error.clone().expect("it is denied");
    assert!(error.text.contains("secret/data/3"), "{error:?}");
    assert!(view(&world).files.iter().enumerate().all(|(index, file)| file.error.is_none() || index == 3));
    fault.metric(&metrics(&world), r#"leasehold_file_error{file="file-3"} 1"#);
    fault.metric(&metrics(&world), "leasehold_logins_total 1");
    fault.holds("nineteen files published and kept, the denied path asked once a minute, no login");
}

#[test]
fn f14_a_standby_that_does_not_know_the_login_yet_is_waited_for() {
    let mut fault = evidence!(14, Simulated);
    let mut world = with(Setup { init: true, standby_lag: secs(3), handoff: true, ..database() }, []);
    until(&mut world, secs(60));
    assert_eq!(exit(&world, 0).1, Ok(()));
    assert_eq!(world.server.logins, 1);
    fault.exit(code(&world, 0), 0);
    fault.holds("waited for, one login");
}

#[test]
fn f15_too_many_requests_are_answered_by_fewer() {
    let mut fault = evidence!(15, Simulated);
    for (wait, most) in [(None, 180), (Some(secs(30)), 45)] {
        let mut setup = Setup::plain("secret/data/0", Kind::Kv);
        for index in 1..20 {
            let path = format!("secret/data/{index}");
            setup.files[0].paths.push(path.clone());
            setup.paths.push((path, Kind::Kv));
        }
        let busy = Fault::Health(Health::Busy(wait));
        let mut world = with(setup, [(secs(60), 5 * MINUTE, busy)]);
        until(&mut world, secs(60));
        let before = world.totals.requests;
        until(&mut world, secs(359));
        let asked = world.totals.requests - before;
        assert!(asked <= most, "{asked} requests in five minutes of 429 with {wait:?}");
        until(&mut world, secs(420));
        fault.metric(&metrics(&world), "leasehold_secrets_failing 0");
    }
    fault
        .holds("fewer requests, fewer still where the server says when; all secrets are good a minute after");
}

/// A database beside a KV secret that is looked at every few seconds.
fn beside_a_database() -> Setup {
    let mut setup = Setup::plain(DB, dynamic(2 * MINUTE, 24 * HOUR));
    setup.files[0].paths.push(KV.to_owned());
    setup.files[0].refresh = secs(10);
    setup.paths.push((KV.to_owned(), Kind::Kv));
    setup
}

#[test]
fn f31_pages_on_one_path_cost_no_lease_no_login_and_hold_no_other_path_up() {
    let mut fault = evidence!(31, Simulated);
    for path in [DB, KV] {
        let page = Fault::Broken(path.to_owned(), FailureKind::Intercepted);
        let mut world = with(beside_a_database(), [(secs(30), secs(60), page)]);
        until(&mut world, secs(29));
        let before = (world.disk.files.clone(), view(&world).secrets[1].reads);
        until(&mut world, secs(89));
        assert_eq!(world.disk.files, before.0, "{path}");
        assert_eq!((world.server.logins, world.server.leases.len()), (1, 1), "{path}");
        let reads = view(&world).secrets[1].reads - before.1;
        assert!(path == KV || reads >= 5, "{reads} looks at the other path");
        assert!(view(&world).outage.is_none(), "the server is well");
        until(&mut world, secs(155));
        assert_eq!(view(&world).readiness, Readiness::Ready, "{path}");
        fault.metric(&metrics(&world), "leasehold_logins_total 1");
        fault.metric(&metrics(&world), "leasehold_replacements_total 0");
        fault.metric(&metrics(&world), "leasehold_secrets_failing 0");
    }
    fault.holds("pages on the renewals or reads of one path for 60 s: no login, no lease minted anew, no file changed, the other path followed, good within a minute of their end");
}

#[test]
fn f31_pages_on_one_path_end_init_at_its_deadline_with_69() {
    let mut fault = evidence!(31, Simulated);
    let page = Fault::Broken(DB.to_owned(), FailureKind::Intercepted);
    let mut world = with(Setup { init: true, ..database() }, [(Duration::ZERO, HOUR, page)]);
    until(&mut world, secs(129));
    let (at, result) = exit(&world, 0);
    assert_eq!(result, Err(Cause::Unavailable));
    assert!(at >= secs(120), "{at:?}");
    fault.exit(code(&world, 0), 69);
    fault.holds("init ends at its deadline and not before");
}

#[test]
fn f32_answers_without_data_change_nothing() {
    let mut fault = evidence!(32, Simulated);
    let empty = Fault::Broken(KV.to_owned(), FailureKind::Nonsense);
    let mut world = with(beside_a_database(), [(secs(30), secs(100), empty)]);
    until(&mut world, secs(29));
    let before = world.disk.files.clone();
    until(&mut world, secs(129));
    assert_eq!(world.disk.files, before);
    assert_eq!(view(&world).readiness, Readiness::Ready);
    assert_eq!((world.server.logins, world.server.leases.len()), (1, 1));
    until(&mut world, secs(195));
    fault.metric(&metrics(&world), "leasehold_secrets_failing 0");
    fault.metric(&metrics(&world), "leasehold_ready 1");
    fault.holds("the last good bytes stay, ready throughout, looked at again within a minute");
}

#[test]
fn f33_an_hour_that_one_path_is_told_to_wait_is_a_minute_and_stops_no_renewal() {
    let mut fault = evidence!(33, Simulated);
    let hour = FailureKind::Overloaded(Some(HOUR));
    for path in [DB, KV] {
        let told = Fault::Broken(path.to_owned(), hour);
        let mut world = with(beside_a_database(), [(secs(30), secs(65), told)]);
        until(&mut world, secs(29));
        let renewals = view(&world).secrets[0].renewals;
        until(&mut world, secs(94));
        assert_eq!(view(&world).readiness, Readiness::Ready, "{path}");
        let more = view(&world).secrets[0].renewals - renewals;
        assert!(path == DB || more >= 1, "{more} renewals");
        until(&mut world, secs(155));
        assert_eq!((world.server.logins, world.server.leases.len()), (1, 1), "{path}");
        assert_eq!(view(&world).readiness, Readiness::Ready, "{path}");
        fault.metric(&metrics(&world), "leasehold_secrets_failing 0");
        fault.metric(&metrics(&world), "leasehold_replacements_total 0");
    }
    fault.holds("the path is asked again within a minute, renewals go on, and one that is told so is tried again before its lease needs it");
}

#[test]
fn f33_a_server_that_asks_everybody_to_wait_an_hour_loses_no_lease_when_it_is_well_again() {
    let mut fault = evidence!(33, Simulated);
    let busy = Fault::Health(Health::Busy(Some(HOUR)));
    let mut world = with(beside_a_database(), [(secs(30), secs(70), busy)]);
    until(&mut world, secs(29));
    let before = world.totals.requests;
    until(&mut world, secs(99));
    let asked = world.totals.requests - before;
    assert!(asked <= 20, "{asked} requests in seventy seconds");
    until(&mut world, secs(160));
    assert_eq!((world.server.logins, world.server.leases.len()), (1, 1));
    fault.metric(&metrics(&world), "leasehold_secrets_failing 0");
    fault.metric(&metrics(&world), "leasehold_replacements_total 0");
    fault.holds("few requests meanwhile, no lease lost, all good within a minute");
}

#[test]
fn f55_a_kv_mount_that_changes_its_version_is_followed_without_a_restart_and_its_value_stays_until_it_is_read()
 {
    let mut fault = evidence!(55, Simulated);
    let mut setup = Setup::plain(KV, Kind::Kv);
    setup.files[0].paths = vec!["secret/web".to_owned()];
    let change = |at| (at, Duration::ZERO, Fault::Change(KV.to_owned()));
    let plan = [(secs(100), secs(300), Fault::Downgraded), change(secs(200)), change(secs(500))];
    let mut world = with(setup, plan);
    let shown = |world: &leasehold_testkit::sim::world::World| {
        world.disk.files[&leasehold::core::ids::FileId(0)].values().map(|value| value.version).max()
    };
    for (at, version) in [(99, 1), (115, 1), (199, 1), (212, 2), (399, 2), (499, 2), (512, 3)] {
        until(&mut world, secs(at));
        assert_eq!(shown(&world), Some(version), "after {at} s");
        assert_eq!(view(&world).readiness, Readiness::Ready, "after {at} s");
    }
    assert_eq!(world.server.logins, 1);
    fault.metric(&metrics(&world), "leasehold_ready 1");
    fault.metric(&metrics(&world), "leasehold_secrets_failing 0");
    fault.holds("version 1 for five minutes in the place of version 2: each change is in the file within `refresh` and a second, ready throughout");
}
