//! What gets lost on the way and must not cost anything: answers, processes, what a template used.

use std::time::Duration;

use leasehold::core::ids::{FileId, NotifierId};
use leasehold::core::view::Readiness;
use leasehold_base::failure::FailureKind;

use leasehold_testkit::sim::clock::BEGIN;
use leasehold_testkit::sim::faults::Fault;
use leasehold_testkit::sim::server::Health;
use leasehold_testkit::sim::setup::{Kind, Setup};
use leasehold_testkit::sim::stage::{dynamic, kill, living, plan, until, view};
use leasehold_testkit::sim::world::World;
use leasehold_testkit::sim::{DB, HOUR, KV, MINUTE, secs};

fn database(ttl: Duration) -> Setup {
    Setup::plain(DB, dynamic(ttl, 24 * HOUR))
}

#[test]
fn a_lease_whose_renewal_was_granted_unheard_is_revoked_once_it_is_replaced() {
    let mut world = World::new(7, database(10 * MINUTE));
    plan(&mut world, secs(60), 5 * MINUTE, Fault::AnswersLost);
    // From before the answers come again until what we know of has ended.
    plan(&mut world, 5 * MINUTE + secs(55), 5 * MINUTE, Fault::Health(Health::Down));
    until(&mut world, 11 * MINUTE + secs(30));
    assert_eq!(world.server.leases.len(), 2, "it had ended, as far as anybody told");
    let ends = world.server.leases.values().map(|lease| lease.expires).min().expect("two");
    assert!(ends > world.now, "and it would live on");
    assert_eq!(living(&mut world), 1, "so it is given back");
}

#[test]
fn a_token_whose_renewal_was_granted_unheard_is_revoked_once_another_login_has_taken_over() {
    let mut setup = database(HOUR);
    setup.role.ttl = Some(10 * MINUTE);
    let mut world = World::new(7, setup);
    plan(&mut world, secs(60), 5 * MINUTE, Fault::AnswersLost);
    plan(&mut world, 5 * MINUTE + secs(55), 5 * MINUTE, Fault::Health(Health::Down));
    until(&mut world, 10 * MINUTE + secs(2));
    let readiness = view(&world).readiness;
    assert!(matches!(readiness, Readiness::Expired { .. }), "nobody knows that it lives: {readiness:?}");
    until(&mut world, 11 * MINUTE + secs(30));
    assert_eq!(world.server.logins, 2);
    let now = world.now;
    let tokens = world.server.tokens.keys().filter(|id| world.server.is_token_alive(**id, now)).count();
    assert_eq!((tokens, living(&mut world)), (1, 1), "the one from before is revoked with its lease");
}

/// A daemon with a handoff and a KV secret that changes after a minute.
fn changing() -> World {
    let mut world = World::new(7, Setup { handoff: true, ..Setup::plain(KV, Kind::Kv) });
    plan(&mut world, secs(60), Duration::ZERO, Fault::Change(KV.to_owned()));
    world
}

fn generation(world: &World) -> u64 {
    world.disk.generations.values().sum()
}

#[test]
fn an_application_that_was_not_told_before_a_kill_is_told_after_the_restart() {
    // As soon as the file is there, and a little later, while the telling waits for its splay.
    for later in [0, 3, 20] {
        let mut world = changing();
        world.live_until_so(|world| generation(world) == 2).expect("every promise holds");
        let published = world.now;
        until(&mut world, published + Duration::from_millis(later) - BEGIN);
        assert!(world.told.get(&NotifierId(0)).is_none_or(|told| *told < published), "not told yet");
        kill(&mut world);
        until(&mut world, secs(90));
        let told = world.told.get(&NotifierId(0)).copied();
        assert!(told >= Some(published), "killed {later} ms after the publish: {told:?}");
        assert_eq!(generation(&world), 2, "it was not published again");
    }
}

#[test]
fn an_application_that_was_told_is_not_told_again_after_a_restart() {
    let mut world = changing();
    until(&mut world, secs(90));
    let told = world.told.clone();
    kill(&mut world);
    until(&mut world, secs(120));
    assert_eq!(world.told, told);
}

#[test]
fn a_token_that_may_not_look_itself_up_costs_no_login_at_a_restart() {
    let mut setup = Setup { handoff: true, ..database(HOUR) };
    setup.role.default_policy = false;
    let mut world = World::new(7, setup);
    // A denial makes the engine ask, once, and find out.
    plan(&mut world, Duration::ZERO, secs(30), Fault::Denied(DB.to_owned()));
    until(&mut world, MINUTE);
    let logins = world.server.logins;
    kill(&mut world);
    until(&mut world, 2 * MINUTE);
    assert_eq!((world.server.logins, world.server.leases.len()), (logins, 1));
}

