//! The matches of an expression in a text, as Go's `regexp` finds them.
//!
//! Go takes every byte that is not UTF-8 for a character of its own, U+FFFD. In the `regex` crate no `.`
//! matches it. So a text with such bytes is searched in a copy that has this character in their place, and
//! the matches are converted to positions in the text itself.

use std::ops::Range;

use regex::bytes::{Captures, Regex};
use zeroize::Zeroizing;

use super::cases::{is_digit, is_letter};
use crate::buffer::Buffer;

/// The character that stands for a byte that is none.
const REPLACEMENT: &[u8] = "\u{fffd}".as_bytes();

/// An expression, and a text to search for it.
pub(super) struct Search<'t> {
    regex: &'t Regex,
    text: &'t [u8],
    /// The copy that is searched, and where in it a character stands for a byte; none where all of the text
    /// is characters.
    copy: Option<(Zeroizing<Vec<u8>>, Vec<usize>)>,
}

/// One match: the range of the whole, and of each group that took part in it.
pub(super) struct Groups(Vec<Option<Range<usize>>>);

impl Groups {
    /// Returns the range of the whole match.
    pub(super) fn span(&self) -> Range<usize> {
        self.0.first().cloned().flatten().unwrap_or_default()
    }
}

impl<'t> Search<'t> {
    /// Prepares the search for `regex` in `text`.
    pub(super) fn new(regex: &'t Regex, text: &'t [u8]) -> Self {
        Self { regex, text, copy: copy(text) }
    }

    fn searched(&self) -> &[u8] {
        self.copy.as_ref().map_or(self.text, |(copy, _)| copy)
    }

    /// Returns the position in the text for the position `at` in the searched copy.
    fn place(&self, at: usize) -> usize {
        let Some((_, replaced)) = &self.copy else { return at };
        at - replaced.partition_point(|&place| place < at) * (REPLACEMENT.len() - 1)
    }

    /// Returns whether there is a match.
    pub(super) fn is_match(&self) -> bool {
        self.regex.is_match(self.searched())
    }

    /// Returns the first match.
    pub(super) fn first(&self) -> Option<Groups> {
        self.regex.captures(self.searched()).map(|found| self.found(&found))
    }

    /// Returns all matches, without an empty one right behind another, and without one inside a character.
    pub(super) fn all(&self) -> impl Iterator<Item = Groups> {
        let whole = std::str::from_utf8(self.searched()).ok();
        self.regex.captures_iter(self.searched()).filter_map(move |found| {
            let span = found.get_match();
            let between = whole.is_none_or(|whole| whole.is_char_boundary(span.start()));
            (!span.is_empty() || between).then(|| self.found(&found))
        })
    }

    fn found(&self, found: &Captures<'_>) -> Groups {
        let place = |span: regex::bytes::Match<'_>| self.place(span.start())..self.place(span.end());
        Groups(found.iter().map(|group| group.map(place)).collect())
    }

    /// Appends the text with every match replaced by what `replacement` writes.
    pub(super) fn replace(&self, out: &mut Buffer, replacement: impl Fn(&Groups, &mut Buffer)) {
        let mut from = 0;
        for found in self.all() {
            let span = found.span();
            out.push(&self.text[from..span.start]);
            replacement(&found, out);
            from = span.end;
        }
        out.push(&self.text[from..]);
    }

    /// Appends `template` with what the groups of `found` matched: `$1`, `${name}`, `$$`.
    pub(super) fn expand(&self, found: &Groups, template: &[u8], out: &mut Buffer) {
        let mut rest = template;
        while let Some(dollar) = rest.iter().position(|&byte| byte == b'$') {
            out.push(&rest[..dollar]);
            rest = &rest[dollar + 1..];
            match reference(rest) {
                Some((name, after)) => {
                    let group = self.group(name).and_then(|group| found.0.get(group).cloned().flatten());
                    out.push(group.map_or(&[], |span| &self.text[span]));
                    rest = after;
                }
                None => {
                    out.push(b"$");
                    rest = rest.strip_prefix(b"$").unwrap_or(rest);
                }
            }
        }
        out.push(rest);
    }

    /// Returns the group with a name or a number.
    fn group(&self, name: &str) -> Option<usize> {
        let digits = name.bytes().all(|byte| byte.is_ascii_digit());
        if digits && (name.len() == 1 || !name.starts_with('0')) {
            return name.parse().ok();
        }
        self.regex.capture_names().position(|group| group == Some(name))
    }
}

/// Reads the name after a `$`, in braces or not. Returns it and the rest.
fn reference(text: &[u8]) -> Option<(&str, &[u8])> {
    let name = text.strip_prefix(b"{").unwrap_or(text);
    let braced = name.len() < text.len();
    let valid = name.utf8_chunks().next().map_or("", |chunk| chunk.valid());
    let is_word = |letter: char| letter == '_' || is_letter(letter) || is_digit(letter);
    let end = valid.find(|letter| !is_word(letter)).unwrap_or(valid.len());
    let after = &name[end..];
    let after = if braced { after.strip_prefix(b"}")? } else { after };
    (end > 0).then_some((&valid[..end], after))
}

/// Returns `text` with U+FFFD for each byte that is no character, and the positions of these; `None` if there
/// is no such byte.
fn copy(text: &[u8]) -> Option<(Zeroizing<Vec<u8>>, Vec<usize>)> {
    if std::str::from_utf8(text).is_ok() {
        return None;
    }
    let bad: usize = text.utf8_chunks().map(|chunk| chunk.invalid().len()).sum();
    // The copy has room for all of it, so it never moves.
    let mut copy = Zeroizing::new(Vec::with_capacity(text.len() + bad * (REPLACEMENT.len() - 1)));
    let mut replaced = Vec::with_capacity(bad);
    for chunk in text.utf8_chunks() {
        copy.extend_from_slice(chunk.valid().as_bytes());
        for _ in chunk.invalid() {
            replaced.push(copy.len());
            copy.extend_from_slice(REPLACEMENT);
        }
    }
    Some((copy, replaced))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_byte_that_is_no_character_is_one_and_stays_as_it_is() {
        let regex = Regex::new("(.)b").expect("an expression");
        let text = b"\xffb\xe2\x82b\xc3\xa9b";
        let search = Search::new(&regex, text);
        let spans: Vec<Range<usize>> = search.all().map(|found| found.span()).collect();
        assert_eq!(spans, [0..2, 3..5, 5..8]);
        let mut out = Buffer::new(100);
        search.replace(&mut out, |found, out| search.expand(found, b"<$1>", out));
        assert_eq!(out.bytes(), b"<\xff>\xe2<\x82><\xc3\xa9>");
    }

    #[test]
    fn a_dollar_that_names_no_group_stays_and_a_name_without_a_match_is_nothing() {
        let regex = Regex::new("(?<x>a)(?<y>b)?").expect("an expression");
        let search = Search::new(&regex, b"a");
        let found = search.first().expect("a match");
        for (template, expected) in [
            ("$x,${x},$xx", "a,a,"),
            ("$1x|${1}x|$01|$2|$9", "|ax|||"),
            ("$$x|$|${|${}|${x|$-", "$x|$|${|${}|${x|$-"),
            ("${x y}$\u{fc}", "${x y}"),
        ] {
            let mut out = Buffer::new(100);
            search.expand(&found, template.as_bytes(), &mut out);
            assert_eq!(std::str::from_utf8(out.bytes()), Ok(expected), "{template}");
        }
    }
}
