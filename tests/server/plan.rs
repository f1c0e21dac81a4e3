//! `leasehold plan` and `leasehold policy` on a real server: what works, what is denied or missing, the lines
//! that would grant it; and that a role with exactly these lines can do all that it has to.

use std::time::{Duration, Instant};

use crate::support::{Leasehold, Rabbit, SOON, Stage, repository, wait_until};
use serde_json::{Value, json};

const FILES: &str = "\
files:
  - {path: password, secret: 'secret/web#password'}
  - {path: old, secret: old/web}
  - {path: user, secret: 'rabbitmq/creds/app#username'}
  - {path: cert, template: '{{ with secret \"pki/issue/web\" \"common_name=web.test\" }}{{ .Data.certificate }}{{ end }}'}
";

fn stage() -> Stage {
    let stage = Stage::new();
    stage.put_password("one");
    stage.server.write("old/web", json!({ "key": "value" }));
    stage
}

#[test]
fn what_works_is_told_and_nothing_is_minted_or_left() {
    let stage = stage();
    let finished = stage.run(&["plan"], &stage.config(FILES)).expect_code(0);
    let expected = [
        "PATH                    NEEDS          HAS            STATE        FOR",
        "old/web                 read           read           ok           old",
        "pki/issue/web           create,update  create,update  ok           cert",
        "rabbitmq/creds/app      read           read           ok           user",
        "secret/data/web         read           read           ok           password",
        "auth/token/lookup-self  read           read           ok           to tell a dead token from a policy",
        "auth/token/renew-self   update         update         ok           to renew the token",
        "auth/token/revoke-self  update         update         ok           to revoke the token",
        "sys/leases/renew        update         update         ok           to renew leases",
        "sys/leases/revoke       update         update         ok           to revoke leases that were replaced",
    ];
    let columns = |line: &str| line.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
    let lines: Vec<Vec<String>> = finished.stdout.lines().map(columns).collect();
    assert_eq!(lines, expected.map(columns), "{}", finished.stdout);
    assert_eq!(
        (stage.logins(), stage.server.requests("rabbitmq/creds"), stage.server.requests("pki/issue")),
        (1, 0, 0)
    );
    assert_eq!(stage.published(), [""; 0]);
    assert!(std::fs::read_dir(stage.space.join("handoff")).expect("a folder").next().is_none());
    stage.assert_nothing_left();
    finished.assert_silent_about(crate::support::CANARY);
}

#[test]
fn a_server_is_asked_at_the_rate_that_it_is_limited_to() {
    let stage = stage();
    let files: String = (0..4).map(|n| format!("  - {{path: f{n}, secret: secret/s{n}}}\n")).collect();
    for n in 0..4 {
        stage.server.put("secret", &format!("s{n}"), json!({ "key": n }));
    }
    let limited = "timeout: 5s, rate_limit: {per_second: 5, burst: 1}";
    let config = stage.config(&format!("files:\n{files}")).replace("timeout: 5s", limited);
    let began = Instant::now();
    stage.run(&["plan"], &config).expect_code(0);
    // The login, two questions about capabilities and four reads. The first goes at once.
    assert!(began.elapsed() >= Duration::from_millis(6 * 200), "{:?}", began.elapsed());
}

