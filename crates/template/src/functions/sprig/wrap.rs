//! `wrap` and `wrapWith`: one line made into several.

use crate::buffer::Buffer;
use crate::function::Function;
use crate::functions::arg::{int, text, written};
use crate::value::{Type, Value};

pub(super) static FUNCTIONS: &[Function] = &[
    Function::new("sprig_wrap", &[Type::INT, Type::String], |scope, args| {
        written(scope, |out| {
            lines(text(args, 1), width(args), b"\n", false, out);
            Ok(())
        })
    })
    .returns(Type::String),
    Function::new("sprig_wrapWith", &[Type::INT, Type::String, Type::String], |scope, args| {
        written(scope, |out| {
            let end = text(args, 1);
            lines(text(args, 2), width(args), if end.is_empty() { b"\n" } else { end }, true, out);
            Ok(())
        })
    })
    .returns(Type::String),
];

fn width(args: &[Value]) -> usize {
    usize::try_from(int(args, 0)).unwrap_or(0).max(1)
}

/// Writes lines of at most `width` bytes with `end` between them. A line is cut at a space, which is left out with the
/// spaces behind it. A longer word is cut if `cut_words` is true, and left as it is otherwise.
fn lines(text: &[u8], width: usize, end: &[u8], cut_words: bool, out: &mut Buffer) {
    let mut rest = text;
    while rest.len() > width && !out.is_full() {
        if let Some(behind) = rest.strip_prefix(b" ") {
            rest = behind;
            continue;
        }
        let is_space = |byte: &u8| *byte == b' ';
        let line = match rest[..=width].iter().rposition(is_space) {
            Some(space) => space,
            None if cut_words => {
                out.push(&rest[..width]);
                out.push(end);
                rest = &rest[width..];
                continue;
            }
            None => match rest[width..].iter().position(is_space) {
                Some(space) => width + space,
                None => break,
            },
        };
        out.push(&rest[..line]);
        out.push(end);
        rest = &rest[line + 1..];
    }
    out.push(rest);
}
