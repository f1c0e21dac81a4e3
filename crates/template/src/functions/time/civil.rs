//! The calendar: years, months and days of an instant, and back.

use super::Time;

/// A date and a time of day in some zone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Civil {
    pub(super) year: i64,
    /// From 1.
    pub(super) month: usize,
    /// From 1.
    pub(super) day: i64,
    pub(super) hour: i64,
    pub(super) minute: i64,
    pub(super) second: i64,
    /// From 1 at the first of January.
    pub(super) year_day: i64,
    /// From 0 for Sunday.
    pub(super) week_day: usize,
}

const DAY: i64 = 86_400;

/// Days of a cycle of the calendar: 400 years.
const CYCLE: i64 = 146_097;

/// Days from the first of March of the year 0 to 1970-01-01.
const EPOCH: i64 = 719_468;

impl Civil {
    pub(super) fn of(time: &Time) -> Self {
        let (offset, _) = time.zone.at(time.seconds);
        let local = time.seconds.saturating_add(offset.into());
        let days = local.div_euclid(DAY);
        let second = local.rem_euclid(DAY);
        let (year, month, day) = date(days);
        let week_day = usize::try_from((days + 4).rem_euclid(7)).unwrap_or_default();
        Self {
            year,
            month,
            day,
            hour: second / 3600,
            minute: second / 60 % 60,
            second: second % 60,
            year_day: days - day_number(year, 1, 1) + 1,
            week_day,
        }
    }
}

/// Returns the year, month and day of a day that is counted from 1970-01-01. Years begin in March here, so that the
/// leap day is their last.
fn date(days: i64) -> (i64, usize, i64) {
    let days = days + EPOCH;
    let day_of_cycle = days.rem_euclid(CYCLE);
    let year_of_cycle =
        (day_of_cycle - day_of_cycle / 1460 + day_of_cycle / 36_524 - day_of_cycle / (CYCLE - 1)) / 365;
    let day_of_year = day_of_cycle - (365 * year_of_cycle + year_of_cycle / 4 - year_of_cycle / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    let year = year_of_cycle + 400 * days.div_euclid(CYCLE) + i64::from(month <= 2);
    (year, usize::try_from(month).unwrap_or(1), day)
}

/// Returns the day of a date, counted from 1970-01-01.
pub(super) fn day_number(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let year_of_cycle = year.rem_euclid(400);
    let shifted = if month > 2 { month - 3 } else { month + 9 };
    let day_of_year = (153 * shifted + 2) / 5 + day - 1;
    let day_of_cycle = year_of_cycle * 365 + year_of_cycle / 4 - year_of_cycle / 100 + day_of_year;
    year.div_euclid(400) * CYCLE + day_of_cycle - EPOCH
}

/// Returns how many days a month has.
pub(super) const fn days_in(year: i64, month: i64) -> i64 {
    match month {
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_day_of_eight_centuries_goes_there_and_back() {
        let mut previous = None;
        for number in day_number(1600, 1, 1)..day_number(2400, 1, 1) {
            let (year, month, day) = date(number);
            let month = i64::try_from(month).expect("at most 12");
            assert_eq!(day_number(year, month, day), number);
            assert!(day <= days_in(year, month));
            assert!(previous < Some((year, month, day)), "days go on");
            previous = Some((year, month, day));
        }
    }
}
