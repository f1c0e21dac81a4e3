//! The rules that the definition of SyncedSecrets has in CEL: an API server that knows them refuses at once what the controller
//! would refuse. Google's own CEL evaluates them, as the API server that the tests build is older than they are.

use serde_json::{Value, json};

use crate::stage::documents;
use crate::support::script::{cel, repository};

/// A rule with its message, and the value that it is about.
#[derive(Debug)]
struct Rule {
    place: String,
    rule: Value,
    message: String,
    value: Value,
}

/// Returns the rules that concern a value, by its schema.
fn rules(schema: &Value, value: &Value, place: &str) -> Vec<Rule> {
    let own = schema["x-kubernetes-validations"].as_array().into_iter().flatten().map(|one| Rule {
        place: place.to_owned(),
        rule: one["rule"].clone(),
        message: one["message"].as_str().expect("each rule has a message").to_owned(),
        value: value.clone(),
    });
    let mut all: Vec<Rule> = own.collect();
    for (name, field) in value.as_object().into_iter().flatten() {
        let schema = match &schema["properties"][name] {
            Value::Null => &schema["additionalProperties"],
            known => known,
        };
        all.extend(rules(schema, field, &format!("{place}.{name}")));
    }
    for (at, item) in value.as_array().into_iter().flatten().enumerate() {
        all.extend(rules(&schema["items"], item, &format!("{place}[{at}]")));
    }
    all
}

/// Returns the schema of a SyncedSecret's specification.
fn schema() -> Value {
    let all = documents("manifests/sync/crd.yaml");
    let kind = all.iter().find(|one| one["spec"]["names"]["kind"] == "SyncedSecret").expect("it is there");
    kind["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"].clone()
}

/// Returns the place and the message of the first rule that does not hold, for each of these specifications. A
/// specification for which all rules hold gets `None`.
fn judged(specs: &[Value]) -> Vec<Option<(String, String)>> {
    let schema = schema();
    let all: Vec<Vec<Rule>> = specs.iter().map(|spec| rules(&schema, spec, "spec")).collect();
    let cases: Vec<Value> = all.iter().flatten().map(|it| json!([it.rule, it.value])).collect();
    let results = cel(&json!(cases));
    let mut results = results.as_array().expect("a list").iter();
    let mut first_of = |rules: &Vec<Rule>| {
        let broken: Vec<&Rule> = rules
            .iter()
            .filter(|it| {
                let result = results.next().expect("one for each");
                assert!(result.is_boolean(), "{it:?}: {result}");
                result == false
            })
            .collect();
        broken.first().map(|it| (it.place.clone(), it.message.clone()))
    };
    all.iter().map(&mut first_of).collect()
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
fn what_the_controller_would_refuse_is_refused_at_once_in_the_same_words() {
    let of = |entry: Value| json!({"data": {"a": entry}});
    let auth = |account: &str, role: &str| json!({"auth": {"serviceAccount": account, "role": role}});
    let bad = [
        (json!({"data": {}}), "spec", "there are no keys"),
        (auth("../x", "r"), "spec.auth.serviceAccount", "no name of a service account"),
        (auth("web", ""), "spec.auth.role", "it is empty"),
        (json!({"target": {"name": "A"}}), "spec.target.name", "no name of a Secret"),
        (
            json!({"target": {"type": "kubernetes.io/service-account-token"}}),
            "spec.target.type",
            "use another type",
        ),
        (of(json!({})), "spec.data.a", "one of secret and template"),
        (of(json!({"secret": "x/y#z", "template": "t"})), "spec.data.a", "one of secret and template"),
        (of(json!({"template": "t", "encoding": "base64"})), "spec.data.a", "base64Decode"),
        (json!({"dataFrom": [{}]}), "spec.dataFrom[0]", "one of secret and template"),
        (json!({"dataFrom": [{"secret": "secret/web#a"}]}), "spec.dataFrom[0].secret", "takes all"),
        (json!({"restart": [{"kind": "Deployment"}]}), "spec.restart[0]", "one of name and selector"),
        (
            json!({"restart": [{"kind": "Deployment", "name": "a", "selector": {"matchLabels": {"a": "b"}}}]}),
            "spec.restart[0]",
            "one of name and selector",
        ),
    ];
    let specs: Vec<Value> = bad.iter().map(|(change, ..)| spec(change)).collect();
    for (said, (change, place, words)) in judged(&specs).into_iter().zip(&bad) {
        let (at, message) = said.unwrap_or_else(|| panic!("nothing is said of {change}"));
        assert!(at == *place && message.contains(words), "{change}: {at}: {message}");
    }
}

#[test]
fn what_the_controller_takes_breaks_no_rule() {
    let good = [
        json!({}),
        json!({"data": {"all": {"secret": "secret/web"}, "dsn": {"template": "t", "encoding": "text"}}}),
        json!({"dataFrom": [{"secret": "secret/web"}, {"template": "{{ . }}"}]}),
        json!({"target": {"name": "web.db-1", "type": "kubernetes.io/tls", "immutable": true}}),
        json!({"restart": [
            {"kind": "Deployment", "name": "web"},
            {"kind": "StatefulSet", "selector": {"matchLabels": {"reads": "web-db"}}},
        ]}),
    ];
    let mut specs: Vec<Value> = good.iter().map(spec).collect();
    specs.push(json!({
        "auth": {"serviceAccount": "web", "role": "web"}, "dataFrom": [{"secret": "secret/web"}],
    }));
    // And what the guide shows.
    let guide = repository().join("docs/guides/synced-secrets.md");
    let guide = std::fs::read_to_string(guide).expect("it is in the repository");
    let blocks = guide.split("```yaml\n").skip(1).filter_map(|rest| rest.split("```").next());
    let whole: Vec<Value> = blocks.filter_map(|block| serde_yaml::from_str(block).ok()).collect();
    let shown: Vec<Value> =
        whole.iter().filter(|one| one["kind"] == "SyncedSecret").map(|one| one["spec"].clone()).collect();
    assert!(!shown.is_empty(), "the guide shows one");
    specs.extend(shown);
    for (said, spec) in judged(&specs).into_iter().zip(&specs) {
        assert_eq!(said, None, "{spec}");
    }
}

/// An API server refuses a definition whose rules may cost too much, and what has no bound may.
#[test]
fn everything_that_a_rule_walks_through_has_a_bound() {
    fn walk(schema: &Value, place: &str, unbounded: bool) {
        let has_rules = schema["x-kubernetes-validations"].is_array();
        assert!(!(has_rules && unbounded), "{place}: a rule below something without a bound");
        if has_rules && schema["type"] == "string" {
            assert!(schema["maxLength"].is_number(), "{place}: a text without a bound");
        }
        for (name, field) in schema["properties"].as_object().into_iter().flatten() {
            walk(field, &format!("{place}.{name}"), unbounded);
        }
        for (below, bound) in [("additionalProperties", "maxProperties"), ("items", "maxItems")] {
            if schema[below].is_object() {
                walk(&schema[below], &format!("{place}[]"), unbounded || !schema[bound].is_number());
            }
        }
    }
    walk(&schema(), "spec", false);
}
