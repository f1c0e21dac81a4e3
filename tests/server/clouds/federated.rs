//! Files of workload federation that Google's own library refuses, and that ours refuses, too.

use serde_json::{Value, json};

use super::google::Cloud;

/// Sources of a token, and why each is refused, if it is.
fn sources(file: &str, text: &str, url: &str) -> Vec<(Value, Option<&'static str>)> {
    let named = json!({"type": "json", "subject_token_field_name": "id_token"});
    vec![
        (json!({"file": file, "format": named}), None),
        (json!({"file": text}), None),
        (json!({"file": text, "format": {"type": "text"}}), None),
        (json!({"url": url, "headers": {"Metadata": "canary-header"}, "format": named}), None),
        (
            json!({"file": file, "url": url, "format": named}),
            Some("names several places in its credential_source"),
        ),
        (json!({"file": text, "certificate": {}}), Some("names several places in its credential_source")),
        (json!({"file": text, "environment_id": "aws1"}), Some("has an environment_id beside the file")),
        (
            json!({"file": text, "format": {"type": "xml"}}),
            Some("format.type that is not followed; write text"),
        ),
        (
            json!({"file": file, "format": {"type": "json"}}),
            Some("has no credential_source.format.subject_token"),
        ),
        (json!({}), Some("has another credential_source than a file or a url")),
    ]
}

#[test]
fn a_file_of_federation_is_taken_where_googles_own_library_takes_it() {
    let cloud = Cloud::start();
    let space = &cloud.machine.space;
    let file = space.file("subject.json", json!({"id_token": "canary-subject"}).to_string());
    let text = space.file("subject", "canary-subject").display().to_string();
    let url = format!("{}/subject", cloud.fake.plain());
    let config = cloud.machine.config("files: [{path: a, secret: cloud/plain}]");
    let mut judged = Vec::new();
    for (number, (source, refusal)) in
        sources(&file.display().to_string(), &text, &url).into_iter().enumerate()
    {
        let leasehold = cloud.federated(&[("credential_source", source)]);
        let kept = space.join(format!("{number}.json"));
        std::fs::copy(space.join("federated.json"), &kept).expect("a copy");
        judged.push(kept.display().to_string());
        judged.push(if refusal.is_some() { "no" } else { "yes" }.to_owned());
        let finished = leasehold.run(&["init", "--timeout", "2s", "--config", &config]);
        assert_eq!(finished.code, Some(if refusal.is_some() { 77 } else { 0 }), "{}", finished.stderr);
        assert!(refusal.is_none_or(|words| finished.last_line().contains(words)), "{}", finished.stderr);
    }
    cloud.fake.judge("judge_federated.py", &judged.iter().map(String::as_str).collect::<Vec<_>>());
}
