//! Why a pod is not admitted.

use std::fmt;

/// A pod that is not admitted: where the reason is, what is wrong, and what to do. The API server shows it to the person
/// who applied the pod.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The annotation or the field of the pod.
    pub place: String,
    /// What is wrong: a lowercase fragment.
    pub what: String,
    /// What to do about it.
    pub advice: String,
}

impl Refusal {
    /// Makes a refusal, which says that something is wrong at `place`.
    pub fn new(place: impl Into<String>, what: impl Into<String>, advice: impl Into<String>) -> Self {
        Self { place: place.into(), what: what.into(), advice: advice.into() }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.what)?;
        if self.advice.is_empty() { Ok(()) } else { write!(f, "; {}", self.advice) }
    }
}

impl std::error::Error for Refusal {}

/// Shows a value of an annotation in a message: cut where it is long, so that a message stays one.
pub(crate) fn shown(value: &str) -> String {
    const LONGEST: usize = 60;
    let mut shown: String = value.chars().take(LONGEST).flat_map(char::escape_debug).collect();
    if value.chars().nth(LONGEST).is_some() {
        shown.push('…');
    }
    format!("\"{shown}\"")
}
