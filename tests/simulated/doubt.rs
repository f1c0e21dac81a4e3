//! Logins that are refused for a while and tokens that are denied for a while: caution that does not blind.

use std::time::Duration;

use leasehold::core::event::Event;
use leasehold::core::ids::FileId;
use leasehold::core::view::Readiness;
use leasehold::exit::Cause;

use crate::metrics;
use leasehold_testkit::evidence;
use leasehold_testkit::sim::faults::Fault;
use leasehold_testkit::sim::setup::{Kind, Setup};
use leasehold_testkit::sim::stage::{code, database, dynamic, exit, until, view, with};
use leasehold_testkit::sim::world::World;
use leasehold_testkit::sim::{DB, HOUR, KV, MINUTE, secs};

fn mints(world: &World) -> usize {
    world.server.leases.len()
}

#[test]
fn f34_logins_that_are_refused_for_a_while_go_on_and_are_granted_soon_after() {
    let mut fault = evidence!(34, Simulated);
    for (refused, ready) in [(secs(5), secs(9)), (MINUTE, 2 * MINUTE + secs(2)), (HOUR, HOUR + secs(62))] {
        let mut world = with(database(), [(Duration::ZERO, refused, Fault::LoginsRefused)]);
        until(&mut world, refused);
        let asked = world.server.logins;
        assert!(asked <= 8 + refused.as_secs() / 54, "{asked} logins in {refused:?}");
        until(&mut world, ready);
        assert_eq!(view(&world).readiness, Readiness::Ready, "refused for {refused:?}");
        assert_eq!(mints(&world), 1);
        fault.metric(&metrics(&world), "leasehold_ready 1");
    }
    fault.holds(
        "tried after 1 s, doubling to 60 s, for ever: ready at most a minute after the first that is granted",
    );
}

#[test]
fn f34_a_restart_and_a_person_try_a_refused_login_at_once() {
    let fault = evidence!(34, Simulated);
    let refused = (Duration::ZERO, 30 * MINUTE, Fault::LoginsRefused);
    for what in [Fault::Kill, Fault::Refresh, Fault::Reload] {
        let setup = Setup { handoff: true, ..database() };
        let mended = 30 * MINUTE + secs(1);
        let mut world = with(setup, [refused.clone(), (mended, Duration::ZERO, what.clone())]);
        until(&mut world, mended + secs(3));
        assert_eq!(view(&world).readiness, Readiness::Ready, "{what:?}");
    }
    fault.holds("a restart, HUP and `POST /refresh` try at once what was refused for half an hour");
}

#[test]
fn a_locked_account_gets_one_more_try_in_a_quarter_of_an_hour_whoever_asks() {
    let setup = Setup { locks_out: true, ..database() };
    let refused = (Duration::ZERO, HOUR, Fault::LoginsRefused);
    let mut world = with(setup, [refused]);
    until(&mut world, MINUTE);
    assert_eq!(world.server.logins, 3);
    for event in [Event::Refresh, Event::CredentialsChanged, Event::Refresh] {
        world.give(event).expect("every promise holds");
        let next = world.age() + secs(10);
        until(&mut world, next);
        assert_eq!(world.server.logins, 4, "the server locks the account at five");
    }
    until(&mut world, 20 * MINUTE);
    assert_eq!(world.server.logins, 5, "once the server has forgotten those before");
}

#[test]
fn f34_init_tries_on_for_half_a_minute_what_may_be_granted_in_a_moment() {
    let mut fault = evidence!(34, Simulated);
    let init = || Setup { init: true, handoff: true, ..database() };
    let mut world = with(init(), [(Duration::ZERO, secs(10), Fault::LoginsRefused)]);
    until(&mut world, secs(20));
    assert_eq!(exit(&world, 0).1, Ok(()), "a role that is made ten seconds after the pod");
    let mut world = with(init(), [(Duration::ZERO, HOUR, Fault::LoginsRefused)]);
    until(&mut world, 2 * MINUTE);
    let (at, result) = exit(&world, 0);
    assert_eq!(result, Err(Cause::Denied));
    assert!(at >= secs(28) && at <= secs(31), "{at:?}");
    fault.exit(code(&world, 0), 77);
    let setup = Setup { locks_out: true, ..init() };
    let mut world = with(setup, [(Duration::ZERO, HOUR, Fault::LoginsRefused)]);
    until(&mut world, MINUTE);
    let (at, result) = exit(&world, 0);
    assert!(result == Err(Cause::Denied) && at < secs(5), "three tries, and it is certain to stay: {at:?}");
    fault.holds(
        "init tries for 30 s and ends with the cause; where accounts are locked it ends after three tries",
    );
}

