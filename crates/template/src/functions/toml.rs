//! TOML as the Go library BurntSushi/toml 1.5 writes it.

use super::arg::fail;
use super::numbers::decimal;
use super::time::Time;
use crate::buffer::Buffer;
use crate::function::FunctionError;
use crate::spell::{float, rune};
use crate::value::{Key, Map, Object, Type, Value};

/// Deeper values are refused, because each level is a call on the stack.
const MAX_DEPTH: usize = 200;

/// Appends `value` as a TOML document. A value that is no table is written as it would be behind a `=`.
pub(super) fn write(value: &Value, out: &mut Buffer) -> Result<(), FunctionError> {
    match value {
        Value::Nil => return fail("toml: cannot encode nil"),
        Value::NilOf(Type::Slice(_)) => {
            out.push(b"[]");
            return Ok(());
        }
        Value::NilOf(_) => return Ok(()),
        _ => {}
    }
    TomlWriter { out, written: false }.member(&[], value)
}

struct TomlWriter<'b> {
    out: &'b mut Buffer,
    /// True if anything was written. No empty line stands before that.
    written: bool,
}

/// The form of a value, as far as its position in the document depends on it.
#[derive(PartialEq, Eq)]
enum TomlKind {
    Nil,
    Plain,
    Table,
    Tables,
}

fn kind(value: &Value) -> Result<TomlKind, FunctionError> {
    let Value::List(list) = value else { return kind_of_one(value) };
    let mut tables = !list.items().is_empty();
    for item in list.items() {
        match kind_of_one(item)? {
            TomlKind::Nil => return fail("toml: cannot encode array with nil element"),
            TomlKind::Table => {}
            _ => tables = false,
        }
    }
    Ok(if tables { TomlKind::Tables } else { TomlKind::Plain })
}

/// Returns the form of an element. A list in a list is plain, whatever it holds.
fn kind_of_one(value: &Value) -> Result<TomlKind, FunctionError> {
    Ok(match value {
        Value::Nil | Value::NilOf(_) => TomlKind::Nil,
        Value::Map(_) => TomlKind::Table,
        Value::Object(object) => {
            if object.encoded().is_some() {
                TomlKind::Plain
            } else {
                TomlKind::Table
            }
        }
        Value::Complex(_) | Value::Func(_) | Value::Channel(_) => {
            let of = value.type_of().map_or_else(String::new, |of| of.to_string());
            return fail(format!("unsupported type: {of}"));
        }
        _ => TomlKind::Plain,
    })
}

type Path<'p> = &'p [Vec<u8>];

