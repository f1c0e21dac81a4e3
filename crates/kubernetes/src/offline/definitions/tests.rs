//! The table in `cases.yaml`: objects of other operators, and what becomes of them.

use serde::Deserialize;

use super::*;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    name: String,
    /// The object, and those that it names.
    input: Vec<Value>,
    #[serde(default)]
    account: Option<String>,
    #[serde(default)]
    role: Option<String>,
    /// The specification of the SyncedSecret.
    #[serde(default)]
    spec: Option<Value>,
    /// Why there is none.
    #[serde(default)]
    refused: Option<String>,
    /// What is said besides, each by a part of it. Nothing else is.
    #[serde(default)]
    notes: Vec<String>,
}

#[test]
fn definitions_of_other_operators_become_synced_secrets_or_it_is_said_what_has_no_equivalent() {
    let cases: Vec<Case> = serde_yaml::from_str(include_str!("cases.yaml")).expect("a table");
    assert!(cases.len() >= 20, "{} cases", cases.len());
    for Case { name, input, account, role, spec, refused, notes } in cases {
        let all: Vec<&Value> = input.iter().collect();
        let converted = convert(&input[0], &all, &Login { account, role })
            .unwrap_or_else(|| panic!("{name}: no kind of ours"));
        match (converted.result, spec, refused) {
            (Ok(object), Some(spec), None) => {
                assert_eq!(
                    object["spec"],
                    spec,
                    "{name}:\n{}",
                    serde_yaml::to_string(&object["spec"]).expect("YAML")
                );
                assert_eq!(object["metadata"]["name"], input[0]["metadata"]["name"], "{name}");
            }
            (Err(why), None, Some(refused)) => assert!(why.contains(&refused), "{name}: {why}"),
            (result, ..) => panic!("{name}: {result:?}"),
        }
        let said = &converted.notes;
        for note in &notes {
            assert!(said.iter().any(|one| one.contains(note)), "{name}: {note:?} is not in {said:#?}");
        }
        assert_eq!(said.len(), notes.len(), "{name}: {said:#?}");
        // What, where, and what to do.
        assert!(
            said.iter().all(|note| note.starts_with("spec.") && note.contains("; ")),
            "{name}: {said:#?}"
        );
    }
}

#[test]
fn other_objects_are_none_of_these() {
    for object in [
        json!({"kind": "Pod", "apiVersion": "v1"}),
        json!({"kind": "SecretStore", "apiVersion": "external-secrets.io/v1"}),
        json!([1]),
    ] {
        assert!(convert(&object, &[], &Login::default()).is_none());
    }
}
