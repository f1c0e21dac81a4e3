//! Go's own test tables, read out of the installed toolchain when the tests run.

use std::fs;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::case::{Case, Outcome};
use super::functions::{functions, parse_functions};
use super::oracle::Oracle;

/// Functions of the tables whose parameters are Go types that no template here can meet.
const NOT_HERE: [&str; 3] = ["stringer", "valueString", "vfunc"];

/// What Go's test tables show about our engine.
#[derive(Default)]
struct Tally {
    cases: usize,
    agreeing: usize,
    errors: usize,
    same_place: usize,
    report: String,
}

impl Tally {
    fn compare(&mut self, name: &str, case: &Case, ours: &Outcome, go: &Outcome) {
        self.cases += 1;
        if let Outcome::Exec(_) = go {
            self.errors += 1;
            self.same_place += usize::from(ours.place() == go.place());
        }
        if ours.agrees(go) {
            self.agreeing += 1;
        } else {
            let template = String::from_utf8_lossy(&case.template);
            self.report.push_str(&format!(
                "\n{name}: {template}\n  with {}\n  go   {go:?}\n  ours {ours:?}",
                case.data
            ));
        }
    }
}

/// The cases of the tables that `wanted` asks for, with whether Go makes the same of JSON data as of its own.
fn cases(oracle: &Oracle, wanted: &[&str]) -> Vec<(bool, Case, Outcome)> {
    let lines = fs::read_to_string(&oracle.tables).expect("the tables");
    let line = |line: &str| {
        let line: serde_json::Value = serde_json::from_str(line).expect("JSON");
        let text = |key: &str| line[key].as_str().unwrap_or_default().to_owned();
        let template = STANDARD.decode(text("template")).expect("base64");
        let shown = String::from_utf8_lossy(&template);
        if !wanted.contains(&text("table").as_str()) || NOT_HERE.iter().any(|name| shown.contains(name)) {
            return None;
        }
        let case = Case {
            name: text("name"),
            template,
            data: line["data"].to_string(),
            go_numbers: true,
            ..Case::default()
        };
        Some((line["same"] == true, case, Outcome::from_json(&line)))
    };
    lines.lines().filter_map(line).collect()
}

#[test]
fn gos_execution_and_comparison_tables_agree() {
    let Some(oracle) = Oracle::find() else { return };
    let functions = functions();
    let (mut expressible, mut others) = (Tally::default(), Tally::default());
    for (same, case, go) in cases(&oracle, &["exec", "comparison"]) {
        let tally = if same { &mut expressible } else { &mut others };
        tally.compare(&case.name, &case, &case.run(&functions), &go);
    }
    println!(
        "Go's tables: {} of {} that JSON data can express agree, and {} of {} others with what Go makes of them as \
         JSON; errors at Go's place: {} of {}",
        expressible.agreeing,
        expressible.cases,
        others.agreeing,
        others.cases,
        expressible.same_place + others.same_place,
        expressible.errors + others.errors,
    );
    assert!(expressible.cases > 340, "the tables are there");
    let (places, errors) = (expressible.same_place + others.same_place, expressible.errors + others.errors);
    assert!(errors > 90 && places * 100 >= errors * 95, "{places} of {errors} errors are at Go's place");
    assert!(
        expressible.report.is_empty() && others.report.is_empty(),
        "{}{}",
        expressible.report,
        others.report
    );
}

#[test]
fn gos_parse_tables_agree_by_message() {
    let Some(oracle) = Oracle::find() else { return };
    let functions = parse_functions();
    let mut tally = Tally::default();
    for (_, case, go) in cases(&oracle, &["parse", "parse error", "number"]) {
        // Go's tests lower its limit on parentheses to 3 for these; our limit has its own test.
        if case.name.ends_with("exceeds limit") {
            continue;
        }
        let ours = match case.run(&functions) {
            error @ Outcome::Parse(_) => error,
            // The parser's tables say only whether it parses.
            Outcome::Output(_) | Outcome::Exec(_) => Outcome::Output(Vec::new()),
        };
        tally.compare(&case.name, &case, &ours, &go);
    }
    println!("Go's parse tables: {} of {} agree", tally.agreeing, tally.cases);
    assert!(tally.cases > 180, "the tables are there");
    assert!(tally.report.is_empty(), "{}", tally.report);
}
