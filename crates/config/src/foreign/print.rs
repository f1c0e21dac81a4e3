//! Our configuration as a YAML text for people: in the order of the reference, templates as they are
//! in literal blocks, and a comment for everything that has no equivalent.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use crate::value::{Mapping, Value};

use super::Reading;
use super::draft::{Note, Weight};
use crate::keypath::KeyPath;
use crate::keys::TOP;

/// Writes the text. Reading it gives the value of `reading` again.
pub(super) fn yaml(reading: &Reading) -> String {
    let sources: Vec<&str> = reading.documents.iter().map(|document| document.name.as_str()).collect();
    let mut page = Page { reading, notes: BTreeMap::new(), text: String::new() };
    for note in &reading.notes {
        page.notes.entry(page.home_of(note)).or_default().push(note);
    }
    page.comment(0, &format!("From {} by `leasehold convert`.", sources.join(", ")));
    page.comment(0, "What the other program does by default is written out, so that it can be tightened:");
    page.comment(0, "`missing_key: error`, `mode: \"0440\"`, `require_tmpfs: true`, `revoke: true`.");
    page.notes(0, &KeyPath::top());
    if let Value::Mapping(map) = &reading.value {
        page.map(0, map, &KeyPath::top());
    }
    page.text
}

struct Page<'r> {
    reading: &'r Reading,
    /// The notes, by the key that each is printed at.
    notes: BTreeMap<KeyPath, Vec<&'r Note>>,
    text: String,
}

impl Page<'_> {
    fn comment(&mut self, indent: usize, text: &str) {
        let one_line = text.replace(|c: char| c.is_control(), " ");
        let _infallible = writeln!(self.text, "{:indent$}# {one_line}", "");
    }

    /// Prints the notes on `home` itself.
    fn notes(&mut self, indent: usize, home: &KeyPath) {
        for note in self.notes.get(home).cloned().unwrap_or_default() {
            let place = self.reading.documents[note.at.source].place(note.at.mark);
            let word = match note.weight {
                Weight::Refused => "REFUSED",
                Weight::Lost => "lost",
                Weight::Partly => "note",
                Weight::Moot => "not needed",
            };
            let hint = if note.hint.is_empty() { String::new() } else { format!("; {}", note.hint) };
            self.comment(indent, &format!("{word}: `{}` ({place}): {}{hint}", note.key, note.message));
        }
    }

    /// Returns the part of the text that a note stands at: the nearest above what it is about.
    fn home_of(&self, note: &Note) -> KeyPath {
        let steps = note.home.steps().len();
        let there = (0..=steps).rev().map(|steps| note.home.first(steps));
        let mut blocks = there.filter(|path| matches!(self.value(path), Some(Value::Mapping(_))));
        blocks.next().unwrap_or_default()
    }

    fn value(&self, path: &KeyPath) -> Option<&Value> {
        use crate::keypath::Step;
        path.steps().iter().try_fold(&self.reading.value, |value, step| match step {
            Step::Key(name) => value.get(name),
            Step::Index(index) => value.item(*index),
        })
    }

    fn map(&mut self, indent: usize, map: &Mapping, at: &KeyPath) {
        let mut entries: Vec<(&str, &Value)> =
            map.iter().filter_map(|(key, value)| Some((key.as_str()?, value))).collect();
        if at.steps().is_empty() {
            // As in the reference; what it does not have comes last.
            entries
                .sort_by_key(|(name, _)| TOP.iter().position(|key| key.name == *name).unwrap_or(TOP.len()));
        }
        for (name, value) in entries {
            let _infallible = write!(self.text, "{:indent$}{}:", "", key(name));
            self.below(indent + 2, value, &at.key(name));
        }
    }

    /// Prints what stands behind a colon or a dash.
    fn below(&mut self, indent: usize, value: &Value, at: &KeyPath) {
        match value {
            Value::Mapping(map) if !map.is_empty() => {
                self.text.push('\n');
                self.notes(indent, at);
                self.map(indent, map, at);
            }
            Value::Sequence(items) if items.iter().any(Value::is_mapping) => {
                self.text.push('\n');
                for (index, item) in items.iter().enumerate() {
                    self.item(indent, item, &at.index(index));
                }
            }
            Value::String(text) if is_block(text) => block(&mut self.text, indent, text),
            value => {
                let _infallible = writeln!(self.text, " {}", flow(value));
            }
        }
    }

    fn item(&mut self, indent: usize, item: &Value, at: &KeyPath) {
        self.notes(indent, at);
        match item {
            Value::Mapping(map) if !map.is_empty() => {
                let start = self.text.len();
                self.map(indent + 2, map, at);
                // The first key stands behind the dash.
                self.text.replace_range(start + indent..start + indent + 1, "-");
            }
            item => {
                let _infallible = writeln!(self.text, "{:indent$}- {}", "", flow(item));
            }
        }
    }
}