#[test]
fn what_is_denied_is_named_with_the_lines_that_grant_it() {
    let stage = stage();
    stage.server.kv2("other");
    stage.server.put("other", "web", json!({ "key": 1 }));
    let files =
        format!("{FILES}  - {{path: a, secret: secret/denied}}\n  - {{path: b, secret: other/web}}\n");
    let config = stage.config(&format!(
        "{files}  - {{path: c, template: '{{{{ with secret (env \"WHICH\") }}}}{{{{ . }}}}{{{{ end }}}}'}}\n"
    ));
    let finished = stage.run(&["plan"], &config).expect_code(77);
    assert_eq!(
        finished.last_line(),
        "leasehold: other/web is denied, and 1 more; grant the lines above to the role, or correct the path"
    );
    let known = "files[6].template:1:9 (secret): known only when it is rendered\n";
    assert!(finished.stdout.contains(known), "{}", finished.stdout);
    let (_, lines) = finished.stdout.split_once("would grant it:\n").expect("lines");
    // Of a mount where nothing is granted the server tells nothing: both forms.
    for path in ["other/data/web", "other/web", "secret/data/denied"] {
        assert!(lines.contains(&format!("path \"{path}\" {{\n  capabilities = [\"read\"]\n}}\n")), "{lines}");
    }
    assert_eq!(lines.matches("path ").count(), 3, "{lines}");
    stage.assert_nothing_left();

    // Granted, they are enough, but for a rule that denies.
    stage.server.policy("more", lines);
    stage.role(json!({ "token_policies": ["web", "more"] }));
    let finished = stage.run(&["plan", "--format", "json"], &config).expect_code(77);
    let report: Value = serde_json::from_str(&finished.stdout).expect("JSON");
    let state = |path: &str| {
        let paths = report["paths"].as_array().expect("paths");
        paths.iter().find(|one| one["path"] == path).map(|one| one["state"].clone())
    };
    assert_eq!(
        (state("other/data/web"), state("secret/data/denied")),
        (Some(json!("ok")), Some(json!("denied")))
    );
    assert_eq!((&report["ok"], &report["unknown"][0]["function"]), (&json!(false), &json!("secret")));
}

#[test]
fn what_is_not_there_is_66() {
    let stage = stage();
    for (secret, path, says) in [
        ("secret/nobody", "secret/data/nobody", "nothing there (404)"),
        ("secret/web#pasword", "secret/data/web", "the secret has no key `pasword`"),
        ("old/nobody", "old/nobody", "nothing there (404)"),
    ] {
        let config = stage.config(&format!("files: [{{path: a, secret: '{secret}'}}]\n"));
        let finished = stage.run(&["plan"], &config).expect_code(66);
        assert_eq!(
            finished.last_line(),
            format!("leasehold: {path}: {says}; create it, or correct the path")
        );
        assert!(finished.stdout.contains(&format!("MISSING: {says}")), "{}", finished.stdout);
    }
    stage.assert_nothing_left();
}

#[test]
fn what_only_ends_late_without_it_is_told_and_is_no_failure() {
    let stage = stage();
    stage.server.policy("web", "path \"rabbitmq/creds/app\" { capabilities = [\"read\"] }\n");
    let config = stage.config("files: [{path: user, secret: 'rabbitmq/creds/app#username'}]\n");
    let finished = stage.run(&["plan"], &config).expect_code(0);
    let line = finished.stdout.lines().find(|line| line.starts_with("sys/leases/revoke")).expect("a line");
    assert!(line.contains("deny") && line.contains("not granted"), "{line}");
    assert!(finished.stdout.contains("path \"sys/leases/revoke\" {"), "{}", finished.stdout);
}

#[test]
fn a_login_that_fails_or_may_not_ask_is_told_as_init_tells_it() {
    let stage = stage();
    let config = stage.config(FILES);
    stage.role(json!({ "token_no_default_policy": true }));
    let finished = stage.run(&["plan"], &config).expect_code(77);
    assert!(
        finished.last_line().contains("may not ask what it may do; grant update on sys/capabilities-self")
    );
    let finished = stage.run(&["plan"], &config.replace("role: web", "role: other")).expect_code(77);
    assert!(finished.last_line().contains("login refused"), "{}", finished.last_line());
    assert_eq!(stage.logins(), 2, "each asked once");
    let address = stage.server.address();
    let finished = stage.run(&["plan"], &config.replace(&address, "https://127.0.0.1:1")).expect_code(69);
    assert!(finished.last_line().contains("refuses the connection"), "{}", finished.last_line());
}

