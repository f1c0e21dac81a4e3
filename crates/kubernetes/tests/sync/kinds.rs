//! Kinds that cannot be listed yet, and what a new leader takes for unused meanwhile.

use serde_json::json;

use crate::faults::through;
use crate::gate::{Fate, Gate};
use crate::handoffs::{ARGS, a_leader, handoffs, leases, terminate};
use crate::stage::{SOON, Stage, documents};
use crate::support::api_server::api_server_possible;
use crate::support::wait::wait_until;
use crate::synced::{condition, make, place, secret, value_of, with_accounts};

/// An API server that is busy at the start says nothing about which kinds there are, nor that their logins are unused.
#[test]
fn a_kind_that_cannot_be_listed_at_the_start_is_asked_for_again_and_nothing_of_it_is_given_back() {
    if !api_server_possible() {
        return;
    }
    let stage = Stage::start();
    let mut first = a_leader(&stage);
    let before = secret(&stage, "shop", "web");
    terminate(&mut first);
    let gate = Gate::to(&stage.api.address(), &stage.api.ca_file());
    let mut answers = [429, 500].into_iter();
    gate.rule(move |asked| match asked.path.contains("syncedsecrets?limit=1") {
        true => answers.next().map_or(Fate::Pass, Fate::Answer),
        false => Fate::Pass,
    });
    let mut second = through(&stage, &gate, "sync-0", &ARGS);
    second.until_ready();
    second.let_pass(&stage, 3, "secret/data/web");
    assert_eq!(secret(&stage, "shop", "web"), before);
    assert_eq!((leases(&stage), stage.vault.requests("ssh/creds/otp")), (1, 1));
    let asked = gate.asked().iter().filter(|asked| asked.path.contains("syncedsecrets?limit=1")).count();
    assert_eq!(asked, 3);
}

#[test]
fn a_kind_that_is_defined_later_is_synced_without_a_restart() {
    if !api_server_possible() {
        return;
    }
    let stage = Stage::start();
    with_accounts(&stage);
    stage.put("secret/data/web", &json!({"value": "one"}));
    let crds = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";
    let name = "syncedsecrets.leasehold.dev";
    stage.api.ask("DELETE", &format!("{crds}/{name}"), None).ok();
    let served = || stage.api.ask("GET", "/apis/leasehold.dev/v1alpha1/syncedsecrets", None).status == 200;
    wait_until("the kind to be gone", SOON, || !served());
    let controller = stage.controller(&[]);
    let log = controller.child.stderr();
    assert!(log.contains("objects of the kind SyncedSecret are not synced: there is no"), "{log}");
    let all = documents("manifests/sync/crd.yaml");
    let definition = all.iter().find(|one| one["metadata"]["name"] == name).expect("it is there");
    stage.api.ask("POST", crds, Some(definition)).ok();
    wait_until("the kind to be served", SOON, served);
    let spec = json!({
        "auth": {"serviceAccount": "web", "role": "web"}, "data": {"a": {"secret": "secret/web#value"}},
    });
    make(&stage, "shop", "web", &spec);
    wait_until("the Secret", SOON, || value_of(&stage, "web", "a").as_deref() == Some("one"));
}

/// A team that has left takes its namespace along, or the operator's rights in it.
#[test]
fn a_namespace_that_cannot_be_listed_keeps_no_other_one_from_being_synced() {
    if !api_server_possible() {
        return;
    }
    let stage = Stage::start();
    with_accounts(&stage);
    stage.put("secret/data/web", &json!({"value": "one"}));
    let gate = Gate::to(&stage.api.address(), &stage.api.ca_file());
    // The first in the order in which they are asked for.
    gate.rule(|asked| match asked.path.contains("/namespaces/other/") {
        true => Fate::Answer(403),
        false => Fate::Pass,
    });
    let mut controller = through(&stage, &gate, "sync-0", &["-watch-namespaces=other,shop"]);
    let spec = json!({
        "auth": {"serviceAccount": "web", "role": "web"}, "data": {"a": {"secret": "secret/web#value"}},
    });
    make(&stage, "shop", "web", &spec);
    wait_until("the Secret", SOON, || value_of(&stage, "web", "a").as_deref() == Some("one"));
    controller.until_ready();
    let log = controller.child.stderr();
    for kind in ["SecretDefinition", "SyncedSecret"] {
        assert!(log.contains(&format!("objects of the kind {kind} in other are not synced")), "{log}");
    }
    assert!(!log.contains("in shop are not synced"), "{log}");
}

