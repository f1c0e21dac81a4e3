//! Servers that want to be asked less, and our own promise to ask no more than that.

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::{CANARY, SOON, Stage, wait_until};
use leasehold_testkit::evidence;

/// This many secrets of KV v2, each a file.
fn many(stage: &Stage, count: usize) -> String {
    let file = |n: usize| {
        stage.server.put("secret", &format!("many-{n}"), json!({ "k": "v" }));
        format!("- {{path: many-{n}, secret: 'secret/many-{n}#k'}}\n")
    };
    format!("files:\n{}", (0..count).map(file).collect::<String>())
}

/// When the server took requests for paths that begin with `prefix`, in nanoseconds of its own clock's day.
fn times(stage: &Stage, prefix: &str) -> Vec<Duration> {
    let requests = stage.server.audit().into_iter().filter(|entry| {
        entry["type"] == "request"
            && entry["request"]["path"].as_str().is_some_and(|path| path.starts_with(prefix))
    });
    requests.map(|entry| of_day(&entry["time"])).collect()
}

/// `2026-01-02T03:04:05.678Z` as the time since midnight.
fn of_day(time: &Value) -> Duration {
    let text = time.as_str().and_then(|text| text.split_once('T')).expect("a time").1.trim_end_matches('Z');
    let parts: Vec<f64> = text.split(':').map(|part| part.parse().expect("a number")).collect();
    Duration::from_secs_f64(parts[0] * 3600.0 + parts[1] * 60.0 + parts[2])
}

#[test]
fn a_quota_is_kept_to_and_everything_is_published_in_the_end() {
    let mut fault = evidence!(15, Server);
    let stage = Stage::new();
    let files = many(&stage, 20);
    // Five at once, then none for two seconds: Retry-After says so.
    stage.server.write("sys/quotas/config", json!({ "enable_rate_limit_response_headers": true }));
    stage.server.write(
        "sys/quotas/rate-limit/few",
        json!({ "path": "secret/", "rate": 5.0, "interval": "1s", "block_interval": "2s" }),
    );
    let finished = stage.init(&stage.config(&files));
    fault.exit(finished.code, 0);
    assert_eq!(stage.published().iter().filter(|name| name.starts_with("many-")).count(), 20);
    let refused = stage
        .server
        .audit()
        .into_iter()
        .filter(|entry| entry["error"].as_str().is_some_and(|error| error.contains("rate limit")));
    let refused = refused.count();
    assert!(refused < 40, "{refused} requests were refused for twenty secrets");
    assert_eq!(stage.logins(), 1);
    fault.holds(
        "a quota of five a second with a block of two seconds: twenty secrets published, one login, no flood",
    );
}

#[test]
fn our_own_rate_limit_is_kept_at_the_server() {
    let stage = Stage::new();
    let files = many(&stage, 40);
    let config =
        stage.config(&files).replace("timeout: 5s", "timeout: 5s, rate_limit: {per_second: 20, burst: 5}");
    stage.init(&config).expect_code(0);
    let mut times = times(&stage, "");
    // The test's own requests, as root, were before the login.
    let login = crate::real::limits::times(&stage, "auth/kubernetes/login")[0];
    times.retain(|at| *at >= login);
    times.sort();
    assert!(times.len() > 40, "{}", times.len());
    // A burst of five and twenty a second; one more for where the second is cut, and a half for the clocks.
    for from in &times {
        let within = times.iter().filter(|at| **at >= *from && **at < *from + Duration::from_secs(1)).count();
        assert!(within <= 27, "{within} requests in a second");
    }
}

#[test]
fn a_quota_on_a_running_sidecar_costs_no_readiness() {
    let stage = Stage::new();
    stage.put_password("one");
    let _sidecar = stage
        .sidecar(&stage.config("files: [{path: password, secret: 'secret/web#password', refresh: 1s}]\n"));
    stage
        .server
        .write("sys/quotas/rate-limit/none", json!({ "path": "secret/", "rate": 0.1, "interval": "1s" }));
    stage.put_password("two");
    wait_until("the quota to be noticed", SOON, || {
        !stage.metrics().lines().any(|line| line == "leasehold_request_failures_total 0")
    });
    assert!(stage.ready(), "{}", stage.get("/readyz").expect("it listens").text);
    stage.server.ask("DELETE", "sys/quotas/rate-limit/none", None).ok();
    wait_until("the file to follow", SOON * 2, || stage.read("password") == Some(format!("{CANARY}-two")));
    assert_eq!(stage.logins(), 1);
}
