use std::time::Duration;

use super::unit::{GATHER, LONGEST_GATHER};
use super::*;
use crate::interface::policy::ShutdownPlan;
use crate::interface::policy::{FilePolicy, Mode, UnitPolicy};
use crate::tools::steps::counted;

fn at(seconds: u64) -> Moment {
    Moment::new(Duration::from_secs(seconds))
}

fn shelf(wait: Option<Wait>) -> Shelf {
    let file = FilePolicy {
        name: "a".into(),
        unit: UnitId(0),
        refresh: Duration::from_secs(10),
        wait,
        notify: vec![],
        sink: None,
    };
    Shelf::new(&Policy {
        mode: Mode::Daemon,
        files: vec![file.clone(), FilePolicy { name: "b".into(), ..file }],
        units: vec![UnitPolicy { files: vec![FileId(0), FileId(1)] }],
        notifiers: vec![],
        on_init: Default::default(),
        child: None,
        shutdown: ShutdownPlan { revoke: true, delay: Duration::ZERO },
        rehearsal: false,
        handoff: false,
        owns_token: true,
        sees_token: true,
        locks_out: false,
        login_advice: String::new(),
        first_ready: Default::default(),
        binds_certificate: false,
        stores: Vec::new(),
        logs_in: true,
        max_in_flight: 8,
        seed: 0,
    })
}

#[test]
fn a_change_during_a_rendering_makes_another() {
    let mut shelf = shelf(None);
    shelf.mark(FileId(0), at(1));
    shelf.start(FileId(0), at(1));
    shelf.mark(FileId(0), at(2));
    assert!(shelf.stop(FileId(0)));
    assert!(shelf.unit(UnitId(0)).dirty.contains(&FileId(0)));
}

#[test]
fn a_failed_publish_leaves_what_it_had_to_show_for_the_next() {
    let mut shelf = shelf(None);
    shelf.mark(FileId(0), at(1));
    shelf.start(FileId(0), at(1));
    shelf.stop(FileId(0));
    shelf.brought(FileId(0), true);
    assert_eq!(shelf.publish(UnitId(0), at(2)), [FileId(0)], "the other has no rendering");
    shelf.not_published(UnitId(0), Ending::new(leasehold_base::exit::Cause::Destination, "full", ""), at(3));
    assert!(shelf.unit(UnitId(0)).fresh.contains(&FileId(0)));
    assert!(shelf.file(FileId(0)).stale);
    shelf.publish(UnitId(0), at(3));
    assert_eq!(shelf.published(UnitId(0), 1, at(3)), [FileId(0)]);
    assert!(!shelf.file(FileId(0)).stale);
    assert_eq!(shelf.file(FileId(1)).generation, None);
}

#[test]
fn a_set_gathers_for_as_long_as_its_publish_and_its_number_of_files_ask_for() {
    let mut shelf = shelf(None);
    assert_eq!(shelf.unit(UnitId(0)).gather(), GATHER);
    shelf.publish(UnitId(0), at(3));
    shelf.published(UnitId(0), 1, at(3).after(Duration::from_millis(100)));
    assert_eq!(shelf.unit(UnitId(0)).gather(), Duration::from_millis(400));
    shelf.unit_mut(UnitId(0)).files = (0..10_000).map(FileId).collect();
    assert_eq!(shelf.unit(UnitId(0)).gather(), Duration::from_secs(2));
    shelf.unit_mut(UnitId(0)).took = Duration::from_secs(60);
    assert_eq!(shelf.unit(UnitId(0)).gather(), LONGEST_GATHER);
}

#[test]
fn quiet_time_starts_anew_with_each_change_up_to_its_most() {
    let wait = Wait { min: Duration::from_secs(2), max: Duration::from_secs(5) };
    let mut shelf = shelf(Some(wait));
    shelf.mark(FileId(0), at(10));
    assert_eq!(shelf.quiet_until(UnitId(0)), Some(at(12)));
    shelf.mark(FileId(0), at(11));
    assert_eq!(shelf.quiet_until(UnitId(0)), Some(at(13)));
    shelf.mark(FileId(0), at(14));
    assert_eq!(shelf.quiet_until(UnitId(0)), Some(at(15)));
}

#[test]
fn no_file_is_looked_at_for_a_quiet_time_that_none_waits_for() {
    let mut shelf = shelf(None);
    (0..2).for_each(|file| shelf.mark(FileId(file), at(1)));
    assert_eq!(counted(|| shelf.quiet_until(UnitId(0))), (0, None));
}
