//! Facts about secrets-manager as a table: those about a definition, its Secret and what is in Vault.
//!
//! Facts about flags and variables are unit tests of `sync::options`, those about namespaces and the Lease are tests
//! beside this one.

use serde_json::{Value, json};

use crate::stage::{Controller, FINALIZER, SOON, Stage, definition, spec, value};
use crate::support::api_server::api_server_possible;
use crate::support::wait::wait_until;

const FACTS: &str = include_str!("facts.json");

/// Returns what is expected here for a fact. Where we do better than secrets-manager, it replaces what secrets-manager
/// does.
fn ours(name: &str, expect: &Value) -> Value {
    match name {
        "a number in Vault crashes the controller" => json!({"secret": {"data": {"foo": "5"}}}),
        // The API server does not take such a Secret, and the good one stays.
        "a type changed in the definition is not noticed while the data is the same" => {
            json!({"secret": {"type": "Opaque", "data": {"foo": "hello"}}, "trouble": true})
        }
        "a type changed together with the data fails for ever: the API does not let a type change" => {
            json!({"secret": {"type": "Opaque", "data": {"foo": "hello"}}, "trouble": true})
        }
        "a Secret of that name that somebody else made is overwritten" => {
            json!({"secret": {"data": {"theirs": "x"}}, "trouble": true})
        }
        _ => expect.clone(),
    }
}

/// Returns what the event says if a Secret is not as the definition asks.
fn trouble(name: &str) -> &'static str {
    let invalid = "the API server finds the Secret invalid (422)";
    match name {
        "text that is no base64 is an error"
        | "base64 is the standard alphabet with padding; the URL alphabet is refused" => {
            "the value is not base64"
        }
        "a key that is not there is an error, told with key and path" => "#none: the secret has no such key",
        "a type changed in the definition is not noticed while the data is the same"
        | "a type changed together with the data fails for ever: the API does not let a type change" => {
            invalid
        }
        "null in Vault counts as not there" => "#value: the value is null",
        "engine kv2 needs data/ in the path; it is not added" => {
            "write secret/data/app, as Vault's API has it"
        }
        "a Secret of that name that somebody else made is overwritten" => "that another hand made",
        _ => panic!("{name}: what does its event say?"),
    }
}

/// Counts the events about a definition that say this.
fn count_of(stage: &Stage, definition: &str, said: &str) -> usize {
    stage.events(definition).iter().filter(|(_, text)| text.contains(said)).count()
}

/// Returns whether a fact is about one definition in a namespace that is watched, under the usual flags.
fn is_of_the_table(fact: &Value) -> bool {
    // This build of the API server, with a newer Go than its own, takes an empty text for null where the schema has a text.
    // A unit test of `sync::definition` has the fact.
    if fact["name"] == "encoding '' means as it is" {
        return false;
    }
    let plain = fact["definition"].is_object() && fact["flags"].is_null() && fact["env"].is_null();
    let backend = fact["backend"].is_object() && fact["then"]["backend"] != "down";
    let expect = &fact["expect"];
    let known = ["secret", "error", "writes", "finalizers", "definition", "crash"];
    let expects = expect.as_object().is_some_and(|map| map.keys().any(|key| known.contains(&key.as_str())));
    plain && backend && expects && (fact["cluster"].is_null() || fact["cluster"]["secret"].is_object())
}

#[test]
fn facts_about_definitions_hold_or_are_beaten() {
    if !api_server_possible() {
        return;
    }
    let stage = Stage::start();
    let controller = stage.controller(&["-metrics-paths"]);
    let facts: Vec<Value> = serde_json::from_str(FACTS).expect("a table");
    let (mut count, mut troubles) = (0, Vec::new());
    for (number, fact) in facts.iter().filter(|fact| is_of_the_table(fact)).enumerate() {
        // Each has a definition, a Secret and a path of its own.
        let text = fact
            .to_string()
            .replace("app-secret", &format!("s{number}"))
            .replace("secret/data/app", &format!("secret/data/p{number}"));
        let mut fact: Value = serde_json::from_str(&text).expect("a fact");
        fact["definition"]["metadata"]["name"] = json!(format!("d{number}"));
        let name = fact["name"].as_str().expect("a name").to_owned();
        check((&stage, &controller), (&fact, &name, number), &mut troubles);
        count += 1;
    }
    assert!(count >= 20 && troubles.len() >= 8, "{count} facts only, {troubles:?}");
    // Each trouble is told once, however long it lasts.
    stage.put("secret/data/beat", &json!({"value": "hello"}));
    stage.define("beat", &spec("beat", "secret/data/beat"));
    stage.until("beat", "foo", "hello");
    controller.let_pass(&stage, 4, "secret/data/beat");
    for (definition, said) in troubles {
        assert_eq!(count_of(&stage, &definition, said), 1, "{definition}: {said}");
    }
}

