//! A value as a YAML document in block style.

use base64::Engine as _;
use zeroize::Zeroizing;

use super::emitter::{Emitter, INDENT};
use super::resolve::{self, Plain};
use super::scalar::{Style, analyze};
use super::sort;
use crate::buffer::Buffer;
use crate::function::FunctionError;
use crate::functions::arg::fail;
use crate::functions::encoding::STANDARD;
use crate::functions::time::Time;
use crate::spell::float;
use crate::value::{Key, Object, Type, Value};

/// Deeper values are refused, because each level is a call on the stack.
const MAX_DEPTH: usize = 500;

/// A key longer than this needs a `?` before it.
const LONGEST_SIMPLE_KEY: usize = 128;

/// The line length of base64.
const BASE64_LINE: usize = 70;

/// Appends `value` as a document.
pub(in crate::functions) fn write(value: &Value, out: &mut Buffer) -> Result<(), FunctionError> {
    let mut writer = YamlWriter { emitter: Emitter::new(out) };
    writer.node(value, Context::Root, 0)?;
    writer.emitter.line_break();
    Ok(())
}

/// The position of a node in the document.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Context {
    Root,
    Item,
    /// A key that stands before its `:` on one line.
    Key,
    Value,
}

struct YamlWriter<'b> {
    emitter: Emitter<'b>,
}

/// A scalar ready to be written.
struct Scalar {
    text: Zeroizing<Vec<u8>>,
    style: Style,
    binary: bool,
}

impl Scalar {
    fn plain(text: impl Into<Vec<u8>>) -> Self {
        Self { text: Zeroizing::new(text.into()), style: Style::Plain, binary: false }
    }

    /// Makes the scalar of a text. The text is quoted if it would mean something else without quotes.
    fn text(text: &[u8]) -> Self {
        let Ok(utf8) = std::str::from_utf8(text) else { return Self::binary(text) };
        let style = if text.contains(&b'\n') {
            Style::Literal
        } else if matches!(resolve::resolve(utf8), Plain::Text) && !resolve::is_base60_float(utf8) {
            Style::Plain
        } else {
            Style::DoubleQuoted
        };
        Self { text: Zeroizing::new(text.to_vec()), style, binary: false }
    }

    /// Makes the scalar of bytes that are not UTF-8: base64, tagged as such.
    fn binary(bytes: &[u8]) -> Self {
        let encoded = Zeroizing::new(STANDARD.encode(bytes));
        let lines: Vec<&[u8]> = encoded.as_bytes().chunks(BASE64_LINE).collect();
        let several = encoded.len() / BASE64_LINE + 1 > 1;
        let mut text = Zeroizing::new(Vec::with_capacity(encoded.len() + lines.len()));
        for line in lines {
            text.extend_from_slice(line);
            if several {
                text.push(b'\n');
            }
        }
        let style = if several { Style::Literal } else { Style::Plain };
        Self { text, style, binary: true }
    }

    /// Returns the scalar of a value; `None` for a list, a map or a struct.
    fn of(value: &Value) -> Result<Option<Self>, FunctionError> {
        Ok(Some(match value {
            Value::Nil => Self::plain(*b"null"),
            Value::NilOf(Type::Pointer(_)) => Self::plain(*b"null"),
            Value::NilOf(_) | Value::List(_) | Value::Map(_) => return Ok(None),
            Value::Object(object) => match object.encoded() {
                // YAML has a type for times.
                Some(text) if object.as_any().is::<Time>() => Self::plain(text),
                Some(text) => Self::text(text.as_bytes()),
                None => return Ok(None),
            },
            Value::Bool(flag) => Self::plain(flag.to_string()),
            Value::Int(_, number) => Self::plain(number.to_string()),
            Value::Uint(_, number) => Self::plain(number.to_string()),
            Value::Float(number) => Self::plain(float_text(*number)),
            Value::Number(spelling) => Self::number(spelling.expose()),
            Value::Text(text) => Self::text(text.expose()),
            Value::Complex(_) | Value::Func(_) | Value::Channel(_) => {
                let of = value.type_of().map_or_else(String::new, |of| of.to_string());
                return fail(format!("cannot marshal type: {of}"));
            }
        }))
    }

    /// Makes the scalar of a `json.Number`: an `int64` if it is one, else a float, else its text.
    fn number(spelling: &[u8]) -> Self {
        let text = std::str::from_utf8(spelling).unwrap_or_default();
        if let Some(number) = crate::functions::numbers::decimal(spelling) {
            return Self::plain(number.to_string());
        }
        match text.parse::<f64>() {
            Ok(number) if number.is_finite() => Self::plain(float_text(number)),
            _ => Self::text(spelling),
        }
    }
}