#[test]
fn a_token_that_may_not_look_itself_up_and_dies_while_the_policy_denies_is_found_out() {
    let mut setup = Setup::plain(KV, Kind::Kv);
    setup.role.default_policy = false;
    let mut world = World::new(7, setup);
    plan(&mut world, Duration::ZERO, 10 * MINUTE, Fault::Denied(KV.to_owned()));
    plan(&mut world, 5 * MINUTE, Duration::ZERO, Fault::TokensRevoked);
    until(&mut world, 20 * MINUTE);
    assert_eq!(generation(&world), 1);
    assert!((3..=4).contains(&world.server.logins), "and not by a login a minute: {}", world.server.logins);
}

#[test]
fn a_mount_that_stays_unready_is_asked_less_and_less() {
    let mut setup = Setup::plain(KV, Kind::Kv);
    setup.files[0].refresh = MINUTE;
    let mut world = World::new(7, setup);
    plan(&mut world, Duration::ZERO, 10 * MINUTE, Fault::Broken(KV.to_owned(), FailureKind::NotYet));
    until(&mut world, secs(5));
    let early = world.totals.requests;
    until(&mut world, 10 * MINUTE);
    let all = world.totals.requests;
    assert!(early >= 4 && all - early < 25, "{early} at first, then {}", all - early);
    until(&mut world, 12 * MINUTE);
    assert_eq!(generation(&world), 1, "and is found when it is ready");
}

#[test]
fn a_token_whose_last_use_gave_back_a_lease_is_replaced_at_once() {
    let lease = Kind::Dynamic { ttl: MINUTE, max: MINUTE, renewable: false };
    let mut setup = Setup::plain(DB, lease);
    // A lease, its successor at two thirds, and the first is given back.
    setup.role.uses = Some(3);
    let mut world = World::new(7, setup);
    world.live_until_so(|world| world.server.tokens.values().any(|token| token.revoked)).expect("it is");
    let spent = world.age();
    assert!(spent > secs(40) && spent < MINUTE, "{spent:?}");
    until(&mut world, spent + secs(2));
    assert_eq!((world.server.logins, living(&mut world)), (2, 1));
}

#[test]
fn what_was_denied_beside_a_tokens_last_use_is_asked_with_the_next_login_at_once() {
    let mut setup = Setup::plain(KV, Kind::Kv);
    setup.files[0].refresh = 5 * MINUTE;
    setup.files[0].paths.push("secret/data/b".to_owned());
    setup.paths.push(("secret/data/b".to_owned(), Kind::Kv));
    // Both are read twice, and asked for a third time at once, with one use left.
    setup.role.uses = Some(5);
    let mut world = World::new(7, setup);
    world.live_until_so(|world| world.server.tokens.values().any(|token| token.revoked)).expect("it is");
    let spent = world.age();
    assert!(spent > 5 * MINUTE, "{spent:?}");
    let before = world.totals.requests;
    until(&mut world, spent + secs(2));
    assert_eq!(world.server.logins, 2);
    assert_eq!(world.totals.requests - before, 2, "the login, and what was denied");
}

#[test]
fn a_change_that_came_under_another_name_while_a_name_was_being_looked_up_is_rendered() {
    // The first file comes to use, by another way of writing it, what the second has read: its first
    // rendering has the value from before the change.
    let mut setup = Setup::plain(KV, Kind::Kv);
    setup.paths.push(("secret/data/b".to_owned(), Kind::Kv));
    setup.files[0].choice = Some((KV.to_owned(), ["secret/data/b".to_owned(), KV.to_owned()]));
    let mut other = setup.files[0].clone();
    (other.paths, other.choice) = (vec!["secret/b".to_owned()], None);
    setup.files.push(other);
    let mut world = World::new(7, setup);
    // Both change in one batch: the choice at once, and what it chooses.
    for path in [KV, "secret/data/b"] {
        plan(&mut world, MINUTE, Duration::ZERO, Fault::Change(path.to_owned()));
    }
    until(&mut world, MINUTE + secs(11));
    let content = &world.disk.files[&FileId(0)];
    assert_eq!(content["secret/data/b"].version, 2, "{content:?}");
}

#[test]
fn a_lease_on_disk_is_kept_although_the_template_fails_and_uses_it_no_longer() {
    let mut setup = Setup::plain(KV, Kind::Kv);
    let lease = Kind::Dynamic { ttl: 10 * MINUTE, max: 10 * MINUTE, renewable: false };
    setup.paths.push((DB.to_owned(), lease));
    setup.paths.push(("secret/data/b".to_owned(), Kind::Kv));
    // The first file takes a lease or not by the version of a secret; the second always has it.
    let mut other = setup.files[0].clone();
    other.paths = vec![DB.to_owned()];
    setup.files[0].choice = Some((KV.to_owned(), ["secret/data/b".to_owned(), DB.to_owned()]));
    setup.files.push(other);
    let mut world = World::new(7, setup);
    plan(&mut world, MINUTE, HOUR, Fault::BadData(KV.to_owned()));
    until(&mut world, 8 * MINUTE);
    assert_eq!(world.server.leases.len(), 2, "replaced at two thirds of its life");
    assert_eq!(living(&mut world), 2, "the first file is made of the old one still");
}
