//! Letters and words: case, initials, abbreviations.

use crate::buffer::Buffer;
use crate::eval::Scope;
use crate::function::Function;
use crate::functions::arg::{Answer, answer, int, secret, text, written};
use crate::functions::cases;
use crate::functions::text::{is_space, map_runes};
use crate::spell::rune;
use crate::value::{Type, Value};

const TEXT: Type = Type::String;

pub(super) static FUNCTIONS: &[Function] = &[
    Function::new("sprig_abbrev", &[Type::INT, TEXT], abbrev).returns(TEXT),
    Function::new("sprig_abbrevboth", &[Type::INT, Type::INT, TEXT], abbrev_both).returns(TEXT),
    Function::new("sprig_hello", &[], |_, _| Ok(Value::text("Hello!"))).returns(TEXT),
    Function::new("sprig_initials", &[TEXT], initials).returns(TEXT),
    Function::new("sprig_lower", &[TEXT], lower).returns(TEXT),
    Function::new("sprig_nospace", &[TEXT], no_space).returns(TEXT),
    Function::new("sprig_plural", &[TEXT, TEXT, Type::INT], plural).returns(TEXT),
    Function::new("sprig_swapcase", &[TEXT], swap_case).returns(TEXT),
    Function::new("sprig_title", &[TEXT], title).returns(TEXT),
    Function::new("sprig_untitle", &[TEXT], untitle).returns(TEXT),
    Function::new("sprig_upper", &[TEXT], upper).returns(TEXT),
];

fn written_by(scope: &mut Scope<'_, '_>, write: impl FnOnce(&mut Buffer)) -> Answer {
    written(scope, |out| {
        write(out);
        Ok(())
    })
}

fn push(out: &mut Buffer, rune: char) {
    out.push(rune.encode_utf8(&mut [0; 4]).as_bytes());
}

fn lower(scope: &mut Scope<'_, '_>, args: &[Value]) -> Answer {
    written_by(scope, |out| map_runes(text(args, 0), out, cases::lower))
}

fn upper(scope: &mut Scope<'_, '_>, args: &[Value]) -> Answer {
    written_by(scope, |out| map_runes(text(args, 0), out, cases::upper))
}

fn title(scope: &mut Scope<'_, '_>, args: &[Value]) -> Answer {
    written_by(scope, |out| cases::title_letters(text(args, 0), out))
}

/// Writes the first letter of every word in lower case.
fn untitle(scope: &mut Scope<'_, '_>, args: &[Value]) -> Answer {
    written_by(scope, |out| {
        let mut first = true;
        for (_, rune, _) in rune::runes(text(args, 0)) {
            let space = is_space(rune);
            push(out, if first && !space { cases::lower(rune) } else { rune });
            first = space;
        }
    })
}

/// Swaps the cases. Upper case becomes lower. Lower case becomes upper, or title case at the beginning of a word.
fn swap_case(scope: &mut Scope<'_, '_>, args: &[Value]) -> Answer {
    written_by(scope, |out| {
        let mut first = true;
        for (_, rune, _) in rune::runes(text(args, 0)) {
            let lowered = cases::lower(rune);
            if lowered != rune {
                push(out, lowered);
                first = false;
            } else if rune.is_lowercase() {
                push(out, if first { cases::title(rune) } else { cases::upper(rune) });
                first = false;
            } else {
                push(out, rune);
                first = is_space(rune);
            }
        }
    })
}

/// Removes the white space byte by byte, as Sprig does. What is not ASCII comes out as Latin 1.
fn no_space(scope: &mut Scope<'_, '_>, args: &[Value]) -> Answer {
    let bytes = text(args, 0);
    if !bytes.iter().any(|&byte| is_space(char::from(byte))) {
        return Ok(Value::Text(secret(args, 0)));
    }
    written_by(scope, |out| {
        bytes
            .iter()
            .map(|&byte| char::from(byte))
            .filter(|&rune| !is_space(rune))
            .for_each(|rune| push(out, rune));
    })
}

/// Returns the first letter of every word. The function goes byte by byte, as [`no_space`] does.
fn initials(scope: &mut Scope<'_, '_>, args: &[Value]) -> Answer {
    written_by(scope, |out| {
        let mut first = true;
        for rune in text(args, 0).iter().map(|&byte| char::from(byte)) {
            let space = is_space(rune);
            if first && !space {
                push(out, rune);
            }
            first = space;
        }
    })
}

/// Returns `one` if the count is 1, and `many` otherwise: `plural one many count`.
fn plural(_: &mut Scope<'_, '_>, args: &[Value]) -> Answer {
    Ok(Value::Text(secret(args, if int(args, 2) == 1 { 0 } else { 1 })))
}

/// Abbreviates a text at its end: `abbrev width text`.
fn abbrev(scope: &mut Scope<'_, '_>, args: &[Value]) -> Answer {
    match usize::try_from(int(args, 0)) {
        Ok(width @ 4..) => written_by(scope, |out| abbreviate(text(args, 1), 0, width, out)),
        _ => answer(text(args, 1)),
    }
}

/// Abbreviates a text at both ends: `abbrevboth left width text`.
fn abbrev_both(scope: &mut Scope<'_, '_>, args: &[Value]) -> Answer {
    let (left, width) = (int(args, 0), int(args, 1));
    if width < 4 || left > 0 && width < 7 {
        return answer(text(args, 2));
    }
    let (left, width) = (usize::try_from(left).unwrap_or(0), usize::try_from(width).unwrap_or(usize::MAX));
    written_by(scope, |out| abbreviate(text(args, 2), left, width, out))
}

/// Writes at most `width` bytes of `text` from `left` on, with dots for what is left out. `width` is at least 4, and at
/// least 7 with a `left`.
fn abbreviate(text: &[u8], left: usize, width: usize, out: &mut Buffer) {
    if text.len() <= width {
        return out.push(text);
    }
    let left = left.min(text.len() - (width - 3));
    if left <= 4 {
        out.push(&text[..width - 3]);
        return out.push(b"...");
    }
    out.push(b"...");
    if left + width - 3 < text.len() {
        abbreviate(&text[left..], 0, width - 3, out);
    } else {
        out.push(&text[text.len() - (width - 3)..]);
    }
}
