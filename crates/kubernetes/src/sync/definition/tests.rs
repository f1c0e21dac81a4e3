use serde_json::json;

use super::*;

fn rules(kv: Kv) -> Rules {
    Rules { kv, logs_in: true, by_namespace: None, types: BTreeSet::new() }
}

fn read(spec: &Value, kv: Kv) -> Result<Definition, Refusal> {
    let key = Key { kind: Kind::SecretDefinition, namespace: "shop".into(), name: "app".into() };
    Definition::read(key, &json!({"name": "app", "uid": "1"}), spec, &rules(kv))
}

fn spec(name: &str, kind: &str, entry: &str, source: &Value) -> Value {
    json!({"name": name, "type": kind, "keysMap": {entry: source}})
}

#[test]
fn an_entry_is_one_field_of_a_secret() {
    let source = json!({"path": "secret/data/app", "key": "value", "encoding": "base64"});
    let definition = read(&spec("app-secret", "", "foo", &source), Kv::Two).expect("a definition");
    assert_eq!((&*definition.target.name, definition.target.kind.as_str()), ("app-secret", "Opaque"));
    let [(entry, Source::Field { request, key, base64: true })] = &definition.entries[..] else {
        panic!("{:?}", definition.entries)
    };
    assert_eq!((entry.as_str(), request.path.as_str(), key.as_str()), ("foo", "secret/data/app", "value"));
}

#[test]
fn an_encoding_that_is_empty_or_text_means_as_it_is() {
    for encoding in ["", "text"] {
        let source = json!({"path": "secret/data/app", "key": "value", "encoding": encoding});
        let definition = read(&spec("s", "", "foo", &source), Kv::Two).expect("a definition");
        assert!(matches!(definition.entries[0].1, Source::Field { base64: false, .. }), "{encoding}");
    }
}

#[test]
fn labels_and_annotations_are_copied_but_for_those_that_say_whose_a_secret_is() {
    let metadata = json!({
        "uid": "1", "labels": {"team": "a"},
        "annotations": {
            "note": "b", LAST_APPLIED: "{}", "leasehold.dev/owner": "SecretDefinition/other", ADOPT: "true",
        },
    });
    let source = json!({"path": "secret/data/app", "key": "value"});
    let key = Key { kind: Kind::SecretDefinition, namespace: "shop".into(), name: "app".into() };
    let read = Definition::read(key, &metadata, &spec("s", "Opaque", "foo", &source), &rules(Kv::Two));
    let target = read.expect("a definition").target;
    assert_eq!(target.labels, [("team".to_owned(), "a".to_owned())].into());
    assert_eq!(target.annotations, [("note".to_owned(), "b".to_owned())].into());
    assert!(target.adopts);
}

#[test]
fn what_cannot_be_says_where_why_and_what_to_do() {
    let good = json!({"path": "secret/data/app", "key": "value"});
    let with = |field: &str, value: &str| {
        let mut source = good.clone();
        source[field] = json!(value);
        spec("s", "Opaque", "foo", &source)
    };
    for (spec, place, advice) in [
        (json!({"name": "s"}), "spec.keysMap", "add one"),
        (json!({"name": "s", "keysMap": {}}), "spec.keysMap", "add one"),
        (json!({"name": "s", "keysMap": "x"}), "spec.keysMap", "add one"),
        (spec("", "Opaque", "foo", &good), "spec.name", "lower case"),
        (spec("App", "Opaque", "foo", &good), "spec.name", "lower case"),
        (spec("a/../b", "Opaque", "foo", &good), "spec.name", "lower case"),
        (spec("s", "kubernetes.io/service-account-token", "foo", &good), "spec.type", "use one of Opaque"),
        (spec("s", "bootstrap.kubernetes.io/token", "foo", &good), "spec.type", "-secret-types"),
        (spec("s", "Opaque", "a b", &good), "spec.keysMap.\"a b\"", "letters, digits"),
        (spec("s", "Opaque", "..", &good), "spec.keysMap.\"..\"", "letters, digits"),
        (with("path", ""), "spec.keysMap.\"foo\".path", "secret/data/web"),
        (with("path", "secret/data/../../sys/raw"), "spec.keysMap.\"foo\".path", "secret/data/web"),
        (with("path", "secret/app"), "spec.keysMap.\"foo\".path", "write secret/data/app"),
        (with("key", ""), "spec.keysMap.\"foo\".key", "name a key"),
        (with("encoding", "hex"), "spec.keysMap.\"foo\".encoding", "base64 or text"),
    ] {
        let refusal = read(&spec, Kv::Two).expect_err(place);
        assert_eq!(refusal.place, place, "{refusal}");
        assert!(refusal.advice.contains(advice), "{refusal}");
    }
}

#[test]
fn paths_of_version_1_are_as_they_are() {
    let source = json!({"path": "secret/app", "key": "value"});
    assert!(read(&spec("s", "Opaque", "foo", &source), Kv::One).is_ok());
}

#[test]
fn the_operator_can_allow_more_types() {
    let source = json!({"path": "secret/data/app", "key": "value"});
    let key = Key { kind: Kind::SecretDefinition, namespace: "shop".into(), name: "app".into() };
    let more = Rules {
        kv: Kv::Two,
        logs_in: true,
        by_namespace: None,
        types: ["example.com/own".to_owned()].into(),
    };
    let spec = spec("s", "example.com/own", "foo", &source);
    assert!(Definition::read(key, &json!({}), &spec, &more).is_ok());
    assert!(read(&spec, Kv::Two).is_err());
}
