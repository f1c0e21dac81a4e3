//! Prints values of every kind by any verb.

use super::number::Integer;
use super::{Printer, type_name};
use crate::value::{List, Map, Object, Type, Value};

/// The depth to which containers are printed. Real data is not deeper, and the stack has room for it.
const MAX_DEPTH: usize = 100;

/// What is printed in place of an address: values have none here.
const ADDRESS: u64 = 0xc000_0000;

impl Printer<'_> {
    /// Prints an argument of a printing function.
    pub(super) fn argument(&mut self, value: &Value, verb: char) {
        match (value, verb) {
            (Value::Nil, 'T' | 'v') => self.pad(b"<nil>"),
            (Value::Nil, _) => self.bad_verb(value, verb),
            (_, 'T') => self.plain(type_name(value).as_bytes()),
            (_, 'p') => self.pointer(value, verb),
            (Value::List(list), _) if list.elem() == Type::BYTE => self.bytes(list, verb, "[]byte", 0),
            _ => self.value(value, verb, 0),
        }
    }

    /// Prints what a pointer points to, as an action does.
    pub(super) fn pointed_to(&mut self, object: &dyn Object) {
        match object.text() {
            Some(text) => self.plain(text.expose()),
            None => self.structure(object, 'v', 0),
        }
    }

    /// Prints the report of a verb that does not fit the value: `%!d(string=…)`.
    pub(super) fn bad_verb(&mut self, value: &Value, verb: char) {
        self.erroring = true;
        self.out.push(b"%!");
        self.out.push(verb.encode_utf8(&mut [0; 4]).as_bytes());
        self.out.push(b"(");
        if matches!(value, Value::Nil) {
            self.out.push(b"<nil>");
        } else {
            self.out.push(type_name(value).as_bytes());
            self.out.push(b"=");
            self.argument(value, 'v');
        }
        self.out.push(b")");
        self.erroring = false;
    }

    /// Prints a value, `depth` levels inside another.
    pub(super) fn value(&mut self, value: &Value, verb: char, depth: usize) {
        if depth > MAX_DEPTH {
            return self.out.overflow();
        }
        // One value may stand in many places, so a walk over all of them might not end.
        if self.out.is_full() {
            return;
        }
        // `%w` is for errors, and no value here is an error.
        if verb == 'w' && !self.erroring {
            return self.bad_verb(value, verb);
        }
        let printed = match value {
            Value::Nil => {
                self.out.push(if self.flags.sharp_v { b"interface {}(nil)" } else { b"<nil>" });
                true
            }
            Value::Bool(flag) => self.boolean(*flag, verb),
            Value::Int(of, number) => match of.text(*number).filter(|_| self.calls_methods(verb)) {
                Some(text) => self.text(text.as_bytes(), verb),
                None => self.integer(Integer::signed(*number), verb),
            },
            Value::Uint(_, number) => self.integer(Integer::unsigned(*number), verb),
            Value::Float(number) => self.float(*number, verb),
            Value::Complex(number) => self.complex(**number, verb),
            Value::Text(text) | Value::Number(text) => self.text(text.expose(), verb),
            Value::List(list) => {
                self.list(list, verb, depth);
                true
            }
            Value::Map(map) => {
                self.map(map, verb, depth);
                true
            }
            Value::Object(object) => {
                self.object(value, object.as_ref(), verb, depth);
                true
            }
            Value::NilOf(of) => {
                self.nil_of(value, *of, verb);
                true
            }
            Value::Func(_) | Value::Channel(_) => {
                self.pointer(value, verb);
                true
            }
        };
        if !printed {
            self.bad_verb(value, verb);
        }
    }

    fn boolean(&mut self, flag: bool, verb: char) -> bool {
        if matches!(verb, 't' | 'v') {
            self.pad(if flag { b"true" } else { b"false" });
            return true;
        }
        false
    }

    fn list(&mut self, list: &List, verb: char, depth: usize) {
        if list.elem() == Type::BYTE && matches!(verb, 's' | 'q' | 'x' | 'X') {
            return self.bytes(list, verb, "[]uint8", depth);
        }
        let between = self.open(&list.type_of(), b"[");
        for (index, item) in list.items().iter().enumerate() {
            if index > 0 {
                self.out.push(between);
            }
            self.value(item, verb, depth + 1);
        }
        self.out.push(if self.flags.sharp_v { b"}" } else { b"]" });
    }

    /// Prints what stands before the elements of a container. Returns what stands between them.
    fn open(&mut self, of: &Type, plain: &[u8]) -> &'static [u8] {
        if !self.flags.sharp_v {
            self.out.push(plain);
            return b" ";
        }
        self.out.push(of.to_string().as_bytes());
        self.out.push(b"{");
        b", "
    }

    fn map(&mut self, map: &Map, verb: char, depth: usize) {
        let between = self.open(&map.type_of(), b"map[");
        for (index, (key, item)) in map.entries().iter().enumerate() {
            if index > 0 {
                self.out.push(between);
            }
            self.value(&key.to_value(), verb, depth + 1);
            self.out.push(b":");
            self.value(item, verb, depth + 1);
        }
        self.out.push(if self.flags.sharp_v { b"}" } else { b"]" });
    }

    /// Returns whether a value with a method `String` is printed by it.
    const fn calls_methods(&self, verb: char) -> bool {
        !self.erroring && !self.flags.sharp_v && matches!(verb, 'v' | 's' | 'x' | 'X' | 'q')
    }

    fn object(&mut self, value: &Value, object: &dyn Object, verb: char, depth: usize) {
        if let Some(text) = object.text().filter(|_| self.calls_methods(verb)) {
            self.text(text.expose(), verb);
        } else if !object.shape().pointer {
            self.structure(object, verb, depth);
        } else if depth == 0 {
            self.out.push(b"&");
            self.structure(object, verb, depth + 1);
        } else {
            // Go prints a pointer inside another value as an address.
            self.pointer(value, verb);
        }
    }

    fn structure(&mut self, object: &dyn Object, verb: char, depth: usize) {
        let shape = object.shape();
        let between = match self.flags.sharp_v {
            true => self.open(&Type::Struct(shape.name), b""),
            false => self.open(&Type::Struct(shape.name), b"{"),
        };
        for (index, name) in shape.fields.iter().enumerate() {
            if index > 0 {
                self.out.push(between);
            }
            if self.flags.plus_v || self.flags.sharp_v {
                self.out.push(name.as_bytes());
                self.out.push(b":");
            }
            self.value(&object.field(index), verb, depth + 1);
        }
        self.out.push(b"}");
    }

    fn nil_of(&mut self, value: &Value, of: Type, verb: char) {
        match of {
            Type::Slice(elem) if *elem == Type::BYTE && matches!(verb, 's' | 'q' | 'x' | 'X') => {
                self.text(b"", verb);
            }
            Type::Slice(_) | Type::Map(..) if self.flags.sharp_v => {
                self.out.push(of.to_string().as_bytes());
                self.out.push(b"(nil)");
            }
            Type::Slice(_) => self.out.push(b"[]"),
            Type::Map(..) => self.out.push(b"map[]"),
            _ => self.pointer(value, verb),
        }
    }

    /// Prints a `[]byte` by any verb.
    fn bytes(&mut self, list: &List, verb: char, name: &str, depth: usize) {
        let bytes: zeroize::Zeroizing<Vec<u8>> = list.items().iter().map(byte_of).collect::<Vec<u8>>().into();
        match verb {
            'v' | 'd' if self.flags.sharp_v => {
                self.out.push(name.as_bytes());
                self.out.push(b"{");
                for (index, byte) in bytes.iter().enumerate() {
                    self.out.push(if index > 0 { b", " } else { b"" });
                    self.hex_0x(u64::from(*byte), true);
                }
                self.out.push(b"}");
            }
            's' | 'q' | 'x' | 'X' => {
                self.text(&bytes, verb);
            }
            _ => {
                let between = self.open(&Type::BYTES, b"[");
                for (index, item) in list.items().iter().enumerate() {
                    self.out.push(if index > 0 { between } else { b"" });
                    self.value(item, verb, depth + 1);
                }
                self.out.push(b"]");
            }
        }
    }

    /// Prints a value that Go prints as an address.
    fn pointer(&mut self, value: &Value, verb: char) {
        let address = match value {
            Value::NilOf(_) => 0,
            Value::List(_) | Value::Map(_) | Value::Func(_) | Value::Channel(_) => ADDRESS,
            Value::Object(object) if object.shape().pointer => ADDRESS,
            _ => return self.bad_verb(value, verb),
        };
        match verb {
            'v' if self.flags.sharp_v => {
                self.out.push(format!("({})(", type_name(value)).as_bytes());
                if address == 0 {
                    self.out.push(b"nil");
                } else {
                    self.hex_0x(address, true);
                }
                self.out.push(b")");
            }
            'v' if address == 0 => self.pad(b"<nil>"),
            'v' | 'p' => self.hex_0x(address, !self.flags.sharp),
            'b' | 'o' | 'd' | 'x' | 'X' => {
                self.integer(Integer::unsigned(address), verb);
            }
            _ => self.bad_verb(value, verb),
        }
    }
}

/// Returns the byte that an element of a `[]byte` is.
fn byte_of(item: &Value) -> u8 {
    match item {
        Value::Uint(_, byte) => u8::try_from(*byte).unwrap_or(u8::MAX),
        _ => 0,
    }
}