fn float_text(number: f64) -> Vec<u8> {
    if number.is_nan() {
        return b".nan".to_vec();
    }
    if number.is_infinite() {
        return if number > 0.0 { b".inf".to_vec() } else { b"-.inf".to_vec() };
    }
    let mut text = Vec::new();
    float::format(number, b'g', None, &mut text);
    text
}

impl YamlWriter<'_> {
    fn node(&mut self, value: &Value, place: Context, depth: usize) -> Result<(), FunctionError> {
        if depth > MAX_DEPTH {
            return Err(FunctionError::beyond("nested too deeply"));
        }
        // One value may stand in many places, so a walk over all of them might not end.
        if self.emitter.is_full() {
            return Err(FunctionError::too_much());
        }
        if let Some(scalar) = Scalar::of(value)? {
            self.scalar(&scalar, place == Context::Key);
            return Ok(());
        }
        match value {
            Value::List(list) if !list.items().is_empty() => self.list(list.items(), place, depth),
            Value::Map(map) if !map.is_empty() => {
                let entries = sort::sorted(map.entries());
                self.map(entries.into_iter().map(|(key, value)| (key.to_value(), value)), place, depth)
            }
            Value::Object(object) if !object.shape().fields.is_empty() => {
                self.map(fields(object.as_ref()), place, depth)
            }
            Value::List(_) | Value::NilOf(Type::Slice(_)) => {
                self.empty(b"[", b"]");
                Ok(())
            }
            _ => {
                self.empty(b"{", b"}");
                Ok(())
            }
        }
    }

    fn empty(&mut self, open: &[u8], close: &[u8]) {
        self.emitter.indicator(open, true, false);
        self.emitter.indicator(close, false, false);
    }

    fn scalar(&mut self, scalar: &Scalar, key: bool) {
        if scalar.binary {
            self.emitter.indicator(b"!!binary", true, false);
        }
        let analysis = analyze(&scalar.text);
        let style = analysis.choose(scalar.style, scalar.text.is_empty(), key);
        // Lines of a scalar that go on stand deeper than the node they belong to.
        self.emitter.indent += INDENT;
        self.emitter.scalar(&scalar.text, style, key);
        self.emitter.indent -= INDENT;
    }

    fn list(&mut self, items: &[Value], place: Context, depth: usize) -> Result<(), FunctionError> {
        let outer = self.emitter.indent;
        // A list under a key begins at the key's own column.
        let indentless = place == Context::Value && !self.emitter.indention;
        if place != Context::Root && !indentless {
            self.emitter.indent += INDENT;
        }
        for item in items {
            self.emitter.write_indent();
            self.emitter.indicator(b"-", true, true);
            self.node(item, Context::Item, depth + 1)?;
        }
        self.emitter.indent = outer;
        Ok(())
    }

    fn map(
        &mut self,
        entries: impl Iterator<Item = (Value, Value)>,
        place: Context,
        depth: usize,
    ) -> Result<(), FunctionError> {
        let outer = self.emitter.indent;
        if place != Context::Root {
            self.emitter.indent += INDENT;
        }
        for (key, value) in entries {
            self.emitter.write_indent();
            if is_simple_key(&key)? {
                self.node(&key, Context::Key, depth + 1)?;
                self.emitter.indicator(b":", false, false);
            } else {
                self.emitter.indicator(b"?", true, true);
                self.node(&key, Context::Value, depth + 1)?;
                self.emitter.write_indent();
                self.emitter.indicator(b":", true, true);
            }
            self.node(&value, Context::Value, depth + 1)?;
        }
        self.emitter.indent = outer;
        Ok(())
    }
}

fn is_simple_key(key: &Value) -> Result<bool, FunctionError> {
    let Some(scalar) = Scalar::of(key)? else { return Ok(true) };
    let tag = if scalar.binary { "!!binary".len() } else { 0 };
    Ok(!analyze(&scalar.text).multiline && scalar.text.len() + tag <= LONGEST_SIMPLE_KEY)
}

/// Returns the fields of a struct under their names in lower case.
fn fields(object: &dyn Object) -> impl Iterator<Item = (Value, Value)> + '_ {
    let names = object.shape().fields.iter().enumerate();
    names.map(|(index, name)| (Key::Text(name.to_lowercase().into()).to_value(), object.field(index)))
}
