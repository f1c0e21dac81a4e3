//! Secrets that stand out, sent through everything: no output, log line, metric, argument or
//! variable of a child may hold one of them, whatever goes wrong and however much is logged.

mod ear;

use std::fs;
use std::process::Command;

pub(crate) use ear::Ear;

use crate::support::{CANARY, Leasehold, SOON, Stage, Workspace, need, wait_until};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::sys::signal::Signal;
use serde_json::{Value, json};

const LEVELS: [&str; 5] = ["error", "warn", "info", "debug", "trace"];

/// One file that works and one of each kind that does not, and a hook that shows itself.
fn config(stage: &Stage, level: &str) -> String {
    let space = stage.space.path().display();
    stage
        .config(&format!(
            r#"
files:
  - {{path: password, secret: 'secret/web#password', refresh: 1s}}
  - {{path: all, secret: secret/web}}
  - {{path: user, secret: rabbitmq/creds/app}}
  - {{path: no-such-key, secret: 'secret/web#{CANARY}-is-not-a-key', notify: []}}
  - {{path: not-base64, secret: 'secret/web#password', encoding: base64, notify: []}}
  - {{path: denied, secret: secret/denied, notify: []}}
  - {{path: missing, secret: secret/nothing-here, notify: []}}
  - path: mistaken
    template: '{{{{ with secret "secret/web" }}}}{{{{ index .Data.data.password 99 }}}}{{{{ end }}}}'
    notify: []
  - path: mistaken-too
    template: '{{{{ with secret "secret/web" }}}}{{{{ .Data.data.password | parseJSON }}}}{{{{ end }}}}'
    notify: []
notify:
  hook: {{command: [/bin/bash, '{space}/hook']}}
log: {{level: {level}, format: json}}
"#
        ))
        // The name of a key is the configuration's own, and may be shown.
        .replace(&format!("{CANARY}-is-not-a-key"), "is-not-a-key")
}

/// What `hook` does: its arguments and its environment, to be found when it has ended, and what it has
/// open.
fn write_hook(stage: &Stage) {
    let space = stage.space.path().display();
    let script = format!(
        "ls /proc/$$/fd > {space}/hook.open\ncat /proc/$$/cmdline /proc/$$/environ > {space}/hook.part && mv {space}/hook.part {space}/hook.told\n"
    );
    stage.space.file("hook", script);
}

fn leasehold(stage: &Stage) -> Leasehold {
    // What makes other programs in Rust let their libraries speak.
    let leasehold = Leasehold::new(&stage.space).env("RUST_LOG", "trace").env("RUST_BACKTRACE", "full");
    // Variables of every name that may hold a token.
    ["VAULT_TOKEN", "BAO_TOKEN", "LEASEHOLD_TOKEN", "MY_OWN_TOKEN"]
        .into_iter()
        .fold(leasehold, |leasehold, name| leasehold.env(name, &format!("{CANARY}-{name}")))
}

fn arguments(stage: &Stage, command: &[&str], config: &str) -> Vec<String> {
    let path = stage.space.file("leasehold.yaml", config);
    let config = ["--config".to_owned(), path.to_string_lossy().into_owned()];
    command.iter().map(|word| (*word).to_owned()).chain(config).collect()
}

/// Every token that the handoff holds.
pub(crate) fn tokens(space: &Workspace) -> Vec<String> {
    let state = space.read("handoff/state").unwrap_or_default();
    let state: Value = serde_json::from_str(&state).unwrap_or_default();
    let tokens = state["tokens"].as_array().into_iter().flatten();
    let text = |token: &Value| {
        let bytes = STANDARD.decode(token["secret"].as_str().expect("a token in base64")).expect("base64");
        String::from_utf8(bytes).expect("a token is text")
    };
    tokens.map(text).collect()
}

