//! The guides are so: their configurations are taken by `leasehold check`, and a newcomer's path is walked.
//! (The guide to a VM is walked in tests/systemd, on a machine that has booted.)
//!
//! `BLESS=1 cargo test --test machine guides::` writes how long the path took.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::support::guide::{Block, STEP, blocks, commands, page, steps};
use crate::support::{Child, Leasehold, Messages, Workspace, free_address, repository};
use nix::sys::signal::Signal;
use nix::unistd::Pid;
use serde_yaml::Value;

/// The newcomer's path.
const FIRST: &str = "docs/guides/first-secret.md";

/// Less the build: the demo alone takes half a minute.
const LIMIT: Duration = Duration::from_secs(150);

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
        manifest |=
            ["apiVersion", "kind", "metadata", "spec", "env"].iter().any(|key| value.get(key).is_some());
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
        let shown = blocks(&page).into_iter().filter(|block| block.language == "console");
        let lines: Vec<String> =
            shown.flat_map(|block| block.text.lines().map(str::to_owned).collect::<Vec<_>>()).collect();
        for command in lines.iter().filter_map(|line| line.strip_prefix("$ leasehold ")) {
            // The others stay until they are stopped, or ask a server: tests/server/exec/environment.rs gives them one.
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

/// A shell in which a clone is a copy, and the program is built already.
fn prologue(space: &Workspace, address: &str) -> String {
    format!(
        r#"
cd {space}
git() {{
    mkdir leasehold
    tar -C {repository} -c --exclude=./target --exclude=./.git --exclude=./fuzz . | tar -C leasehold -x
    sed -i 's|127.0.0.1:8200|{address}|' leasehold/examples/development.yaml
}}
make() {{
    release=target/$(uname -m)-unknown-linux-gnu/release
    mkdir -p "$release"
    ln -s {binary} "$release/leasehold"
    scripts/demo {binary}
}}
"#,
        space = space.path().display(),
        repository = repository().display(),
        binary = Leasehold::binary().display(),
    )
}

/// The processes whose folder is `folder`, such as a server that a script left behind.
fn processes_in(folder: &Path) -> Vec<Pid> {
    let entries = fs::read_dir("/proc").expect("there is a /proc");
    entries
        .filter_map(|entry| {
            let path = entry.ok()?.path();
            let number = path.file_name()?.to_str()?.parse().ok()?;
            let cwd = fs::read_link(path.join("cwd")).ok()?;
            cwd.starts_with(folder).then(|| Pid::from_raw(number))
        })
        .collect()
}

/// Ends what a script left running, however the test ends.
struct Sweep(PathBuf);

impl Drop for Sweep {
    fn drop(&mut self) {
        for process in processes_in(&self.0) {
            let _ended = nix::sys::signal::kill(process, Signal::SIGKILL);
        }
    }
}

#[test]
fn a_newcomer_gets_from_nothing_to_a_secret_of_their_own() {
    let space = Workspace::new();
    let _sweep = Sweep(space.path().to_owned());
    let address = free_address().to_string();
    let text = page(FIRST);
    let script = prologue(&space, &address) + &commands(&text).replace("127.0.0.1:8200", &address);
    let script = space.file("path.sh", script);
    let mut shell = Child::start(Path::new("bash"), "shell", space.path(), |command| {
        command.arg(&script).env_remove("VAULT_TOKEN").env_remove("VAULT_ADDR");
    });
    let status = shell.wait(LIMIT);
    let said = shell.stdout();
    assert!(status.success(), "{said}{}", shell.stderr());
    assert!(said.contains("Every step was seen."), "{said}");
    let shown = blocks(&text).into_iter().filter(|block| block.language == "text");
    let shown: Vec<String> = shown.flat_map(|block| lines(&block.text)).collect();
    assert!(shown.len() >= 5, "{shown:?}");
    let mut rest = lines(&said).into_iter();
    for line in shown {
        assert!(rest.any(|said| said == line), "not said, or not in its turn: {line}\n{said}");
    }
    assert!(!said.contains("battery-staple"), "nothing prints the second password");
    println!("{}", report(&text, &said));
}

/// Lines with their words one space apart, as tables are as wide as what is in them.
fn lines(text: &str) -> Vec<String> {
    text.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect()
}

/// How long each step took, as a table; with `BLESS` in the guide, too.
fn report(text: &str, said: &str) -> String {
    let steps = steps(said);
    assert!(steps.len() >= 5, "{STEP} is missing in:\n{said}");
    let whole: f64 = steps.iter().map(|(_, seconds)| seconds).sum();
    let row = |(step, seconds): &(String, f64)| format!("| {step} | {seconds:.1} s |\n");
    let table = format!(
        "| step | took |\n| --- | ---: |\n{}| all | {whole:.1} s |\n",
        steps.iter().map(row).collect::<String>()
    );
    if std::env::var_os("BLESS").is_some() {
        let (before, rest) = text.split_once("<!-- measured -->\n").expect("the guide has a place for it");
        let (_, after) = rest.split_once("<!-- end of measured -->").expect("the place ends");
        let text = format!("{before}<!-- measured -->\n{table}<!-- end of measured -->{after}");
        fs::write(repository().join(FIRST), text).expect("the repository can be written");
    }
    table
}
