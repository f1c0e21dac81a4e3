//! A workaround for libyaml-safer 0.3, which panics on a tag right before a comma (`[!, a]`). The agent is built with
//! `panic = "abort"`, so a secret that a template reads as YAML could end the process. Blank space between the tag and
//! the comma means the same in YAML, and the parser accepts it.
//!
//! Only the parser knows what is a tag. So this module puts blanks before every comma that follows a word with a `!` in it,
//! also within texts, and removes them from the texts again.

use std::borrow::Cow;

use zeroize::Zeroizing;

/// Marks the blanks, so that they can be recognised: a character for private use.
const SIGN: char = '\u{e001}';

/// What stands at an apostrophe afterwards. The apostrophe may end a text, which only blanks may follow, so there is no mark.
const APOSTROPHE_APART: &str = "' ,";

/// A comma that may stand right behind a tag.
struct Comma {
    /// Its offset, in bytes.
    at: usize,
    /// The character before it, which may belong to the tag.
    last: char,
    /// True if the `!` stands where a token may begin.
    begins: bool,
}

/// Returns every such comma of `text`.
fn commas(text: &str) -> impl Iterator<Item = Comma> + '_ {
    let (mut seen, mut begins, mut last) = (false, false, ' ');
    text.char_indices().filter_map(move |(at, char)| {
        // A tag cannot hold these characters: the parser stops there and reports an error.
        let found = char == ',' && seen && !matches!(last, '"' | ']' | '}');
        let found = found.then_some(Comma { at, last, begins });
        if char == ',' || char.is_whitespace() {
            (seen, begins) = (false, false);
        } else if char == '!' {
            let token = matches!(last, ',' | '[' | '{' | ']' | '}' | '"' | '\'' | ':');
            (seen, begins) = (true, begins || token || last.is_whitespace());
        }
        last = char;
        found
    })
}

/// A text in which such commas are kept apart from the tags.
pub(super) struct Apart {
    text: Zeroizing<String>,
    apostrophes: bool,
}

impl Apart {
    /// Keeps the commas of `text` apart, and ends its last line, because the scanner panics without it in the
    /// header of a block. Returns `None` if `text` has the mark already.
    pub(super) fn new(text: &str) -> Option<Self> {
        if text.contains(SIGN) {
            return None;
        }
        // The exact size: a text that grows leaves unwiped copies behind.
        let room = text.len() + commas(text).count() * (SIGN.len_utf8() + 2) + 1;
        let mut apart = Zeroizing::new(String::with_capacity(room));
        let (mut from, mut apostrophes) = (0, false);
        for Comma { at, last, .. } in commas(text) {
            apart.push_str(&text[from..at]);
            match last {
                '\'' => apart.push(' '),
                _ => apart.extend(['\t', SIGN, '\t']),
            }
            apostrophes |= last == '\'';
            from = at;
        }
        apart.push_str(&text[from..]);
        if !text.ends_with('\n') {
            apart.push('\n');
        }
        Some(Self { text: apart, apostrophes })
    }

    pub(super) fn as_bytes(&self) -> &[u8] {
        self.text.as_bytes()
    }

    /// Returns a scalar as it stood in the text; `None` if that cannot be known.
    pub(super) fn scalar(&self, scalar: String) -> Option<String> {
        if self.apostrophes && scalar.contains(APOSTROPHE_APART) {
            return None;
        }
        if !scalar.contains(SIGN) {
            return Some(scalar);
        }
        let scalar = Zeroizing::new(scalar);
        let mut plain = String::with_capacity(scalar.len());
        for (index, part) in scalar.split(SIGN).enumerate() {
            // The blanks beside a mark belong to it, if the parser left them.
            let blank = index > 0 && plain.ends_with('\t');
            if blank {
                plain.pop();
            }
            plain.push_str(if blank { part.strip_prefix('\t').unwrap_or(part) } else { part });
        }
        Some(plain)
    }
}

