//! What becomes of credentials that are in use when their object is edited.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::{Value, json};

use crate::faults::{leased, long_leases, through};
use crate::gate::{Asked, Fate, Gate};
use crate::handoffs::leases;
use crate::restarts::{annotations, finish, workload};
use crate::stage::{SOON, Stage, definition, spec};
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

/// Makes another role, whose logins may read the same.
fn another_role(stage: &Stage) {
    let role = json!({
        "bound_service_account_names": ["web"], "bound_service_account_namespaces": ["shop"],
        "audience": "vault", "token_policies": "web", "token_ttl": "1h",
    });
    stage.vault.ask("POST", "auth/kubernetes/role/other", Some(role)).ok();
}

fn with_role(role: &str) -> Value {
    let mut spec = leased("secret/data/web");
    spec["auth"]["role"] = json!(role);
    spec
}

/// The next login is made before the former one ends, as a lease is.
#[test]
fn a_change_of_the_role_ends_the_former_login_only_after_the_next_one_has_written_the_secret() {
    if !api_server_possible() {
        return;
    }
    let stage = Stage::start();
    with_accounts(&stage);
    long_leases(&stage);
    another_role(&stage);
    stage.put("secret/data/web", &json!({"value": "one"}));
    let gate = Gate::to(&stage.api.address(), &stage.api.ca_file());
    let controller = through(&stage, &gate, "sync-0", &["-vault.auth-method=none"]);
    make(&stage, "shop", "web", &with_role("web"));
    until_synced(&stage, "web", "True", "");
    let otp = value_of(&stage, "web", "otp").expect("a password");
    let ends = || stage.vault.requests("auth/token/revoke-self");

    // A login that never works: the Secret goes on with the former one, which also writes it.
    edit(&stage, "web", &with_role("no-such-role"));
    until_synced(&stage, "web", "False", "could not log in");
    stage.put("secret/data/web", &json!({"value": "two"}));
    wait_until("the change", SOON, || value_of(&stage, "web", "value").as_deref() == Some("two"));
    controller.let_pass(&stage, 3, "secret/data/web");
    assert_eq!((leases(&stage), ends(), value_of(&stage, "web", "otp")), (1, 0, Some(otp.clone())));
    assert_eq!(state_of(&stage, "web", "Ready").as_deref(), Some("True"));
    until_synced(&stage, "web", "False", "could not log in");
    let status = stage.get(&place("shop", "web")).expect("it is there")["status"].clone();
    assert!(status["accessor"].is_string() && status["expiresAt"].is_string(), "{status}");

    // One that works, and whose Secret is refused for a while.
    let tried = Arc::new(AtomicUsize::new(0));
    let tries = Arc::clone(&tried);
    gate.rule(move |asked| match asked.method == "PUT" && asked.path.contains("/secrets/web") {
        true if tries.fetch_add(1, Ordering::SeqCst) < 3 => Fate::Answer(500),
        _ => Fate::Pass,
    });
    edit(&stage, "web", &with_role("other"));
    wait_until("a write of the next login", SOON, || tried.load(Ordering::SeqCst) >= 2);
    assert_eq!((leases(&stage), ends(), value_of(&stage, "web", "otp")), (2, 0, Some(otp.clone())));
    until_synced(&stage, "web", "True", "");
    wait_until("the former login to end", SOON, || (leases(&stage), ends()) == (1, 1));
    let next = value_of(&stage, "web", "otp");
    assert!(next.is_some() && next != Some(otp));

    // At rest, nothing is written: there is one writer.
    let version =
        || stage.get("/api/v1/namespaces/shop/secrets/web").expect("it is there")["metadata"].clone();
    let before = version();
    controller.let_pass(&stage, 3, "secret/data/web");
    assert_eq!(version(), before);
    assert_eq!(stage.vault.requests("ssh/creds/otp"), 2);
}

