//! A problem of a configuration, for a person: where it is, what is wrong or unwise, what to do, and the line
//! itself with a caret.

use std::{fmt, io};

use serde::Serialize;

use leasehold_base::exit::{Cause, Ending};

/// The severity of a [`Problem`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Nothing runs with this.
    Error,
    /// It runs, but should be known: an insecure choice, or a value that overrides another.
    Warning,
}

/// A place in a text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Location {
    /// The file's name as given, `standard input`, a variable or a flag.
    pub source: String,
    /// The line, from 1; `None` if the source has no lines.
    pub line: Option<usize>,
    /// The column in characters, from 1; `None` if the source has no lines.
    pub column: Option<usize>,
}

impl Location {
    /// Returns the place that is a source as a whole.
    pub fn whole(source: impl Into<String>) -> Self {
        Self { source: source.into(), line: None, column: None }
    }

    /// Returns the place of a line and a column, both from 1.
    pub fn at(source: impl Into<String>, line: usize, column: usize) -> Self {
        Self { source: source.into(), line: Some(line), column: Some(column) }
    }
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.source)?;
        for number in [self.line, self.column].into_iter().flatten() {
            write!(f, ":{number}")?;
        }
        Ok(())
    }
}

/// Something that is wrong or unwise. Its texts name keys and paths, never a credential.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// How bad the problem is.
    pub severity: Severity,
    /// The place of the problem.
    #[serde(flatten)]
    pub place: Location,
    /// The key it is about, as `files[2].mode`; empty for the text as a whole.
    pub key: String,
    /// The problem in words: a lowercase fragment.
    pub message: String,
    /// The advice; empty if the message says it already.
    pub hint: String,
    /// The line it stands on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub excerpt: Option<Excerpt>,
}

/// A source line to show, other values on it and possible credentials replaced by `…`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Excerpt {
    /// The line.
    pub text: String,
    /// The character that is meant, from 0. It is not the column, since text was replaced.
    pub caret: usize,
}

impl Problem {
    /// Makes an error about a source as a whole.
    pub fn whole(source: impl Into<String>, message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self {
            severity: Severity::Error,
            place: Location::whole(source),
            key: String::new(),
            message: message.into(),
            hint: hint.into(),
            excerpt: None,
        }
    }

    /// Returns `config.yaml:12:5: warning: …`: the first line of what a person is shown.
    #[must_use]
    pub fn one_line(&self) -> String {
        let warning = if self.severity == Severity::Warning { "warning: " } else { "" };
        format!("{}: {warning}{}", self.place, self.advice())
    }

    /// Returns `config.yaml:12:5: unknown key …; did you mean …?`, for a log, which shows the severity itself.
    #[must_use]
    pub fn words(&self) -> String {
        format!("{}: {}", self.place, self.advice())
    }

    /// Returns whether a file was there and could not be read for lack of permission.
    #[must_use]
    pub fn is_unreadable(&self) -> bool {
        self.severity == Severity::Error
            && self.message.ends_with(&io_words(&io::ErrorKind::PermissionDenied.into()))
    }

    /// Returns what is wrong and what to do, without the place.
    #[must_use]
    pub fn advice(&self) -> String {
        if self.hint.is_empty() { self.message.clone() } else { format!("{}; {}", self.message, self.hint) }
    }
}

/// Shows several lines: the one-line form, the source line, and a caret below the place.
impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.one_line())?;
        let (Some(line), Some(Excerpt { text, caret })) = (self.place.line, &self.excerpt) else {
            return Ok(());
        };
        let number = line.to_string();
        let margin = " ".repeat(number.len());
        // Tabs stay tabs, so that the caret stands right whatever their width.
        let indent: String = text.chars().take(*caret).map(|c| if c == '\t' { '\t' } else { ' ' }).collect();
        write!(f, "\n {margin} |\n {number} | {text}\n {margin} | {indent}^")
    }
}

/// A configuration that was refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rejected {
    /// [`Cause::Config`], or [`Cause::Usage`] if no configuration was named.
    pub cause: Cause,
    /// Everything found, errors and warnings, in the order of the text; at least one error.
    pub problems: Vec<Problem>,
}

impl Rejected {
    /// Makes a rejection with the one error that stopped the reading.
    #[must_use]
    pub fn one(cause: Cause, problem: Problem) -> Self {
        Self { cause, problems: vec![problem] }
    }

    /// Returns the errors among the problems.
    pub fn errors(&self) -> impl Iterator<Item = &Problem> {
        self.problems.iter().filter(|problem| problem.severity == Severity::Error)
    }

    /// Returns the last line on standard error: the first error, and the number of the others.
    #[must_use]
    pub fn ending(&self) -> Ending {
        let Some(first) = self.errors().next() else { return self.refused() };
        let what = format!("{}: {}", first.place, first.message);
        let hint = match self.errors().count() {
            1 => first.hint.clone(),
            all if first.hint.is_empty() => format!("the first of {all} errors"),
            all => format!("{} (the first of {all} errors)", first.hint),
        };
        Ending::new(self.cause, what, hint)
    }

