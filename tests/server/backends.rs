//! Stores that are no Vault: beside a Vault in one set, and alone.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::time::{Duration, Instant};

use crate::support::{CANARY, Leasehold, SOON, Stage, Workspace, request_unix, wait_until};

/// A pod's folder without a server anywhere.
struct Alone {
    space: Workspace,
}

impl Alone {
    fn new() -> Self {
        let space = Workspace::new();
        for dir in ["secrets", "credentials", "handoff"] {
            space.dir(dir);
        }
        Self { space }
    }

    fn config(&self, files: &str) -> String {
        let at = self.space.path().display();
        let text = format!(
            "backends:\n  app-env: {{environment: {{prefix: APP_}}}}\n  disk: {{files: {{dir: '{at}/credentials'}}}}\n\
             secrets_dir: '{at}/secrets'\nhandoff: {{file: '{at}/handoff/state'}}\nlisten: 'unix:{at}/status.sock'\n{files}"
        );
        self.space.file("leasehold.yaml", text).display().to_string()
    }

    fn leasehold(&self) -> Leasehold {
        Leasehold::new(&self.space)
            .env("APP_DB", &format!("{CANARY}-env"))
            .env("APP_API", r#"{"key": "k", "id": 7}"#)
    }

    fn read(&self, file: &str) -> Option<String> {
        self.space.read(&format!("secrets/{file}"))
    }
}

const FILES: &str = r#"
files:
  - {path: db, secret: app-env/DB, refresh: 1s}
  - {path: api-key, secret: "app-env/API#key"}
  - {path: api.json, secret: app-env/API}
  - {path: token, secret: disk/token, refresh: 1s}
  - {path: all, refresh: 1s, template: '{{ with secret "app-env/DB" }}{{ .Data.value }}{{ end }} {{ with secret "disk/web/login" }}{{ .Data.user }}{{ end }} {{ range secrets "disk" }}{{ . }} {{ end }}'}
"#;

fn fill(alone: &Alone) {
    alone.space.dir("credentials/web");
    alone.space.file("credentials/token", [0xff, 0x00, b'\n']);
    alone.space.file("credentials/web/login", format!("{{\"user\": \"{CANARY}-web\"}}"));
}

#[test]
fn init_serves_environment_and_files_without_a_vault() {
    let alone = Alone::new();
    fill(&alone);
    let config = alone.config(FILES);
    let leasehold = alone.leasehold();
    leasehold.run(&["check", "--config", &config]).expect_code(0);
    let planned = leasehold.run(&["plan", "--config", &config]).expect_code(0);
    assert!(planned.stdout.contains("disk/token") && planned.stdout.contains("files"), "{}", planned.stdout);
    let policy = leasehold.run(&["policy", "--config", &config]).expect_code(0);
    assert_eq!(policy.stdout, "# No Vault is configured, so there is nothing to grant.\n");
    let finished = leasehold.run(&["init", "--config", &config]).expect_code(0);
    for shown in [&planned, &policy, &finished] {
        shown.assert_silent_about(CANARY);
    }
    assert_eq!(alone.read("db"), Some(format!("{CANARY}-env")));
    assert_eq!(alone.read("api-key").as_deref(), Some("k"));
    assert_eq!(alone.read("api.json").as_deref(), Some(r#"{"key": "k", "id": 7}"#), "as it is");
    let token = fs::read(alone.space.join("secrets/token")).expect("it is there");
    assert_eq!(token, [0xff, 0x00, b'\n'], "a value need not be text");
    assert_eq!(alone.read("all"), Some(format!("{CANARY}-env {CANARY}-web token web/ ")));
}

#[test]
fn a_backend_is_asked_no_more_often_than_its_rate_limit_allows() {
    let alone = Alone::new();
    let secret = |n| alone.space.file(&format!("credentials/{n}"), "x");
    (0..6).for_each(|n| drop(secret(n)));
    let files: String = (0..6).map(|n| format!("  - {{path: f{n}, secret: disk/{n}}}\n")).collect();
    let limited = "credentials'}, rate_limit: {per_second: 4, burst: 2}}";
    alone.config(&format!("files:\n{files}"));
    let text = alone.space.read("leasehold.yaml").expect("just written").replace("credentials'}}", limited);
    let config = alone.space.file("leasehold.yaml", text).display().to_string();
    let begin = Instant::now();
    alone.leasehold().run(&["init", "--config", &config]).expect_code(0);
    // Two go at once, and each of the four others a quarter of a second after the one before it.
    assert!(begin.elapsed() >= Duration::from_secs(1), "{:?}", begin.elapsed());
    assert_eq!(alone.read("f5").as_deref(), Some("x"));
}

#[test]
fn a_sidecar_follows_a_file_and_a_restart_changes_nothing() {
    let alone = Alone::new();
    fill(&alone);
    let config = alone.config(FILES);
    let start = || {
        let running = alone.leasehold().spawn(&["sidecar", "--config", &config]);
        wait_until("readiness", SOON, || {
            request_unix(&alone.space.join("status.sock"), "GET", "/readyz")
                .is_ok_and(|reply| reply.status == 200)
        });
        running
    };
    let sidecar = start();
    // As whoever is careful replaces it.
    alone.space.file("credentials/next", "two");
    fs::rename(alone.space.join("credentials/next"), alone.space.join("credentials/token"))
        .expect("a rename");
    wait_until("the new token", SOON, || alone.read("token").as_deref() == Some("two"));
    let log = sidecar.stop().expect_code(0);
    log.assert_silent_about(CANARY);
    let generation = || fs::read_link(alone.space.join("secrets/..data")).expect("a set");
    let before = generation();
    // The next run goes on from the handoff, and what is read anew is the same.
    let sidecar = start();
    let get =
        |path: &str| request_unix(&alone.space.join("status.sock"), "GET", path).expect("it answers").text;
    wait_until("a look at the file", SOON, || {
        get("/metrics").contains("leasehold_backend_answers_total{backend=\"disk\"}")
    });
    assert_eq!(generation(), before);
    let metrics = get("/metrics");
    assert!(metrics.contains("leasehold_backend_up{backend=\"app-env\"} 1"), "{metrics}");
    assert!(get("/status").contains("\"backends\""));
    sidecar.stop().expect_code(0);
}

#[test]
fn what_a_store_does_not_have_is_named_with_where_it_was_looked_for() {
    let alone = Alone::new();
    fill(&alone);
    fs::set_permissions(alone.space.join("credentials/token"), fs::Permissions::from_mode(0o000))
        .expect("a mode");
    for (source, code, words) in [
        ("app-env/ABSENT", 66, "the variable APP_ABSENT is not set"),
        ("disk/absent", 66, "credentials/absent is not there"),
        ("disk/web", 66, "credentials/web is a folder"),
        ("app-env/API#absent", 66, "no such key"),
        ("app-env/DB#key", 66, "the value is no JSON object, so it has no keys; write app-env/DB for"),
        ("disk/token?version=2", 66, "takes no argument"),
    ] {
        let config = alone.config(&format!("files: [{{path: a, secret: '{source}'}}]"));
        let finished =
            alone.leasehold().run(&["init", "--timeout", "20s", "--config", &config]).expect_code(code);
        let last = finished.last_line();
        assert!(last.contains(words), "{source}: {last}");
        finished.assert_silent_about(CANARY);
    }
}

#[test]
fn a_path_of_no_backend_wants_a_vault() {
    let alone = Alone::new();
    let config =
        alone.config("files: [{path: a, template: '{{ with secret \"secret/web\" }}{{ . }}{{ end }}'}]");
    let finished = alone.leasehold().run(&["check", "--config", &config]).expect_code(78);
    let said = finished.stdout + &finished.stderr;
    assert!(said.contains("secret/web begins with no backend's name"), "{said}");
    // What only a rendering knows is found by the rendering.
    let config = alone.config(
        "files: [{path: a, template: '{{ with secret (print \"secret\" \"/web\") }}{{ . }}{{ end }}'}]",
    );
    let finished = alone.leasehold().run(&["init", "--timeout", "20s", "--config", &config]).expect_code(77);
    assert!(finished.last_line().contains("no Vault is configured"), "{}", finished.last_line());
}

#[test]
fn a_file_draws_on_a_vault_and_on_other_stores_and_changes_as_one() {
    let stage = Stage::new();
    stage.put_password("one");
    stage.space.dir("credentials");
    stage.space.file("credentials/user", "web-1");
    let at = stage.space.path().display().to_string();
    let files = format!(
        "backends: {{disk: {{files: {{dir: '{at}/credentials'}}}}}}\n\
         files:\n  - {{path: dsn, refresh: 1s, template: '{{{{ with secret \"disk/user\" }}}}{{{{ .Data.value }}}}{{{{ end }}}}:{{{{ with secret \"secret/web\" }}}}{{{{ .Data.data.password }}}}{{{{ end }}}}'}}\n  - {{path: user, secret: disk/user, refresh: 1s}}\n"
    );
    let sidecar = stage.sidecar(&stage.config(&files));
    assert_eq!(stage.read("dsn"), Some(format!("web-1:{CANARY}-one")));
    stage.put_password("two");
    wait_until("the Vault's change", SOON, || stage.read("dsn") == Some(format!("web-1:{CANARY}-two")));
    // The store loses it: the file keeps its last good bytes, and follows the Vault.
    fs::remove_file(stage.space.join("credentials/user")).expect("it was there");
    wait_until("the failure", SOON, || stage.metrics().contains("leasehold_file_error{file=\"user\"} 1"));
    stage.put_password("three");
    wait_until("the Vault's next change", SOON, || {
        stage.read("dsn") == Some(format!("web-1:{CANARY}-three"))
    });
    assert_eq!(stage.read("user").as_deref(), Some("web-1"));
    stage.space.file("credentials/user", "web-2");
    wait_until("both files", SOON, || {
        stage.read("user").as_deref() == Some("web-2")
            && stage.read("dsn") == Some(format!("web-2:{CANARY}-three"))
    });
    assert_eq!(stage.logins(), 1);
    sidecar.stop().assert_silent_about(CANARY);
}