/// Checks one fact. Adds its definition to the troubles, if it has one, with what its event says.
fn check(
    (stage, controller): (&Stage, &Controller),
    (fact, name, number): (&Value, &str, usize),
    troubles: &mut Vec<(String, &'static str)>,
) {
    let (own, target) = (format!("d{number}"), format!("s{number}"));
    for (path, fields) in fact["backend"].as_object().expect("paths") {
        stage.put(path, fields);
    }
    if let Some(theirs) = fact["cluster"]["secret"].as_object() {
        let data = theirs["data"].as_object().expect("data").iter();
        let data: Value = data
            .map(|(key, text)| (key.clone(), json!(crate::stage::encoded(text.as_str().expect("a text")))))
            .collect();
        let object = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": target, "namespace": "default"}, "data": data});
        stage.api.create(&object).ok();
    }
    let mut object = fact["definition"].clone();
    object["apiVersion"] = json!("secrets-manager.tuenti.io/v1alpha1");
    object["kind"] = json!("SecretDefinition");
    stage.api.create(&object).ok();
    let then = &fact["then"];
    if !then.is_null() {
        wait_until(&format!("{name}: the first sync"), SOON, || controller.status_of(&target) == Some(1.0));
    }
    if let Some(next) = then["definition"].as_object() {
        stage.redefine(&own, &next["spec"]);
    } else if then["definition"] == "deleted" {
        stage.api.ask("DELETE", &definition(&own), None).ok();
    }
    // After the definition: a look between the two would write the new value under the old definition.
    for (path, fields) in then["backend"].as_object().into_iter().flatten() {
        stage.put(path, fields);
    }
    if let Some(changed) = then.as_object().and_then(|then| then.get("secret")) {
        let path = crate::stage::secret(&target);
        match changed["data"]["foo"].as_str() {
            Some(text) => {
                let value = crate::stage::encoded(text);
                stage.api.patch(&path, &json!([{"op": "replace", "path": "/data/foo", "value": value}])).ok();
            }
            None => drop(stage.api.ask("DELETE", &path, None).ok()),
        }
    }
    let expect = ours(name, &fact["expect"]);
    if let Some(writes) = expect["writes"].as_u64() {
        assert_eq!(writes, 1, "{name}");
        let before = stage.secret(&target).expect("it is there");
        controller.let_pass(stage, 4, &format!("secret/data/p{number}"));
        assert_eq!(stage.secret(&target), Some(before), "{name}");
    }
    for (metric, _) in expect["metrics"].as_object().into_iter().flatten() {
        if metric == "vault_read_secret_errors_total" {
            let path = format!("path=\"secret/data/p{number}\",key=\"none\"");
            wait_until(&format!("{name}: {metric}"), SOON, || counts(controller, stage, metric, &path));
        }
    }
    for finalizer in expect["finalizers"].as_array().into_iter().flatten() {
        assert_eq!(finalizer, FINALIZER);
        wait_until(&format!("{name}: the finalizer"), SOON, || {
            stage.get(&definition(&own)).is_some_and(|it| it["metadata"]["finalizers"] == json!([finalizer]))
        });
    }
    if expect["trouble"] == json!(true) || expect["error"].is_string() {
        let said = trouble(name);
        wait_until(&format!("{name}: {said}"), SOON, || count_of(stage, &own, said) > 0);
        assert_eq!(controller.status_of(&target), Some(0.0), "{name}");
        troubles.push((own.clone(), said));
    }
    if expect.as_object().is_some_and(|map| map.get("definition").is_some_and(Value::is_null)) {
        wait_until(&format!("{name}: the end"), SOON, || stage.get(&definition(&own)).is_none());
    }
    match expect.as_object().and_then(|map| map.get("secret")) {
        None => {}
        Some(Value::Null) => assert_eq!(stage.secret(&target), None, "{name}"),
        Some(wanted) => {
            wait_until(&format!("{name}: {wanted}"), SOON, || {
                stage.secret(&target).is_some_and(|live| is_as(&live, wanted))
            });
        }
    }
}

/// Returns whether a metric with these labels has counted an error of the kind `BackendSecretNotFoundError`, under the
/// address of the Vault as it was given.
fn counts(controller: &Controller, stage: &Stage, metric: &str, labels: &str) -> bool {
    let begin = format!("secrets_manager_{metric}{{vault_address=\"{}\",", stage.vault.address());
    let text = controller.ask("/metrics").expect("it serves metrics").1;
    let mut lines = text.lines().filter(|line| line.starts_with(&begin) && line.contains(labels));
    lines.any(|line| line.contains("error=\"BackendSecretNotFoundError\"") && !line.ends_with(" 0"))
}

/// Returns whether a Secret is as a fact has it.
fn is_as(live: &Value, wanted: &Value) -> bool {
    let data = wanted["data"].as_object();
    let count = live["data"].as_object().map_or(0, serde_json::Map::len);
    let good = data.is_none_or(|data| {
        data.len() == count && data.iter().all(|(key, text)| value(live, key).as_deref() == text.as_str())
    });
    let labels = wanted["labels"].as_object().into_iter().flatten();
    let labels = labels.into_iter().all(|(name, text)| live["metadata"]["labels"][name] == *text);
    let kind = wanted["type"].as_str().is_none_or(|kind| live["type"] == kind);
    let time = &live["metadata"]["annotations"]["secrets-manager.tuenti.io/lastUpdateTime"];
    let dated = wanted["annotations"].is_null()
        || time.as_str().is_some_and(|time| time.len() == 20 && time.matches('.').count() == 2);
    good && labels && kind && dated && live["metadata"]["ownerReferences"].is_null()
}
