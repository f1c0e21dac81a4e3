use serde_json::json;

use super::*;
use crate::sync::definition::{Kind, Kv};

fn read_spec(spec: &Value) -> Result<Definition, Refusal> {
    let key = Key { kind: Kind::SyncedSecret, namespace: "shop".into(), name: "web-db".into() };
    let rules = Rules { kv: Kv::Two, logs_in: false, by_namespace: None, types: Default::default() };
    read(key, &json!({"uid": "1", "generation": 3}), spec, &rules)
}

fn spec(change: &Value) -> Value {
    let mut spec = json!({
        "auth": {"serviceAccount": "web", "role": "web"},
        "data": {"username": {"secret": "database/creds/web#username"}},
    });
    for (key, value) in change.as_object().into_iter().flatten() {
        spec[key] = value.clone();
    }
    spec
}

#[test]
fn what_is_not_said_has_a_default() {
    let read = read_spec(&spec(&json!({}))).expect("it is good");
    assert_eq!((&*read.target.name, read.target.kind.as_str()), ("web-db", "Opaque"));
    assert_eq!((read.refresh, read.generation), (Some(REFRESH), 3));
    let Identity::Account { namespace, account, role, mount, audience } = &*read.identity else {
        panic!("an account")
    };
    assert_eq!([namespace, account, role, mount, audience], ["shop", "web", "web", "kubernetes", "vault"]);
}

#[test]
fn an_entry_is_a_value_all_values_or_a_template() {
    let data = json!({
        "all": {"secret": "secret/web"},
        "dsn": {"template": "{{ with secret \"database/creds/web\" }}{{ .Data.password }}{{ end }}"},
        "one": {"secret": "secret/web#a", "encoding": "base64"},
    });
    let read = read_spec(&spec(&json!({"data": data}))).expect("it is good");
    let [(_, Source::Json { .. }), (_, Source::Template(_)), (_, Source::Field { base64: true, .. })] =
        &read.entries[..]
    else {
        panic!("{:?}", read.entries)
    };
}

#[test]
fn the_login_is_of_the_namespace_that_the_object_is_in() {
    // There is no field for another; one that is written all the same counts for nothing.
    let auth =
        json!({"serviceAccount": "web", "role": "web", "namespace": "other", "address": "https://evil"});
    let read = read_spec(&spec(&json!({"auth": auth}))).expect("it is good");
    assert!(matches!(&*read.identity, Identity::Account { namespace, .. } if namespace == "shop"));
}

#[test]
fn what_cannot_be_says_where_why_and_what_to_do() {
    let of = |entry: Value| json!({"data": {"a": entry}});
    let template = |text: &str| of(json!({"template": text}));
    for (change, place, advice) in [
        (json!({"auth": {}}), "spec.auth.serviceAccount", "name one of this namespace"),
        (json!({"auth": {"serviceAccount": "../x", "role": "r"}}), "spec.auth.serviceAccount", "name one"),
        (json!({"auth": {"serviceAccount": "web"}}), "spec.auth.role", "name the role"),
        (
            json!({"auth": {"serviceAccount": "web", "role": "r", "mount": "../sys"}}),
            "spec.auth.mount",
            "kubernetes",
        ),
        (json!({"data": {}}), "spec.data", "add one"),
        (json!({"refresh": "often"}), "spec.refresh", "30s or 5m"),
        (json!({"refresh": "1ms"}), "spec.refresh", "30s or 5m"),
        (json!({"onDelete": "keep"}), "spec.onDelete", "delete or retain"),
        (json!({"target": {"name": "A"}}), "spec.target.name", "lower case"),
        (
            json!({"target": {"type": "kubernetes.io/service-account-token"}}),
            "spec.target.type",
            "use one of",
        ),
        (of(json!({})), "spec.data.\"a\"", "write one of the two"),
        (of(json!({"secret": "x/y#z", "template": "t"})), "spec.data.\"a\"", "write one of the two"),
        (of(json!({"secret": "../sys/raw#a"})), "spec.data.\"a\".secret", "secret/web#password"),
        (of(json!({"secret": "secret/web#"})), "spec.data.\"a\".secret", "secret/web#password"),
        (of(json!({"template": "t", "encoding": "base64"})), "spec.data.\"a\".encoding", "base64Decode"),
        (template("{{ if }}"), "spec.data.\"a\".template:1:7", "secret"),
        (template("a\n{{ env \"HOME\" }}"), "spec.data.\"a\".template:2:4", "keep the value in Vault"),
        (template("{{ file \"/etc/passwd\" }}"), "spec.data.\"a\".template:1:4", "keep the value in Vault"),
        (template("{{ plugin \"x\" }}"), "spec.data.\"a\".template:1:4", "runs a program"),
    ] {
        let refusal = read_spec(&spec(&change)).expect_err(place);
        assert_eq!(refusal.place, place, "{refusal}");
        assert!(refusal.advice.contains(advice), "{refusal}");
    }
}
