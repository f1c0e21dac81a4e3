//! Regular expressions in Go's dialect (RE2), run by the `regex` crate.
//!
//! Both match leftmost-first and in linear time. The differences are translated: Go's `\d`, `\w`, `\s`
//! and `\b` are ASCII, its classes have no set operations, `\Q…\E` quotes, and there is no `\C`.
//! The module `matching` handles bytes that are no characters.

use std::collections::HashMap;

use regex::bytes::{Regex, RegexBuilder};

use super::arg::{Answer, name, text, written};
use super::matching::Search;
use crate::eval::Scope;
use crate::function::{Function, FunctionError};
use crate::value::{Type, Value};

pub(super) static FUNCTIONS: &[Function] = &[
    Function::new("regexMatch", &[Type::String; 2], regex_match).returns(Type::Bool),
    Function::new("regexReplaceAll", &[Type::String; 3], regex_replace_all).returns(Type::String),
];

/// The size of the largest program that an expression may become, in bytes.
const SIZE_LIMIT: usize = 2 << 20;

/// Go's limit on counted repetition.
const MOST_REPEATS: u32 = 1000;

/// Compiled expressions of one rendering.
#[derive(Default)]
struct Compiled(HashMap<String, Regex>);

/// Returns the compiled expression at `index`.
pub(super) fn expression(
    scope: &mut Scope<'_, '_>,
    args: &[Value],
    index: usize,
) -> Result<Regex, FunctionError> {
    let pattern = name(args, index);
    if let Some(regex) = scope.local::<Compiled>().0.get(&pattern) {
        return Ok(regex.clone());
    }
    // Compiling costs about as much as this text would.
    scope.spend(pattern.len().saturating_mul(1024))?;
    let wrong = || FunctionError::new("error parsing regexp: not an expression that RE2 takes");
    let translated = translate(&pattern).ok_or_else(wrong)?;
    let regex =
        RegexBuilder::new(&translated).size_limit(SIZE_LIMIT).build().map_err(|error| match error {
            regex::Error::CompiledTooBig(_) => FunctionError::beyond("the regular expression is too large"),
            _ => wrong(),
        })?;
    scope.local::<Compiled>().0.insert(pattern, regex.clone());
    Ok(regex)
}

fn regex_match(scope: &mut Scope<'_, '_>, args: &[Value]) -> Answer {
    let regex = expression(scope, args, 0)?;
    Ok(Value::Bool(Search::new(&regex, text(args, 1)).is_match()))
}

/// Replaces every match of an expression: `regexReplaceAll expression replacement text`.
fn regex_replace_all(scope: &mut Scope<'_, '_>, args: &[Value]) -> Answer {
    let regex = expression(scope, args, 0)?;
    written(scope, |out| {
        let search = Search::new(&regex, text(args, 2));
        search.replace(out, |found, out| search.expand(found, text(args, 1), out));
        Ok(())
    })
}

/// Translates the expression into the syntax of the `regex` crate; `None` if Go would not take it.
fn translate(pattern: &str) -> Option<String> {
    let mut out = String::with_capacity(pattern.len() + 16);
    let mut rest = pattern;
    // Operators cannot be stacked, except for the one `?` that makes another non-greedy.
    let mut repeated = false;
    while let Some(first) = rest.chars().next() {
        let operator = match first {
            '*' | '+' | '?' => 1,
            '{' => counts(rest).map_or(0, |counts| counts.len() + 2),
            _ => 0,
        };
        if operator > 0 {
            if repeated || counts(rest).is_some_and(too_many) {
                return None;
            }
            let operator = operator + usize::from(rest[operator..].starts_with('?'));
            out.push_str(&rest[..operator]);
            rest = &rest[operator..];
            repeated = true;
            continue;
        }
        repeated = false;
        rest = match first {
            '\\' => escape(&rest[1..], &mut out, false)?,
            '[' => class(&rest[1..], &mut out)?,
            '(' if rest.starts_with("(?") => group(&rest[2..], &mut out)?,
            '{' => {
                out.push_str(r"\{");
                &rest[1..]
            }
            _ => {
                out.push(first);
                &rest[first.len_utf8()..]
            }
        };
    }
    Some(out)
}

/// Reads the counts of a repetition at the start of `rest`; `None` if the brace is a plain one.
fn counts(rest: &str) -> Option<&str> {
    let counts = rest.strip_prefix('{')?;
    let counts = &counts[..counts.find('}')?];
    let is_count = |text: &str| !text.is_empty() && text.bytes().all(|digit| digit.is_ascii_digit());
    let (low, high) = counts.split_once(',').unwrap_or((counts, ""));
    (is_count(low) && (high.is_empty() || is_count(high))).then_some(counts)
}

fn too_many(counts: &str) -> bool {
    let too_many =
        |count: &str| !count.is_empty() && count.parse().map_or(true, |count: u32| count > MOST_REPEATS);
    counts.split(',').any(too_many)
}

