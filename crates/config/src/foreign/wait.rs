//! `wait`: quiescence, as a block or in one word, `"5s:10s"`.

use super::draft::Origin;
use super::kinds;
use super::stanza::{Desk, Row, Stanza, To, row};
use super::tree::{Item, Object, Value};
use crate::keypath::KeyPath;

const WAIT: &[Row] =
    &[row("enabled", To::Own), row("min", To::Duration(&["min"])), row("max", To::Duration(&["max"]))];

/// Makes `home` of the `wait` at the top: of several texts each key of the last that has it.
pub(super) fn for_all(top: &Stanza<'_>, home: &KeyPath, desk: &mut Desk<'_>) {
    for item in top.all("wait") {
        convert(top, item, home, desk);
    }
}

/// Makes `home` of the `wait` that `item` of `stanza` is.
pub(super) fn convert(stanza: &Stanza<'_>, item: &Item, home: &KeyPath, desk: &mut Desk<'_>) {
    match &item.value.value {
        Value::Object(object) => block(stanza, item, object, home, desk),
        Value::List(nodes) => {
            if let Some(Value::Object(object)) = nodes.last().map(|node| &node.value) {
                block(stanza, item, object, home, desk);
            }
        }
        _ => word(stanza, item, home, desk),
    }
}

fn block(stanza: &Stanza<'_>, item: &Item, object: &Object, home: &KeyPath, desk: &mut Desk<'_>) {
    let inner = Stanza::new(stanza.path("wait"), item.at, object);
    let enabled = inner.get("enabled").and_then(|item| desk.read(&inner, item, home, kinds::flag));
    if enabled != Some(false) {
        desk.walk(&inner, WAIT, home);
    }
}

fn word(stanza: &Stanza<'_>, item: &Item, home: &KeyPath, desk: &mut Desk<'_>) {
    let Some(text) = desk.read(stanza, item, home, kinds::text) else { return };
    let (min, max) = text.split_once(':').unwrap_or((&text, ""));
    for (key, text) in [("min", min), ("max", max)] {
        match kinds::go_duration(text.trim()) {
            Some(time) => desk.draft.put(&home.key(key), kinds::spelled(time), Some(Origin::of(item))),
            None if key == "max" && text.is_empty() => {}
            None => {
                let bad = ("not a time to wait".to_owned(), "write it like \"5s\" or \"5s:20s\"".to_owned());
                return desk.refuse(item.value.at, stanza.path("wait"), home, bad);
            }
        }
    }
}
