//! Every example is taken by `leasehold check`, and says in its first line what it shows.

use std::fs;
use std::path::PathBuf;

use crate::support::{Leasehold, Workspace, repository};

fn examples() -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = fs::read_dir(repository().join("examples"))
        .expect("the folder is in the repository")
        .map(|entry| entry.expect("it can be listed").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "yaml"))
        .collect();
    files.sort();
    assert!(files.len() >= 9, "{files:?}");
    files
}

fn check(space: &Workspace) -> Leasehold {
    // One of them takes its token from the environment; a relative template is looked for from where we are.
    Leasehold::new(space).env("VAULT_TOKEN", "s.example").within(&repository().join("examples"))
}

#[test]
fn every_example_is_a_valid_configuration() {
    let space = Workspace::new();
    for file in examples() {
        let path = file.to_string_lossy();
        let finished = check(&space).run(&["check", "--config", &path]);
        assert_eq!(finished.code, Some(0), "{path}: {}{}", finished.stdout, finished.stderr);
    }
}

#[test]
fn an_example_with_a_misspelt_key_would_be_refused() {
    let space = Workspace::new();
    for file in examples() {
        let text = fs::read_to_string(&file).expect("an example of ours");
        let spoilt = space.file("spoilt.yaml", text.replacen("\nfiles:", "\nfile:", 1));
        check(&space).run(&["check", "--config", &spoilt.to_string_lossy()]).expect_code(78);
    }
}

#[test]
fn every_example_says_in_its_first_line_what_it_shows() {
    for file in examples() {
        let text = fs::read_to_string(&file).expect("an example of ours");
        let first = text.lines().next().unwrap_or_default();
        assert!(first.starts_with("# ") && first.ends_with('.'), "{}: {first}", file.display());
    }
}
