//! A real Prometheus, and the dashboard's queries as Grafana sends them.

use std::fs;
use std::net::SocketAddr;
use std::time::Duration;

use serde_json::Value;

use super::child::Child;
use super::http::request;
use super::ports::free_address;
use super::script::repository;
use super::wait::wait_until;
use super::workspace::Workspace;

/// Far more than its start takes, also on a machine where every core is busy.
const START: Duration = Duration::from_secs(60);

/// A server of one's own.
pub struct Prometheus {
    child: Child,
    address: SocketAddr,
}

impl Prometheus {
    /// Starts it with a configuration, on what the folder `data` of the workspace holds, which may be nothing yet.
    pub fn start(space: &Workspace, config: &str) -> Self {
        let (config, data, address) =
            (space.file("prometheus.yml", config), space.dir("data"), free_address());
        let child = Child::start("prometheus".as_ref(), "prometheus", space.path(), |command| {
            command
                .arg(format!("--config.file={}", config.display()))
                .arg(format!("--storage.tsdb.path={}", data.display()))
                .arg(format!("--web.listen-address={address}"));
        });
        let mut prometheus = Self { child, address };
        wait_until("Prometheus to be ready", START, || {
            assert!(prometheus.child.ended().is_none(), "{}", prometheus.child.stderr());
            request(address, "GET", "/-/ready", &[], None).is_ok_and(|reply| reply.status == 200)
        });
        prometheus
    }

    /// What it answers.
    pub fn get(&self, path: &str) -> Value {
        request(self.address, "GET", path, &[], None).expect("it answers").json()
    }

    /// The series that a query finds now, or its error.
    pub fn query(&self, query: &str) -> Result<Vec<Value>, String> {
        self.found(&format!("query?query={}", encoded(query)))
    }

    /// The same at a time, in seconds since 1970.
    pub fn query_at(&self, query: &str, time: u64) -> Result<Vec<Value>, String> {
        self.found(&format!("query?query={}&time={time}", encoded(query)))
    }

    /// The same from one time to another, every quarter of a minute.
    pub fn query_range(&self, query: &str, (start, end): (u64, u64)) -> Result<Vec<Value>, String> {
        self.found(&format!("query_range?query={}&start={start}&end={end}&step=15", encoded(query)))
    }

    fn found(&self, path: &str) -> Result<Vec<Value>, String> {
        let answer = self.get(&format!("/api/v1/{path}"));
        match answer["status"].as_str() {
            Some("success") => Ok(answer["data"]["result"].as_array().cloned().unwrap_or_default()),
            _ => Err(answer.to_string()),
        }
    }
}

fn encoded(query: &str) -> String {
    query.bytes().map(|byte| format!("%{byte:02X}")).collect()
}

/// A dashboard of manifests/grafana.
pub fn dashboard(name: &str) -> Value {
    let path = repository().join("manifests/grafana").join(name).with_extension("json");
    let text = fs::read_to_string(path).expect("it is in the repository");
    serde_json::from_str(&text).expect("JSON")
}

/// Each query of each panel with its panel's title, as Grafana sends it where everything is chosen.
pub fn queries(dashboard: &Value, rate_interval: &str) -> Vec<(String, String)> {
    let filled = |query: &str| {
        query.replace("$job", ".*").replace("$instance", ".*").replace("$__rate_interval", rate_interval)
    };
    let panels = dashboard["panels"].as_array().expect("it has panels");
    let of = |panel: &Value| {
        let title = panel["title"].as_str().expect("a panel has a title").to_owned();
        let targets = panel["targets"].as_array().expect("a panel has queries").clone();
        targets
            .into_iter()
            .map(move |target| (title.clone(), filled(target["expr"].as_str().expect("a query has words"))))
    };
    panels.iter().filter(|panel| panel["type"] != "row").flat_map(of).collect()
}
