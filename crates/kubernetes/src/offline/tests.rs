use super::*;

fn settings() -> Settings {
    Settings { address: Some("https://vault:8200".to_owned()), ..Settings::default() }
}

const TEMPLATE: &str = "
metadata:
  annotations: {vault.hashicorp.com/agent-inject: 'true', vault.hashicorp.com/role: web, vault.hashicorp.com/agent-inject-secret-a: kv/a}
spec: {containers: [{name: web, image: web, newer: {field: [1, 'yes', '08', null]}}]}
";

/// Returns the template, indented.
fn indented(by: usize) -> String {
    TEMPLATE.replace('\n', &format!("\n{}", " ".repeat(by)))
}

#[test]
fn pods_and_the_templates_of_all_kinds_are_injected_and_other_objects_stay() {
    let whole = format!(
        "kind: ConfigMap\nmetadata: {{name: c}}\n---\nkind: Pod{TEMPLATE}---\n\
         kind: Deployment\nmetadata: {{name: d}}\nspec:\n  template:{}\n---\n\
         kind: CronJob\nmetadata: {{name: j}}\nspec:\n  jobTemplate:\n    spec:\n      template:{}\n---\n# nothing\n---\n\
         kind: List\nitems:\n- kind: StatefulSet\n  metadata: {{name: s}}\n  spec:\n    template:{}\n",
        indented(4),
        indented(8),
        indented(6),
    );
    let injected = apply(whole.as_bytes(), &settings()).expect("good pods");
    assert_eq!(injected.pods, (4, 4));
    let read = documents::read(injected.text.as_bytes()).expect("what was written can be read");
    assert_eq!(read.len(), 5);
    let containers = [
        &read[1]["spec"],
        &read[2]["spec"]["template"]["spec"],
        &read[3]["spec"]["jobTemplate"]["spec"]["template"]["spec"],
        &read[4]["items"][0]["spec"]["template"]["spec"],
    ];
    for spec in containers {
        assert_eq!(spec["containers"][1]["name"], "vault-agent", "{spec}");
        let expected = serde_json::json!({"field": [1, "yes", "08", null]});
        assert_eq!(spec["containers"][0]["newer"], expected, "a field that is not known stays");
    }
    // A second time changes nothing.
    assert_eq!(apply(injected.text.as_bytes(), &settings()).expect("injected pods").text, injected.text);
}

#[test]
fn every_refusal_is_named_with_its_object() {
    let wrong = TEMPLATE.replace("role: web", "tls-skip-verify: maybe");
    let text =
        format!("kind: Pod{wrong}---\nkind: Deployment\nmetadata: {{name: d}}\nspec:\n  template:{}", {
            wrong.replace('\n', "\n    ")
        });
    let failure = apply(text.as_bytes(), &settings()).expect_err("refused");
    assert_eq!(failure.code(), 65);
    let lines: Vec<&str> = failure.words().lines().collect();
    assert_eq!(lines.len(), 2);
    assert!(
        lines[1]
            .starts_with("Deployment d: vault.hashicorp.com/tls-skip-verify: \"maybe\" is not a boolean; ")
    );
}

#[test]
fn what_is_no_yaml_is_refused_with_its_document() {
    let failure = apply(b"kind: Pod\n---\na: [", &settings()).expect_err("broken");
    assert!(failure.words().starts_with("document 2: "), "{}", failure.words());
}

#[test]
fn what_kubectl_would_take_for_something_else_is_written_in_quotes() {
    let words =
        ["yes", "on", "Off", "N", "y", "0x1F", "012", "1e3", "null", "~", "true", "1_000", "2001-01-01"];
    let object = serde_json::json!({"kind": "ConfigMap", "data": words});
    let text = apply(object.to_string().as_bytes(), &settings()).expect("good objects").text;
    let plain: Vec<&str> =
        text.lines().filter(|line| words.contains(&line.trim_start_matches(['-', ' ']))).collect();
    assert_eq!(plain, [""; 0], "{text}");
    assert_eq!(documents::read(text.as_bytes()).expect("it can be read"), [object]);
}

#[test]
fn space_at_the_end_of_the_last_text_is_kept() {
    let object = serde_json::json!({"kind": "ConfigMap", "zone": "text\n\n \n"});
    let text = apply(object.to_string().as_bytes(), &settings()).expect("good objects").text;
    assert_eq!(documents::read(text.as_bytes()).expect("it can be read"), [object]);
}

#[test]
fn annotations_of_many_manifests_become_configurations_and_a_refused_pod_does_not_stop_the_others() {
    let space = tempfile::tempdir().expect("a folder");
    let (from, to) = (space.path().join("manifests"), space.path().join("out"));
    std::fs::create_dir_all(from.join("shop")).expect("the test's own folder");
    let pod =
        |name: &str, template: &str| template.replace("metadata:\n", &format!("metadata:\n  name: {name}\n"));
    put(&from.join("web.yaml"), &format!("kind: Pod{}", pod("web", TEMPLATE)));
    let wrong = TEMPLATE.replace("role: web", "tls-skip-verify: maybe");
    put(&from.join("shop/shop.yaml"), &format!("kind: Pod{}", pod("shop", &wrong)));
    put(&from.join("notes.txt"), "no manifest");
    let settings = space.path().join("settings.yaml");
    put(&settings, "address: https://vault:8200\n");
    let of = |files: &[std::path::PathBuf]| convert::ConvertArgs {
        files: files.to_vec(),
        output: Some(to.clone()),
        service_account: None,
        role: None,
        settings: Some(settings.clone()),
    };
    let failure = convert::run(&of(std::slice::from_ref(&from))).expect_err("one is refused");
    assert_eq!((failure.code(), failure.words()), (65, "1 of 2 objects are refused; see the report"));
    let written = std::fs::read_to_string(to.join("default-pod-web.yaml")).expect("it is written");
    assert!(written.contains("role: web") && written.contains("kv/a"), "{written}");
    // Nothing that is there is replaced.
    let again = convert::run(&of(&[from.join("web.yaml")])).expect_err("it is there");
    assert_eq!(again.code(), 73);
}

fn put(path: &Path, text: &str) {
    let written = std::fs::File::create(path).and_then(|mut file| file.write_all(text.as_bytes()));
    written.expect("the test's own folder");
}
