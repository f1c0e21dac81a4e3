//! The guides are so: their configurations are taken by `leasehold check`, their links lead somewhere, and their messages
//! are there. (Their commands are run in walks.rs, and those of the guide to a VM in tests/systemd.)

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::support::guide::{Block, blocks, page, typed};
use crate::support::{Child, Leasehold, Messages, Workspace, have, repository};
use serde_yaml::Value;

/// For one command that asks no server.
const LIMIT: Duration = Duration::from_secs(30);

/// What a block of YAML that is a part of a configuration is laid upon.
const BASE: &str = "
vault: {address: 'https://vault.example.com:8200'}
auth: {method: kubernetes, role: web}
secrets_dir: /leasehold/secrets
files: [{path: password, secret: 'secret/web#password'}]
";

fn pages() -> Vec<PathBuf> {
    let mut pages = vec![repository().join("README.md")];
    let mut folders = vec![repository().join("docs")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("a folder of the repository") {
            let path = entry.expect("it can be listed").path();
            match path.extension() {
                _ if path.is_dir() => folders.push(path),
                Some(ending) if ending == "md" => pages.push(path),
                _ => {}
            }
        }
    }
    pages.sort();
    pages
}

/// The configurations in a block: itself, or what a manifest holds.
fn configurations(block: &Block) -> Vec<String> {
    let mut found = Vec::new();
    let mut manifest = false;
    for document in serde_yaml::Deserializer::from_str(&block.text) {
        let value: Value = serde::Deserialize::deserialize(document).expect("it is YAML");
        let theirs = ["apiVersion", "kind", "metadata", "spec", "env", "services", "readinessProbe"];
        manifest |= value.is_sequence() || theirs.iter().any(|key| value.get(key).is_some());
        embedded(&value, &mut found);
    }
    if manifest { found } else { vec![block.text.clone()] }
}

fn embedded(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::Mapping(map) => {
            let text = |key: &str| map.get(key).and_then(Value::as_str).map(str::to_owned);
            found.extend(text("leasehold.yaml"));
            if text("name").is_some_and(|name| name == "LEASEHOLD_CONFIG_YAML") {
                found.extend(text("value"));
            }
            map.values().for_each(|value| embedded(value, found));
        }
        Value::Sequence(items) => items.iter().for_each(|item| embedded(item, found)),
        _ => {}
    }
}

/// Checks a configuration, or a part of one upon [`BASE`].
fn check(space: &Workspace, at: &str, text: &str) {
    let value: Value = serde_yaml::from_str(text).expect("it is YAML");
    let whole = value.get("vault").is_some() && value.get("auth").is_some();
    let [base, shown] = [("base.yaml", BASE), ("shown.yaml", text)]
        .map(|(name, text)| space.file(name, text).display().to_string());
    let mut arguments = vec!["check"];
    if !whole {
        arguments.extend(["--config", &base]);
    }
    arguments.extend(["--config", &shown]);
    let finished = Leasehold::new(space).env("VAULT_TOKEN", "s.example").run(&arguments);
    assert_eq!(finished.code, Some(0), "{at}: {}", finished.stdout);
}

#[test]
fn every_configuration_in_the_documents_is_taken() {
    let space = Workspace::new();
    let mut seen = 0;
    for path in pages() {
        let text = fs::read_to_string(&path).expect("a page of ours");
        for block in blocks(&text).iter().filter(|block| block.language == "yaml") {
            for text in configurations(block) {
                check(&space, &format!("{}:{}", path.display(), block.line), &text);
                seen += 1;
            }
        }
    }
    assert!(seen >= 9, "{seen} configurations");
}

#[test]
fn every_link_in_the_documents_leads_somewhere() {
    for path in pages() {
        let text = fs::read_to_string(&path).expect("a page of ours");
        for link in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            let file = link.split('#').next().unwrap_or_default();
            if !file.is_empty() && !link.contains("://") {
                let folder = path.parent().expect("it has a folder");
                assert!(folder.join(file).exists(), "{}: {link}", path.display());
            }
        }
    }
}

#[test]
fn every_message_of_the_guide_to_troubles_is_one_that_there_is() {
    let messages = Messages::read();
    let guide = page("docs/guides/troubleshooting.md");
    let told: Vec<&str> =
        guide.lines().filter_map(|line| line.strip_prefix("### `")?.strip_suffix('`')).collect();
    assert!(told.len() >= 20, "{told:?}");
    for message in told {
        assert!(messages.has(message), "no message is: {message}");
    }
    assert!(!messages.has("some message that nobody says"));
}

/// What the guides from elsewhere call the configurations that somebody brings.
fn bring(space: &Workspace) {
    let vault = "vault {\n  address = \"https://vault.example.com:8200\"\n}\n";
    let login =
        "auto_auth {\n  method \"kubernetes\" {\n    config = {\n      role = \"web\"\n    }\n  }\n}\n";
    let template = "template {\n  contents = \"x\"\n  destination = \"/run/web/x\"\n}\n";
    space.file("agent.hcl", format!("{vault}{login}{template}"));
    let injected = repository().join("tests/agents/injected.json");
    let injected = fs::read_to_string(injected).expect("what the injector hands its agents");
    space.file("agent.json", injected.replacen('{', "{\"vault\": {\"address\": \"https://v:8200\"},", 1));
    space.file("consul-template.hcl", format!("{vault}{template}"));
    let secret = "secret {\n  path = \"secret/web\"\n  key {\n    name = \"password\"\n  }\n}\n";
    space.file("envconsul.hcl", format!("{vault}{secret}exec {{\n  command = \"/bin/true\"\n}}\n"));
}

