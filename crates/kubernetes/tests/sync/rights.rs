//! The rights of the manifest: each is used, and no other is needed.

use std::collections::BTreeSet;

use nix::sys::signal::Signal;
use serde_json::{Value, json};

use crate::faults::through;
use crate::gate::{Asked, Gate};
use crate::restarts::{annotations, finish, workload};
use crate::stage::{SOON, Stage, definition, documents, encoded, spec};
use crate::support::api_server::api_server_possible;
use crate::support::wait::wait_until;
use crate::synced::{condition, make, place, secret, value_of, with_accounts};

/// Group, resource and verb.
type Right = (String, String, String);

/// Returns the rights that the manifest grants, in the roles that are bound to the controller.
fn granted() -> BTreeSet<Right> {
    let all = documents("manifests/sync/sync.yaml");
    let roles = all.iter().filter(|one| {
        one["metadata"]["name"] == "leasehold-sync"
            && matches!(one["kind"].as_str(), Some("Role" | "ClusterRole"))
    });
    let texts = |value: &Value| -> Vec<String> {
        value.as_array().into_iter().flatten().filter_map(|one| one.as_str().map(str::to_owned)).collect()
    };
    let mut rights = BTreeSet::new();
    for rule in roles.flat_map(|role| role["rules"].as_array().into_iter().flatten()) {
        for group in texts(&rule["apiGroups"]) {
            for resource in texts(&rule["resources"]) {
                for verb in texts(&rule["verbs"]) {
                    rights.insert((group.clone(), resource.clone(), verb));
                }
            }
        }
    }
    rights
}

/// Returns the right that a request needs, as the API server reads the request. Returns `None` for a request that every
/// account may make.
fn needed(asked: &Asked) -> Option<Right> {
    let (path, query) = asked.path.split_once('?').unwrap_or((&asked.path, ""));
    let mut parts = path.trim_matches('/').split('/');
    let group = match parts.next()? {
        "api" => String::new(),
        "apis" => parts.next()?.to_owned(),
        _ => return None,
    };
    let (_version, mut resource) = (parts.next()?, parts.next()?);
    if resource == "namespaces" {
        let _name = parts.next()?;
        resource = parts.next()?;
    }
    let name = parts.next();
    let resource = parts.next().map_or_else(|| resource.to_owned(), |sub| format!("{resource}/{sub}"));
    let verb = match (asked.method.as_str(), name) {
        ("GET", Some(_)) => "get",
        ("GET", None) if query.contains("watch=") => "watch",
        ("GET", None) => "list",
        ("POST", _) => "create",
        ("PUT", _) => "update",
        ("PATCH", _) => "patch",
        (_, _) => "delete",
    };
    Some((group, resource, verb.to_owned()))
}

#[test]
fn every_right_of_the_manifest_is_used_and_no_other_is_needed() {
    if !api_server_possible() {
        return;
    }
    let stage = Stage::start();
    with_accounts(&stage);
    stage.put("secret/data/web", &json!({"value": "one"}));
    let gate = Gate::to(&stage.api.address(), &stage.api.ca_file());
    let mut controller = through(&stage, &gate, "sync-0", &["-enable-leader-election"]);
    let kinds = ["Deployment", "StatefulSet", "DaemonSet"];
    for kind in kinds {
        workload(&stage, kind, "web");
    }
    let select = |kind: &str| json!({"kind": kind, "selector": {"matchLabels": {"app": "web"}}});
    let object = json!({
        "auth": {"serviceAccount": "web", "role": "web"}, "refresh": "1s", "wait": "1s", "restart": kinds.map(select),
        "data": {"value": {"secret": "secret/web#value"}},
    });
    make(&stage, "shop", "web", &object);
    stage.define("app", &spec("app", "secret/data/web"));
    stage.define("bad", &spec("bad", "secret/data/web/../web"));
    stage.until("app", "foo", "one");
    wait_until("the Secret", SOON, || value_of(&stage, "web", "value").as_deref() == Some("one"));
    stage.put("secret/data/web", &json!({"value": "two"}));
    stage.until("app", "foo", "two");
    wait_until("all to be restarted", SOON, || {
        let restarted = |kind: &&&str| !annotations(&stage, kind, "web").is_null();
        let done = kinds.iter().filter(restarted).map(|kind| finish(&stage, kind, "web")).count();
        done == kinds.len()
    });
    let drift = json!([{"op": "replace", "path": "/data/foo", "value": encoded("mine")}]);
    stage.api.patch(&crate::stage::secret("app"), &drift).ok();
    stage.until("app", "foo", "two");
    wait_until("an event", SOON, || !stage.events("bad").is_empty());
    stage.api.ask("DELETE", &definition("app"), None).ok();
    stage.api.ask("DELETE", &place("shop", "web"), None).ok();
    wait_until("both to be gone", SOON, || {
        stage.get(&definition("app")).is_none() && stage.get(&place("shop", "web")).is_none()
    });
    controller.child.signal(Signal::SIGTERM);
    assert!(controller.child.wait(SOON).success());
    let used: BTreeSet<Right> = gate.asked().iter().filter_map(needed).collect();
    let granted = granted();
    let (unused, missing): (Vec<_>, Vec<_>) =
        (granted.difference(&used).collect(), used.difference(&granted).collect());
    assert!(unused.is_empty() && missing.is_empty(), "never used: {unused:?}; not granted: {missing:?}");
    assert!(!controller.child.stderr().contains("forbidden"), "{}", controller.child.stderr());
}

