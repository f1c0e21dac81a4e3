//! The promises about stores that fail on their own. The files of other stores stay current. A file that uses both
//! keeps its last good bytes. Readiness says which store is away.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use leasehold_core::ids::FileId;
use leasehold_core::view::Readiness;

use super::super::driver::Content;
use super::super::setup::Kind;
use super::super::stores::{StoreServer, Stored};
use super::super::world::World;
use super::{
    Checks, Held, LAG, MINUTE, PATIENCE, is_counted, is_serving, longest_refresh, patience, set_wait,
};

/// The time from the last answer that a file needs to the file.
const PROMPT: Duration = Duration::from_secs(2);

/// The most requests in a minute to a store that is away. Such a store is asked once in half a minute, or at the time
/// that it asked for.
const MOST_WHILE_AWAY: usize = 8;

/// Returns whether these promises are checked now. That is so if nothing but stores has failed for so long that
/// everything else has to be good, and if every file has been published before.
fn is_held_to(world: &World) -> bool {
    !world.stores.is_empty()
        && is_serving(world)
        && world.calm_beside_stores() > patience(world) + 2 * MINUTE
        && (0..world.setup.files.len()).all(|file| world.disk.files.contains_key(&FileId(file)))
}

/// Returns whether this run has rendered the file. What an earlier run published is known to this run only after a
/// look.
fn is_current(world: &World, file: FileId) -> bool {
    world
        .process
        .as_ref()
        .is_some_and(|process| process.renderings.contains_key(&file) && !process.failing.contains(&file))
}

impl Checks {
    /// Records that what a killed run had sent was written only now. The next run did not read these values, so it may
    /// go back from them as it might before.
    pub fn note_late(&mut self, files: &BTreeMap<FileId, Content>) {
        for (file, content) in files {
            for (path, value) in content {
                if let Some(newest) = self.newest.get_mut(&(*file, path.clone())) {
                    *newest = value.version.max(*newest);
                }
            }
        }
    }
}

/// Checks that a file is never made of an older value of a store than before, and never lacks a value, whatever is
/// away. A run that was killed before its handoff could be written leaves older answers to the next run. The next run
/// may go back to them once, until it has read anew (docs/decisions/0072-older-answers.md).
pub(super) fn nothing_goes_back(world: &mut World) -> Held {
    let World { disk, setup, stores, checks, .. } = world;
    for (file, content) in &disk.files {
        let is_stored = |path: &&String| stores.iter().any(|store| store.values.contains_key(*path));
        for path in setup.files[file.0].paths.iter().filter(is_stored) {
            let Some(value) = content.get(path) else {
                return Err(format!("{file:?} is published without {path}"));
            };
            let of = (*file, path.clone());
            let newest = checks.newest.get(&of).copied().unwrap_or(value.version);
            if value.version != newest && !checks.may_go_back.remove(&of) && value.version < newest {
                return Err(format!("{file:?} has version {} of {path} after {newest}", value.version));
            }
            checks.newest.insert(of, value.version);
        }
    }
    Ok(())
}

/// Checks that a change elsewhere reaches the files in time while a store is away: the files that do not use the store,
/// and those that do.
pub(super) fn the_others_follow(world: &World) -> Held {
    if !is_held_to(world) {
        return Ok(());
    }
    let held = |file: FileId| is_current(world, file) && !world.waits_for_others(file);
    for (file, content) in world.disk.files.iter().filter(|(file, _)| held(**file)) {
        let setup = &world.setup.files[file.0];
        let spent = if is_counted(world) { MINUTE } else { Duration::ZERO };
        // A run that began without one of its answers has rendered it only after that came back.
        let back =
            |path: &String| world.store_of(path).map(|store| store.since.max(store.values[path].turned));
        let whole = setup.paths.iter().filter_map(back).max();
        let whole = whole.map_or(Duration::ZERO, |since| since + PATIENCE);
        let calm =
            (world.calm_beside + patience(world) + MINUTE).max(world.started + setup.refresh).max(whole);
        let late = |since: Duration| {
            since.max(calm) + setup.refresh + set_wait(world, *file) + LAG + spent + PROMPT < world.now
        };
        for (path, value) in content {
            let behind = match (world.store_of(path), world.server.entry(path)) {
                (Some(store), _) => is_behind(store, &store.values[path], value.version, &late),
                (None, Some(entry)) if entry.kind == Kind::Kv && setup.choice.is_none() => {
                    let (version, changed, _) = entry.at(world.now);
                    value.version < version && late(changed)
                }
                _ => false,
            };
            if behind {
                return Err(format!(
                    "{file:?} has version {} of {path}, which is another by now",
                    value.version
                ));
            }
        }
    }
    Ok(())
}

