//! The mistakes that people make first, each with what `leasehold` says about it: the exit code, and the last line.
//! What is said stands in `tests/server/mistakes.txt`, one mistake after the other.
//!
//! `BLESS=1 cargo test --test server mistakes::` writes anew what is said; read it as a newcomer who made the mistake: what is
//! wrong, where, why, and what to do. Mistakes that `leasehold check` finds in a text are in `tests/broken`.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::sync::Mutex;

use crate::support::{
    CANARY, Finished, Identity, Leasehold, OpenBao, SOON, Stage, Workspace, free_address, need, repository,
    wait_until,
};
use serde_json::json;

/// What has no place in a message on a machine without Kubernetes, and names of ours that nobody has configured.
const ELSEWHERE: [&str; 8] = [
    "fsGroup",
    "emptyDir",
    "sizeLimit",
    "subPath",
    "shareProcessNamespace",
    " pod",
    "container",
    "..leasehold",
];

/// No test writes the file while another does.
static WRITING: Mutex<()> = Mutex::new(());

fn page() -> PathBuf {
    repository().join("tests/server/mistakes.txt")
}

/// What is said about each mistake of one kind.
struct Said {
    kind: &'static str,
    /// What differs between runs, and the word that stands for it.
    words: Vec<(String, &'static str)>,
    mistakes: Vec<(&'static str, String)>,
}

impl Said {
    fn new(kind: &'static str) -> Self {
        Self { kind, words: Vec::new(), mistakes: Vec::new() }
    }

    fn word(&mut self, text: impl Into<String>, stands_for: &'static str) {
        self.words.push((text.into(), stands_for));
        // The longest first: a folder begins the names of what is in it.
        self.words.sort_by_key(|(text, _)| std::cmp::Reverse(text.len()));
    }

    fn stage(&mut self, stage: &Stage) {
        self.word(stage.server.address(), "https://SERVER");
        self.word(stage.server.plain_address(), "http://SERVER");
        self.word(stage.server.ca_file().to_string_lossy(), "CA.pem");
        self.word(stage.space.path().to_string_lossy(), "/SPACE");
    }

    fn says(&mut self, mistake: &'static str, finished: &Finished) {
        finished.assert_silent_about(CANARY);
        let mut line = finished.last_line();
        for (text, word) in &self.words {
            line = line.replace(text.as_str(), word);
        }
        line = without_times(&line);
        for word in ELSEWHERE {
            assert!(!line.contains(word), "{mistake}: `{word}` is not of this place: {line}");
        }
        let code = finished.code.map_or_else(|| "a signal".to_owned(), |code| code.to_string());
        self.mistakes.push((mistake, format!("{code}: {line}")));
    }

    /// Compares with the page, or writes it.
    fn compare(self) {
        let _one = WRITING.lock();
        let known = fs::read_to_string(page()).unwrap_or_default();
        let mut all: BTreeMap<String, String> = known
            .split("\n## ")
            .filter_map(|part| part.trim_start_matches("## ").split_once('\n'))
            .map(|(kind, text)| (kind.to_owned(), text.trim().to_owned()))
            .collect();
        let lines: Vec<String> =
            self.mistakes.iter().map(|(mistake, said)| format!("{mistake}\n    {said}")).collect();
        let text = lines.join("\n");
        if std::env::var_os("BLESS").is_some() {
            all.insert(self.kind.to_owned(), text);
            let parts: Vec<String> =
                all.iter().map(|(kind, text)| format!("## {kind}\n\n{text}\n")).collect();
            fs::write(page(), parts.join("\n")).expect("the repository can be written");
        } else {
            let known = all.remove(self.kind).unwrap_or_default();
            assert_eq!(known, text, "run BLESS=1 cargo test --test server mistakes::, and read it");
        }
    }
}

/// The line with `TIME` for each time like `2026-11-29T05:00:00Z`.
fn without_times(line: &str) -> String {
    const SHAPE: &[u8] = b"0000-00-00T00:00:00Z";
    let is_time = |text: &[u8]| {
        text.iter().zip(SHAPE).all(|(byte, shape)| byte == shape || (byte.is_ascii_digit() && *shape == b'0'))
    };
    let mut out = line.to_owned();
    while let Some(at) = out.as_bytes().windows(SHAPE.len()).position(is_time) {
        out.replace_range(at..at + SHAPE.len(), "TIME");
    }
    out
}

const ONE_FILE: &str = "files: [{path: password, secret: 'secret/web#password'}]\n";

fn stage() -> Stage {
    let stage = Stage::new();
    stage.put(json!({ "password": CANARY, "user": "u" }));
    stage.server.write("old/web", json!({ "password": CANARY }));
    stage
}

/// A configuration whose login is another.
fn with_login(stage: &Stage, auth: &str) -> String {
    let config = stage.config(ONE_FILE);
    let own = config.lines().find(|line| line.starts_with("auth:")).expect("a login").to_owned();
    let auth = auth.replace("SPACE", &stage.space.path().display().to_string());
    config.replace(&own, &format!("auth: {auth}"))
}

fn init(stage: &Stage, config: &str) -> Finished {
    // Refusals are remembered in the handoff: each mistake is another pod's.
    let _ = fs::remove_dir_all(stage.space.join("handoff"));
    stage.space.dir("handoff");
    stage.run(&["init", "--timeout", "8s"], config)
}

fn template(text: &str) -> String {
    format!("files: [{{path: db.env, template: '{text}'}}]\n")
}

#[test]
fn a_login_that_fails_is_explained() {
    let (stage, mut said) = (stage(), Said::new("The login"));
    said.stage(&stage);
    let (role_id, secret_id) = stage.server.approle("web", &["web"], "1h");
    said.word(&role_id, "ROLE-ID");
    stage.space.file("secret-id", format!("{secret_id}\n"));
    let approle = |role: &str| {
        with_login(
            &stage,
            &format!("{{method: approle, role_id: '{role}', secret_id_file: 'SPACE/secret-id'}}"),
        )
    };
    said.says("AppRole: a role id that does not exist", &init(&stage, &approle("nobody")));
    stage.space.file("secret-id", "wrong");
    said.says("AppRole: a wrong secret id", &init(&stage, &approle(&role_id)));
    stage.server.write("auth/approle/role/web", json!({ "secret_id_num_uses": 1 }));
    let made = stage.server.write("auth/approle/role/web/secret-id", json!({}));
    let once = made["data"]["secret_id"].as_str().expect("a secret id").to_owned();
    stage.space.file("secret-id", &once);
    stage.server.write("auth/approle/login", json!({ "role_id": role_id, "secret_id": once }));
    said.says("AppRole: a secret id that is used up", &init(&stage, &approle(&role_id)));
    // Another role: the server may have locked the first one by now.
    stage.server.write("auth/approle/role/aged", json!({ "token_policies": ["web"], "secret_id_ttl": "1s" }));
    let aged = stage.server.ask("GET", "auth/approle/role/aged/role-id", None).ok().json();
    let aged = aged["data"]["role_id"].as_str().expect("a role id").to_owned();
    let made = stage.server.write("auth/approle/role/aged/secret-id", json!({}));
    stage.space.file("secret-id", made["data"]["secret_id"].as_str().expect("a secret id"));
    let look_up = json!({ "secret_id": made["data"]["secret_id"] });
    wait_until("the secret id to expire", SOON, || {
        let reply =
            stage.server.ask("POST", "auth/approle/role/aged/secret-id/lookup", Some(look_up.clone()));
        reply.status != 200
    });
    said.says("AppRole: a secret id that has expired", &init(&stage, &approle(&aged)));
    fs::remove_file(stage.space.join("secret-id")).expect("it was written");
    said.says("AppRole: no secret id file", &init(&stage, &approle(&role_id)));
    stage.space.dir("secret-id");
    let at_once = init(&stage, &approle(&role_id));
    assert!(at_once.took.as_secs() < 3, "what cannot be used is not waited for: {:?}", at_once.took);
    said.says("AppRole: a folder where the secret id file should be", &at_once);
    let unset =
        with_login(&stage, &format!("{{method: approle, role_id: '{role_id}', secret_id_env: NOT_SET}}"));
    said.says("AppRole: a variable that is not set", &init(&stage, &unset));
    said.says(
        "Kubernetes: a role that does not exist",
        &init(&stage, &stage.config(ONE_FILE).replace("role: web", "role: wbe")),
    );
    said.says(
        "Kubernetes: a mount that does not exist",
        &init(&stage, &stage.config(ONE_FILE).replace("role: web", "role: web, mount: kubernets")),
    );
    jwt(&stage, &mut said);
    said.compare();
}

fn jwt(stage: &Stage, said: &mut Said) {
    let server = &stage.server;
    server.ask("POST", "sys/auth/jwt", Some(json!({ "type": "jwt" }))).ok();
    server.write("auth/jwt/config", json!({ "jwt_validation_pubkeys": [stage.cluster.public_key_pem()] }));
    let role = json!({
        "role_type": "jwt", "bound_audiences": ["vault"], "user_claim": "sub", "token_policies": ["web"],
        "expiration_leeway": 1, "not_before_leeway": 1, "clock_skew_leeway": 1,
    });
    server.write("auth/jwt/role/web", role);
    let with = |identity: &Identity| {
        stage.space.file("jwt", stage.cluster.token(identity));
        init(stage, &with_login(stage, "{method: jwt, role: web, jwt_file: 'SPACE/jwt'}"))
    };
    let audiences = vec!["https://kubernetes.default.svc".to_owned()];
    said.says("JWT: a token for another audience", &with(&Identity { audiences, ..Identity::default() }));
    let expired = Identity { begins: -7200, ..Identity::default() };
    said.says("JWT: a token that has expired", &with(&expired));
    let early = Identity { begins: 3600, ..Identity::default() };
    said.says("JWT: a token that is not valid yet", &with(&early));
    stage.space.file("jwt", "not-a-token");
    let config = with_login(stage, "{method: jwt, role: web, jwt_file: 'SPACE/jwt'}");
    said.says("JWT: a file that holds no token", &init(stage, &config));
    said.says("JWT: a role that does not exist", &init(stage, &config.replace("role: web", "role: wbe")));
}

#[test]
fn a_secret_that_cannot_be_had_is_explained() {
    let (stage, mut said) = (stage(), Said::new("Secrets"));
    said.stage(&stage);
    let file = |secret: &str| stage.config(&format!("files: [{{path: password, secret: '{secret}'}}]\n"));
    let text = |text: &str| stage.config(&template(text));
    said.says("a path that the policy does not allow", &init(&stage, &file("secret/denied#password")));
    said.says(
        "the same with a short deadline",
        &stage.run(&["init", "--timeout", "1s"], &file("secret/denied#password")),
    );
    said.says("a mount that does not exist", &init(&stage, &file("secrets/web#password")));
    said.says("a mistyped path", &init(&stage, &file("secret/wbe#password")));
    said.says(
        "the same with a short deadline ",
        &stage.run(&["init", "--timeout", "1s"], &file("secret/wbe#password")),
    );
    said.says("a mistyped key", &init(&stage, &file("secret/web#pasword")));
    said.says(
        "a mistyped key in a template",
        &init(&stage, &text(r#"{{ with secret "secret/web" }}{{ .Data.data.pasword }}{{ end }}"#)),
    );
    said.says(
        "a key of KV 2 one level up",
        &init(&stage, &text(r#"{{ with secret "secret/web" }}{{ .Data.password }}{{ end }}"#)),
    );
    said.says(
        "the same with data/ in the path",
        &init(&stage, &text(r#"{{ with secret "secret/data/web" }}{{ .Data.password }}{{ end }}"#)),
    );
    said.says(
        "a key of KV 1 one level down",
        &init(&stage, &text(r#"{{ with secret "old/web" }}{{ .Data.data.password }}{{ end }}"#)),
    );
    said.says("a path of KV 1 with data/", &init(&stage, &file("old/data/web#password")));
    said.says(
        "a template that fails",
        &init(
            &stage,
            &text(r#"{{ with secret "secret/web" }}{{ .Data.data.password | base64Decode }}{{ end }}"#),
        ),
    );
    said.says(
        "the same with a short deadline  ",
        &stage.run(
            &["init", "--timeout", "1s"],
            &text(r#"{{ with secret "secret/web" }}{{ .Data.data.password | base64Decode }}{{ end }}"#),
        ),
    );
    stage.server.ask("DELETE", "secret/data/web", None).ok();
    said.says("a secret whose version is deleted", &init(&stage, &file("secret/web#password")));
    said.compare();
}

#[test]
fn a_server_that_cannot_be_reached_is_explained() {
    let (stage, mut said) = (stage(), Said::new("The server"));
    said.stage(&stage);
    let other = OpenBao::start();
    said.word(other.ca_file().to_string_lossy(), "OTHER-CA.pem");
    let config = stage.config(ONE_FILE);
    let ca = format!(", ca_file: '{}'", stage.server.ca_file().display());
    let at = |address: &str| config.replace(&stage.server.address(), address);
    said.word(stage.server.plain_address().replace("http", "https"), "https://SERVER");
    let port = free_address();
    said.word(port.to_string(), "127.0.0.1:FREE");
    let init = |config: &str| stage.run(&["init", "--timeout", "2s"], config);
    said.says("no ca_file", &init(&config.replace(&ca, "")));
    said.says(
        "the ca_file of another server",
        &init(&config.replace(
            &stage.server.ca_file().to_string_lossy().into_owned(),
            &other.ca_file().to_string_lossy(),
        )),
    );
    said.says(
        "https:// to a port without TLS",
        &init(&at(&stage.server.plain_address().replace("http", "https"))),
    );
    said.says("http:// to a port with TLS", &init(&at(&stage.server.address().replace("https", "http"))));
    said.says("a port where nothing listens", &init(&at(&format!("https://{port}"))));
    said.says("a host that does not resolve", &init(&at("https://vault.invalid:8200")));
    said.says("http:// to another host", &init(&at("http://vault.example.com:8200")));
    stage.server.seal();
    said.says("a sealed server", &init(&config));
    said.compare();
}

#[test]
fn a_place_that_cannot_be_used_is_explained() {
    if !need(
        "root",
        "run the tests as root, so that they can become nobody",
        nix::unistd::geteuid().is_root(),
    ) {
        return;
    }
    let (stage, mut said) = (stage(), Said::new("Places"));
    said.stage(&stage);
    let disk = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("the build's folder takes folders");
    said.word(disk.path().to_string_lossy(), "/DISK");
    let config = stage.config(ONE_FILE);
    let elsewhere =
        |from: &str, to: &str| config.replace(&format!("'{}/{from}'", stage.space.path().display()), to);
    said.says(
        "a secrets_dir on a disk",
        &init(&stage, &elsewhere("secrets", &format!("'{}'", disk.path().display()))),
    );
    said.says(
        "the same in a strict check",
        &stage.run(&["check", "--strict"], &elsewhere("secrets", &format!("'{}'", disk.path().display()))),
    );
    let owned = config.replace(ONE_FILE, &ONE_FILE.replace("}]", ", user: no-such-user}]"));
    said.says("an owner whose name is not known", &init(&stage, &owned));
    let file = stage.space.file("not-a-folder", "");
    said.says(
        "a file where secrets_dir should be",
        &init(&stage, &elsewhere("secrets", &format!("'{}'", file.display()))),
    );
    let taken = std::net::TcpListener::bind(free_address()).expect("it is free");
    let address = taken.local_addr().expect("it listens").to_string();
    said.word(&address, "127.0.0.1:TAKEN");
    let socket = format!("'unix:{}/status.sock'", stage.space.path().display());
    said.says("a port that is taken", &stage.run(&["sidecar"], &config.replace(&socket, &address)));
    as_nobody(&stage, &mut said);
    let sidecar = stage.sidecar(&config);
    said.word(sidecar.pid().to_string(), "PID");
    said.says("a second sidecar", &stage.run(&["sidecar"], &config));
    sidecar.stop().expect_code(0);
    said.says("the status of a daemon that does not run", &stage.run(&["status"], &config));
    said.compare();
}

/// What only root may do, tried as somebody else.
fn as_nobody(stage: &Stage, said: &mut Said) {
    let own =
        |path: PathBuf| nix::unistd::chown(&path, Some(65534.into()), Some(65534.into())).expect("root may");
    for name in ["", "secrets", "serviceaccount", "serviceaccount/token"] {
        own(stage.space.join(name));
    }
    let ca = stage.space.file("ca.pem", stage.server.ca_pem());
    own(ca.clone());
    let run = |config: &str| {
        let config =
            config.replace(&stage.server.ca_file().to_string_lossy().into_owned(), &ca.to_string_lossy());
        let path = stage.space.file("nobodys.yaml", config);
        own(path.clone());
        Leasehold::new(&stage.space).run_by_nobody().run(&[
            "init",
            "--timeout",
            "8s",
            "--config",
            &path.to_string_lossy(),
        ])
    };
    let config = stage.config(ONE_FILE).replace("/handoff/state", "/secrets-handoff/state");
    own(stage.space.dir("secrets-handoff"));
    stage.space.file("secret-id", "x");
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o600);
    fs::set_permissions(stage.space.join("secret-id"), mode).expect("root may");
    let login = "{method: approle, role_id: r, secret_id_file: 'SPACE/secret-id'}";
    let approle = with_login(stage, login).replace("/handoff/state", "/secrets-handoff/state");
    let unreadable = run(&approle);
    assert!(unreadable.took.as_secs() < 3, "it is not waited for: {:?}", unreadable.took);
    said.says("a secret id file that we may not read", &unreadable);
    let absolute = format!(
        "files: [{{path: '{}/roots/app.env', secret: 'secret/web#password'}}]\n",
        stage.space.path().display()
    );
    stage.space.dir("roots");
    said.says("a folder that we may not write", &run(&config.replace(ONE_FILE, &absolute)));
    let owned = ONE_FILE.replace("}]", ", user: 0}]");
    said.says("an owner that we may not give a file to", &run(&config.replace(ONE_FILE, &owned)));
}

#[test]
fn a_wrong_command_line_is_explained() {
    let (space, mut said) = (Workspace::new(), Said::new("The command line"));
    said.word(space.path().to_string_lossy(), "/SPACE");
    let run = |arguments: &[&str]| Leasehold::new(&space).run(arguments);
    said.says("no configuration", &run(&["init"]));
    said.says("a file without --config", &run(&["init", "a.yaml"]));
    said.says("a check of a file that is not there", &run(&["check", "a.yaml"]));
    space.dir("empty");
    said.says("a check of a folder without a configuration", &run(&["check", "empty"]));
    said.says("a command that does not exist", &run(&["inti"]));
    said.says("an option that does not exist", &run(&["init", "--confg", "a.yaml"]));
    said.says("a configuration that is not there", &run(&["check", "--config", "a.yaml"]));
    let other = "vault: {address: 'https://v:8200', ca_file: none.pem}\n";
    space.file("warned.yaml", format!("{other}auth: {{method: kubernetes, role: web}}\nrequire_tmpfs: false\nfiles: [{{path: /run/a, secret: 'kv/a#b'}}]\n"));
    said.says("warnings in a strict check", &run(&["check", "--strict", "--elsewhere", "warned.yaml"]));
    let config =
        space.file("c.yaml", "vault: {address: 'https://v:8200'}\nauth: {method: kubernetes, role: web}\nsecrets_dir: /dev/shm/x\nfiles: [{path: a, secret: 'kv/a#b'}]\n");
    let config = config.to_string_lossy().into_owned();
    said.says("exec without a command", &run(&["exec", "--config", &config]));
    said.says(
        "exec of a program that is not there",
        &run(&["exec", "--config", &config, "--", "no-such-program"]),
    );
    space.file("t.tmpl", r#"{{ with secret "secret/web" }}{{ .Data.data.a }}{{ end }}"#);
    said.says("render without the secret", &run(&["render", "--template", "t.tmpl"]));
    space.file("s.yaml", "secret/web: {password: x}\n");
    said.says(
        "render with a secret of another shape",
        &run(&["render", "--template", "t.tmpl", "--secrets", "s.yaml"]),
    );
    said.says("render of a file that is not there", &run(&["render", "--template", "none.tmpl"]));
    said.compare();
}

/// Says it in one line, and nothing before that.
fn in_one_line(finished: Finished) -> Finished {
    assert_eq!(finished.stderr.lines().count(), 1, "{}", finished.stderr);
    finished.expect_code(64)
}

#[test]
fn what_other_programs_take_is_answered_with_what_to_type() {
    let (space, mut said) = (Workspace::new(), Said::new("Habits"));
    let run = |line: &str| Leasehold::new(&space).run(&line.split(' ').collect::<Vec<_>>());
    for line in [
        "get secret/web",
        "read database/creds/web",
        "put secret/web password=x",
        "login",
        "init -v",
        "sidecar -log-level=debug -config=agent.hcl",
        "exec -c web.yaml env",
        "exec env",
        "render db.env.tpl",
        "render",
        "run -- env",
        "run -c web.yaml",
        "agent -config=agent.hcl",
        "-c web.yaml init",
        "web.yaml",
        "init web.yaml",
        "init -f web.yaml",
        "status -o json",
        "check --json -c web.yaml",
        "status -w",
        "validate web.yaml",
        "diff -c web.yaml",
        "generate",
        "stop",
        "reload",
        "logs",
        "sidecar -d",
        "sidecar -once -c consul-template.hcl",
        "init --address https://vault:8200",
        "init --token x",
        "webhook",
        "proxy -config=proxy.hcl",
    ] {
        said.says(line, &in_one_line(run(line)));
    }
    for line in ["version", "-v", "-version", "--help init", "init help", "help init", "init -help"] {
        assert!(!run(line).expect_code(0).stdout.is_empty(), "{line}");
    }
    said.compare();
}
