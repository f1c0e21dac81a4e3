//! A sidecar at night, and what a person can read of it: the screen, the log, the exit codes, and which alerts fire.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::process::Command;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use serde_json::{Value, json};

use super::replay::Replay;
use crate::support::{Finished, Leasehold, Running, SOON, Stage, guide, repository, wait_for};

/// Within this after a fact a person can read of it.
pub(super) const SEEN: Duration = Duration::from_secs(5);
/// One scrape of the recording stands for so many seconds of the alert rules: a scrape interval as people have it.
pub(super) const SCRAPE: usize = 15;
/// What is wrong at the end of the recording stays so, for the rules that wait for minutes.
const STAYS: usize = 16 * 60 / SCRAPE;
/// So long everything was well before, by the first scrape.
const BEFORE: usize = 10 * 60 / SCRAPE;

/// One scrape: series and values; nothing where it was refused.
type Scrape = Option<BTreeMap<String, String>>;

/// A stage whose sidecar goes on from init, so that its login is not a fresh one, with what was scraped of it.
pub(super) struct Night {
    pub(super) stage: Stage,
    pub(super) sidecar: Running,
    scrapes: Vec<Scrape>,
    /// Nothing is left that Prometheus could scrape in vain.
    is_gone: bool,
}

/// What is on the screen, in one piece.
#[derive(Debug)]
pub(super) struct Screen {
    pub(super) code: Option<i32>,
    pub(super) text: String,
}

impl Night {
    /// Everything is well.
    pub(super) fn begin(stage: Stage, rest: &str) -> Self {
        let config = stage.config(rest);
        Self::begin_with(stage, &config)
    }

    /// The same with a whole configuration.
    pub(super) fn begin_with(stage: Stage, config: &str) -> Self {
        stage.init(config).expect_code(0);
        let sidecar = stage.sidecar(config);
        let mut night = Self { stage, sidecar, scrapes: Vec::new(), is_gone: false };
        night.scrape();
        night
    }

    /// A sidecar that cannot become ready.
    pub(super) fn begin_unready(stage: Stage, rest: &str) -> Self {
        let sidecar = stage.start(&stage.config(rest));
        let night = Self { stage, sidecar, scrapes: Vec::new(), is_gone: false };
        night.until("the listener", || night.stage.get("/livez"));
        night
    }

    /// Kills the sidecar and starts it anew, as a kubelet or systemd does.
    pub(super) fn restart(&mut self) {
        let config = self.stage.space.read("leasehold.yaml").expect("it is there");
        self.sidecar.signal(Signal::SIGKILL);
        self.sidecar.child().wait(SOON);
        self.sidecar = self.stage.sidecar(&config);
        self.scrape();
    }

    /// Runs `leasehold` with these arguments where the sidecar runs.
    pub(super) fn run(&self, arguments: &str) -> Finished {
        let words: Vec<&str> = arguments.split(' ').chain(["--config", "leasehold.yaml"]).collect();
        Leasehold::new(&self.stage.space).run(&words)
    }

    /// What `leasehold status` shows.
    pub(super) fn screen(&mut self) -> Screen {
        self.scrape();
        let Finished { code, stdout, .. } = self.run("status");
        Screen { code, text: stdout }
    }

    /// Waits until all of `words` are on the screen, and no longer than a person may have to.
    #[track_caller]
    pub(super) fn reads(&mut self, words: &[&str]) -> Screen {
        self.reads_within(SEEN, words)
    }

    /// The same for facts that are noticed after a time of their own, such as a timeout.
    #[track_caller]
    pub(super) fn reads_within(&mut self, deadline: Duration, words: &[&str]) -> Screen {
        let (start, before) = (Instant::now(), self.scrapes.len());
        loop {
            // A wait is recorded by its first scrape and its last. Each stands for 15 s of the rules: all of them
            // would push what happened before out of a rule's window, the sooner the quicker this machine asks.
            self.scrapes.truncate(before + 1);
            let screen = self.screen();
            let missing: Vec<&&str> = words.iter().filter(|word| !screen.text.contains(**word)).collect();
            if missing.is_empty() {
                self.scrape();
                return screen;
            }
            assert!(
                start.elapsed() < deadline,
                "{missing:?} are not in\n{}\n{}",
                screen.text,
                self.sidecar.stderr()
            );
        }
    }

