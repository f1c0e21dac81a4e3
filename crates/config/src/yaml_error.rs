//! Says why a text is not YAML, in words that a person can act on.

use libyaml_safer::Error;

use super::mark::Mark;

/// A flaw that keeps a text from being read.
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

/// The parser's complaints by a part of their wording: ours, what it is about, which a mark of its own has,
/// and what to do.
const WORDS: &[(&str, &str, &str, &str)] = &[
    ("tab character", TAB, "", SPACES),
    (
        "mapping values are not allowed",
        "a colon where no key can stand",
        "",
        "check the indentation, and quote a value that has a colon and a space in it",
    ),
    ("mapping keys are not allowed", "a `?` where no key can stand", "", "put the value in quotes"),
    (
        "did not find expected key",
        "neither a key nor the end of the map",
        "it starts",
        "check the indentation, and that every quote is closed",
    ),
    (
        "did not find expected '-'",
        "no `- ` where an entry of the list is due",
        "it starts",
        "check the indentation: the entries of a list start in one column",
    ),
    ("could not find expected ':'", "a key without a colon", "", "put a colon and a space after the key"),
    ("unexpected end of stream", "a quote that is never closed", "it opens", "close it"),
    ("unexpected document indicator", "a quote that is never closed", "it opens", "close it"),
    (
        "expected ',' or ']'",
        "a bracket that is not closed",
        "it opens",
        "close it with ], or put a comma between the values",
    ),
    (
        "expected ',' or '}'",
        "a brace that is not closed",
        "it opens",
        "close it with }, or put a comma between the entries",
    ),
    (
        "block sequence entries are not allowed",
        "a list that begins where none can",
        "",
        "put the list on the lines below its key",
    ),
    (
        "unknown escape character",
        "a backslash that escapes nothing",
        "",
        "double a backslash in double quotes, or use single quotes",
    ),
    ("character escape code", "an escape that names no character", "", "write it like \\u00e9"),
    ("hexdecimal number", "an escape that names no character", "", "write it like \\u00e9"),
    (
        "alphabetic or numeric character",
        "an anchor or alias without a name",
        "",
        "name it, or quote a value that starts with & or *",
    ),
    ("comment or line break", "text behind a `|` or `>`", "", "begin it on the next line"),
    ("indentation indicator", "an indentation of no columns", "", "take the number behind the `|` out"),
    (
        "node content",
        "nothing where a value is due",
        "",
        "write the value, and quote one that starts with a sign",
    ),
    ("unexpected ':'", "a colon within a value", "", "put the value in quotes"),
    (
        "document start",
        "text behind the end of all",
        "",
        "check the indentation, and that no bracket is closed twice",
    ),
    ("directive", DIRECTIVE, "", NO_DIRECTIVE),
    ("version number", DIRECTIVE, "", NO_DIRECTIVE),
    ("incompatible YAML", DIRECTIVE, "", NO_DIRECTIVE),
    ("tag", TAG, "", NO_TAG),
    ("expected '!'", TAG, "", NO_TAG),
    ("expected '>'", TAG, "", NO_TAG),
    ("whitespace", TAG, "", NO_TAG),
    ("URI", TAG, "", NO_TAG),
];

const TAB: &str = "a tab in the indentation";
const SPACES: &str = "indent with spaces, not tabs";
const DIRECTIVE: &str = "a directive (`%`) that means nothing here";
const NO_DIRECTIVE: &str = "take it out, or quote a value that starts with %";
const TAG: &str = "a tag (`!`) that means nothing here";
const NO_TAG: &str = "remove the tag: values need none";

/// Makes the flaw of a syntax error in `text`. Nothing of the text is repeated, because it may be a value.
pub(super) fn syntax(error: &Error, text: &str) -> Flaw {
    let problem = error.problem();
    let mark = error.problem_mark().or(error.context_mark()).map_or(Mark::START, Mark::from);
    if problem.contains("cannot start any token") {
        let (message, hint) = match character(text, mark) {
            Some('\t') => (TAB, SPACES),
            _ => ("a value that starts with a sign of YAML's own", "put it in quotes"),
        };
        return Flaw::new(mark, format!("{NOT_YAML}: {message}"), hint);
    }
    if problem.contains("node content") && is_end(text, mark) {
        let message = format!("{NOT_YAML}: a bracket or a brace that is not closed");
        return Flaw::new(mark, message, "close it with ] or }");
    }
    let Some((_, words, about, hint)) = WORDS.iter().find(|(part, ..)| problem.contains(part)) else {
        return Flaw::new(mark, NOT_YAML, "check the indentation, the quotes and the brackets here");
    };
    let context = error.context_mark().map(Mark::from);
    let start = context.filter(|start| !about.is_empty() && start.line != mark.line);
    let start = start.map_or_else(String::new, |start| format!(" ({about} on line {})", start.line));
    Flaw::new(mark, format!("{NOT_YAML}: {words}{start}"), *hint)
}

/// The beginning of every message about the language itself.
pub(super) const NOT_YAML: &str = "not valid YAML";

/// Makes the flaw of a key that is none, in `text`. Mostly it is a template that wants quotes.
pub(super) fn odd_key(mark: Mark, text: &str) -> Flaw {
    let before = Mark { column: (mark.column - 1).max(1), ..mark };
    if before != mark && [before, mark].map(|mark| character(text, mark)) == [Some('{'); 2] {
        let message = "a template without quotes: `{{` opens two maps in YAML";
        return Flaw::new(before, message, "put it in quotes, or on lines of its own below a `|`");
    }
    Flaw::new(mark, "a key that is not text", "write keys as plain words")
}