#[test]
fn an_object_that_is_changed_back_or_deleted_between_two_logins_leaves_nothing_behind() {
    if !api_server_possible() {
        return;
    }
    let stage = Stage::start();
    with_accounts(&stage);
    long_leases(&stage);
    stage.put("secret/data/web", &json!({"value": "one"}));
    let controller = stage.controller(&["-vault.auth-method=none"]);
    make(&stage, "shop", "web", &with_role("web"));
    until_synced(&stage, "web", "True", "");
    edit(&stage, "web", &with_role("none"));
    until_synced(&stage, "web", "False", "could not log in");
    edit(&stage, "web", &with_role("web"));
    until_synced(&stage, "web", "True", "");
    assert_eq!((leases(&stage), stage.vault.requests("ssh/creds/otp")), (1, 1));
    let failed = || controller.ask("/metrics").is_some_and(|(_, text)| text.contains("with role none"));
    wait_until("the login in between to be given up", SOON, || !failed());

    for role in ["none", "neither"] {
        edit(&stage, "web", &with_role(role));
        let text = format!("with role {role}");
        wait_until("a login", SOON, || {
            controller.ask("/metrics").is_some_and(|(_, metrics)| metrics.contains(&text))
        });
    }
    stage.api.ask("DELETE", &place("shop", "web"), None).ok();
    wait_until("the object to be gone", SOON, || stage.get(&place("shop", "web")).is_none());
    wait_until("the lease to be gone", SOON, || leases(&stage) == 0);
    assert_eq!(value_of(&stage, "web", "otp"), None);
    wait_until("all logins to be given up", SOON, || {
        controller.ask("/metrics").is_some_and(|(_, text)| !text.contains("with role"))
    });
}

/// To the former login, the Secret of the new name is one that its object has under another name.
#[test]
fn a_change_of_role_and_name_at_once_makes_the_new_secret_once_and_deletes_the_old_one() {
    if !api_server_possible() {
        return;
    }
    let stage = Stage::start();
    with_accounts(&stage);
    long_leases(&stage);
    another_role(&stage);
    stage.put("secret/data/web", &json!({"value": "one"}));
    workload(&stage, "Deployment", "web");
    let gate = Gate::to(&stage.api.address(), &stage.api.ca_file());
    let controller = through(&stage, &gate, "sync-0", &["-vault.auth-method=none"]);
    let of = |role: &str, name: &str| {
        let mut spec = with_role(role);
        spec["target"] = json!({"name": name});
        spec["wait"] = json!("1s");
        spec["restart"] = json!([{"kind": "Deployment", "name": "web"}]);
        spec
    };
    make(&stage, "shop", "web", &of("web", "before"));
    until_synced(&stage, "web", "True", "");
    edit(&stage, "web", &of("other", "after"));
    wait_until("the new Secret", SOON, || value_of(&stage, "after", "otp").is_some());
    wait_until("the old Secret to be gone", SOON, || value_of(&stage, "before", "otp").is_none());
    controller.let_pass(&stage, 3, "secret/data/web");
    let count = |method: &str, name: &str| {
        let asked = gate.asked();
        let is = |asked: &&Asked| {
            asked.method == method
                && asked.path.starts_with(&format!("/api/v1/namespaces/shop/secrets{name}"))
        };
        asked.iter().filter(is).count()
    };
    assert_eq!((count("POST", "?"), count("DELETE", "/after")), (2, 0));
    assert!(value_of(&stage, "before", "otp").is_none() && value_of(&stage, "after", "otp").is_some());
}