#[test]
fn a_one_time_credential_is_not_used_up_for_looking() {
    let stage = stage();
    let config = stage.config(FILES);
    let own = config.lines().find(|line| line.starts_with("auth:")).expect("a login").to_owned();
    let wrapped = "auth: {method: approle, role_id: x, secret_id_file: /w, secret_id_wrapped: auth/approle/role/web/secret-id}";
    let finished = stage.run(&["plan"], &config.replace(&own, wrapped)).expect_code(78);
    assert!(finished.last_line().contains("would use up the wrapping token"), "{}", finished.last_line());
    assert_eq!(stage.server.requests("auth/approle") + stage.server.requests("sys/wrapping"), 0);
}

/// What the server refused to anybody.
fn refusals(stage: &Stage) -> Vec<String> {
    let denied = |entry: &&Value| entry["error"].as_str().is_some_and(|error| error.contains("denied"));
    let path = |entry: &Value| entry["request"]["path"].to_string();
    stage.server.audit().iter().filter(denied).map(path).collect()
}

/// The examples that log in as a pod does, with what the test's server has in their places.
#[test]
fn a_role_with_exactly_the_printed_policy_runs_renews_and_revokes() {
    for example in ["kv.yaml", "database.yaml", "pki.yaml"] {
        let stage =
            Stage::with(crate::support::Lives { token: (6, 3600), ..crate::support::Lives::default() });
        stage.put(json!({ "api_key": "a", "keystore": "MIIKAAH/AP4K" }));
        stage.server.write("pki/roles/web", json!({ "allowed_domains": "web.example.com", "allow_bare_domains": true, "ttl": "1h", "max_ttl": "48h", "generate_lease": false }));
        let users = Rabbit::start();
        stage.server.rabbit("database", &users, "web", Duration::from_secs(4), Duration::from_secs(9));
        let example = repository().join("examples").join(example);
        let own = stage.space.file("own.yaml", stage.config("notify:\nshutdown: {delay: 0s}\n"));
        let configs = [example.to_string_lossy(), own.to_string_lossy()]
            .map(|path| ["--config".to_owned(), path.into_owned()]);
        let configs = configs.concat();
        let run = |command: &[&str]| {
            command.iter().map(|word| (*word).to_owned()).chain(configs.clone()).collect::<Vec<_>>()
        };
        let leasehold = Leasehold::new(&stage.space);

        let policy = leasehold.run(&run(&["policy"])).expect_code(0).stdout;
        stage.server.policy("least", &policy);
        stage.role(json!({ "token_policies": ["least"], "token_no_default_policy": true }));
        leasehold.run(&run(&["init", "--timeout", "20s"])).expect_code(0);
        let mut sidecar = leasehold.spawn(&run(&["sidecar"]));
        wait_until("it to be ready", SOON, || stage.ready());
        wait_until("the token to be renewed", SOON, || stage.server.requests("auth/token/renew-self") > 0);
        if example.ends_with("database.yaml") {
            wait_until("a lease to be renewed", SOON, || stage.server.requests("sys/leases/renew") > 0);
            wait_until("a lease to be revoked", Duration::from_secs(30), || {
                stage.server.requests("sys/leases/revoke") > 0
            });
        }
        assert!(sidecar.runs());
        sidecar.stop().expect_code(0);
        assert_eq!(refusals(&stage), [""; 0], "{}: {policy}", example.display());
        wait_until("all tokens to go", SOON, || stage.server.accessors().is_empty());
        stage.server.ask_as("nobody", "GET", "secret/data/web", None);
        assert_ne!(refusals(&stage), [""; 0], "a refusal is seen");
    }
}

#[test]
fn a_policy_is_printed_without_a_server() {
    let stage = crate::support::Workspace::new();
    let leasehold = Leasehold::new(&stage);
    let example = repository().join("examples/several-files.yaml");
    let printed = leasehold.run(&["policy", "--config", &example.to_string_lossy()]).expect_code(0).stdout;
    assert!(printed.contains("# It belongs in the namespace team-a.\n"), "{printed}");
    let line = "# shop.yaml, signing/key.pem\npath \"secret/data/shop\" {\n  capabilities = [\"read\"]\n}\n";
    assert!(printed.contains(line), "{printed}");
    assert!(!printed.contains("database/data"), "{printed}");
}
