//! `leasehold check`: the configuration and its templates, offline; every problem at once.

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use serde::Serialize;

use super::output::write_out;
use crate::config::plan::Plan;
use crate::config::{Problem, Rejected, Severity, Sources};
use crate::exit::{Cause, Ending};

/// The shape of the report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Shape {
    /// For people: each problem with its line and a caret.
    Text,
    /// For editors and CI: one object.
    Json,
}

/// Checks what `configs` name, or else the environment, and reports on standard output.
///
/// # Errors
/// 78 where there is an error, the place of which the last line names; 64 where no configuration is named; 73
/// where standard output cannot be written.
pub fn run(configs: &[PathBuf], shape: Shape) -> Result<ExitCode, Ending> {
    report(Sources::new(configs).and_then(|sources| sources.check()), shape, &mut io::stdout().lock())
}

/// What `--format json` prints.
#[derive(Serialize)]
struct Report<'p> {
    ok: bool,
    errors: usize,
    warnings: usize,
    /// In the order of the texts.
    problems: &'p [Problem],
}

fn report(
    checked: Result<(Plan, Vec<Problem>), Rejected>,
    shape: Shape,
    output: &mut dyn Write,
) -> Result<ExitCode, Ending> {
    let problems = match &checked {
        Ok((_, notices)) => notices,
        Err(rejected) => &rejected.problems,
    };
    let errors = problems.iter().filter(|problem| problem.severity == Severity::Error).count();
    let warnings = problems.len() - errors;
    let text = match shape {
        Shape::Json => {
            let report = Report { ok: checked.is_ok(), errors, warnings, problems };
            serde_json::to_string_pretty(&report)
                .map_err(|error| Ending::new(Cause::Bug, format!("cannot write the report: {error}"), ""))?
        }
        Shape::Text => {
            let shown = problems.iter().map(|problem| format!("{problem}\n\n")).collect::<String>();
            shown + &summary(&checked, errors, warnings)
        }
    };
    write_out(output, format!("{text}\n").as_bytes())?;
    match checked {
        Ok(_) => Ok(ExitCode::SUCCESS),
        Err(rejected) => Err(rejected.ending_of_a_report()),
    }
}

fn summary(checked: &Result<(Plan, Vec<Problem>), Rejected>, errors: usize, warnings: usize) -> String {
    match checked {
        Ok((plan, _)) => format!(
            "good: {}, {}, {}",
            count(plan.files.len(), "file"),
            count(plan.notifiers.len(), "notifier"),
            count(warnings, "warning")
        ),
        Err(_) => format!("{}, {}", count(errors, "error"), count(warnings, "warning")),
    }
}

fn count(number: usize, what: &str) -> String {
    if number == 1 { format!("1 {what}") } else { format!("{number} {what}s") }
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
            folder: std::path::Path::new("/"),
        };
        let mut output = Vec::new();
        let result = report(read(&inputs), shape, &mut output);
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
            "c.yaml:3:16: warning: secrets may be written to a disk, where they outlive the machine; use a tmpfs and `require_tmpfs: true`
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
        let mut output = Vec::new();
        let ending =
            report(Sources::new(&[missing]).and_then(|sources| sources.check()), Shape::Text, &mut output)
                .expect_err("no such file");
        assert_eq!(
            (ending.cause, ending.what.as_str()),
            (Cause::Config, "/nowhere/leasehold.yaml: an error")
        );
        let text = String::from_utf8(output).expect("text");
        assert!(
            text.starts_with("/nowhere/leasehold.yaml: cannot be read: no such file; name a file"),
            "{text}"
        );
    }
}
