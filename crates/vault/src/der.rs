//! As much of DER as is needed to find something in a certificate.

/// Returns tag and content of the first element, and what is behind it.
pub fn element(der: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&tag, rest) = der.split_first()?;
    let (&first, rest) = rest.split_first()?;
    let (length, rest) = if first < 0x80 {
        (usize::from(first), rest)
    } else {
        let count = usize::from(first & 0x7f);
        // A longer length would mean a certificate of gigabytes.
        let digits = rest.get(..count).filter(|_| (1..=4).contains(&count))?;
        let length = digits.iter().fold(0, |sum: usize, digit| sum << 8 | usize::from(*digit));
        (length, &rest[count..])
    };
    Some((tag, rest.get(..length)?, &rest[length..]))
}

const SEQUENCE: u8 = 0x30;
const SET: u8 = 0x31;
const INTEGER: u8 = 0x02;
const OBJECT: u8 = 0x06;
const VERSION: u8 = 0xa0;
/// The object identifiers 2.5.4.3 and 2.5.4.10.
const COMMON_NAME: &[u8] = &[0x55, 0x04, 0x03];
const ORGANISATION: &[u8] = &[0x55, 0x04, 0x0a];
/// The length that is shown of a name. A certificate may hold a name of any length.
const LONGEST: usize = 100;

/// Returns the name of a certificate's issuer, as `CN=…` or `O=…`; `None` if these bytes hold no such name.
pub(super) fn issuer(certificate: &[u8]) -> Option<String> {
    let (SEQUENCE, certificate, _) = element(certificate)? else { return None };
    let (SEQUENCE, mut rest, _) = element(certificate)? else { return None };
    // Skip the version, which may be left out, the serial number and the algorithm.
    for (tag, optional) in [(VERSION, true), (INTEGER, false), (SEQUENCE, false)] {
        let (found, _, behind) = element(rest)?;
        if found == tag {
            rest = behind;
        } else if !optional {
            return None;
        }
    }
    let (SEQUENCE, name, _) = element(rest)? else { return None };
    let known = |object: &[u8], short| Some(format!("{short}={}", attribute(name, object)?));
    known(COMMON_NAME, "CN").or_else(|| known(ORGANISATION, "O"))
}

/// Returns an attribute of a name, which is a sequence of sets of attributes.
fn attribute(mut name: &[u8], wanted: &[u8]) -> Option<String> {
    while let Some((SET, set, behind)) = element(name) {
        name = behind;
        if let Some((SEQUENCE, pair, _)) = element(set)
            && let Some((OBJECT, object, rest)) = element(pair)
            && object == wanted
        {
            let (_, text, _) = element(rest)?;
            let text = String::from_utf8_lossy(text.get(..LONGEST).unwrap_or(text)).into_owned();
            return Some(text.chars().filter(|char| !char.is_control()).collect());
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wrapped(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
        let content = parts.concat();
        [&[tag, u8::try_from(content.len()).expect("short")][..], &content].concat()
    }

    fn certificate(object: &[u8], name: &[u8], version: bool) -> Vec<u8> {
        let pair = wrapped(SEQUENCE, &[&wrapped(OBJECT, &[object]), &wrapped(0x0c, &[name])]);
        let issuer = wrapped(SEQUENCE, &[&wrapped(SET, &[&pair])]);
        let version: &[u8] = if version { &[VERSION, 3, INTEGER, 1, 2] } else { &[] };
        let body = wrapped(SEQUENCE, &[version, &[INTEGER, 1, 7], &wrapped(SEQUENCE, &[]), &issuer]);
        wrapped(SEQUENCE, &[&body])
    }

    #[test]
    fn who_signed_a_certificate_is_its_common_name_or_organisation() {
        for version in [false, true] {
            assert_eq!(issuer(&certificate(COMMON_NAME, b"Our CA", version)).as_deref(), Some("CN=Our CA"));
        }
        assert_eq!(issuer(&certificate(ORGANISATION, b"Us\x1b[1m", true)).as_deref(), Some("O=Us[1m"));
        assert_eq!(issuer(&certificate(&[0x55, 4, 6], b"DE", true)), None);
    }

    #[test]
    fn what_is_no_certificate_has_no_issuer() {
        let whole = certificate(COMMON_NAME, b"Our CA", true);
        for end in 0..whole.len() {
            assert_eq!(issuer(&whole[..end]), None, "{end}");
        }
        assert_eq!(issuer(&[0x30; 64]), None);
    }
}
