//! What other hands do to a Secret at the very moment at which the controller writes it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::json;

use crate::faults::{leased, long_leases, through};
use crate::gate::{Fate, Gate};
use crate::handoffs::leases;
use crate::restarts::{annotations, finish, workload};
use crate::stage::{SOON, Stage, encoded, secret, spec};
use crate::support::api_server::api_server_possible;
use crate::support::wait::wait_until;
use crate::synced::{condition, make, place, value_of, with_accounts};

/// The watch reports the deletion before the answer to the write arrives, which says that all is well.
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
    // No poll of Vault finds it by chance.
    let _controller = through(&stage, &gate, "sync-0", &["-reconcile-period=24h"]);
    stage.until("app", "foo", "one");
    stage.until("other", "foo", "one");

    let free = Arc::new(AtomicBool::new(false));
    let held = Arc::clone(&free);
    gate.rule(move |asked| match asked.method.as_str() {
        "PUT" if asked.path.contains("/secrets/app") => Fate::Hold(Arc::clone(&held)),
        _ => Fate::Pass,
    });
    let mine = json!([{"op": "replace", "path": "/data/foo", "value": encoded("mine")}]);
    stage.api.patch(&secret("app"), &mine).ok();
    stage.until("app", "foo", "one");
    stage.api.ask("DELETE", &secret("app"), None).ok();
    // One watch tells of both, in this order.
    stage.api.patch(&secret("other"), &mine).ok();
    stage.until("other", "foo", "one");
    assert_eq!(stage.secret("app"), None, "its write is not answered yet");
    free.store(true, Ordering::SeqCst);
    stage.until("app", "foo", "one");
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

/// Kubernetes changes no immutable Secret, so the controller itself deletes it and makes it anew.
#[test]
fn readers_of_an_immutable_secret_are_restarted_and_its_deletion_is_not_taken_for_anothers() {
    if !api_server_possible() {
        return;
    }
    let stage = Stage::start();
    with_accounts(&stage);
    stage.put("secret/data/web", &json!({"value": "one"}));
    workload(&stage, "Deployment", "web");
    let controller = stage.controller(&["-vault.auth-method=none"]);
    let object = json!({
        "auth": {"serviceAccount": "web", "role": "web"}, "refresh": "1s", "wait": "1s", "target": {"immutable": true},
        "restart": [{"kind": "Deployment", "name": "web"}], "data": {"v": {"secret": "secret/web#value"}},
    });
    make(&stage, "shop", "web", &object);
    let is = |wanted: &str| value_of(&stage, "web", "v").as_deref() == Some(wanted);
    let immutable =
        || crate::synced::secret(&stage, "shop", "web").expect("it is there")["immutable"].clone();
    wait_until("the Secret", SOON, || is("one"));
    assert_eq!(immutable(), true);
    stage.put("secret/data/web", &json!({"value": "two"}));
    wait_until("the change", SOON, || is("two"));
    assert_eq!(immutable(), true);
    wait_until("the restart", SOON, || !annotations(&stage, "Deployment", "web").is_null());
    let log = controller.child.stderr();
    assert!(!log.contains("by another process"), "{log}");
}

/// A rollout takes long, and its pods have the old credentials until it is over, whatever becomes of the Secret.
#[test]
fn a_secret_that_is_deleted_during_a_rollout_does_not_end_the_old_lease() {
    if !api_server_possible() {
        return;
    }
    let stage = Stage::start();
    with_accounts(&stage);
    long_leases(&stage);
    let policy = "path \"secret/data/*\" { capabilities = [\"read\"] }\n\
                  path \"ssh/creds/otp\" { capabilities = [\"create\", \"update\"] }\n\
                  path \"sys/leases/revoke\" { capabilities = [\"update\"] }";
    stage.vault.ask("PUT", "sys/policies/acl/web", Some(json!({"policy": policy}))).ok();
    stage.put("secret/data/web", &json!({"value": "one"}));
    workload(&stage, "Deployment", "web");
    let controller = stage.controller(&["-vault.auth-method=none"]);
    let mut object = leased("secret/data/web");
    object["wait"] = json!("1s");
    object["restart"] = json!([{"kind": "Deployment", "name": "web"}]);
    make(&stage, "shop", "web", &object);
    wait_until("the Secret", SOON, || value_of(&stage, "web", "otp").is_some());
    let first = value_of(&stage, "web", "otp");
    let other = "{{ with secret \"ssh/creds/otp\" \"ip=127.0.0.2\" }}{{ .Data.key }}{{ end }}";
    let change = json!([{"op": "replace", "path": "/spec/data/otp/template", "value": other}]);
    stage.api.patch(&place("shop", "web"), &change).ok();
    wait_until("other credentials", SOON, || {
        value_of(&stage, "web", "otp").is_some_and(|otp| Some(&otp) != first.as_ref())
    });
    wait_until("the restart", SOON, || !annotations(&stage, "Deployment", "web").is_null());

    stage.api.ask("DELETE", "/api/v1/namespaces/shop/secrets/web", None).ok();
    wait_until("the Secret again", SOON, || value_of(&stage, "web", "otp").is_some());
    controller.let_pass(&stage, 3, "secret/data/web");
    assert_eq!(leases(&stage), 2, "the pods of the old template are still there");
    finish(&stage, "Deployment", "web");
    wait_until("the old lease to be revoked", SOON, || leases(&stage) == 1);
}

/// Pods that wait for a Secret have read no other.
#[test]
fn the_first_values_restart_nothing_also_where_the_object_was_refused_before() {
    if !api_server_possible() {
        return;
    }
    let stage = Stage::start();
    with_accounts(&stage);
    stage.put("secret/data/web", &json!({"value": "one"}));
    workload(&stage, "Deployment", "web");
    let controller = stage.controller(&["-vault.auth-method=none"]);
    let object = json!({
        "auth": {"serviceAccount": "web", "role": "web"}, "refresh": "1s", "wait": "1s",
        "restart": [{"kind": "Deployment", "name": "web"}],
        "data": {"v": {"secret": "secret/web#value", "template": "both"}},
    });
    make(&stage, "shop", "web", &object);
    wait_until("its refusal", SOON, || {
        condition(&stage, "shop", "web", "Synced").is_some_and(|(_, message)| message.contains("one of"))
    });
    let live = stage.get(&place("shop", "web")).expect("it is there");
    assert!(live["metadata"]["finalizers"].is_null(), "nothing keeps it from being deleted: {live}");
    let right = json!([{"op": "remove", "path": "/spec/data/v/template"}]);
    stage.api.patch(&place("shop", "web"), &right).ok();
    wait_until("the Secret", SOON, || value_of(&stage, "web", "v").is_some());
    controller.let_pass(&stage, 4, "secret/data/web");
    assert!(annotations(&stage, "Deployment", "web").is_null());
}
