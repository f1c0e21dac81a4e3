//! The same templates through the real `bao agent` and through `leasehold init`, against one server:
//! the same bytes, the same modes, and the same secrets read.
//!
//! The templates are those of `tests/corpus/functions`, one file of each.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::support::{Child, Leasehold, OpenBao, Workspace};
use serde_json::{Value, json};

/// What differs from one rendering to the next, or changes a secret for all templates of an agent.
const NOT_TWICE: [&str; 12] = [
    "rand",
    "uuid",
    "now",
    "timestamp",
    "shuffle",
    "htpasswd",
    "bcrypt",
    "ago",
    "sprig_date",
    "_set",
    "_unset",
    "erge",
];

/// The machine's addresses as both see them, wherever this runs. What needs the default route is
/// left out: the agent runs `ip` for it, which need not be installed.
const ADDRESSES: [&str; 8] = [
    "GetAllInterfaces",
    "GetPrivateIPs",
    "GetPublicIPs",
    "GetInterfaceIPs \\\".\\\"",
    "GetAllInterfaces | sort \\\"-name,type,-address\\\" | join \\\"hex\\\" \\\",\\\"",
    "GetAllInterfaces | include \\\"flags\\\" \\\"up|loopback\\\" | join \\\"network\\\" \\\",\\\"",
    "GetAllInterfaces | exclude \\\"rfc\\\" \\\"6890\\\" | unique \\\"name\\\" | join \\\"size\\\" \\\",\\\"",
    "range . }}{{ .Name }} {{ .MTU }} {{ .Flags }} {{ .SockAddr }};{{ end",
];

const POLICY: &str = r#"
path "kv/*" { capabilities = ["read", "list"] }
path "kv2/*" { capabilities = ["read", "list"] }
path "sys/tools/hash" { capabilities = ["create", "update"] }
"#;

const ENVIRONMENT: [(&str, &str); 3] = [("GREETING", "hello"), ("EMPTY", ""), ("TZ", "UTC")];

fn corpus() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus")
}

/// The templates that both must render alike.
fn templates() -> Vec<String> {
    let sockaddr = |expression: &&str| format!("{{{{ sockaddr \"{expression}\" }}}}");
    let mut templates: Vec<String> = ADDRESSES.iter().map(sockaddr).collect();
    let entries = fs::read_dir(corpus().join("functions")).expect("the corpus");
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.expect("an entry").path()).collect();
    paths.sort();
    for path in paths {
        for line in fs::read_to_string(path).expect("a corpus file").lines() {
            let case: Value = serde_json::from_str(line).expect("a case");
            let alike = ["fails", "ours", "ours_fails"].iter().all(|key| case.get(key).is_none());
            let template = case["template"].as_str().expect("a template");
            if alike && !NOT_TWICE.iter().any(|word| template.contains(word)) {
                templates.push(template.to_owned());
            }
        }
    }
    templates
}

/// A server with the secrets of the corpus.
fn server() -> OpenBao {
    let server = OpenBao::start();
    server.kv1("kv");
    server.kv2("kv2");
    server.policy("templates", POLICY);
    let text = fs::read(corpus().join("functions-secrets.json")).expect("the secrets");
    let secrets: Value = serde_json::from_slice(&text).expect("JSON");
    for (path, data) in secrets.as_object().expect("a map") {
        if path.starts_with("kv/") && !path.ends_with('/') {
            server.ask("POST", path, Some(data.clone())).ok();
        }
    }
    server.put("kv2", "app", json!({ "k": "first" }));
    server.put("kv2", "app", json!({ "k": "second", "n": 5 }));
    server
}

