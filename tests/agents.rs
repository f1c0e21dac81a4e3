//! Configurations of Vault Agent as people write them, unchanged through the real `bao agent` and
//! through Leasehold, each in a folder that stands for `/`: the same files, bytes and modes.

#![allow(clippy::disallowed_methods, reason = "tests write their own files and measure real time")]

mod support;

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::json;
use support::{Child, Finished, Leasehold, OpenBao, Workspace};

const POLICY: &str = r#"
path "kv/*" { capabilities = ["read"] }
path "secret/*" { capabilities = ["read"] }
"#;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/agents")
}

fn names() -> Vec<String> {
    let entries = fs::read_dir(folder()).expect("the configurations");
    let mut names: Vec<String> =
        entries.map(|entry| entry.expect("an entry").file_name().into_string().expect("a name")).collect();
    names.sort();
    names
}

/// The command that does what the agent does, and how it ends: as the process does that it runs.
fn role(name: &str) -> (&'static str, i32) {
    if name == "exec.hcl" { ("exec", 7) } else { ("init", 0) }
}

/// A server with the secrets that the configurations name, and who may log in to it.
struct World {
    server: OpenBao,
    token: String,
    role_id: String,
    secret_id: String,
}

impl World {
    fn new() -> Self {
        let server = OpenBao::start();
        server.kv1("kv");
        server.kv2("secret");
        server.policy("agents", POLICY);
        let (role_id, secret_id) = server.approle("agents", &["agents"], "1h");
        let pem = |what: &str| format!("-----BEGIN {what}-----\nMIIB+/==\n-----END {what}-----");
        server.put(
            "secret",
            "nginx",
            json!({"certificate": pem("CERTIFICATE"), "private_key": pem("PRIVATE KEY")}),
        );
        server.put(
            "secret",
            "spring",
            json!({"host": "db:5432", "database": "app", "username": "u", "password": "p\\=:#!ä", "pool": 12}),
        );
        server.put(
            "secret",
            "web",
            json!({"host": "web<1>&co", "port": 8443, "tags": ["a", "b c"], "note": "line\n\"two\" $HOME"}),
        );
        for (name, data) in [
            ("postgresql", json!({"host": "db", "port": 5432, "username": "web", "password": "a:b/c?d&e f"})),
            ("keystore", json!({"password": "chang€it", "bytes": "MIIKAAH/AP4K"})),
            ("slack", json!({"url": "https://hooks.example.com/T0/\"x\""})),
        ] {
            server.write(&format!("kv/{name}"), data);
        }
        let token = server.token(&["agents"], "1h").token;
        Self { server, token, role_id, secret_id }
    }

    /// A folder with what stands on the machine before, and the configuration.
    fn machine(&self, name: &str) -> Workspace {
        let space = Workspace::new();
        for dir in ["etc/vault/templates", "run/vault"] {
            fs::create_dir_all(space.join(dir)).expect("a folder");
        }
        for (file, text) in [
            ("token", self.token.as_str()),
            ("role-id", &self.role_id),
            ("secret-id", &self.secret_id),
            ("wrapped-secret-id", &self.wrapped_secret_id()),
            (
                "templates/haproxy.ctmpl",
                "userlist app\n{{ with secret \"kv/postgresql\" }}  user {{ .Data.username }} insecure-password {{ .Data.password }}{{ end }}\n",
            ),
            ("templates/motd.ctmpl", "{{/* nobody */}}Welcome\r\n{{ env \"NOT_SET\" }}.\n"),
        ] {
            fs::write(space.join("etc/vault").join(file), text).expect("a file");
        }
        fs::copy(folder().join(name), space.join(name)).expect("the configuration");
        space
    }

    fn wrapped_secret_id(&self) -> String {
        let path = "auth/approle/role/agents/secret-id";
        let answer = self.server.ask_wrapped("POST", path, Some(json!({})), "1h").json();
        answer["wrap_info"]["token"].as_str().expect("a wrapping token").to_owned()
    }

    /// Through the real agent, to its end.
    fn run_the_agent(&self, name: &str, space: &Workspace) {
        let mut agent = Child::start(&OpenBao::program(), "agent", space.path(), |command| {
            command.args(["agent", "-log-level=error", "-config", name]);
            if name != "exec.hcl" {
                command.arg("-exit-after-auth");
            }
            command.current_dir(space.path()).env_clear();
            command.env("PATH", std::env::var_os("PATH").unwrap_or_default());
            command.env("VAULT_ADDR", self.server.plain_address());
            // It looks for a token helper there.
            command.env("HOME", space.path());
        });
        let status = agent.wait(Duration::from_secs(60));
        assert_eq!(status.code(), Some(role(name).1), "{name}: {}{}", agent.stdout(), agent.stderr());
    }

    fn leasehold(&self, arguments: &[&str], space: &Workspace) -> Finished {
        let leasehold = Leasehold::new(space).within(space.path());
        leasehold.env("VAULT_ADDR", &self.server.plain_address()).run(arguments)
    }
}

