//! What users of secrets-manager have goes on working, and what hurt them does not.

use serde_json::json;

use crate::stage::{FINALIZER, SOON, Stage, definition, encoded, secret, spec, value};
use crate::support::api_server::api_server_possible;
use crate::support::wait::wait_until;

/// Grants an account the rights of secrets-manager's own example, which has no `patch` and no events. Returns the
/// account's token.
fn their_rights(stage: &Stage) -> String {
    stage.api.namespace("leasehold");
    let account = json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "sm", "namespace": "leasehold"}});
    stage.api.create(&account).ok();
    let verbs = ["get", "list", "watch", "update", "delete", "create"];
    let role = json!({
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "metadata": {"name": "sm"},
        "rules": [{
            "apiGroups": ["", "secrets-manager.tuenti.io"], "resources": ["secrets", "secretdefinitions"], "verbs": verbs,
        }],
    });
    stage.api.create(&role).ok();
    let binding = json!({
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding", "metadata": {"name": "sm"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "sm"},
        "subjects": [{"kind": "ServiceAccount", "name": "sm", "namespace": "leasehold"}],
    });
    stage.api.create(&binding).ok();
    stage.api.token("leasehold", "sm", &["https://kubernetes.default.svc"])
}

#[test]
fn the_image_is_swapped_and_arguments_rights_definitions_and_secrets_stay() {
    if !api_server_possible() {
        return;
    }
    let stage = Stage::bare();
    stage.put("secret/data/app", &json!({"value": "hello"}));
    // A definition and a Secret that secrets-manager has left.
    stage.define("app", &spec("app-secret", "secret/data/app"));
    let finalizers = json!([{"op": "add", "path": "/metadata/finalizers", "value": [FINALIZER]}]);
    stage.api.patch(&definition("app"), &finalizers).ok();
    let left = json!({
        "apiVersion": "v1", "kind": "Secret", "type": "Opaque",
        "metadata": {
            "name": "app-secret", "namespace": "default",
            "labels": {"app.kubernetes.io/managed-by": "secrets-manager"},
            "annotations": {"secrets-manager.tuenti.io/lastUpdateTime": "2022-01-01T00.00.00Z"},
        },
        "data": {"foo": encoded("old"), "gone": encoded("x")},
    });
    stage.api.create(&left).ok();
    let token = their_rights(&stage);
    let mut controller = stage.controller_as(&token, "sync-0", &["-vault.max-token-ttl=300"]);
    controller.until_ready();
    stage.until("app-secret", "foo", "hello");
    let live = stage.secret("app-secret").expect("it is there");
    assert_eq!(live["data"].as_object().expect("data").len(), 1, "keys that are not defined go: {live}");
    assert_eq!(controller.status_of("app-secret"), Some(1.0));
    let log = controller.child.stderr();
    assert!(log.contains("-vault.max-token-ttl changes nothing"), "{log}");

    // Away and back: the definition is deleted without the Vault, and its Secret goes first.
    stage.vault.freeze();
    stage.api.ask("DELETE", &definition("app"), None).ok();
    wait_until("the definition to be gone", SOON, || stage.get(&definition("app")).is_none());
    assert_eq!(stage.secret("app-secret"), None);
    wait_until("its series to be gone", SOON, || controller.status_of("app-secret").is_none());
    stage.vault.thaw();
}