#[test]
fn a_sidecar_with_every_kind_of_trouble_shows_no_secret() {
    let stage = Stage::new();
    write_hook(&stage);
    // The level of most, and the one that says everything the others say and more.
    for (round, level) in ["info", "trace"].into_iter().enumerate() {
        let mut ear = Ear::default();
        ear.must_not_hear("a value", CANARY);
        ear.must_not_hear("the JWT", stage.space.read("serviceaccount/token").expect("a pod has one"));
        stage.put(json!({ "password": format!("{CANARY}-{round}"), "other": { CANARY: CANARY } }));
        let config = config(&stage, level);
        let sidecar = leasehold(&stage).spawn(&arguments(&stage, &["sidecar"], &config));
        wait_until("the good files", SOON, || stage.read("user").is_some() && stage.read("all").is_some());
        stage.put(json!({ "password": format!("{CANARY}-again-{round}"), "other": { CANARY: CANARY } }));
        wait_until("the hook", SOON, || stage.space.join("hook.told").exists());

        let user: Value = serde_json::from_str(&stage.read("user").expect("it is there")).expect("JSON");
        ear.must_not_hear("a leased password", user["password"].as_str().expect("a password"));
        let tokens = tokens(&stage.space);
        assert!(!tokens.is_empty(), "the handoff holds a token");
        tokens.into_iter().for_each(|token| ear.must_not_hear("a token", token));
        ear.question(&stage.space, &leasehold(&stage), &sidecar);

        let shown = fs::read(stage.space.join("hook.told")).expect("the hook was there");
        ear.hear("arguments and environment of the hook", shown);
        let open = stage.space.read("hook.open").expect("the hook was there");
        // What any child of this test has, and 255, where a shell keeps its script.
        let ls = Command::new("/bin/bash").args(["-c", "ls /proc/$$/fd"]).output().expect("a shell");
        let any = String::from_utf8(ls.stdout).expect("numbers");
        let given = |fd| fd == "255" || any.split_whitespace().any(|known| known == fd);
        assert!(open.split_whitespace().all(given), "{open}");
        ear.finished("sidecar", sidecar.stop());
        ear.assert_heard_nothing();
        ear.assert_heard("hook", "/bin/bash");
        ear.assert_heard("standard error of sidecar", "no-such-key");
        ear.assert_heard("/metrics", "leasehold_");
        for name in ["hook.told", "secrets/user", "secrets/all"] {
            let _gone = fs::remove_file(stage.space.join(name));
        }
    }
}

#[test]
fn an_init_that_succeeds_and_one_that_fails_show_no_secret_at_any_level() {
    let stage = Stage::new();
    write_hook(&stage);
    stage.put(json!({ "password": format!("{CANARY}-one") }));
    let good =
        "files: [{path: password, secret: 'secret/web#password'}, {path: user, secret: rabbitmq/creds/app}]";
    let mut ear = Ear::default();
    ear.must_not_hear("a value", CANARY);
    ear.must_not_hear("the JWT", stage.space.read("serviceaccount/token").expect("a pod has one"));
    for level in LEVELS {
        let good = stage.config(&format!("{good}\nlog: {{level: {level}}}"));
        let arguments =
            |timeout: &str, config: &str| arguments(&stage, &["init", "--timeout", timeout], config);
        let code = ear.finished("init", leasehold(&stage).run(&arguments("20s", &good)));
        assert_eq!(code, Some(0));
        tokens(&stage.space).into_iter().for_each(|token| ear.must_not_hear("a token", token));
        // A failing one takes all its time: at the level of most, and the one that says everything.
        if ["info", "trace"].contains(&level) {
            let code = ear.finished("init", leasehold(&stage).run(&arguments("4s", &config(&stage, level))));
            assert_ne!(code, Some(0));
            tokens(&stage.space).into_iter().for_each(|token| ear.must_not_hear("a token", token));
        }
    }
    // What listens hears: the secrets are where they belong, and found there.
    let published = stage.read("password").expect("init published it");
    assert_eq!(ear.found_in(published.as_bytes()).collect::<Vec<_>>(), ["a value"]);
    assert!(ear.secrets.iter().any(|(what, _)| *what == "a token"), "the handoff holds a token");
    ear.assert_heard_nothing();
}

#[test]
fn a_sidecar_that_crashes_leaves_no_core() {
    let (_, most) = getrlimit(Resource::RLIMIT_CORE).expect("there is a limit");
    if !need("core dumps", "ulimit -Hc unlimited", most > 0) {
        return;
    }
    // For what this test starts; up to the hard limit is always allowed.
    setrlimit(Resource::RLIMIT_CORE, most, most).expect("allowed");
    let stage = Stage::new();
    stage.put(json!({ "password": CANARY }));
    let config = stage.config("files: [{path: password, secret: 'secret/web#password'}]");
    let sidecar = leasehold(&stage).spawn(&arguments(&stage, &["sidecar"], &config));
    wait_until("the file", SOON, || stage.read("password").is_some());
    sidecar.signal(Signal::SIGQUIT);
    assert_eq!(sidecar.wait(SOON).code, None, "the signal ended it");
    let left = fs::read_dir(stage.space.path()).expect("it is there");
    let mut names = left.map(|entry| entry.expect("listed").file_name());
    assert!(names.all(|name| !name.to_string_lossy().starts_with("core")), "a core dump");
}

