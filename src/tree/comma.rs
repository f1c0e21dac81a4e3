//! A tag right before a comma (`[!, a]`), on which libyaml-safer 0.3 panics: with our `panic = "abort"`
//! whoever may write a secret that a template reads as YAML could end us. Blank space between the two is
//! the same YAML, and harmless to it.
//!
//! What is a tag only the parser knows. So every comma behind a word that begins with `!` where a token
//! may begin is treated so, in texts too, from which it is taken out again.

use std::borrow::Cow;

use zeroize::Zeroizing;

/// Stands between the blanks, to be recognised: a character of nobody's.
const SIGN: char = '\u{e001}';

/// Each comma of `text`, by its offset, that a tag may end at, and the character before it.
fn commas(text: &str) -> impl Iterator<Item = (usize, char)> + '_ {
    let (mut in_tag, mut before, mut last) = (false, ' ', ' ');
    text.char_indices().filter_map(move |(at, char)| {
        // No tag has these in it: the parser stops there, and refuses what stands so.
        let found = char == ',' && in_tag && !matches!(last, '"' | ']' | '}');
        let begins = last.is_whitespace()
            || matches!(last, ',' | '[' | '{')
            || last == ':' && matches!(before, '"' | '\'' | ']' | '}');
        in_tag = char != ',' && !char.is_whitespace() && (in_tag || char == '!' && begins);
        let found = found.then_some((at, last));
        (before, last) = (last, char);
        found
    })
}

/// `text` with every such comma kept apart, and its last line ended: without that the scanner panics in
/// the header of a block. `None` where it cannot be done: it uses our sign itself, or a quotation mark
/// stands before the comma, which may end a tag or a text.
pub(super) fn kept_apart(text: &str) -> Option<Zeroizing<String>> {
    if text.contains(SIGN) || commas(text).any(|(_, last)| last == '\'') {
        return None;
    }
    let count = commas(text).count();
    // Exactly what is needed: a text that grows leaves unwiped copies behind.
    let mut apart = Zeroizing::new(String::with_capacity(text.len() + count * (SIGN.len_utf8() + 2) + 1));
    let mut from = 0;
    for (at, _) in commas(text) {
        apart.push_str(&text[from..at]);
        apart.extend(['\t', SIGN, '\t']);
        from = at;
    }
    apart.push_str(&text[from..]);
    if !text.ends_with('\n') {
        apart.push('\n');
    }
    Some(apart)
}

/// A scalar of such a text as it was.
pub(super) fn joined(mut scalar: String) -> String {
    let (whole, behind) = (format!("\t{SIGN}\t"), format!("\t{SIGN}"));
    for sign in [whole.as_str(), behind.as_str(), &behind[1..]] {
        while let Some(at) = scalar.find(sign) {
            scalar.drain(at..at + sign.len());
        }
    }
    scalar
}

/// `text` with a blank in place of the last character before every such comma: every other character
/// stays in its line and column. For those who look for places only.
pub(crate) fn blanked(text: &str) -> Cow<'_, str> {
    let mut blanked = String::new();
    let mut from = 0;
    for (at, last) in commas(text).filter(|(_, last)| *last != '\'') {
        blanked.push_str(&text[from..at - last.len_utf8()]);
        blanked.push(' ');
        from = at;
    }
    if from == 0 {
        return Cow::Borrowed(text);
    }
    blanked.push_str(&text[from..]);
    Cow::Owned(blanked)
}

#[cfg(test)]
mod tests {
    use crate::tree::Tree;

    #[test]
    fn a_tag_before_a_comma_is_read_and_texts_stay_as_they_are() {
        for (yaml, json) in [
            ("[!!str, a]", r#"["","a"]"#),
            ("{a: !x, b: 1}", r#"{"a":"","b":1}"#),
            ("['HIGH,!aNULL,!MD5 ', \"a!,b\", c!, d]", r#"["HIGH,!aNULL,!MD5 ","a!,b","c!","d"]"#),
            ("['HIGH:!MD5', 'Hi!', \"!x\", y]", r#"["HIGH:!MD5","Hi!","!x","y"]"#),
            (
                "a: HIGH:!aNULL,!MD5,x\nb: |\n  f(!a, !b,c)\n",
                r#"{"a":"HIGH:!aNULL,!MD5,x","b":"f(!a, !b,c)\u000a"}"#,
            ),
            ("\"!a\\tb,\"", r#""!a\u0009b,""#),
        ] {
            let tree = Tree::from_yaml(yaml.as_bytes()).expect(yaml);
            assert_eq!(String::from_utf8_lossy(&tree.to_json()), json, "{yaml}");
        }
        for odd in [
            "[!, a]",
            "{!,}",
            "[!<a,b>, c]",
            "- [&a !,]",
            "!,",
            "[! , !\u{e001},]",
            "a: |",
            "a: >-",
            "|",
            "a: |1",
        ] {
            let _ = Tree::from_yaml(odd.as_bytes());
        }
    }
}