/// Makes the flaw of a value that is not what its tag says.
pub(super) fn unfit_tag(mark: Mark) -> Flaw {
    Flaw::new(mark, format!("{NOT_YAML}: a value that does not fit its tag"), NO_TAG)
}

/// Makes the flaw of a merge key whose value, at `mark`, is neither a map nor a list of maps.
pub(super) fn odd_merge(mark: Mark) -> Flaw {
    Flaw::new(
        mark,
        format!("{NOT_YAML}: a merge key (`<<`) of something else than a map"),
        "refer to a map: `<<: *base`",
    )
}

/// Returns true if nothing stands at `mark` or behind it.
fn is_end(text: &str, mark: Mark) -> bool {
    text.lines().count() <= mark.line && character(text, mark).is_none()
}

fn character(text: &str, mark: Mark) -> Option<char> {
    text.lines().nth(mark.line - 1)?.chars().nth(mark.column - 1)
}

/// Refuses what YAML has no characters for. The parser would too, but without saying where.
///
/// And what ends a line for YAML alone: with one of these every mark below would be a line off, and
/// the excerpt of a line would leave out the values of another. In JSON they are characters of a text,
/// which would become spaces.
pub(super) fn check_characters(text: &str) -> Result<(), Flaw> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let odd = |(offset, c): &(usize, char)| {
        !is_printable(*c) || *c == '\r' && !text[offset + 1..].starts_with('\n')
    };
    let Some((offset, c)) = text.char_indices().find(odd) else { return Ok(()) };
    let before = &text[..offset];
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().map_or(0, |rest| rest.chars().count()) + 1;
    let mark = Mark { line, column };
    Err(match c {
        '\r' => Flaw::new(mark, "a carriage return without a line feed", "end lines with a line feed"),
        '\u{85}' | '\u{2028}' | '\u{2029}' => Flaw::new(
            mark,
            "a line separator of Unicode",
            "remove it, or write it as an escape in double quotes",
        ),
        _ => Flaw::new(mark, "a control character", "remove it, or write it as an escape in double quotes"),
    })
}

/// Returns whether YAML 1.2 allows the character (production 1), without those that end a line for YAML alone.
fn is_printable(c: char) -> bool {
    matches!(c, '\t' | '\n' | '\r' | ' '..='~' | '\u{a0}'..='\u{2027}' | '\u{202a}'..='\u{d7ff}'
        | '\u{e000}'..='\u{fefe}' | '\u{ff00}'..='\u{fffd}' | '\u{10000}'..='\u{10ffff}')
}

#[cfg(test)]
mod tests {
    use super::NOT_YAML;
    use crate::yaml;

    #[test]
    fn whatever_the_parser_says_is_said_in_our_words_with_what_to_do() {
        for (text, words) in [
            ("a:\n  b: 1\n\tc: 2\n", "a tab in the indentation"),
            ("a: %b\n", "a value that starts with a sign of YAML's own"),
            ("a: b: c\n", "a colon where no key can stand"),
            ("a: {b: 1}\n}\n", "neither a key nor the end of the map (it starts on line 1)"),
            ("a: [\n", "a bracket or a brace that is not closed"),
            ("a: [b\n", "a bracket that is not closed (it opens on line 1)"),
            ("a: [, b]\n", "nothing where a value is due"),
            ("- a\nb: c\n", "no `- ` where an entry of the list is due (it starts on line 1)"),
            ("a: 1\nb\nc: 2\n", "a key without a colon"),
            ("a: 'b\n", "a quote that is never closed (it opens on line 1)"),
            ("a: 'b\n---\nc'\n", "a quote that is never closed (it opens on line 1)"),
            ("a: {b: c\n", "a brace that is not closed (it opens on line 1)"),
            ("a: - b\n", "a list that begins where none can"),
            ("a: \"\\q\"\n", "a backslash that escapes nothing"),
            ("a: \"\\xzz\"\n", "an escape that names no character"),
            ("a: \"\\ud800\"\n", "an escape that names no character"),
            ("a: & b\n", "an anchor or alias without a name"),
            ("a: |x\n  b\n", "text behind a `|` or `>`"),
            ("a: |0\n  b\n", "an indentation of no columns"),
            ("a: !b!c d\n", "a tag (`!`) that means nothing here"),
            ("a: !<b c\n", "a tag (`!`) that means nothing here"),
            ("%YAML 3.0\n---\na: b\n", "a directive (`%`) that means nothing here"),
            ("a: [", "a bracket or a brace that is not closed"),
            ("a: \"\\", "a backslash that escapes nothing"),
            ("a: !!int x\n", "a value that does not fit its tag"),
            ("a: {<<: 1}\n", "a merge key (`<<`) of something else than a map"),
            ("%YAML x\n---\na: b\n", "a directive (`%`) that means nothing here"),
        ] {
            let flaws = yaml::read(text).expect_err(text);
            let flaw = flaws.first().expect("one at least");
            assert_eq!(flaw.message.strip_prefix(NOT_YAML), Some(&*format!(": {words}")), "{text:?}");
            assert!(!flaw.hint.is_empty(), "{text:?}");
        }
    }
}
