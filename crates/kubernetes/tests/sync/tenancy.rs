//! What an author in one namespace tries, to get what only an account of another may read, or to write where only another may.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::handoffs::leases;
use crate::stage::{SOON, Stage, encoded, value};
use crate::support::api_server::api_server_possible;
use crate::support::wait::wait_until;
use crate::synced::{condition, make, place, secret, with_accounts};

/// Makes a specification, with this change, that reads what only the accounts of the namespace `shop` may read.
fn object(change: &Value) -> Value {
    let mut spec = json!({
        "auth": {"serviceAccount": "web", "role": "web"}, "data": {"a": {"secret": "secret/web#user"}},
    });
    for (key, value) in change.as_object().into_iter().flatten() {
        spec[key] = value.clone();
    }
    spec
}

/// Names, what each changes, and a part of what its object has to say.
fn tries() -> Vec<(&'static str, Value, &'static str)> {
    let auth = |account: &str, more: Value| {
        let mut auth = json!({"serviceAccount": account, "role": "web"});
        for (key, value) in more.as_object().into_iter().flatten() {
            auth[key] = value.clone();
        }
        json!({"auth": auth})
    };
    let template = |text: &str| json!({"data": {"a": {"template": text}}});
    // The login of their own works, and may read less.
    let own =
        |entry: Value| json!({"auth": {"serviceAccount": "web", "role": "other"}, "data": {"a": entry}});
    let path = |text: &str| own(json!({"secret": text}));
    vec![
        // Accounts of another namespace, however they are spelt.
        ("plain", json!({}), "could not log in"),
        ("slash", auth("shop/web", json!({})), "no name of a service account"),
        ("dots", auth("web.shop", json!({})), "not found"),
        ("user", auth("system:serviceaccount:shop:web", json!({})), "no name of a service account"),
        ("query", auth("web?namespace=shop", json!({})), "no name of a service account"),
        ("up", auth("../../shop/serviceaccounts/web", json!({})), "no name of a service account"),
        // Fields that would say another place count for nothing.
        (
            "field",
            auth("web", json!({"namespace": "shop", "address": "http://127.0.0.1:1"})),
            "could not log in",
        ),
        ("mount", auth("web", json!({"mount": "approle"})), "could not log in"),
        ("climb", auth("web", json!({"mount": "../approle"})), "no mount of a login"),
        // Paths.
        ("parent", path("secret/data/../../auth/token/lookup-self#id"), "spec.data"),
        ("directly", path("secret/web#user"), "could not read secret/web: permission denied"),
        ("beside", path("secret/data/other/../web#user"), "a segment `.` or `..`"),
        (
            "encoded",
            path("secret%2Fdata%2Fweb#user"),
            "could not read secret%2Fdata%2Fweb: permission denied",
        ),
        ("encoded-dots", path("secret/data/other/%2e%2e/web#user"), "a segment `.` or `..`"),
        ("doubled", path("secret/data//web#user"), "an empty segment"),
        ("list", path("secret/metadata?list=true#keys"), "permission denied"),
        (
            "made",
            own(
                json!({"template": "{{ with secret (print \"secret/data/other/\" \".\" \"./web\") }}{{ .Data.data.user }}{{ end }}"}),
            ),
            "a segment `.` or `..`",
        ),
        // What the controller itself has.
        ("env", template("{{ env \"VAULT_SECRET_ID\" }}"), "function \"env\" not defined"),
        ("file", template("{{ file \"/proc/self/environ\" }}"), "function \"file\" not defined"),
        (
            "plugin",
            template("{{ plugin \"cat\" \"/proc/self/environ\" }}"),
            "function \"plugin\" not defined",
        ),
        ("write", template("{{ writeToFile \"/tmp/a\" \"\" \"\" \"0644\" \"a\" }}"), "not defined"),
        // Types into which the cluster itself puts a credential.
        (
            "token",
            json!({"target": {
                "type": "kubernetes.io/service-account-token", "annotations": {"kubernetes.io/service-account.name": "web"},
            }}),
            "spec.target.type",
        ),
        ("bootstrap", json!({"target": {"type": "bootstrap.kubernetes.io/token"}}), "spec.target.type"),
        // Names that would be a place in another namespace.
        ("there", json!({"target": {"name": "shop/good"}}), "spec.target.name"),
        ("above", json!({"target": {"name": "../shop/secrets/good"}}), "spec.target.name"),
    ]
}

#[test]
fn an_author_gets_nothing_that_an_account_of_the_namespace_may_not_read() {
    if !api_server_possible() {
        return;
    }
    let stage = Stage::start();
    with_accounts(&stage);
    stage.put("secret/data/web", &json!({"user": "canary-t3nant"}));
    stage.put("secret/data/other", &json!({"user": "own"}));
    let policy = "path \"secret/data/other\" { capabilities = [\"read\"] }\n\
                  path \"secret/data/other/*\" { capabilities = [\"read\"] }";
    stage.vault.ask("PUT", "sys/policies/acl/other", Some(json!({"policy": policy}))).ok();
    let role = json!({
        "bound_service_account_names": ["web"], "bound_service_account_namespaces": ["other"],
        "audience": "vault", "token_policies": "other", "token_ttl": "1h",
    });
    stage.vault.ask("POST", "auth/kubernetes/role/other", Some(role)).ok();
    let controller = stage.controller(&[]);
    let allowed = json!({"auth": {"serviceAccount": "web", "role": "other"}, "data": {"a": {"secret": "secret/other#user"}}});
    make(&stage, "other", "allowed", &allowed);
    wait_until("what the login may read", SOON, || {
        secret(&stage, "other", "allowed").is_some_and(|live| value(&live, "a").as_deref() == Some("own"))
    });
    for (name, change, _) in tries() {
        make(&stage, "other", name, &object(&change));
    }
    for (name, _, said) in tries() {
        wait_until(&format!("what is wrong with {name}"), SOON, || {
            condition(&stage, "other", name, "Synced")
                .is_some_and(|(state, message)| state == "False" && message.contains(said))
        });
        assert_eq!(secret(&stage, "other", name), None, "{name}");
    }
    let all = stage.get("/api/v1/secrets").expect("a list").to_string();
    assert!(!all.contains(&encoded("canary-t3nant")), "{all}");
    assert!(!controller.child.stderr().contains("canary-t3nant"));
}

