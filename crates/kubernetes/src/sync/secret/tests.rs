use super::*;
use crate::sync::definition::{Kind, Kv, Rules};

const WALL: i64 = 1_700_000_000;

fn wanted(metadata: &Value, kind: &str) -> Definition {
    let key = Key { kind: Kind::SecretDefinition, namespace: "shop".into(), name: "app".into() };
    let spec = json!({
        "name": "app-secret", "type": kind,
        "keysMap": {"foo": {"path": "secret/data/app", "key": "value"}},
    });
    let rules = Rules { kv: Kv::Two, logs_in: true, by_namespace: None, types: Default::default() };
    Definition::read(key, metadata, &spec, &rules).expect("a definition")
}

fn data(value: &str) -> Data {
    [("foo".to_owned(), Secret::from(value))].into()
}

/// Returns a Secret as the API server has it after it was made.
fn stored(metadata: &Value) -> Value {
    let Ok(Step::Create(mut live)) = step(None, &wanted(metadata, "Opaque"), &data("hello"), WALL) else {
        panic!("it is made")
    };
    live["metadata"]["resourceVersion"] = json!("7");
    live
}

fn next(live: &Value, metadata: &Value, value: &str) -> Result<Step, Refusal> {
    step(Some(live), &wanted(metadata, "Opaque"), &data(value), WALL + 60)
}

#[test]
fn a_secret_that_is_not_there_is_made_with_the_marks_of_secrets_manager() {
    let live = stored(&json!({}));
    assert_eq!(live["data"], json!({"foo": "aGVsbG8="}));
    assert_eq!(live["metadata"]["labels"][MANAGED], "secrets-manager");
    assert_eq!(live["metadata"]["annotations"][UPDATED], "2023-11-14T22.13.20Z");
    assert!(live["metadata"]["ownerReferences"].is_null());
}

#[test]
fn what_is_as_it_should_be_is_not_written() {
    assert_eq!(next(&stored(&json!({})), &json!({}), "hello"), Ok(Step::Nothing));
}

#[test]
fn a_label_of_the_definition_wins_over_the_mark() {
    let live = stored(&json!({"labels": {MANAGED: "argocd", "team": "a"}}));
    assert_eq!(live["metadata"]["labels"][MANAGED], "argocd");
    assert_eq!(live["metadata"]["labels"]["team"], "a");
    assert_eq!(live["metadata"]["labels"][LABEL], "true");
}

#[test]
fn a_changed_value_replaces_the_whole_data_under_the_version_that_was_read() {
    let mut live = stored(&json!({}));
    live["data"]["stray"] = json!("eA==");
    live["metadata"]["labels"]["theirs"] = json!("kept");
    let Ok(Step::Replace(object)) = next(&live, &json!({}), "new") else { panic!("it is replaced") };
    assert_eq!(object["data"], json!({"foo": "bmV3"}));
    assert_eq!(object["metadata"]["resourceVersion"], "7");
    assert_eq!(object["metadata"]["labels"]["theirs"], "kept");
    assert_eq!(object["metadata"]["annotations"][UPDATED], "2023-11-14T22.14.20Z");
}

#[test]
fn a_label_that_left_the_definition_leaves_the_secret_and_those_of_others_stay() {
    let mut live = stored(&json!({"labels": {"team": "a"}}));
    live["metadata"]["labels"]["theirs"] = json!("kept");
    live["metadata"]["managedFields"] = json!([
        {"manager": MANAGER, "fieldsV1": {"f:metadata": {"f:labels": {"f:team": {}}}}},
        {"manager": "kubectl", "fieldsV1": {"f:metadata": {"f:labels": {"f:theirs": {}}}}},
    ]);
    let Ok(Step::Replace(object)) = next(&live, &json!({}), "hello") else { panic!("it is replaced") };
    assert!(object["metadata"]["labels"]["team"].is_null());
    assert_eq!(object["metadata"]["labels"]["theirs"], "kept");
}

