//! `leasehold check`: configurations and their templates, offline; every problem at once.

use std::io::{self, IsTerminal as _, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use serde::Serialize;

use super::output::{self, write_out};
use crate::commands::args::CheckArgs;
use crate::config::report::{Checked, counts, problems};
use crate::config::{Problem, Severity, Sources};
use crate::exit::{Cause, Ending};
use crate::observe::paint::{Paint, Palette};

/// The shape of the report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Shape {
    /// A report for people: each problem with its line and a caret.
    Text,
    /// A report for editors and CI: one object.
    Json,
}

/// Checks what the arguments name, or else the environment, and reports on standard output.
///
/// # Errors
/// 78 if there is an error, whose place the last line names; 64 if no configuration is named; 73 if standard output
/// cannot be written.
pub fn run(args: &CheckArgs) -> Result<ExitCode, Ending> {
    let check = |configs: &[PathBuf]| Sources::new(configs).and_then(|sources| sources.check(args.elsewhere));
    let all: Vec<(String, Checked)> = if args.each.is_empty() {
        vec![(String::new(), check(&args.config.config))]
    } else {
        let each = each(&args.each, &TAKEN)?;
        each.iter().map(|file| (file.display().to_string(), check(std::slice::from_ref(file)))).collect()
    };
    let mut output = io::stdout().lock();
    let palette = Palette::of(output.is_terminal());
    Report { strict: args.strict, shape: args.format, palette }.write(&all, &mut output)
}

/// The endings of the files that are taken of a folder.
const TAKEN: [&str; 4] = ["yaml", "yml", "hcl", "json"];

/// Returns the configurations that these names mean. Of a folder, those whose endings are `taken`, in the order of
/// their names.
pub(super) fn each(names: &[PathBuf], taken: &[&str]) -> Result<Vec<PathBuf>, Ending> {
    let mut files = Vec::new();
    for name in names {
        let before = files.len();
        match name.is_dir() {
            true => below(name, taken, &mut files).map_err(|why| {
                let what =
                    format!("cannot list {}: {}", name.display(), crate::config::problem::io_words(&why));
                Ending::new(Cause::Config, what, "let the user that Leasehold runs as read the folder")
            })?,
            false => files.push(name.clone()),
        }
        if files.len() == before {
            let (last, others) = taken.split_last().unwrap_or((&"", &[]));
            let what = format!("{} has no .{} or .{last} file", name.display(), others.join(", ."));
            return Err(Ending::new(Cause::Config, what, "name a file, or another folder"));
        }
    }
    Ok(files)
}

/// Collects the configurations in a folder and below it. Hidden ones are passed over: a mounted ConfigMap has its
/// files twice, the second time below `..data`.
fn below(folder: &Path, taken: &[&str], files: &mut Vec<PathBuf>) -> io::Result<()> {
    let mut entries = std::fs::read_dir(folder)?.collect::<io::Result<Vec<_>>>()?;
    entries.sort_by_key(std::fs::DirEntry::file_name);
    for entry in entries {
        let path = entry.path();
        if entry.file_name().as_encoded_bytes().starts_with(b".") {
            continue;
        }
        // A link to a folder may lead upwards, and round for ever.
        if entry.file_type()?.is_dir() {
            below(&path, taken, files)?;
        } else if path.extension().is_some_and(|ending| taken.iter().any(|taken| ending == *taken))
            && path.is_file()
        {
            files.push(path);
        }
    }
    Ok(())
}

/// The way in which a report is made.
struct Report {
    strict: bool,
    shape: Shape,
    palette: Palette,
}

/// The output of `--format json`.
#[derive(Serialize)]
struct Json<'p> {
    ok: bool,
    errors: usize,
    warnings: usize,
    /// The problems, in the order of the texts.
    problems: Vec<&'p Problem>,
}

impl Report {
    fn write(&self, all: &[(String, Checked)], output: &mut dyn Write) -> Result<ExitCode, Ending> {
        let text = match self.shape {
            Shape::Json => self.json(all)?,
            Shape::Text => all.iter().map(|(name, checked)| self.text(name, checked)).collect(),
        };
        write_out(output, text.as_bytes())?;
        let refused: Vec<Ending> = all.iter().filter_map(|(_, checked)| self.refusal(checked)).collect();
        match (&refused[..], all) {
            ([], _) => Ok(ExitCode::SUCCESS),
            ([only], [_]) => Err(only.clone()),
            _ => {
                let what = format!("{} of {} configurations are refused", refused.len(), all.len());
                Err(Ending::new(Cause::Config, what, "fix what is shown above"))
            }
        }
    }

