//! JSON as Go's `encoding/json` writes and reads it.

use base64::Engine as _;
use zeroize::Zeroizing;

use super::arg::fail;
use super::encoding::STANDARD;
use crate::buffer::Buffer;
use crate::function::FunctionError;
use crate::spell::{float, rune};
use crate::value::{Key, List, Map, Type, Value};
use leasehold_base::tree::{JsonProblem, Tree};

/// The layout of JSON.
#[derive(Debug, Clone, Copy)]
pub(super) struct Style {
    /// True if `<`, `>` and `&` are escaped, for HTML.
    pub(super) html: bool,
    /// True if every member has its line, indented by two spaces a level.
    pub(super) pretty: bool,
}

impl Style {
    /// Go's default.
    pub(super) const COMPACT: Self = Self { html: true, pretty: false };
}

/// Deeper values are refused, because each level is a call on the stack.
const MAX_DEPTH: usize = 500;

/// Appends `value` as JSON.
pub(super) fn write(value: &Value, style: Style, out: &mut Buffer) -> Result<(), FunctionError> {
    JsonWriter { style, out }.value(value, 0)
}

struct JsonWriter<'b> {
    style: Style,
    out: &'b mut Buffer,
}

impl JsonWriter<'_> {
    fn value(&mut self, value: &Value, depth: usize) -> Result<(), FunctionError> {
        if depth > MAX_DEPTH {
            return Err(FunctionError::beyond("json: nested too deeply"));
        }
        // One value may stand in many places, so a walk over all of them might not end.
        if self.out.is_full() {
            return Err(FunctionError::too_much());
        }
        match value {
            Value::Nil | Value::NilOf(_) => self.out.push(b"null"),
            Value::Bool(flag) => self.out.push(if *flag { b"true" } else { b"false" }),
            Value::Int(_, number) => self.out.push(number.to_string().as_bytes()),
            Value::Uint(_, number) => self.out.push(number.to_string().as_bytes()),
            Value::Float(number) => return self.float(*number),
            Value::Text(text) => self.text(text.expose()),
            Value::Number(spelling) => return self.number(spelling.expose()),
            Value::List(list) if list.type_of() == Type::BYTES => self.bytes(list),
            Value::List(list) => return self.list(list, depth),
            Value::Map(map) => return self.map(map, depth),
            Value::Object(object) => {
                if let Some(text) = object.encoded() {
                    self.text(text.as_bytes());
                    return Ok(());
                }
                let fields = object.shape().fields;
                let members = fields
                    .iter()
                    .enumerate()
                    .map(|(index, name)| (Key::Text((*name).into()), object.field(index)));
                return self.members(members, depth);
            }
            Value::Complex(_) | Value::Func(_) | Value::Channel(_) => {
                let of = value.type_of().map_or_else(String::new, |of| of.to_string());
                return fail(format!("json: unsupported type: {of}"));
            }
        }
        Ok(())
    }

    fn list(&mut self, list: &List, depth: usize) -> Result<(), FunctionError> {
        self.out.push(b"[");
        for (index, item) in list.items().iter().enumerate() {
            self.next(index, depth + 1);
            self.value(item, depth + 1)?;
        }
        self.close(b"]", list.items().is_empty(), depth);
        Ok(())
    }

    fn map(&mut self, map: &Map, depth: usize) -> Result<(), FunctionError> {
        let mut entries = map.entries();
        if map.key_type() != Type::String {
            entries = entries.into_iter().map(named).collect::<Result<_, _>>()?;
            entries.sort_by(|(a, _), (b, _)| a.cmp(b));
        }
        self.members(entries.into_iter(), depth)
    }

    fn members(
        &mut self,
        members: impl Iterator<Item = (Key, Value)>,
        depth: usize,
    ) -> Result<(), FunctionError> {
        self.out.push(b"{");
        let mut none = true;
        for (index, (key, value)) in members.enumerate() {
            none = false;
            self.next(index, depth + 1);
            if let Key::Text(key) = &key {
                self.text(key.expose());
            }
            self.out.push(if self.style.pretty { b": " } else { b":" });
            self.value(&value, depth + 1)?;
        }
        self.close(b"}", none, depth);
        Ok(())
    }

    fn next(&mut self, index: usize, depth: usize) {
        if index > 0 {
            self.out.push(b",");
        }
        self.line(depth);
    }

    fn close(&mut self, bracket: &[u8], none: bool, depth: usize) {
        if !none {
            self.line(depth);
        }
        self.out.push(bracket);
    }

    fn line(&mut self, depth: usize) {
        if self.style.pretty {
            self.out.push(b"\n");
            self.out.repeat(b' ', 2 * depth);
        }
    }

    /// Writes a `[]byte` in base64.
    fn bytes(&mut self, list: &List) {
        let byte = |item: &Value| match item {
            Value::Uint(_, byte) => u8::try_from(*byte).unwrap_or_default(),
            _ => 0,
        };
        let bytes = Zeroizing::new(list.items().iter().map(byte).collect::<Vec<u8>>());
        self.out.push(b"\"");
        self.out.push(Zeroizing::new(STANDARD.encode(&*bytes)).as_bytes());
        self.out.push(b"\"");
    }

    fn float(&mut self, number: f64) -> Result<(), FunctionError> {
        if !number.is_finite() {
            return fail("json: unsupported value: a float that is no number");
        }
        let mut digits = Zeroizing::new(Vec::new());
        let magnitude = number.abs();
        if magnitude != 0.0 && !(1e-6..1e21).contains(&magnitude) {
            float::format(number, b'e', None, &mut digits);
            // Go writes an exponent with one digit if that is enough: e-9 and not e-09.
            let len = digits.len();
            if len >= 4 && digits[len - 4..len - 1] == *b"e-0" {
                digits.swap(len - 2, len - 1);
                digits.pop();
            }
        } else {
            float::format(number, b'f', None, &mut digits);
        }
        self.out.push(&digits);
        Ok(())
    }

    fn number(&mut self, spelling: &[u8]) -> Result<(), FunctionError> {
        match Tree::from_json(spelling) {
            _ if spelling.is_empty() => self.out.push(b"0"),
            Ok(Tree::Number(_)) => self.out.push(spelling),
            _ => return fail("json: invalid number literal"),
        }
        Ok(())
    }

    fn text(&mut self, text: &[u8]) {
        const HEX: &[u8; 16] = b"0123456789abcdef";
        self.out.push(b"\"");
        for (at, rune, size) in rune::runes(text) {
            match rune {
                '"' => self.out.push(b"\\\""),
                '\\' => self.out.push(b"\\\\"),
                '\u{8}' => self.out.push(b"\\b"),
                '\u{c}' => self.out.push(b"\\f"),
                '\n' => self.out.push(b"\\n"),
                '\r' => self.out.push(b"\\r"),
                '\t' => self.out.push(b"\\t"),
                '\0'..='\x1f' => self.escape(rune, HEX),
                '<' | '>' | '&' if self.style.html => self.escape(rune, HEX),
                '\u{2028}' => self.out.push(b"\\u2028"),
                '\u{2029}' => self.out.push(b"\\u2029"),
                rune::REPLACEMENT => self.out.push("\u{fffd}".as_bytes()),
                _ => self.out.push(&text[at..at + size]),
            }
        }
        self.out.push(b"\"");
    }

    fn escape(&mut self, rune: char, hex: &[u8; 16]) {
        let code = rune as usize;
        self.out.push(&[b'\\', b'u', b'0', b'0', hex[code >> 4 & 15], hex[code & 15]]);
    }
}

