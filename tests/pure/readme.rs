//! What the README and the guides show of the code is so: the figures are those of the last `make bench` and `make
//! compare`, and the exit codes are the program's. (That the reference has every key is seen to in tests/reference, and
//! that the configurations in these pages are taken in tests/guides.)
//!
//! `BLESS=1 cargo test --test pure readme::` writes these parts anew.

use std::collections::BTreeSet;
use std::fs;

use crate::support::guide::page;
use crate::support::repository;
use leasehold::exit::Cause;

/// More than this is not read by a person who has just come.
const LINES: usize = 120;

/// The page, the name of the marks, and what stands between them.
type Part = (&'static str, &'static str, fn() -> String);

/// What is written by this test.
const PARTS: [Part; 3] = [
    ("README.md", "reasons", reasons),
    ("docs/guides/running.md", "exit codes", exit_codes),
    ("docs/guides/from-vault-agent.md", "benchmark", benchmark),
];

/// What of the measurements the guide shows, by how their rows begin; docs/BENCHMARKS.md has them all.
const FIGURES: [&str; 6] = [
    "start to first request",
    "init, 1 file",
    "init, 1,000 files",
    "idle sidecar, 100 files: resident memory",
    "processor a minute, 1,000 files",
    "binary",
];

/// The rows of all tables of a page, cell by cell.
fn rows(path: &str) -> Vec<Vec<String>> {
    let text = page(path);
    let rows = text.lines().filter(|line| line.starts_with('|') && !line.starts_with("| --- "));
    rows.map(|row| row.trim_matches('|').split('|').map(|cell| cell.trim().to_owned()).collect()).collect()
}

/// What a page says of Leasehold and of `bao agent` in the row that begins with these cells.
fn measured(path: &str, begins: &[&str]) -> [String; 2] {
    let rows = rows(path);
    let row = rows.iter().find(|row| begins.iter().zip(row.iter()).all(|(wanted, cell)| cell == wanted));
    let row = row.unwrap_or_else(|| panic!("{path} has no row that begins with {begins:?}"));
    [row[begins.len()].clone(), row[begins.len() + 1].clone()]
}

/// How many rows the tables of a page have.
fn count(path: &str, heads: &[&str]) -> usize {
    rows(path).iter().filter(|row| !heads.contains(&row[0].as_str())).count()
}

/// Five reasons, each with what was measured.
fn reasons() -> String {
    let speed = |what: &str| measured("docs/BENCHMARKS.md", &[what]);
    let day = |incident: &str, what: &str| measured("docs/COMPARISON.md", &[incident, what]);
    let [first, agent_first] = speed("init, 1 file");
    let [memory, agent_memory] = speed("idle sidecar, 100 files: resident memory");
    let [binary, _] = speed("binary");
    let [back, agent_back] = day("the token is revoked", "until the credentials on disk log in again");
    let [logins, agent_logins] = day("init, then the sidecar", "logins");
    let [tokens, agent_tokens] = day("SIGTERM", "tokens left on the server");
    let [leases, agent_leases] = day("SIGTERM", "leases left on the server");
    // A fault has a row for each way in which it is shown: **7** first, and then 7.
    let number = |cell: &str| {
        cell.trim_start_matches('*').split(|letter: char| !letter.is_ascii_digit()).next()?.parse().ok()
    };
    let faults: BTreeSet<u16> = rows("docs/FAULTS.md").iter().filter_map(|row| number(&row[0])).collect();
    let faults = faults.len();
    let tried = count("docs/FIELD.md", &["source", "no."]);
    format!(
        "\
- **Small and quick.** The first file is there after {first}; 100 idle files take {memory} of memory, and the binary {binary}. `bao agent` \
takes {agent_first} and {agent_memory} for the same ([measured](docs/BENCHMARKS.md)).
- **Never half-written.** All files change together, and a failure leaves the last good ones. [{faults} faults](docs/FAULTS.md), each held \
by tests, say what happens when a server, a disk or a process does wrong.
- **It recovers, and cleans up.** After a revoked token the credentials are good again in {back} (the agent: {agent_back}). Init and sidecar \
share {logins} login (the agent: {agent_logins}). A stop leaves {tokens} tokens and {leases} leases on the server (the agent: {agent_tokens} and \
{agent_leases}; [a bad day of both](docs/COMPARISON.md)).
- **Mistakes show before the start.** `check` shows all of them at once, each with its line; `plan` asks the server, and prints the \
lines of policy that are missing; [each message](docs/reference/errors.md) says what to do.
- **What you have stays.** `agent.hcl`, consul-template, envconsul and vault-k8s annotations are taken as they are; {tried} published \
configurations and reports [were tried](docs/FIELD.md).
"
    )
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
    let text = page("docs/BENCHMARKS.md");
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
fn the_pages_show_the_exit_codes_and_what_was_measured() {
    for (path, name, part) in PARTS {
        let text = page(path);
        let expected = with(&text, name, &part());
        // Another test may be reading it, so what is right already is left alone.
        if std::env::var_os("BLESS").is_some() && text != expected {
            fs::write(repository().join(path), &expected).expect("the repository can be written");
            continue;
        }
        assert!(text == expected, "{path} is behind; run: BLESS=1 cargo test --test pure readme::");
    }
}

#[test]
fn the_readme_can_be_read_at_once_and_leads_to_every_guide() {
    let text = page("README.md");
    let lines = text.lines().count();
    assert!(lines <= LINES, "{lines} lines; move something to docs/guides");
    let all = text + &page("docs/README.md");
    for guide in fs::read_dir(repository().join("docs/guides")).expect("a folder of ours") {
        let name = guide.expect("it can be listed").file_name().into_string().expect("plain names");
        assert!(all.contains(&format!("guides/{name}")), "no page leads to docs/guides/{name}");
    }
}

#[test]
fn every_file_that_the_readme_links_to_is_there() {
    let text = page("README.md");
    let links: Vec<&str> = text.split("](").skip(1).filter_map(|rest| rest.split(')').next()).collect();
    assert!(links.len() > 5, "{links:?}");
    for link in links {
        let file = link.split('#').next().unwrap_or_default();
        assert!(repository().join(file).exists(), "{link}");
    }
}
