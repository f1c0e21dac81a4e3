//! One text of a configuration: its value, and how problems are shown on its lines.

use super::excerpt::excerpt;
use super::foreign::Places;
use super::keypath::KeyPath;
use super::mark::Mark;
use super::places::{Found, Marks, Span};
use super::problem::{Excerpt, Location, Problem, Severity};
use super::value::Value;
use super::yaml::{self, MAX_BYTES};
use super::yaml_error::{Flaw, NOT_YAML};

/// A key that is longer is not shown.
const LONGEST_KEY: usize = 100;

/// A text with the marks of its keys and values.
#[derive(Debug)]
pub(super) struct Document {
    pub(super) name: String,
    text: String,
    layout: Layout,
}

/// The way in which keys are found in a text.
#[derive(Debug)]
enum Layout {
    /// The keys stand in the text as they are.
    Yaml(Marks),
    /// The keys were made of those of another program.
    Foreign(Places),
}

impl Document {
    /// Reads `bytes`, which messages call `name`.
    ///
    /// # Errors
    /// Everything that keeps it from being read.
    pub(super) fn read(name: &str, bytes: &[u8]) -> Result<(Self, Value), Vec<Problem>> {
        let text = decoded(name, bytes)?;
        let (marks, value) = yaml::read(&text).map_err(|flaws| {
            flaws.into_iter().map(|flaw| flaw_of(name, &text, flaw, YAML)).collect::<Vec<_>>()
        })?;
        Ok((Self { name: name.to_owned(), text, layout: Layout::Yaml(marks) }, value))
    }

    /// Makes a document of a text in another program's language, of which `places` are known.
    pub(super) fn foreign(name: &str, text: String, places: Places) -> Self {
        Self { name: name.to_owned(), text, layout: Layout::Foreign(places) }
    }

    /// Turns the document into one of a foreign configuration, whose keys `places` finds.
    pub(super) fn into_foreign(self, places: impl FnOnce(Vec<Span>) -> Places) -> Self {
        let layout = match self.layout {
            Layout::Yaml(marks) => Layout::Foreign(places(marks.scalars)),
            layout @ Layout::Foreign(_) => layout,
        };
        Self { layout, ..self }
    }

    /// Returns whether the keys were made of those of another program.
    pub(super) const fn is_foreign(&self) -> bool {
        matches!(self.layout, Layout::Foreign(_))
    }

    /// Returns the place of `path`, or of the longest beginning of it that this text has.
    pub(super) fn find(&self, path: &KeyPath) -> Found {
        match &self.layout {
            Layout::Yaml(marks) => marks.find(path),
            Layout::Foreign(places) => places.find(path),
        }
    }

    fn scalars(&self) -> &[Span] {
        match &self.layout {
            Layout::Yaml(marks) => &marks.scalars,
            Layout::Foreign(places) => &places.spans,
        }
    }

    /// Returns where line `line` and column `column` of the text that `path` holds stand here. The place is exact
    /// for a literal block and for a text on one line. For other texts, it is where the value starts.
    pub(super) fn inside(&self, path: &KeyPath, value: &str, line: usize, column: usize) -> Mark {
        if let Layout::Foreign(places) = &self.layout {
            return places.inside(path, line, column);
        }
        let found = self.find(path);
        if found.literal {
            return self.in_block(found.value, value, line, column);
        }
        let Some(span) = self.scalars().iter().find(|span| span.start == found.value) else {
            return found.value;
        };
        let width = span.end.column.saturating_sub(span.start.column);
        let quotes = width.saturating_sub(value.chars().count());
        if found.inline.is_some() && span.start.line == span.end.line && line == 1 && matches!(quotes, 0 | 2)
        {
            return Mark { line: span.start.line, column: span.start.column + quotes / 2 + column - 1 };
        }
        found.value
    }