#[test]
fn a_secret_of_another_hand_is_never_touched() {
    let foreign = json!({"type": "Opaque", "metadata": {"name": "app-secret"}, "data": {"theirs": "eA=="}});
    let refusal = next(&foreign, &json!({}), "hello").expect_err("it is not ours");
    assert_eq!(refusal.what, "there is a Secret app-secret that another hand made; it is left as it is");
    let mut of_another = stored(&json!({}));
    of_another["metadata"]["annotations"][OWNER] = json!("SecretDefinition/other");
    let adopts = json!({"annotations": {"leasehold.dev/adopt": "true"}});
    for metadata in [json!({}), adopts.clone()] {
        let refusal = next(&of_another, &metadata, "hello").expect_err("it is another's");
        assert_eq!(refusal.what, "the Secret app-secret belongs to SecretDefinition/other");
    }
    assert!(matches!(next(&foreign, &adopts, "hello"), Ok(Step::Replace(_))), "the author asked for it");
    let token = json!({"type": "kubernetes.io/service-account-token", "metadata": {}, "data": {}});
    assert!(next(&token, &adopts, "hello").is_err(), "a token of an account is nobody's to adopt");
    for (kind, labels, said) in [
        (
            "helm.sh/release.v1",
            json!({}),
            "belongs to whoever keeps Secrets of the type \"helm.sh/release.v1\"",
        ),
        ("bootstrap.kubernetes.io/token", json!({}), "belongs to whoever keeps Secrets of the type"),
        ("Opaque", json!({"leasehold.dev/handoff": "true"}), "belongs to the controller"),
    ] {
        let state = json!({"type": kind, "metadata": {"labels": labels}, "data": {"a": "eA=="}});
        let refusal = next(&state, &adopts, "hello").expect_err("a program keeps its state in it");
        assert!(refusal.what.contains(said), "{refusal}");
    }
}

#[test]
fn what_secrets_manager_made_is_taken_over() {
    for metadata in [
        json!({"annotations": {UPDATED: "2022-01-01T00.00.00Z"}, "labels": {MANAGED: "argocd"}}),
        json!({"labels": {MANAGED: "secrets-manager"}}),
        json!({"labels": {"managedBy": "secrets-manager", "lastUpdatedAt": "x"}}),
    ] {
        let live =
            json!({"type": "Opaque", "metadata": metadata, "data": {"foo": "aGVsbG8=", "old": "eA=="}});
        let Ok(Step::Replace(object)) = next(&live, &json!({}), "hello") else { panic!("it is taken over") };
        assert_eq!(object["data"], json!({"foo": "aGVsbG8="}));
        assert_eq!(object["metadata"]["annotations"][OWNER], "SecretDefinition/app");
    }
}

#[test]
fn a_changed_type_makes_the_secret_anew() {
    let live = stored(&json!({}));
    let remade = step(Some(&live), &wanted(&json!({}), "kubernetes.io/tls"), &data("hello"), WALL);
    let Ok(Step::Remake(object)) = remade else { panic!("{remade:?}") };
    assert_eq!(object["type"], "kubernetes.io/tls");
}

#[test]
fn more_than_a_secret_holds_is_refused_before_it_is_sent() {
    let many: Data = [("foo".to_owned(), Secret::new(vec![b'a'; 2 << 20]))].into();
    let refusal = step(None, &wanted(&json!({}), "Opaque"), &many, WALL).expect_err("it is too large");
    assert_eq!(refusal.what, "the values have 2097155 bytes, and a Secret holds 1048576");
}

#[test]
fn a_secret_without_values_is_not_written() {
    for whole in ["{}", r#"{"user": null}"#] {
        let mut data = Data::new();
        put(&mut data, &of_all(0), &Secret::from(whole)).expect("it is a JSON object");
        let why = filled(data).expect_err("nothing is in it");
        assert!(why.starts_with("there are no values"), "{why}");
    }
    assert!(filled(data("")).is_ok(), "an empty text is a value");
}

#[test]
fn a_copy_of_a_secret_is_not_named_by_us() {
    let of = |manager: &str| {
        let mut live = stored(&json!({}));
        let fields = json!({"f:metadata": {"f:annotations": {format!("f:{OWNER}"): {}}}});
        live["metadata"]["managedFields"] = json!([
            {"manager": MANAGER, "fieldsV1": {"f:data": {}}}, {"manager": manager, "fieldsV1": fields},
        ]);
        live
    };
    assert!(is_named_by_us(&of(MANAGER)));
    assert!(!is_named_by_us(&of("kubectl-client-side-apply")) && !is_named_by_us(&stored(&json!({}))));
}

#[test]
fn a_named_key_wins_over_a_whole_secret_and_an_earlier_one_over_a_later_one() {
    let mut data: Data = [("user".to_owned(), Secret::from("named"))].into();
    let first = r#"{"user": "first", "pass": "first", "gone": null}"#;
    let second = r#"{"pass": "second", "gone": "second", "port": 5432, "tls": true, "hosts": {"a": [1]}}"#;
    for (at, whole) in [first, second].into_iter().enumerate() {
        put(&mut data, &of_all(at), &Secret::from(whole)).expect("a JSON object");
    }
    let expected = [
        ("gone", "second"),
        ("hosts", r#"{"a":[1]}"#),
        ("pass", "first"),
        ("port", "5432"),
        ("tls", "true"),
        ("user", "named"),
    ];
    assert_eq!(data, expected.map(|(key, value)| (key.to_owned(), Secret::from(value))).into());
    let why = put(&mut data, &of_all(2), &Secret::from(r#"{"a/b": "c"}"#)).expect_err("no key of a Secret");
    assert!(why.contains("spec.dataFrom[2]: the field \"a/b\""), "{why}");
}