/// Returns `text` for a parser that needs positions only: with a blank before every such comma, and every character that
/// is not next to one at its line and column.
///
/// # Errors
/// The offset of a comma that cannot be kept apart so. It needs a space before it in the text.
pub fn blanked(text: &str) -> Result<Cow<'_, str>, usize> {
    let mut blanked = String::new();
    let mut from = 0;
    for Comma { at, last, begins } in commas(text) {
        let behind = at + 1;
        if last != '\'' {
            blanked.push_str(&text[from..at - last.len_utf8()]);
            blanked.push(' ');
            from = at;
        } else if text[behind..].starts_with(' ') {
            blanked.push_str(&text[from..at]);
            blanked.push_str(" ,");
            from = behind + 1;
        } else if begins {
            return Err(at);
        }
    }
    if from == 0 {
        return Ok(Cow::Borrowed(text));
    }
    blanked.push_str(&text[from..]);
    Ok(Cow::Owned(blanked))
}

#[cfg(test)]
mod tests {
    use super::{Apart, blanked};
    use crate::tree::Tree;

    #[test]
    fn a_tag_before_a_comma_is_read_and_texts_stay_as_they_are() {
        for (yaml, json) in [
            ("[!!str, a]", r#"["","a"]"#),
            ("{a: !x, b: 1}", r#"{"a":"","b":1}"#),
            ("['HIGH,!aNULL,!MD5', 'Hi!', \"a!,b\", c!, d]", r#"["HIGH,!aNULL,!MD5","Hi!","a!,b","c!","d"]"#),
            (
                "a: HIGH:!aNULL,!MD5,x\nb: |\n  f(!a, !b,c)\n",
                r#"{"a":"HIGH:!aNULL,!MD5,x","b":"f(!a, !b,c)\u000a"}"#,
            ),
            ("\"!a\\tb,\"", r#""!a\u0009b,""#),
        ] {
            let tree = Tree::from_yaml(yaml.as_bytes()).expect(yaml);
            assert_eq!(String::from_utf8_lossy(&tree.to_json()), json, "{yaml}");
        }
        // Not to be told from a space of its own.
        assert!(Tree::from_yaml(b"\"it's !x', y\"").is_err());
    }

    /// A quarter of a second in a debug build; minutes where each comma is looked for from the start.
    #[test]
    fn many_commas_take_no_longer_than_their_number() {
        let commas = "!,".repeat(400_000);
        #[expect(clippy::disallowed_methods, reason = "measures itself")]
        let start = std::time::Instant::now();
        let text = Apart::new(&commas)
            .and_then(|apart| apart.scalar(String::from_utf8_lossy(apart.as_bytes()).into()));
        assert_eq!(text.as_deref().map(str::trim_end), Some(&*commas));
        assert!(start.elapsed() < std::time::Duration::from_secs(5), "{:?}", start.elapsed());
    }

    #[test]
    fn nothing_that_could_be_a_tag_ends_us() {
        for tag in ["!", "!x", "!!x", "!<a,b>", "!x'", "!'", "!%41", "&a !", "!x!y", "!é"] {
            for before in
                ["", " ", "[", "{", "{a: ", "{\"a\":", "{'a':", "[a]", "{}", "''", "\"\"", "- ", "? "]
            {
                for behind in [",", ", a]", ",a}", " ,", ",,"] {
                    let _ = Tree::from_yaml(format!("{before}{tag}{behind}").as_bytes());
                }
            }
        }
        for odd in ["a: |", "a: >-", "|", "a: |1"] {
            let _ = Tree::from_yaml(odd.as_bytes());
        }
    }

    #[test]
    fn places_stay_where_they_are() {
        for (text, expected) in [
            ("[!é, a]", "[! , a]"),
            ("['!x', a]", "['!x' ,a]"),
            ("f('Hi!',x)", "f('Hi!',x)"),
            ("a, b", "a, b"),
        ] {
            assert_eq!(blanked(text).as_deref(), Ok(expected));
        }
        assert_eq!(blanked("[!x',a]"), Err(4));
    }
}