#[test]
fn refused_logins_show_nothing_of_what_was_refused() {
    let stage = Stage::new();
    stage.server.approle("web", &["web"], "1h");
    stage.server.ask("POST", "sys/auth/userpass", Some(json!({ "type": "userpass" }))).ok();
    let space = stage.space.path().display();
    stage.space.file("credential", format!("{CANARY}-credential"));
    let forged = "eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJjYW5hcnkifQ.c2lnbmF0dXJl";
    stage.space.file("jwt", forged);
    let mut ear = Ear::default();
    ear.must_not_hear("a credential", CANARY);
    ear.must_not_hear("a JWT", forged);
    let auths = [
        format!("{{method: approle, role_id: '{CANARY}-role', secret_id_file: '{space}/credential'}}"),
        format!("{{method: kubernetes, role: web, jwt_file: '{space}/jwt'}}"),
        format!(
            "{{method: approle, role_id: web, secret_id_file: '{space}/credential', secret_id_wrapped: auth/approle/role/web/secret-id}}"
        ),
        format!("{{method: userpass, username: web, password_file: '{space}/credential'}}"),
        format!(
            "{{method: path, path: auth/userpass/login/web, fields: {{password: {{file: '{space}/credential'}}, otp: {CANARY}-otp}}}}"
        ),
        format!("{{method: token_file, token_file: '{space}/credential'}}"),
        "{method: token, token_env: MY_OWN_TOKEN}".to_owned(),
    ];
    for auth in auths {
        let config = stage.config("files: [{path: password, secret: 'secret/web#password'}]");
        let own = config.lines().find(|line| line.starts_with("auth:")).expect("a login").to_owned();
        let config = config.replace(&own, &format!("auth: {auth}")) + "\nlog: {level: trace}";
        let arguments = arguments(&stage, &["init", "--timeout", "3s"], &config);
        let finished = leasehold(&stage).run(&arguments).expect_code(77);
        ear.finished(&auth, finished);
    }
    ear.assert_heard_nothing();
}

#[test]
fn an_application_is_given_its_variable_and_nothing_else_is_shown() {
    let stage = Stage::new();
    stage.put(json!({ "password": format!("{CANARY}-one") }));
    let space = stage.space.path().display();
    stage.space.file(
        "application",
        format!("cat /proc/$$/cmdline /proc/$$/environ > {space}/application.told\nexit 7\n"),
    );
    let mut ear = Ear::default();
    ear.must_not_hear("a value", CANARY);
    ear.must_not_hear("the JWT", stage.space.read("serviceaccount/token").expect("a pod has one"));
    let exec = |level: &str, key: &str| {
        let text = format!(
            "files: [{{path: user, secret: rabbitmq/creds/app}}]\nexec: {{command: [/bin/bash, '{space}/application'], env: {{GIVEN: {{secret: 'secret/web#{key}'}}}}}}\nlog: {{level: {level}}}"
        );
        arguments(&stage, &["exec"], &stage.config(&text))
    };
    for level in LEVELS {
        let code = ear.finished("exec", leasehold(&stage).run(&exec(level, "password")));
        assert_eq!(code, Some(7), "the application's own");
        tokens(&stage.space).into_iter().for_each(|token| ear.must_not_hear("a token", token));
        let shown = fs::read(stage.space.join("application.told")).expect("it ran");
        // What is meant for it, and what it inherits and no login of ours uses; of everything else it
        // must see nothing.
        let given = [format!("GIVEN={CANARY}-one"), format!("MY_OWN_TOKEN={CANARY}-MY_OWN_TOKEN")];
        let (meant, rest): (Vec<_>, Vec<_>) = shown
            .split(|byte| *byte == 0)
            .partition(|part| given.iter().any(|given| *part == given.as_bytes()));
        assert_eq!(meant.len(), 2, "it was given its variable");
        ear.hear("arguments and environment of the application", rest.concat());
    }
    for level in ["info", "trace"] {
        let code = ear.finished("exec that fails", leasehold(&stage).run(&exec(level, "nothing")));
        assert_eq!(code, Some(66));
    }
    ear.assert_heard_nothing();
    ear.assert_heard("application", "/bin/bash");
    ear.assert_heard("standard error of exec that fails", "nothing");
}