impl TomlWriter<'_> {
    fn push(&mut self, text: &[u8]) {
        self.out.push(text);
        self.written = true;
    }

    fn newline(&mut self) {
        if self.written {
            self.push(b"\n");
        }
    }

    fn indent(&mut self, path: Path<'_>) {
        self.push(b"  ".repeat(path.len().saturating_sub(1)).as_slice());
    }

    fn member(&mut self, path: Path<'_>, value: &Value) -> Result<(), FunctionError> {
        if path.len() > MAX_DEPTH {
            return Err(FunctionError::beyond("toml: nested too deeply"));
        }
        // One value may stand in many places, so a walk over all of them might not end.
        if self.out.is_full() {
            return Err(FunctionError::too_much());
        }
        match kind(value)? {
            TomlKind::Nil => Ok(()),
            TomlKind::Table => self.table(path, value),
            TomlKind::Tables => self.tables(path, value),
            TomlKind::Plain => {
                self.key_value(path, value)?;
                self.newline();
                Ok(())
            }
        }
    }

    fn table(&mut self, path: Path<'_>, value: &Value) -> Result<(), FunctionError> {
        if path.len() == 1 {
            self.newline();
        }
        if !path.is_empty() {
            self.indent(path);
            self.push(b"[");
            self.dotted(path);
            self.push(b"]");
            self.newline();
        }
        self.members(path, value)
    }

    fn tables(&mut self, path: Path<'_>, value: &Value) -> Result<(), FunctionError> {
        if path.is_empty() {
            return fail("toml: top-level values must be Go maps or structs");
        }
        let Value::List(list) = value else { return Ok(()) };
        for item in list.items() {
            self.newline();
            self.indent(path);
            self.push(b"[[");
            self.dotted(path);
            self.push(b"]]");
            self.newline();
            self.members(path, item)?;
        }
        Ok(())
    }

    /// Writes the members of a map or struct, first those that are no tables: what follows a table's
    /// head belongs to the table.
    fn members(&mut self, path: Path<'_>, value: &Value) -> Result<(), FunctionError> {
        let members = members_of(value)?;
        for tables in [false, true] {
            for (name, value) in &members {
                if matches!(kind(value)?, TomlKind::Table | TomlKind::Tables) == tables {
                    let below = [path, std::slice::from_ref(name)].concat();
                    self.member(&below, value)?;
                }
            }
        }
        Ok(())
    }

    fn key_value(&mut self, path: Path<'_>, value: &Value) -> Result<(), FunctionError> {
        let Some(name) = path.last() else { return self.element(value, 0) };
        self.indent(path);
        self.name(name);
        self.push(b" = ");
        self.element(value, path.len())
    }

    fn element(&mut self, value: &Value, depth: usize) -> Result<(), FunctionError> {
        if depth > MAX_DEPTH {
            return Err(FunctionError::beyond("toml: nested too deeply"));
        }
        // One value may stand in many places, so a walk over all of them might not end.
        if self.out.is_full() {
            return Err(FunctionError::too_much());
        }
        match value {
            Value::Text(text) => self.quoted(text.expose()),
            Value::Bool(flag) => self.push(flag.to_string().as_bytes()),
            Value::Int(_, number) => self.push(number.to_string().as_bytes()),
            Value::Uint(_, number) => self.push(number.to_string().as_bytes()),
            Value::Float(number) => self.float(*number),
            Value::Number(spelling) => return self.number(spelling.expose()),
            Value::List(list) => {
                self.push(b"[");
                for (index, item) in list.items().iter().enumerate() {
                    if index > 0 {
                        self.push(b", ");
                    }
                    self.element(item, depth + 1)?;
                }
                self.push(b"]");
            }
            Value::Object(object) => match object.encoded() {
                // TOML has a type for times.
                Some(text) if object.as_any().is::<Time>() => self.push(text.as_bytes()),
                Some(text) => self.quoted(text.as_bytes()),
                None => return self.inline(value, depth),
            },
            Value::Map(_) => return self.inline(value, depth),
            _ => return fail("toml: unexpected type"),
        }
        Ok(())
    }

    /// Writes a table on one line, first the members that are no tables.
    fn inline(&mut self, value: &Value, depth: usize) -> Result<(), FunctionError> {
        let members = members_of(value)?;
        let is_table =
            |value: &Value| kind(value).map(|kind| matches!(kind, TomlKind::Table | TomlKind::Tables));
        let mut sorted = Vec::new();
        for tables in [false, true] {
            for (name, value) in &members {
                if is_table(value)? == tables && kind(value)? != TomlKind::Nil {
                    sorted.push((name, value));
                }
            }
        }
        self.push(b"{");
        for (index, (name, value)) in sorted.into_iter().enumerate() {
            if index > 0 {
                self.push(b", ");
            }
            self.name(name);
            self.push(b" = ");
            self.element(value, depth + 1)?;
        }
        self.push(b"}");
        Ok(())
    }

    fn float(&mut self, number: f64) {
        if number.is_nan() {
            return self.push(b"nan");
        }
        if number.is_infinite() {
            return self.push(if number < 0.0 { b"-inf" } else { b"inf" });
        }
        let mut digits = zeroize::Zeroizing::new(Vec::new());
        float::format(number, b'f', None, &mut digits);
        self.push(&digits);
        if !digits.contains(&b'.') {
            self.push(b".0");
        }
    }

    fn number(&mut self, spelling: &[u8]) -> Result<(), FunctionError> {
        if spelling.is_empty() {
            self.push(b"0");
        } else if let Some(number) = decimal(spelling) {
            self.push(number.to_string().as_bytes());
        } else {
            match std::str::from_utf8(spelling).map(str::parse::<f64>) {
                Ok(Ok(number)) if number.is_finite() => self.float(number),
                _ => return fail("toml: a number that is neither int64 nor float64"),
            }
        }
        Ok(())
    }

    fn dotted(&mut self, path: Path<'_>) {
        for (index, name) in path.iter().enumerate() {
            if index > 0 {
                self.push(b".");
            }
            self.name(name);
        }
    }

    /// Writes a key, without quotes if possible.
    fn name(&mut self, name: &[u8]) {
        let bare = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
        if !name.is_empty() && name.iter().all(bare) { self.push(name) } else { self.quoted(name) }
    }

    fn quoted(&mut self, text: &[u8]) {
        self.push(b"\"");
        for (at, rune, size) in rune::runes(text) {
            match rune {
                '"' => self.push(b"\\\""),
                '\\' => self.push(b"\\\\"),
                '\n' => self.push(b"\\n"),
                '\r' => self.push(b"\\r"),
                '\t' => self.push(b"\\t"),
                '\u{8}' => self.push(b"\\b"),
                '\u{c}' => self.push(b"\\f"),
                '\0'..='\x1f' | '\x7f' => self.push(format!("\\u{:04x}", u32::from(rune)).as_bytes()),
                _ => self.push(&text[at..at + size]),
            }
        }
        self.push(b"\"");
    }
}

/// Returns the members of a map, sorted, or the fields of a struct.
fn members_of(value: &Value) -> Result<Vec<(Vec<u8>, Value)>, FunctionError> {
    match value {
        Value::Map(map) => map_members(map),
        Value::Object(object) => Ok(fields(object.as_ref())),
        _ => Ok(Vec::new()),
    }
}

fn map_members(map: &Map) -> Result<Vec<(Vec<u8>, Value)>, FunctionError> {
    if map.key_type() != Type::String {
        return fail("toml: cannot encode a map with non-string key type");
    }
    let name = |(key, value)| match key {
        Key::Text(name) => Some((name.expose().to_vec(), value)),
        _ => None,
    };
    Ok(map.entries().into_iter().filter_map(name).collect())
}

fn fields(object: &dyn Object) -> Vec<(Vec<u8>, Value)> {
    let fields = object.shape().fields.iter().enumerate();
    fields.map(|(index, name)| (name.as_bytes().to_vec(), object.field(index))).collect()
}