/// What the two programs and their test leave beside what was asked for.
const OUR_OWN: [&str; 6] = ["agent.out", "agent.err", "run-0.out", "run-0.err", "run-1.out", "run-1.err"];

/// A file's bytes, of a wrapping without what is another each time.
fn without_wrapping(bytes: &[u8]) -> String {
    let mut text = bytes.escape_ascii().to_string();
    if !text.starts_with(r#"{\"token\":"#) {
        return text;
    }
    for key in ["token", "accessor", "creation_time", "wrapped_accessor"] {
        let begin = format!(r#"\"{key}\":\""#);
        let start = text.find(&begin).expect("every wrapping has it") + begin.len();
        let end = start + text[start..].find(r#"\""#).expect("it ends");
        if start < end {
            text.replace_range(start..end, "…");
        }
    }
    text
}

/// Every file below `folder`, with its mode and bytes.
fn files(folder: &Path) -> BTreeMap<PathBuf, (u32, String)> {
    let mut found = BTreeMap::new();
    let mut open = vec![folder.to_owned()];
    while let Some(dir) = open.pop() {
        for entry in fs::read_dir(&dir).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.file_name().is_some_and(|name| OUR_OWN.iter().any(|own| name == *own)) {
                continue;
            }
            if path.is_dir() {
                open.push(path);
                continue;
            }
            let mode = fs::metadata(&path).expect("a file").permissions().mode() & 0o7777;
            let bytes = without_wrapping(&fs::read(&path).expect("a file"));
            found.insert(path.strip_prefix(folder).expect("below it").to_owned(), (mode, bytes));
        }
    }
    found
}

/// What became of the files that were there `before`: those that are new or changed, and, without a
/// mode, those that are gone.
fn made(space: &Workspace, before: &BTreeMap<PathBuf, (u32, String)>) -> BTreeMap<PathBuf, (u32, String)> {
    let mut after = files(space.path());
    let gone: Vec<PathBuf> = before.keys().filter(|path| !after.contains_key(*path)).cloned().collect();
    after.retain(|path, file| before.get(path) != Some(file));
    after.extend(gone.into_iter().map(|path| (path, (0, String::new()))));
    after
}

#[test]
fn configurations_as_people_write_them_make_the_same_files_as_the_agent() {
    let world = World::new();
    let names = names();
    assert!(names.len() >= 12, "{names:?}");
    for name in names {
        let (theirs, ours) = (world.machine(&name), world.machine(&name));
        let (their_before, our_before) = (files(theirs.path()), files(ours.path()));
        world.run_the_agent(&name, &theirs);
        let mut theirs = made(&theirs, &their_before);
        // The agent takes credentials away when it has read them; here they stay, and `check` says so.
        theirs.retain(|path, (mode, _)| *mode != 0 || !path.ends_with("wrapped-secret-id"));
        assert!(!theirs.is_empty(), "{name}: the agent made something");
        let (command, code) = role(&name);
        world.leasehold(&[command, "--config", &name], &ours).expect_code(code);
        assert_eq!(made(&ours, &our_before), theirs, "{name}");
    }
}

#[test]
fn check_has_nothing_against_any_of_them() {
    let world = World::new();
    for name in names() {
        let space = world.machine(&name);
        let checked = world.leasehold(&["check", "--config", &name], &space).expect_code(0);
        let problems = |line: &&str| line.starts_with(&name) && !line.contains(": warning:");
        assert_eq!(checked.stdout.lines().find(problems), None, "{name}");
    }
}

#[test]
fn what_convert_prints_makes_the_same_files() {
    let world = World::new();
    for name in names() {
        let (theirs, ours) = (world.machine(&name), world.machine(&name));
        let (their_before, our_before) = (files(theirs.path()), files(ours.path()));
        let (command, code) = role(&name);
        world.leasehold(&[command, "--config", &name], &theirs).expect_code(code);
        let yaml = world.leasehold(&["convert", &name], &ours).expect_code(0).stdout;
        let elsewhere = Workspace::new();
        let config = elsewhere.file("converted.yaml", yaml);
        world.leasehold(&[command, "--config", &config.to_string_lossy()], &ours).expect_code(code);
        let (theirs, ours) = (made(&theirs, &their_before), made(&ours, &our_before));
        assert!(!theirs.is_empty(), "{name}");
        assert_eq!(ours, theirs, "{name}");
    }
}

#[test]
fn convert_prints_what_it_refuses_as_a_comment_and_says_so() {
    let space = Workspace::new();
    let config =
        "listener \"tcp\" { address = \"127.0.0.1:8100\" }\nvault { address = \"https://v:8200\" }\n";
    space.file("agent.hcl", config);
    let leasehold = Leasehold::new(&space).within(space.path());
    let converted = leasehold.run(&["convert", "agent.hcl"]).expect_code(78);
    assert!(converted.stdout.contains("# REFUSED: `listener` (agent.hcl:1:1): Leasehold is not a proxy"));
    assert!(converted.stdout.contains("\n  address: \"https://v:8200\"\n"), "{}", converted.stdout);
    assert!(converted.stderr.starts_with("agent.hcl:1:1: Leasehold is not a proxy"), "{}", converted.stderr);
    let last = "leasehold: 1 of the keys cannot be taken over; see the comments that say REFUSED";
    assert_eq!(converted.last_line(), last);

    space.file("agent.hcl", "vault {\n");
    let broken = leasehold.run(&["convert", "agent.hcl"]).expect_code(78);
    assert_eq!(broken.stdout, "");
    assert!(broken.stderr.starts_with("agent.hcl:1:7: a brace that is never closed; close it with }\n"));
    assert_eq!(broken.last_line(), "leasehold: agent.hcl:1:7: an error; mend what is shown above");
}

/// Spellings of a text in HCL that the agent reads, odd ones too.
const SPELLINGS: &[&str] = &[
    r#""a\tb\n\"c\"\\""#,
    r#""\x41\101\u00e9\U0001f600 \xc3\xa9""#,
    r#""\a\b\f\v\r|""#,
    r#""\ud800|""#,
    r#""${a \"b\" {c} \n} $d $$ {""#,
    "\"${a\nb}\"",
    "\"tab\there\"",
    "<<EOF\nx\n  y\nEOF\n",
    "<<EOF\nx\n  EOF\n",
    "<<EOF\nEOFX\n EOF X\nEOF\n",
    "<<EOF\r\nx\r\ny\r\nEOF\r\n",
    "<<-EOF\n    x\n      y\n    EOF\n",
    "<<-EOF\n    x\n  y\n    EOF\n",
    "<<-EOF\n  x\n\n  EOF\n",
    "<<-EOF\n\tx\n\tEOF\n",
    "<<-EOF\nx\nEOF\n EOF\n",
    "<<EOF\n\\n ${x} \"q\" \\\\ é\nEOF\n",
];

/// What the agent refuses to read.
const REFUSED: &[&str] = &[
    "contents = \"a\\qb\"",
    "contents = \"a\nb\"",
    "contents = \"a",
    "contents = <<-EOF\nx\nEOF\n",
    "contents = << EOF\nx\nEOF\n",
    "contents = x",
    "contents = \"x\" perms = 0680",
    "contents = \"x\" perms = \"rw\"",
    "contents = \"x\" bogus = 1",
    "contents = \"x\" command_timeout = \"60\"",
    "contents: \"x\"",
    "contents = [\"x\" \"y\"]",
    "contents = \"x\" }",
];

const LOGIN: &str =
    "auto_auth {\n  method \"token_file\" { config = { token_file_path = \"etc/vault/token\" } }\n}\n";

#[test]
fn every_spelling_of_a_text_is_read_as_the_agent_reads_it() {
    let world = World::new();
    let mut config = LOGIN.to_owned();
    for (index, spelling) in SPELLINGS.iter().enumerate() {
        // An empty file and a mode show that something was rendered, and how numbers are read.
        let mode = ["0640", "\"600\"", "0x1b0", "436"][index % 4];
        config += &format!(
            "template {{\n destination = \"out/{index}\"\n perms = {mode}\n contents = {spelling}\n}}\n"
        );
    }
    let (theirs, ours) = (world.machine("sprig.hcl"), world.machine("sprig.hcl"));
    for space in [&theirs, &ours] {
        space.file("odd.hcl", &config);
    }
    world.run_the_agent("odd.hcl", &theirs);
    world.leasehold(&["init", "--config", "odd.hcl"], &ours).expect_code(0);
    let (theirs, ours) = (files(&theirs.join("out")), files(&ours.join("out")));
    assert_eq!(theirs.len(), SPELLINGS.len());
    assert_eq!(ours, theirs);
}

#[test]
fn what_the_agent_refuses_to_read_is_refused_here_too() {
    let space = Workspace::new();
    let start = |(index, keys): (usize, &&'static str)| {
        let name = format!("refused-{index}.hcl");
        space.file(&name, format!("{LOGIN}template {{\n destination = \"out\"\n {keys}\n}}\n"));
        let agent = Child::start(&OpenBao::program(), &name, space.path(), |command| {
            command.args(["agent", "-config", &name]).current_dir(space.path()).env("HOME", space.path());
        });
        (name, *keys, agent)
    };
    // Each takes seconds to come up, most of them the same ones.
    let all: Vec<_> = REFUSED.iter().enumerate().map(start).collect();
    for (name, keys, mut agent) in all {
        assert_eq!(agent.wait(Duration::from_secs(60)).code(), Some(1), "{keys}: {}", agent.stdout());
        let leasehold = Leasehold::new(&space).within(space.path()).env("VAULT_ADDR", "https://v:8200");
        let ours = leasehold.run(&["check", "--config", &name]).expect_code(78);
        let first = ours.stdout.lines().find(|line| line.starts_with(&name) && !line.contains(": warning:"));
        assert!(first.is_some_and(|line| line.contains("; ")), "{keys}: a place and a mend: {}", ours.stdout);
    }
}
