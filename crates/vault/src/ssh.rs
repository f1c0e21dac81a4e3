//! Finds until when an SSH certificate is valid: the only fact that the server's answer does not give besides it.
//!
//! A certificate is a line with its type, base64 and a comment. OpenSSH's `PROTOCOL.certkeys` describes what the
//! base64 holds: texts with their lengths in front, and numbers in network order.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// Returns how many texts come before the serial number in a certificate of this type: the nonce, and those of its
/// public key.
fn texts_before_serial(kind: &str) -> Option<usize> {
    let of_key = match kind.strip_suffix("-cert-v01@openssh.com")? {
        "ssh-rsa" | "rsa-sha2-256" | "rsa-sha2-512" => 2,
        "ssh-dss" => 4,
        "ssh-ed25519" => 1,
        "sk-ssh-ed25519" => 2,
        "ecdsa-sha2-nistp256" | "ecdsa-sha2-nistp384" | "ecdsa-sha2-nistp521" => 2,
        "sk-ecdsa-sha2-nistp256" => 3,
        _ => return None,
    };
    Some(1 + of_key)
}

/// Returns the second since 1970 before which the certificate in `line` is valid; `None` if the line holds none.
pub(super) fn valid_before(line: &str) -> Option<u64> {
    let bytes = STANDARD.decode(line.split_whitespace().nth(1)?).ok()?;
    let mut rest = bytes.as_slice();
    let kind = text(&mut rest)?;
    for _ in 0..texts_before_serial(std::str::from_utf8(kind).ok()?)? {
        text(&mut rest)?;
    }
    let (_serial, _of_user_or_host) = (take::<8>(&mut rest)?, take::<4>(&mut rest)?);
    let (_id, _principals) = (text(&mut rest)?, text(&mut rest)?);
    let _valid_after = take::<8>(&mut rest)?;
    Some(u64::from_be_bytes(take::<8>(&mut rest)?))
}

fn take<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
    let (first, others) = rest.split_first_chunk::<N>()?;
    *rest = others;
    Some(*first)
}

fn text<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let length = usize::try_from(u32::from_be_bytes(take::<4>(rest)?)).ok()?;
    let (text, others) = rest.split_at_checked(length)?;
    *rest = others;
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn certificate(kind: &str, texts: usize, until: u64) -> String {
        let mut bytes = Vec::new();
        let mut put = |text: &[u8]| {
            bytes.extend(u32::try_from(text.len()).expect("short").to_be_bytes());
            bytes.extend(text);
        };
        put(kind.as_bytes());
        (0..texts).for_each(|n| put(&vec![7; n * 3]));
        bytes.extend([0; 12]);
        for text in ["id", "ubuntu"] {
            bytes.extend(u32::try_from(text.len()).expect("short").to_be_bytes());
            bytes.extend(text.as_bytes());
        }
        bytes.extend(1_600_000_000_u64.to_be_bytes());
        bytes.extend(until.to_be_bytes());
        format!("{kind} {} a comment\n", STANDARD.encode(bytes))
    }

    #[test]
    fn the_end_of_a_certificate_of_every_kind_of_key_is_found() {
        for (kind, texts) in [
            ("ssh-rsa-cert-v01@openssh.com", 3),
            ("ssh-ed25519-cert-v01@openssh.com", 2),
            ("ecdsa-sha2-nistp256-cert-v01@openssh.com", 3),
            ("ssh-dss-cert-v01@openssh.com", 5),
            ("sk-ssh-ed25519-cert-v01@openssh.com", 3),
            ("sk-ecdsa-sha2-nistp256-cert-v01@openssh.com", 4),
        ] {
            for until in [1_700_000_000, 0, u64::MAX] {
                assert_eq!(valid_before(&certificate(kind, texts, until)), Some(until), "{kind}");
            }
        }
    }

    #[test]
    fn what_is_no_certificate_has_no_end_and_is_no_panic() {
        let good = certificate("ssh-rsa-cert-v01@openssh.com", 3, 1_700_000_000);
        for line in ["", "ssh-rsa", "ssh-rsa AAAA", "ssh-rsa AAAAB3NzaC1yc2E= x", "x !!", "ssh-rsa /////w=="]
        {
            assert_eq!(valid_before(line), None, "{line:?}");
        }
        let (kind, base64) = good.split_once(' ').expect("two words");
        let bytes = STANDARD.decode(base64.split(' ').next().expect("a word")).expect("base64");
        for length in 0..bytes.len() {
            assert_eq!(valid_before(&format!("{kind} {}", STANDARD.encode(&bytes[..length]))), None);
        }
    }
}
