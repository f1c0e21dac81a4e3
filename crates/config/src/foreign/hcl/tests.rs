//! The language, against what hashicorp/hcl v1 makes of it; `tests/server/agents.rs` asks the real thing.

use super::*;
use crate::foreign::tree::{Lies, Number, Value};
use crate::mark::Mark;

fn good(text: &str) -> Object {
    match read(text, 0) {
        Ok(hcl) => hcl.top,
        Err(flaw) => panic!("refused: {flaw:?} in {text}"),
    }
}

/// Returns the value of the only item of `text`.
fn value(text: &str) -> Value {
    good(text).items.remove(0).value.value
}

fn text_of(text: &str) -> String {
    match value(text) {
        Value::Text(text) => text.text,
        other => panic!("no text: {other:?}"),
    }
}

/// Returns what is wrong with `text`, on one line.
fn flaw(text: &str) -> String {
    let flaw = read(text, 0).expect_err(text);
    format!("{}:{}: {}; {}", flaw.mark.line, flaw.mark.column, flaw.message, flaw.hint)
}

#[test]
fn numbers_are_octal_hexadecimal_and_decimal() {
    for (text, number) in [
        ("0600", 0o600),
        ("600", 600),
        ("0", 0),
        ("-7", -7),
        ("-017", -15),
        ("0x1F", 31),
        ("0XfF", 255),
        ("9223372036854775807", i64::MAX),
    ] {
        assert_eq!(value(&format!("a = {text}")), Value::Number(Number::Whole(number), text.into()));
    }
    for (text, number) in [("1.5", 1.5), ("0.25", 0.25), ("1e3", 1000.0), ("-2.5E-1", -0.25), (".5", 0.5)] {
        assert_eq!(value(&format!("a = {text}")), Value::Number(Number::Fraction(number), text.into()));
    }
}

#[test]
fn what_is_no_number_is_refused_whole() {
    for (text, says) in [
        ("a = 0680", "1:5: not a number; a number that begins with 0 is octal: its digits are 0 to 7"),
        ("a = 30s", "1:5: not a number; put it in quotes: \"30s\""),
        ("a = 0x", "1:5: not a number; put it in quotes: \"30s\""),
        ("a = 1.2.3", "1:5: not a number; write digits"),
        ("a = -", "1:5: not a number; write digits"),
        ("a = 99999999999999999999", "1:5: not a number; write digits"),
        ("a = 1e999", "1:5: not a number; put it in quotes: \"30s\""),
    ] {
        assert_eq!(flaw(text), says, "{text}");
    }
}