fn run_the_agent(server: &OpenBao, space: &Workspace, count: usize) {
    let dir = space.path().display();
    let mut config = format!(
        "vault {{ address = \"{}\" }}\n\
         auto_auth {{ method \"token_file\" {{ config = {{ token_file_path = \"{dir}/token\" }} }} }}\n\
         exit_after_auth = true\n\
         template_config {{ exit_on_retry_failure = true }}\n",
        server.plain_address(),
    );
    for index in 0..count {
        writeln!(
            config,
            "template {{ source = \"{dir}/{index}.tpl\" destination = \"{dir}/agent/{index}\" \
             error_on_missing_key = true }}"
        )
        .expect("a String takes all");
    }
    let config = space.file("agent.hcl", config);
    let mut agent = Child::start(&OpenBao::program(), "agent", space.path(), |command| {
        command
            .arg("agent")
            .arg("-config")
            .arg(&config)
            .arg("-log-level=error")
            .env_clear()
            .envs(ENVIRONMENT)
            // It looks for a token helper there.
            .env("HOME", space.path());
    });
    let status = agent.wait(Duration::from_secs(60));
    assert!(status.success(), "the agent renders all: {}{}", agent.stdout(), agent.stderr());
}

fn run_leasehold(server: &OpenBao, space: &Workspace, count: usize) {
    let dir = space.path().display();
    let mut config = format!(
        "vault: {{address: '{}'}}\n\
         auth: {{method: token_file, token_file: '{dir}/token'}}\n\
         secrets_dir: '{dir}/leasehold'\n\
         defaults: {{mode: '0644'}}\n\
         files:\n",
        server.plain_address(),
    );
    for index in 0..count {
        writeln!(config, "- {{path: '{index}', template_file: '{dir}/{index}.tpl'}}")
            .expect("a String takes all");
    }
    let config = space.file("leasehold.yaml", config);
    let leasehold = ENVIRONMENT.iter().fold(Leasehold::new(space), |it, (name, value)| it.env(name, value));
    leasehold.run(&["init", "--config", &config.to_string_lossy()]).expect_code(0);
}

/// Operation and path of every request for a secret since the log had `from` entries.
fn asked(server: &OpenBao, from: usize) -> BTreeSet<(String, String)> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let log = server.audit();
    let requests = log.iter().skip(from).filter(|entry| entry["type"] == "request");
    let asked = requests.map(|entry| (text(&entry["request"]["operation"]), text(&entry["request"]["path"])));
    asked
        .filter(|(_, path)| ["kv/", "kv2/", "sys/tools/"].iter().any(|mount| path.starts_with(mount)))
        .collect()
}

fn file(path: &Path) -> (String, u32) {
    let bytes = fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let mode = fs::metadata(path).expect("just read").permissions().mode() & 0o7777;
    (bytes.escape_ascii().to_string(), mode)
}

#[test]
fn thousands_of_templates_make_the_same_files_as_the_agent_out_of_the_same_requests() {
    let (server, space, templates) = (server(), Workspace::new(), templates());
    assert!(templates.len() > 3000, "the corpus is there: {}", templates.len());
    space.dir("agent");
    space.dir("leasehold");
    space.file("token", server.token(&["templates"], "1h").token);
    for (index, template) in templates.iter().enumerate() {
        space.file(&format!("{index}.tpl"), template);
    }

    let start = server.audit().len();
    run_the_agent(&server, &space, templates.len());
    let by_the_agent = asked(&server, start);
    let between = server.audit().len();
    run_leasehold(&server, &space, templates.len());
    let by_leasehold = asked(&server, between);

    let mut report = String::new();
    for (index, template) in templates.iter().enumerate() {
        let agents = file(&space.join(format!("agent/{index}")));
        let ours = file(&space.join(format!("leasehold/{index}")));
        if agents != ours {
            write!(report, "\n{template}\n  agent {agents:?}\n  ours  {ours:?}").expect("a String takes all");
        }
    }
    assert!(report.is_empty(), "{report}");
    assert!(by_the_agent.len() >= 5, "secrets were read: {by_the_agent:?}");
    assert_eq!(by_leasehold, by_the_agent);
}
