//! Configurations of Vault Agent as people write them, unchanged through the real `bao agent` and
//! through Leasehold, each in a folder that stands for `/`: the same files, bytes and modes.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::support::{Child, Finished, Leasehold, OpenBao, Workspace};
use serde_json::json;

const POLICY: &str = r#"
path "kv/*" { capabilities = ["read", "list"] }
path "secret/*" { capabilities = ["read", "list"] }
path "pki/issue/*" { capabilities = ["create", "update"] }
path "ssh/config/ca" { capabilities = ["read"] }
path "transit/decrypt/app" { capabilities = ["update"] }
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
        server.pki("pki", "web", "1h");
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
        published(&server);
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

/// What the published templates ask for besides.
fn published(server: &OpenBao) {
    server.mount("ssh", json!({ "type": "ssh" }));
    server.write("ssh/config/ca", json!({ "generate_signing_key": true, "key_type": "ed25519" }));
    server.mount("transit", json!({ "type": "transit" }));
    server.write("transit/keys/app", json!({}));
    let cipher = server.write("transit/encrypt/app", json!({ "plaintext": "c2VjcmV0IHRleHQ=" }));
    for (name, data) in [
        ("odd", json!({"one": "it's", "two": "'a' \\ 'b'", "three": "$HOME \"x\""})),
        ("list/one", json!({"value": "first", "kind": "a"})),
        ("list/two", json!({"value": "second"})),
        ("list/long", json!({"value": "third"})),
        ("json", json!({"text": "{\"retry_join\": [\"10.0.0.1\", \"10.0.0.2\"]}"})),
        ("dashes", json!({"api-key": "k=1", "db-user": "u \"v\""})),
        ("cipher", json!({"text": cipher["data"]["ciphertext"]})),
    ] {
        server.put("secret", name, data);
    }
}

/// What the two programs and their test leave beside what was asked for.
const OUR_OWN: [&str; 7] =
    ["..leasehold.lock", "agent.out", "agent.err", "run-0.out", "run-0.err", "run-1.out", "run-1.err"];

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
    assert_eq!(broken.last_line(), "leasehold: agent.hcl:1:7: an error; fix what is shown above");
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

/// Runs both programs on the same configuration; `before` is what stands in each folder.
fn both(world: &World, config: &str, arguments: &[&str], code: i32) -> [Workspace; 2] {
    let spaces = [world.machine("sprig.hcl"), world.machine("sprig.hcl")];
    for space in &spaces {
        space.file("odd.hcl", config);
    }
    world.run_the_agent("odd.hcl", &spaces[0]);
    world
        .leasehold(&[&["init", "--config", "odd.hcl"][..], arguments].concat(), &spaces[1])
        .expect_code(code);
    spaces
}

