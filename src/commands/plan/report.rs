//! Reports what was found out, for people and for programs.

use std::io::IsTerminal as _;

use serde::Serialize;

use crate::access::rules::{self, Rule};
use crate::access::survey::{Finding, State};
use crate::access::wants::Unknown;
use crate::commands::check::Shape;
use crate::observe::paint::{Paint, Palette};
use crate::observe::table::{self, Cell};

/// Returns the whole report.
pub(super) fn text(findings: &[Finding], unknown: &[Unknown], shape: Shape) -> String {
    match shape {
        Shape::Text => for_people(findings, unknown),
        Shape::Json => for_programs(findings, unknown),
    }
}

/// Returns the lines that grant what is denied.
fn missing_lines(findings: &[Finding]) -> String {
    let denied = findings.iter().filter(|finding| finding.state == State::Denied);
    rules::hcl(&rules::merged(denied.flat_map(|finding| finding.rules.iter().cloned())))
}

fn for_people(findings: &[Finding], unknown: &[Unknown]) -> String {
    let rows = findings.iter().map(row).collect();
    let palette = Palette::of(std::io::stdout().is_terminal());
    let mut lines = table::columns(["PATH", "NEEDS", "HAS", "STATE", "FOR"], rows, palette);
    for unknown in unknown {
        lines.push(format!("{} ({}): known only when it is rendered", unknown.place, unknown.function));
    }
    let policy = missing_lines(findings);
    if !policy.is_empty() {
        lines.extend([String::new(), "# These lines of a policy would grant it:".to_owned(), policy]);
    }
    lines.into_iter().map(|line| line.trim_end().to_owned() + "\n").collect()
}

fn row(finding: &Finding) -> [Cell; 5] {
    let rule = &finding.rules[0];
    [
        rule.path.clone().into(),
        needs(rule).into(),
        words(&finding.has).into(),
        state(finding),
        users(rule).join(", ").into(),
    ]
}

fn needs(rule: &Rule) -> String {
    rule.capabilities.iter().copied().collect::<Vec<_>>().join(",")
}

fn words(has: &[String]) -> String {
    if has.is_empty() { "-".to_owned() } else { has.join(",") }
}

fn users(rule: &Rule) -> Vec<&str> {
    rule.users.iter().map(String::as_str).collect()
}

fn state(finding: &Finding) -> Cell {
    match &finding.state {
        State::Works => Cell("ok".to_owned(), Paint::Good),
        State::Denied if finding.vital => Cell("DENIED".to_owned(), Paint::Bad),
        State::Denied => Cell("not granted".to_owned(), Paint::Doubtful),
        State::Refused(why) => Cell(format!("DENIED: {why}"), Paint::Bad),
        State::Missing(why) => Cell(format!("MISSING: {why}"), Paint::Bad),
        State::Away(why) => Cell(format!("AWAY: {why}"), Paint::Bad),
    }
}

/// The output of `--format json`.
#[derive(Serialize)]
struct Report<'f> {
    /// True if every file and variable can be made, as far as that is known.
    ok: bool,
    paths: Vec<Entry<'f>>,
    /// The calls whose paths only a rendering can know.
    unknown: Vec<UnknownCall<'f>>,
    /// The lines that would grant what is denied; empty if nothing is.
    policy: String,
}

#[derive(Serialize)]
struct Entry<'f> {
    path: &'f str,
    needs: Vec<&'f str>,
    has: &'f [String],
    /// `ok`, `denied`, `missing`, or `away` if a store does not answer.
    state: &'static str,
    /// The reason why it is missing, or what a store says.
    #[serde(skip_serializing_if = "Option::is_none")]
    why: Option<&'f str>,
    /// True if a file or variable cannot be without it.
    vital: bool,
    used_by: Vec<&'f str>,
}

impl<'f> Entry<'f> {
    fn of(finding: &'f Finding) -> Self {
        let (state, why) = match &finding.state {
            State::Works => ("ok", None),
            State::Denied => ("denied", None),
            State::Refused(failure) => ("denied", Some(failure.why.as_str())),
            State::Missing(failure) => ("missing", Some(failure.why.as_str())),
            State::Away(failure) => ("away", Some(failure.why.as_str())),
        };
        let rule = &finding.rules[0];
        Self {
            path: &rule.path,
            needs: rule.capabilities.iter().copied().collect(),
            has: &finding.has,
            state,
            why,
            vital: finding.vital,
            used_by: users(rule),
        }
    }
}

#[derive(Serialize)]
struct UnknownCall<'f> {
    place: &'f str,
    function: &'f str,
}

fn for_programs(findings: &[Finding], unknown: &[Unknown]) -> String {
    let report = Report {
        ok: findings.iter().all(|finding| !finding.vital || finding.state == State::Works),
        paths: findings.iter().map(Entry::of).collect(),
        unknown: unknown
            .iter()
            .map(|one| UnknownCall { place: &one.place, function: &one.function })
            .collect(),
        policy: missing_lines(findings),
    };
    serde_json::to_string_pretty(&report).expect("texts and flags are JSON") + "\n"
}
