//! How Go spells runes, quoted texts and numbers: reading them in a template, printing them; and how far apart two names are.

pub(crate) mod distance;
pub(crate) mod float;
pub(crate) mod number;
pub(crate) mod quote;
pub(crate) mod rune;
