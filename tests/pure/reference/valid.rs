//! The schema takes every configuration that the repository shows, and refuses those whose shape is broken.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::reference::schema;
use crate::support::{Workspace, repository};

type Documents = BTreeMap<String, Value>;

/// Which of `documents` the schema refuses, and why.
fn refused(documents: &Documents) -> BTreeMap<String, Vec<String>> {
    let space = Workspace::new();
    let mut child = Command::new(repository().join("scripts/json-schema"))
        .arg(space.file("schema.json", schema::text()))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the script is in the repository");
    let text = serde_json::to_vec(documents).expect("it is JSON");
    child.stdin.take().expect("a pipe").write_all(&text).expect("it reads its documents");
    let output = child.wait_with_output().expect("it ends");
    assert!(output.status.success(), "the schema is none, or could not be asked");
    serde_json::from_slice(&output.stdout).expect("it answers in JSON")
}

/// A text as JSON; nothing where it is no YAML, or has keys that are no texts.
fn json(text: &str) -> Option<Value> {
    let mut value: serde_yaml::Value = serde_yaml::from_str(text).ok()?;
    value.apply_merge().ok()?;
    serde_json::to_value(value).ok()
}

fn yaml_files(folder: &Path, found: &mut Vec<std::path::PathBuf>) {
    for entry in fs::read_dir(folder).expect("a folder of the repository") {
        let path = entry.expect("it can be listed").path();
        if path.is_dir() {
            yaml_files(&path, found);
        } else if path.extension().is_some_and(|ending| ending == "yaml") {
            found.push(path);
        }
    }
}

/// Every configuration in a manifest: as a file of a ConfigMap, or in a variable.
fn within(name: &str, value: &serde_yaml::Value, found: &mut Documents) {
    let mut add = |text: &str| {
        let number = found.len();
        found.insert(format!("{name} {number}"), json(text).expect("a configuration of ours is YAML"));
    };
    match value {
        serde_yaml::Value::Mapping(map) => {
            let text = |key: &str| map.get(key).and_then(serde_yaml::Value::as_str);
            if let Some(config) = text("leasehold.yaml") {
                add(config);
            }
            if let (Some("LEASEHOLD_CONFIG_YAML"), Some(config)) = (text("name"), text("value")) {
                add(config);
            }
            for (_, value) in map {
                within(name, value, found);
            }
        }
        serde_yaml::Value::Sequence(items) => items.iter().for_each(|item| within(name, item, found)),
        _ => {}
    }
}

#[test]
fn every_configuration_that_the_repository_shows_is_valid_against_the_schema() {
    let mut documents = Documents::new();
    let mut examples = Vec::new();
    yaml_files(&repository().join("examples"), &mut examples);
    for path in &examples {
        let text = fs::read_to_string(path).expect("an example of ours");
        documents.insert(path.display().to_string(), json(&text).expect("an example is YAML"));
    }
    let mut manifests = Vec::new();
    for folder in ["manifests/kubernetes", "manifests/kustomize"] {
        yaml_files(&repository().join(folder), &mut manifests);
    }
    for path in &manifests {
        let text = fs::read_to_string(path).expect("a manifest of ours");
        for document in serde_yaml::Deserializer::from_str(&text) {
            let value = serde::Deserialize::deserialize(document).expect("a manifest is YAML");
            within(&path.display().to_string(), &value, &mut documents);
        }
    }
    assert!(documents.len() > examples.len() + 5, "{:?}", documents.keys());
    let refused = refused(&documents);
    assert!(refused.is_empty(), "{refused:#?}");
}

/// What an editor must underline while it is typed.
const SHAPES: [&str; 22] = [
    "agents-word-for-a-key",
    "command-as-text",
    "duration-without-unit",
    "key-of-another-section",
    "list-as-map",
    "listen-on-a-port",
    "many-mistakes",
    "mistyped-choice",
    "mistyped-duration",
    "mistyped-key",
    "mistyped-method",
    "mistyped-section",
    "mode-as-a-number",
    "mode-in-letters",
    "mode-that-is-not-octal",
    "negative-rate",
    "number-for-text",
    "password-as-text",
    "section-as-text",
    "text-as-list",
    "unknown-key",
    "unknown-method",
];

#[test]
fn a_configuration_whose_shape_is_broken_is_not_valid_against_the_schema() {
    let documents: Documents = SHAPES
        .iter()
        .map(|name| {
            let path = repository().join("tests/broken").join(format!("{name}.yaml"));
            let text = fs::read_to_string(path).expect("one of the broken configurations");
            ((*name).to_owned(), json(&text).expect("it is YAML"))
        })
        .collect();
    let refused = refused(&documents);
    let taken: Vec<&&str> = SHAPES.iter().filter(|name| !refused.contains_key(**name)).collect();
    assert!(taken.is_empty(), "{taken:?}");
}