/// The kind that is watched for want of a better one may never come, as in a cluster without secrets-manager.
#[test]
fn a_controller_that_finds_no_kind_at_the_start_is_ready_when_one_of_them_is_defined() {
    if !api_server_possible() {
        return;
    }
    let stage = Stage::start();
    let crds = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";
    let all = documents("manifests/sync/crd.yaml");
    for one in &all {
        let name = one["metadata"]["name"].as_str().expect("a name");
        stage.api.ask("DELETE", &format!("{crds}/{name}"), None).ok();
    }
    let served = || stage.api.ask("GET", "/apis/leasehold.dev/v1alpha1/syncedsecrets", None).status == 200;
    wait_until("the kinds to be gone", SOON, || {
        let theirs = "/apis/secrets-manager.tuenti.io/v1alpha1/secretdefinitions";
        !served() && stage.api.ask("GET", theirs, None).status == 404
    });
    let token = stage.api.token("leasehold", "leasehold-sync", &["https://kubernetes.default.svc"]);
    let mut controller = stage.controller_as(&token, "sync-0", &[]);
    wait_until("both to be missed", SOON, || {
        controller.child.stderr().contains("objects of the kind SyncedSecret are not synced")
    });
    let wanted = |one: &&serde_json::Value| one["metadata"]["name"] == "syncedsecrets.leasehold.dev";
    stage.api.ask("POST", crds, all.iter().find(wanted)).ok();
    wait_until("the kind to be served", SOON, served);
    controller.until_ready();
}

/// The login of an object that is gone is given back by a search, which an API server may not answer at first.
#[test]
fn what_was_left_is_given_back_also_where_the_search_for_it_fails_at_first() {
    if !api_server_possible() {
        return;
    }
    let stage = Stage::start();
    let mut first = a_leader(&stage);
    terminate(&mut first);
    // No controller hears of it.
    stage.api.patch(&place("shop", "web"), &json!([{"op": "remove", "path": "/metadata/finalizers"}])).ok();
    stage.api.ask("DELETE", &place("shop", "web"), None).ok();
    let gate = Gate::to(&stage.api.address(), &stage.api.ca_file());
    let mut refused = false;
    gate.rule(move |asked| {
        let searches = asked.path.contains("/namespaces/leasehold/secrets?");
        let is_first = searches && !std::mem::replace(&mut refused, true);
        if is_first { Fate::Answer(500) } else { Fate::Pass }
    });
    let second = through(&stage, &gate, "sync-0", &ARGS);
    wait_until("the lease to be gone", SOON, || leases(&stage) == 0);
    wait_until("the handoff to be gone", SOON, || handoffs(&stage).is_empty());
    assert!(second.child.stderr().contains("handoffs cannot be listed"), "{}", second.child.stderr());
}

