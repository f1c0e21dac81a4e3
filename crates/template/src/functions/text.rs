//! Texts, which are bytes: cutting, joining, replacing, changing case.

use leasehold_base::gather::Gather as _;
use std::collections::{BTreeMap, BTreeSet};

use super::arg::{Answer, answer, fail, int, items, secret, text, written};
use super::cases;
use crate::buffer::Buffer;
use crate::eval::Scope;
use crate::function::{Function, FunctionError};
use crate::spell::rune;
use crate::value::{Key, Map, Type, Value};

pub(super) static FUNCTIONS: &[Function] = &[
    Function::new("indent", &[Type::INT, Type::String], indent).returns(Type::String),
    Function::new("join", &[Type::String, Type::STRINGS], join).returns(Type::String),
    Function::new("replaceAll", &[Type::String; 3], replace_all).returns(Type::String),
    Function::new("split", &[Type::String; 2], split).returns(Type::STRINGS),
    Function::new("splitToMap", &[Type::String; 3], split_to_map).returns(Type::STRING_MAP),
    Function::new("toLower", &[Type::String], to_lower).returns(Type::String),
    Function::new("toTitle", &[Type::String], to_title).returns(Type::String),
    Function::new("toUpper", &[Type::String], to_upper).returns(Type::String),
    Function::new("trim", &[Type::String; 2], trim).returns(Type::String),
    Function::new("trimPrefix", &[Type::String; 2], trim_prefix).returns(Type::String),
    Function::new("trimSpace", &[Type::String], trim_spaces).returns(Type::String),
    Function::new("trimSuffix", &[Type::String; 2], trim_suffix).returns(Type::String),
];

/// Returns whether a rune is a space, as Go's `unicode.IsSpace` does.
pub(super) fn is_space(rune: char) -> bool {
    rune.is_whitespace()
}

/// Removes the white space at both ends, as Go's `strings.TrimSpace` does.
pub(super) fn trim_space(text: &[u8]) -> &[u8] {
    trim_while(text, is_space)
}

/// Removes the runes for which `cut` is true from both ends, as Go's `strings.TrimFunc` does.
pub(super) fn trim_while(mut text: &[u8], cut: impl Fn(char) -> bool) -> &[u8] {
    while let (rune, size @ 1..) = rune::decode(text) {
        if !cut(rune) {
            break;
        }
        text = &text[size..];
    }
    while let (rune, size @ 1..) = last_rune(text) {
        if !cut(rune) {
            break;
        }
        text = &text[..text.len() - size];
    }
    text
}

/// Removes the runes of `set` from both ends, as Go's `strings.Trim` does.
pub(super) fn trim_set<'a>(text: &'a [u8], set: &[u8]) -> &'a [u8] {
    // A set is looked up and not walked: a long text and a long set would multiply.
    let set: BTreeSet<char> = rune::runes(set).map(|(_, member, _)| member).gather();
    trim_while(text, |rune| set.contains(&rune))
}

/// Returns the last rune and the number of its bytes: 0 for the empty text, 1 if the bytes are not UTF-8.
pub(super) fn last_rune(text: &[u8]) -> (char, usize) {
    let whole = (1..=text.len().min(4)).rev().find_map(|len| {
        let (rune, size) = rune::decode(&text[text.len() - len..]);
        (size == len).then_some((rune, size))
    });
    whole.unwrap_or((rune::REPLACEMENT, text.len().min(1)))
}

/// Returns the offsets of `needle`, which is not empty, without overlaps.
pub(super) fn find_all<'a>(text: &'a [u8], needle: &'a [u8]) -> impl Iterator<Item = usize> + 'a {
    let mut from = 0;
    std::iter::from_fn(move || {
        let found = find(text.get(from..)?, needle)?;
        let at = from + found;
        from = at + needle.len();
        Some(at)
    })
}

/// Returns the offset of the first `needle`.
pub(super) fn find(text: &[u8], needle: &[u8]) -> Option<usize> {
    if needle.is_empty() {
        return Some(0);
    }
    text.windows(needle.len()).position(|window| window == needle)
}

/// Splits a text as Go's `strings.SplitN` does, into at most `limit` parts if there is a limit. An empty separator
/// splits the text into runes.
fn parts<'a>(text: &'a [u8], separator: &[u8], limit: Option<usize>) -> Vec<&'a [u8]> {
    let limit = limit.unwrap_or(usize::MAX);
    if limit == 0 {
        return Vec::new();
    }
    let mut parts = Vec::new();
    let mut start = 0;
    if separator.is_empty() {
        for (at, _, _) in rune::runes(text).skip(1) {
            if parts.len() + 1 == limit {
                break;
            }
            parts.push(&text[start..at]);
            start = at;
        }
        if text.is_empty() {
            return parts;
        }
    } else {
        for at in find_all(text, separator) {
            if parts.len() + 1 == limit {
                break;
            }
            parts.push(&text[start..at]);
            start = at + separator.len();
        }
    }
    parts.push(&text[start..]);
    parts
}

/// Splits a text as `parts` does. The number of parts is charged as work before the parts are made.
pub(super) fn counted_parts<'a>(
    scope: &mut Scope<'_, '_>,
    text: &'a [u8],
    separator: &[u8],
    limit: Option<usize>,
) -> Result<Vec<&'a [u8]>, FunctionError> {
    let all = if separator.is_empty() { rune::count(text) } else { find_all(text, separator).count() + 1 };
    scope.spend(all.min(limit.unwrap_or(usize::MAX)).saturating_mul(size_of::<Value>()))?;
    Ok(parts(text, separator, limit))
}

