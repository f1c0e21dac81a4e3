//! The alert rules by promtool, and rules and dashboard against a real Prometheus that scrapes a real sidecar.

use std::collections::BTreeSet;
use std::fs;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Command;

use regex::Regex;
use serde_json::Value;

use crate::observe::sidecar_on;
use crate::support::{
    Lives, Prometheus, SOON, Stage, Workspace, dashboard, free_address, have, need, queries, repository,
    wait_until,
};

/// Half the scrape interval that Grafana would take four of.
const RATE_INTERVAL: &str = "10s";

fn possible() -> bool {
    let available = have("prometheus") && have("promtool");
    need("prometheus and promtool", "apt-get install prometheus", available)
}

fn rules() -> PathBuf {
    repository().join("manifests/prometheus")
}

#[test]
fn the_rules_fire_when_they_should_and_not_before() {
    if !possible() {
        return;
    }
    for arguments in
        [&["check", "rules", "leasehold.rules.yaml"], &["test", "rules", "leasehold.rules.test.yaml"]]
    {
        let output =
            Command::new("promtool").args(arguments).current_dir(rules()).output().expect("it is there");
        let said =
            String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success() && said.contains("SUCCESS"), "{said}");
    }
    // Every alert is tested.
    let text = |name: &str| fs::read_to_string(rules().join(name)).expect("it is ours");
    let (all, tests) = (text("leasehold.rules.yaml"), text("leasehold.rules.test.yaml"));
    let alerts: Vec<&str> = all.lines().filter_map(|line| line.trim().strip_prefix("- alert: ")).collect();
    assert_eq!(alerts.len(), 14);
    for alert in alerts {
        assert!(tests.contains(&format!("alertname: {alert}\n")), "{alert} is never seen to fire");
    }
}

#[test]
fn the_dashboard_stands_in_rows_and_each_panel_says_what_it_shows() {
    let dashboard = dashboard("leasehold");
    let panels = dashboard["panels"].as_array().expect("it has panels");
    assert_eq!(panels[0]["type"], "row", "it begins with one");
    assert!(panels.iter().filter(|panel| panel["type"] == "row").count() >= 4);
    for panel in panels.iter().filter(|panel| panel["type"] != "row") {
        let said = panel["description"].as_str().unwrap_or_default();
        assert!(said.len() > 20, "{}: {said:?}", panel["title"]);
    }
}

#[test]
fn every_metric_that_is_asked_for_is_one_that_we_have() {
    let page =
        fs::read_to_string(repository().join("docs/reference/metrics.md")).expect("it is in the repository");
    let known: BTreeSet<&str> = page.split('`').filter(|word| word.starts_with("leasehold_")).collect();
    let rules = fs::read_to_string(rules().join("leasehold.rules.yaml")).expect("it is ours");
    let expressions = rules.split("labels: {severity").filter_map(|part| Some(part.split_once("expr: ")?.1));
    let asked: String = expressions
        .map(str::to_owned)
        .chain(queries(&dashboard("leasehold"), RATE_INTERVAL).into_iter().map(|(_, query)| query))
        .collect();
    let name = Regex::new("leasehold_[a-z_]+").expect("an expression");
    let asked: BTreeSet<&str> = name.find_iter(&asked).map(|found| found.as_str()).collect();
    assert!(asked.len() > 20, "{asked:?}");
    let unknown: Vec<_> = asked.difference(&known).collect();
    assert!(unknown.is_empty(), "{unknown:?} of {known:?}");
}

/// One that scrapes `target` each second, and evaluates the rules.
fn scraping(space: &Workspace, target: SocketAddr) -> Prometheus {
    let config = format!(
        "global: {{scrape_interval: 1s, evaluation_interval: 1s}}\n\
         rule_files: ['{}']\n\
         scrape_configs:\n- job_name: leasehold\n  static_configs: [{{targets: ['{target}']}}]\n",
        rules().join("leasehold.rules.yaml").display()
    );
    Prometheus::start(space, &config)
}

#[test]
fn every_panel_shows_something_of_a_sidecar_with_troubles_and_every_rule_is_evaluated() {
    if !possible() {
        return;
    }
    let stage = Stage::with(Lives { lease: (4, 600), ..Lives::default() });
    stage.put_password("one");
    let target = free_address();
    let rest = "files:\n- {path: password, secret: 'secret/web#password', refresh: 1s}\n\
                - {path: user, secret: 'rabbitmq/creds/app#username'}\n\
                - {path: denied, secret: 'secret/denied#a'}\n\
                notify: {nobody: {signal: HUP, process: no-such-process-anywhere}}\n";
    let sidecar = sidecar_on(&stage, target, rest);
    let prometheus = scraping(&stage.space, target);

    let mut waiting = queries(&dashboard("leasehold"), RATE_INTERVAL);
    assert!(waiting.len() > 20);
    wait_until("every panel to show something", 2 * SOON, || {
        waiting.retain(|(title, query)| {
            let found = prometheus.query(query).unwrap_or_else(|why| panic!("{title}: {why}"));
            let number = |series: &Value| series["value"][1].as_str().is_some_and(|value| value != "NaN");
            !found.iter().any(number)
        });
        waiting.is_empty()
    });

    // What is wrong here is on its way to be told.
    let rules = || -> Vec<Value> {
        let told = prometheus.get("/api/v1/rules");
        told["data"]["groups"][0]["rules"].as_array().cloned().unwrap_or_default()
    };
    for name in ["LeaseholdNotReady", "LeaseholdNotifierFailing"] {
        wait_until(name, SOON, || {
            rules().iter().any(|rule| rule["name"] == name && rule["state"] == "pending")
        });
    }
    let all = rules();
    assert_eq!(all.len(), 14);
    for rule in &all {
        assert_eq!(rule["health"], "ok", "{rule}");
    }
    // A login that is lost is on the dashboard and on its way to be told.
    stage.server.ask("DELETE", "auth/kubernetes/role/web", None).ok();
    wait_until("the standbys' time to be over", SOON * 2, || stage.server.requests("secret/data/web") >= 15);
    for accessor in stage.server.accessors() {
        stage.server.revoke_accessor(&accessor);
    }
    let dashboard = dashboard("leasehold");
    let shows = |title: &str, value: &str| {
        let query = queries(&dashboard, RATE_INTERVAL)
            .into_iter()
            .find(|(panel, _)| panel == title)
            .expect("it is a panel")
            .1;
        let found = prometheus.query(&query).unwrap_or_else(|why| panic!("{title}: {why}"));
        found.iter().any(|series| series["value"][1] == value)
    };
    wait_until("the panel of logins", 2 * SOON, || shows("Not logged in", "1"));
    wait_until("a token that is gone to be a line at 0", SOON, || shows("Token: until it ends", "0"));
    wait_until("LeaseholdCannotLogIn", SOON, || {
        rules().iter().any(|rule| rule["name"] == "LeaseholdCannotLogIn" && rule["state"] == "pending")
    });
    // It was never ready, so that it ends with the code of the cause.
    sidecar.stop();
}
