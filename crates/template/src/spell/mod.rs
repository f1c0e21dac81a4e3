//! How Go spells runes, quoted texts and numbers: reading them in a template, printing them; and how far apart two names are.

pub(crate) mod distance;
pub(crate) mod float;
pub(crate) mod number;
pub(crate) mod quote;
pub(crate) mod rune;

/// Returns `text` as `%q` shows it.
pub(crate) fn quoted(text: &[u8]) -> String {
    let mut out = Vec::new();
    quote::quote(text, false, &mut out);
    String::from_utf8_lossy(&out).into_owned()
}