/// OpenBao's agent wrote what it had rendered to standard output when it gave up retrying (GHSA-444v-8vxr-p36h).
#[test]
fn an_exec_that_gives_up_writes_nothing_of_what_it_has_rendered() {
    let stage = Stage::new();
    stage.put(json!({ "password": format!("{CANARY}-one") }));
    let mut ear = Ear::default();
    ear.must_not_hear("a value", CANARY);
    let rest = "{GIVEN: {secret: 'secret/web#password'}, DENIED: {secret: 'secret/denied#password'}, MADE: {template: '{{ with secret \"secret/web\" }}{{ .Data.data.password }}{{ index .Data.data.password 99 }}{{ end }}'}}";
    for level in LEVELS {
        let exec = format!(
            "init: {{timeout: 2s}}\nexec: {{command: [/bin/true], env: {rest}}}\nlog: {{level: {level}}}"
        );
        let arguments = arguments(&stage, &["exec"], &stage.config(&exec));
        let finished = leasehold(&stage).run(&arguments);
        assert_ne!(finished.code, Some(0), "{}", finished.stderr);
        assert_eq!(finished.stdout, "", "standard output is the application's alone");
        ear.finished("exec that gives up", finished);
    }
    ear.assert_heard_nothing();
    ear.assert_heard("standard error of exec that gives up", "secret/denied");
    ear.assert_heard("standard error of exec that gives up", "MADE");
}

#[test]
fn names_that_a_template_makes_of_a_secret_are_not_in_its_error() {
    let stage = Stage::new();
    stage.put(json!({ "password": CANARY }));
    let mut ear = Ear::default();
    ear.must_not_hear("a value", CANARY);
    for call in [
        "file (printf \"/nowhere/%s\" .)",
        "mustEnv .",
        "executeTemplate .",
        "writeToFile (printf \"/nowhere/%s\" .) \"\" \"\" \"0400\" \"x\"",
        "scratch.Set . 1 }}{{ scratch.MapSet . \"a\" 2",
        "secret (printf \"../%s\" .)",
        "parseInt .",
        "index (parseJSON .) 1",
        "timestamp . . .",
        "regexMatch (printf \"(%s\" .) \"\"",
    ] {
        let template = format!(
            "{{{{ with secret \"secret/web\" }}}}{{{{ with .Data.data.password }}}}{{{{ {call} }}}}{{{{ end }}}}{{{{ end }}}}"
        );
        let config =
            stage.config(&format!("files: [{{path: a, template: '{template}'}}]\nlog: {{level: trace}}\n"));
        let finished = leasehold(&stage).run(&arguments(&stage, &["init"], &config));
        let code = ear.finished(call, finished);
        assert!(matches!(code, Some(65 | 66)), "{call}: {code:?}");
    }
    ear.assert_heard("standard error of mustEnv .", "environment variable is empty");
    ear.assert_heard_nothing();
}

#[test]
fn mistakes_beside_secrets_in_a_configuration_do_not_show_them() {
    let stage = Stage::new();
    let mut ear = Ear::default();
    ear.must_not_hear("a value", CANARY);
    for mistake in [
        format!("{{address: 'https://v:8200', proxy: 'http://user:{CANARY}@proxy:3128', timeuot: 5s}}"),
        format!("{{address: 'https://user:{CANARY}@v:8200'}}"),
        format!("{{address: 'https://v:8200', proxy: {{password: {CANARY}}}}}"),
    ] {
        let config = format!(
            "vault: {mistake}\nauth: {{method: approle, role_id: {CANARY}, secret_id_file: 5}}\nsecrets_dir: /s\n"
        );
        for command in [&["check"][..], &["check", "--format", "json"], &["init"], &["sidecar"], &["status"]]
        {
            let code =
                ear.finished(&command.join(" "), leasehold(&stage).run(&arguments(&stage, command, &config)));
            assert_eq!(code, Some(78));
        }
    }
    ear.assert_heard("standard output of check", "error");
    ear.assert_heard_nothing();
}
