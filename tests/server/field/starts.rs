//! What a start asks the server for.

use serde_json::json;

use crate::support::{CANARY, SOON, Stage, wait_until};

/// The paths of everything that was asked with a login of the pod's, in order, and the logins.
fn asked(stage: &Stage) -> Vec<String> {
    let by_pod = |entry: &serde_json::Value| {
        let path = entry["request"]["path"].as_str().unwrap_or_default();
        let role = entry["auth"]["metadata"]["role"] == "web";
        entry["type"] == "request" && (role || path == "auth/kubernetes/login")
    };
    let audit = stage.server.audit();
    let paths = audit.iter().filter(|entry| by_pod(entry));
    paths.map(|entry| entry["request"]["path"].as_str().expect("a request has one").to_owned()).collect()
}

fn files(count: usize, way: &str) -> String {
    let file = |n| format!("  - {{path: f{n}, secret: '{way}/app-{n}#password'}}\n");
    format!("files:\n{}", (0..count).map(file).collect::<String>())
}

#[test]
fn init_asks_for_a_login_and_its_secrets_and_for_nothing_else() {
    for count in [1, 10, 1000] {
        let stage = Stage::new();
        for n in 0..count {
            stage.server.put("secret", &format!("app-{n}"), json!({ "password": format!("{CANARY}-{n}") }));
        }
        let config = stage.config(&files(count, "secret/data"));
        stage.init(&config).expect_code(0);
        assert_eq!(stage.read(&format!("f{}", count - 1)), Some(format!("{CANARY}-{}", count - 1)));
        let mut asked = asked(&stage);
        // Its token, which nothing needs any longer, is given back where it is not handed over.
        let revoked = asked.iter().filter(|path| *path == "auth/token/revoke-self").count();
        assert_eq!(asked.len(), 1 + count + revoked, "{asked:?}");
        assert_eq!(asked.remove(0), "auth/kubernetes/login");
        assert_eq!(asked.iter().filter(|path| path.starts_with("secret/data/app-")).count(), count);
    }
}

#[test]
fn a_run_that_takes_over_asks_about_no_mount_that_was_known() {
    let stage = Stage::new();
    stage.put_password("one");
    stage.server.put("secret", "chosen", json!({ "password": "first" }));
    // The second path is found out of the first secret, by a run that has never asked about its mount.
    let config = stage.config(
        "files:\n  - {path: web, refresh: 1s, template: '{{ with secret \"secret/data/web\" }}{{ .Data.data.password }}{{ with index .Data.data \"next\" }}{{ (secret .).Data.data.password }}{{ end }}{{ end }}'}\n",
    );
    stage.init(&config).expect_code(0);
    let sidecar = stage.sidecar(&config);
    stage.put(json!({ "password": "a", "next": "secret/chosen" }));
    wait_until("the chosen secret", SOON, || stage.read("web").as_deref() == Some("afirst"));
    sidecar.stop();
    let asked = asked(&stage);
    assert!(!asked.iter().any(|path| path.starts_with("sys/internal")), "{asked:?}");
}

#[test]
fn a_write_to_a_kv2_is_still_one_of_fields_after_a_restart() {
    let stage = Stage::new();
    stage
        .server
        .policy("web", "path \"secret/data/*\" { capabilities = [\"read\", \"create\", \"update\"] }");
    let config = stage.config(
        "files:\n  - {path: version, refresh: 1s, template: '{{ with secret \"secret/data/written\" \"by=leasehold\" }}{{ .Data.version }}{{ end }}'}\n",
    );
    stage.init(&config).expect_code(0);
    let first: u64 = stage.read("version").expect("it is there").parse().expect("a number");
    let sidecar = stage.sidecar(&config);
    wait_until("another version", SOON, || {
        stage.read("version").is_some_and(|version| version.parse::<u64>().is_ok_and(|now| now > first))
    });
    sidecar.stop();
    let kept = stage.server.ask("GET", "secret/data/written", None).json();
    assert_eq!(kept["data"]["data"], json!({ "by": "leasehold" }));
}
