//! A process that is killed between what the server does and what it writes down, and what the next one makes of it.

use std::time::Duration;

use leasehold::core::event::{Event, Wanted};
use leasehold::core::ids::FileId;
use leasehold::core::view::Readiness;

use crate::metrics;
use leasehold_testkit::evidence;
use leasehold_testkit::sim::faults::Fault;
use leasehold_testkit::sim::server::{ELSEWHERE, Health};
use leasehold_testkit::sim::setup::{Kind, Setup};
use leasehold_testkit::sim::stage::{database, dynamic, living, until, view, with};
use leasehold_testkit::sim::world::World;
use leasehold_testkit::sim::{DB, HOUR, KV, MINUTE, secs};

const NOW: Duration = Duration::ZERO;

/// The lease that the one file on disk is made of.
fn on_disk(world: &World) -> leasehold::core::ids::LeaseId {
    let values = world.disk.files[&FileId(0)].values();
    values.filter_map(|value| value.lease.clone()).next().expect("made of a lease")
}

/// That the next run never calls a revoked lease good is checked after every step.
#[test]
fn f38_wherever_a_run_is_killed_that_revokes_the_next_one_asks_before_it_calls_anything_good() {
    let mut fault = evidence!(38, Simulated);
    let mut anew = 0;
    for patience in 0..40 {
        let restart = Fault::Restart(Duration::from_millis(patience));
        let mut world = with(Setup { handoff: true, ..database() }, [(secs(600), NOW, restart)]);
        until(&mut world, secs(605));
        let on_disk = on_disk(&world);
        assert!(
            world.server.is_lease_alive(&on_disk, world.now),
            "killed after {patience} ms: {on_disk:?} is dead"
        );
        assert_eq!((view(&world).readiness, living(&mut world)), (Readiness::Ready, 1));
        anew += world.server.logins - 1;
        fault.metric(&metrics(&world), "leasehold_ready 1");
        world.live().expect("nothing is left behind");
    }
    assert!((1..40).contains(&anew), "some were killed before anything was revoked: {anew}");
    fault.holds("killed at any moment of its end: the next run looks the token up first, and mints anew where it is gone");
}

/// The write that goes before the first revocation is the first after the stop.
#[test]
fn f38_nothing_is_revoked_before_the_handoff_says_so() {
    let mut fault = evidence!(38, Simulated);
    for written in [false, true] {
        let doom = Fault::KillAtWrite { after: 0, written };
        let faults = [(secs(600), NOW, doom), (secs(600), NOW, Fault::Restart(secs(9)))];
        let mut world = with(Setup { handoff: true, ..database() }, faults);
        until(&mut world, secs(605));
        assert_eq!((view(&world).readiness, living(&mut world)), (Readiness::Ready, 1));
        assert_eq!(world.server.logins, 1, "nothing was revoked");
        let asked = view(&world).counters.requests;
        assert_eq!(asked, u64::from(written), "looked up where there was reason to");
        fault.metric(&metrics(&world), "leasehold_ready 1");
        world.live().expect("nothing is left behind");
    }
    fault
        .holds("killed before or after the write that comes first: nothing was revoked, and the run goes on");
}

#[test]
fn f38_a_server_that_is_away_when_the_next_run_has_to_ask_leaves_it_unready() {
    let mut fault = evidence!(38, Simulated);
    let away = (secs(600), 2 * MINUTE, Fault::Health(Health::Down));
    let doom = (secs(600), NOW, Fault::KillAtWrite { after: 0, written: true });
    let restart = (secs(600), NOW, Fault::Restart(secs(9)));
    let mut world = with(Setup { handoff: true, ..database() }, [away, doom, restart]);
    until(&mut world, secs(660));
    let readiness = view(&world).readiness;
    assert!(matches!(&readiness, Readiness::Expired { .. }), "{readiness:?}");
    fault.metric(&metrics(&world), "leasehold_ready 0");
    until(&mut world, secs(600) + 3 * MINUTE);
    assert_eq!((view(&world).readiness, living(&mut world)), (Readiness::Ready, 1));
    fault.holds("not ready while nobody can say whether the token is revoked");
}

