//! A Vault and two stores, of which one is down for an hour.

use std::time::Duration;

use super::metrics;
use leasehold_core::ids::FileId;
use leasehold_core::view::Readiness;
use leasehold_testkit::evidence;
use leasehold_testkit::sim::faults::Fault;
use leasehold_testkit::sim::setup::{FileSetup, Kind, Setup};
use leasehold_testkit::sim::stage::{plan, until, view, with};
use leasehold_testkit::sim::stores::{StoreHealth, StoreSetup};
use leasehold_testkit::sim::world::World;
use leasehold_testkit::sim::{HOUR, KV, MINUTE, secs};

const AWS: &str = "aws/prod/db";
const AZURE: &str = "azure/db-password";

/// A file of the Vault and AWS, one of Azure, and one of the Vault alone.
fn world() -> World {
    let store = |path: &str| StoreSetup {
        name: path.split('/').next().expect("a name").to_owned(),
        paths: vec![path.to_owned()],
    };
    let file = |paths: &[&str]| FileSetup {
        paths: paths.iter().map(|path| (*path).to_owned()).collect(),
        choice: None,
        refresh: secs(10),
        wait: None,
        sink: None,
    };
    with(
        Setup {
            stores: vec![store(AWS), store(AZURE)],
            files: vec![file(&[KV, AWS]), file(&[AZURE]), file(&[KV])],
            members: 3,
            end: 4 * HOUR,
            ..Setup::plain(KV, Kind::Kv)
        },
        [],
    )
}

fn version(world: &World, file: usize, path: &str) -> u64 {
    world.disk.files[&FileId(file)][path].version
}

#[test]
fn one_store_is_down_for_an_hour_and_only_what_is_of_it_stands_still() {
    let mut evidence = evidence!(63, Simulated);
    let mut world = world();
    plan(&mut world, HOUR, HOUR, Fault::Store(0, StoreHealth::Down));
    for path in [AWS, AZURE] {
        plan(&mut world, HOUR + 10 * MINUTE, Duration::ZERO, Fault::StoreChange(path.to_owned()));
    }
    plan(&mut world, HOUR + 10 * MINUTE, Duration::ZERO, Fault::Change(KV.to_owned()));
    until(&mut world, HOUR);
    assert_eq!(view(&world).readiness, Readiness::Ready);
    let before = [version(&world, 0, KV), version(&world, 0, AWS), version(&world, 1, AZURE)];
    until(&mut world, HOUR + 11 * MINUTE);
    let now = [version(&world, 0, KV), version(&world, 0, AWS), version(&world, 1, AZURE)];
    assert_eq!(now, [before[0] + 1, before[1], before[2] + 1], "the mixed file keeps what it had of AWS");
    assert_eq!(version(&world, 2, KV), before[0] + 1);
    let Readiness::ReadyWithoutStore { store, .. } = view(&world).readiness else { panic!("it says which") };
    assert_eq!(store, "aws");
    evidence.metric(&metrics(&world), "leasehold_ready 1");
    evidence.metric(&metrics(&world), "leasehold_backend_up{backend=\"aws\"} 0");
    until(&mut world, 2 * HOUR);
    let late = HOUR + 50 * MINUTE + leasehold_testkit::sim::clock::BEGIN;
    let asked = world.stores[0].asked.iter().filter(|at| **at > late).count();
    assert!(asked <= 4, "one request in half a minute, of the last minute: {asked}");
    until(&mut world, 2 * HOUR + MINUTE);
    assert_eq!(version(&world, 0, AWS), before[1] + 1, "it follows within a minute");
    assert_eq!(view(&world).readiness, Readiness::Ready);
    evidence.holds("the other files follow, the mixed file keeps what it had of the store and follows the Vault, one request in half a minute");
}

#[test]
fn a_start_without_a_store_publishes_what_does_not_need_it() {
    let mut world = world();
    world.setup.members = 0;
    let mut world = with(world.setup, [(Duration::ZERO, HOUR, Fault::Store(0, StoreHealth::Down))]);
    until(&mut world, MINUTE);
    assert!(!world.disk.files.contains_key(&FileId(0)), "the mixed file has a hole and is not there");
    assert_eq!((version(&world, 1, AZURE), version(&world, 2, KV)), (1, 1));
    assert!(!view(&world).readiness.is_ready());
    until(&mut world, HOUR + MINUTE);
    assert_eq!(version(&world, 0, AWS), 1);
    assert!(view(&world).readiness.is_ready());
}
