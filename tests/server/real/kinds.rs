//! Every kind of path, once, from the engine that really serves it.

use serde_json::json;

use crate::support::{CANARY, Stage};

/// A stage whose pod logs in with a token from a file, which has a cubbyhole; answers the token too.
fn with_a_token(stage: &Stage, rest: &str) -> (String, String) {
    let token = stage.server.token(&["default", "web"], "1h").token;
    let file = stage.space.file("given-token", &token);
    let config = stage.config(rest);
    let own = config.lines().find(|line| line.starts_with("auth:")).expect("a login").to_owned();
    let method = format!("auth: {{method: token_file, token_file: '{}'}}", file.display());
    (config.replace(&own, &method), token)
}

#[test]
fn cubbyhole_transit_ssh_totp_and_a_path_of_any_other_engine_are_rendered() {
    let stage = Stage::new();
    let server = &stage.server;
    server.mount("transit", json!({ "type": "transit" }));
    server.write("transit/keys/web", json!({}));
    // "canary-4f1d" in base64, as transit wants it.
    let sealed = server.write("transit/encrypt/web", json!({ "plaintext": "Y2FuYXJ5LTRmMWQ=" }));
    let sealed = sealed["data"]["ciphertext"].as_str().expect("a ciphertext").to_owned();
    server.mount("ssh", json!({ "type": "ssh" }));
    server.write("ssh/config/ca", json!({ "generate_signing_key": true, "key_type": "ed25519" }));
    server.write(
        "ssh/roles/web",
        json!({ "key_type": "ca", "allow_user_certificates": true, "allowed_users": "*", "default_user": "web" }),
    );
    server.mount("totp", json!({ "type": "totp" }));
    server.write(
        "totp/keys/web",
        json!({ "generate": false, "key": "JBSWY3DPEHPK3PXP", "issuer": "t", "account_name": "web" }),
    );
    let key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGk2nC3pTfGvYcY0b0rBaZr3Lr6k0nHcQ0cSxXbJq1lE web";
    let files = format!(
        r#"
files:
  - {{path: cubby, secret: "cubbyhole/web#k"}}
  - path: open
    template: '{{{{ with secret "transit/decrypt/web" "ciphertext={sealed}" }}}}{{{{ .Data.plaintext | base64Decode }}}}{{{{ end }}}}'
  - path: cert
    template: '{{{{ with secret "ssh/sign/web" "public_key={key}" }}}}{{{{ .Data.signed_key }}}}{{{{ end }}}}'
  - {{path: code, secret: "totp/code/web#code"}}
  - {{path: policies, secret: "auth/token/lookup-self#policies"}}
"#
    );
    let (config, token) = with_a_token(&stage, &files);
    server.ask_as(&token, "POST", "cubbyhole/web", Some(json!({ "k": CANARY }))).ok();
    stage.init(&config).expect_code(0).assert_silent_about(CANARY);
    assert_eq!(stage.read("cubby").as_deref(), Some(CANARY));
    assert_eq!(stage.read("open").as_deref(), Some(CANARY));
    let cert = stage.read("cert").expect("signed");
    assert!(cert.starts_with("ssh-ed25519-cert-v01@openssh.com "), "{cert}");
    let code = stage.read("code").expect("a code");
    assert!(code.len() == 6 && code.bytes().all(|digit| digit.is_ascii_digit()), "{code}");
    assert!(stage.read("policies").expect("its own").contains("web"));
}

#[test]
fn a_wrapped_answer_is_unwrapped_once_for_all_files_that_use_it() {
    let stage = Stage::new();
    stage.put_password("wrapped");
    let answer = stage.server.ask_wrapped("GET", "secret/data/web", None, "60s").json();
    let wrapping = answer["wrap_info"]["token"].as_str().expect("it was asked to be wrapped").to_owned();
    let file = |name: &str, field: &str| {
        format!(
            "- {{path: {name}, template: '{{{{ with secret \"sys/wrapping/unwrap\" \"token={wrapping}\" }}}}{{{{ .Data.data.{field} }}}}{{{{ end }}}}'}}\n"
        )
    };
    let files = format!("files:\n{}{}", file("one", "password"), file("two", "password"));
    stage.init(&stage.config(&files)).expect_code(0).assert_silent_about(&wrapping);
    let expected = Some(format!("{CANARY}-wrapped"));
    assert_eq!((stage.read("one"), stage.read("two")), (expected.clone(), expected));
    assert_eq!(stage.server.requests("sys/wrapping/unwrap"), 1, "a second one would have been refused");
}

#[test]
fn a_deleted_secret_keeps_its_file_and_a_destroyed_one_too() {
    let stage = Stage::new();
    for name in ["deleted", "destroyed"] {
        stage.server.put("secret", name, json!({ "k": "good" }));
    }
    let files = "files:\n- {path: deleted, secret: 'secret/deleted#k', refresh: 1s}\n\
                 - {path: destroyed, secret: 'secret/destroyed#k', refresh: 1s}\n";
    let _sidecar = stage.sidecar(&stage.config(files));
    stage.server.ask("DELETE", "secret/data/deleted", None).ok();
    stage.server.write("secret/destroy/destroyed", json!({ "versions": [1] }));
    for name in ["deleted", "destroyed"] {
        let line = format!("leasehold_file_error{{file=\"{name}\"}} 1");
        crate::support::wait_until("the error to be told", crate::support::SOON, || {
            stage.metrics().lines().any(|one| one == line)
        });
        assert_eq!(stage.read(name).as_deref(), Some("good"), "never emptied");
    }
}
