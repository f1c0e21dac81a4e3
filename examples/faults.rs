//! Compares docs/FAULTS.md with the rows that the tests have left in target/faults; `make test` runs it after
//! them. It fails where a fault has no test that passed, and where the page is behind. With `BLESS=1`, as
//! `make docs` runs it, it writes the page.

#![allow(clippy::disallowed_methods, reason = "the page is no secret")]
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "it is a command")]

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::ExitCode;

use leasehold_testkit::faults::{self, FAULTS, Fault, Place};
use serde_json::Value;

const HEAD: &str = "# Faults, and what holds in each

This page is made by the tests. `make docs` writes it, and `make test` compares it with what its run has shown. The comparison
fails if a fault has no test that passed. The named test asserts what holds, the exit code and the metric.

The column *where* says on what a fault is shown:

- **simulated**: the pure core in virtual time. Every promise is checked after every step.
- **real server**: the built program, or the client in it, with OpenBao; for the webhook, with a Kubernetes API server.
- **hostile server**: the same, with a server that does wrong what a script tells it to.
- **real files and processes**: the built program, or a part of it, with files and processes of the machine.

A fault that a real server can produce is shown on one.

What each answer means, by status, body and question, and what is done then, is in
[reference/answers.md](reference/answers.md), which is made of the table that the client runs on.

| fault | where | what holds | exit code or metric | test |
| --- | --- | --- | --- | --- |
";

const PLACES: [Place; 4] = [Place::Simulated, Place::Server, Place::Wire, Place::Machine];

fn main() -> ExitCode {
    match run() {
        Ok(said) => {
            println!("{said}");
            ExitCode::SUCCESS
        }
        Err(why) => {
            eprintln!("faults: {why}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<String, String> {
    let rows = rows()?;
    let missing: Vec<String> = FAULTS.iter().flat_map(|fault| missing(fault, &rows)).collect();
    if !missing.is_empty() {
        return Err(format!("no passing test shows\n  {}", missing.join("\n  ")));
    }
    let page: String =
        HEAD.to_owned() + &FAULTS.iter().flat_map(|fault| lines(fault, &rows)).collect::<String>();
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/FAULTS.md");
    let there = fs::read_to_string(&path).unwrap_or_default();
    let tests = rows.iter().map(|row| (text(row, "file"), text(row, "test"))).collect::<BTreeSet<_>>().len();
    if there != page {
        if std::env::var_os("BLESS").is_none() {
            return Err(
                "docs/FAULTS.md is not what the tests have shown; run `make docs`, read it and commit it"
                    .to_owned(),
            );
        }
        fs::write(&path, page).map_err(|error| format!("docs/FAULTS.md: {error}"))?;
    }
    Ok(format!("docs/FAULTS.md: {} faults, {tests} tests", FAULTS.len()))
}

fn rows() -> Result<Vec<Value>, String> {
    let entries =
        fs::read_dir(faults::rows()).map_err(|error| format!("no rows, run the tests first: {error}"))?;
    let mut paths: Vec<_> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
    paths.sort();
    let read = |path: &std::path::PathBuf| {
        let row = fs::read(path).ok().and_then(|bytes| serde_json::from_slice(&bytes).ok());
        row.ok_or_else(|| format!("{} is no row", path.display()))
    };
    paths.iter().map(read).collect()
}

/// The rows of a fault from one place, in the order of their tests.
fn of<'r>(fault: &'r Fault, place: Place, rows: &'r [Value]) -> impl Iterator<Item = &'r Value> {
    rows.iter().filter(move |row| row["fault"] == fault.number && row["place"] == place.name())
}

fn missing(fault: &Fault, rows: &[Value]) -> Vec<String> {
    let Fault { number, what, needs } = fault;
    let unseen = needs.iter().filter(|place| of(fault, **place, rows).next().is_none());
    unseen.map(|place| format!("fault {number} ({what}), {}", place.name())).collect()
}

fn lines(fault: &Fault, rows: &[Value]) -> Vec<String> {
    let rows = PLACES.iter().flat_map(|place| of(fault, *place, rows));
    let line = |(index, row): (usize, &Value)| {
        let what = if index == 0 {
            format!("**{}** {}", fault.number, fault.what)
        } else {
            fault.number.to_string()
        };
        let seen: Vec<_> = row["seen"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        let seen = if seen.is_empty() { "–".to_owned() } else { seen.join(", ") };
        format!(
            "| {what} | {} | {} | {seen} | `{}` `{}` |\n",
            text(row, "place"),
            text(row, "holds"),
            text(row, "file"),
            text(row, "test")
        )
    };
    rows.enumerate().map(line).collect()
}

fn text<'r>(row: &'r Value, key: &str) -> &'r str {
    row[key].as_str().unwrap_or_default()
}
