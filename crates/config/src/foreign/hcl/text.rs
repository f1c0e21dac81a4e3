//! Reads quoted strings and heredocs as hashicorp/hcl v1 reads them, to the byte.

use super::lex::{Lexer, is_letter};
use crate::foreign::tree::{Lies, Text};
use crate::mark::Mark;
use crate::yaml_error::Flaw;

/// Reads the string that begins here. What stands between `${` and the brace that closes it is kept as it is,
/// quotes, escapes and line ends included.
pub(super) fn quoted(lexer: &mut Lexer<'_>) -> Result<Text, Flaw> {
    let start = lexer.mark;
    lexer.next();
    let (mut bytes, mut lies, mut braces) = (Vec::new(), Lies::Verbatim, 0_usize);
    loop {
        let mark = lexer.mark;
        let Some(next) = lexer.next() else { return Err(unclosed(start)) };
        match next {
            '"' if braces == 0 => break,
            '\n' if braces == 0 => return Err(unclosed(start)),
            '\\' if braces == 0 => {
                lies = Lies::Somewhere;
                escape(lexer, mark, &mut bytes)?;
                continue;
            }
            '$' if braces == 0 && lexer.peek() == Some('{') => {
                lexer.next();
                bytes.extend_from_slice(b"${");
                braces = 1;
                continue;
            }
            '{' if braces > 0 => braces += 1,
            '}' if braces > 0 => braces -= 1,
            '\n' => lies = Lies::Somewhere,
            _ => {}
        }
        push(next, &mut bytes);
    }
    match String::from_utf8(bytes) {
        Ok(text) => Ok(Text { text, lies }),
        Err(_) => Err(Flaw::new(start, "escapes that are not UTF-8", "write the characters themselves")),
    }
}

fn unclosed(start: Mark) -> Flaw {
    Flaw::new(
        start,
        "text without a closing quote on its line",
        "close it, write a line end as \\n, or use a heredoc: <<EOF",
    )
}

fn push(c: char, bytes: &mut Vec<u8>) {
    bytes.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
}

/// Reads what follows a backslash at `mark`.
fn escape(lexer: &mut Lexer<'_>, mark: Mark, bytes: &mut Vec<u8>) -> Result<(), Flaw> {
    let bad = || Flaw::new(mark, "an escape that is none", "double the backslash");
    let kind = lexer.next().ok_or_else(bad)?;
    let plain = match kind {
        'a' => 7,
        'b' => 8,
        'f' => 12,
        'n' => b'\n',
        'r' => b'\r',
        't' => b'\t',
        'v' => 11,
        '\\' => b'\\',
        '"' => b'"',
        'x' => byte(digits(lexer, 2, 16, 0).ok_or_else(bad)?).ok_or_else(bad)?,
        '0'..='7' => {
            let first = kind.to_digit(8).ok_or_else(bad)?;
            byte(digits(lexer, 2, 8, first).ok_or_else(bad)?).ok_or_else(bad)?
        }
        'u' | 'U' => {
            let code = digits(lexer, if kind == 'u' { 4 } else { 8 }, 16, 0).ok_or_else(bad)?;
            // Go writes what is no character, half of a pair for one, as U+FFFD.
            let half = (0xd800..0xe000).contains(&code);
            let c = if half { Some('\u{fffd}') } else { char::from_u32(code) };
            push(c.ok_or_else(bad)?, bytes);
            return Ok(());
        }
        _ => return Err(bad()),
    };
    bytes.push(plain);
    Ok(())
}

fn byte(code: u32) -> Option<u8> {
    u8::try_from(code).ok()
}

/// Reads `count` digits behind those that made `value`.
fn digits(lexer: &mut Lexer<'_>, count: usize, radix: u32, value: u32) -> Option<u32> {
    (0..count).try_fold(value, |value, _| {
        let digit = lexer.next()?.to_digit(radix)?;
        value.checked_mul(radix)?.checked_add(digit)
    })
}

/// Reads the heredoc that begins here: `<<EOF`, or `<<-EOF`, whose lines lose the end mark's indentation if all of
/// them have it.
pub(super) fn heredoc(lexer: &mut Lexer<'_>) -> Result<Text, Flaw> {
    let start = lexer.mark;
    let bad =
        |message: &str| Flaw::new(start, message, "write <<EOF, the text below it, and EOF on a line alone");
    if !lexer.rest().starts_with("<<") {
        return Err(bad("a lone <"));
    }
    let from = lexer.offset;
    lexer.next();
    lexer.next();
    let dash = lexer.peek() == Some('-');
    if dash {
        lexer.next();
    }
    let word = lexer.take_while(|c| is_letter(c) || c.is_numeric());
    if word.is_empty() || lexer.next() != Some('\n') {
        return Err(bad("not the beginning of a heredoc"));
    }
    let header = lexer.offset - from;
    let body = lexer.offset;
    loop {
        let line = lexer.take_while(|c| c != '\n');
        if lexer.next().is_none() {
            return Err(unended(start, &lexer.text[body..], word, dash));
        }
        if ends(line, word, dash) {
            break;
        }
    }
    // The reference's own arithmetic: the end mark's line is as long as the header's, less `<<`, and
    // less the dash where its indentation is wanted too.
    let all = &lexer.text[body..lexer.offset];
    let less = |part: usize| all.get(..all.len().checked_sub(header - part)?);
    match if dash { indented(less(3), less(2)) } else { less(2).map(|text| (text.to_owned(), 0)) } {
        Some((text, indent)) => Ok(Text { text, lies: Lies::Below { indent } }),
        // The end mark is as long as the header says, so there is always enough to take away.
        None => Err(bad("not a heredoc")),
    }
}

/// Returns whether `line` is the end mark. The reference wants the line to be at least as long as what follows
/// `<<`. So behind `<<-EOF`, a line that is `EOF` alone is text like any other.
fn ends(line: &str, word: &str, dash: bool) -> bool {
    let long_enough = line.len() >= word.len() + usize::from(dash);
    let blank = |c: char| matches!(c, ' ' | '\t' | '\u{b}' | '\u{c}' | '\r');
    let indent = line.strip_suffix(word);
    long_enough && indent.is_some_and(|indent| indent.chars().all(blank))
}

fn unended(start: Mark, body: &str, word: &str, dash: bool) -> Flaw {
    let bare = dash && body.lines().any(|line| line == word);
    let hint = if bare {
        format!("indent the {word} that ends it, or write <<{word} without the dash")
    } else {
        format!("write {word} on a line alone below the text, and a line end behind it")
    };
    Flaw::new(start, "a heredoc without an end", hint)
}

/// Returns the text of `<<-EOF`, and the number of columns that its lines lost. `whole` ends with the end mark's
/// indentation, and `less` is a character shorter.
fn indented(whole: Option<&str>, less: Option<&str>) -> Option<(String, usize)> {
    let whole = whole?;
    let mut lines: Vec<&str> = whole.split('\n').collect();
    let indent = lines.pop()?;
    match lines.iter().map(|line| line.strip_prefix(indent)).collect::<Option<Vec<&str>>>() {
        Some(lines) => {
            let text = lines.iter().map(|line| format!("{line}\n")).collect();
            Some((text, indent.chars().count()))
        }
        None => Some((less?.trim_end_matches([' ', '\t']).to_owned(), 0)),
    }
}
