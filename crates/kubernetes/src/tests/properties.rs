//! Whatever a pod's author writes costs a refusal or gives a pod that holds.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::{invariants, run, vault};
use crate::annotations::table::{OWN, VAULT};
use crate::inject::Outcome;

/// Makes names of a table, some of them with the name of a secret behind them.
fn name() -> impl Strategy<Value = String> {
    let known = VAULT.entries.iter().map(|entry| entry.name.to_owned()).collect::<Vec<_>>();
    (prop::sample::select(known), prop::sample::select(vec!["", "-a", "-A", "-b.txt", "-..", "-a/b", "-\0"]))
        .prop_map(|(name, secret)| name + secret)
}

/// Makes values, some that an annotation takes and some that no annotation takes.
fn value() -> impl Strategy<Value = String> {
    let plain = vec![
        "",
        " ",
        "true",
        "false",
        "tRuE",
        "web",
        "helper",
        "map",
        "json",
        "kv/a",
        "/etc/d",
        "../x",
        "5",
        "-1",
        "5m",
        "64Mi",
        "0600",
        "{{ \"x\" }}",
        "{{ with secret \"kv/a\" }}{{ .Data }}{{ end }}",
        "{{",
        "[]",
        "[{\"op\":\"remove\",\"path\":\"/name\"}]",
        "pkill -HUP web",
        "https://vault:8200",
        "http://vault",
        "approle",
        "cert",
        "$(HOME)",
        "\u{1}",
        "é",
    ];
    prop_oneof![prop::sample::select(plain).prop_map(str::to_owned), "\\PC{0,20}"]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_annotations_are_refused_with_words_or_make_a_pod_that_holds(all in prop::collection::vec((name(), value()), 0..8)) {
        let pairs: Vec<(&str, &str)> = all.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let before = vault(&pairs);
        match run(&before) {
            Ok(Outcome::Injected { pod, .. }) => {
                prop_assert_eq!(invariants::broken(&before, &pod), Vec::<String>::new());
                let Ok(Outcome::Injected { pod: again, .. }) = run(&before) else { panic!("refused the second time") };
                prop_assert_eq!(pod.to_string(), again.to_string(), "the same bytes");
            }
            Ok(Outcome::Untouched(_)) => {}
            Err(refusal) => prop_assert!(!refusal.place.is_empty() && !refusal.what.is_empty()),
        }
    }

    #[test]
    fn a_pod_of_any_shape_is_refused_or_injected_and_never_panics(which in 0..8usize, odd in odd()) {
        let mut pod = vault(&[("agent-inject-secret-a", "kv/a")]);
        let place = ["/spec", "/spec/containers", "/spec/volumes", "/spec/containers/0", "/spec/containers/0/volumeMounts",
            "/metadata", "/spec/containers/0/name", "/metadata/annotations"][which];
        *pod.pointer_mut(place).expect("it is there") = odd.clone();
        let _any = run(&pod);
        pod["metadata"] = json!({"annotations": {"leasehold.dev/inject": "true", "leasehold.dev/role": "r", "leasehold.dev/mode": "exec",
            "leasehold.dev/secret-A": "kv/a#b"}});
        let _any = run(&pod);
    }
}

fn odd() -> impl Strategy<Value = Value> {
    prop::sample::select(vec![
        json!(null),
        json!(1),
        json!("text"),
        json!([]),
        json!({}),
        json!([1]),
        json!([null]),
        json!([{}]),
        json!([{"name": 1}]),
        json!([{"name": "web", "volumeMounts": {}}]),
        json!([{"name": "web", "volumeMounts": [1], "env": 3, "command": [1]}]),
        json!({"containers": [{"name": "a", "command": {}}], "initContainers": 7}),
    ])
}

#[test]
fn the_tables_own_prefix_is_one_that_no_other_prefix_begins_with() {
    assert!(!VAULT.prefix.starts_with(OWN.prefix) && !OWN.prefix.starts_with(VAULT.prefix));
}
