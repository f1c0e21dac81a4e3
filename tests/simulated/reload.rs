//! HUP: another agent goes on from what the first knows, as soon as nothing is under way.

use std::time::Duration;

use leasehold::core::event::Event;
use leasehold::core::ids::NotifierId;
use leasehold::core::view::Readiness;

use leasehold_testkit::sim::faults::Fault;
use leasehold_testkit::sim::setup::{Kind, Setup};
use leasehold_testkit::sim::stage::{database, living, until, view, with};
use leasehold_testkit::sim::world::World;
use leasehold_testkit::sim::{HOUR, KV, MINUTE, secs};

fn changing() -> World {
    with(Setup::plain(KV, Kind::Kv), [(MINUTE, Duration::ZERO, Fault::Change(KV.to_owned()))])
}

fn reload(world: &mut World) {
    world.begin(Fault::Reload, Duration::ZERO).expect("every promise holds");
}

#[test]
fn a_reload_during_a_publish_waits_for_it_and_who_is_to_be_told_is_told_after_it() {
    let mut world = changing();
    let publishes =
        |world: &World| world.process.as_ref().is_some_and(|process| process.renderings.len() == 1);
    until(&mut world, MINUTE);
    // The new rendering is there and its publish under way: the disk has the old one still.
    world
        .live_until_so(|world| {
            let made = world.process.as_ref().and_then(|process| process.renderings.values().next());
            made.is_some_and(|content| content[KV].version == 2)
        })
        .expect("every promise holds");
    assert!(publishes(&world));
    reload(&mut world);
    until(&mut world, MINUTE + secs(15));
    let changed = world.disk.changed.values().max().copied();
    assert!(world.told.get(&NotifierId(0)).copied() >= changed, "{:?}", world.told);
    assert_eq!(world.disk.generations.values().sum::<u64>(), 2);
}

#[test]
fn a_reload_while_a_notifier_is_tried_again_does_not_forget_it() {
    let setup = Setup::plain(KV, Kind::Kv);
    let change = (MINUTE, Duration::ZERO, Fault::Change(KV.to_owned()));
    let mut world = with(setup, [(secs(30), 2 * MINUTE, Fault::NotifiersFail), change]);
    until(&mut world, 2 * MINUTE);
    reload(&mut world);
    until(&mut world, 4 * MINUTE);
    let changed = world.disk.changed.values().max().copied();
    assert!(world.told.get(&NotifierId(0)).copied() >= changed, "{:?}", world.told);
}

#[test]
fn a_reload_during_the_login_and_the_first_read_costs_neither() {
    // At every moment of the start, a millisecond apart.
    for at in 0..60 {
        let mut world = with(Setup { end: HOUR, ..database() }, []);
        until(&mut world, Duration::from_millis(at));
        reload(&mut world);
        until(&mut world, secs(30));
        assert_eq!((world.server.logins, world.server.leases.len()), (1, 1), "after {at} ms");
        assert_eq!(view(&world).readiness, Readiness::Ready);
        world.live().expect("nothing is left behind");
        assert_eq!(living(&mut world), 0);
    }
}

#[test]
fn a_reload_reads_everything_again_now() {
    let mut setup = Setup::plain(KV, Kind::Kv);
    setup.files[0].refresh = HOUR;
    let mut world = with(setup, [(MINUTE, Duration::ZERO, Fault::Change(KV.to_owned()))]);
    until(&mut world, 2 * MINUTE);
    reload(&mut world);
    until(&mut world, 2 * MINUTE + secs(1));
    assert_eq!(world.disk.generations.values().sum::<u64>(), 2);
}

#[test]
fn a_reload_does_not_forget_that_it_was_told_to_stop() {
    let mut world = with(Setup { delay: secs(5), ..database() }, []);
    until(&mut world, MINUTE);
    world.process.as_mut().expect("it runs").stopping = true;
    world.give(Event::Stop { at_once: false }).expect("every promise holds");
    reload(&mut world);
    until(&mut world, MINUTE + secs(10));
    assert_eq!(world.exits.len(), 1);
}