/// The search for what is left of unused logins gives back the login of an object that is gone, and not that of one with a
/// mistake.
#[test]
fn a_new_leader_leaves_the_login_of_an_object_that_was_refused_meanwhile() {
    if !api_server_possible() {
        return;
    }
    let stage = Stage::start();
    let mut first = a_leader(&stage);
    let role = json!({
        "bound_service_account_names": ["web"], "bound_service_account_namespaces": ["other"],
        "audience": "vault", "token_policies": "web", "token_ttl": "1h",
    });
    stage.vault.ask("POST", "auth/kubernetes/role/other", Some(role)).ok();
    let mut gone = crate::faults::leased("secret/data/web");
    gone["auth"]["role"] = json!("other");
    make(&stage, "other", "gone", &gone);
    wait_until("both handoffs", SOON, || handoffs(&stage).len() == 2 && leases(&stage) == 2);
    let before = secret(&stage, "shop", "web");
    terminate(&mut first);
    stage.api.ask("DELETE", &place("other", "gone"), None).ok();
    let good = stage.get(&place("shop", "web")).expect("it is there")["spec"].clone();
    let edit = |spec: &serde_json::Value| {
        let operations = json!([{"op": "replace", "path": "/spec", "value": spec}]);
        stage.api.patch(&place("shop", "web"), &operations).ok();
    };
    let mut wrong = good.clone();
    wrong["data"]["home"] = json!({"template": "{{ env \"HOME\" }}"});
    edit(&wrong);
    let _second = stage.controller(&ARGS);
    wait_until("the other login to be given back", SOON, || handoffs(&stage).len() == 1);
    wait_until("the mistake to be shown", SOON, || {
        condition(&stage, "shop", "web", "Synced").is_some_and(|(_, text)| text.contains("env"))
    });
    assert_eq!((secret(&stage, "shop", "web"), leases(&stage)), (before.clone(), 1));
    edit(&good);
    wait_until("the object to be good", SOON, || {
        condition(&stage, "shop", "web", "Synced").is_some_and(|(state, _)| state == "True")
    });
    assert_eq!((secret(&stage, "shop", "web"), leases(&stage)), (before, 1));
}

/// What the former leader leased for it looks unused to the next one, which reads other objects with the same login.
#[test]
fn a_new_leader_leaves_the_lease_of_an_object_that_was_refused_meanwhile_beside_one_that_is_good() {
    if !api_server_possible() {
        return;
    }
    let stage = Stage::start();
    let mut first = a_leader(&stage);
    let policy = stage.vault.ask("GET", "sys/policies/acl/web", None).json()["data"]["policy"].clone();
    let policy = policy.as_str().expect("a policy");
    let more = format!("{policy}\npath \"sys/leases/revoke\" {{ capabilities = [\"update\"] }}");
    stage.vault.ask("PUT", "sys/policies/acl/web", Some(json!({"policy": more}))).ok();
    let good = stage.get(&place("shop", "web")).expect("it is there")["spec"].clone();
    let other = good.to_string().replace("127.0.0.1", "127.0.0.2");
    make(&stage, "shop", "good", &serde_json::from_str(&other).expect("JSON"));
    wait_until("the other object", SOON, || leases(&stage) == 2 && value_of(&stage, "good", "otp").is_some());
    terminate(&mut first);
    let edit = |spec: &serde_json::Value| {
        let operations = json!([{"op": "replace", "path": "/spec", "value": spec}]);
        stage.api.patch(&place("shop", "web"), &operations).ok();
    };
    let mut wrong = good.clone();
    wrong["data"]["home"] = json!({"template": "{{ env \"HOME\" }}"});
    edit(&wrong);
    let before = secret(&stage, "shop", "web");
    // The leader after the next one, too, knows the object in its refused form alone.
    for leader in ["second", "third"] {
        let mut next = stage.controller(&ARGS);
        // What is free is revoked after 10 s.
        next.let_pass(&stage, 14, "secret/data/web");
        assert_eq!((leases(&stage), &secret(&stage, "shop", "web")), (2, &before), "{leader}");
        terminate(&mut next);
    }

    // What nothing may need any more is revoked.
    edit(&good);
    let last = stage.controller(&ARGS);
    wait_until("the object to be good", SOON, || {
        condition(&stage, "shop", "web", "Synced").is_some_and(|(state, _)| state == "True")
    });
    let revoked = stage.vault.requests("sys/leases/revoke");
    stage.api.ask("DELETE", &place("shop", "good"), None).ok();
    wait_until("its lease to end", SOON, || stage.vault.requests("sys/leases/revoke") > revoked);
    drop(last);
}