    /// Returns the last line if every problem was shown already. It says no text a second time.
    #[must_use]
    pub fn ending_of_a_report(&self) -> Ending {
        let Some(first) = self.errors().next() else { return self.refused() };
        let key = if first.key.is_empty() { String::new() } else { format!(" in `{}`", first.key) };
        let what = match self.errors().count() {
            1 => format!("{}: an error{key}", first.place),
            all => format!("{all} errors, the first at {}{key}", first.place),
        };
        Ending::new(self.cause, what, "fix what is shown above")
    }

    /// Shows a person every problem as `paint` has it, and returns the last line. One that shows no line of a text is
    /// that last line, and is not shown before.
    pub fn show(&self, output: &mut dyn io::Write, paint: &dyn Fn(&Problem) -> String) -> Ending {
        if let [only] = self.problems.as_slice()
            && only.excerpt.is_none()
        {
            return self.ending();
        }
        for problem in &self.problems {
            // A closed standard error must not hide the exit code.
            let _closed = writeln!(output, "{}\n", paint(problem));
        }
        self.ending_of_a_report()
    }

    /// Returns what is logged line by line before the last line, which is [`Self::ending`].
    pub fn others(&self) -> impl Iterator<Item = &Problem> {
        let first = self.problems.iter().position(|problem| problem.severity == Severity::Error);
        self.problems.iter().enumerate().filter(move |(at, _)| Some(*at) != first).map(|(_, problem)| problem)
    }

    /// Returns the ending of a rejection with no error at all. Nothing makes such a rejection.
    fn refused(&self) -> Ending {
        Ending::new(self.cause, "the configuration was refused", "")
    }
}

/// The number by which Linux says that links lead in a circle. The kind for it is not stable.
const ELOOP: i32 = 40;

/// Returns an I/O error in the words of the shell, without the number that the system's own text ends with.
#[must_use]
pub fn io_words(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => "no such file".to_owned(),
        io::ErrorKind::IsADirectory => "it is a folder".to_owned(),
        _ if error.raw_os_error() == Some(ELOOP) => "its links lead in a circle".to_owned(),
        kind => kind.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_circle_of_links_is_known_by_the_number_of_the_system() {
        assert_eq!(ELOOP, nix::libc::ELOOP);
    }

    #[test]
    fn a_problem_shows_its_line_with_a_caret() {
        let problem = Problem {
            severity: Severity::Error,
            place: Location::at("config.yaml", 12, 5),
            key: "files[0].templte".into(),
            message: "unknown key `templte`".into(),
            hint: "did you mean `template`?".into(),
            excerpt: Some(Excerpt { text: "    templte: …".into(), caret: 4 }),
        };
        assert_eq!(
            problem.to_string(),
            "config.yaml:12:5: unknown key `templte`; did you mean `template`?\n    |\n 12 |     templte: …\n    |     ^"
        );
        assert_eq!(problem.words(), "config.yaml:12:5: unknown key `templte`; did you mean `template`?");
    }

    #[test]
    fn a_person_reads_each_problem_once_and_then_where_to_begin() {
        let told = |problems: Vec<Problem>| {
            let mut shown = Vec::new();
            let ending = Rejected { cause: Cause::Config, problems }.show(&mut shown, &Problem::to_string);
            (String::from_utf8(shown).expect("text"), ending.to_string())
        };
        let bare = Problem::whole("a.yaml", "is empty", "write one");
        let mut lined = Problem { place: Location::at("a.yaml", 1, 2), ..bare.clone() };
        lined.key = "files[0].mode".into();
        lined.excerpt = Some(Excerpt { text: "x".into(), caret: 0 });
        assert_eq!(
            told(vec![bare.clone()]),
            (String::new(), "leasehold: a.yaml: is empty; write one".into())
        );
        assert_eq!(
            told(vec![lined.clone()]),
            (
                "a.yaml:1:2: is empty; write one\n   |\n 1 | x\n   | ^\n\n".into(),
                "leasehold: a.yaml:1:2: an error in `files[0].mode`; fix what is shown above".into()
            )
        );
        let (shown, last) = told(vec![bare, lined]);
        assert_eq!(shown.matches("is empty").count(), 2);
        assert_eq!(last, "leasehold: 2 errors, the first at a.yaml; fix what is shown above");
    }

    #[test]
    fn a_log_has_each_problem_once_the_first_error_last() {
        let warning = Problem { severity: Severity::Warning, ..Problem::whole("a", "is odd", "") };
        let problems = vec![warning, Problem::whole("b", "is bad", ""), Problem::whole("c", "is worse", "")];
        let rejected = Rejected { cause: Cause::Config, problems };
        assert_eq!(rejected.others().map(Problem::words).collect::<Vec<_>>(), ["a: is odd", "c: is worse"]);
        assert_eq!(rejected.ending().to_string(), "leasehold: b: is bad; the first of 2 errors");
    }

    #[test]
    fn the_exit_line_counts_what_it_does_not_show() {
        let problem = Problem::whole("a.yaml", "is empty", "write one");
        let rejected = Rejected { cause: Cause::Config, problems: vec![problem.clone(), problem] };
        assert_eq!(
            rejected.ending().to_string(),
            "leasehold: a.yaml: is empty; write one (the first of 2 errors)"
        );
    }
}
