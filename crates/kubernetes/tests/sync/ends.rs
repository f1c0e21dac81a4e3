//! The orderly end of a controller without a handoff, as each rollout of it is one.

use serde_json::json;

use crate::faults::{leased, long_leases};
use crate::handoffs::{leases, terminate};
use crate::restarts::{annotations, workload};
use crate::stage::{SOON, Stage};
use crate::support::api_server::api_server_possible;
use crate::support::wait::wait_until;
use crate::synced::{condition, make, place, secret, value_of, with_accounts};

/// A rollout of the controller is an orderly end: it is not to end the credentials of every application.
#[test]
fn an_orderly_end_without_a_handoff_leaves_what_the_secrets_have() {
    if !api_server_possible() {
        return;
    }
    let stage = Stage::start();
    with_accounts(&stage);
    long_leases(&stage);
    stage.put("secret/data/web", &json!({"value": "one"}));
    let mut first = stage.controller(&[]);
    make(&stage, "shop", "web", &leased("secret/data/web"));
    wait_until("the Secret", SOON, || value_of(&stage, "web", "otp").is_some());
    let before = secret(&stage, "shop", "web");
    terminate(&mut first);
    assert_eq!((leases(&stage), secret(&stage, "shop", "web")), (1, before.clone()));
    assert_eq!(stage.vault.requests("auth/token/revoke-self"), 0, "its leases would go with it");
    let _second = stage.controller(&[]);
    wait_until("other credentials", SOON, || secret(&stage, "shop", "web") != before);
    assert_eq!(leases(&stage), 2, "pods that have the old ones go on with them");
}

/// Nothing can be made in a namespace that is being deleted, which the API server says in the words of a missing right.
#[test]
fn a_namespace_that_ends_is_called_so_and_costs_the_others_nothing() {
    if !api_server_possible() {
        return;
    }
    let stage = Stage::start();
    with_accounts(&stage);
    stage.put("secret/data/web", &json!({"value": "one"}));
    let _controller = stage.controller(&[]);
    let spec = json!({
        "auth": {"serviceAccount": "web", "role": "web"}, "data": {"a": {"secret": "secret/web#value"}},
    });
    make(&stage, "shop", "web", &spec);
    wait_until("the Secret", SOON, || secret(&stage, "shop", "web").is_some());
    // Nobody plays the controller of namespaces, so it stays as one that ends.
    stage.api.ask("DELETE", "/api/v1/namespaces/shop", None).ok();
    stage.api.ask("DELETE", "/api/v1/namespaces/shop/secrets/web", None).ok();
    wait_until("the status", SOON, || {
        condition(&stage, "shop", "web", "Synced")
            .is_some_and(|(state, text)| state == "False" && text.contains("the namespace is being deleted"))
    });
    // The event about that was refused, too. Those of other namespaces are made all the same.
    stage.define("wrong", &json!({"name": "wrong", "keysMap": {}}));
    wait_until("an event", SOON, || !stage.events("wrong").is_empty());
}

/// What was replaced has no Secret any more, and the pods that are still to be restarted have it.
#[test]
fn an_orderly_end_leaves_a_replaced_lease_that_pods_still_have() {
    if !api_server_possible() {
        return;
    }
    let stage = Stage::start();
    with_accounts(&stage);
    long_leases(&stage);
    stage.put("secret/data/web", &json!({"value": "one"}));
    workload(&stage, "Deployment", "web");
    let mut first = stage.controller(&["-vault.auth-method=none"]);
    let mut object = leased("secret/data/web");
    object["wait"] = json!("1s");
    object["restart"] = json!([{"kind": "Deployment", "name": "web"}]);
    make(&stage, "shop", "web", &object);
    wait_until("the Secret", SOON, || value_of(&stage, "web", "otp").is_some());
    let change = json!([{"op": "remove", "path": "/spec/data/otp"}]);
    stage.api.patch(&place("shop", "web"), &change).ok();
    wait_until("the change", SOON, || {
        secret(&stage, "shop", "web").is_some_and(|live| live["data"]["otp"].is_null())
    });
    // Nobody plays the controller of the Deployment: its rollout does not end.
    wait_until("the restart", SOON, || !annotations(&stage, "Deployment", "web").is_null());
    assert_eq!(leases(&stage), 1, "its pods have it");
    terminate(&mut first);
    assert_eq!(leases(&stage), 1, "and still do");
    assert_eq!(stage.vault.requests("auth/token/revoke-self"), 0, "it would go with its login");
}