/// Pods that were not restarted yet have the credentials of the former login.
#[test]
fn a_change_of_the_role_ends_the_former_login_only_after_the_pods_are_restarted() {
    if !api_server_possible() {
        return;
    }
    let stage = Stage::start();
    with_accounts(&stage);
    long_leases(&stage);
    another_role(&stage);
    stage.put("secret/data/web", &json!({"value": "one"}));
    workload(&stage, "Deployment", "web");
    let controller = stage.controller(&["-vault.auth-method=none"]);
    let of = |role: &str| {
        let mut spec = with_role(role);
        spec["wait"] = json!("1s");
        spec["restart"] = json!([{"kind": "Deployment", "name": "web"}]);
        spec
    };
    make(&stage, "shop", "web", &of("web"));
    until_synced(&stage, "web", "True", "");
    let otp = value_of(&stage, "web", "otp").expect("a password");
    edit(&stage, "web", &of("other"));
    wait_until("the restart", SOON, || !annotations(&stage, "Deployment", "web").is_null());
    assert_ne!(value_of(&stage, "web", "otp"), Some(otp));
    controller.let_pass(&stage, 3, "secret/data/web");
    assert_eq!((leases(&stage), stage.vault.requests("auth/token/revoke-self")), (2, 0));
    finish(&stage, "Deployment", "web");
    wait_until("the former login to end", SOON, || leases(&stage) == 1);
    assert_eq!(stage.vault.requests("auth/token/revoke-self"), 1);
}

/// The Secret of the former name is deleted once there is one of the new name, which may never come.
#[test]
fn a_definition_that_is_deleted_after_a_rename_leaves_no_secret_of_its_former_name() {
    if !api_server_possible() {
        return;
    }
    let stage = Stage::start();
    stage.put("secret/data/app", &json!({"value": "hello"}));
    let _controller = stage.controller(&[]);
    for name in ["app", "kept"] {
        stage.define(name, &spec(name, "secret/data/app"));
        stage.until(name, "foo", "hello");
    }
    stage.redefine("app", &spec("renamed", "secret/data/none"));
    wait_until("an event", SOON, || {
        stage.events("app").iter().any(|(_, text)| text.contains("secret/data/none"))
    });
    stage.api.ask("DELETE", &definition("app"), None).ok();
    wait_until("the definition to be gone", SOON, || stage.get(&definition("app")).is_none());
    assert_eq!((stage.secret("app"), stage.secret("renamed")), (None, None));
    assert!(stage.secret("kept").is_some(), "it is another's");
}

/// Nobody has to wait for a rollout before a mistake is taken back.
#[test]
fn a_login_that_is_changed_back_during_its_rollout_writes_the_secret_again() {
    if !api_server_possible() {
        return;
    }
    let stage = Stage::start();
    with_accounts(&stage);
    long_leases(&stage);
    another_role(&stage);
    stage.put("secret/data/web", &json!({"value": "one"}));
    workload(&stage, "Deployment", "web");
    let controller = stage.controller(&["-vault.auth-method=none"]);
    let of = |role: &str| {
        let mut spec = with_role(role);
        spec["wait"] = json!("1s");
        spec["restart"] = json!([{"kind": "Deployment", "name": "web"}]);
        spec
    };
    let otp = || value_of(&stage, "web", "otp");
    let ends = || stage.vault.requests("auth/token/revoke-self");
    make(&stage, "shop", "web", &of("web"));
    until_synced(&stage, "web", "True", "");
    let first = otp();
    edit(&stage, "web", &of("other"));
    wait_until("the restart", SOON, || !annotations(&stage, "Deployment", "web").is_null());
    let second = otp();
    assert_ne!(second, first);
    controller.let_pass(&stage, 3, "secret/data/web");
    assert!(!controller.child.stderr().contains("putting it back"), "{}", controller.child.stderr());

    // A login that never works, and back: pods have the values of the first one.
    edit(&stage, "web", &of("none"));
    until_synced(&stage, "web", "False", "could not log in");
    edit(&stage, "web", &of("other"));
    wait_until("the login that never works to be given up", SOON, || {
        controller.ask("/metrics").is_some_and(|(_, text)| !text.contains("with role none"))
    });
    controller.let_pass(&stage, 3, "secret/data/web");
    assert_eq!((leases(&stage), ends(), otp()), (2, 0, second));

    edit(&stage, "web", &of("web"));
    wait_until("the first login's values", SOON, || otp() == first);
    controller.let_pass(&stage, 3, "secret/data/web");
    assert_eq!((leases(&stage), ends()), (2, 0));
    wait_until("the second login to end", SOON, || {
        finish(&stage, "Deployment", "web");
        (leases(&stage), ends()) == (1, 1)
    });
    until_synced(&stage, "web", "True", "");
    assert_eq!((otp(), stage.vault.requests("ssh/creds/otp")), (first, 2));
}

