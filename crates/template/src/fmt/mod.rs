//! Prints values as Go's package `fmt` does: `Sprint`, `Sprintln` and `Sprintf`, with every verb and flag.
//!
//! For functions of your own. The text goes into a [`Buffer`], which has a limit: [`Buffer::is_full`] says whether it fitted.

mod number;
mod printf;
#[cfg(any(test, kani))]
mod properties;
mod text;
mod value;

use super::buffer::Buffer;
use super::value::{Type, Value};

pub use printf::sprintf;

/// The flags, the width and the precision between `%` and the verb.
#[derive(Debug, Default, Clone, Copy)]
struct Flags {
    width: Option<usize>,
    precision: Option<usize>,
    minus: bool,
    plus: bool,
    sharp: bool,
    space: bool,
    zero: bool,
    /// `%+v`: with field names.
    plus_v: bool,
    /// `%#v`: as Go syntax.
    sharp_v: bool,
}

/// The printing of one value.
struct Printer<'b> {
    out: &'b mut Buffer,
    flags: Flags,
    /// True while a bad verb is reported. Methods are not called then, so that the report cannot fail in turn.
    erroring: bool,
}

impl<'b> Printer<'b> {
    fn new(out: &'b mut Buffer) -> Self {
        Self { out, flags: Flags::default(), erroring: false }
    }
}

/// Appends `values` as `fmt.Sprint` prints them: with a space between two values if neither is a string.
pub fn sprint(values: &[Value], out: &mut Buffer) {
    let mut after_text = true;
    for value in values {
        let text = value.as_bytes_kind().is_some();
        if !text && !after_text {
            out.push(b" ");
        }
        after_text = text;
        print(value, out);
    }
}

/// Appends `values` as `fmt.Sprintln` prints them: with a space between any two, and a newline at the end.
pub fn sprintln(values: &[Value], out: &mut Buffer) {
    for (index, value) in values.iter().enumerate() {
        if index > 0 {
            out.push(b" ");
        }
        print(value, out);
    }
    out.push(b"\n");
}

/// Appends one value as `%v` prints it.
pub fn print(value: &Value, out: &mut Buffer) {
    match value {
        // The most frequent case takes the short way.
        Value::Text(text) | Value::Number(text) => out.push(text.expose()),
        value => Printer::new(out).argument(value, 'v'),
    }
}

/// Appends one value as a template's action prints it: a pointer as what it points to, and a missing value as
/// `<no value>`.
pub(crate) fn print_action(value: &Value, out: &mut Buffer) {
    match value {
        Value::Nil => out.push(b"<no value>"),
        Value::Object(object) => Printer::new(out).pointed_to(object.as_ref()),
        value => print(value, out),
    }
}

/// Returns the name of a value's type, as messages and `%T` show it.
fn type_name(value: &Value) -> String {
    value.type_of().map_or_else(|| "<nil>".to_owned(), |of: Type| of.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sprint_of(values: &[Value]) -> String {
        let mut out = Buffer::new(1000);
        sprint(values, &mut out);
        String::from_utf8(out.bytes().to_vec()).expect("UTF-8")
    }

    #[test]
    fn spaces_stand_between_two_that_are_no_strings() {
        let values = [Value::int(1), Value::int(2), Value::text("a"), Value::int(3), Value::Nil];
        assert_eq!(sprint_of(&values), "1 2a3 <nil>");
    }

    #[test]
    fn containers_print_sorted() {
        let map = Value::map([("b", Value::list([Value::int(1), Value::Nil])), ("a", Value::text("x"))]);
        assert_eq!(sprint_of(&[map]), "map[a:x b:[1 <nil>]]");
    }

    #[test]
    fn nesting_without_end_fills_the_buffer_instead_of_the_stack() {
        let mut value = Value::Nil;
        for _ in 0..100_000 {
            value = Value::list([value]);
        }
        let mut out = Buffer::new(1 << 20);
        print(&value, &mut out);
        assert!(out.is_full());
    }
}
