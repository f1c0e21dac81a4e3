//! Texts, which are bytes: cutting, joining, quoting.

use leasehold_base::gather::Gather as _;
use std::collections::BTreeMap;

use super::convert::{printed, text_of};
use crate::eval::Scope;
use crate::function::Function;
use crate::functions::arg::{Answer, answer, any, fail, int, text, written};
use crate::functions::text::{
    counted_parts, find, replace as replace_in, trim_prefix, trim_set, trim_space, trim_suffix,
};
use crate::spell::quote;
use crate::value::{Key, Map, Type, Value};
use zeroize::Zeroizing;

const ANY: Type = Type::Interface;
const TEXT: Type = Type::String;

pub(super) static FUNCTIONS: &[Function] = &[
    Function::new("sprig_cat", &[ANY], cat).variadic().returns(TEXT),
    Function::new("sprig_contains", &[TEXT; 2], contains).returns(Type::Bool),
    Function::new("sprig_hasPrefix", &[TEXT; 2], has_prefix).returns(Type::Bool),
    Function::new("sprig_hasSuffix", &[TEXT; 2], has_suffix).returns(Type::Bool),
    Function::new("sprig_indent", &[Type::INT, TEXT], indent).returns(TEXT),
    Function::new("sprig_nindent", &[Type::INT, TEXT], nindent).returns(TEXT),
    Function::new("sprig_quote", &[ANY], double_quoted).variadic().returns(TEXT),
    Function::new("sprig_repeat", &[Type::INT, TEXT], repeat).returns(TEXT),
    Function::new("sprig_replace", &[TEXT; 3], replace).returns(TEXT),
    Function::new("sprig_split", &[TEXT; 2], split).returns(Type::STRING_MAP),
    Function::new("sprig_splitList", &[TEXT; 2], split_list).returns(Type::STRINGS),
    Function::new("sprig_splitn", &[TEXT, Type::INT, TEXT], split_n).returns(Type::STRING_MAP),
    Function::new("sprig_squote", &[ANY], single_quoted).variadic().returns(TEXT),
    Function::new("sprig_substr", &[Type::INT, Type::INT, TEXT], substr).returns(TEXT),
    Function::new("sprig_toString", &[ANY], to_string).returns(TEXT),
    Function::new("sprig_trim", &[TEXT], trim).returns(TEXT),
    Function::new("sprig_trimAll", &[TEXT; 2], trim_all).returns(TEXT),
    Function::new("sprig_trimPrefix", &[TEXT; 2], trim_prefix).returns(TEXT),
    Function::new("sprig_trimSuffix", &[TEXT; 2], trim_suffix).returns(TEXT),
    Function::new("sprig_trimall", &[TEXT; 2], trim_all).returns(TEXT),
    Function::new("sprig_trunc", &[Type::INT, TEXT], trunc).returns(TEXT),
];

fn to_string(scope: &mut Scope<'_, '_>, args: &[Value]) -> Answer {
    text_of(scope, any(args, 0)).map(Value::Text)
}

/// Joins the arguments that are not nil, with spaces between them.
fn cat(scope: &mut Scope<'_, '_>, args: &[Value]) -> Answer {
    spaced(scope, args, |scope, arg| Ok(Zeroizing::new(printed(scope, arg)?.expose().to_vec())))
}

fn double_quoted(scope: &mut Scope<'_, '_>, args: &[Value]) -> Answer {
    spaced(scope, args, |scope, arg| {
        let text = text_of(scope, arg)?;
        // The longest escape is four bytes for one; so it never moves.
        let mut quoted = Zeroizing::new(Vec::with_capacity(text.len() * 4 + 2));
        quote::quote(text.expose(), false, &mut quoted);
        Ok(quoted)
    })
}

/// Puts each argument that is not nil in single quotes, with spaces between them. Nothing is escaped.
fn single_quoted(scope: &mut Scope<'_, '_>, args: &[Value]) -> Answer {
    spaced(scope, args, |scope, arg| {
        let text = printed(scope, arg)?;
        let mut quoted = Zeroizing::new(Vec::with_capacity(text.len() + 2));
        quoted.push(b'\'');
        quoted.extend_from_slice(text.expose());
        quoted.push(b'\'');
        Ok(quoted)
    })
}

type Part = Result<Zeroizing<Vec<u8>>, crate::function::FunctionError>;

/// Joins what `show` makes of each argument that is not nil, with spaces between.
fn spaced(
    scope: &mut Scope<'_, '_>,
    args: &[Value],
    show: impl Fn(&mut Scope<'_, '_>, &Value) -> Part,
) -> Answer {
    let shown = args.iter().filter(|arg| !matches!(arg, Value::Nil));
    let parts = shown.map(|arg| show(scope, arg)).collect::<Result<Vec<_>, _>>()?;
    written(scope, |out| {
        for (index, part) in parts.iter().enumerate() {
            if index > 0 {
                out.push(b" ");
            }
            out.push(part);
        }
        Ok(())
    })
}

