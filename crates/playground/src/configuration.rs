//! A configuration, as `leasehold check --elsewhere` and `leasehold convert` read it: a leasehold.yaml, or an
//! agent.hcl.

use std::io;
use std::path::{Path, PathBuf};

use leasehold_base::tree::Tree;
use leasehold_config::foreign::convert;
use leasehold_config::plan::{Plan, Target};
use leasehold_config::problem::{Location, Problem, Severity};
use leasehold_config::read::{Inputs, Seen, Text, read};
use leasehold_config::report::{Checked, counts, problems};
use leasehold_template::{Secret, functions};

use crate::answer::number;

/// The language of a configuration.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Language {
    /// Leasehold's own.
    Yaml,
    /// The language of Vault Agent, consul-template and envconsul.
    Hcl,
}

/// What is known of a configuration.
pub(crate) struct Report {
    checked: Checked,
    /// The configuration in Leasehold's own language, if it was written in another.
    converted: Option<String>,
}

/// The folder against which relative paths in another program's configuration are resolved. Services and containers
/// start there.
const FOLDER: &str = "/";

/// Checks `text`, and converts it if it is not in our own language.
pub(crate) fn report(language: Language, text: &Secret) -> Report {
    let name = match language {
        Language::Yaml => "leasehold.yaml",
        Language::Hcl => "agent.hcl",
    };
    let texts = [Text { name: name.to_owned(), bytes: text.expose().to_vec() }];
    let checked = read(&Inputs {
        texts: &texts,
        flags: &[],
        env: &|_| None,
        read_file: &file,
        functions: functions::all(),
        look: Some(&|_| Seen::Unknown),
        elsewhere: true,
        folder: Path::new(FOLDER),
    });
    // Why it could not be converted is among the problems.
    let converted = (language == Language::Hcl)
        .then(|| convert(&texts, Path::new(FOLDER), &file, None).ok())
        .flatten()
        .map(|converted| converted.yaml);
    Report { checked, converted }
}

/// Reads a file that a configuration names. A browser has none, but every machine has users and groups.
fn file(path: &Path) -> io::Result<Vec<u8>> {
    match path.to_str() {
        Some("/etc/passwd" | "/etc/group") => Ok(Vec::new()),
        _ => Err(io::ErrorKind::NotFound.into()),
    }
}

impl Report {
    pub(crate) fn to_tree(&self) -> Tree {
        let mut pairs = vec![
            ("good", Tree::Bool(self.checked.is_ok())),
            ("summary", Tree::text(counts(&self.checked).join(", "))),
            ("problems", Tree::list(problems(&self.checked).iter().map(problem))),
        ];
        if let Ok((plan, _)) = &self.checked {
            pairs.push((
                "files",
                Tree::list(files(plan).iter().map(|path| Tree::text(path.to_string_lossy().as_ref()))),
            ));
        }
        if let Some(yaml) = &self.converted {
            pairs.push(("output", Tree::text(yaml.as_str())));
        }
        Tree::map(pairs)
    }
}

/// Returns the paths of the files that a run writes.
fn files(plan: &Plan) -> Vec<PathBuf> {
    let place = |target: &Target| match target {
        Target::Member(path) => plan.secrets_dir.as_deref().map(|folder| folder.join(path)),
        Target::Alone(path) => Some(path.clone()),
    };
    plan.files
        .iter()
        .filter(|file| !file.target.is_nowhere())
        .filter_map(|file| place(&file.target))
        .collect()
}