/// Returns a key, in quotes unless it is a plain word.
fn key(name: &str) -> String {
    let plain = name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-'));
    let word = plain && name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_') && !is_special(name);
    if word { name.to_owned() } else { quoted(name) }
}

/// Returns a value on one line.
fn flow(value: &Value) -> String {
    match value {
        Value::Null => "null".to_owned(),
        Value::Bool(flag) => flag.to_string(),
        Value::Number(number) => number.to_string(),
        Value::String(text) if is_plain(text) => text.clone(),
        Value::String(text) => quoted(text),
        Value::Sequence(items) => format!("[{}]", items.iter().map(flow).collect::<Vec<_>>().join(", ")),
        Value::Mapping(map) => {
            let entry = |(name, value): (&Value, &Value)| format!("{}: {}", flow(name), flow(value));
            format!("{{{}}}", map.iter().map(entry).collect::<Vec<_>>().join(", "))
        }
        Value::Tagged(tagged) => flow(tagged),
    }
}

/// Returns whether a text means itself without quotes in every version of YAML: a path, a word, a duration.
fn is_plain(text: &str) -> bool {
    let letters = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.' | '/');
    if text.starts_with(|c: char| c.is_ascii_digit()) {
        // A duration. An exponent or a hexadecimal number has other letters.
        return text.chars().all(|c| c.is_ascii_digit() || "smhd".contains(c))
            && text.ends_with(char::is_alphabetic);
    }
    text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '/')
        && text.chars().all(letters)
        && !is_special(text)
}

/// Returns whether some version of YAML reads the word as something else than text.
fn is_special(text: &str) -> bool {
    matches!(
        text.to_ascii_lowercase().as_str(),
        "true" | "false" | "yes" | "no" | "on" | "off" | "y" | "n" | "null"
    )
}

/// Returns the text in quotes. JSON's strings are YAML's.
fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if is_printable(c) => out.push(c),
            c if (c as u32) > 0xffff => {
                let _infallible = write!(out, "\\U{:08x}", c as u32);
            }
            c => {
                let _infallible = write!(out, "\\u{:04x}", c as u32);
            }
        }
    }
    out.push('"');
    out
}

/// Returns whether a character can stand in a YAML text as it is, and no reader takes it for the end of a line.
fn is_printable(c: char) -> bool {
    matches!(c, ' '..='~' | '\u{a0}'..='\u{2027}' | '\u{202a}'..='\u{d7ff}' | '\u{e000}'..='\u{fefe}'
        | '\u{ff00}'..='\u{fffd}' | '\u{10000}'..='\u{10ffff}')
}

/// Returns whether a text is shown line by line: it has several lines or is a template, and a block can hold its
/// characters.
fn is_block(text: &str) -> bool {
    let lines = text.contains('\n') || text.contains("{{");
    lines && !text.trim().is_empty() && text.chars().all(|c| is_printable(c) || matches!(c, '\n' | '\t'))
}

/// Writes a literal block. Its header says how many line ends the text ends with, and how far the block is indented
/// if its first line would mislead.
fn block(page: &mut String, indent: usize, text: &str) {
    let chomp = match text.len() - text.trim_end_matches('\n').len() {
        0 => "-",
        1 => "",
        _ => "+",
    };
    // The indentation is counted from the parent's, which is two less.
    let header = if text.starts_with([' ', '\t', '\n']) { "2" } else { "" };
    let _infallible = writeln!(page, " |{header}{chomp}");
    let body = text.strip_suffix('\n').unwrap_or(text);
    for line in body.split('\n') {
        if line.is_empty() {
            page.push('\n');
        } else {
            let _infallible = writeln!(page, "{:indent$}{line}", "");
        }
    }
}
