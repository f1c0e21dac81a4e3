//! `leasehold convert -o DIR`: many configurations, each by itself, and what all of them lose.

use std::collections::BTreeMap;
use std::fs::{self, OpenOptions};
use std::io::{self, IsTerminal as _, Write as _};
use std::path::{Component, Path, PathBuf};
use std::process::ExitCode;

use super::check::each;
use super::output::{count, write_out};
use crate::config::foreign::convert;
use crate::config::problem::io_words;
use crate::config::{self, Problem, Severity, Sources, folder};
use crate::exit::{Cause, Ending};
use crate::observe::paint::{Paint, Palette};
use crate::observe::table::{self, Cell};

/// The endings of the files that are taken of a folder: those of the other programs.
const TAKEN: [&str; 2] = ["hcl", "json"];

/// The outcome of one file.
struct Outcome {
    file: String,
    /// The path that it was written to, or the reason why it was not.
    to: Result<PathBuf, String>,
    problems: Vec<Problem>,
}

impl Outcome {
    fn count(&self, severity: Severity) -> usize {
        self.problems.iter().filter(|problem| problem.severity == severity).count()
    }

    fn is_whole(&self) -> bool {
        self.to.is_ok() && self.count(Severity::Error) == 0
    }

    fn row(&self) -> [Cell; 3] {
        let (refused, lost) = (self.count(Severity::Error), self.count(Severity::Warning));
        let (to, state) = match &self.to {
            Err(why) => ("-".to_owned(), Cell(format!("not converted: {why}"), Paint::Bad)),
            Ok(to) if refused > 0 => (shown(to), Cell(format!("{refused} REFUSED"), Paint::Bad)),
            Ok(to) if lost > 0 => (shown(to), Cell(count(lost, "warning"), Paint::Doubtful)),
            Ok(to) => (shown(to), Cell("ok".to_owned(), Paint::Good)),
        };
        [self.file.clone().into(), to.into(), state]
    }
}

fn shown(path: &Path) -> String {
    path.display().to_string()
}

/// Converts each of `names` to a file of the same name in `to`, and reports on standard output. Of a folder, it
/// converts every file in it and below it.
///
/// # Errors
/// 78 if one cannot be converted, or loses what Leasehold refuses to do; 73 if standard output cannot be written.
pub(super) fn run(names: &[PathBuf], to: &Path) -> Result<ExitCode, Ending> {
    let outcomes: Vec<Outcome> = each(names, &TAKEN)?.iter().map(|file| one(file, to)).collect();
    let palette = Palette::of(io::stdout().is_terminal());
    write_out(&mut io::stdout().lock(), report(&outcomes, palette).as_bytes())?;
    match outcomes.iter().filter(|outcome| !outcome.is_whole()).count() {
        0 => Ok(ExitCode::SUCCESS),
        some => {
            let what =
                format!("{some} of {} configurations cannot be taken over as they are", outcomes.len());
            Err(Ending::new(Cause::Config, what, "see the report, and the comments that say REFUSED"))
        }
    }
}

fn one(file: &Path, to: &Path) -> Outcome {
    let name = shown(file);
    let failed = |why: String| Outcome { file: name.clone(), to: Err(why), problems: Vec::new() };
    let read = Sources::new(&[file.to_owned()]).and_then(|sources| sources.texts());
    match read.and_then(|texts| convert(&texts, &folder(), &config::read_file, None)) {
        Err(rejected) => {
            failed(rejected.problems.first().map_or_else(String::new, |problem| problem.message.clone()))
        }
        Ok(converted) => {
            let path = place(file, to);
            match written(&path, &converted.yaml) {
                Err(why) => failed(format!("cannot write {}: {}", path.display(), io_words(&why))),
                Ok(()) => Outcome { file: name, to: Ok(path), problems: converted.problems },
            }
        }
    }
}

/// Returns the same name below `to`, as YAML.
fn place(file: &Path, to: &Path) -> PathBuf {
    let names = file.components().filter(|part| matches!(part, Component::Normal(_)));
    to.join(names.collect::<PathBuf>()).with_extension("yaml")
}

/// Writes a file unless it is there: somebody may have gone on editing it.
fn written(path: &Path, text: &str) -> io::Result<()> {
    path.parent().map_or(Ok(()), fs::create_dir_all)?;
    OpenOptions::new().write(true).create_new(true).open(path)?.write_all(text.as_bytes())
}

fn report(outcomes: &[Outcome], palette: Palette) -> String {
    let rows = outcomes.iter().map(Outcome::row).collect();
    let mut lines = table::columns(["FILE", "TO", "RESULT"], rows, palette);
    // What many have in common is one thing to decide.
    let mut common: BTreeMap<(Severity, String), usize> = BTreeMap::new();
    for problem in outcomes.iter().flat_map(|outcome| &outcome.problems) {
        *common.entry((problem.severity, problem.advice())).or_default() += 1;
    }
    let mut common: Vec<_> = common.into_iter().collect();
    common.sort_by_key(|((severity, _), times)| (*severity, std::cmp::Reverse(*times)));
    let row = |((severity, what), times): ((Severity, String), usize)| {
        let what = match severity {
            Severity::Error => Cell(format!("REFUSED: {what}"), Paint::Bad),
            Severity::Warning => what.into(),
        };
        [format!("{times} x").into(), what]
    };
    if !common.is_empty() {
        lines.push(String::new());
        lines.extend(table::columns(["HOW OFTEN", "WHAT"], common.into_iter().map(row).collect(), palette));
    }
    let whole = outcomes.iter().filter(|outcome| outcome.is_whole()).count();
    lines.push(format!("\n{whole} of {} converted without a refusal", count(outcomes.len(), "file")));
    lines.into_iter().map(|line| line.trim_end().to_owned() + "\n").collect()
}