/// A name that another object has is a mistake like any other.
#[test]
fn an_edit_to_a_name_that_is_taken_leaves_the_secret_and_its_leases_as_they_are() {
    if !api_server_possible() {
        return;
    }
    let stage = Stage::start();
    with_accounts(&stage);
    long_leases(&stage);
    let policy = stage.vault.ask("GET", "sys/policies/acl/web", None).json()["data"]["policy"].clone();
    let policy = policy.as_str().expect("a policy");
    let more = format!("{policy}\npath \"sys/leases/revoke\" {{ capabilities = [\"update\"] }}");
    stage.vault.ask("PUT", "sys/policies/acl/web", Some(json!({"policy": more}))).ok();
    stage.put("secret/data/web", &json!({"value": "one"}));
    let controller = stage.controller(&["-vault.auth-method=none"]);
    let good = leased("secret/data/web");
    // One with a lease of its own.
    let other = good.to_string().replace("127.0.0.1", "127.0.0.2");
    for (name, spec) in [("web", good.clone()), ("other", serde_json::from_str(&other).expect("JSON"))] {
        make(&stage, "shop", name, &spec);
        until_synced(&stage, name, "True", "");
    }
    let otp = value_of(&stage, "web", "otp");
    let mut taken = good.clone();
    taken["target"] = json!({"name": "other"});
    edit(&stage, "web", &taken);
    until_synced(&stage, "web", "False", "asks for the same Secret");
    stage.put("secret/data/web", &json!({"value": "two"}));
    wait_until("the change", SOON, || value_of(&stage, "web", "value").as_deref() == Some("two"));
    controller.let_pass(&stage, 3, "secret/data/web");
    assert_eq!((leases(&stage), value_of(&stage, "web", "otp")), (2, otp.clone()));
    assert_eq!(state_of(&stage, "web", "Ready").as_deref(), Some("True"));

    edit(&stage, "web", &good);
    until_synced(&stage, "web", "True", "");
    assert_eq!((leases(&stage), value_of(&stage, "web", "otp")), (2, otp.clone()));

    // The name becomes free, and the edit is taken over.
    edit(&stage, "web", &taken);
    until_synced(&stage, "web", "False", "asks for the same Secret");
    stage.api.ask("DELETE", &place("shop", "other"), None).ok();
    until_synced(&stage, "web", "True", "");
    wait_until("the Secret of the former name to go", SOON, || value_of(&stage, "web", "otp").is_none());
    wait_until("the lease of the other object to end", SOON, || leases(&stage) == 1);
    assert_eq!(value_of(&stage, "other", "otp"), otp);
}

/// A version without fields, or with nothing but null in them, is a mistake in Vault, which takes no value away.
#[test]
fn a_secret_keeps_its_values_where_all_of_them_are_gone_in_vault() {
    if !api_server_possible() {
        return;
    }
    let stage = Stage::start();
    with_accounts(&stage);
    stage.put("secret/data/web", &json!({"user": "web", "pass": "one"}));
    let _controller = stage.controller(&["-vault.auth-method=none"]);
    let spec = json!({
        "auth": {"serviceAccount": "web", "role": "web"}, "refresh": "1s", "dataFrom": [{"secret": "secret/web"}],
    });
    make(&stage, "shop", "web", &spec);
    until_synced(&stage, "web", "True", "");
    for gone in [json!({}), json!({"user": null})] {
        stage.put("secret/data/web", &gone);
        until_synced(&stage, "web", "False", "there are no values");
        assert_eq!(value_of(&stage, "web", "pass").as_deref(), Some("one"), "{gone}");
        stage.put("secret/data/web", &json!({"user": "web", "pass": "one"}));
        until_synced(&stage, "web", "True", "");
    }
}
