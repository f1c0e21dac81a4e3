//! What other hands do to a Secret at the very moment at which the controller writes it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::json;

use crate::faults::through;
use crate::gate::{Fate, Gate};
use crate::restarts::{annotations, workload};
use crate::stage::{SOON, Stage, encoded, secret, spec};
use crate::support::api_server::api_server_possible;
use crate::support::wait::wait_until;
use crate::synced::{make, value_of, with_accounts};

/// The watch tells of the deletion before the answer to the write is there, which says that all is well.
#[test]
fn a_secret_that_is_deleted_before_its_write_is_answered_is_put_back() {
    if !api_server_possible() {
        return;
    }
    let stage = Stage::start();
    for name in ["app", "other"] {
        stage.put(&format!("secret/data/{name}"), &json!({"value": "one"}));
        stage.define(name, &spec(name, &format!("secret/data/{name}")));
    }
    let gate = Gate::to(&stage.api.address(), &stage.api.ca_file());
    let _controller = through(&stage, &gate, "sync-0", &[]);
    stage.until("app", "foo", "one");
    stage.until("other", "foo", "one");

    let free = Arc::new(AtomicBool::new(false));
    let held = Arc::clone(&free);
    gate.rule(move |asked| match asked.method.as_str() {
        "PUT" if asked.path.contains("/secrets/app") => Fate::Hold(Arc::clone(&held)),
        _ => Fate::Pass,
    });
    stage.put("secret/data/app", &json!({"value": "two"}));
    stage.until("app", "foo", "two");
    stage.api.ask("DELETE", &secret("app"), None).ok();
    // One watch tells of both, in this order.
    let mine = json!([{"op": "replace", "path": "/data/foo", "value": encoded("mine")}]);
    stage.api.patch(&secret("other"), &mine).ok();
    stage.until("other", "foo", "one");
    assert_eq!(stage.secret("app"), None, "its write is not answered yet");
    free.store(true, Ordering::SeqCst);
    stage.until("app", "foo", "two");
}

/// A Secret that is made again may have other values than its readers have.
#[test]
fn readers_are_restarted_when_a_deleted_secret_comes_back_with_other_values() {
    if !api_server_possible() {
        return;
    }
    let stage = Stage::start();
    with_accounts(&stage);
    stage.put("secret/data/web", &json!({"value": "one"}));
    workload(&stage, "Deployment", "web");
    let gate = Gate::to(&stage.api.address(), &stage.api.ca_file());
    let _controller = through(&stage, &gate, "sync-0", &["-vault.auth-method=none"]);
    let object = json!({
        "auth": {"serviceAccount": "web", "role": "web"}, "refresh": "1s", "wait": "1s",
        "restart": [{"kind": "Deployment", "name": "web"}], "data": {"v": {"secret": "secret/web#value"}},
    });
    make(&stage, "shop", "web", &object);
    let is = |wanted: &str| value_of(&stage, "web", "v").as_deref() == Some(wanted);
    wait_until("the Secret", SOON, || is("one"));

    let refused = Arc::new(AtomicBool::new(true));
    let (rule, tries) = (Arc::clone(&refused), Arc::new(AtomicBool::new(false)));
    let tried = Arc::clone(&tries);
    gate.rule(move |asked| {
        let makes = asked.method == "POST" && asked.path.contains("/namespaces/shop/secrets");
        tried.fetch_or(makes, Ordering::SeqCst);
        if makes && rule.load(Ordering::SeqCst) { Fate::Answer(500) } else { Fate::Pass }
    });
    stage.api.ask("DELETE", "/api/v1/namespaces/shop/secrets/web", None).ok();
    wait_until("it to be made again in vain", SOON, || tries.load(Ordering::SeqCst));
    let before = stage.vault.requests("secret/data/web");
    stage.put("secret/data/web", &json!({"value": "two"}));
    // The first of these may have begun before the change.
    wait_until("the change to be read", SOON, || stage.vault.requests("secret/data/web") >= before + 3);
    refused.store(false, Ordering::SeqCst);
    wait_until("the Secret", SOON, || is("two"));
    wait_until("the restart", SOON, || !annotations(&stage, "Deployment", "web").is_null());
}

/// The first try to put it back is refused, as by a quota, a conflict, or an API server that is being restarted.
#[test]
fn a_changed_secret_is_put_back_also_where_that_fails_once() {
    if !api_server_possible() {
        return;
    }
    let stage = Stage::start();
    stage.put("secret/data/app", &json!({"value": "one"}));
    stage.define("app", &spec("app", "secret/data/app"));
    let gate = Gate::to(&stage.api.address(), &stage.api.ca_file());
    let _controller = through(&stage, &gate, "sync-0", &[]);
    stage.until("app", "foo", "one");
    let refused = AtomicBool::new(false);
    gate.rule(move |asked| {
        let first = asked.method == "PUT"
            && asked.path.contains("/secrets/app")
            && !refused.fetch_or(true, Ordering::SeqCst);
        if first { Fate::Answer(409) } else { Fate::Pass }
    });
    let mine = json!([{"op": "replace", "path": "/data/foo", "value": encoded("mine")}]);
    stage.api.patch(&secret("app"), &mine).ok();
    stage.until("app", "foo", "one");
    assert!(
        gate.asked()
            .iter()
            .filter(|asked| asked.method == "PUT" && asked.path.contains("/secrets/app"))
            .count()
            >= 2
    );
}