/// Returns whether a store that answers has had something newer for long enough. After a rest, the store is asked again
/// within a minute.
fn is_behind(store: &StoreServer, stored: &Stored, version: u64, late: &dyn Fn(Duration) -> bool) -> bool {
    let good = store.health.is_none() && stored.refused.is_none();
    good && version < stored.version && late(stored.changed.max(store.since.max(stored.turned) + PATIENCE))
}

/// Checks that the run names the stores that are away as soon as it had to notice them, and that it does not report
/// [`Readiness::Ready`] then.
pub(super) fn readiness_says_which(world: &World) -> Held {
    let Some(process) = world.process.as_ref().filter(|_| is_held_to(world)) else { return Ok(()) };
    let noticed = longest_refresh(world).max(PATIENCE) + PROMPT;
    let settled =
        world.stores.iter().all(|store| store.since.max(world.started) + noticed + MINUTE < world.now);
    if !settled {
        return Ok(());
    }
    let away: BTreeSet<&str> =
        world.stores.iter().filter(|store| store.health.is_some()).map(|store| store.name.as_str()).collect();
    let outlook = process.engine.outlook(world.clock());
    let told: BTreeSet<&str> = outlook.away.iter().map(|store| store.name.as_str()).collect();
    match outlook.readiness {
        Readiness::Ready if !away.is_empty() => Err(format!("ready, and {away:?} are away")),
        _ if told != away => Err(format!("{told:?} are called away, and {away:?} are")),
        _ => Ok(()),
    }
}

