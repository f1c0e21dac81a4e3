//! What the README shows is what there is: its manifest is the one that is tested, its exit codes are the program's,
//! and its figures are those of the last `make bench`. (That the reference has every key is seen to in
//! tests/reference, and that what the README shows of them is taken in tests/guides.)
//!
//! `BLESS=1 cargo test --test pure readme::` writes these parts anew.

use std::fs;

use crate::support::repository;
use leasehold::exit::Cause;

/// What stands between two marks is written by this test.
const PARTS: [&str; 3] = ["manifest", "exit codes", "benchmark"];

/// What of the measurements a newcomer is shown, by how their rows begin; the page has them all.
const FIGURES: [&str; 6] = [
    "start to first request",
    "init, 1 file",
    "init, 1,000 files",
    "idle sidecar, 100 files: resident memory",
    "processor a minute, 1,000 files",
    "binary",
];

fn manifest() -> String {
    let path = repository().join("manifests/kubernetes/pod-native-sidecar.yaml");
    let text = fs::read_to_string(path).expect("a manifest of ours");
    format!("```yaml\n{text}```\n")
}

/// In two columns of pairs, the first half on the left.
fn exit_codes() -> String {
    let done = (0, "done");
    let codes: Vec<(u8, &str)> =
        std::iter::once(done).chain(Cause::ALL.map(|cause| (cause.code(), cause.means()))).collect();
    let (left, right) = codes.split_at(codes.len().div_ceil(2));
    let mut rows =
        String::from("| exit code | means | | exit code | means |\n| --- | --- | --- | --- | --- |\n");
    for (index, (code, means)) in left.iter().enumerate() {
        let beside =
            right.get(index).map_or_else(|| " | ".to_owned(), |(code, means)| format!("{code} | {means}"));
        rows.push_str(&format!("| {code} | {means} | | {beside} |\n"));
    }
    rows
}

fn benchmark() -> String {
    let text = fs::read_to_string(repository().join("docs/BENCHMARKS.md")).expect("written by make bench");
    // The first table; what comes under headings of its own is for who follows the link.
    let first = text.split("\n## ").next().unwrap_or_default();
    let rows: Vec<&str> = first.lines().filter(|line| line.starts_with('|')).collect();
    let head = rows.iter().take(2);
    let shown = FIGURES.iter().map(|what| {
        let row = rows.iter().find(|row| row.starts_with(&format!("| {what}")));
        row.unwrap_or_else(|| panic!("docs/BENCHMARKS.md has no row that begins with {what:?}"))
    });
    head.chain(shown).map(|line| format!("{line}\n")).collect()
}

/// The text with the part between `name`'s marks replaced.
fn with(text: &str, name: &str, part: &str) -> String {
    let (begin, end) = (format!("<!-- {name} -->\n"), format!("<!-- end of {name} -->"));
    let (before, rest) = text.split_once(&begin).expect("the part begins with its mark");
    let (_, after) = rest.split_once(&end).expect("the part ends with its mark");
    format!("{before}{begin}{part}{end}{after}")
}

#[test]
fn the_readme_shows_the_tested_manifest_the_exit_codes_and_what_was_measured() {
    let path = repository().join("README.md");
    let text = fs::read_to_string(&path).expect("it is in the repository");
    let parts = [manifest(), exit_codes(), benchmark()];
    let expected = PARTS.iter().zip(&parts).fold(text.clone(), |text, (name, part)| with(&text, name, part));
    // Another test may be reading it, so what is right already is left alone.
    if std::env::var_os("BLESS").is_some() && text != expected {
        fs::write(&path, &expected).expect("the repository can be written");
        return;
    }
    assert!(text == expected, "the README is behind; run: BLESS=1 cargo test --test pure readme::");
}

#[test]
fn every_file_that_the_readme_links_to_is_there() {
    let text = fs::read_to_string(repository().join("README.md")).expect("it is in the repository");
    let links: Vec<&str> = text.split("](").skip(1).filter_map(|rest| rest.split(')').next()).collect();
    assert!(links.len() > 5, "{links:?}");
    for link in links {
        assert!(repository().join(link).exists(), "{link}");
    }
}
