//! The recording of a night in a real Prometheus: what a person sees on the dashboard.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::process::Command;
use std::time::SystemTime;

use serde_json::Value;

use super::night::{Night, SCRAPE};
use crate::support::{Prometheus, dashboard, queries, repository};

/// What Grafana takes for an interval of scrapes as the recording has it: four of them.
const RATE_INTERVAL: &str = "1m";

/// A Prometheus that holds what was recorded.
pub(super) struct Replay<'n> {
    night: &'n Night,
    prometheus: Prometheus,
    /// When the recording begins, and the moment that is looked at.
    time: (u64, u64),
}

impl<'n> Replay<'n> {
    /// The recording, looked at after so many scrapes.
    pub(super) fn of(night: &'n Night, scrapes: usize) -> Self {
        let now =
            SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("it is past 1970").as_secs();
        let step = u64::try_from(SCRAPE).expect("small");
        let begin = now - 3600;
        let space = &night.stage.space;
        let text = space.file("recorded.txt", openmetrics(night, begin, step));
        let data = space.dir("data");
        let mut command = Command::new("promtool");
        command.args(["tsdb", "create-blocks-from", "openmetrics"]).arg(text).arg(data);
        let output = command.output().expect("it is there");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let end = begin + u64::try_from(scrapes).expect("small") * step;
        Self { night, prometheus: Prometheus::start(space, "global: {}\n"), time: (begin, end) }
    }

    /// Each query of the dashboard is answered, and whatever a rule asks for is there where its alert has fired.
    #[track_caller]
    pub(super) fn agrees_on(&self, fired: &BTreeSet<&str>) {
        for (title, query) in queries(&dashboard("leasehold"), RATE_INTERVAL) {
            self.prometheus.query_range(&query, self.time).unwrap_or_else(|why| panic!("{title}: {why}"));
        }
        for (alert, expression) in rules() {
            let found = self.prometheus.query_at(&expression, self.time.1);
            let found = found.unwrap_or_else(|why| panic!("{alert}: {why}"));
            assert!(
                !fired.contains(alert.as_str()) || !found.is_empty(),
                "{alert} has fired without a series"
            );
        }
    }

    /// The panel of that title has such a value in one of its series: at that moment, or, as a graph, at any.
    #[track_caller]
    pub(super) fn shows(&self, title: &str, value: impl Fn(f64) -> bool) -> &Self {
        let all: Vec<String> = queries(&dashboard("leasehold"), RATE_INTERVAL)
            .into_iter()
            .filter(|(of, _)| of == title)
            .map(|it| it.1)
            .collect();
        assert!(!all.is_empty(), "no panel is called {title}");
        let found: Vec<Value> = all
            .iter()
            .flat_map(|query| self.prometheus.query_range(query, self.time).expect("asked before"))
            .collect();
        let number = |point: &Value| point[1].as_str().and_then(|text| text.parse().ok());
        let mut values =
            found.iter().filter_map(|series| series["values"].as_array()).flatten().filter_map(number);
        assert!(values.any(value), "{title}: {found:?}\n{}", self.night.sidecar.stderr());
        self
    }
}

/// The recording as text with times, which Prometheus takes in as if it had scraped it.
fn openmetrics(night: &Night, begin: u64, step: u64) -> String {
    let mut text = String::new();
    for (series, values) in night.recorded() {
        let all = values.iter().flat_map(|(value, times)| std::iter::repeat_n(value, *times));
        for (value, time) in all.zip((begin..).step_by(usize::try_from(step).expect("small"))) {
            if value != "stale" {
                let _into_a_string = writeln!(text, "{series} {value} {time}");
            }
        }
    }
    text + "# EOF\n"
}

/// Each alert with its expression.
fn rules() -> Vec<(String, String)> {
    let rules = fs::read_to_string(repository().join("manifests/prometheus/leasehold.rules.yaml"));
    let rules = rules.expect("it is in the repository");
    let of = |part: &str| {
        let (name, rest) = part.split_once('\n')?;
        let expression = rest.split_once("expr:")?.1.split("\n        for:").next()?;
        let expression = expression.split("\n        labels:").next()?;
        Some((name.to_owned(), expression.trim().trim_start_matches('|').to_owned()))
    };
    rules.split("- alert: ").skip(1).filter_map(of).collect()
}
