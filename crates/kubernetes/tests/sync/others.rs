//! What is not ours, and what cannot be.

use serde_json::json;

use crate::stage::{FINALIZER, SOON, Stage, definition, encoded, secret, spec};
use crate::support::api_server::api_server_possible;
use crate::support::wait::wait_until;

#[test]
fn a_secret_of_another_hand_is_never_touched() {
    if !api_server_possible() {
        return;
    }
    let stage = Stage::start();
    stage.put("secret/data/app", &json!({"value": "hello"}));
    let theirs = json!({
        "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "theirs", "namespace": "default"},
        "data": {"theirs": encoded("x")},
    });
    let before = stage.api.create(&theirs).ok().json();
    let controller = stage.controller(&[]);
    stage.define("app", &spec("theirs", "secret/data/app"));
    stage.define("good", &spec("good", "secret/data/app"));
    stage.until("good", "foo", "hello");
    wait_until("the conflict to be known", SOON, || controller.status_of("theirs") == Some(0.0));
    wait_until("an event", SOON, || !stage.events("app").is_empty());
    let events = stage.events("app");
    let said = "spec.name: there is a Secret theirs that another hand made; it is left as it is";
    assert!(events[0].0 == "NotSynced" && events[0].1.starts_with(said), "{events:?}");
    assert_eq!(stage.secret("theirs").expect("it is there"), before);

    // Nor when the definition goes.
    stage.api.ask("DELETE", &definition("app"), None).ok();
    wait_until("the definition to be gone", SOON, || stage.get(&definition("app")).is_none());
    assert_eq!(stage.secret("theirs").expect("it is there"), before);

    // Two definitions of one Secret: the second is refused, and its end costs the first nothing.
    stage.define("second", &spec("good", "secret/data/app"));
    wait_until("an event", SOON, || !stage.events("second").is_empty());
    assert!(stage.events("second")[0].1.contains("SecretDefinition default/good asks for the same Secret"));
    stage.api.ask("DELETE", &definition("second"), None).ok();
    wait_until("the definition to be gone", SOON, || stage.get(&definition("second")).is_none());
    assert_eq!(stage.value("good", "foo").as_deref(), Some("hello"));

    // Its author may ask for one.
    stage.define("adopter", &spec("theirs", "secret/data/app"));
    let adopt =
        json!([{"op": "add", "path": "/metadata/annotations", "value": {"leasehold.dev/adopt": "true"}}]);
    stage.api.patch(&definition("adopter"), &adopt).ok();
    stage.until("theirs", "foo", "hello");
}