/// Replaces every `old`, as Go's `strings.ReplaceAll` does. An empty `old` stands before every rune and at the end.
pub(super) fn replace(text: &[u8], old: &[u8], new: &[u8], out: &mut Buffer) {
    if old.is_empty() {
        for (at, _, size) in rune::runes(text) {
            out.push(new);
            out.push(&text[at..at + size]);
        }
        return out.push(new);
    }
    let mut start = 0;
    for at in find_all(text, old) {
        out.push(&text[start..at]);
        out.push(new);
        start = at + old.len();
    }
    out.push(&text[start..]);
}

/// Maps every rune, as Go's `strings.Map` does. A byte that is not UTF-8 becomes U+FFFD.
pub(super) fn map_runes(text: &[u8], out: &mut Buffer, map: impl Fn(char) -> char) {
    for (_, rune, _) in rune::runes(text) {
        out.push(map(rune).encode_utf8(&mut [0; 4]).as_bytes());
    }
}

fn indent(scope: &mut Scope<'_, '_>, args: &[Value]) -> Answer {
    let Ok(spaces) = usize::try_from(int(args, 0)) else {
        return fail("indent value must be a positive integer");
    };
    let text = text(args, 1);
    written(scope, |out| {
        let mut line_start = true;
        for line in text.split_inclusive(|&byte| byte == b'\n') {
            if line_start && line != b"\n" {
                out.repeat(b' ', spaces);
            }
            out.push(line);
            line_start = line.ends_with(b"\n");
        }
        Ok(())
    })
}

/// Joins the texts of a list: `join separator list`. The list must be a list of texts.
fn join(scope: &mut Scope<'_, '_>, args: &[Value]) -> Answer {
    written(scope, |out| {
        for (index, _) in items(args, 1).iter().enumerate() {
            if index > 0 {
                out.push(text(args, 0));
            }
            out.push(text(items(args, 1), index));
        }
        Ok(())
    })
}

fn replace_all(scope: &mut Scope<'_, '_>, args: &[Value]) -> Answer {
    written(scope, |out| {
        replace(text(args, 2), text(args, 0), text(args, 1), out);
        Ok(())
    })
}

/// Splits a text into a list: `split separator text`. The text is trimmed first, and the empty text has no parts.
fn split(scope: &mut Scope<'_, '_>, args: &[Value]) -> Answer {
    let trimmed = trim_space(text(args, 1));
    if trimmed.is_empty() {
        return Ok(Value::texts::<&str>([]));
    }
    let parts = counted_parts(scope, trimmed, text(args, 0), None)?;
    Ok(Value::texts(parts.into_iter().map(<[u8]>::to_vec)))
}

fn split_to_map(scope: &mut Scope<'_, '_>, args: &[Value]) -> Answer {
    let trimmed = trim_space(text(args, 2));
    let mut entries = BTreeMap::new();
    if !trimmed.is_empty() {
        for part in counted_parts(scope, trimmed, text(args, 0), None)? {
            let Some(at) = find(part, text(args, 1)) else { continue };
            let value = &part[at + text(args, 1).len()..];
            entries.insert(Key::Text(part[..at].to_vec().into()), Value::text(value.to_vec()));
        }
    }
    Ok(Value::Map(Map::with(Type::String, Type::String, entries)))
}

fn to_lower(scope: &mut Scope<'_, '_>, args: &[Value]) -> Answer {
    written(scope, |out| {
        map_runes(text(args, 0), out, cases::lower);
        Ok(())
    })
}

fn to_upper(scope: &mut Scope<'_, '_>, args: &[Value]) -> Answer {
    written(scope, |out| {
        map_runes(text(args, 0), out, cases::upper);
        Ok(())
    })
}

fn to_title(scope: &mut Scope<'_, '_>, args: &[Value]) -> Answer {
    written(scope, |out| {
        cases::title_words(text(args, 0), out);
        Ok(())
    })
}

fn trim(_: &mut Scope<'_, '_>, args: &[Value]) -> Answer {
    answer(trim_set(text(args, 1), text(args, 0)))
}

fn trim_spaces(_: &mut Scope<'_, '_>, args: &[Value]) -> Answer {
    answer(trim_space(text(args, 0)))
}

pub(super) fn trim_prefix(_: &mut Scope<'_, '_>, args: &[Value]) -> Answer {
    match text(args, 1).strip_prefix(text(args, 0)) {
        Some(rest) => answer(rest),
        None => Ok(Value::Text(secret(args, 1))),
    }
}

pub(super) fn trim_suffix(_: &mut Scope<'_, '_>, args: &[Value]) -> Answer {
    match text(args, 1).strip_suffix(text(args, 0)) {
        Some(rest) => answer(rest),
        None => Ok(Value::Text(secret(args, 1))),
    }
}

#[cfg(test)]
#[allow(clippy::disallowed_methods, reason = "a test measures real time")]
mod tests {
    use super::*;

    #[test]
    fn a_long_text_is_trimmed_by_a_long_set_in_time() {
        // Each rune of the text is the last of the set. A walk over the set for each would make sixteen billion comparisons.
        let set = "a".repeat(1 << 17) + "b";
        let text = "b".repeat(1 << 17);
        let begun = std::time::Instant::now();
        assert_eq!(trim_set(text.as_bytes(), set.as_bytes()), b"");
        let took = begun.elapsed();
        assert!(took < std::time::Duration::from_secs(30), "{took:?}");
        assert_eq!(trim_set("éxé".as_bytes(), "é".as_bytes()), b"x");
    }
}
