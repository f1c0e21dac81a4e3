//! The faults that a simulation can show, one test each: what happens and what holds. The numbers
//! are those of the list of faults to survive; what needs a network, a disk or a kernel is tested
//! where those are. In all of them the invariants of `sim::checks` hold after every step too.

mod sim;
mod support;

use std::time::Duration;

use leasehold::core::event::Event;
use leasehold::core::ids::FileId;
use leasehold::core::view::{Readiness, View};
use leasehold::exit::Cause;
use sim::faults::{Fault, Planned};
use sim::server::Health;
use sim::setup::{FileSetup, Kind, Setup};
use sim::world::World;

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3600);
const DB: &str = "database/creds/web";
const KV: &str = "secret/data/web";

fn secs(n: u64) -> Duration {
    Duration::from_secs(n)
}

fn dynamic(ttl: Duration, max: Duration) -> Kind {
    Kind::Dynamic { ttl, max, renewable: true }
}

fn database() -> Setup {
    Setup::plain(DB, dynamic(HOUR, 24 * HOUR))
}

/// A world with these faults: when, how long, what.
fn world<const N: usize>(setup: Setup, faults: [(Duration, Duration, Fault); N]) -> World {
    let mut world = World::new(7, Setup { quiet: true, ..setup });
    for (at, lasts, fault) in faults {
        world.plan(Planned { at, lasts, fault });
    }
    world
}

fn until(world: &mut World, at: Duration) {
    world.live_until(at).expect("every promise holds");
}

fn view(world: &World) -> View {
    world.process.as_ref().expect("it runs").agent.view(world.clock())
}

/// What `/metrics` would answer.
fn metrics(world: &World) -> String {
    leasehold::observe::metrics::render(view(world), leasehold::observe::metrics::Besides::default())
}

/// The exit code of a run that has ended.
fn code(world: &World, index: usize) -> Option<i32> {
    let (_, result) = &world.exits[index];
    Some(result.as_ref().map_or_else(|ending| ending.cause.code().into(), |()| 0))
}

fn exit(world: &World, index: usize) -> (Duration, Result<(), Cause>) {
    let (at, result) = &world.exits[index];
    (*at - secs(1000), result.clone().map_err(|ending| ending.cause))
}

fn down(at: Duration, lasts: Duration) -> (Duration, Duration, Fault) {
    (at, lasts, Fault::Health(Health::Down))
}

#[test]
fn f01_ten_minutes_down_change_no_file_and_recover_in_seconds() {
    let mut fault = evidence!(1, Simulated);
    let mut setup = database();
    for index in 0..50 {
        let path = format!("secret/data/{index}");
        setup.files[0].paths.push(path.clone());
        setup.paths.push((path, Kind::Kv));
    }
    let mut world = world(setup, [down(secs(60), 10 * MINUTE)]);
    until(&mut world, secs(59));
    let before = world.disk.clone();
    until(&mut world, secs(90));
    let requests = world.totals.requests;
    until(&mut world, secs(659));
    assert_eq!(world.disk.files, before.files);
    assert_eq!(world.disk.generations, before.generations);
    assert!(matches!(view(&world).readiness, Readiness::ReadyWithoutServer { .. }));
    let asked = world.totals.requests - requests;
    assert!((100..=569).contains(&asked), "one probe every few seconds for fifty secrets: {asked}");
    until(&mut world, secs(668));
    assert_eq!(view(&world).readiness, Readiness::Ready);
    let read =
        view(&world).secrets.iter().filter(|secret| secret.fresh > Some(world.moment(secs(660)))).count();
    assert_eq!(read, 50, "all are looked at again");
    assert_eq!((world.server.logins, world.server.leases.len()), (1, 1));
    fault.metric(&metrics(&world), "leasehold_ready 1");
    fault.metric(&metrics(&world), "leasehold_logins_total 1");
    fault.holds("bytes unchanged, ready throughout, one probe every few seconds for 51 secrets, all looked at again within 8 s of the return, no login, no lease");
}

#[test]
fn f02_down_past_expiry_keeps_the_files_and_is_not_ready() {
    let mut fault = evidence!(2, Simulated);
    let setup = Setup { end: 4 * HOUR, ..database() };
    let mut world = world(setup, [down(secs(60), 2 * HOUR)]);
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
    let mut world = world(setup, [down(secs(60), 50 * MINUTE)]);
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
    let mut world = world(Setup { init: true, ..database() }, [down(Duration::ZERO, HOUR)]);
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
    let mut world = world(database(), [(secs(60), 20 * MINUTE, Fault::Health(Health::Sealed))]);
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
    let mut world = world(database(), faults);
    until(&mut world, 2 * HOUR - MINUTE);
    assert_eq!((world.server.logins, world.server.leases.len()), (1, 1));
    fault.metric(&metrics(&world), "leasehold_logins_total 1");
    fault.metric(&metrics(&world), "leasehold_replacements_total 0");
    fault.holds("three changes of leader cost no login and no lease");
}

#[test]
fn f06_a_lease_that_is_not_found_is_minted_anew_once() {
    let mut fault = evidence!(6, Simulated);
    let mut world = world(database(), [(secs(10), secs(2000), Fault::LeasesForgotten)]);
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
    let mut world = world(setup, [(secs(10), 24 * HOUR, Fault::LeasesForgotten)]);
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
    let mut world = world(setup, [(secs(300), Duration::ZERO, Fault::TokensRevoked)]);
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
    let mut world = world(setup, faults);
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
    let mut world = world(setup, []);
    world.live().expect("no lease dies on disk, and nothing is left behind");
    assert!((6..=9).contains(&world.server.logins), "{}", world.server.logins);
    fault.exit(code(&world, 0), 0);
    fault.holds("followed before its end: no lease dies on disk");
}