#[test]
fn without_the_right_to_restart_the_secret_is_kept_and_the_object_says_which_right_is_missing() {
    if !api_server_possible() {
        return;
    }
    let stage = Stage::start();
    with_accounts(&stage);
    let rules = "/apis/rbac.authorization.k8s.io/v1/clusterroles/leasehold-sync";
    let role = stage.get(rules).expect("it is there");
    let count = role["rules"].as_array().expect("rules").len();
    assert_eq!(role["rules"][count - 1]["apiGroups"], json!(["apps"]));
    stage.api.patch(rules, &json!([{"op": "remove", "path": format!("/rules/{}", count - 1)}])).ok();
    stage.put("secret/data/web", &json!({"value": "one"}));
    workload(&stage, "Deployment", "web");
    let _controller = stage.controller(&["-vault.auth-method=none"]);
    let object = json!({
        "auth": {"serviceAccount": "web", "role": "web"}, "refresh": "1s", "wait": "1s",
        "restart": [{"kind": "Deployment", "name": "web"}], "data": {"value": {"secret": "secret/web#value"}},
    });
    make(&stage, "shop", "web", &object);
    wait_until("the Secret", SOON, || secret(&stage, "shop", "web").is_some());
    stage.put("secret/data/web", &json!({"value": "two"}));
    wait_until("the change", SOON, || value_of(&stage, "web", "value").as_deref() == Some("two"));
    wait_until("the reason", SOON, || {
        condition(&stage, "shop", "web", "Restarted").is_some_and(|(state, message)| {
            state == "False" && message.contains("grant get, list and patch on deployments in apps")
        })
    });
    assert!(condition(&stage, "shop", "web", "Synced").is_some_and(|(state, _)| state == "True"));
}

/// The rights of manifests/kustomize/sync-by-namespace: the same rules, bound in named namespaces only.
#[test]
fn with_the_rights_of_named_namespaces_these_are_synced_and_one_more_as_soon_as_it_is_bound() {
    if !api_server_possible() {
        return;
    }
    let stage = Stage::start();
    with_accounts(&stage);
    let roles = "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings/leasehold-sync";
    stage.api.ask("DELETE", roles, None).ok();
    let mut binding = documents("manifests/kustomize/sync-by-namespace/rights.yaml").remove(0);
    assert_eq!(binding["metadata"]["namespace"], "shop");
    stage.api.create(&binding).ok();
    stage.put("secret/data/web", &json!({"value": "one"}));
    let role = json!({
        "bound_service_account_names": ["web"], "bound_service_account_namespaces": ["shop", "other"],
        "audience": "vault", "token_policies": "web", "token_ttl": "1h",
    });
    stage.vault.ask("POST", "auth/kubernetes/role/web", Some(role)).ok();
    let controller = stage.controller(&["-vault.auth-method=none", "-watch-namespaces=other,shop"]);
    let object = json!({
        "auth": {"serviceAccount": "web", "role": "web"}, "data": {"value": {"secret": "secret/web#value"}},
    });
    for namespace in ["shop", "other"] {
        make(&stage, namespace, "web", &object);
    }
    wait_until("the Secret", SOON, || value_of(&stage, "web", "value").as_deref() == Some("one"));
    wait_until("the status", SOON, || {
        condition(&stage, "shop", "web", "Synced").is_some_and(|(state, _)| state == "True")
    });
    let events = || stage.get("/api/v1/namespaces/shop/events").expect("a list").to_string();
    wait_until("an event", SOON, || events().contains("wrote the Secret web"));
    assert_eq!(secret(&stage, "other", "web"), None);
    let log = controller.child.stderr();
    let denied: Vec<&str> = log.lines().filter(|line| line.contains("forbidden")).collect();
    assert!(!denied.is_empty() && denied.iter().all(|line| line.contains("other")), "{log}");

    binding["metadata"]["namespace"] = json!("other");
    stage.api.create(&binding).ok();
    wait_until("the Secret of the other namespace", 2 * SOON, || secret(&stage, "other", "web").is_some());
}
