//! `html`, `js` and `urlquery`.

use crate::buffer::Buffer;
use crate::fmt;
use crate::spell::rune;
use crate::value::Value;
use leasehold_base::secret::Secret;

/// Returns the arguments as one text, as `print` does, except that a missing one is `<no value>` and a pointer is what
/// it points to.
fn text(values: &[Value], limit: usize) -> Option<Secret> {
    if let [Value::Text(text)] = values {
        return Some(text.clone());
    }
    let mut out = Buffer::new(limit);
    let mut after_text = true;
    for value in values {
        let text = matches!(value, Value::Nil) || value.as_bytes_kind().is_some();
        if !text && !after_text {
            out.push(b" ");
        }
        after_text = text;
        fmt::print_action(value, &mut out);
    }
    (!out.is_full()).then(|| out.into_secret())
}

fn escaped(values: &[Value], out: &mut Buffer, escape: impl Fn(&[u8], &mut Buffer)) {
    match text(values, out.limit()) {
        Some(text) => escape(text.expose(), out),
        None => out.overflow(),
    }
}

pub(super) fn html(values: &[Value], out: &mut Buffer) {
    escaped(values, out, |text, out| {
        for byte in text {
            match byte {
                0 => out.push("\u{fffd}".as_bytes()),
                b'"' => out.push(b"&#34;"),
                b'\'' => out.push(b"&#39;"),
                b'&' => out.push(b"&amp;"),
                b'<' => out.push(b"&lt;"),
                b'>' => out.push(b"&gt;"),
                byte => out.push(&[*byte]),
            }
        }
    });
}

pub(super) fn js(values: &[Value], out: &mut Buffer) {
    escaped(values, out, |text, out| {
        for (at, rune, size) in rune::runes(text) {
            match rune {
                '\\' => out.push(b"\\\\"),
                '\'' => out.push(b"\\'"),
                '"' => out.push(b"\\\""),
                '<' | '>' | '&' | '=' | '\0'..='\u{1f}' => {
                    out.push(format!("\\u{:04X}", u32::from(rune)).as_bytes());
                }
                rune if rune.is_ascii() || rune::is_print(rune) => out.push(&text[at..at + size]),
                rune => out.push(format!("\\u{:04X}", u32::from(rune)).as_bytes()),
            }
        }
    });
}

pub(super) fn url_query(values: &[Value], out: &mut Buffer) {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    escaped(values, out, |text, out| {
        for &byte in text {
            match byte {
                b' ' => out.push(b"+"),
                b'-' | b'_' | b'.' | b'~' => out.push(&[byte]),
                byte if byte.is_ascii_alphanumeric() => out.push(&[byte]),
                byte => out.push(&[b'%', HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 15)]]),
            }
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made(escape: fn(&[Value], &mut Buffer), values: &[Value]) -> String {
        let mut out = Buffer::new(1000);
        escape(values, &mut out);
        String::from_utf8(out.bytes().to_vec()).expect("UTF-8")
    }

    #[test]
    fn every_escape_has_gos_spelling() {
        assert_eq!(
            made(html, &[Value::text("<a href='x'>\"&\0")]),
            "&lt;a href=&#39;x&#39;&gt;&#34;&amp;\u{fffd}"
        );
        assert_eq!(made(js, &[Value::text("it's <\n=\u{a0}é")]), r"it\'s \u003C\u000A\u003D\u00A0é");
        assert_eq!(made(url_query, &[Value::text("a b/ü~")]), "a+b%2F%C3%BC~");
    }

    #[test]
    fn several_arguments_are_printed_first() {
        assert_eq!(made(html, &[Value::int(1), Value::int(2), Value::Nil]), "1 2&lt;no value&gt;");
    }
}
