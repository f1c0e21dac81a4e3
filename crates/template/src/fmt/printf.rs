//! `fmt.Sprintf`: the format.

use super::{Flags, Printer, type_name};
use crate::buffer::Buffer;
use crate::spell::rune;
use crate::value::Value;

/// Larger widths and precisions are ignored, as in Go.
const LARGEST: i64 = 1_000_000;

/// Appends `args` by `format`, as `fmt.Sprintf` does. A wrong verb is no error: the text itself reports
/// it (`%!d(string=x)`), as in Go.
pub fn sprintf(format: &[u8], args: &[Value], out: &mut Buffer) {
    let mut reader = FormatReader { format, at: 0, args, next: 0, reordered: false, good: true };
    let mut printer = Printer::new(out);
    while reader.at < format.len() && !printer.out.is_full() {
        let rest = &format[reader.at..];
        let plain = rest.iter().position(|&byte| byte == b'%').unwrap_or(rest.len());
        printer.out.push(&rest[..plain]);
        reader.at += plain;
        if reader.at < format.len() {
            reader.at += 1;
            reader.directive(&mut printer);
        }
    }
    if !reader.reordered && reader.next < args.len() {
        extra(&args[reader.next..], &mut printer);
    }
}

/// Reports the arguments that the format does not use: `%!(EXTRA int=3)`.
fn extra(args: &[Value], printer: &mut Printer<'_>) {
    printer.flags = Flags::default();
    printer.out.push(b"%!(EXTRA ");
    for (index, arg) in args.iter().enumerate() {
        if index > 0 {
            printer.out.push(b", ");
        }
        if matches!(arg, Value::Nil) {
            printer.out.push(b"<nil>");
        } else {
            printer.out.push(type_name(arg).as_bytes());
            printer.out.push(b"=");
            printer.argument(arg, 'v');
        }
    }
    printer.out.push(b")");
}

struct FormatReader<'a> {
    format: &'a [u8],
    at: usize,
    args: &'a [Value],
    /// The index of the argument that the next verb takes.
    next: usize,
    /// Whether an index (`%[1]d`) was given. Left-over arguments are not reported then, as in Go.
    reordered: bool,
    /// Whether this directive's index was valid.
    good: bool,
}

impl FormatReader<'_> {
    /// Reads and prints one directive. Its `%` has been read.
    fn directive(&mut self, printer: &mut Printer<'_>) {
        self.good = true;
        printer.flags = self.flags();
        let mut after_index = self.index();
        if self.take(b'*') {
            self.width_argument(printer);
            after_index = false;
        } else {
            printer.flags.width = self.number();
            // "%[3]2d"
            self.good &= !(after_index && printer.flags.width.is_some());
        }
        if self.at + 1 < self.format.len() && self.format[self.at] == b'.' {
            self.at += 1;
            // "%[3].2d"
            self.good &= !after_index;
            after_index = self.index();
            if self.take(b'*') {
                self.precision_argument(printer);
                after_index = false;
            } else {
                printer.flags.precision = Some(self.number().unwrap_or(0));
            }
        }
        if !after_index {
            self.index();
        }
        self.verb(printer);
    }

    fn verb(&mut self, printer: &mut Printer<'_>) {
        let (verb, size) = rune::decode(&self.format[self.at..]);
        self.at += size;
        let complaint = |printer: &mut Printer<'_>, what: &[u8]| {
            printer.out.push(b"%!");
            printer.out.push(verb.encode_utf8(&mut [0; 4]).as_bytes());
            printer.out.push(what);
        };
        match self.args.get(self.next) {
            _ if size == 0 => printer.out.push(b"%!(NOVERB)"),
            _ if verb == '%' => printer.out.push(b"%"),
            _ if !self.good => complaint(printer, b"(BADINDEX)"),
            None => complaint(printer, b"(MISSING)"),
            Some(arg) => {
                if matches!(verb, 'v' | 'w') {
                    let flags = &mut printer.flags;
                    flags.sharp_v = std::mem::take(&mut flags.sharp);
                    flags.plus_v = std::mem::take(&mut flags.plus);
                }
                printer.argument(arg, verb);
                self.next += 1;
            }
        }
    }

    fn flags(&mut self) -> Flags {
        let mut flags = Flags::default();
        while let Some(byte) = self.format.get(self.at) {
            match byte {
                b'#' => flags.sharp = true,
                b'0' => flags.zero = true,
                b'+' => flags.plus = true,
                b'-' => flags.minus = true,
                b' ' => flags.space = true,
                _ => break,
            }
            self.at += 1;
        }
        flags
    }

    fn width_argument(&mut self, printer: &mut Printer<'_>) {
        let flags = &mut printer.flags;
        match self.int_argument() {
            Some(width) => {
                flags.width = usize::try_from(width.unsigned_abs()).ok();
                if width < 0 {
                    // Padding on the right is never zeros.
                    flags.minus = true;
                    flags.zero = false;
                }
            }
            None => printer.out.push(b"%!(BADWIDTH)"),
        }
    }

    fn precision_argument(&mut self, printer: &mut Printer<'_>) {
        match self.int_argument().map(usize::try_from) {
            Some(Ok(precision)) => printer.flags.precision = Some(precision),
            _ => printer.out.push(b"%!(BADPREC)"),
        }
    }

    /// Takes the next argument as a width or a precision.
    fn int_argument(&mut self) -> Option<i64> {
        let number = match self.args.get(self.next)? {
            Value::Int(_, number) => Some(*number),
            Value::Uint(_, number) => i64::try_from(*number).ok(),
            _ => None,
        };
        self.next += 1;
        number.filter(|number| number.unsigned_abs() <= LARGEST.unsigned_abs())
    }

    fn take(&mut self, byte: u8) -> bool {
        let here = self.format.get(self.at) == Some(&byte);
        self.at += usize::from(here);
        here
    }

    /// Reads a number. A number that is far too large consumes the rest of the format, as in Go.
    fn number(&mut self) -> Option<usize> {
        let (number, end) = number_at(self.format, self.at, self.format.len());
        self.at = end;
        number
    }

    /// Reads `[n]`, the index of the next argument. Returns whether there was one.
    fn index(&mut self) -> bool {
        if self.format.get(self.at) != Some(&b'[') {
            return false;
        }
        self.reordered = true;
        let rest = &self.format[self.at..];
        let close = rest.iter().position(|&byte| byte == b']').filter(|_| rest.len() >= 3);
        let Some(close) = close.filter(|&close| close > 0) else {
            self.at += 1;
            self.good = false;
            return false;
        };
        let (number, end) = number_at(rest, 1, close);
        self.at += close + 1;
        let Some(number) = number.filter(|_| end == close) else {
            self.good = false;
            return false;
        };
        match number.checked_sub(1).filter(|&index| index < self.args.len()) {
            Some(index) => self.next = index,
            None => self.good = false,
        }
        true
    }
}

