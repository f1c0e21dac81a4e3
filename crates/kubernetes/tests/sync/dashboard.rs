//! The dashboard of sync, on a real Prometheus that scrapes a real controller.

use serde_json::{Value, json};

use crate::stage::{SOON, Stage, spec};
use crate::support::api_server::api_server_possible;
use crate::support::need::{have, need};
use crate::support::prometheus::{Prometheus, dashboard, queries};
use crate::support::wait::wait_until;
use crate::support::workspace::Workspace;
use crate::synced::{make, with_accounts};

/// Revokes every token that a login with AppRole gave.
fn revoke_logins(stage: &Stage) {
    let ask = |method: &str, path: &str, body: Option<Value>| stage.vault.ask(method, path, body);
    let all = ask("LIST", "auth/token/accessors", None).ok().json()["data"]["keys"].clone();
    for accessor in all.as_array().expect("a list") {
        let body = json!({"accessor": accessor});
        let token = ask("POST", "auth/token/lookup-accessor", Some(body.clone()));
        if token.status == 200 && token.json()["data"]["path"] == "auth/approle/login" {
            ask("POST", "auth/token/revoke-accessor", Some(body)).ok();
        }
    }
}

#[test]
fn every_panel_shows_something_of_a_controller_with_troubles() {
    if !api_server_possible() || !need("Prometheus", "apt-get install prometheus", have("prometheus")) {
        return;
    }
    let stage = Stage::start();
    with_accounts(&stage);
    stage.put("secret/data/web", &json!({"value": "one"}));
    stage.define("good", &spec("good", "secret/data/web"));
    stage.define("missing", &spec("missing", "secret/data/nowhere"));
    stage.define("refused", &json!({"name": "No Name", "keysMap": {}}));
    let otp =
        json!({"template": "{{ with secret \"ssh/creds/otp\" \"ip=127.0.0.1\" }}{{ .Data.key }}{{ end }}"});
    make(
        &stage,
        "shop",
        "otp",
        &json!({"auth": {"serviceAccount": "web", "role": "web"}, "data": {"otp": otp}}),
    );

    let controller = stage.controller(&["-metrics-paths"]);
    let space = Workspace::new();
    let config = format!(
        "global: {{scrape_interval: 1s}}\n\
         scrape_configs:\n- job_name: sync\n  static_configs: [{{targets: ['{}']}}]\n",
        controller.address()
    );
    let prometheus = Prometheus::start(&space, &config);
    // A login that is lost: its look-ups fail, and another one follows.
    wait_until("the Secret", SOON, || stage.secret("good").is_some());
    revoke_logins(&stage);

    let dashboard = dashboard("leasehold-sync");
    let mut waiting = queries(&dashboard, "10s");
    assert!(waiting.len() > 20, "{}", waiting.len());
    wait_until("every panel to show something", 2 * SOON, || {
        waiting.retain(|(title, query)| {
            let found = prometheus.query(query).unwrap_or_else(|why| panic!("{title}: {why}"));
            let number = |series: &Value| series["value"][1].as_str().is_some_and(|value| value != "NaN");
            !found.iter().any(number)
        });
        waiting.is_empty()
    });
    let panels = dashboard["panels"].as_array().expect("it has panels");
    assert!(panels.iter().filter(|panel| panel["type"] == "row").count() >= 4);
    for panel in panels.iter().filter(|panel| panel["type"] != "row") {
        assert!(panel["description"].as_str().is_some_and(|said| said.len() > 20), "{}", panel["title"]);
    }
}