/// Returns the name of a member of a `map[interface {}]…`. A whole number is a name too.
fn named((key, value): (Key, Value)) -> Result<(Key, Value), FunctionError> {
    let name = match key {
        Key::Text(_) => key,
        Key::Int(_, number) => Key::Text(number.to_string().into()),
        Key::Uint(_, number) => Key::Text(number.to_string().into()),
        _ => return fail("json: unsupported value: object member name must be a string"),
    };
    Ok((name, value))
}

/// Reads a text as `json.Unmarshal` does: numbers become `float64`.
pub(super) fn read(text: &[u8]) -> Result<Value, FunctionError> {
    let tree = match std::str::from_utf8(text) {
        Ok(_) => Tree::from_json(text),
        // Go's reader takes bytes that are not UTF-8 for U+FFFD.
        Err(_) => Tree::from_json(Zeroizing::new(String::from_utf8_lossy(text).into_owned()).as_bytes()),
    };
    let tree = tree.map_err(|error| match error.problem {
        JsonProblem::TooDeep | JsonProblem::TooMany => FunctionError::beyond(error.to_string()),
        _ => FunctionError::new(error.to_string()),
    });
    plain(&tree?)
}

fn plain(tree: &Tree) -> Result<Value, FunctionError> {
    Ok(match tree {
        Tree::Null => Value::Nil,
        Tree::Bool(flag) => Value::Bool(*flag),
        Tree::Text(text) => Value::Text(text.clone()),
        Tree::Number(spelling) => match spelling.expose_str().map(str::parse::<f64>) {
            Some(Ok(number)) if number.is_finite() => Value::Float(number),
            _ => return fail("json: cannot unmarshal number into a value of type float64"),
        },
        Tree::List(items) => Value::list(items.iter().map(plain).collect::<Result<Vec<_>, _>>()?),
        Tree::Map(entries) => {
            let mut pairs = Vec::with_capacity(entries.len());
            for (key, value) in entries.iter() {
                pairs.push((key, plain(value)?));
            }
            Value::map(pairs)
        }
    })
}
