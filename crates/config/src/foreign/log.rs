//! `log_level` and `log_format`.

use super::draft::Origin;
use super::kinds;
use super::stanza::{Desk, Stanza};
use crate::keypath::KeyPath;

/// The foreign programs' levels, and ours.
const LEVELS: &[(&str, &str)] = &[
    ("trace", "trace"),
    ("debug", "debug"),
    ("info", "info"),
    ("notice", "info"),
    ("warn", "warn"),
    ("warning", "warn"),
    ("err", "error"),
    ("error", "error"),
    ("crit", "error"),
];

const FORMATS: &[(&str, &str)] = &[("standard", "text"), ("json", "json")];

/// Makes `log` of the two.
pub(super) fn convert(top: &Stanza<'_>, desk: &mut Desk<'_>) {
    word(top, "log_level", "level", LEVELS, desk);
    word(top, "log_format", "format", FORMATS, desk);
}

fn word(top: &Stanza<'_>, theirs: &str, ours: &str, words: &[(&str, &'static str)], desk: &mut Desk<'_>) {
    let Some(item) = top.get(theirs) else { return };
    let home = KeyPath::of(&["log", ours]);
    let Some(word) = desk.read(top, item, &home, kinds::text).filter(|word| !word.is_empty()) else { return };
    match words.iter().find(|(name, _)| *name == word.to_lowercase()) {
        Some((_, ours)) => desk.draft.put(&home, *ours, Some(Origin::of(item))),
        None => {
            let names: Vec<&str> = words.iter().map(|(name, _)| *name).collect();
            let bad = ("unknown value".to_owned(), format!("use one of {}", names.join(", ")));
            desk.refuse(item.value.at, top.path(theirs), &home, bad);
        }
    }
}
