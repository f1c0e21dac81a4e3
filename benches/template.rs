//! Parse and render, timed beside Go's own engine on the same template and data.
//!
//! `cargo bench --bench template` prints nanoseconds per parse-and-render of ours and of Go's, and how
//! long 1,000 small files of one secret take. The two take turns, and the best turn of each counts: what
//! else the machine does disturbs both alike.
#![allow(clippy::disallowed_methods, clippy::print_stdout, reason = "a benchmark reads the clock and prints")]

use std::process::Command;
use std::time::{Duration, Instant};

use leasehold::template::Template;
use leasehold::template::eval::MissingKey;
use leasehold::template::function::Functions;
use leasehold::template::host::Nowhere;
use leasehold::template::limits::Limits;
use leasehold::template::value::Value;
use leasehold::tree::Tree;

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/template");
const TURNS: usize = 5;
const ROUNDS: u32 = 2_000;
const FILES: usize = 1_000;

fn main() {
    let template = std::fs::read(format!("{FOLDER}/app.tpl")).expect("the template");
    let data = std::fs::read(format!("{FOLDER}/data.json")).expect("the data");
    let tree = Tree::from_json(&data).expect("JSON");
    let functions = Functions::new();
    let render = |name: &str, text: &[u8]| {
        let template = Template::parse(name, text, None, &functions).expect("a template");
        let data = Value::from_tree(&tree);
        template.execute(data, MissingKey::Default, Limits::default(), &mut Nowhere).expect("renders")
    };
    let mut ours = u64::MAX;
    let mut go = None;
    for _ in 0..TURNS {
        ours = ours.min(nanoseconds(time(ROUNDS, || drop(render("bench", &template)))));
        go = go_turn().map(|turn| go.unwrap_or(turn).min(turn));
    }
    println!("ours: {ours:>7} ns per parse and render");
    match go {
        Some(go) => println!("go:   {go:>7} ns, {:.2} times ours", go as f64 / ours as f64),
        None => println!("go:   not there; tests/oracle/setup.sh says why"),
    }
    let small: Vec<String> = (0..FILES)
        .map(|file| {
            format!(
                "{{{{ with .database }}}}U{file}={{{{ .username }}}}\nP={{{{ .password }}}}\n{{{{ end }}}}"
            )
        })
        .collect();
    let all = time(20, || small.iter().for_each(|text| drop(render("small", text.as_bytes()))));
    println!("{FILES} files of one secret: {:.2} ms", all.as_secs_f64() * 1000.0);
}

/// The mean of `rounds`, after a tenth as many to warm up.
fn time(rounds: u32, mut run: impl FnMut()) -> Duration {
    (0..rounds / 10).for_each(|_| run());
    let start = Instant::now();
    (0..rounds).for_each(|_| run());
    start.elapsed() / rounds
}

fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

/// One turn of Go's; `None` where the oracle is not there.
fn go_turn() -> Option<u64> {
    let setup = Command::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/oracle/setup.sh")).output().ok()?;
    let paths = String::from_utf8(setup.stdout).ok()?;
    let files = ["app.tpl", "data.json"].map(|file| format!("{FOLDER}/{file}"));
    let rounds = ROUNDS.to_string();
    let run = Command::new(paths.lines().next()?).arg("bench").args(files).arg(rounds).output().ok()?;
    String::from_utf8(run.stdout).ok()?.trim().parse().ok()
}
