//! Parse and render, timed beside Go's own engine on the same template and data.
//!
//! `cargo bench --bench template` prints a table in Markdown. The two take turns, and the best turn of
//! each counts: what else the machine does disturbs both alike. `scripts/bench` adds it to its report.
#![allow(clippy::disallowed_methods, clippy::print_stdout, reason = "a benchmark reads the clock and prints")]

use std::process::Command;
use std::time::{Duration, Instant};

use leasehold::template::function::Functions;
use leasehold::template::host::Nowhere;
use leasehold::template::value::Value;
use leasehold::template::{Limits, MissingKey, Template};
use leasehold::tree::Tree;

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/template");
const TURNS: usize = 5;
const FILES: u32 = 1_000;

/// What is measured: a name, its template, and how often a turn does it.
const CASES: [(&str, &str, u32); 2] =
    [("a template of 40 lines: parsed and rendered", "app.tpl", 2_000), (SMALL, "small.tpl", FILES)];
const SMALL: &str = "a template of 4 lines: parsed and rendered";

fn main() {
    let data = std::fs::read(format!("{FOLDER}/data.json")).expect("the data");
    let tree = Tree::from_json(&data).expect("JSON");
    let functions = Functions::new();
    println!("| what | leasehold | Go | ratio |\n| --- | ---: | ---: | ---: |");
    for (what, file, rounds) in CASES {
        let text = std::fs::read(format!("{FOLDER}/{file}")).expect("a template");
        let render = || {
            let template = Template::parse("bench", &text, None, &functions).expect("a template");
            let data = Value::from_tree(&tree);
            drop(
                template
                    .execute(data, MissingKey::Default, Limits::default(), &mut Nowhere)
                    .expect("renders"),
            );
        };
        let mut ours = Duration::MAX;
        let mut go = None;
        for _ in 0..TURNS {
            ours = ours.min(time(rounds, render));
            go = go_turn(file, rounds).map(|turn| go.unwrap_or(turn).min(turn));
        }
        row(what, ours, go, 1, "µs");
        if what == SMALL {
            row("1,000 such files of one secret", ours, go, FILES, "ms");
        }
    }
}

/// A line of the table: what `times` runs take.
fn row(what: &str, ours: Duration, go: Option<Duration>, times: u32, unit: &str) {
    let shown = |one: Duration| {
        let seconds = (one * times).as_secs_f64();
        format!("{:.2} {unit}", seconds * if unit == "ms" { 1e3 } else { 1e6 })
    };
    let ratio = go.map(|go| format!("{:.2}", go.as_secs_f64() / ours.as_secs_f64()));
    println!(
        "| {what} | {} | {} | {} |",
        shown(ours),
        go.map_or_else(|| "not there: see tests/oracle/setup.sh".to_owned(), shown),
        ratio.unwrap_or_default(),
    );
}

/// The mean of `rounds`, after a tenth as many to warm up.
fn time(rounds: u32, mut run: impl FnMut()) -> Duration {
    (0..rounds / 10).for_each(|_| run());
    let start = Instant::now();
    (0..rounds).for_each(|_| run());
    start.elapsed() / rounds
}

/// One turn of Go's; `None` where the oracle is not there.
fn go_turn(template: &str, rounds: u32) -> Option<Duration> {
    let setup = Command::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/oracle/setup.sh")).output().ok()?;
    let paths = String::from_utf8(setup.stdout).ok()?;
    let files = [template, "data.json"].map(|file| format!("{FOLDER}/{file}"));
    let run =
        Command::new(paths.lines().next()?).arg("bench").args(files).arg(rounds.to_string()).output().ok()?;
    String::from_utf8(run.stdout).ok()?.trim().parse().ok().map(Duration::from_nanos)
}