/// Checks that a store that does not answer is asked only now and then, however many secrets it has.
pub(super) fn what_is_away_is_left_alone(world: &mut World) -> Held {
    // Another engine, or another run, finds out for itself.
    let (now, begun) = (world.now, world.started.max(world.calm_beside).max(world.asleep));
    for store in &mut world.stores {
        store.asked.retain(|at| *at + MINUTE >= now);
        let long = store.health.is_some() && store.since.max(begun) + 2 * MINUTE < now;
        if long && store.asked.len() > MOST_WHILE_AWAY {
            return Err(format!(
                "{} is away, and was asked {} times in a minute",
                store.name,
                store.asked.len()
            ));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::faults::Fault;
    use crate::sim::server::Value;
    use crate::sim::setup::{FileSetup, Setup};
    use crate::sim::stage::{plan, until, with};
    use crate::sim::stores::{StoreHealth, StoreSetup};
    use crate::sim::{HOUR, KV, secs};

    const ONE: &str = "cloud-0/s-0";
    const TWO: &str = "cloud-1/s-0";

    /// Makes a world with two files. One is made of the Vault and a store, and the other is made of another store. The
    /// first of the stores is away after a minute.
    fn world() -> World {
        let store = |number: usize| StoreSetup {
            name: format!("cloud-{number}"),
            paths: vec![format!("cloud-{number}/s-0")],
        };
        let file = |paths: &[&str]| FileSetup {
            paths: paths.iter().map(|path| (*path).to_owned()).collect(),
            choice: None,
            refresh: secs(10),
            wait: None,
            sink: None,
        };
        let setup = Setup {
            stores: vec![store(0), store(1)],
            files: vec![file(&[KV, ONE]), file(&[TWO])],
            members: 2,
            ..Setup::plain(KV, Kind::Kv)
        };
        let mut world = with(setup, []);
        plan(&mut world, MINUTE, HOUR, Fault::Store(0, StoreHealth::Down));
        until(&mut world, HOUR / 2);
        assert!(is_held_to(&world));
        world
    }

    fn put(world: &mut World, file: usize, path: &str, version: u64) {
        let content = world.disk.files.get_mut(&FileId(file)).expect("it is there");
        content.insert(path.to_owned(), Value { version, lease: None, bad: false });
    }

    #[test]
    fn a_file_that_goes_back_or_has_a_hole_is_noticed() {
        let mut world = world();
        nothing_goes_back(&mut world).expect("good so far");
        put(&mut world, 0, ONE, 0);
        assert!(nothing_goes_back(&mut world).expect_err("an older value").contains("after 1"));
        world.disk.files.get_mut(&FileId(1)).expect("it is there").clear();
        put(&mut world, 0, ONE, 1);
        assert!(nothing_goes_back(&mut world).expect_err("a hole").contains("is published without"));
    }

    #[test]
    fn a_run_that_lost_its_handoff_may_go_back_once_and_not_after_it_has_read_anew() {
        let mut world = world();
        put(&mut world, 0, ONE, 3);
        nothing_goes_back(&mut world).expect("good so far");
        world.checks.note_kill(true);
        put(&mut world, 0, ONE, 2);
        nothing_goes_back(&mut world).expect("it knows no better");
        put(&mut world, 0, ONE, 1);
        assert!(nothing_goes_back(&mut world).expect_err("once more").contains("after 2"));
        world.checks.note_kill(true);
        put(&mut world, 0, ONE, 4);
        nothing_goes_back(&mut world).expect("it has read anew");
        put(&mut world, 0, ONE, 3);
        assert!(nothing_goes_back(&mut world).expect_err("it knows better").contains("after 4"));
        world.checks.note_kill(false);
        assert!(nothing_goes_back(&mut world).is_err(), "the handoff was written");
    }

    #[test]
    fn a_file_that_does_not_follow_is_noticed() {
        let mut world = world();
        the_others_follow(&world).expect("good so far");
        put(&mut world, 1, TWO, 0);
        assert!(the_others_follow(&world).expect_err("of a store that answers").contains(TWO));
        put(&mut world, 1, TWO, 1);
        put(&mut world, 0, KV, 0);
        assert!(the_others_follow(&world).expect_err("of the Vault").contains(KV));
        put(&mut world, 0, KV, 1);
        world.stores[0].values.get_mut(ONE).expect("it is there").version = 2;
        the_others_follow(&world).expect("what is away cannot be followed");
    }

    #[test]
    fn a_readiness_that_names_no_store_or_the_wrong_one_is_noticed() {
        let mut world = world();
        readiness_says_which(&world).expect("good so far");
        world.stores[0].health = None;
        assert!(
            readiness_says_which(&world).expect_err("it is good").contains("are called away, and {} are")
        );
        world.stores[0].health = Some(StoreHealth::Down);
        until(&mut world, HOUR + 30 * MINUTE);
        world.stores[0].health = Some(StoreHealth::Down);
        world.stores[0].since = Duration::ZERO;
        assert!(readiness_says_which(&world).expect_err("it says nothing").contains("are away"));
    }

    #[test]
    fn a_store_that_is_asked_again_and_again_is_noticed() {
        let mut world = world();
        what_is_away_is_left_alone(&mut world).expect("good so far");
        let now = world.now;
        world.stores[0].asked.extend(std::iter::repeat_n(now, MOST_WHILE_AWAY + 1));
        assert!(what_is_away_is_left_alone(&mut world).expect_err("too often").contains("asked"));
    }
}
