//! Our own cases with what Go was recorded to make of them. `tests/oracle/record.sh` records anew.

use std::fs;
use std::path::Path;

use leasehold::template::function::Functions;
use leasehold::template::unquote;

use super::case::{Case, Outcome};

/// The cases of a corpus file, with their first lines. The format is explained in tests/oracle/record.go.
fn read(path: &Path) -> Vec<(usize, Case, Outcome)> {
    let text = fs::read_to_string(path).expect("a corpus file");
    let mut cases = Vec::new();
    let mut open: Option<(usize, Case, Vec<&str>)> = None;
    let mut complete: Option<(usize, Case)> = None;
    for (index, line) in text.lines().enumerate() {
        let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
        match (&mut open, word) {
            (None, "case") => open = Some((index + 1, options(rest), Vec::new())),
            (Some((first, case, template)), "data") => {
                case.template = template.join("\n").into_bytes();
                case.data = rest.to_owned();
                complete = Some((*first, case.clone()));
                open = None;
            }
            (Some((.., template)), _) => template.push(line),
            (None, "want" | "parse" | "exec") => {
                let (first, case) = complete.take().expect("a case before its outcome");
                cases.push((first, case, outcome(word, rest)));
            }
            (None, _) => {
                assert!(line.is_empty() || line.starts_with('#'), "{}:{}", path.display(), index + 1)
            }
        }
    }
    assert!(open.is_none() && complete.is_none(), "{}: a case without an outcome: record it", path.display());
    cases
}

fn options(line: &str) -> Case {
    let mut case = Case { name: "corpus".to_owned(), ..Case::default() };
    for (key, value) in line.split_whitespace().filter_map(|field| field.split_once('=')) {
        match key {
            "missingkey" => case.missing_key = value.to_owned(),
            "left" => case.left = value.to_owned(),
            "right" => case.right = value.to_owned(),
            "numbers" => case.go_numbers = value == "go",
            "dot" => case.secret = value == "secret",
            _ => panic!("unknown option {key}"),
        }
    }
    case
}

fn outcome(word: &str, quoted: &str) -> Outcome {
    let bytes = unquote(quoted.as_bytes()).expect("quoted by Go");
    let text = || String::from_utf8(bytes.clone()).expect("UTF-8");
    match word {
        "parse" => Outcome::Parse(text()),
        "exec" => Outcome::Exec(text()),
        _ => Outcome::Output(bytes),
    }
}

#[test]
fn every_case_of_the_corpus_renders_as_go_recorded_it() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus/template");
    let functions = Functions::new();
    let mut count = 0;
    let mut report = String::new();
    for entry in fs::read_dir(folder).expect("the corpus") {
        let path = entry.expect("an entry").path();
        for (line, case, go) in read(&path) {
            count += 1;
            let ours = case.run(&functions);
            if !ours.agrees(&go) {
                report.push_str(&format!("\n{}:{line}\n  go   {go:?}\n  ours {ours:?}", path.display()));
            }
        }
    }
    assert!(count > 150, "the corpus is there: {count}");
    assert!(report.is_empty(), "{report}");
}
