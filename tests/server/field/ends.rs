//! Secrets without a lease that end all the same: every look finds one that is alive, and few are made.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::{Value, json};

use crate::support::{SOON, Stage, wait_until};

const KEY: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGk2nC3pTfGvYcY0b0rBaZr3Lr6k0nHcQ0cSxXbJq1lE web";

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs()
}

/// Looks at `file` for so long; returns how many different ones there were. `end` tells when each is over.
fn looks(stage: &Stage, file: &str, lasts: Duration, end: impl Fn(&str) -> u64) -> usize {
    let begin = Instant::now();
    let mut seen: Vec<String> = Vec::new();
    while begin.elapsed() < lasts {
        let token = stage.read(file).expect("a published file stays");
        assert!(end(&token) > now(), "one that is over is on the disk after {:?}", begin.elapsed());
        if seen.last() != Some(&token) {
            seen.push(token);
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    seen.len()
}

/// `exp` of a JWT.
fn end_of_token(token: &str) -> u64 {
    let claims = URL_SAFE_NO_PAD.decode(token.split('.').nth(1).expect("a JWT")).expect("base64");
    let claims: Value = serde_json::from_slice(&claims).expect("JSON");
    claims["exp"].as_u64().expect("it ends")
}

/// `valid before` of an SSH certificate of an ed25519 key.
fn end_of_certificate(line: &str) -> u64 {
    let bytes = STANDARD.decode(line.split_whitespace().nth(1).expect("two words")).expect("base64");
    let mut at = 0;
    let number = |at: usize| u32::from_be_bytes(bytes[at..at + 4].try_into().expect("four")) as usize;
    // Type, nonce, key; serial and kind; id, principals; valid after.
    for skipped in [0, 0, 0, 12, 0, 8] {
        at += if skipped > 0 { skipped } else { 4 + number(at) };
        if skipped == 12 {
            at += 4 + number(at);
        }
    }
    u64::from_be_bytes(bytes[at..at + 8].try_into().expect("eight"))
}

#[test]
fn an_identity_token_is_alive_at_every_look_and_is_not_made_at_every_refresh() {
    let stage = Stage::new();
    let server = &stage.server;
    server.policy("web", "path \"identity/oidc/token/web\" { capabilities = [\"read\"] }");
    server.write("identity/oidc/key/web", json!({ "allowed_client_ids": "*", "verification_ttl": "1h" }));
    server.write("identity/oidc/role/web", json!({ "key": "web", "ttl": "9s" }));
    let config = stage.config(
        "files:\n  - {path: token, refresh: 1s, template: '{{ with secret \"identity/oidc/token/web\" }}{{ .Data.token }}{{ end }}'}\n",
    );
    let sidecar = stage.sidecar(&config);
    let made = looks(&stage, "token", Duration::from_secs(20), end_of_token);
    assert!((3..=5).contains(&made), "{made} tokens of 9 s in 20 s");
    assert_eq!(stage.post("/refresh").status, 202);
    sidecar.stop();
    let asked = stage.server.requests("identity/oidc/token/web");
    assert!(asked <= 5, "{asked} reads of {made} tokens");
}

#[test]
fn an_ssh_certificate_is_alive_at_every_look_and_is_not_signed_at_every_refresh() {
    let stage = Stage::new();
    let server = &stage.server;
    server.mount("ssh", json!({ "type": "ssh" }));
    server.write("ssh/config/ca", json!({ "generate_signing_key": true, "key_type": "ed25519" }));
    server.write(
        "ssh/roles/web",
        json!({
            "key_type": "ca", "allow_user_certificates": true, "allowed_users": "*", "default_user": "web",
            "ttl": "9s",
        }),
    );
    let config = stage.config(&format!(
        "files:\n  - {{path: cert, refresh: 1s, template: '{{{{ with secret \"ssh/sign/web\" \"public_key={KEY}\" }}}}{{{{ .Data.signed_key }}}}{{{{ end }}}}'}}\n"
    ));
    let sidecar = stage.sidecar(&config);
    let made = looks(&stage, "cert", Duration::from_secs(20), end_of_certificate);
    assert!((3..=5).contains(&made), "{made} certificates of 9 s in 20 s");
    sidecar.stop();
}

#[test]
fn a_secret_id_that_does_not_end_is_made_once_and_one_that_ends_before_that() {
    let stage = Stage::new();
    let server = &stage.server;
    server.ask("POST", "sys/auth/approle", Some(json!({ "type": "approle" }))).ok();
    server.write("auth/approle/role/endless", json!({ "secret_id_ttl": 0 }));
    server.write("auth/approle/role/short", json!({ "secret_id_ttl": "6s" }));
    server.policy("web", "path \"auth/approle/role/+/secret-id\" { capabilities = [\"update\"] }");
    let file = |name: &str| {
        format!(
            "  - {{path: {name}, refresh: 1s, template: '{{{{ with secret \"auth/approle/role/{name}/secret-id\" \"metadata={{}}\" }}}}{{{{ .Data.secret_id }}}}{{{{ end }}}}'}}\n"
        )
    };
    let config = stage.config(&format!("files:\n{}{}", file("endless"), file("short")));
    let sidecar = stage.sidecar(&config);
    let first = stage.read("short");
    wait_until("a third secret id", SOON * 2, || {
        stage.server.requests("auth/approle/role/short/secret-id") >= 3
    });
    assert_ne!(stage.read("short"), first);
    sidecar.stop();
    assert_eq!(stage.server.requests("auth/approle/role/endless/secret-id"), 1);
}