/// Returns a problem as `leasehold check --format json` has it.
fn problem(problem: &Problem) -> Tree {
    let Problem { severity, place: Location { source, line, column }, key, message, hint, excerpt } = problem;
    let severity = match severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
    };
    let place = |at: &Option<usize>| at.map_or(Tree::Null, number);
    let mut pairs = vec![
        ("severity", Tree::text(severity)),
        ("source", Tree::text(source.as_str())),
        ("line", place(line)),
        ("column", place(column)),
        ("key", Tree::text(key.as_str())),
        ("message", Tree::text(message.as_str())),
        ("hint", Tree::text(hint.as_str())),
    ];
    if let Some(excerpt) = excerpt {
        let (text, caret) = (Tree::text(excerpt.text.as_str()), number(excerpt.caret));
        pairs.push(("excerpt", Tree::map([("text", text), ("caret", caret)])));
    }
    Tree::map(pairs)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use serde_json::Value;

    use super::*;

    /// Returns the configurations of a folder of the repository, each with its path and its language.
    fn all(folder: &str) -> Vec<(PathBuf, Language)> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(folder);
        let files = fs::read_dir(folder)
            .expect("the folder is in the repository")
            .map(|entry| entry.expect("an entry").path());
        let language = |path: &Path| match path.extension()?.to_str()? {
            "yaml" => Some(Language::Yaml),
            "hcl" => Some(Language::Hcl),
            _ => None,
        };
        files.filter_map(|path| language(&path).map(|language| (path, language))).collect()
    }

    fn answer(path: &Path, language: Language) -> (Report, Value) {
        let report = report(language, &Secret::new(fs::read(path).expect("it can be read")));
        let json = serde_json::from_slice(&report.to_tree().to_json()).expect("JSON");
        (report, json)
    }

    #[test]
    fn every_problem_has_the_fields_of_check_in_json() {
        for (path, language) in [all("tests/broken"), all("tests/agents"), all("examples")].concat() {
            let (report, json) = answer(&path, language);
            let theirs = serde_json::to_value(problems(&report.checked)).expect("JSON");
            assert_eq!(json["problems"], theirs, "{}", path.display());
        }
    }

    /// What the program says of a broken configuration is recorded beside it. Only the program reads a template's file.
    #[test]
    fn what_is_said_of_broken_configurations_is_what_the_program_was_recorded_to_say() {
        let (mut alike, mut faults) = (0, Vec::new());
        for (path, language) in all("tests/broken") {
            let name = path.file_name().and_then(|name| name.to_str()).expect("a name");
            if name.contains("template-file") {
                continue;
            }
            let ours = if language == Language::Yaml { "leasehold.yaml" } else { "agent.hcl" };
            let (report, _) = answer(&path, language);
            let said: String =
                problems(&report.checked).iter().map(|problem| format!("{problem}\n\n")).collect();
            let said = said.replace(ours, name) + &counts(&report.checked).join(", ") + "\n";
            let recorded = path.with_file_name(format!("{name}.txt"));
            let recorded = fs::read_to_string(recorded).expect("it is in the repository");
            // Behind it is the last line on standard error.
            match recorded.strip_prefix(&said).map(|rest| rest.lines().count()) {
                Some(1) => alike += 1,
                _ => faults.push(format!("{said}\n--- recorded\n{recorded}")),
            }
        }
        assert!(faults.is_empty() && alike > 140, "{alike} alike, the others:\n{}", faults.join("\n"));
    }

    #[test]
    fn another_programs_configuration_comes_out_as_the_library_converts_it() {
        for (path, language) in all("tests/agents") {
            let (_, json) = answer(&path, language);
            let text = Text { name: "agent.hcl".to_owned(), bytes: fs::read(&path).expect("it can be read") };
            let converted = convert(&[text], Path::new("/"), &file, None).expect("one of theirs");
            assert_eq!(json["output"], converted.yaml, "{}", path.display());
        }
    }

    #[test]
    fn a_good_configuration_names_the_files_that_a_run_writes() {
        let text = "vault: {address: 'https://v:8200'}\nauth: {method: kubernetes, role: web}\nsecrets_dir: /run/s\n\
                    files: [{path: a, secret: kv/a}, {path: /etc/b, secret: kv/b}, {path: /dev/null, template: x}]\n";
        let report = report(Language::Yaml, &Secret::from(text));
        let json: Value = serde_json::from_slice(&report.to_tree().to_json()).expect("JSON");
        assert_eq!(json["files"], serde_json::json!(["/run/s/a", "/etc/b"]), "{json}");
        assert_eq!(
            (&json["good"], &json["summary"]),
            (&true.into(), &"3 files, 0 notifiers, 0 warnings".into())
        );
    }
}
