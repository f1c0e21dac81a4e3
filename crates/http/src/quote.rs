//! Finds a credential in a text that a message would quote. The text may have it percent-encoded.

use std::borrow::Cow;

use percent_encoding::percent_decode;
use zeroize::Zeroizing;

use leasehold_base::secret::Secret;

/// Shorter secrets occur in any text by chance.
const TELLING: usize = 6;

/// How much of the start of a secret is enough: a quote is often cut off.
const ENOUGH: usize = 12;

/// Longer than the name of a service or a region, which a signature contains and a host may.
const LONG: usize = 16;

/// Returns whether a text contains the secret, or the start of it. A server that repeats a form, or a part of a URL,
/// repeats it percent-encoded.
#[must_use]
pub fn repeats(text: &[u8], secret: &Secret) -> bool {
    let start = &secret.expose()[..secret.len().min(ENOUGH)];
    let is_in = |text: &[u8]| text.windows(start.len()).any(|part| part == start);
    start.len() >= TELLING && (is_in(text) || decoded(text).iter().any(|text| is_in(text)))
}

/// Returns the text without its escapes: as in a path, and as in a form, where a plus is a space.
fn decoded(text: &[u8]) -> Vec<Zeroizing<Vec<u8>>> {
    if !text.contains(&b'%') && !text.contains(&b'+') {
        return Vec::new();
    }
    let of = |text: Cow<'_, [u8]>| {
        // A buffer that never grows leaves no copy behind.
        let mut plain = Zeroizing::new(Vec::with_capacity(text.len()));
        plain.extend(percent_decode(&text));
        plain
    };
    let spaced =
        Zeroizing::new(text.iter().map(|byte| if *byte == b'+' { b' ' } else { *byte }).collect::<Vec<_>>());
    vec![of(Cow::Borrowed(text)), of(Cow::Borrowed(&spaced))]
}

/// Returns whether a host, which has neither capital letters nor escapes, contains the secret or a long part of it. The
/// server that redirects chooses the part.
#[must_use]
pub fn is_in_host(host: &str, secret: &Secret) -> bool {
    let secret = Secret::new(secret.expose().to_ascii_lowercase());
    repeats(host.as_bytes(), &secret) || shares_a_long_part(host, &secret)
}

/// Returns whether a host contains a long part of a text. This is for texts of which it is not known whether they are
/// secret.
#[must_use]
pub fn shares_a_long_part(host: &str, text: &Secret) -> bool {
    let text = Secret::new(text.expose().to_ascii_lowercase());
    text.expose().windows(LONG).any(|part| host.as_bytes().windows(LONG).any(|window| window == part))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_found_as_it_is_and_in_escapes() {
        let secret = Secret::from("Q8Q~of/the+client secret");
        for text in [
            "no Q8Q~of/the+client secret",
            "Q8Q~of/the+c...",
            "client_secret=Q8Q%7Eof%2Fthe%2Bclient+secret&x=y",
            "q=Q8Q%7eof%2fthe%2bcli...",
            "/v1/Q8Q~of%2Fthe+client%20secret",
        ] {
            assert!(repeats(text.as_bytes(), &secret), "{text}");
        }
        for text in ["", "%", "50% of 100%2", "Q8Q~of+the+client", "Q8Q%7"] {
            assert!(!repeats(text.as_bytes(), &secret), "{text}");
        }
        assert!(repeats(b"two+words", &"two words".into()) && !repeats(b"short", &"short".into()));
    }

    #[test]
    fn a_host_has_a_part_of_a_secret_only_if_that_is_long() {
        let secret = Secret::from("eyJhbGciOiJFUzI1NiJ9.Claims-Of-The-Subject.signature");
        for host in ["eyjhbgcioijf.example", "claims-of-the-subject.example"] {
            assert!(is_in_host(host, &secret), "{host}");
        }
        assert!(!is_in_host("the-subject.example", &secret));
        assert!(!shares_a_long_part("eyjhbgcioijf.example", &secret), "it may be no secret");
        assert!(shares_a_long_part("claims-of-the-subject.example", &secret));
    }
}
