//! Where a time is seen from: UTC, so many seconds from it, or a place by its table.

use std::collections::HashMap;
use std::rc::Rc;

use tz::TimeZone;

use crate::eval::Scope;

/// A time zone. A clone copies a pointer at most.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(in crate::functions) enum Zone {
    /// UTC itself.
    #[default]
    Utc,
    /// The same all the time, as a text gave it.
    Fixed {
        /// Seconds east of UTC.
        offset: i32,
        /// Its abbreviation; empty where it has none.
        name: Rc<str>,
    },
    /// A place, by a table of the time-zone database.
    Table(Rc<TimeZone>),
}

/// The places of one rendering, read and understood once.
#[derive(Default)]
struct Places(HashMap<String, Option<Zone>>);

impl Zone {
    /// Returns the zone called `name`: `UTC` and the empty name, `Local` for the machine's own, or a place such as
    /// `Europe/Berlin`; `None` if the machine has no table for it.
    pub(in crate::functions) fn named(scope: &mut Scope<'_, '_>, name: &str) -> Option<Self> {
        if matches!(name, "" | "UTC") {
            return Some(Self::Utc);
        }
        if let Some(known) = scope.local::<Places>().0.get(name) {
            return known.clone();
        }
        let table = scope.host().zone(name);
        let zone = table.and_then(|table| Self::of_table(&table));
        scope.local::<Places>().0.insert(name.to_owned(), zone.clone());
        zone
    }

    /// Returns the machine's own zone; UTC if the machine does not say which one it is.
    pub(in crate::functions) fn local(scope: &mut Scope<'_, '_>) -> Self {
        Self::named(scope, "Local").unwrap_or_default()
    }

    /// Reads a table as `tzfile(5)` describes it.
    fn of_table(table: &[u8]) -> Option<Self> {
        TimeZone::from_tz_data(table).ok().map(|zone| Self::Table(Rc::new(zone)))
    }

    /// Returns the seconds east of UTC and the abbreviation that hold at a second since 1970.
    pub(super) fn at(&self, seconds: i64) -> (i32, &str) {
        match self {
            Self::Utc => (0, "UTC"),
            Self::Fixed { offset, name } => (*offset, name),
            Self::Table(zone) => {
                let zone = zone.as_ref().as_ref();
                // Beyond the last change of a table without a rule for what follows, that change holds.
                let last = zone.transitions().last().map_or(0, |last| last.local_time_type_index());
                let kind = zone.find_local_time_type(seconds).ok();
                let kind = kind.or_else(|| zone.local_time_types().get(last));
                kind.map_or((0, "UTC"), |kind| (kind.ut_offset(), kind.time_zone_designation()))
            }
        }
    }

    /// Returns how many seconds east of UTC a clock is that shows `shown` seconds since 1970. If an hour is left out or
    /// comes twice, the result is that of Go's `Date`.
    pub(super) fn offset_of_clock(&self, shown: i64) -> i32 {
        let (offset, _) = self.at(shown);
        self.at(shown.saturating_sub(offset.into())).0
    }

    /// Returns the offset that the abbreviation `name` stands for in this zone. An offset that holds when clocks show
    /// `shown` comes first.
    pub(super) fn offset_called(&self, name: &str, shown: i64) -> Option<i32> {
        let Self::Table(zone) = self else {
            let (offset, own) = self.at(shown);
            return (own == name).then_some(offset);
        };
        let kinds = zone.as_ref().as_ref().local_time_types();
        let called = || kinds.iter().filter(|kind| kind.time_zone_designation() == name);
        let offset = |kind: &tz::LocalTimeType| kind.ut_offset();
        let holds = |offset: &i32| self.at(shown.saturating_sub((*offset).into())).1 == name;
        called().map(offset).find(holds).or_else(|| called().map(offset).next())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Makes a table of version 1 with one change, to +01:00 in 1970, and no rule for what follows.
    fn without_rule() -> Vec<u8> {
        let mut table = b"TZif\0".to_vec();
        table.extend([0; 15]);
        // Indicators (two kinds), leap seconds, changes, kinds, letters of abbreviations.
        for count in [0_u32, 0, 0, 1, 2, 8] {
            table.extend(count.to_be_bytes());
        }
        table.extend(0_i32.to_be_bytes());
        table.push(1);
        table.extend([0, 0, 0, 0, 0, 0]);
        table.extend([0, 0, 0x0e, 0x10, 0, 4]);
        table.extend(b"LMT\0ONE\0");
        table
    }

    #[test]
    fn the_last_change_of_a_table_without_a_rule_holds_for_ever() {
        let zone = Zone::of_table(&without_rule()).expect("a table");
        assert_eq!(zone.at(-1), (0, "LMT"));
        assert_eq!(zone.at(0), (3600, "ONE"));
        assert_eq!(zone.at(i64::MAX), (3600, "ONE"));
    }

    #[test]
    fn an_abbreviation_stands_for_the_offset_that_it_has_in_the_zone() {
        let zone = Zone::of_table(&without_rule()).expect("a table");
        assert_eq!(zone.offset_called("ONE", 7200), Some(3600));
        assert_eq!(zone.offset_called("ONE", -7200), Some(3600), "at no time then, but it is known");
        assert_eq!(zone.offset_called("TWO", 0), None);
        assert_eq!(Zone::Utc.offset_called("UTC", 0), Some(0));
    }

    #[test]
    fn clocks_that_skip_an_hour_show_it_as_before_the_change() {
        let zone = Zone::of_table(&without_rule()).expect("a table");
        assert_eq!(zone.offset_of_clock(-1), 0);
        assert_eq!(zone.offset_of_clock(3600), 3600);
        assert_eq!(zone.offset_of_clock(1800), 0, "between 0:00 and 1:00 no clock went");
    }

    #[test]
    fn what_is_no_table_is_no_zone() {
        assert_eq!(Zone::of_table(b""), None);
        assert_eq!(Zone::of_table(b"TZif2 and more"), None);
    }
}