/// Translates what follows a backslash.
fn escape<'p>(rest: &'p str, out: &mut String, in_class: bool) -> Option<&'p str> {
    let first = rest.chars().next()?;
    let after = &rest[first.len_utf8()..];
    let ascii = match first {
        'd' => "0-9",
        's' => r"\t\n\f\r ",
        'w' => "0-9A-Za-z_",
        'D' | 'S' | 'W' => {
            let set = [("D", "0-9"), ("S", r"\t\n\f\r "), ("W", "0-9A-Za-z_")];
            let (_, set) = set.iter().find(|(name, _)| name.starts_with(first))?;
            out.push_str(&format!("[^{set}]"));
            return Some(after);
        }
        'b' | 'B' if !in_class => {
            out.push_str(if first == 'b' { r"(?-u:\b)" } else { r"(?-u:\B)" });
            return Some(after);
        }
        'Q' if !in_class => {
            let (quoted, after) = after.split_once(r"\E").unwrap_or((after, ""));
            out.push_str(&regex::escape(quoted));
            return Some(after);
        }
        'p' | 'P' => return property(first == 'P', after, out),
        'x' => return hex(after, out, in_class),
        '0'..='7' => return octal(rest, out),
        'A' | 'z' if !in_class => "",
        'a' | 'f' | 't' | 'n' | 'r' | 'v' => "",
        _ if first.is_ascii_punctuation() || first == ' ' => {
            out.push_str(&regex::escape(first.encode_utf8(&mut [0; 4])));
            return Some(after);
        }
        _ => return None,
    };
    if ascii.is_empty() {
        out.push('\\');
        out.push(first);
        return Some(after);
    }
    out.push_str(&if in_class { ascii.to_owned() } else { format!("[{ascii}]") });
    Some(after)
}

/// Translates `\pN`, `\p{Greek}` and `\p{^Greek}`. The letter has been read; it may negate the property, too.
fn property<'p>(negated: bool, rest: &'p str, out: &mut String) -> Option<&'p str> {
    let (name, after) = match rest.strip_prefix('{') {
        Some(braced) => braced.split_once('}')?,
        None => rest.split_at_checked(1)?,
    };
    let (inverted, name) = match name.strip_prefix('^') {
        Some(name) => (true, name),
        None => (false, name),
    };
    let letter = if negated == inverted { 'p' } else { 'P' };
    out.push_str(&format!("\\{letter}{{{name}}}"));
    Some(after)
}

/// Translates `\x41` and `\x{1F600}`. The `x` has been read.
fn hex<'p>(rest: &'p str, out: &mut String, in_class: bool) -> Option<&'p str> {
    let (digits, after) = match rest.strip_prefix('{') {
        Some(braced) => braced.split_once('}')?,
        None => rest.split_at_checked(2)?,
    };
    // Rust would take a sign for part of the number.
    let code = digits.bytes().all(|digit| digit.is_ascii_hexdigit()).then_some(digits)?;
    let code = u32::from_str_radix(code, 16).ok().filter(|&code| code <= u32::from(char::MAX))?;
    if char::from_u32(code).is_none() {
        // Half of a surrogate pair, which no text has, becomes an empty class.
        out.push_str(if in_class { "" } else { r"[^\x00-\x{10FFFF}]" });
        return Some(after);
    }
    out.push_str(&format!("\\x{{{code:x}}}"));
    Some(after)
}

/// Translates `\123` and `\0`. A single digit from 1 on would be a backreference, which neither dialect has.
fn octal<'p>(rest: &'p str, out: &mut String) -> Option<&'p str> {
    let digits = rest.bytes().take(3).take_while(|digit| matches!(digit, b'0'..=b'7')).count();
    if !rest.starts_with('0') && digits < 2 {
        return None;
    }
    let code = u32::from_str_radix(&rest[..digits], 8).ok()?;
    out.push_str(&format!("\\x{{{code:x}}}"));
    Some(&rest[digits..])
}

/// Translates the inside of a class. Nested brackets and doubled signs are plain characters in Go, and so is a minus
/// unless it stands between two characters.
fn class<'p>(mut rest: &'p str, out: &mut String) -> Option<&'p str> {
    out.push('[');
    if let Some(after) = rest.strip_prefix('^') {
        out.push('^');
        rest = after;
    }
    let mut first_item = true;
    loop {
        if let Some(after) = rest.strip_prefix(']').filter(|_| !first_item) {
            out.push(']');
            return Some(after);
        }
        first_item = false;
        let set = ["\\d", "\\s", "\\w", "\\D", "\\S", "\\W", "\\p", "\\P"];
        if rest.starts_with("[:") && rest.contains(":]") {
            rest = named_class(rest, out)?;
        } else if set.iter().any(|set| rest.starts_with(set)) {
            rest = escape(&rest[1..], out, true)?;
        } else {
            rest = member(rest, out)?;
            if let Some(last) = rest.strip_prefix('-').filter(|last| !last.starts_with(']')) {
                out.push('-');
                rest = member(last, out)?;
            }
        }
    }
}