#[test]
fn f10_a_lease_cut_by_max_ttl_is_replaced_in_time() {
    let mut fault = evidence!(10, Simulated);
    let mut world = world(Setup::plain(DB, dynamic(2 * MINUTE, 10 * MINUTE)), []);
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
    setup.role = sim::setup::Role { ttl: Some(20 * MINUTE), batch: true, renewable: false, ..setup.role };
    let mut world = world(setup, []);
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
    let mut world = world(setup, []);
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
    setup.files[0].refresh = 5 * MINUTE;
    for index in 1..20 {
        let path = format!("secret/data/{index}");
        setup.paths.push((path.clone(), Kind::Kv));
        setup.files.push(FileSetup {
            paths: vec![path],
            choice: None,
            refresh: 5 * MINUTE,
            wait: None,
            sink: None,
        });
    }
    setup.members = 20;
    let denied = Fault::Denied("secret/data/3".to_owned());
    let mut world = world(setup, [(Duration::ZERO, HOUR, denied)]);
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
    let mut world = world(Setup { init: true, standby_lag: secs(3), handoff: true, ..database() }, []);
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
        let mut world = world(setup, [(secs(60), 5 * MINUTE, busy)]);
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

#[test]
fn f16_a_thousand_sidecars_that_restart_together_do_not_meet_at_the_server_again() {
    let mut fault = evidence!(16, Simulated);
    let mut per_second = vec![0_u32; 3600];
    for seed in 0..1000 {
        let setup = Setup { seed, quiet: true, ..Setup::plain(DB, dynamic(20 * MINUTE, 24 * HOUR)) };
        let mut world = World::new(seed, setup);
        until(&mut world, HOUR - secs(1));
        fault.metric(&metrics(&world), "leasehold_ready 1");
        for at in &world.sent {
            per_second[usize::try_from((*at - secs(1000)).as_secs()).expect("small")] += 1;
        }
    }
    // After their starts, which are the scheduler's: in the minutes of the first renewals.
    let minutes: Vec<u32> = per_second[60..].chunks(60).map(|minute| minute.iter().sum()).collect();
    let busy: Vec<u32> = per_second[540..660].to_vec();
    let mean = f64::from(busy.iter().sum::<u32>()) / busy.len() as f64;
    let peak = f64::from(*busy.iter().max().expect("some"));
    assert!(peak <= 2.0 * mean + 6.0, "peak {peak} a second where the mean is {mean}: {minutes:?}");
    fault.holds("at the first renewals the busiest second has at most twice the mean");
}

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
        let mut world = world(setup, [(secs(30), Duration::ZERO, Fault::WallJump(by))]);
        until(&mut world, secs(29));
        let before = world.totals.requests;
        until(&mut world, secs(260));
        assert_eq!(world.totals.requests, before, "nothing is due, whatever the wall clock says");
        fault.metric(&metrics(&world), "leasehold_ready 1");
    }
    fault.holds("nothing is due, whatever the wall clock says: not one request");
}

#[test]
fn f24_two_hours_asleep_are_noticed_at_once_on_waking() {
    let mut fault = evidence!(24, Simulated);
    let setup = Setup { end: 6 * HOUR, ..database() };
    let mut world = world(setup, [(secs(60), Duration::ZERO, Fault::Suspend(2 * HOUR))]);
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
    let mut world = world(setup, [full, change]);
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

#[test]
fn f28_refused_credentials_are_tried_three_times_and_again_when_they_change() {
    let mut fault = evidence!(28, Simulated);
    let mut world = world(database(), [(Duration::ZERO, 10 * MINUTE, Fault::LoginsRefused)]);
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
fn f28_refused_credentials_end_init_with_77_and_are_remembered_by_the_next_try() {
    let mut fault = evidence!(28, Simulated);
    let setup = Setup { init: true, handoff: true, ..database() };
    let mut world = world(setup, [(Duration::ZERO, HOUR, Fault::LoginsRefused)]);
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
    let mut world = world(Setup::plain(KV, Kind::Kv), [fails, change]);
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
    let mut world = world(setup, [(secs(600), Duration::ZERO, Fault::Kill)]);
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
    let mut world = world(setup, [(Duration::ZERO, HOUR, Fault::HandoffFull)]);
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
    let mut world = world(setup, [(secs(600), Duration::ZERO, Fault::KillAndForget)]);
    until(&mut world, secs(620));
    assert_eq!((world.server.logins, world.server.leases.len()), (2, 2));
    assert_eq!(view(&world).readiness, Readiness::Ready);
    fault.metric(&metrics(&world), "leasehold_logins_total 1");
    fault.metric(&metrics(&world), "leasehold_ready 1");
    fault.holds("a fresh login, never a crash");
}

#[test]
fn f30_a_handoff_whose_token_was_revoked_is_a_fresh_login() {
    let mut fault = evidence!(30, Simulated);
    let setup = Setup { init: true, handoff: true, ..database() };
    let faults =
        [(secs(599), Duration::ZERO, Fault::TokensRevoked), (secs(600), Duration::ZERO, Fault::Kill)];
    let mut world = world(setup, faults);
    until(&mut world, secs(610));
    assert_eq!((world.server.logins, world.server.leases.len()), (2, 2));
    assert_eq!(view(&world).readiness, Readiness::Ready);
    fault.metric(&metrics(&world), "leasehold_logins_total 1");
    fault.metric(&metrics(&world), "leasehold_ready 1");
    fault.holds("a fresh login");
}
