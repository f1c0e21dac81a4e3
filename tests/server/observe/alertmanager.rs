//! manifests/prometheus/alertmanager.yaml in a real Alertmanager: one outage is one notification.

use std::collections::BTreeMap;
use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use crate::support::{
    Child, SOON, Workspace, free_address, have, need, repository, request, wait_for, wait_until,
};

/// The file within the least that Alertmanager starts with.
fn merged(space: &Workspace) -> std::path::PathBuf {
    let ours = fs::read_to_string(repository().join("manifests/prometheus/alertmanager.yaml"));
    let ours = ours.expect("it is in the repository");
    let with = ours.replacen("route:\n", "route:\n  receiver: nobody\n", 1);
    assert_ne!(with, ours, "it has a route");
    space.file("alertmanager.yml", with + "receivers: [{name: nobody}]\n")
}

fn start(space: &Workspace, config: &Path) -> (Child, SocketAddr) {
    let (address, data) = (free_address(), space.dir("alertmanager"));
    let mut child =
        Child::start("prometheus-alertmanager".as_ref(), "alertmanager", space.path(), |command| {
            command
                .arg(format!("--config.file={}", config.display()))
                .arg(format!("--storage.path={}", data.display()))
                .arg(format!("--web.listen-address={address}"))
                // It is alone, and needs no second port.
                .arg("--cluster.listen-address=");
        });
    wait_until("Alertmanager to be ready", SOON, || {
        assert!(child.ended().is_none(), "{}", child.stderr());
        request(address, "GET", "/-/ready", &[], None).is_ok_and(|reply| reply.status == 200)
    });
    (child, address)
}

/// The alerts as Alertmanager has them: `active` or `suppressed`, by `NAME INSTANCE`.
fn states(address: SocketAddr) -> BTreeMap<String, String> {
    let reply = request(address, "GET", "/api/v2/alerts", &[], None).expect("it answers").json();
    let word = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let of = |alert: &Value| {
        let labels = &alert["labels"];
        (
            format!("{} {}", word(&labels["alertname"]), word(&labels["instance"])),
            word(&alert["status"]["state"]),
        )
    };
    reply.as_array().expect("a list").iter().map(of).collect()
}

#[test]
fn what_an_outage_brings_with_it_is_inhibited_and_a_fleet_is_one_group() {
    let available = have("amtool") && have("prometheus-alertmanager");
    if !need("Alertmanager", "apt-get install prometheus-alertmanager", available) {
        return;
    }
    let space = Workspace::new();
    let config = merged(&space);
    let output = Command::new("amtool").arg("check-config").arg(&config).output().expect("it is there");
    let said =
        String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.contains("3 inhibit rules"), "{said}");

    let (_alertmanager, address) = start(&space, &config);
    let alert = |name: &str, instance: &str| {
        let labels = json!({
            "alertname": name, "job": "leasehold", "namespace": "shop", "instance": instance,
        });
        json!({ "labels": labels })
    };
    let all = [
        // The server is away for two pods, and each of their files is late.
        alert("LeaseholdBreakerOpen", "a"),
        alert("LeaseholdFileStale", "a"),
        alert("LeaseholdSecretExpiring", "a"),
        alert("LeaseholdTokenEnding", "a"),
        alert("LeaseholdBreakerOpen", "b"),
        // A file of a third is late by itself.
        alert("LeaseholdFileStale", "c"),
        // What has expired is told whatever else is wrong.
        alert("LeaseholdBreakerOpen", "d"),
        alert("LeaseholdSecretExpired", "d"),
        alert("LeaseholdNotReady", "d"),
        // Of a process that is gone nothing else is known.
        alert("LeaseholdDown", "e"),
        alert("LeaseholdNotReady", "e"),
    ];
    let headers = [("Content-Type", "application/json")];
    let posted = request(address, "POST", "/api/v2/alerts", &headers, Some(&json!(all))).expect("it answers");
    assert_eq!(posted.status, 200, "{}", posted.text);
    let states = wait_for("all alerts to have been looked at", SOON, || {
        let states = states(address);
        (states.len() == all.len() && states.values().all(|state| state != "unprocessed")).then_some(states)
    });
    let heard: Vec<&str> =
        states.iter().filter(|(_, state)| *state == "active").map(|(name, _)| name.as_str()).collect();
    assert_eq!(
        heard,
        [
            "LeaseholdBreakerOpen a",
            "LeaseholdBreakerOpen b",
            "LeaseholdBreakerOpen d",
            "LeaseholdDown e",
            "LeaseholdFileStale c",
            "LeaseholdSecretExpired d",
        ],
        "{states:?}"
    );
    let groups = request(address, "GET", "/api/v2/alerts/groups", &[], None).expect("it answers").json();
    let outage = groups
        .as_array()
        .expect("a list")
        .iter()
        .find(|group| group["labels"]["alertname"] == "LeaseholdBreakerOpen");
    let members = outage.and_then(|group| group["alerts"].as_array()).map(Vec::len);
    assert_eq!(members, Some(3), "three pods are one notification: {groups}");
}