#[test]
fn commands_of_a_configuration_that_ends_have_run_when_it_ends() {
    let world = World::new();
    let template = |name: &str, command: &str| {
        format!("template {{\n contents = \"{name}\"\n destination = \"out/{name}\"\n {command}\n}}\n")
    };
    let config = [
        "exit_after_auth = true\n",
        LOGIN,
        &template("plain", r#"command = "cp out/plain out/store""#),
        &template("listed", r#"command = ["cp", "out/listed", "out/listed-store"]"#),
        &template("inner", r#"exec { command = "cat out/inner out/inner >out/twice" timeout = "20s" }"#),
        // What several run is run once.
        &template("shared-1", r#"command = "echo once >>out/shared""#),
        &template("shared-2", r#"command = "echo once >>out/shared""#),
        // The agent goes on, and ends with 0.
        &template("failing", r#"command = "touch out/tried && false""#),
        &template("none", r#"command = """#),
    ]
    .concat();
    let [theirs, ours] = both(&world, &config, &[], 0);
    let (theirs, ours_files) = (files(&theirs.join("out")), files(&ours.join("out")));
    assert!(
        ["store", "listed-store", "twice", "shared", "tried"]
            .iter()
            .all(|name| theirs.contains_key(Path::new(name))),
        "{theirs:?}"
    );
    assert_eq!(ours_files, theirs);
    // Nothing is new to a second run.
    fs::remove_file(ours.join("out/store")).expect("it was made");
    let again = world.leasehold(&["init", "--config", "odd.hcl"], &ours).expect_code(0);
    assert!(!ours.join("out/store").exists(), "{}", again.stderr);
}

#[test]
fn init_says_that_it_leaves_a_command_out() {
    let world = World::new();
    let space = world.machine("sprig.hcl");
    space.file(
        "odd.hcl",
        format!(
            "{LOGIN}template {{ contents = \"x\" destination = \"out/x\" command = \"touch out/ran\" }}\n"
        ),
    );
    let run = |command: &str| world.leasehold(&[command, "--config", "odd.hcl"], &space).expect_code(0);
    let said = run("init").stderr;
    assert!(said.contains("init does not run the command of `notify.command-1`"), "{said}");
    assert!(!space.join("out/ran").exists());
    let said = run("check").stdout;
    assert!(said.contains("`init` does not run it"), "{said}");
}

#[test]
fn a_field_of_what_is_missing_is_an_error_there_and_here() {
    let world = World::new();
    // Of each the agent writes nothing, or the same bytes.
    const TEMPLATES: [(&str, bool); 6] = [
        (r#"{{ with secret \"kv/slack\" }}{{ .Data.data.url }}{{ end }}"#, false),
        (r#"{{ with secret \"kv/slack\" }}{{ .Data.a.b.c }}{{ end }}"#, false),
        (r#"{{ with secret \"secret/web\" }}{{ .Data.data.nested.key }}{{ end }}"#, false),
        (r#"{{ with secret \"kv/slack\" }}[{{ .Data.none }}]{{ end }}"#, true),
        (r#"{{ with secret \"kv/slack\" }}{{ if .Data.none }}a{{ else }}b{{ end }}{{ end }}"#, true),
        (r#"{{ with secret \"kv/slack\" }}{{ .Data.none | printf \"%v\" }}{{ end }}"#, true),
    ];
    for (index, (template, renders)) in TEMPLATES.iter().enumerate() {
        let config = format!(
            "exit_after_auth = true\ntemplate_config {{ exit_on_retry_failure = true }}\n{LOGIN}template {{ contents = \"{template}\" destination = \"out\" }}\n"
        );
        let [theirs, ours] = [world.machine("sprig.hcl"), world.machine("sprig.hcl")];
        for space in [&theirs, &ours] {
            space.file("odd.hcl", &config);
        }
        if *renders {
            world.run_the_agent("odd.hcl", &theirs);
            world.leasehold(&["init", "--config", "odd.hcl"], &ours).expect_code(0);
            assert_eq!(fs::read(ours.join("out")).ok(), fs::read(theirs.join("out")).ok(), "{index}");
            continue;
        }
        let failed = world.leasehold(&["init", "--config", "odd.hcl"], &ours).expect_code(65);
        assert!(failed.last_line().contains("nil pointer evaluating interface {}"), "{}", failed.last_line());
        assert!(!ours.join("out").exists(), "{index}");
    }
}

#[test]
fn configurations_with_namespaces_make_the_same_files_as_the_agent() {
    let server = OpenBao::start();
    let post = |path: &str, body: serde_json::Value| server.ask("POST", path, Some(body)).ok().json();
    let text = |value: &serde_json::Value| value.as_str().expect("a text").to_owned();
    post("sys/namespaces/team", json!({}));
    post("team/sys/namespaces/sub", json!({}));
    for (namespace, value) in [("", "of the root"), ("team/", "of the team"), ("team/sub/", "of the child")] {
        post(&format!("{namespace}sys/mounts/kv"), json!({ "type": "kv" }));
        post(&format!("{namespace}kv/app"), json!({ "value": value }));
        let policy = json!({ "policy": "path \"*\" { capabilities = [\"read\", \"list\"] }" });
        post(&format!("{namespace}sys/policies/acl/all"), policy);
    }
    // What every machine here is given.
    server.approle("agents", &["all"], "1h");
    post("team/sys/auth/approle", json!({ "type": "approle" }));
    post("team/auth/approle/role/app", json!({ "token_policies": ["all"] }));
    let role_id =
        text(&server.ask("GET", "team/auth/approle/role/app/role-id", None).ok().json()["data"]["role_id"]);
    let secret_id = text(&post("team/auth/approle/role/app/secret-id", json!({}))["data"]["secret_id"]);
    let token = |namespace: &str| {
        text(
            &post(&format!("{namespace}auth/token/create"), json!({ "policies": ["all"] }))["auth"]["client_token"],
        )
    };
    let tokens =
        [("root-token", token("")), ("team-token", token("team/")), ("sub-token", token("team/sub/"))];
    let world = World { server, token: String::new(), role_id, secret_id };
    let template = |name: &str, path: &str| {
        format!(
            "template {{\n contents = \"{{{{ with secret \\\"{path}\\\" }}}}{{{{ .Data.value }}}}{{{{ end }}}}\"\n destination = \"out/{name}\"\n}}\n"
        )
    };
    let file = |name: &str, of_method: &str| {
        format!(
            "auto_auth {{\n method \"token_file\" {{\n {of_method}\n config = {{ token_file_path = \"etc/vault/{name}\" }}\n }}\n}}\n"
        )
    };
    let approle = |of_method: &str| {
        format!(
            "auto_auth {{\n method \"approle\" {{\n {of_method}\n config = {{\n role_id_file_path = \"etc/vault/role-id\"\n secret_id_file_path = \"etc/vault/secret-id\"\n remove_secret_id_file_after_reading = false\n }}\n }}\n}}\n"
        )
    };
    let vault = |namespace: &str| format!("vault {{ namespace = \"{namespace}\" }}\n");
    let app = || template("app", "kv/app");
    for (config, says, of_the_agent) in [
        (approle("namespace = \"team\"") + &app(), "of the team", true),
        // Paths may begin with namespaces, below the one that is named elsewhere.
        (approle("namespace = \"team/\"") + &template("app", "sub/kv/app"), "of the child", true),
        (file("root-token", "") + &template("app", "team/sub/kv/app"), "of the child", true),
        (file("team-token", "namespace = \"team\"") + &app(), "of the team", true),
        (file("sub-token", "namespace = \"team/sub\"") + &app(), "of the child", true),
        (vault("") + &file("root-token", "namespace = \"\"") + &app(), "of the root", true),
        // OpenBao's agent never renders these, without a word in its log; Vault's does.
        (vault("team") + &file("team-token", "") + &app(), "of the team", false),
        (vault("/team/") + &file("team-token", "") + &app(), "of the team", false),
        (vault("team") + &approle("") + &template("app", "sub/kv/app"), "of the child", false),
    ] {
        let spaces = [world.machine("sprig.hcl"), world.machine("sprig.hcl")];
        for space in &spaces {
            space.file("odd.hcl", &config);
            for (name, token) in &tokens {
                space.file(&format!("etc/vault/{name}"), token);
            }
        }
        let [theirs, ours] = &spaces;
        world.leasehold(&["init", "--config", "odd.hcl"], ours).expect_code(0);
        let made = files(&ours.join("out"));
        assert!(made.values().any(|(_, bytes)| bytes == says), "{config}\n{made:?}");
        if of_the_agent {
            world.run_the_agent("odd.hcl", theirs);
            assert_eq!(made, files(&theirs.join("out")), "{config}");
        }
    }
}

#[test]
fn a_folder_of_configurations_is_taken_as_the_agent_takes_it() {
    let world = World::new();
    let spaces = [world.machine("sprig.hcl"), world.machine("sprig.hcl")];
    for space in &spaces {
        for (name, text) in [
            ("10-login.hcl", LOGIN),
            ("20-vault.json", "{\"vault\": {\"retry\": {\"num_retries\": 2}}}"),
            (
                "30-files.hcl",
                "template { contents = \"a\" destination = \"out/a\" }\ntemplate { contents = \"b\" destination = \"out/b\" }",
            ),
            (
                "40-more.json",
                "{\"template\": [{\"contents\": \"c\", \"destination\": \"out/c\", \"perms\": \"0600\"}]}",
            ),
            (".hidden.hcl", "template { contents = \"h\" destination = \"out/h\" }"),
            ("50-files.hcl~", "junk (("),
            ("README", "junk (("),
            ("vars.yaml", "junk: ["),
            ("sub.hcl/60-files.hcl", "template { contents = \"no\" destination = \"out/no\" }"),
        ] {
            fs::create_dir_all(space.join("conf/sub.hcl")).expect("a folder");
            space.file(&format!("conf/{name}"), text);
        }
    }
    let [theirs, ours] = &spaces;
    world.run_the_agent("conf", theirs);
    world.leasehold(&["init", "--config", "conf"], ours).expect_code(0);
    let (theirs, made) = (files(&theirs.join("out")), files(&ours.join("out")));
    assert_eq!(theirs.len(), 4, "{theirs:?}");
    assert_eq!(made, theirs);
    world.leasehold(&["check", "--config", "conf/"], ours).expect_code(0);
    let yaml = world.leasehold(&["convert", "conf"], ours).expect_code(0).stdout;
    assert!(yaml.contains("/out/c\n"), "{yaml}");
    // One that is broken is named, and so is a folder with none.
    ours.file("conf/35-broken.hcl", "template {\n contents = \"x\n}\n");
    for command in [&["check", "--config", "conf"][..], &["convert", "conf"], &["init", "--config", "conf"]] {
        let broken = world.leasehold(command, ours).expect_code(78);
        assert!(broken.last_line().contains("conf/35-broken.hcl:2:"), "{}", broken.last_line());
    }
    let empty = world.leasehold(&["check", "--config", "etc"], ours).expect_code(78);
    assert!(empty.stdout.starts_with("etc: a folder without a .hcl or .json file; "), "{}", empty.stdout);
}

/// A template whose one call issues a certificate.
fn certificate(destination: &str, fields: &str, ttl: &str) -> String {
    format!(
        "template {{\n contents = \"{{{{ with pkiCert \\\"pki/issue/web\\\" \\\"common_name=a.test\\\" \\\"ttl={ttl}\\\" }}}}{fields}{{{{ end }}}}\"\n destination = \"{destination}\"\n perms = \"0600\"\n}}\n"
    )
}

#[test]
fn a_certificate_that_is_still_valid_is_kept_over_starts_as_the_agent_keeps_it() {
    let world = World::new();
    let config = format!(
        "exit_after_auth = true\n{LOGIN}{}",
        certificate("out/web.pem", "{{ .Cert }}{{ .CA }}{{ .Key }}", "1h")
    );
    let spaces = [world.machine("sprig.hcl"), world.machine("sprig.hcl")];
    spaces.iter().for_each(|space| drop(space.file("odd.hcl", &config)));
    let [theirs, ours] = &spaces;
    let bytes = |space: &Workspace| fs::read(space.join("out/web.pem")).expect("a certificate");
    let mut before = None;
    for start in 1..=3 {
        world.run_the_agent("odd.hcl", theirs);
        world.leasehold(&["init", "--config", "odd.hcl"], ours).expect_code(0);
        let now = [bytes(theirs), bytes(ours)];
        assert_eq!(before.get_or_insert_with(|| now.clone()), &now, "start {start}");
    }
    assert_eq!(world.server.requests("pki/issue/web"), 2, "one of each program");
    // What the other program left is as good as what we left.
    fs::write(ours.join("out/web.pem"), bytes(theirs)).expect("written");
    world.leasehold(&["init", "--config", "odd.hcl"], ours).expect_code(0);
    assert_eq!(bytes(ours), bytes(theirs));
    // What is no pair, or not whole, is replaced.
    let whole = bytes(ours);
    let half = &whole[..whole.len() / 2];
    for spoilt in [half, b"", b"hunter2"] {
        fs::write(ours.join("out/web.pem"), spoilt).expect("written");
        world.leasehold(&["init", "--config", "odd.hcl"], ours).expect_code(0);
        assert!(bytes(ours).len() > 1000 && bytes(ours) != whole, "{}", spoilt.len());
    }
}

#[test]
fn a_certificate_and_its_key_in_two_files_are_kept_together_and_replaced_when_they_end() {
    let world = World::new();
    let config = |ttl: &str| {
        format!(
            "exit_after_auth = true\n{LOGIN}{}{}",
            certificate("out/cert.pem", "{{ .Cert }}{{ .CA }}", ttl),
            certificate("out/key.pem", "{{ .Key }}", ttl)
        )
    };
    let space = world.machine("sprig.hcl");
    let start = |ttl: &str| {
        space.file("odd.hcl", config(ttl));
        world.leasehold(&["init", "--config", "odd.hcl"], &space).expect_code(0);
        let read = |name: &str| fs::read(space.join("out").join(name)).expect("it is there");
        (read("cert.pem"), read("key.pem"))
    };
    let first = start("1h");
    assert_eq!(start("1h"), first);
    // A key of another certificate is not believed.
    fs::remove_file(space.join("out/key.pem")).expect("it was there");
    let second = start("1h");
    assert!(second.0 != first.0 && second.1 != first.1, "a new pair");
    // What is asked for now is what counts: a certificate for another name is not kept.
    space.file("odd.hcl", config("1h").replace("a.test", "b.test"));
    world.leasehold(&["init", "--config", "odd.hcl"], &space).expect_code(0);
    assert_ne!(fs::read(space.join("out/cert.pem")).expect("it is there"), second.0);
    for name in ["cert.pem", "key.pem"] {
        fs::remove_file(space.join("out").join(name)).expect("it was there");
    }
    let short = start("4s");
    crate::support::wait_until("its end is near", Duration::from_secs(30), || start("4s").0 != short.0);
}