#[test]
fn a_handoff_that_cannot_say_what_is_revoked_is_deleted_first() {
    for patience in [5, 15, 25, 35] {
        let faults = [
            (secs(590), secs(12), Fault::HandoffFull),
            (secs(600), NOW, Fault::Restart(Duration::from_millis(patience))),
        ];
        let mut world = with(Setup { handoff: true, ..database() }, faults);
        until(&mut world, secs(620));
        assert_eq!(view(&world).readiness, Readiness::Ready, "killed after {patience} ms");
        assert!(world.server.is_lease_alive(&on_disk(&world), world.now));
    }
}

/// A replaced lease is not revoked while the handoff on disk still takes it for good: killed then, the next run
/// would put it back.
#[test]
fn nothing_is_revoked_while_the_handoff_cannot_be_written() {
    let setup = Setup {
        handoff: true,
        ..Setup::plain(DB, Kind::Dynamic { ttl: 10 * MINUTE, max: HOUR, renewable: false })
    };
    let faults = [(secs(60), 8 * MINUTE, Fault::HandoffFull), (8 * MINUTE, NOW, Fault::Kill)];
    let mut world = with(setup, faults);
    until(&mut world, 8 * MINUTE - secs(1));
    assert_eq!(living(&mut world), 2, "the old one is kept");
    until(&mut world, 8 * MINUTE + secs(5));
    assert!(world.server.is_lease_alive(&on_disk(&world), world.now), "and may be on disk again");
}

fn elsewhere() -> Setup {
    Setup::plain(&format!("{ELSEWHERE}{DB}"), dynamic(HOUR, 24 * HOUR))
}

#[test]
fn leases_of_another_namespace_are_given_back_at_the_end() {
    let mut world = with(Setup { end: secs(700), ..elsewhere() }, []);
    world.live().expect("nothing is left behind");
    assert_eq!(living(&mut world), 0);
}

#[test]
fn leases_of_another_namespace_are_given_back_when_their_login_is_replaced_or_dies() {
    let mut setup = Setup { end: 2 * HOUR, ..elsewhere() };
    (setup.role.ttl, setup.role.max) = (Some(5 * MINUTE), Some(10 * MINUTE));
    let mut world = with(setup, [(HOUR, NOW, Fault::TokensRevoked)]);
    until(&mut world, HOUR - secs(1));
    assert!(world.server.logins > 5, "{}", world.server.logins);
    assert!(living(&mut world) <= 2, "one, and one that is being replaced");
    world.live().expect("nothing is left behind");
    assert_eq!(living(&mut world), 0);
}

#[test]
fn what_a_person_wants_anew_is_minted_with_overlap_and_the_old_one_is_given_back() {
    for wanted in [Wanted::File("file-0".into()), Wanted::Path(DB.into())] {
        let mut setup = database();
        setup.files[0].paths.push(KV.to_owned());
        setup.paths.push((KV.to_owned(), Kind::Kv));
        let mut world = with(setup, []);
        until(&mut world, 5 * MINUTE);
        let before = on_disk(&world);
        assert!(world.process.as_ref().is_some_and(|process| process.engine.has(&wanted)));
        world.give(Event::Renew(wanted)).expect("every promise holds");
        until(&mut world, 5 * MINUTE + secs(3));
        assert_ne!(on_disk(&world), before);
        assert_eq!(living(&mut world), 2, "applications change over");
        until(&mut world, 6 * MINUTE);
        assert_eq!((living(&mut world), world.server.logins), (1, 1));
        let engine = &world.process.as_ref().expect("it runs").engine;
        assert!(
            !engine.has(&Wanted::File("file-9".into())) && !engine.has(&Wanted::Path("secret/other".into()))
        );
    }
}
