//! How Go spells runes, quoted texts and numbers: reading them in a template, printing them.

pub mod float;
pub mod number;
pub mod quote;
pub mod rune;