    /// Waits until all of `words` are in the log.
    #[track_caller]
    pub(super) fn logs(&self, words: &[&str]) {
        let missing = || words.iter().copied().filter(|word| !self.has_logged(word)).collect::<Vec<_>>();
        let start = Instant::now();
        while !missing().is_empty() {
            assert!(start.elapsed() < SEEN, "{:?} are not in\n{}", missing(), self.sidecar.stderr());
        }
    }

    /// Whether a line of the log has these words.
    pub(super) fn has_logged(&self, words: &str) -> bool {
        self.log().iter().any(|line| line["message"].as_str().is_some_and(|text| text.contains(words)))
    }

    /// The log.
    pub(super) fn log(&self) -> Vec<Value> {
        self.sidecar.stderr().lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
    }

    /// Scrapes the metrics once.
    pub(super) fn scrape(&mut self) {
        let scrape = self.stage.get("/metrics").map(|reply| series(&reply.text));
        self.scrapes.push(scrape);
    }

    /// A scrape that is refused.
    pub(super) fn scrape_in_vain(&mut self) {
        self.scrapes.push(None);
    }

    /// The process is killed, and Prometheus no longer finds what it could scrape.
    pub(super) fn vanish(&mut self) {
        self.sidecar.signal(Signal::SIGKILL);
        self.sidecar.child().wait(SOON);
        self.is_gone = true;
        self.scrape_in_vain();
    }

