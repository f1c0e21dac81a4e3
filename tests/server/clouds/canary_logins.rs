//! What proves to a Vault who we are: through every command, a sidecar at its work, and a server that repeats it.

use std::sync::{Arc, Mutex};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};

use super::fake::Fake;
use super::logins::{ACCOUNT, AUDIENCE, allowed, as_user};
use super::vault::{SERVER_ID, Vault};
use crate::canary::{Ear, tokens};
use crate::support::{AccessKey, CANARY, Cluster, Identity, Leasehold, Listener, Moto, SOON, wait_until};

/// Every command and a sidecar that logs in twice; then a server that repeats whatever it is sent.
fn listen(vault: &Vault, leasehold: Leasehold, auth: &str, credentials: &[(&'static str, &str)]) {
    let leasehold = leasehold.env("RUST_LOG", "trace").env("RUST_BACKTRACE", "full");
    let mut ear = Ear::default();
    ear.must_not_hear("a value", "from-the-vault");
    ear.must_not_hear("a credential", CANARY);
    credentials.iter().for_each(|(what, secret)| ear.must_not_hear(what, *secret));
    vault.forget();
    let config = vault.config(auth, "");
    for command in [&["check"][..], &["plan"], &["policy"], &["init"]] {
        let finished = leasehold.run(&[command, &["--config", &config]].concat());
        assert_eq!(ear.finished(&command.join(" "), finished), Some(0), "{auth}: {command:?}");
    }
    tokens(&vault.space).into_iter().for_each(|token| ear.must_not_hear("a token", token));
    vault.forget();
    let logins = vault.logins().len();
    let sidecar = leasehold.spawn(&["sidecar", "--config", &config]);
    wait_until("the file", SOON, || vault.password().is_some());
    vault.server.accessors().iter().for_each(|accessor| vault.server.revoke_accessor(accessor));
    wait_until("another login", SOON, || {
        !vault.server.accessors().is_empty() && !tokens(&vault.space).is_empty()
    });
    ear.question(&vault.space, &leasehold, &sidecar);
    tokens(&vault.space).into_iter().for_each(|token| ear.must_not_hear("a token", token));
    ear.finished("sidecar", sidecar.stop());
    for login in &vault.logins()[logins..] {
        must_not_hear_the_proof(&mut ear, login);
    }
    // A server that repeats it.
    let heard = Arc::<Mutex<Vec<Value>>>::default();
    let noted = Arc::clone(&heard);
    let echo = Listener::start(move |asked| {
        let body: Value = serde_json::from_slice(&asked.body).unwrap_or(Value::Null);
        noted.lock().expect("no test panics with it").push(body.clone());
        (400, json!({"errors": [format!("invalid login {body}"), "of this role"]}).to_string())
    });
    vault.forget();
    let finished =
        leasehold.run(&["init", "--timeout", "2s", "--config", &vault.config_at(echo.address(), auth)]);
    assert_eq!(ear.finished("a refused init", finished), Some(77), "{auth}");
    let heard = heard.lock().expect("no test panics with it").clone();
    assert!(!heard.is_empty(), "{auth}");
    heard.iter().for_each(|login| must_not_hear_the_proof(&mut ear, login));
    ear.assert_heard("a refused init", "its message is withheld, because it repeats what was sent");
    ear.assert_heard("standard error of sidecar", "logged in");
    ear.assert_heard("/metrics", "leasehold_");
    ear.assert_heard_nothing();
}

/// A token, or what a signed request has of it.
fn must_not_hear_the_proof(ear: &mut Ear, login: &Value) {
    if let Some(jwt) = login["jwt"].as_str() {
        ear.must_not_hear("a proof", jwt);
    }
    if let Some(headers) = login["iam_request_headers"].as_str() {
        let bytes = BASE64_STANDARD.decode(headers).expect("base64");
        let text = String::from_utf8(bytes).expect("text");
        let signature = text.split("Signature=").nth(1).and_then(|rest| rest.get(..64));
        ear.must_not_hear("a signature", signature.expect("it is signed"));
        ear.must_not_hear("a signed request", headers);
    }
}

#[test]
fn a_signed_request_of_aws_and_its_key_are_in_no_output() {
    let moto = Moto::start();
    let key = moto.user("web", &allowed());
    let vault = Vault::start(Some(&moto));
    let auth = format!("{{method: aws, role: web, region: eu-central-1, server_id: {SERVER_ID}}}");
    listen(&vault, as_user(&vault, &key), &auth, &[("the key", &key.secret)]);
}

#[test]
fn a_token_of_aws_is_in_no_output() {
    let (vault, signer) = (Vault::start(None), Cluster::start());
    vault.trusts(&signer.public_key_pem(), "vault");
    let sts = Listener::start(move |_| {
        let token = signer.token(&Identity::default());
        (200, format!("<R><WebIdentityToken>{token}</WebIdentityToken></R>"))
    });
    let auth = "{method: jwt, role: web, jwt_from: aws, audience: vault, region: eu-west-1}";
    let key = AccessKey { id: "AKIA1".to_owned(), secret: CANARY.to_owned() };
    let leasehold = as_user(&vault, &key).env("AWS_ENDPOINT_URL_STS", &format!("http://{}", sts.address()));
    listen(&vault, leasehold, auth, &[("a token", "eyJhbGci")]);
}

#[test]
fn tokens_of_azure_and_google_and_what_brings_them_are_in_no_output() {
    let vault = Vault::start(None);
    let fake = Fake::start();
    fake.set(&json!({"jwts": true}));
    let public = fake.state()["public_key"].as_str().expect("a key").to_owned();
    vault.trusts(&public, AUDIENCE);
    let machine = vault.leasehold().env("AZURE_POD_IDENTITY_AUTHORITY_HOST", &fake.plain());
    let token = [("a token", "eyJhbGci")];
    listen(&vault, machine.clone(), &format!("{{method: azure, role: web, audience: '{AUDIENCE}'}}"), &token);
    let plain = format!("{{method: jwt, role: web, jwt_from: azure, audience: '{AUDIENCE}'}}");
    listen(&vault, machine, &plain, &token);

    let machine = vault.leasehold().env("GCE_METADATA_HOST", fake.plain().trim_start_matches("http://"));
    listen(&vault, machine, &plain.replace("azure", "gcp"), &token);
    vault.trusts(&public, "http://vault/web");
    let own = json!({
        "type": "service_account", "private_key_id": "k", "private_key": fake.state()["private_key"],
        "client_email": ACCOUNT, "token_uri": format!("{}/token", fake.plain()),
    });
    let file = vault.space.file("account.json", own.to_string()).display().to_string();
    let account = vault.leasehold().env("GOOGLE_APPLICATION_CREDENTIALS", &file);
    let key = own["private_key"].as_str().and_then(|key| key.lines().nth(3)).expect("a key has lines");
    listen(&vault, account, "{method: gcp, gcp_type: iam, role: web}", &[token[0], ("the key", key)]);
}