#[test]
fn f35_what_denies_everything_for_a_while_costs_no_login_and_no_lease() {
    let mut fault = evidence!(35, Simulated);
    for locks_out in [false, true] {
        // A shorter one may have less than 15 s left when it begins.
        for ttl in [40, 60, 3600] {
            let lease = dynamic(secs(ttl), 24 * HOUR);
            let mut setup = Setup { locks_out, ..Setup::plain(DB, lease) };
            setup.files[0].paths.push(KV.to_owned());
            setup.paths.push((KV.to_owned(), Kind::Kv));
            for at in 0..10 {
                let at = MINUTE + secs(at) + Duration::from_millis(137 * at);
                let mut world = with(setup.clone(), [(at, secs(15), Fault::AllDenied)]);
                until(&mut world, at);
                let before = world.disk.files[&FileId(0)][DB].clone();
                until(&mut world, at + secs(15));
                assert!(view(&world).readiness.is_ready());
                until(&mut world, at + secs(22));
                assert_eq!(view(&world).readiness, Readiness::Ready, "TTL {ttl}, at {at:?}");
                until(&mut world, at + 10 * MINUTE);
                assert_eq!(world.disk.files[&FileId(0)][DB], before, "TTL {ttl}, at {at:?}");
                let granted = world.server.tokens.len();
                assert_eq!((granted, mints(&world)), (1, 1), "TTL {ttl}, at {at:?}");
                fault.metric(&metrics(&world), "leasehold_login_failing_seconds 0");
            }
        }
    }
    fault.holds("15 s of 403 to everything: the token is taken back within seconds; no login was granted, nothing minted");
}

#[test]
fn f35_while_the_login_fails_and_the_files_are_good_readiness_says_both() {
    let mut fault = evidence!(35, Simulated);
    let mut setup = database();
    setup.files[0].paths.push(KV.to_owned());
    setup.paths.push((KV.to_owned(), Kind::Kv));
    let mut world = with(setup, [(MINUTE, 10 * MINUTE, Fault::AllDenied)]);
    until(&mut world, 6 * MINUTE + secs(30));
    let seen = view(&world);
    let Readiness::ReadyWithoutLogin { since, why } = &seen.readiness else { panic!("{:?}", seen.readiness) };
    let time = since.until(seen.now);
    assert!(time > 5 * MINUTE && time < 6 * MINUTE, "{time:?}");
    assert_eq!(why, "permission denied");
    assert!(seen.readiness.is_ready() && seen.login.is_some_and(|login| login.next.is_some()));
    assert!(!metrics(&world).contains("leasehold_login_failing_seconds 0\n"));
    fault.metric(&metrics(&world), "leasehold_ready 1");
    fault.holds("ready, with the time since which logins fail, and why");
}

#[test]
fn a_token_that_is_dead_is_followed_at_once_where_logins_are_granted() {
    let mut world = with(database(), [(MINUTE, Duration::ZERO, Fault::TokensRevoked)]);
    until(&mut world, 31 * MINUTE + secs(10));
    assert_eq!((world.server.logins, mints(&world)), (2, 2));
    assert_eq!(view(&world).readiness, Readiness::Ready);
}

#[test]
fn f36_a_token_whose_renewal_goes_on_failing_is_followed_before_its_leases_die() {
    let mut fault = evidence!(36, Simulated);
    for ttl in [20, 60, 600] {
        let mut setup = database();
        setup.role.ttl = Some(secs(ttl));
        let stuck = (Duration::ZERO, HOUR, Fault::TokensStuck);
        let mut world = with(setup, [stuck]);
        let end = secs(10 * ttl).min(HOUR - MINUTE);
        while world.age() < end {
            let next = world.age() + Duration::from_millis(100);
            until(&mut world, next);
            let Some(content) = world.disk.files.get(&FileId(0)) else { continue };
            let lease = content[DB].lease.clone().expect("it is leased");
            assert!(world.server.is_lease_alive(&lease, world.now), "TTL {ttl}, at {:?}", world.age());
        }
        let logins = world.server.logins;
        let most = end.as_secs() * 3 / (2 * ttl) + 1;
        assert!(logins > 5.min(end.as_secs() / ttl) && logins <= most, "TTL {ttl}: {logins} logins");
        fault.metric(&metrics(&world), "leasehold_ready 1");
    }
    fault.holds("a login follows at three quarters of its life: no lease on disk is dead at any look");
}

#[test]
fn a_token_whose_renewal_fails_for_a_moment_is_renewed_and_not_followed() {
    let mut setup = database();
    setup.role.ttl = Some(10 * MINUTE);
    let mut world = with(setup, [(4 * MINUTE, 3 * MINUTE, Fault::TokensStuck)]);
    until(&mut world, HOUR);
    assert_eq!((world.server.logins, mints(&world)), (1, 1));
}

/// Two files, one of which is denied.
fn denied_beside_another(default_policy: bool) -> World {
    let mut setup = Setup::plain(KV, Kind::Kv);
    setup.role.default_policy = default_policy;
    setup.paths.push(("secret/data/b".to_owned(), Kind::Kv));
    let mut other = setup.files[0].clone();
    other.paths = vec!["secret/data/b".to_owned()];
    setup.files.push(other);
    setup.members = 2;
    with(setup, [(Duration::ZERO, HOUR, Fault::Denied(KV.to_owned()))])
}

#[test]
fn a_denied_path_holds_its_siblings_back_for_a_second_and_a_half_or_two_where_doubt_lasts() {
    for (default_policy, most) in [(true, 1600), (false, 2100)] {
        let mut world = denied_beside_another(default_policy);
        world.live_until_so(|world| world.disk.files.contains_key(&FileId(1))).expect("it is published");
        assert!(world.age() <= Duration::from_millis(most), "{:?}", world.age());
    }
}
