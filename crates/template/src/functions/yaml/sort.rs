//! yaml.v2's order of keys: numbers and flags first, texts with digits in them by number.

use std::cmp::Ordering;

use crate::functions::cases::{is_digit, is_letter};
use crate::spell::rune;
use crate::value::{Entries, Key, Value};

/// Sorts entries by their keys, by merging: the order goes in circles for odd mixtures of digits and
/// letters (`9` < `10` < `1a` < `9`), which the standard library's sorts may answer with a panic.
pub(super) fn sorted(mut entries: Entries) -> Entries {
    if entries.len() < 2 {
        return entries;
    }
    let right = sorted(entries.split_off(entries.len() / 2));
    let mut left = sorted(entries).into_iter().peekable();
    let mut right = right.into_iter().peekable();
    let mut merged = Vec::with_capacity(left.len() + right.len());
    loop {
        let from_right = match (left.peek(), right.peek()) {
            (Some((a, _)), Some((b, _))) => compare(a, b).is_gt(),
            (left, _) => left.is_none(),
        };
        match if from_right { right.next() } else { left.next() } {
            Some(entry) => merged.push(entry),
            None => return merged,
        }
    }
}

fn compare(a: &Key, b: &Key) -> Ordering {
    if let (Some(left), Some(right)) = (number(a), number(b)) {
        return left.total_cmp(&right).then(kind(a).cmp(&kind(b)));
    }
    match (a, b) {
        (Key::Text(a), Key::Text(b)) => texts(a.expose(), b.expose()),
        _ => kind(a).cmp(&kind(b)),
    }
}

#[expect(clippy::cast_precision_loss, reason = "as Go compares them")]
fn number(key: &Key) -> Option<f64> {
    match key.to_value() {
        Value::Int(_, number) => Some(number as f64),
        Value::Uint(_, number) => Some(number as f64),
        Value::Float(number) => Some(number),
        Value::Bool(flag) => Some(f64::from(u8::from(flag))),
        _ => None,
    }
}

/// Returns the place of the key's kind in Go's list of kinds.
const fn kind(key: &Key) -> u8 {
    match key {
        Key::Bool(_) => 1,
        Key::Int(..) => 2,
        Key::Uint(..) => 7,
        Key::Float(_) => 14,
        // An interface that holds nothing.
        Key::Nil => 20,
        Key::Text(_) => 24,
    }
}

fn texts(a: &[u8], b: &[u8]) -> Ordering {
    let a: Vec<char> = rune::runes(a).map(|(_, rune, _)| rune).collect();
    let b: Vec<char> = rune::runes(b).map(|(_, rune, _)| rune).collect();
    for at in 0..a.len().min(b.len()) {
        if a[at] != b[at] {
            return differing(&a, &b, at);
        }
    }
    a.len().cmp(&b.len())
}

fn differing(a: &[char], b: &[char], at: usize) -> Ordering {
    match (is_letter(a[at]), is_letter(b[at])) {
        (true, true) => return a[at].cmp(&b[at]),
        (true, false) => return Ordering::Greater,
        (false, true) => return Ordering::Less,
        (false, false) => {}
    }
    // Zeros in front of a number do not count, zeros within one do.
    let within = (a[at] == '0' || b[at] == '0')
        && a[..at].iter().rev().take_while(|rune| is_digit(**rune)).any(|rune| *rune != '0');
    let start = i64::from(within);
    let (left, left_end) = digits(a, at, start);
    let (right, right_end) = digits(b, at, start);
    left.cmp(&right).then(left_end.cmp(&right_end)).then(a[at].cmp(&b[at]))
}

/// Returns the number whose digits begin at `at`, and where it ends. The digits of `start` stand before them.
fn digits(runes: &[char], at: usize, start: i64) -> (i64, usize) {
    let mut number = start;
    let mut end = at;
    while end < runes.len() && is_digit(runes[end]) {
        let digit = i64::from(u32::from(runes[end])) - i64::from(u32::from('0'));
        number = number.wrapping_mul(10).wrapping_add(digit);
        end += 1;
    }
    (number, end)
}