#[test]
fn a_secret_is_kept_as_it_is_defined_and_nothing_is_written_at_rest() {
    if !api_server_possible() {
        return;
    }
    let stage = Stage::start();
    stage.put("secret/data/app", &json!({"value": "hello", "other": "x"}));
    let controller = stage.controller(&[]);
    let two = json!({"name": "app-secret", "type": "Opaque", "keysMap": {
        "foo": {"path": "secret/data/app", "key": "value"}, "bar": {"path": "secret/data/app", "key": "other"},
    }});
    stage.define("app", &two);
    stage.until("app-secret", "foo", "hello");

    // The Secret is there before the controller has the answer to its write, which it then counts.
    wait_until("the write to be counted", SOON, || controller.writes() >= 1.0);

    // At rest one read a period serves both keys, and the API server is not written to.
    let (reads, writes) = (stage.vault.requests("secret/data/app"), controller.writes());
    let version = stage.secret("app-secret").expect("it is there")["metadata"]["resourceVersion"].clone();
    controller.let_pass(&stage, 4, "secret/data/app");
    assert!(stage.vault.requests("secret/data/app") >= reads + 4);
    assert_eq!(controller.writes(), writes);
    assert_eq!(stage.secret("app-secret").expect("it is there")["metadata"]["resourceVersion"], version);

    // A changed value comes with all keys of one version.
    stage.put("secret/data/app", &json!({"value": "new", "other": "y"}));
    wait_until("the new version", SOON, || {
        let live = stage.secret("app-secret").expect("it is there");
        let both = (value(&live, "foo"), value(&live, "bar"));
        let (old, new) = (("hello", "x"), ("new", "y"));
        let is = |pair: (&str, &str)| both == (Some(pair.0.to_owned()), Some(pair.1.to_owned()));
        assert!(is(old) || is(new), "keys of two versions: {both:?}");
        is(new)
    });

    // What other hands change is put right.
    let change = json!([
        {"op": "replace", "path": "/data/foo", "value": encoded("mine")}, {"op": "add", "path": "/data/stray", "value": ""},
    ]);
    stage.api.patch(&secret("app-secret"), &change).ok();
    stage.until("app-secret", "foo", "new");
    assert!(stage.secret("app-secret").expect("it is there")["data"]["stray"].is_null());
    stage.api.ask("DELETE", &secret("app-secret"), None).ok();
    stage.until("app-secret", "foo", "new");

    // A rename leaves no orphan.
    stage.redefine("app", &spec("renamed", "secret/data/app"));
    stage.until("renamed", "foo", "new");
    wait_until("the Secret of the former name to be gone", SOON, || stage.secret("app-secret").is_none());

    // Of a changed type it is made anew, and one that Kubernetes would not take costs nothing.
    let tls = json!({"name": "renamed", "type": "kubernetes.io/tls", "keysMap": {"foo": {"path": "secret/data/app", "key": "value"}}});
    stage.redefine("app", &tls);
    let refused = || stage.events("app").iter().filter(|(_, text)| text.contains("invalid (422)")).count();
    wait_until("the refusal", SOON, || refused() > 0);
    assert_eq!(controller.status_of("renamed"), Some(0.0));
    controller.let_pass(&stage, 4, "secret/data/app");
    assert_eq!(refused(), 1, "it is told once");
    assert_eq!(stage.value("renamed", "foo").as_deref(), Some("new"));
    let basic = json!({"name": "renamed", "type": "kubernetes.io/basic-auth", "keysMap": {"username": {"path": "secret/data/app", "key": "value"}}});
    stage.redefine("app", &basic);
    stage.until("renamed", "username", "new");
    assert_eq!(stage.secret("renamed").expect("it is there")["type"], "kubernetes.io/basic-auth");
}

/// A Secret that secrets-manager has left names no definition, until one of them writes it.
#[test]
fn the_end_of_a_duplicate_leaves_a_secret_of_secrets_manager_to_the_other_definition() {
    if !api_server_possible() {
        return;
    }
    let stage = Stage::start();
    let left = json!({
        "apiVersion": "v1", "kind": "Secret", "type": "Opaque",
        "metadata": {
            "name": "app", "namespace": "default", "labels": {"app.kubernetes.io/managed-by": "secrets-manager"},
        },
        "data": {"foo": encoded("old")},
    });
    let before = stage.api.create(&left).ok().json();
    // Neither can be read, so that neither writes it.
    for name in ["one", "two"] {
        stage.define(name, &spec("app", "secret/data/none"));
        let finalizers = json!([{"op": "add", "path": "/metadata/finalizers", "value": [FINALIZER]}]);
        stage.api.patch(&definition(name), &finalizers).ok();
    }
    let token = stage.api.token("leasehold", "leasehold-sync", &["https://kubernetes.default.svc"]);
    let _controller = stage.controller_as(&token, "sync-0", &[]);
    let delete = |name: &str| {
        stage.api.ask("DELETE", &definition(name), None).ok();
        wait_until("the definition to be gone", SOON, || stage.get(&definition(name)).is_none());
    };
    delete("one");
    assert_eq!(stage.secret("app"), Some(before));
    delete("two");
    assert_eq!(stage.secret("app"), None, "no definition asks for it any more");
}