/// `kubectl get secret app -o yaml | sed … | kubectl apply -f -` copies our label, and the annotation that names the definition.
#[test]
fn a_copy_of_a_secret_that_a_person_made_is_left_alone() {
    if !api_server_possible() {
        return;
    }
    let stage = Stage::start();
    stage.put("secret/data/app", &json!({"value": "one"}));
    let controller = stage.controller(&[]);
    stage.define("app", &spec("app", "secret/data/app"));
    stage.until("app", "foo", "one");
    let live = stage.secret("app").expect("it is there");
    let metadata = json!({
        "name": "copy", "namespace": "default", "labels": live["metadata"]["labels"],
        "annotations": live["metadata"]["annotations"],
    });
    let copy = json!({"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "data": live["data"]});
    stage.api.create(&copy).ok();
    let copied = stage.secret("copy");
    // A rename deletes what has the former name, at once and when the watch tells of it.
    stage.redefine("app", &spec("renamed", "secret/data/app"));
    stage.until("renamed", "foo", "one");
    wait_until("the former name to go", SOON, || stage.secret("app").is_none());
    controller.let_pass(&stage, 3, "secret/data/app");
    assert_eq!(stage.secret("copy"), copied);
    // Nor does it go with the definition.
    stage.api.ask("DELETE", &definition("app"), None).ok();
    wait_until("the definition to be gone", SOON, || stage.get(&definition("app")).is_none());
    assert!(stage.secret("renamed").is_none());
    assert_eq!(stage.secret("copy"), copied);
}

#[test]
fn a_secret_goes_to_who_waits_for_it_and_back_to_who_has_it_after_a_mistake() {
    if !api_server_possible() {
        return;
    }
    let stage = Stage::start();
    for (path, value) in [("secret/data/one", "one"), ("secret/data/two", "two")] {
        stage.put(path, &json!({"value": value}));
    }
    let controller = stage.controller(&[]);
    stage.define("first", &spec("app", "secret/data/one"));
    stage.until("app", "foo", "one");
    stage.define("second", &spec("app", "secret/data/one"));
    wait_until("the second to be refused", SOON, || !stage.events("second").is_empty());

    // The author of the first makes a mistake, and puts it right. The other one cannot write its Secret meanwhile.
    stage.redefine("first", &spec("app", "no-such-path"));
    wait_until("the mistake to be told", SOON, || {
        !stage.events("first").iter().all(|(reason, _)| reason == "Synced")
    });
    stage.redefine("first", &spec("app", "secret/data/two"));
    stage.until("app", "foo", "two");

    // It is renamed: the second, which waits, has the name.
    stage.redefine("first", &spec("renamed", "secret/data/two"));
    stage.until("renamed", "foo", "two");
    stage.until("app", "foo", "one");
    let live = stage.secret("app").expect("it is there");
    assert_eq!(live["metadata"]["annotations"]["leasehold.dev/owner"], "SecretDefinition/second");
    wait_until("both to be well", SOON, || {
        ["app", "renamed"].iter().all(|name| controller.status_of(name) == Some(1.0))
    });
}

#[test]
fn what_cannot_be_harms_only_itself_and_no_value_is_shown() {
    if !api_server_possible() {
        return;
    }
    let stage = Stage::start();
    stage.put("secret/data/app", &json!({"value": "canary-5up3r", "large": "c".repeat(900_000)}));
    let mut controller = stage.controller(&[]);
    let entry = |path: &str, key: &str| json!({"path": path, "key": key});
    let of = |name: &str, keys: serde_json::Value| json!({"name": name, "type": "Opaque", "keysMap": keys});
    stage.define("empty", &of("empty", json!({})));
    stage.define("missing", &of("missing", json!({"a": entry("secret/data/none", "value")})));
    stage.define("denied", &of("denied", json!({"a": entry("other/data/app", "value")})));
    stage.define(
        "large",
        &of("large", json!({"a": entry("secret/data/app", "large"), "b": entry("secret/data/app", "large")})),
    );
    stage.define("escape", &of("escape", json!({"a": entry("secret/data/../../sys/raw", "value")})));
    let token = json!({"name": "token", "type": "kubernetes.io/service-account-token", "keysMap": {"a": entry("secret/data/app", "value")}});
    stage.define("token", &token);
    stage.define("good", &spec("good", "secret/data/app"));
    stage.until("good", "foo", "canary-5up3r");
    for (name, said) in [
        ("empty", "spec.keysMap: there are no keys"),
        ("missing", "secret/data/none"),
        ("denied", "denied"),
        ("large", "the values have 1800002 bytes"),
        ("escape", "spec.keysMap.\"a\".path"),
        ("token", "spec.type: Secrets of the type"),
    ] {
        wait_until(&format!("an event about {name}"), SOON, || {
            stage.events(name).iter().any(|(_, message)| message.contains(said))
        });
        assert_eq!(stage.secret(name), None, "{name}");
        assert_eq!(controller.status_of(name), Some(0.0), "{name}");
    }
    assert_eq!(controller.status_of("good"), Some(1.0));
    let seen = format!(
        "{}{}{:?}",
        controller.child.stderr(),
        controller.ask("/metrics").expect("metrics").1,
        stage.get("/api/v1/events")
    );
    assert!(!seen.contains("canary-5up3r"));
    controller.until_ready();
}

#[test]
fn namespaces_are_watched_and_excluded() {
    if !api_server_possible() {
        return;
    }
    let stage = Stage::start();
    stage.put("secret/data/app", &json!({"value": "hello"}));
    for namespace in ["w1", "w2", "w3", "w4"] {
        stage.api.namespace(namespace);
        let object = json!({
            "apiVersion": "secrets-manager.tuenti.io/v1alpha1", "kind": "SecretDefinition",
            "metadata": {"name": "app", "namespace": namespace}, "spec": spec("app", "secret/data/app"),
        });
        stage.api.create(&object).ok();
    }
    let place = |kind: &str, namespace: &str| match kind {
        "secrets" => format!("/api/v1/namespaces/{namespace}/secrets/app"),
        _ => format!("/apis/secrets-manager.tuenti.io/v1alpha1/namespaces/{namespace}/secretdefinitions/app"),
    };
    // It is there from an earlier time, and carries the finalizer of then.
    let finalizers = json!([{"op": "add", "path": "/metadata/finalizers", "value": [FINALIZER]}]);
    stage.api.patch(&place("definitions", "w3"), &finalizers).ok();
    let theirs = json!({
        "apiVersion": "v1", "kind": "Secret",
        "metadata": {"name": "app", "namespace": "w3", "labels": {"app.kubernetes.io/managed-by": "secrets-manager"}},
    });
    stage.api.create(&theirs).ok();
    let _controller = stage.controller(&["-watch-namespaces", "\"w1, w2,w3\"", "-exclude-namespaces=w3"]);
    for namespace in ["w1", "w2"] {
        wait_until("its Secret", SOON, || stage.get(&place("secrets", namespace)).is_some());
    }
    for namespace in ["w3", "w4"] {
        let labels =
            stage.get(&place("secrets", namespace)).map(|secret| secret["metadata"]["labels"].clone());
        assert!(labels.is_none_or(|labels| labels["leasehold.dev/sync"].is_null()), "{namespace}");
    }
    // In an excluded namespace the finalizer alone goes.
    stage.api.ask("DELETE", &place("definitions", "w3"), None).ok();
    wait_until("the definition to be gone", SOON, || stage.get(&place("definitions", "w3")).is_none());
    assert!(stage.get(&place("secrets", "w3")).is_some());
    let finalizers =
        stage.get(&place("definitions", "w4")).expect("it is there")["metadata"]["finalizers"].clone();
    assert!(finalizers.is_null(), "a namespace that is not watched is left alone: {finalizers}");
    assert_eq!(stage.get(&secret("app")), None);
}
