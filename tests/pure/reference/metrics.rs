//! The metrics: what a scrape of a sidecar with everything in it shows.

// It is the sample that the room's own tests have: whoever adds to the view adds to it.
#[path = "../../../src/observe/sample.rs"]
mod sample;

use std::collections::BTreeSet;

use leasehold::core::view::Fault;
use leasehold::observe::metrics::render;

use crate::reference::page::cell;

const HEAD: &str = "# Metrics

`GET /metrics` on `listen` answers in the OpenMetrics format. Labels are names of the configuration (files, notifiers)
and words of fixed sets, never paths or leases, so the number of series is bounded. A secret goes by the first `file` that
uses it and its place among that file's secrets, by path; a thousand secrets at most have series of their own. A metric
is left out where it would have no value: a file that never ends has no expiry.

| metric | type | labels | what |
| --- | --- | --- | --- |
";

pub(crate) fn page() -> String {
    // Families that are there only where something fails are to be on the page too.
    let mut view = sample::view_of_the_well();
    let fault = Fault { class: "denied", text: "permission denied".to_owned() };
    view.files[1].error = Some(fault.clone());
    view.secrets[1].error = Some(fault);
    let text = render(view, sample::besides());
    let mut page = HEAD.to_owned();
    for family in text.split("# HELP ").skip(1) {
        let (first, rest) = family.split_once('\n').expect("a family begins with its help");
        let (name, help) = first.split_once(' ').expect("a help has words");
        let kind = rest.strip_prefix("# TYPE ").and_then(|rest| rest.lines().next()?.rsplit(' ').next());
        let series: Vec<&str> = rest.lines().filter(|line| line.starts_with(name)).collect();
        let shown: BTreeSet<&str> = series.iter().map(|line| name_of(line)).collect();
        let labels: BTreeSet<&str> = series.iter().flat_map(|line| labels(line)).collect();
        let words =
            |set: BTreeSet<&str>| set.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ");
        page.push_str(&format!(
            "| {} | {} | {} | {} |\n",
            words(shown),
            kind.expect("a family has a type"),
            words(labels),
            cell(help.trim_end_matches('.'))
        ));
    }
    page
}

fn name_of(series: &str) -> &str {
    series.split(['{', ' ']).next().unwrap_or_default()
}

/// Names of labels; no value in the sample has a comma or a brace.
fn labels(series: &str) -> Vec<&str> {
    let Some((_, rest)) = series.split_once('{') else { return Vec::new() };
    let inside = rest.split('}').next().unwrap_or_default();
    inside.split(',').filter_map(|label| label.split('=').next()).collect()
}