#[test]
fn strings_have_the_escapes_of_go_and_keep_what_looks_like_an_interpolation() {
    for (text, is) in [
        (r#""a\tb\n\"c\"\\""#, "a\tb\n\"c\"\\"),
        (r#""\x41\101\u00e9\U0001f600""#, "AAé😀"),
        (r#""\a\b\f\v\r""#, "\u{7}\u{8}\u{c}\u{b}\r"),
        (r#""\xc3\xa9""#, "é"),
        (r#""\ud800""#, "\u{fffd}"),
        (r#""${a "b" {c} \n} $d $$ {""#, r#"${a "b" {c} \n} $d $$ {"#),
        ("\"${a\nb}\"", "${a\nb}"),
        (r#""""#, ""),
        ("\"tab\there\"", "tab\there"),
    ] {
        assert_eq!(text_of(&format!("a = {text}")), is, "{text}");
    }
}

#[test]
fn a_heredoc_is_its_lines_and_keeps_the_end_marks_indentation() {
    for (text, is) in [
        ("a = <<EOF\nx\n  y\nEOF\n", "x\n  y\n"),
        ("a = <<EOF\nEOF\n", ""),
        ("a = <<EOF\nx\n  EOF\n", "x\n  "),
        ("a = <<EOT1\n{{ with secret \"x\" }}\n{{ end }}\nEOT1\n", "{{ with secret \"x\" }}\n{{ end }}\n"),
        ("a = <<EOF\nEOFX\n EOF X\nEOF\n", "EOFX\n EOF X\n"),
        ("a = <<-EOF\n    x\n      y\n    EOF\n", "x\n  y\n"),
        ("a = <<-EOF\n\tx\n\tEOF\n", "x\n"),
        // One line less indented than the end mark: all stay as they are.
        ("a = <<-EOF\n    x\n  y\n    EOF\n", "    x\n  y\n"),
        // An empty line is less indented, too.
        ("a = <<-EOF\n  x\n\n  EOF\n", "  x\n\n"),
        ("a = <<EOF\r\nx\r\nEOF\r\n", "x\n"),
        ("a = <<-EOF\nEOF\n EOF\n", "EOF\n"),
    ] {
        assert_eq!(text_of(text), is, "{text:?}");
    }
}

#[test]
fn blocks_have_labels_repeat_and_need_no_equals_sign() {
    let top = good(
        "// one\n# two\n/* three\n */ sink \"file\" { a = 1, b = 2 }\nsink \"file\" {}\nconfig = { \"q\" = true }\nlist = [1, \"two\", {x = 3}, [4],]\n",
    );
    let keys: Vec<&str> = top.items.iter().map(|item| item.key.as_str()).collect();
    assert_eq!(keys, ["sink", "sink", "config", "list"]);
    assert_eq!(top.items[0].labels[0].0, "file");
    assert_eq!(
        (top.items[0].at.mark, top.items[0].value.at.mark),
        (Mark { line: 4, column: 5 }, Mark { line: 4, column: 17 })
    );
    let Value::Object(inner) = &top.items[0].value.value else { panic!("an object") };
    assert_eq!(inner.items.len(), 2);
    let Value::Object(config) = &top.items[2].value.value else { panic!("an object") };
    assert_eq!((config.items[0].key.as_str(), &config.items[0].value.value), ("q", &Value::Flag(true)));
    let Value::List(list) = &top.items[3].value.value else { panic!("a list") };
    assert_eq!(list.len(), 4);
}

#[test]
fn the_lines_of_a_text_keep_their_places() {
    let lies = |text: &str| match value(text) {
        Value::Text(text) => text.lies,
        other => panic!("no text: {other:?}"),
    };
    assert_eq!(lies("a = \"plain\""), Lies::Verbatim);
    assert_eq!(lies("a = \"a\\n\""), Lies::Somewhere);
    assert_eq!(lies("a = <<EOF\nx\nEOF\n"), Lies::Below { indent: 0 });
    assert_eq!(lies("a = <<-EOF\n   x\n   EOF\n"), Lies::Below { indent: 3 });
}

#[test]
fn what_is_not_the_language_is_refused_with_its_place_and_a_mend() {
    for (text, says) in [
        (
            "a = \"x\nb = 1",
            "1:5: text without a closing quote on its line; close it, write a line end as \\n, or use a heredoc: <<EOF",
        ),
        (
            "a = \"x",
            "1:5: text without a closing quote on its line; close it, write a line end as \\n, or use a heredoc: <<EOF",
        ),
        ("a = \"\\d\"", "1:6: an escape that is none; double the backslash"),
        ("a = \"\\xff\"", "1:5: escapes that are not UTF-8; write the characters themselves"),
        ("a = \"\\U00110000\"", "1:6: an escape that is none; double the backslash"),
        ("a = \"\\400\"", "1:6: an escape that is none; double the backslash"),
        (
            "a = <<EOF\nx\n",
            "1:5: a heredoc without an end; write EOF on a line alone below the text, and a line end behind it",
        ),
        (
            "a = <<EOF\nx\nEOF",
            "1:5: a heredoc without an end; write EOF on a line alone below the text, and a line end behind it",
        ),
        (
            "a = << EOF\nx\nEOF\n",
            "1:5: not the beginning of a heredoc; write <<EOF, the text below it, and EOF on a line alone",
        ),
        ("a = <x", "1:5: a lone <; write <<EOF, the text below it, and EOF on a line alone"),
        ("a {\n  b = 1\n", "1:3: a brace that is never closed; close it with }"),
        ("a = [1, 2", "1:5: a bracket that is never closed; close it with ]"),
        ("a = [1 2]", "1:8: two values of a list side by side; put a comma between"),
        ("}", "1:1: a closing brace without an opening one; remove it"),
        ("a = ", "1:5: no value behind the `=`; write one, or take the key out"),
        ("a = b", "1:5: a bare word as a value; put it in double quotes"),
        ("a = 'b'", "1:5: a single quote; write text in double quotes"),
        ("a: b", "1:2: a colon; write `key = value`"),
        ("a", "1:1: `a` without a value; write `key = value` or `key { … }`"),
        ("a b = 1", "1:5: `=` behind a label; a labelled block has none"),
        ("a { b }", "1:5: `b` without a value; write `key = value` or `key { … }`"),
        ("= 1", "1:1: something else than a key; write `key = value` or `key { … }`"),
        ("true = 1", "1:1: something else than a key; write `key = value` or `key { … }`"),
        ("/* x", "1:1: a comment without an end; close it with */"),
        ("a = 1 / 2", "1:7: a lone slash; a comment begins with //, /* or #"),
        ("a = 1 é = ,\0", "1:11: no value behind the `=`; write one, or take the key out"),
        ("\0", "1:1: a character that means nothing here; remove it, or quote it"),
    ] {
        assert_eq!(flaw(text), says, "{text:?}");
    }
}

#[test]
fn nesting_past_the_limit_is_refused() {
    assert!(read(&format!("{}{}", "a {".repeat(64), "}".repeat(64)), 0).is_ok());
    assert!(flaw(&"a {".repeat(100_000)).contains("nested deeper than 64 levels"));
    assert!(flaw(&format!("a = {}", "[".repeat(100_000))).contains("nested deeper than 64 levels"));
    assert!(flaw(&"a = {".repeat(100_000)).contains("nested deeper than 64 levels"));
}

#[test]
fn nothing_makes_it_panic() {
    let seed = "vault { address = \"${x}\\n\" }\nsink \"file\" { mode = 0600, l = [1, -2.5, <<-E\n  x\n  E\n] }\n# é\n/**/ a = 0x1f";
    let places: Vec<usize> = seed.char_indices().map(|(at, _)| at).collect();
    for at in &places {
        let _any = read(&seed[..*at], 0);
        for piece in
            ["\"", "{", "}", "<<", "<<E\n", "\\", "\n", "\r", "0x", "-", ".", "é", "\0", "${", "/*", ","]
        {
            let _any = read(&format!("{}{piece}{}", &seed[..*at], &seed[*at..]), 0);
        }
    }
    for text in
        ["<<", "<<-", "<<E", "<<E\n", "<<E\r", "\"\\", "\"\\x", "\"\\u12", "\"${", "-", ".", "/", "/*"]
    {
        let _any = read(text, 0);
        let _any = read(&format!("a = {text}"), 0);
    }
}
