//! What keeps a text from being YAML, in words a person can act on.

use libyaml_safer::Error;

use super::mark::Mark;

/// One thing that keeps a text from being read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Flaw {
    pub(super) mark: Mark,
    pub(super) message: String,
    pub(super) hint: String,
}

impl Flaw {
    pub(super) fn new(mark: Mark, message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { mark, message: message.into(), hint: hint.into() }
    }
}

/// What to do about the parser's usual complaints, by a part of their wording.
const HINTS: &[(&str, &str)] = &[
    ("tab character", "indent with spaces, not tabs"),
    (
        "character that cannot start any token",
        "indent with spaces, not tabs, and quote values that start with @ or `",
    ),
    (
        "mapping values are not allowed",
        "check the indentation, and quote a value that has a colon and a space in it",
    ),
    ("did not find expected key", "check the indentation, and that every quote is closed"),
    ("did not find expected '-'", "check the indentation: the entries of a list start in one column"),
    ("could not find expected ':'", "put a colon and a space after the key"),
    ("unexpected end of stream", "close the quote or the bracket"),
    ("did not find expected ','", "close the bracket, or put a comma between the values"),
    ("block sequence entries are not allowed", "put the list on the lines below its key"),
    ("unknown escape character", "double a backslash in double quotes, or use single quotes"),
    ("undefined tag handle", "remove the tag: values need none"),
];

/// A syntax error. The parser's texts are fixed, so none of them holds a value.
pub(super) fn syntax(error: &Error) -> Flaw {
    let problem = error.problem();
    let mark = error.problem_mark().or(error.context_mark()).map_or(Mark::START, Mark::from);
    let mut message = format!("not valid YAML: {problem}");
    if let Some(context) = error.context() {
        message = format!("{message} {context}");
        if let Some(start) = error.context_mark().map(Mark::from).filter(|start| start.line != mark.line) {
            message = format!("{message} that starts on line {}", start.line);
        }
    }
    let hint = HINTS.iter().find(|(part, _)| problem.contains(part)).map_or("", |(_, hint)| hint);
    Flaw::new(mark, message, hint)
}

/// Refuses what YAML has no characters for. The parser would too, but without saying where.
pub(super) fn check_characters(text: &str) -> Result<(), Flaw> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let Some(offset) = text.find(|c| !is_printable(c)) else { return Ok(()) };
    let before = &text[..offset];
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().map_or(0, |rest| rest.chars().count()) + 1;
    Err(Flaw::new(
        Mark { line, column },
        "a control character",
        "remove it, or write it as an escape in double quotes",
    ))
}

/// YAML 1.2, production 1.
fn is_printable(c: char) -> bool {
    matches!(c, '\t' | '\n' | '\r' | ' '..='~' | '\u{85}' | '\u{a0}'..='\u{d7ff}' | '\u{e000}'..='\u{fefe}'
        | '\u{ff00}'..='\u{fffd}' | '\u{10000}'..='\u{10ffff}')
}