/// Returns whether a text has a part: `contains part text`.
fn contains(_: &mut Scope<'_, '_>, args: &[Value]) -> Answer {
    Ok(Value::Bool(find(text(args, 1), text(args, 0)).is_some()))
}

fn has_prefix(_: &mut Scope<'_, '_>, args: &[Value]) -> Answer {
    Ok(Value::Bool(text(args, 1).starts_with(text(args, 0))))
}

fn has_suffix(_: &mut Scope<'_, '_>, args: &[Value]) -> Answer {
    Ok(Value::Bool(text(args, 1).ends_with(text(args, 0))))
}

fn indent(scope: &mut Scope<'_, '_>, args: &[Value]) -> Answer {
    indented(scope, args, b"")
}

fn nindent(scope: &mut Scope<'_, '_>, args: &[Value]) -> Answer {
    indented(scope, args, b"\n")
}

/// Writes `before`, and then the text with every line moved to the right. Empty lines are moved, too.
fn indented(scope: &mut Scope<'_, '_>, args: &[Value], before: &[u8]) -> Answer {
    let Ok(spaces) = usize::try_from(int(args, 0)) else { return fail("indent: negative count") };
    written(scope, |out| {
        out.push(before);
        for (index, line) in text(args, 1).split(|&byte| byte == b'\n').enumerate() {
            if index > 0 {
                out.push(b"\n");
            }
            out.repeat(b' ', spaces);
            out.push(line);
        }
        Ok(())
    })
}

/// Repeats a text: `repeat count text`.
fn repeat(scope: &mut Scope<'_, '_>, args: &[Value]) -> Answer {
    let Ok(count) = usize::try_from(int(args, 0)) else { return fail("repeat: negative count") };
    let text = text(args, 1);
    scope.spend(text.len().saturating_mul(count))?;
    Ok(Value::text(text.repeat(count)))
}

/// Replaces every occurrence of a text: `replace old new text`.
fn replace(scope: &mut Scope<'_, '_>, args: &[Value]) -> Answer {
    written(scope, |out| {
        replace_in(text(args, 2), text(args, 0), text(args, 1), out);
        Ok(())
    })
}

fn split(scope: &mut Scope<'_, '_>, args: &[Value]) -> Answer {
    counted_parts(scope, text(args, 1), text(args, 0), None).map(numbered)
}

/// Splits a text into at most `count` parts: `splitn separator count text`. A negative count is no limit.
fn split_n(scope: &mut Scope<'_, '_>, args: &[Value]) -> Answer {
    let limit = usize::try_from(int(args, 1)).ok();
    counted_parts(scope, text(args, 2), text(args, 0), limit).map(numbered)
}

/// Makes a map of the parts, under the keys `_0`, `_1` and so on.
fn numbered(parts: Vec<&[u8]>) -> Value {
    let entry = |(index, part): (usize, &[u8])| {
        (Key::Text(format!("_{index}").into_bytes().into()), Value::text(part.to_vec()))
    };
    let entries: BTreeMap<Key, Value> = parts.into_iter().enumerate().map(entry).gather();
    Value::Map(Map::with(TEXT, TEXT, entries))
}

/// Splits a text into a list: `splitList separator text`.
fn split_list(scope: &mut Scope<'_, '_>, args: &[Value]) -> Answer {
    let parts = counted_parts(scope, text(args, 1), text(args, 0), None)?;
    Ok(Value::texts(parts.into_iter().map(<[u8]>::to_vec)))
}

/// Returns the bytes of a text from one place to before another: `substr from to text`. A negative start stands for the
/// start of the text. An end that is not in the text stands for its end. The two together are an error.
fn substr(_: &mut Scope<'_, '_>, args: &[Value]) -> Answer {
    let text = text(args, 2);
    let (from, to) = (usize::try_from(int(args, 0)), usize::try_from(int(args, 1)));
    let part = match (from, to) {
        (Err(_), Ok(to)) => text.get(..to),
        (Err(_), Err(_)) => None,
        (Ok(from), Ok(to)) if to <= text.len() => text.get(from..to),
        (Ok(from), _) => text.get(from..),
    };
    part.map_or_else(|| fail("substr: bounds out of range"), answer)
}

/// Returns the first `count` bytes of a text, or the last ones if the count is negative: `trunc count text`.
fn trunc(_: &mut Scope<'_, '_>, args: &[Value]) -> Answer {
    let (count, text) = (int(args, 0), text(args, 1));
    let size = usize::try_from(count.unsigned_abs()).unwrap_or(usize::MAX);
    if size >= text.len() {
        return answer(text);
    }
    answer(if count < 0 { &text[text.len() - size..] } else { &text[..size] })
}

fn trim(_: &mut Scope<'_, '_>, args: &[Value]) -> Answer {
    answer(trim_space(text(args, 0)))
}

/// Removes the characters of a set from both ends of a text: `trimAll set text`.
fn trim_all(_: &mut Scope<'_, '_>, args: &[Value]) -> Answer {
    answer(trim_set(text(args, 1), text(args, 0)))
}
