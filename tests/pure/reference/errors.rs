//! Every message: what, why, what to do. Out of the source, so that none is forgotten.

mod ended;
mod enums;
mod told;

use std::collections::BTreeSet;

use crate::reference::page::cell;
use crate::reference::source::{Scope, Site, files};

const HEAD: &str = "# Messages

Every message that Leasehold has, out of its source; `…` is what is filled in. Search for a part of yours. The guide to
the most frequent is [troubleshooting.md](../guides/troubleshooting.md).

";

pub(crate) fn page() -> String {
    let files = files();
    enums::complete(&files);
    let mut page = HEAD.to_owned();
    page.push_str(
        "## How a command ends\n\nThe last line on standard error is `leasehold: WHAT; WHAT TO DO`. Where `init`, `sidecar` and `exec` log JSON, it is an\nerror of that log: `WHAT; WHAT TO DO` in `message`, and `exit_code`. Where all of it is `…`, the words are those of a\ntable below.\n\n",
    );
    page.push_str("| code | what | what to do |\n| --- | --- | --- |\n");
    page.push_str(&lines(ended::endings(&files)));
    page.push_str("\n## The server, and the way to it\n\nBehind `could not log in:`, `could not read PATH:` and the like. Where nothing is said to do, Leasehold asks again by\nitself, and the server's own log says more.\n\n");
    page.push_str("| what | what to do | which means |\n| --- | --- | --- |\n");
    page.push_str(&lines(ended::failures(&files)));
    page.push_str("\n## The stores that are no Vault\n\nBehind `could not read PATH:`. What is missing is to be created, or the path corrected (66). What is denied, or lacks credentials,\nis to be granted to the identity that reads it (77). A store that is away is asked again by itself (69).\n\n");
    page.push_str("| what | what to do | which means |\n| --- | --- | --- |\n");
    page.push_str(&lines(ended::failures_of_stores(&files)));
    for (title, shown, of) in enums::ENUMS {
        page.push_str(&format!("\n## {title}\n\n| what | what to do | why |\n| --- | --- | --- |\n"));
        page.push_str(&lines(enums::variants(&files, shown, of)));
    }
    page.push_str("\n## The configuration\n\n`leasehold check` shows each with its line and a caret; exit code 78 but for warnings.\n\n");
    page.push_str("| what | what to do |\n| --- | --- |\n");
    page.push_str(&lines(told::problems(&files)));
    page.push_str("\n## Templates\n\nGo's words, behind the template's name, line and column. Never a value.\n\n| what | what to do |\n| --- | --- |\n");
    page.push_str(&lines(told::templates(&files)));
    page.push_str("\n## Warnings and errors in the log\n\n| what | what to do |\n| --- | --- |\n");
    page.push_str(&lines(told::logged(&files)));
    page
}

/// Rows, each once, in their order.
fn lines(rows: Vec<Vec<String>>) -> String {
    let mut seen = BTreeSet::new();
    let line = |row: Vec<String>| {
        let cells: Vec<String> = row.iter().map(|text| cell(text)).collect();
        format!("| {} |\n", cells.join(" | "))
    };
    rows.into_iter().map(line).filter(|line| seen.insert(line.clone())).collect()
}

/// Texts with a word in them, or `…` where nothing is known; nothing where it is nothing.
fn known(texts: Vec<String>) -> Vec<String> {
    let nothing = !texts.is_empty() && texts.iter().all(String::is_empty);
    let words = |text: &String| text.chars().filter(|c| c.is_alphabetic()).count() > 2;
    let texts: Vec<String> = texts.into_iter().filter(words).collect();
    match texts.is_empty() {
        true if nothing => vec![String::new()],
        true => vec!["…".to_owned()],
        false => texts,
    }
}

/// Each text of the first with what belongs to it of the second.
fn paired(what: Vec<String>, mend: Vec<String>) -> Vec<(String, String)> {
    let mend = known(mend).join(" · ");
    known(what).into_iter().map(|what| (what, mend.clone())).collect()
}

/// What stands behind the semicolon is what to do, where no other argument says so.
fn split(text: &str) -> (String, String) {
    let (what, mend) = text.split_once("; ").unwrap_or((text, ""));
    (what.to_owned(), mend.to_owned())
}

/// Every site of a file, with the scope that it is in.
fn each<'f>(scopes: &'f [Scope<'f>]) -> impl Iterator<Item = (&'f Scope<'f>, &'f Site<'f>)> {
    scopes.iter().flat_map(|scope| scope.sites.iter().map(move |site| (scope, site)))
}

/// What a cell of the page says, in its pieces between what is filled in; none where that is next to nothing.
fn pieces(cell: &str) -> Option<Vec<String>> {
    let pieces: Vec<String> = cell.replace("\\|", "|").split('…').map(str::to_owned).collect();
    let letters = pieces.iter().flat_map(|piece| piece.chars()).filter(|char| char.is_alphabetic()).count();
    (letters > 8).then_some(pieces)
}

/// Whether the pieces stand in a text, one after the other.
fn fits(text: &str, pieces: &[String]) -> bool {
    let mut rest = text;
    pieces.iter().all(|piece| match rest.find(piece.as_str()) {
        Some(at) => {
            rest = &rest[at + piece.len()..];
            true
        }
        None => false,
    })
}

#[test]
fn the_mistakes_that_people_make_first_are_all_among_the_messages() {
    let page = page();
    let rows = page.lines().filter_map(|line| line.strip_prefix("| ")?.strip_suffix(" |"));
    let known: Vec<Vec<String>> =
        rows.flat_map(|row| row.split(" | ").flat_map(|cell| cell.split(" · "))).filter_map(pieces).collect();
    let path = crate::support::repository().join("tests/server/mistakes.txt");
    let mistakes = std::fs::read_to_string(path).expect("the repository has it");
    // The parser of the command line has words of its own.
    let clap = ["unexpected argument", "unrecognized subcommand"];
    for said in mistakes.lines().filter_map(|line| line.strip_prefix("    ")) {
        let listed = known.iter().any(|pieces| fits(said, pieces));
        assert!(listed || clap.iter().any(|word| said.contains(word)), "no row of the page fits: {said}");
    }
}