#[test]
fn names_with_dots_owners_and_marks_of_others_mean_nothing() {
    if !api_server_possible() {
        return;
    }
    let stage = Stage::start();
    with_accounts(&stage);
    stage.put("secret/data/web", &json!({"user": "web"}));
    // Both may log in, each as itself.
    for (name, namespace) in [("web.a", "shop"), ("a.web", "shop")] {
        let account = json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": name, "namespace": namespace}});
        stage.api.create(&account).ok();
    }
    let role = json!({
        "bound_service_account_names": ["web", "web.a"], "bound_service_account_namespaces": ["shop"],
        "audience": "vault", "token_policies": "web", "token_ttl": "1h",
    });
    stage.vault.ask("POST", "auth/kubernetes/role/web", Some(role)).ok();
    let _controller = stage.controller(&["-vault.auth-method=none"]);

    // The Secret of an object with dots is in its own namespace, under its own name.
    let login = |account: &str| json!({"serviceAccount": account, "role": "web"});
    make(&stage, "shop", "web.db", &object(&json!({"auth": login("web.a")})));
    make(&stage, "shop", "db.web", &object(&json!({"auth": login("a.web")})));
    wait_until("the Secret", SOON, || secret(&stage, "shop", "web.db").is_some());
    wait_until("the refusal of the other", SOON, || {
        condition(&stage, "shop", "db.web", "Synced")
            .is_some_and(|(_, message)| message.contains("could not log in"))
    });

    // What an object says of its owners and of our marks does not come into the Secret.
    let metadata = json!({
        "name": "marked", "namespace": "shop", "ownerReferences": [{
            "apiVersion": "v1", "kind": "ConfigMap", "name": "none", "uid": "00000000-0000-0000-0000-000000000000",
        }],
    });
    let marks =
        json!({"leasehold.dev/owner": "SyncedSecret/web.db", "leasehold.dev/handoff": "true", "team": "a"});
    let spec =
        object(&json!({"target": {"labels": {"leasehold.dev/handoff": "true"}, "annotations": marks}}));
    let marked = json!({
        "apiVersion": "leasehold.dev/v1alpha1", "kind": "SyncedSecret", "metadata": metadata, "spec": spec,
    });
    stage.api.create(&marked).ok();
    wait_until("the marked one", SOON, || secret(&stage, "shop", "marked").is_some());
    let live = secret(&stage, "shop", "marked").expect("it is there")["metadata"].clone();
    assert_eq!(live["annotations"]["leasehold.dev/owner"], "SyncedSecret/marked");
    assert_eq!(live["annotations"]["team"], "a");
    assert!(live["ownerReferences"].is_null() && live["labels"]["leasehold.dev/handoff"].is_null(), "{live}");

    // Two objects of one target: the first keeps it, also where the second would adopt it.
    make(&stage, "shop", "thief", &object(&json!({"target": {"name": "web.db"}, "adopt": true})));
    wait_until("the conflict", SOON, || {
        condition(&stage, "shop", "thief", "Synced").is_some_and(|(state, _)| state == "False")
    });
    let live = secret(&stage, "shop", "web.db").expect("it is there");
    assert_eq!(live["metadata"]["annotations"]["leasehold.dev/owner"], "SyncedSecret/web.db");
    assert_eq!(value(&live, "a").as_deref(), Some("web"));
    stage.api.ask("DELETE", &place("shop", "thief"), None).ok();
    wait_until("the thief to be gone", SOON, || stage.get(&place("shop", "thief")).is_none());
    assert!(secret(&stage, "shop", "web.db").is_some() && leases(&stage) == 0);
}

/// A controller has one thread, which also renews its Lease and serves the other tenants.
#[test]
fn expensive_templates_of_one_tenant_hold_nothing_up_for_long() {
    if !api_server_possible() {
        return;
    }
    let stage = Stage::start();
    with_accounts(&stage);
    stage.put("secret/data/web", &json!({"user": "web"}));
    let controller = stage.controller(&["-vault.auth-method=none"]);
    let hash = "{{ with secret \"secret/web\" }}{{ sprig_bcrypt .Data.data.user }}{{ end }}";
    let data: Value = (0..32).map(|at| (format!("k{at}"), json!({"template": hash}))).collect();
    let begin = Instant::now();
    make(&stage, "shop", "web", &object(&json!({"data": data})));
    let mut longest = Duration::ZERO;
    while secret(&stage, "shop", "web").is_none() {
        let asked = Instant::now();
        assert!(controller.ask("/livez").is_some() && begin.elapsed() < SOON);
        longest = longest.max(asked.elapsed());
    }
    let whole = begin.elapsed();
    assert!(longest < whole / 4, "an answer took {longest:?} of {whole:?}");
}
