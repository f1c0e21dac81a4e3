//! What becomes of credentials that are in use when their object is edited.

use serde_json::{Value, json};

use crate::faults::{leased, long_leases};
use crate::handoffs::leases;
use crate::stage::{SOON, Stage};
use crate::support::api_server::api_server_possible;
use crate::support::wait::wait_until;
use crate::synced::{condition, make, place, value_of, with_accounts};

/// Puts another specification into a SyncedSecret of the namespace `shop`.
fn edit(stage: &Stage, name: &str, spec: &Value) {
    let operations = json!([{"op": "replace", "path": "/spec", "value": spec}]);
    stage.api.patch(&place("shop", name), &operations).ok();
}

/// Waits until the status says that the Secret is as defined, or why it is not.
fn until_synced(stage: &Stage, name: &str, wanted: &str, why: &str) {
    wait_until(&format!("{name} to be synced: {wanted} {why}"), SOON, || {
        condition(stage, "shop", name, "Synced")
            .is_some_and(|(state, text)| state == wanted && text.contains(why))
    });
}

fn state_of(stage: &Stage, name: &str, kind: &str) -> Option<String> {
    condition(stage, "shop", name, kind).map(|(state, _)| state)
}

/// A mistake in an edit is no reason to end the credentials of every application.
#[test]
fn an_edit_that_is_refused_leaves_the_secret_and_its_leases_as_they_are() {
    if !api_server_possible() {
        return;
    }
    let stage = Stage::start();
    with_accounts(&stage);
    long_leases(&stage);
    stage.put("secret/data/web", &json!({"value": "one"}));
    let controller = stage.controller(&["-vault.auth-method=none"]);
    let good = leased("secret/data/web");
    make(&stage, "shop", "web", &good);
    until_synced(&stage, "web", "True", "");
    let otp = value_of(&stage, "web", "otp").expect("a password");

    // The mistake comes with another name, which is not taken over either.
    let mut wrong = good.clone();
    wrong["target"] = json!({"name": "renamed"});
    wrong["data"]["home"] = json!({"template": "{{ env \"HOME\" }}"});
    edit(&stage, "web", &wrong);
    until_synced(&stage, "web", "False", "function \"env\" not defined");
    stage.put("secret/data/web", &json!({"value": "two"}));
    wait_until("the change", SOON, || value_of(&stage, "web", "value").as_deref() == Some("two"));
    controller.let_pass(&stage, 3, "secret/data/web");
    assert_eq!((leases(&stage), stage.vault.requests("auth/token/revoke-self")), (1, 0));
    assert_eq!(value_of(&stage, "web", "otp").as_deref(), Some(&*otp));
    let status = stage.get(&place("shop", "web")).expect("it is there")["status"].clone();
    assert!(status["secret"] == "web" && status["accessor"].is_string(), "{status}");
    assert_eq!(state_of(&stage, "web", "Ready").as_deref(), Some("True"));
    until_synced(&stage, "web", "False", "function \"env\" not defined");
    let refused = "leasehold_sync_definitions{kind=\"SyncedSecret\",state=\"refused\"}";
    assert_eq!(controller.metric(refused), Some(1.0));

    // The mistake is corrected, and nothing is minted for that.
    edit(&stage, "web", &good);
    until_synced(&stage, "web", "True", "");
    assert_eq!((leases(&stage), stage.vault.requests("ssh/creds/otp")), (1, 1));

    // An object that is deleted in a refused form goes with everything.
    edit(&stage, "web", &wrong);
    until_synced(&stage, "web", "False", "");
    stage.api.ask("DELETE", &place("shop", "web"), None).ok();
    wait_until("the object to be gone", SOON, || stage.get(&place("shop", "web")).is_none());
    wait_until("the lease to be gone", SOON, || leases(&stage) == 0);
}
