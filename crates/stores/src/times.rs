//! The times of the clouds: seconds since 1970, as AWS' signature and as all answers write them.

use leasehold_base::time::days;

/// Writes a time as `20261129T135630Z`.
pub(crate) fn stamp(at: i64) -> String {
    let (days, seconds) = (at.div_euclid(86_400), at.rem_euclid(86_400));
    let (year, month, day) = civil(days);
    let (hour, minute, second) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    format!("{year:04}{month:02}{day:02}T{hour:02}{minute:02}{second:02}Z")
}

/// Reads the seconds of `2026-11-29T13:56:30Z`, or with `+00:00` for the `Z`. A fraction is ignored.
pub(crate) fn parse(text: &str) -> Option<i64> {
    let (date, time) = text.split_once('T')?;
    let (time, offset) = match time.find(['Z', '+', '-']).map(|at| time.split_at(at))? {
        (time, "Z") => (time, 0),
        (time, offset) => (time, seconds_of(offset)?),
    };
    let mut date = date.split('-').map(number);
    let (year, month, day) = (date.next()??, date.next()??, date.next()??);
    let mut time = time.split('.').next()?.split(':').map(number);
    let (hour, minute, second) = (time.next()??, time.next()??, time.next()??);
    let fits = (1970..10_000).contains(&year)
        && (1..=12).contains(&month)
        && (1..=31).contains(&day)
        && hour < 24
        && minute < 60
        && second <= 60;
    fits.then(|| days(year, month, day) * 86_400 + hour * 3600 + minute * 60 + second - offset)
}

fn number(text: &str) -> Option<i64> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok())?
}

/// Reads how many seconds `+01:30` is ahead.
fn seconds_of(offset: &str) -> Option<i64> {
    let (sign, (hours, minutes)) = (offset.get(..1)?, offset.get(1..)?.split_once(':')?);
    let (hours, minutes) = (number(hours)?, number(minutes)?);
    let seconds = (hours < 24 && minutes < 60).then_some(hours * 3600 + minutes * 60)?;
    Some(if sign == "-" { -seconds } else { seconds })
}

/// Returns the day of the Gregorian calendar that is this many days after 1970-01-01.
fn civil(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let of_era = days.rem_euclid(146_097);
    let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    (year + era * 400 + i64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_and_read_as_the_calendar_has_them() {
        for (at, written) in [
            (0, "19700101T000000Z"),
            (951_782_399, "20000228T235959Z"),
            (951_782_400, "20000229T000000Z"),
            (951_868_800, "20000301T000000Z"),
            (1_795_960_590, "20261129T135630Z"),
            (4_107_542_400, "21000301T000000Z"),
        ] {
            assert_eq!(stamp(at), written);
            let w = written;
            let long = format!("{}-{}-{}:{}:{}Z", &w[..4], &w[4..6], &w[6..11], &w[11..13], &w[13..15]);
            assert_eq!(parse(&long), Some(at), "{long}");
        }
        for same in [
            "2026-11-29T13:56:30.123Z",
            "2026-11-29T13:56:30+00:00",
            "2026-11-29T13:56:30.5-00:00",
            "2026-11-29T15:26:30+01:30",
            "2026-11-29T05:56:30-08:00",
        ] {
            assert_eq!(parse(same), Some(1_795_960_590), "{same}");
        }
        for bad in [
            "",
            "2026-11-29",
            "2026-11-29T13:56:30",
            "2026-13-01T00:00:00Z",
            "2026-1a-01T00:00:00Z",
            "2026-11-29T13:56:30+1",
            "2026-11-29T13:56:30+00:aa",
            "2026-11-29",
        ] {
            assert_eq!(parse(bad), None, "{bad}");
        }
    }
}