/// Translates `[:alpha:]`. With other characters in it, the crate would take it for a class within the class.
fn named_class<'p>(rest: &'p str, out: &mut String) -> Option<&'p str> {
    let (name, after) = rest.strip_prefix("[:")?.split_once(":]")?;
    let bare = name.strip_prefix('^').unwrap_or(name);
    if !bare.bytes().all(|letter| letter.is_ascii_lowercase()) {
        return None;
    }
    out.push_str(&format!("[:{name}:]"));
    Some(after)
}

/// Translates one character of a class.
fn member<'p>(rest: &'p str, out: &mut String) -> Option<&'p str> {
    let first = rest.chars().next()?;
    match first {
        '\\' if rest[1..].starts_with(['d', 's', 'w', 'D', 'S', 'W', 'p', 'P']) => return None,
        '\\' => return escape(&rest[1..], out, true),
        '[' | ']' | '&' | '~' | '^' | '-' => out.extend(['\\', first]),
        _ => out.push(first),
    }
    Some(&rest[first.len_utf8()..])
}

/// Translates what follows `(?`: flags that Go knows, or a name.
fn group<'p>(rest: &'p str, out: &mut String) -> Option<&'p str> {
    out.push_str("(?");
    if rest.starts_with("P<") || rest.starts_with('<') {
        return Some(rest);
    }
    let end = rest.find([':', ')'])?;
    let flags = &rest[..end];
    if !flags.bytes().all(|flag| matches!(flag, b'i' | b'm' | b's' | b'U' | b'-')) {
        return None;
    }
    // `(?:` and `(?)` have no flags. The crate refuses empty ones.
    if flags.is_empty() && rest[end..].starts_with(')') {
        out.truncate(out.len() - 2);
        return Some(&rest[end + 1..]);
    }
    out.push_str(flags);
    Some(&rest[end..])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::buffer::Buffer;

    fn replaced(pattern: &str, text: &str, replacement: &str) -> Option<String> {
        let regex = Regex::new(&translate(pattern)?).ok()?;
        let mut out = Buffer::new(1000);
        let search = Search::new(&regex, text.as_bytes());
        search.replace(&mut out, |found, out| search.expand(found, replacement.as_bytes(), out));
        String::from_utf8(out.bytes().to_vec()).ok()
    }

    #[test]
    fn expressions_mean_what_they_mean_in_go() {
        for (pattern, text, replacement, result) in [
            (r"\d+", "a1٣b22", "#", "a#٣b#"),
            (r"[^\w-]", "a-ü_b", "#", "a-#_b"),
            (r"[[a&&b]", "[a&b", "#", "####"),
            (r"\Qa.b\E", "a.b axb", "#", "# axb"),
            (r"a{,2}", "a{,2}", "#", "#"),
            (r"(?P<x>b)(c)?", "abcb", "<${x}$2$9$$>", "a<bc$><b$>"),
            ("", "é!", "-", "-é-!-"),
            ("a*", "baaac", "x", "xbxcx"),
            (r"\bx", "üx x", "#", "ü# #"),
            (r"(?i)STRASSE|[]-]", "Strasse]", "#", "##"),
            (r"[\d\-a]+", "1-a b", "#", "# b"),
            (r"x\x41\x{42}\101", "xABA", "#", "#"),
            (r"\x{1F600}|[\x{e9}-\x{EA}]", "a😀bé", "#", "a#b#"),
            (r"\pL+|\p{Greek}", "äb1", "#", "#1"),
            (r"\p{^Greek}|\P{^Lu}", "äαB", "#", "#α#"),
            (r"^[\w-.]+$", "a-b.c", "#", "#"),
            (r"[\s-,]", "a!b c,d-e", "#", "a!b#c#d#e"),
            (r"[\w--]+", "a-m!", "#", "#!"),
            (r"[+--b]", "+,-bc", "#", "####c"),
            (r"[!--]", "!#-.a", "#", "###.a"),
            (r"[--/]", "-./0", "#", "###0"),
            (r"[[:alpha:]-z]", "a-z1", "#", "###1"),
            (r"[a-c-e]", "abcd-e", "#", "###d##"),
            (r"[^-a]", "b-a", "#", "#-a"),
            (r"[]-a]", "]^_`ab", "#", "#####b"),
            (r"[\^-a]", "]^_`ab", "#", "]####b"),
        ] {
            assert_eq!(replaced(pattern, text, replacement).as_deref(), Some(result), "{pattern}");
        }
    }

    #[test]
    fn what_go_refuses_is_refused() {
        for pattern in [
            "(",
            r"\C",
            r"\1",
            "a{1001}",
            r"(?x:a)",
            r"(?=a)",
            "[a",
            r"[\.-\d]",
            r"[a-\pL]",
            "[z-a]",
            "[[:a]b:]",
            r"\",
            "a**",
            "*",
            r"\y",
            r"\x4",
            r"\x{}",
            r"\x{110000}",
            r"\x{+4}",
        ] {
            assert_eq!(replaced(pattern, "a", ""), None, "{pattern}");
        }
    }
}