    /// Returns a place in a literal block. The block's lines are the text's, each without the indentation that its
    /// first non-empty line lost.
    fn in_block(&self, header: Mark, value: &str, line: usize, column: usize) -> Mark {
        let width = |line: &str| line.trim_end_matches('\r').chars().count();
        let below = self.text.lines().skip(header.line);
        let indent = value
            .lines()
            .zip(below)
            .find(|(inner, _)| !inner.trim().is_empty())
            .map_or(0, |(inner, outer)| width(outer).saturating_sub(width(inner)));
        Mark { line: header.line + line, column: indent + column }
    }

    /// Returns a mark as a place in this text.
    pub(super) fn place(&self, mark: Mark) -> Location {
        Location::at(&self.name, mark.line, mark.column)
    }

    /// Returns the line of `mark`; see [`excerpt`].
    pub(super) fn excerpt(&self, mark: Mark, reveal: bool) -> Option<Excerpt> {
        excerpt(&self.text, self.scalars(), mark, reveal)
    }
}

/// Returns `bytes` as text, if they are a text and not too many.
pub(super) fn decoded(name: &str, bytes: &[u8]) -> Result<String, Vec<Problem>> {
    if bytes.len() > MAX_BYTES {
        return Err(vec![Problem::whole(name, "larger than 8 MiB", "move templates to files of their own")]);
    }
    match std::str::from_utf8(bytes) {
        Ok(text) => Ok(text.strip_prefix('\u{feff}').unwrap_or(text).to_owned()),
        Err(error) => Err(vec![not_utf8(name, bytes, error.valid_up_to())]),
    }
}

/// The characters that stand behind a key in YAML.
pub(super) const YAML: &[char] = &[':'];
/// The characters that stand behind a key in HCL.
pub(super) const HCL: &[char] = &['=', '{'];

/// Returns a problem in a text whose marks are not known. Of the line, only the key is shown, which ends with one
/// of `ends`.
pub(super) fn flaw_of(name: &str, text: &str, flaw: Flaw, ends: &[char]) -> Problem {
    // One grammar reads both, and a person who writes JSON looks for a mistake in JSON.
    let json = name.ends_with(".json") && flaw.message.starts_with(NOT_YAML);
    let message = if json { flaw.message.replacen(NOT_YAML, "not valid JSON", 1) } else { flaw.message };
    Problem {
        severity: Severity::Error,
        place: Location::at(name, flaw.mark.line, flaw.mark.column),
        key: String::new(),
        message,
        hint: flaw.hint,
        excerpt: text.lines().nth(flaw.mark.line - 1).map(|line| key_of(line, flaw.mark.column, ends)),
    }
}

/// Returns a line with its key only. If the column is in what is left out, the caret is there.
fn key_of(line: &str, column: usize, ends: &[char]) -> Excerpt {
    let words = line.find(|c: char| !(c.is_alphanumeric() || matches!(c, ' ' | '\t' | '_' | '-' | '.')));
    let key = match words {
        Some(end) if end < LONGEST_KEY && line[end..].starts_with(ends) => {
            let opens = if line[end..].starts_with('{') { "{" } else { &line[end..=end] };
            let spare = if opens == "{" { "" } else { " " };
            format!("{}{opens}{spare}", &line[..end])
        }
        _ => line.chars().take_while(|c| matches!(c, ' ' | '\t')).take(LONGEST_KEY).collect(),
    };
    let hidden = key.chars().count();
    let rest = line.chars().nth(hidden).is_some();
    Excerpt { text: if rest { key + "…" } else { key }, caret: (column - 1).min(hidden) }
}

fn not_utf8(name: &str, bytes: &[u8], valid: usize) -> Problem {
    // Valid up to there, so this cannot lose anything.
    let before = String::from_utf8_lossy(&bytes[..valid]);
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().map_or(0, |rest| rest.chars().count()) + 1;
    let mut problem = Problem::whole(name, "not UTF-8", "save it as UTF-8");
    problem.place = Location::at(name, line, column);
    problem
}
