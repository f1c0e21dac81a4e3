//! `/status` is what its published schema says.

use std::process::Command;

use serde_json::{Value, json};

use crate::support::{CANARY, SOON, Stage, repository, script, wait_until};

/// Prints what is wrong with documents, each a line of standard input.
const VALIDATE: &str = "
import json, sys, jsonschema
schema = json.load(open(sys.argv[1]))
jsonschema.Draft202012Validator.check_schema(schema)
for document in sys.stdin:
    for error in jsonschema.Draft202012Validator(schema).iter_errors(json.loads(document)):
        print(error.json_path, error.message)
";

/// The schema as published, and the same with nothing allowed beside what it names: what is told and not
/// published is a mistake here, though not for who reads it.
fn schema() -> Value {
    let path = repository().join("docs/status.schema.json");
    let text = std::fs::read_to_string(path).expect("it is in the repository");
    let mut schema = serde_json::from_str(&text).expect("JSON");
    close(&mut schema);
    schema
}

fn close(schema: &mut Value) {
    match schema {
        Value::Object(fields) => {
            if fields.contains_key("properties") {
                fields.insert("additionalProperties".to_owned(), json!(false));
            }
            fields.values_mut().for_each(close);
        }
        Value::Array(all) => all.iter_mut().for_each(close),
        _ => {}
    }
}

/// What is wrong with these documents.
fn wrong(documents: &[Value]) -> String {
    // The validator of manifests brings one of JSON with it.
    let env = script("python-env", &["kubernetes-validate-1.37.0", "kubernetes-validate==1.37.0"]);
    let space = crate::support::Workspace::new();
    let schema = space.file("schema.json", schema().to_string());
    let lines: String = documents.iter().map(|document| format!("{document}\n")).collect();
    let input = std::fs::File::open(space.file("documents", lines)).expect("just written");
    let output = Command::new(format!("{env}/bin/python"))
        .args(["-c", VALIDATE])
        .arg(schema)
        .stdin(input)
        .output()
        .expect("the environment has a python");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn what_a_sidecar_tells_on_good_and_bad_days_is_what_the_schema_says() {
    let stage = Stage::new();
    stage.put_password("one");
    let config = stage.config(
        "files:\n- {path: password, secret: 'secret/web#password', refresh: 1s}\n\
         - {path: user, secret: 'rabbitmq/creds/app#username'}\n\
         - {path: missing, secret: 'secret/missing#a'}\n\
         - {path: key, secret: 'secret/web#no-such-key'}\n\
         - {path: denied, secret: 'secret/denied#a'}\n\
         notify: {nobody: {signal: HUP, process: no-such-process-anywhere}}\n",
    );
    let sidecar = stage.start(&config);
    let status = || stage.get("/status").map(|reply| reply.json()).unwrap_or_default();
    let mut seen = Vec::new();
    wait_until("everything that can go well and wrong", SOON, || {
        let now = status();
        seen.push(now.clone());
        let class = |file: usize| now["files"][file]["error_class"].as_str().map(str::to_owned);
        now["notifiers"][0]["failed"].as_u64() > Some(0)
            && class(2).as_deref() == Some("missing")
            && class(3).as_deref() == Some("missing")
            && class(4).as_deref() == Some("denied")
    });
    stage.put_password("two");
    wait_until("the change", SOON, || status()["secrets"][0]["version"] == 2);
    seen.push(status());
    // And without the server.
    drop(stage.server);
    let text = || crate::support::request_unix(&stage.space.join("status.sock"), "GET", "/status");
    wait_until("the outage", SOON, || {
        let now = text().map(|reply| reply.json()).unwrap_or_default();
        seen.push(now.clone());
        now["server"]["breaker"] == "open" && now["server"]["up"] == false
    });
    sidecar.signal(nix::sys::signal::Signal::SIGKILL);
    seen.retain(|status| !status.is_null());
    seen.dedup();
    assert_eq!(wrong(&seen), "");
    assert!(!seen.iter().any(|status| status.to_string().contains(CANARY)));
}

#[test]
fn the_validator_finds_what_is_not_as_the_schema_says() {
    let stage = Stage::new();
    stage.put_password("one");
    let config = stage.config("files: [{path: password, secret: 'secret/web#password'}]\n");
    let _sidecar = stage.sidecar(&config);
    let good = stage.get("/status").expect("it listens").json();
    let with = |pointer: &str, value: Value| {
        let mut bad = good.clone();
        *bad.pointer_mut(pointer).expect("it is there") = value;
        bad
    };
    let mut more = good.clone();
    more["files"][0]["value"] = json!("x");
    let mut less = good.clone();
    less["secrets"][0].as_object_mut().expect("an object").remove("id");
    for (bad, place) in [
        (with("/state", json!("fine")), "$.state"),
        (with("/secrets/0/next/action", json!("dance")), "$.secrets[0].next"),
        (with("/files/0/renders", json!("many")), "$.files[0].renders"),
        (more, "$.files[0]"),
        (less, "$.secrets[0]"),
    ] {
        let said = wrong(&[bad]);
        assert!(said.starts_with(place), "{place}: {said:?}");
    }
    assert_eq!(wrong(&[good]), "");
}