#[test]
fn what_the_guides_from_elsewhere_check_and_convert_can_be_checked_and_converted() {
    let mut run = 0;
    for name in ["vault-agent", "vault-k8s", "consul-template", "envconsul"] {
        let (space, page) = (Workspace::new(), page(&format!("docs/guides/from-{name}.md")));
        bring(&space);
        for command in typed(&page, "").iter().filter_map(|line| line.strip_prefix("leasehold ")) {
            // The others stay until they are stopped, or ask a server: tests/server/shown.rs gives them one.
            let offline = command.starts_with("check ") || command.starts_with("convert ");
            if !offline || command.contains("--from-server") {
                continue;
            }
            let script = format!("{} {command}", Leasehold::binary().display());
            let mut shell = Child::start(Path::new("bash"), "shell", space.path(), |shell| {
                shell.args(["-c", &script]).env("VAULT_TOKEN", "s.example").current_dir(space.path());
            });
            assert!(shell.wait(LIMIT).success(), "{name}: {command}: {}{}", shell.stdout(), shell.stderr());
            run += 1;
        }
    }
    assert!(run >= 7, "{run} commands");
}

#[test]
fn the_snippets_for_tools_are_read_by_them_and_fit_each_other() {
    let page = page("docs/guides/tools.md");
    let blocks = blocks(&page);
    let yaml = |part: &str| {
        let block = blocks.iter().find(|block| block.text.contains(part)).expect("the page has it");
        serde_yaml::from_str::<Value>(&block.text).expect("it is YAML")
    };
    // What the configuration names is mounted there.
    let (compose, config) = (yaml("services:"), yaml("secrets_dir:"));
    let service = &compose["services"]["leasehold"];
    let mounts: Vec<&str> = service["volumes"]
        .as_sequence()
        .expect("a list")
        .iter()
        .filter_map(|mount| mount.as_str()?.split(':').nth(1))
        .collect();
    for named in [
        &config["vault"]["ca_file"],
        &config["auth"]["role_id_file"],
        &config["auth"]["secret_id_file"],
        &config["secrets_dir"],
    ] {
        assert!(mounts.contains(&named.as_str().expect("a path")), "{named:?} is not in {mounts:?}");
    }
    let play = yaml("hosts: web");
    assert!(play[0]["tasks"].as_sequence().is_some_and(|tasks| tasks.len() >= 5), "{play:?}");

    // It is no package of Debian.
    if have("terraform") {
        let space = Workspace::new();
        let hcl = blocks.iter().find(|block| block.language == "hcl").expect("the page has it");
        space.file("web.tf", &hcl.text);
        let mut terraform = Child::start(Path::new("terraform"), "terraform", space.path(), |command| {
            command.args(["fmt", "-check", "-diff", "web.tf"]).current_dir(space.path());
            command.env("TF_CLI_CONFIG_FILE", "/dev/null");
        });
        assert!(terraform.wait(LIMIT).success(), "{}{}", terraform.stdout(), terraform.stderr());
    }
}

#[test]
fn what_sensu_reads_is_what_the_guide_has_leasehold_write() {
    let page = page("docs/guides/sensu.md");
    let blocks = blocks(&page);
    let of = |language: &str, part: &str| {
        let found = blocks.iter().find(|block| block.language == language && block.text.contains(part));
        serde_yaml::from_str::<Value>(&found.expect("the page has it").text).expect("it is YAML")
    };
    for (command, own) in [("sensu-backend", "etcd-cert-file"), ("sensu-agent", "backend-url")] {
        let (config, theirs) = (of("yaml", command), of("yml", own));
        let folder = config["secrets_dir"].as_str().expect("a path");
        let written: Vec<String> = config["files"]
            .as_sequence()
            .expect("a list")
            .iter()
            .map(|file| format!("{folder}/{}", file["path"].as_str().expect("a path")))
            .collect();
        let named: Vec<&str> = theirs
            .as_mapping()
            .expect("a map")
            .values()
            .filter_map(Value::as_str)
            .filter(|text| text.starts_with('/'))
            .collect();
        assert!(named.len() >= 3, "{named:?}");
        for path in &named {
            assert!(written.iter().any(|file| file == path), "{command} reads {path}, and nothing writes it");
        }
        for path in &written {
            assert!(named.contains(&path.as_str()), "{path} is written, and {command} does not read it");
        }
    }
    // The variable that a Secret of Sensu names is one that its backend gets.
    let secret = blocks.iter().find(|block| block.text.contains("type: Secret")).expect("the page has it");
    let id = secret.text.split("id: ").nth(1).and_then(|rest| rest.split(',').next()).expect("an id");
    assert!(of("yaml", "sensu-backend")["exec"]["env"].get(id).is_some(), "{id}");
}