    /// The alerts that fire once what was seen last has stayed for a quarter of an hour, by promtool. Returns the
    /// recording in a real Prometheus, which agrees.
    #[track_caller]
    pub(super) fn fires(&self, expected: &[&str]) -> Replay<'_> {
        self.fires_after(STAYS, expected)
    }

    /// The alerts that fire at the end of what was recorded: one that counts what happened within some minutes is
    /// over once those have passed.
    #[track_caller]
    pub(super) fn fires_now(&self, expected: &[&str]) -> Replay<'_> {
        self.fires_after(60 / SCRAPE, expected)
    }

    /// The same so many minutes after what was seen last.
    #[track_caller]
    pub(super) fn fires_in_minutes(&self, minutes: usize, expected: &[&str]) -> Replay<'_> {
        self.fires_after(minutes * 60 / SCRAPE, expected)
    }

    #[track_caller]
    fn fires_after(&self, stays: usize, expected: &[&str]) -> Replay<'_> {
        let fired = self.fired(stays);
        let fired: BTreeSet<&str> = fired.iter().map(String::as_str).collect();
        assert_eq!(fired, expected.iter().copied().collect::<BTreeSet<_>>());
        let replay = Replay::of(self, BEFORE + self.scrapes.len() + stays);
        replay.agrees_on(&fired);
        replay
    }

    fn fired(&self, stays: usize) -> BTreeSet<String> {
        let minutes = (BEFORE + self.scrapes.len() + stays) * SCRAPE / 60;
        let rules = repository().join("manifests/prometheus/leasehold.rules.yaml");
        let expression = "count by (alertname) (ALERTS{alertstate=\"firing\"})";
        let test = json!({
            "rule_files": [rules], "evaluation_interval": "15s",
            "tests": [{
                "interval": format!("{SCRAPE}s"), "input_series": self.input(),
                "promql_expr_test": [{
                    "expr": expression, "eval_time": format!("{minutes}m"),
                    // There is no such alert, so that it fails and shows what fired.
                    "exp_samples": [{ "labels": "{alertname=\"none\"}", "value": 1 }],
                }],
            }],
        });
        let file = self.stage.space.file("recorded.test.yaml", test.to_string());
        let output =
            Command::new("promtool").args(["test", "rules"]).arg(file).output().expect("it is there");
        let said =
            String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
        let got = said.split_once("got:").unwrap_or_else(|| panic!("{said}")).1;
        let names = got.split("alertname=\"").skip(1).filter_map(|rest| rest.split('"').next());
        names.map(str::to_owned).collect()
    }

    /// The recording as promtool is given it: well for ten minutes, what was scraped, and the last of it to stay.
    fn input(&self) -> Vec<Value> {
        let words = |(value, times): &(String, usize)| match value.as_str() {
            "stale" => "stale ".repeat(*times),
            value if *times == 1 => format!("{value} "),
            value => format!("{value}x{} ", times - 1),
        };
        let all = self.recorded();
        // No rule asks for the buckets of a histogram.
        let all = all.iter().filter(|(name, _)| !name.contains("_bucket{"));
        all.map(|(name, values)| json!({ "series": name, "values": values.iter().map(words).collect::<String>() }))
            .collect()
    }

    /// Each series with its values, each so many times in a row; `stale` where there is none.
    pub(super) fn recorded(&self) -> Vec<(String, Vec<(String, usize)>)> {
        let names: BTreeSet<&String> = self.scrapes.iter().flatten().flat_map(BTreeMap::keys).collect();
        let values = |at: &dyn Fn(&Scrape) -> Option<String>| {
            let all: Vec<String> =
                self.scrapes.iter().map(|scrape| at(scrape).unwrap_or_else(|| "stale".to_owned())).collect();
            let (first, last) = (all[0].clone(), all[all.len() - 1].clone());
            let seen = all.into_iter().map(|value| (value, 1));
            std::iter::once((first, BEFORE + 1)).chain(seen).chain([(last, STAYS + 1)]).collect()
        };
        let mut all: Vec<(String, Vec<(String, usize)>)> = names
            .into_iter()
            .map(|name| (name.clone(), values(&|scrape| scrape.as_ref()?.get(name).cloned())))
            .collect();
        let refused = |scrape: &Scrape| scrape.is_none() && !self.is_gone;
        let up = values(&|scrape| match scrape {
            Some(_) => Some("1".to_owned()),
            None => refused(scrape).then(|| "0".to_owned()),
        });
        all.push(("up{job=\"leasehold\",instance=\"web-1\"}".to_owned(), up));
        all
    }

    /// Runs what the page of the alert tells a person to run, in the state that things are in; what it says.
    #[track_caller]
    pub(super) fn follows_the_page_of(&self, alert: &str) -> String {
        let page = guide::page("docs/guides/troubleshooting.md");
        let section =
            page.split(&format!("### {alert}\n")).nth(1).unwrap_or_else(|| panic!("{alert}: no section"));
        let section = section.split("\n##").next().unwrap_or_default();
        let block = section.split("```console\n").nth(1).and_then(|rest| rest.split("```").next());
        let block = block.unwrap_or_else(|| panic!("{alert}: no commands"));
        let leasehold = Leasehold::new(&self.stage.space);
        block.lines().fold(String::new(), |said, line| {
            let words = line.strip_prefix("$ leasehold ").unwrap_or_else(|| panic!("{alert}: {line}"));
            let finished = leasehold.run(&words.split(' ').collect::<Vec<_>>());
            said + &finished.stdout + &finished.stderr
        })
    }

    /// The alert's page leads to the cause.
    #[track_caller]
    pub(super) fn is_explained_by(&self, alert: &str, cause: &str) {
        let said = self.follows_the_page_of(alert);
        assert!(said.contains(cause), "{alert}: {cause:?} is not in\n{said}");
    }

    /// A number that a metric has now.
    pub(super) fn metric(&self, name: &str) -> Option<f64> {
        series(&self.stage.metrics()).into_iter().find_map(|(series, value)| {
            let labels = series
                .replace("job=\"leasehold\",instance=\"web-1\"", "")
                .replace("{,", "{")
                .replace("{}", "");
            (labels == name).then(|| value.parse().expect("a number"))
        })
    }

    /// Stops it and what it has left.
    pub(super) fn end(self) -> Finished {
        self.sidecar.stop()
    }

    /// Waits for a fact of the server's or the test's own.
    pub(super) fn until<T>(&self, what: &str, probe: impl FnMut() -> Option<T>) -> T {
        wait_for(what, SOON, probe)
    }
}

/// The series of a scrape, with the labels that Prometheus adds.
fn series(text: &str) -> BTreeMap<String, String> {
    let line = |line: &str| {
        let (series, value) = line.rsplit_once(' ').filter(|_| !line.starts_with('#'))?;
        let (name, labels) = series.split_once('{').unwrap_or((series, "}"));
        let own = labels.trim_end_matches('}');
        let comma = if own.is_empty() { "" } else { "," };
        Some((format!("{name}{{job=\"leasehold\",instance=\"web-1\"{comma}{own}}}"), value.to_owned()))
    };
    text.lines().filter_map(line).collect()
}

/// The alerts of the rules.
pub(super) fn alerts() -> Vec<String> {
    let rules = fs::read_to_string(repository().join("manifests/prometheus/leasehold.rules.yaml"));
    let rules = rules.expect("it is in the repository");
    rules.lines().filter_map(|line| line.trim().strip_prefix("- alert: ")).map(str::to_owned).collect()
}
