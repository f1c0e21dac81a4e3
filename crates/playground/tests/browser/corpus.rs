//! The cases of `tests/corpus/functions` in the browser. They hold what the real `bao agent` rendered.

use std::fs;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use leasehold_base::tree::Tree;
use serde_json::{Value, json};

use crate::chromium::Chromium;
use crate::possible;
use crate::site::{Server, repository};

/// The lease of a KV version 1 secret, in seconds.
const LEASE: &str = "2764800";

/// Why a case fails in a browser although it renders elsewhere.
const NOT_IN_A_BROWSER: [&str; 3] = ["reads no files", "network interfaces", "time-zone database"];

/// Returns the secrets of the corpus in the form that `render --secrets` reads.
fn secrets() -> String {
    let text = fs::read(repository().join("tests/corpus/functions-secrets.json")).expect("the secrets");
    let tree = Tree::from_json(&text).expect("JSON");
    let lease = || Tree::Number(LEASE.into());
    let whole = tree.as_map().expect("a map").iter().map(|(key, data)| {
        let lease_id = Tree::text("");
        let answer = [("lease_id", lease_id), ("lease_duration", lease()), ("data", data.clone())];
        let answer = if key.starts_with("kv/") { Tree::map(answer) } else { data.clone() };
        (key.to_owned(), answer)
    });
    String::from_utf8(Tree::map(whole).to_json().to_vec()).expect("UTF-8")
}

/// Returns each template with the bytes that it must render, in base64. They are null if the template must fail.
fn cases() -> Vec<(String, Value)> {
    let mut cases = Vec::new();
    for entry in fs::read_dir(repository().join("tests/corpus/functions")).expect("the corpus") {
        let text = fs::read_to_string(entry.expect("an entry").path()).expect("a corpus file");
        for line in text.lines() {
            let case: Value = serde_json::from_str(line).expect("JSON");
            let template = case["template"].as_str().expect("a template").to_owned();
            let texts = [&case["ours"]["want"], &case["want"]].map(Value::as_str);
            let text = texts.into_iter().flatten().next().map(|text| STANDARD.encode(text));
            let wanted = text.map(Value::from).or_else(|| case.get("base64").cloned());
            let fails = case.get("ours_fails").is_some();
            cases.push((template, wanted.filter(|_| !fails).unwrap_or(Value::Null)));
        }
    }
    assert!(cases.len() > 1000, "the corpus is there: {}", cases.len());
    cases
}

/// Returns the bytes of an answer's output, in base64. They are null if it has none.
fn output(answer: &Value) -> Value {
    let text = answer["output"].as_str().map(|text| json!(STANDARD.encode(text)));
    text.or_else(|| answer.get("base64").cloned()).unwrap_or(Value::Null)
}

/// Returns whether the same code fails with the same words here, outside of WebAssembly.
fn fails_alike(common: &Value, template: &str, there: &Value) -> bool {
    let mut question = common.clone();
    (question["template"], question["secrets"]) = (json!(template), json!(""));
    let here = leasehold_playground::answer(question.to_string().as_bytes());
    serde_json::from_slice::<Value>(&here).expect("JSON") == *there
}

#[test]
fn the_corpus_renders_in_the_browser_to_the_bytes_that_the_agent_renders() {
    if !possible() {
        return;
    }
    let cases = cases();
    let common = json!({
        "secrets": secrets(), "variables": "GREETING=hello\nEMPTY=", "now": "1790000000000", "seed": "0123456789abcdef",
    });
    let (server, mut browser) = (Server::start(), Chromium::start());
    browser.open(&format!("{}playground/index.html", server.origin));
    // Reading the secrets anew for each template would take most of the time.
    let needs = |template: &str| template.contains("ecret") || template.contains("pki");
    let templates: Vec<Value> =
        cases.iter().map(|(template, _)| json!({"template": template, "needs": needs(template)})).collect();
    let done = browser.evaluate(&format!(
        "import('./engine.js').then(async ({{ render }}) => {{ const common = {common}; const answers = []; \
         const begun = performance.now(); for (const {{ template, needs }} of {}) \
         answers.push(await render({{ ...common, secrets: needs ? common.secrets : '', template }})); \
         return {{ answers, took: Math.round(performance.now() - begun) }}; }})",
        json!(templates)
    ));
    let answers = done["answers"].as_array().expect("a list");
    assert_eq!(answers.len(), cases.len());
    let (mut faults, mut elsewhere, mut rendered) = (Vec::new(), 0, 0);
    for ((template, wanted), there) in cases.iter().zip(answers) {
        let error = there["error"].as_str().unwrap_or_default();
        if NOT_IN_A_BROWSER.iter().any(|why| error.contains(why)) {
            elsewhere += 1;
        } else if wanted.is_null() && !needs(template) && !fails_alike(&common, template, there) {
            faults.push(format!("{template} fails otherwise here: {there}"));
        } else if output(there) != *wanted {
            faults.push(format!("{template}\n  agent   {wanted}, in base64\n  browser {there}"));
        } else if !wanted.is_null() {
            rendered += 1;
        }
    }
    println!(
        "{} templates in {} ms: {rendered} render, {elsewhere} need what a browser has not, the others fail",
        cases.len(),
        done["took"]
    );
    assert!(faults.is_empty(), "{} of {}:\n{}", faults.len(), cases.len(), faults.join("\n"));
    assert!(rendered > 4000 && elsewhere < 100, "{rendered} render, {elsewhere} cannot");
}
