//! A KV mount that changes under a running sidecar: upgraded, replaced by another version, gone and back.

use crate::support::{CANARY, SOON, Stage, wait_until};
use leasehold_testkit::evidence;
use serde_json::json;

const OLD: &str = "files: [{path: password, secret: 'old/web#password', refresh: 1s}]\n";

/// What is known of a mount is not doubted for ten seconds.
const NOTICED: std::time::Duration = std::time::Duration::from_secs(30);

fn shows(stage: &Stage, file: &str, value: &str) {
    let wanted = format!("{CANARY}-{value}");
    wait_until(&format!("{file} to show {value}"), NOTICED, || {
        stage.read(file).is_some_and(|text| text.trim_end() == wanted)
    });
}

fn secret(value: &str) -> serde_json::Value {
    json!({ "password": format!("{CANARY}-{value}") })
}

#[test]
fn a_mount_that_is_upgraded_to_version_2_is_followed_without_a_restart() {
    let mut fault = evidence!(55, Server);
    let stage = Stage::new();
    stage.server.write("old/web", secret("one"));
    let _sidecar = stage.sidecar(&stage.config(OLD));
    shows(&stage, "password", "one");
    let options = json!({ "options": { "version": "2" } });
    stage.server.ask("POST", "sys/mounts/old/tune", Some(options)).ok();
    wait_until("the engine to be of version 2", SOON, || {
        stage.server.ask("GET", "old/data/web", None).status == 200
    });
    assert_eq!(stage.read("password"), Some(format!("{CANARY}-one")));
    stage.server.put("old", "web", secret("two"));
    shows(&stage, "password", "two");
    wait_until("readiness", SOON, || stage.ready());
    assert_eq!(stage.logins(), 1);
    fault.metric(&stage.metrics(), "leasehold_secrets_failing 0");
    fault.holds("upgraded to version 2: the file keeps its bytes and follows the next change, one login");
}

/// On a version 2 the path of a secret called `config` answers with the engine's own configuration, and that of `subkeys/web`
/// with the names of the keys of `web`: with 200, both.
#[test]
fn a_secret_that_is_called_as_an_endpoint_of_version_2_is_never_taken_for_that() {
    let mut fault = evidence!(55, Server);
    let stage = Stage::new();
    for path in ["config", "subkeys/web", "web"] {
        stage.server.write(&format!("old/{path}"), secret("one"));
    }
    let files = r#"
files:
  - {path: config, template: '{{ with secret "old/config" }}{{ .Data | toJSON }}{{ end }}', refresh: 1s}
  - {path: subkeys, template: '{{ with secret "old/subkeys/web" }}{{ .Data | toJSON }}{{ end }}', refresh: 1s}
"#;
    let _sidecar = stage.sidecar(&stage.config(files));
    let first = format!("{{\"password\":\"{CANARY}-one\"}}");
    let read = |file| stage.read(file).expect("the last good bytes stay");
    assert_eq!((read("config"), read("subkeys")), (first.clone(), first.clone()));
    let options = json!({ "options": { "version": "2" } });
    stage.server.ask("POST", "sys/mounts/old/tune", Some(options)).ok();
    wait_until("both to be read as version 2 keeps them", NOTICED, || {
        let (config, subkeys) = (read("config"), read("subkeys"));
        for text in [&config, &subkeys] {
            assert!(text.contains(&format!("{CANARY}-one")), "published: {text}");
        }
        config.contains("metadata") && subkeys.contains("metadata")
    });
    stage.server.put("old", "config", secret("two"));
    wait_until("the next version", NOTICED, || read("config").contains(&format!("{CANARY}-two")));
    fault.metric(&stage.metrics(), "leasehold_secrets_failing 0");
    fault.holds("upgraded, with a secret called `config`: the engine's own configuration is never published in its place");
}

/// A list below `metadata/` is answered as an empty one by a version 1.
#[test]
fn a_mount_of_version_1_in_the_place_of_one_of_version_2_is_followed_and_no_empty_list_is_published() {
    let mut fault = evidence!(55, Server);
    let stage = Stage::new();
    let policy = r#"path "kv/*" { capabilities = ["read", "list"] }"#;
    stage.server.policy("web", policy);
    stage.server.kv2("kv");
    stage.server.put("kv", "web", secret("one"));
    let files = r#"
files:
  - {path: password, secret: "kv/web#password", refresh: 1s}
  - {path: names, template: '{{ range secrets "kv" }}{{ . }} {{ end }}', refresh: 1s}
"#;
    let _sidecar = stage.sidecar(&stage.config(files));
    assert_eq!(stage.read("names").as_deref().map(str::trim), Some("web"));
    stage.server.ask("DELETE", "sys/mounts/kv", None).ok();
    stage.server.kv1("next");
    stage.server.write("next/web", secret("two"));
    stage.server.write("next/other", secret("two"));
    let moved = json!({ "from": "next", "to": "kv" });
    stage.server.ask("POST", "sys/remount", Some(moved)).ok();
    wait_until("the names of the other mount", NOTICED, || {
        let names = stage.read("names").expect("the last good bytes stay");
        assert!(names.contains("web"), "published: {names:?}");
        names.contains("other")
    });
    shows(&stage, "password", "two");
    wait_until("readiness", SOON, || stage.ready());
    fault.metric(&stage.metrics(), "leasehold_secrets_failing 0");
    fault.holds("version 1 in the place of version 2: followed, and no empty list is published meanwhile");
}

#[test]
fn a_mount_that_is_gone_leaves_the_bytes_fails_its_file_alone_and_is_found_when_it_is_back() {
    let mut fault = evidence!(55, Server);
    let stage = Stage::new();
    stage.server.write("old/web", secret("one"));
    stage.put_password("one");
    let files = OLD.replace("]", ", {path: other, secret: 'secret/web#password', refresh: 1s}]");
    let _sidecar = stage.sidecar(&stage.config(&files));
    stage.server.ask("DELETE", "sys/mounts/old", None).ok();
    wait_until("the error", SOON, || stage.metrics().contains("leasehold_file_error{file=\"password\"} 1"));
    fault.metric(&stage.metrics(), "leasehold_file_error{file=\"other\"} 0");
    let status = stage.get("/status").expect("it listens").text;
    assert!(status.contains("old/web does not exist"), "{status}");
    stage.put_password("two");
    shows(&stage, "other", "two");
    assert_eq!(stage.read("password"), Some(format!("{CANARY}-one")), "the last good bytes");
    stage.server.kv2("old");
    stage.server.put("old", "web", secret("three"));
    shows(&stage, "password", "three");
    fault.metric(&stage.metrics(), "leasehold_secrets_failing 0");
    fault.holds("gone: its file keeps its bytes and says so, the other follows; back as version 2, it is read within a minute");
}