/// Returns the number in `text[start..end]` and where it ends.
fn number_at(text: &[u8], start: usize, end: usize) -> (Option<usize>, usize) {
    let mut number = None;
    let mut at = start;
    while at < end && text[at].is_ascii_digit() {
        let so_far = number.unwrap_or(0);
        if so_far > LARGEST.unsigned_abs() as usize {
            return (None, end);
        }
        number = Some(so_far * 10 + usize::from(text[at] - b'0'));
        at += 1;
    }
    (number, at.max(start))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn formatted(format: &str, args: &[Value]) -> String {
        let mut out = Buffer::new(1 << 20);
        sprintf(format.as_bytes(), args, &mut out);
        String::from_utf8(out.bytes().to_vec()).expect("UTF-8")
    }

    #[test]
    fn complaints_stand_in_the_text() {
        let five = Value::int(5);
        let text = Value::text("x");
        for (format, args, expected) in [
            ("%d", vec![Value::Number("5432".into())], "%!d(json.Number=5432)"),
            ("%d", vec![text.clone()], "%!d(string=x)"),
            ("%d", vec![], "%!d(MISSING)"),
            ("%", vec![], "%!(NOVERB)"),
            ("%d%", vec![five.clone()], "5%!(NOVERB)"),
            ("x", vec![five.clone(), Value::Nil], "x%!(EXTRA int=5, <nil>)"),
            ("%[2]d", vec![five.clone()], "%!d(BADINDEX)"),
            ("%[x]d", vec![five.clone()], "%!d(BADINDEX)"),
            ("%*d", vec![text.clone(), five.clone()], "%!(BADWIDTH)5"),
            ("%.*f", vec![text.clone(), Value::Float(1.5)], "%!(BADPREC)1.500000"),
            ("%s", vec![Value::Nil], "%!s(<nil>)"),
            ("%!", vec![five.clone()], "%!!(int=5)"),
        ] {
            assert_eq!(formatted(format, &args), expected, "{format}");
        }
    }

    #[test]
    fn flags_width_and_precision_work_together() {
        for (format, arg, expected) in [
            ("%05d|", Value::int(-42), "-0042|"),
            ("%-5d|", Value::int(42), "42   |"),
            ("%+.3d", Value::int(7), "+007"),
            ("%#x", Value::int(255), "0xff"),
            ("%#o", Value::int(8), "010"),
            ("%O", Value::int(8), "0o10"),
            ("%x", Value::text("hi"), "6869"),
            ("%# x", Value::text("hi"), "0x68 0x69"),
            ("%8.3f|", Value::Float(2.71951), "   2.720|"),
            ("%+08.2f", Value::Float(2.5), "+0002.50"),
            ("%#g", Value::Float(1.0), "1.00000"),
            ("%6.2q|", Value::text("abc"), "  \"ab\"|"),
            ("%c%c", Value::int(0x20ac), "€%!c(MISSING)"),
            ("%#U", Value::int(0x20ac), "U+20AC '€'"),
            ("%t", Value::Bool(true), "true"),
            ("%#v", Value::map([("a", Value::Nil)]), "map[string]interface {}{\"a\":interface {}(nil)}"),
            ("%T", Value::list([]), "[]interface {}"),
            ("%v", Value::Float(f64::INFINITY), "+Inf"),
            ("%06.1f", Value::Float(f64::NAN), "   NaN"),
        ] {
            assert_eq!(formatted(format, &[arg]), expected, "{format}");
        }
    }
}
