//! Reads from its DER when a certificate is valid, and nothing else.

use leasehold_base::time::days;

use crate::der::element;

/// Seconds since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Validity {
    /// When it begins.
    pub start: i64,
    /// When it ends.
    pub end: i64,
}

const INTEGER: u8 = 0x02;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;
const SEQUENCE: u8 = 0x30;
const VERSION: u8 = 0xa0;

impl Validity {
    /// Returns the validity of a certificate; `None` if these bytes are no certificate.
    #[must_use]
    pub fn of(der: &[u8]) -> Option<Self> {
        let (SEQUENCE, certificate, _) = element(der)? else { return None };
        let (SEQUENCE, mut rest, _) = element(certificate)? else { return None };
        // Skip the version, which may be left out, the serial number, the algorithm and the issuer.
        for (tag, optional) in [(VERSION, true), (INTEGER, false), (SEQUENCE, false), (SEQUENCE, false)] {
            let (found, _, behind) = element(rest)?;
            if found == tag {
                rest = behind;
            } else if !optional {
                return None;
            }
        }
        let (SEQUENCE, times, _) = element(rest)? else { return None };
        let (tag, start, times) = element(times)?;
        let start = seconds(tag, start)?;
        let (tag, end, _) = element(times)?;
        Some(Self { start, end: seconds(tag, end)? })
    }

    /// Returns whether Vault Agent would keep the certificate: nine tenths of what is left are more than a tenth of
    /// the whole.
    #[must_use]
    pub fn is_good_at(&self, now: i64) -> bool {
        let left = self.end.saturating_sub(now);
        let life = self.end.saturating_sub(self.start);
        now < self.end && left.saturating_mul(9) / 10 > life / 10
    }
}

/// Reads `YYMMDDHHMMSSZ`, or the same with four digits of the year.
fn seconds(tag: u8, text: &[u8]) -> Option<i64> {
    let digits = text.strip_suffix(b"Z")?;
    let (year, rest) = match (tag, digits.len()) {
        (UTC_TIME, 12) => (2, &digits[2..]),
        (GENERALIZED_TIME, 14) => (4, &digits[4..]),
        _ => return None,
    };
    let number = |digits: &[u8]| {
        digits
            .iter()
            .try_fold(0_i64, |sum, digit| digit.is_ascii_digit().then(|| sum * 10 + i64::from(digit - b'0')))
    };
    let year = match number(&digits[..year])? {
        // Years of two digits from 50 on belong to the last century.
        short if tag == UTC_TIME => short + if short < 50 { 2000 } else { 1900 },
        year => year,
    };
    let part = |at: usize| number(&rest[at..at + 2]);
    let (month, day) = (part(0)?, part(2)?);
    let (hour, minute, second) = (part(4)?, part(6)?, part(8)?);
    if !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return None;
    }
    Some(days(year, month, day) * 86_400 + hour * 3_600 + minute * 60 + second)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_of_both_kinds_are_seconds_since_1970() {
        for (tag, text, expected) in [
            (UTC_TIME, "700101000000Z", Some(0)),
            (UTC_TIME, "231114221320Z", Some(1_700_000_000)),
            (UTC_TIME, "491231235959Z", Some(2_524_607_999)),
            (GENERALIZED_TIME, "20500101000000Z", Some(2_524_608_000)),
            (GENERALIZED_TIME, "20240229120000Z", Some(1_709_208_000)),
            (UTC_TIME, "231114221320", None),
            (UTC_TIME, "231314221320Z", None),
            (UTC_TIME, "23111422132xZ", None),
            (GENERALIZED_TIME, "231114221320Z", None),
            (SEQUENCE, "231114221320Z", None),
        ] {
            assert_eq!(seconds(tag, text.as_bytes()), expected, "{text}");
        }
    }

    #[test]
    fn a_certificate_is_good_as_long_as_for_the_agent() {
        let validity = Validity { start: 0, end: 1_000 };
        for (now, good) in
            [(0, true), (887, true), (888, false), (999, false), (1_000, false), (5_000, false)]
        {
            assert_eq!(validity.is_good_at(now), good, "{now}");
        }
    }

    #[test]
    fn what_is_no_certificate_has_no_validity() {
        for der in
            [&b""[..], b"\x30", b"\x30\x84\xff\xff\xff\xff", b"\x30\x02\x30\x00", b"\x30\x80", &[0x30; 64]]
        {
            assert_eq!(Validity::of(der), None, "{der:?}");
        }
    }
}