    /// Returns why a configuration is refused, if it is.
    fn refusal(&self, checked: &Checked) -> Option<Ending> {
        match checked {
            Err(rejected) => Some(rejected.ending_of_a_report()),
            Ok((_, notices)) => notices.first().filter(|_| self.strict).map(|first| {
                let what = match notices.len() {
                    1 => format!("{}: a warning, and --strict", first.place),
                    all => format!("{all} warnings, the first at {}, and --strict", first.place),
                };
                Ending::new(Cause::Config, what, "fix what is shown above")
            }),
        }
    }

    fn json(&self, all: &[(String, Checked)]) -> Result<String, Ending> {
        let problems: Vec<&Problem> = all.iter().flat_map(|(_, checked)| problems(checked)).collect();
        let errors = problems.iter().filter(|problem| problem.severity == Severity::Error).count();
        let ok = all.iter().all(|(_, checked)| self.refusal(checked).is_none());
        let report = Json { ok, errors, warnings: problems.len() - errors, problems };
        serde_json::to_string_pretty(&report)
            .map(|text| text + "\n")
            .map_err(|error| Ending::new(Cause::Bug, format!("cannot write the report: {error}"), ""))
    }

    /// Returns the problems of one configuration, and a line on all of it. `name` is its name if it is one of
    /// several.
    fn text(&self, name: &str, checked: &Checked) -> String {
        let shown = problems(checked).iter().map(|problem| output::painted(problem, self.palette) + "\n\n");
        let name = if name.is_empty() { String::new() } else { format!("{name}: ") };
        let mut counts = counts(checked);
        let good = match checked {
            Ok(_) => self.palette.paint(Paint::Good, "good") + ": ",
            Err(_) => {
                counts[0] = self.palette.paint(Paint::Bad, &counts[0]);
                String::new()
            }
        };
        shown.collect::<String>() + &name + &good + &counts.join(", ") + "\n"
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::read::{Inputs, Text, read};

    fn check(yaml: &str, shape: Shape) -> (String, Result<ExitCode, Ending>) {
        let texts = [Text { name: "c.yaml".into(), bytes: yaml.into() }];
        let inputs = Inputs {
            texts: &texts,
            flags: &[],
            env: &|_| None,
            read_file: &|_| Err(io::ErrorKind::NotFound.into()),
            functions: crate::functions::all(),
            look: None,
            elsewhere: false,
            folder: std::path::Path::new("/"),
        };
        reported(&[(String::new(), read(&inputs))], shape, false)
    }

    fn reported(all: &[(String, Checked)], shape: Shape, strict: bool) -> (String, Result<ExitCode, Ending>) {
        let mut output = Vec::new();
        let result = Report { strict, shape, palette: Palette::PLAIN }.write(all, &mut output);
        (String::from_utf8(output).expect("text"), result)
    }

    const GOOD: &str = "\
vault: {address: 'https://v:8200'}
auth: {method: kubernetes, role: web}
require_tmpfs: false
files: [{path: /run/a, secret: kv/a}]
";

    #[test]
    fn a_good_configuration_is_summed_up_with_its_warnings() {
        let (text, result) = check(GOOD, Shape::Text);
        assert!(result.is_ok());
        assert_eq!(
            text,
            "c.yaml:3:16: warning: secrets may be written to a disk, where they outlive the run; use a tmpfs and `require_tmpfs: true`
   |
 3 | require_tmpfs: false
   |                ^

good: 1 file, 0 notifiers, 1 warning
"
        );
    }

    #[test]
    fn a_broken_configuration_is_78_and_its_last_line_says_where_to_begin() {
        let (text, result) = check(&GOOD.replace("files:", "flies:"), Shape::Text);
        assert!(text.ends_with("\n1 error, 1 warning\n"), "{text}");
        let ending = result.expect_err("an error");
        assert_eq!(ending.cause, Cause::Config);
        assert!(text.contains("c.yaml:4:1: unknown key `flies`; did you mean `files`?"), "{text}");
        assert_eq!(ending.to_string(), "leasehold: c.yaml:4:1: an error in `flies`; fix what is shown above");
    }

    #[test]
    fn json_has_every_field_an_editor_needs() {
        let (text, result) = check(&GOOD.replace("role: web", "role: 5"), Shape::Json);
        assert!(result.is_err());
        let json: serde_json::Value = serde_json::from_str(&text).expect("JSON");
        assert_eq!((&json["ok"], &json["errors"], &json["warnings"]), (&false.into(), &1.into(), &1.into()));
        assert_eq!(
            json["problems"][0],
            serde_json::json!({
                "severity": "error", "source": "c.yaml", "line": 2, "column": 34, "key": "auth.role",
                "message": "expected text, found a number", "hint": "put it in quotes",
                "excerpt": {"text": "auth: {method: …, role: 5}", "caret": 24},
            })
        );
    }

    #[test]
    fn a_configuration_that_is_not_there_is_an_error_that_names_it() {
        let missing = PathBuf::from("/nowhere/leasehold.yaml");
        let checked = Sources::new(&[missing]).and_then(|sources| sources.check(false));
        let (text, result) = reported(&[(String::new(), checked)], Shape::Text, false);
        let ending = result.expect_err("no such file");
        assert_eq!(
            (ending.cause, ending.what.as_str()),
            (Cause::Config, "/nowhere/leasehold.yaml: an error")
        );
        assert!(
            text.starts_with("/nowhere/leasehold.yaml: cannot be read: no such file; name a file"),
            "{text}"
        );
    }

    fn space() -> tempfile::TempDir {
        let space = tempfile::tempdir().expect("a folder");
        let write = |name: &str, text: &str| {
            let path = space.path().join(name);
            std::fs::create_dir_all(path.parent().expect("a folder")).expect("made");
            let mut file = std::fs::File::create(path).expect("made");
            file.write_all(text.as_bytes()).expect("written");
        };
        write("b/web.yaml", GOOD);
        write("a.yml", &GOOD.replace("files:", "flies:"));
        write("..data/a.yml", GOOD);
        write("notes.txt", "no configuration");
        space
    }

    #[test]
    fn every_configuration_of_a_folder_is_checked_by_itself() {
        let space = space();
        let files = each(&[space.path().to_owned()], &TAKEN).expect("a folder");
        let names: Vec<_> =
            files.iter().map(|file| file.strip_prefix(space.path()).expect("below")).collect();
        assert_eq!(names, [Path::new("a.yml"), Path::new("b/web.yaml")]);
        let all: Vec<_> = files
            .iter()
            .zip(["a.yml", "b/web.yaml"])
            .map(|(file, name)| {
                (name.to_owned(), Sources::new(std::slice::from_ref(file)).and_then(|one| one.check(true)))
            })
            .collect();
        let (text, result) = reported(&all, Shape::Text, false);
        assert!(text.contains("\na.yml: 1 error, 1 warning\n"), "{text}");
        assert!(text.ends_with("\nb/web.yaml: good: 1 file, 0 notifiers, 1 warning\n"), "{text}");
        let ending = result.expect_err("one is broken").to_string();
        assert_eq!(ending, "leasehold: 1 of 2 configurations are refused; fix what is shown above");
        let (json, _) = reported(&all, Shape::Json, false);
        let json: serde_json::Value = serde_json::from_str(&json).expect("JSON");
        assert_eq!((&json["ok"], &json["errors"], &json["warnings"]), (&false.into(), &1.into(), &2.into()));
    }

    #[test]
    fn a_folder_without_a_configuration_is_an_error() {
        let empty = tempfile::tempdir().expect("a folder");
        let ending = each(&[empty.path().to_owned()], &TAKEN).expect_err("nothing is there");
        assert_eq!(ending.cause, Cause::Config);
        assert!(ending.what.ends_with("has no .yaml, .yml, .hcl or .json file"), "{}", ending.what);
    }

    #[test]
    fn warnings_are_errors_where_that_is_asked_for() {
        let text = Text { name: "c.yaml".into(), bytes: GOOD.into() };
        let inputs = Inputs {
            texts: &[text],
            flags: &[],
            env: &|_| None,
            read_file: &|_| Err(io::ErrorKind::NotFound.into()),
            functions: crate::functions::all(),
            look: None,
            elsewhere: false,
            folder: Path::new("/"),
        };
        let (_, result) = reported(&[(String::new(), read(&inputs))], Shape::Text, true);
        let ending = result.expect_err("it has a warning").to_string();
        assert_eq!(ending, "leasehold: c.yaml:3:16: a warning, and --strict; fix what is shown above");
    }

    #[test]
    fn on_a_terminal_places_have_the_colour_of_what_is_there() {
        let mut problem = Problem::whole("a.yaml", "is empty", "");
        problem.place = crate::config::problem::Location::at("a.yaml", 1, 2);
        problem.excerpt = Some(crate::config::problem::Excerpt { text: "x^".into(), caret: 0 });
        let painted = output::painted(&problem, Palette::COLOURED);
        assert_eq!(
            painted,
            "\u{1b}[31ma.yaml:1:2\u{1b}[0m: is empty\n   |\n 1 | x^\n   | \u{1b}[31m^\u{1b}[0m"
        );
        assert_eq!(output::painted(&problem, Palette::PLAIN), problem.to_string());
    }
}
