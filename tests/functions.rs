//! Functions against the corpus that `tests/oracle/record-functions` recorded from a real agent:
//! the same bytes, and a failure where the agent renders no file.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::sync::Arc;

use base64::Engine as _;
use leasehold::functions;
use leasehold::render::{Environment, Secrets, World};
use leasehold::template::Template;
use leasehold::template::eval::MissingKey;
use leasehold::template::host::Moment;
use leasehold::template::limits::Limits;
use leasehold::template::value::Value;
use leasehold::tree::Tree;
use leasehold::vault::request::Request;
use leasehold::vault::response::Response;
use serde::Deserialize;

/// A mount of KV version 1 answers its default TTL with every secret.
const KV_TTL: u64 = 2_764_800;

/// One line of a corpus file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    template: String,
    /// What the agent rendered, where that is UTF-8.
    want: Option<String>,
    /// What it rendered otherwise.
    base64: Option<String>,
    /// It rendered nothing.
    #[serde(default)]
    fails: bool,
}

impl Case {
    fn wanted(&self) -> Option<Vec<u8>> {
        let decode = |text: &String| base64::engine::general_purpose::STANDARD.decode(text).expect("base64");
        let bytes = self.want.as_ref().map(|text| text.clone().into_bytes());
        let bytes = bytes.or_else(|| self.base64.as_ref().map(decode));
        assert_ne!(bytes.is_some(), self.fails, "not recorded: {}", self.template);
        bytes
    }
}

struct Store(HashMap<Request, Arc<Response>>);

impl Store {
    /// What the server of the recording held.
    fn recorded() -> Self {
        let text = std::fs::read(corpus("functions-secrets.json")).expect("the corpus has secrets");
        let tree = Tree::from_json(&text).expect("valid JSON");
        let answers = tree.as_map().expect("a map").iter().map(|(path, data)| {
            let request = if path.ends_with('/') { Request::list(path) } else { Request::read(path) };
            let answer = Response { data: data.clone(), lease_duration: KV_TTL, ..Response::default() };
            (request.expect("a good path"), Arc::new(answer))
        });
        Self(answers.collect())
    }
}

impl Secrets for Store {
    fn get(&self, request: &Request) -> Option<Arc<Response>> {
        self.0.get(request).cloned()
    }
}

fn corpus(name: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus").join(name)
}

fn rendered(template: &str, store: &Store, environment: &Environment) -> Result<Vec<u8>, String> {
    let template = Template::parse("", template.as_bytes(), None, functions::all())
        .map_err(|error| error.to_string())?;
    let mut world = World::new(store, environment);
    let result = template.execute(Value::Nil, MissingKey::Error, Limits::default(), &mut world);
    let (_, missing) = world.asked();
    match result {
        _ if !missing.is_empty() => Err(format!("missing: {missing:?}")),
        Ok(bytes) => Ok(bytes.expose().to_vec()),
        Err(error) => Err(error.to_string()),
    }
}

/// Runs one corpus file; every difference is shown before it fails.
fn holds(name: &str) {
    let text = std::fs::read_to_string(corpus(&format!("functions-{name}.jsonl"))).expect("a corpus file");
    let store = Store::recorded();
    let environment = Environment {
        variables: Arc::new(BTreeMap::from([
            ("GREETING".to_owned(), "hello".into()),
            ("EMPTY".to_owned(), "".into()),
        ])),
        read_file: Arc::new(|path| Err(format!("{}: no such file", path.display()))),
        now: || Moment { seconds: 1_700_000_000, nanoseconds: 0, offset: 0 },
        random: |bytes| bytes.fill(7),
    };
    let (mut count, mut differ) = (0, Vec::new());
    for line in text.lines() {
        let case: Case = serde_json::from_str(line).expect("a case");
        let (wanted, got) = (case.wanted(), rendered(&case.template, &store, &environment));
        count += 1;
        if wanted.as_deref() != got.as_deref().ok() {
            let shown = |bytes: &[u8]| bytes.escape_ascii().to_string();
            differ.push(format!(
                "{}\n    agent: {}\n    ours:  {}",
                case.template,
                wanted.as_deref().map_or_else(|| "fails".to_owned(), shown),
                got.as_deref().map_or_else(|error| format!("fails: {error}"), shown),
            ));
        }
    }
    assert!(count > 20, "only {count} cases");
    assert!(differ.is_empty(), "{} of {count} differ:\n{}", differ.len(), differ.join("\n"));
}

#[test]
fn secrets_are_asked_for_as_by_the_agent() {
    holds("vault");
}

#[test]
fn environment_and_templates_answer_as_the_agents_do() {
    holds("environment");
}

#[test]
fn texts_and_encodings_are_the_agents_bytes() {
    holds("text");
}

#[test]
fn expressions_match_and_replace_as_go_does() {
    holds("expression");
}

#[test]
fn numbers_are_read_and_reckoned_as_go_does() {
    holds("numbers");
}

#[test]
fn collections_are_searched_merged_and_exploded_as_the_agent_does() {
    holds("collections");
}

#[test]
fn structured_texts_are_the_agents_bytes() {
    holds("structured");
}
