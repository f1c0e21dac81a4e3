//! `spew_…`: showing a value while a template is written.
//!
//! The agents print `spew_dump` and `spew_printf` to their own output, where a secret
//! would end up in the log. Here they print nothing. The two that return a text show types and sizes
//! as the agents do, but sorted.

use super::arg::{Answer, text, written};
use crate::buffer::Buffer;
use crate::eval::Scope;
use crate::function::{Function, FunctionError};
use crate::spell::quote;
use crate::value::{Key, Type, Value};

pub(super) static FUNCTIONS: &[Function] = &[
    Function::new("spew_dump", &[Type::Interface], silent).variadic().returns(Type::String),
    Function::new("spew_printf", &[Type::String, Type::Interface], silent).variadic().returns(Type::String),
    Function::new("spew_sdump", &[Type::Interface], dump).variadic().returns(Type::String),
    Function::new("spew_sprintf", &[Type::String, Type::Interface], sprintf).variadic().returns(Type::String),
];

/// Deeper values are cut off, because each level is a call on the stack.
const MAX_DEPTH: usize = 200;

fn silent(_: &mut Scope<'_, '_>, _: &[Value]) -> Answer {
    Ok(Value::text(""))
}

fn dump(scope: &mut Scope<'_, '_>, args: &[Value]) -> Answer {
    written(scope, |out| {
        for value in args {
            show(value, 0, out);
            out.push(b"\n");
        }
        Ok(())
    })
}

/// Returns what `fmt` prints. The types and addresses of `%#v` have no use in a file.
fn sprintf(scope: &mut Scope<'_, '_>, args: &[Value]) -> Answer {
    written(scope, |out| {
        crate::fmt::sprintf(text(args, 0), args.get(1..).unwrap_or_default(), out);
        Ok::<(), FunctionError>(())
    })
}

fn show(value: &Value, depth: usize, out: &mut Buffer) {
    let Some(of) = value.type_of() else { return out.push(b"(interface {}) <nil>") };
    match value {
        Value::NilOf(Type::Pointer(_)) => out.push(format!("({of})(<nil>)").as_bytes()),
        Value::Object(object) => {
            out.push(format!("({of})").as_bytes());
            let fields = object.shape().fields.iter().enumerate();
            let fields = fields.map(|(index, name)| (Key::Text((*name).into()), object.field(index)));
            let pointer = object.shape().pointer;
            out.push(if pointer { b"({\n" } else { b" {\n" });
            members(fields, true, depth, out);
            out.push(if pointer { b"})" } else { b"}" });
        }
        Value::List(list) => {
            let len = list.items().len();
            out.push(format!("({of}) ").as_bytes());
            if len > 0 {
                // Decoded lists grew by doubling, as far as the reference shows.
                let room = if list.elem() == Type::Interface { len.next_power_of_two() } else { len };
                out.push(format!("(len={len} cap={room}) ").as_bytes());
            }
            out.push(b"{\n");
            let items = list.items().iter().cloned().map(|item| (Key::Nil, item));
            members(items, false, depth, out);
            out.push(b"}");
        }
        Value::Map(map) => {
            out.push(format!("({of}) ").as_bytes());
            if !map.is_empty() {
                out.push(format!("(len={}) ", map.len()).as_bytes());
            }
            out.push(b"{\n");
            members(map.entries().into_iter(), false, depth, out);
            out.push(b"}");
        }
        Value::Text(text) => {
            out.push(format!("({of}) ").as_bytes());
            sized(text.len(), out);
            let mut quoted = zeroize::Zeroizing::new(Vec::with_capacity(text.len() * 4 + 2));
            quote::quote(text.expose(), false, &mut quoted);
            out.push(&quoted);
        }
        Value::Number(text) => {
            out.push(format!("({of}) ").as_bytes());
            sized(text.len(), out);
            out.push(text.expose());
        }
        _ => {
            out.push(format!("({of}) ").as_bytes());
            crate::fmt::print(value, out);
        }
    }
}

fn sized(len: usize, out: &mut Buffer) {
    if len > 0 {
        out.push(format!("(len={len}) ").as_bytes());
    }
}

fn members(members: impl Iterator<Item = (Key, Value)>, named: bool, depth: usize, out: &mut Buffer) {
    if depth >= MAX_DEPTH || out.is_full() {
        return;
    }
    let mut first = true;
    for (key, value) in members {
        if !first {
            out.push(b",\n");
        }
        first = false;
        out.repeat(b' ', depth + 1);
        match (&key, named) {
            (Key::Text(name), true) => {
                out.push(name.expose());
                out.push(b": ");
            }
            (Key::Nil, _) => {}
            _ => {
                show(&key.to_value(), depth + 1, out);
                out.push(b": ");
            }
        }
        show(&value, depth + 1, out);
    }
    if !first {
        out.push(b"\n");
    }
    out.repeat(b' ', depth);
}
