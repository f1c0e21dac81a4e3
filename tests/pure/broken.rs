//! Configurations that are broken, each in one way that people break them (`tests/broken`): what `leasehold
//! check` says about each stands beside it, names the place and the mend, and shows the line with a caret.
//!
//! `BLESS=1 cargo test --test pure broken::` writes what is said anew; read it as somebody who sees it first.

use std::fs;
use std::path::PathBuf;

use crate::support::{Finished, Leasehold, Messages, Workspace, repository};
use serde_json::Value;

fn folder() -> PathBuf {
    repository().join("tests/broken")
}

/// The names of all, sorted.
fn names() -> Vec<String> {
    let entries = fs::read_dir(folder()).expect("the folder is in the repository");
    let mut names: Vec<String> = entries
        .map(|entry| entry.expect("it can be listed").file_name().into_string().expect("a name is text"))
        .filter(|name| [".yaml", ".hcl", ".json"].iter().any(|ending| name.ends_with(ending)))
        .collect();
    names.sort();
    assert!(names.len() >= 60, "{} broken configurations", names.len());
    names
}

/// What is said about the configuration called `name` in the folder, in a shape.
fn check(space: &Workspace, name: &str, shape: &str) -> Finished {
    let run = Leasehold::new(space).within(&folder());
    run.run(&["check", "--format", shape, "--config", name]).expect_code(78)
}

/// All of it: standard output, and the last line.
fn said(finished: &Finished) -> String {
    format!("{}{}\n", finished.stdout, finished.last_line())
}

/// Fails unless each problem has a place, a mend, and words of ours.
fn fit(name: &str, report: &Value) {
    let problems = report["problems"].as_array().expect("a list");
    assert!(problems.iter().any(|problem| problem["severity"] == "error"), "{name}: {report}");
    for problem in problems {
        let [message, hint, source] =
            ["message", "hint", "source"].map(|key| problem[key].as_str().unwrap_or_default());
        assert!(!message.is_empty() && !hint.is_empty(), "{name}: no mend: {problem}");
        // What another program does by default, which is warned of, stands nowhere.
        let place = problem["line"].is_u64() && problem["column"].is_u64();
        assert!(place || problem["severity"] == "warning", "{name}: no place: {problem}");
        assert!(source == name || source.starts_with("templates/"), "{name}: {problem}");
        // What parsers say among themselves, and what would be a bug.
        for word in ["serde", "libyaml", "panicked", "invalid type", "expected struct", "Error", "os error"] {
            assert!(!message.contains(word) && !hint.contains(word), "{name}: {word}: {problem}");
        }
    }
}

#[test]
fn what_is_said_about_each_broken_configuration_is_what_stands_beside_it() {
    let space = Workspace::new();
    let bless = std::env::var_os("BLESS").is_some();
    let mut behind = Vec::new();
    for name in names() {
        let beside = folder().join(format!("{name}.txt"));
        let said = said(&check(&space, &name, "text"));
        if bless {
            fs::write(&beside, &said).expect("the repository can be written");
        } else if fs::read_to_string(&beside).unwrap_or_default() != said {
            behind.push(format!("{name} says now:\n{said}"));
        }
    }
    assert!(
        behind.is_empty(),
        "{}\nrun BLESS=1 cargo test --test pure broken::, and read it",
        behind.join("\n")
    );
}

#[test]
fn every_message_has_a_place_and_a_mend_and_shows_no_more_than_it_must() {
    let (space, messages) = (Workspace::new(), Messages::read());
    let mut unlisted = Vec::new();
    for name in names() {
        let finished = check(&space, &name, "json");
        let report: Value = serde_json::from_str(&finished.stdout).expect("JSON");
        fit(&name, &report);
        finished.assert_silent_about("hunter2");
        let said = report["problems"].as_array().into_iter().flatten();
        let said = said.filter_map(|problem| problem["message"].as_str());
        let words = said.map(|message| message.strip_prefix("template: ").unwrap_or(message).to_owned());
        unlisted.extend(words.filter(|words| !messages.has(words)));
    }
    assert!(
        unlisted.is_empty(),
        "docs/reference/errors.md, which is made of the source, lacks {unlisted:#?}"
    );
}

#[test]
fn no_text_beside_a_configuration_is_left_from_another() {
    let names = names();
    for entry in fs::read_dir(folder()).expect("the folder is in the repository") {
        let name = entry.expect("it can be listed").file_name().into_string().expect("a name is text");
        let owner = name.strip_suffix(".txt").unwrap_or(&name);
        assert!(owner == "templates" || names.iter().any(|name| name == owner), "{name}");
    }
}

#[test]
fn a_configuration_larger_than_the_cap_is_refused_before_it_is_read() {
    let space = Workspace::new();
    let large = space.file("large.yaml", format!("# {}\n", "x".repeat(8 << 20)));
    let finished = Leasehold::new(&space).run(&["check", "--config", &large.to_string_lossy()]);
    let finished = finished.expect_code(78);
    let expected = format!("{}: larger than 8 MiB; move templates to files of their own", large.display());
    assert!(finished.stdout.starts_with(&expected), "{}", finished.stdout);
}
