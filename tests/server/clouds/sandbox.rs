//! A sandbox that is required, around everything that a cloud takes: its files and its ports are known from the plan.

use std::fs;

use serde_json::json;

use super::Machine;
use super::canary::{Aws, project, vault as secrets};
use super::fake::Fake;
use super::google::Cloud;
use super::logins::{ACCOUNT, AUDIENCE, allowed, as_user, trusted};
use super::vault::{SERVER_ID, Vault};
use crate::support::{
    AccessKey, CANARY, Cluster, Identity, Leasehold, Listener, Moto, Running, SOON, Workspace, has_landlock,
    wait_until,
};

#[track_caller]
fn assert_inside(sidecar: &Running) {
    let status = fs::read_to_string(format!("/proc/{}/status", sidecar.pid())).expect("it runs");
    assert!(status.lines().any(|line| line.split_whitespace().eq(["Seccomp:", "2"])), "{status}");
}

/// A sidecar that reads `plain`, and once more after `change`, when it is inside for sure.
fn follows(machine: &Machine, leasehold: &Leasehold, change: impl FnOnce()) {
    let files = "files: [{path: plain, secret: cloud/plain, refresh: 1s}]\nsandbox: required\n";
    let sidecar = leasehold.spawn(&["sidecar", "--config", &machine.config(files)]);
    wait_until("the file", SOON, || machine.read("plain").is_some());
    assert_inside(&sidecar);
    let before = machine.read("plain");
    change();
    wait_until("another value", SOON, || machine.read("plain") != before);
    sidecar.stop().expect_code(0);
}

#[test]
fn stores_are_read_within_a_sandbox() {
    if !has_landlock() {
        return;
    }
    let credentials = Workspace::new();
    credentials.file("plain", "one");
    let machine = Machine::new(&format!("{{files: {{dir: '{}'}}}}", credentials.path().display()));
    follows(&machine, &machine.leasehold(), || drop(credentials.file("plain", "two")));
    let machine = Machine::new("{environment: {prefix: APP_}}");
    let config = machine.config("files: [{path: plain, secret: cloud/plain}]\nsandbox: required\n");
    let sidecar = machine.leasehold().env("APP_plain", "one").spawn(&["sidecar", "--config", &config]);
    wait_until("the file", SOON, || machine.read("plain").is_some());
    assert_inside(&sidecar);
    sidecar.stop().expect_code(0);
}

#[test]
fn a_folder_that_comes_late_or_is_made_anew_is_read_within_a_sandbox() {
    if !has_landlock() {
        return;
    }
    let credentials = Workspace::new();
    let dir = credentials.join("late");
    let machine = Machine::new(&format!("{{files: {{dir: '{}'}}}}", dir.display()));
    let files = "files: [{path: plain, secret: cloud/plain, refresh: 1s}]\nsandbox: required\n";
    let sidecar = machine.leasehold().spawn(&["sidecar", "--config", &machine.config(files)]);
    wait_until("the folder to be missed", SOON, || sidecar.stderr().contains("late is not there"));
    assert_inside(&sidecar);
    for value in ["one", "two"] {
        let _not_there_at_first = fs::remove_dir_all(&dir);
        fs::create_dir(&dir).expect("a folder");
        fs::write(dir.join("plain"), value).expect("a file");
        wait_until(value, SOON, || machine.read("plain").as_deref() == Some(value));
    }
    sidecar.stop().expect_code(0);
}

#[test]
fn a_folder_that_the_sandbox_does_not_know_is_denied_in_the_sandboxs_name() {
    if !has_landlock() {
        return;
    }
    let (here, there) = (Workspace::new(), Workspace::new());
    let link = here.join("link");
    here.dir("inside");
    here.file("inside/plain", "one");
    there.file("plain", "two");
    std::os::unix::fs::symlink(here.join("inside"), &link).expect("a link");
    let machine = Machine::new(&format!("{{files: {{dir: '{}'}}}}", link.display()));
    let files = "files: [{path: plain, secret: cloud/plain, refresh: 1s}]\nsandbox: required\n";
    let sidecar = machine.leasehold().spawn(&["sidecar", "--config", &machine.config(files)]);
    wait_until("the file", SOON, || machine.read("plain").as_deref() == Some("one"));
    std::os::unix::fs::symlink(there.path(), here.join("next")).expect("a link");
    fs::rename(here.join("next"), &link).expect("a rename");
    let says = "although its mode allows it: the sandbox of this process denies it";
    wait_until("the denial", SOON, || sidecar.stderr().contains(says));
    assert_eq!(machine.read("plain").as_deref(), Some("one"));
    sidecar.stop().expect_code(0);
}

#[test]
fn aws_is_asked_within_a_sandbox() {
    if !has_landlock() {
        return;
    }
    // Each on a port of its own.
    let (aws, beside) = (Aws::start(), Aws::start());
    let change = |version: &str| aws.answer(version);
    let own = aws.machine();
    own.space.dir("tokens");
    let token = own.space.file("tokens/token", "eyJhbGciOiJSUzI1NiJ9.one.c2lnbmF0dXJl");
    let by_token = own
        .leasehold()
        .env("AWS_ENDPOINT_URL_STS", &beside.url())
        .env("AWS_ROLE_ARN", "arn:aws:iam::123456789012:role/reader")
        .env("AWS_WEB_IDENTITY_TOKEN_FILE", &token.display().to_string());
    follows(&own, &by_token, || change("two"));
    change("one");
    let own = aws.machine();
    let by_container = own
        .leasehold()
        .env("AWS_CONTAINER_CREDENTIALS_FULL_URI", &format!("{}/container", beside.url()))
        .env("AWS_CONTAINER_AUTHORIZATION_TOKEN", CANARY);
    follows(&own, &by_container, || change("two"));
    change("one");
    let own = aws.machine();
    own.space.dir("home/.aws");
    own.space
        .file("home/.aws/credentials", "[default]\naws_access_key_id=AKIA1\naws_secret_access_key=secret\n");
    follows(&own, &own.leasehold(), || change("two"));
}

#[test]
fn azure_and_google_are_asked_within_a_sandbox() {
    if !has_landlock() {
        return;
    }
    let fake = Fake::start();
    fake.set(
        &json!({"client": {"id": "client", "secret": "x", "tenant": "tenant", "assertion": "canary-jwt"}}),
    );
    fake.set(&secrets("one"));
    let azure = || Machine::new(&format!("{{azure_key_vault: {{url: '{}'}}}}", fake.secure()));
    let machine = azure();
    let by_machine = machine
        .leasehold()
        .env("SSL_CERT_FILE", &fake.ca_file())
        .env("AZURE_POD_IDENTITY_AUTHORITY_HOST", &fake.plain());
    follows(&machine, &by_machine, || fake.set(&secrets("two")));
    fake.set(&secrets("one"));
    let machine = azure();
    machine.space.dir("tokens");
    let token = machine.space.file("tokens/token", "canary-jwt").display().to_string();
    let workload = machine
        .leasehold()
        .env("SSL_CERT_FILE", &fake.ca_file())
        .env("AZURE_AUTHORITY_HOST", &fake.secure())
        .env("AZURE_TENANT_ID", "tenant")
        .env("AZURE_CLIENT_ID", "client")
        .env("AZURE_FEDERATED_TOKEN_FILE", &token);
    follows(&machine, &workload, || fake.set(&secrets("two")));

    for federated in [false, true] {
        let cloud = Cloud::start();
        cloud.fake.set(&project(&["one"]));
        let leasehold = if federated { cloud.federated(&[]) } else { cloud.account() };
        follows(&cloud.machine, &leasehold, || cloud.fake.set(&project(&["one", "two"])));
    }
    // The other provider's token, from a port that nothing else names.
    let provider = Listener::start(|_| (200, json!({"id_token": "canary-subject"}).to_string()));
    let cloud = Cloud::start();
    cloud.fake.set(&project(&["one"]));
    let by_url = cloud.by_url(&format!("http://{}", provider.address()));
    follows(&cloud.machine, &by_url, || cloud.fake.set(&project(&["one", "two"])));
    let cloud = Cloud::start();
    cloud.fake.set(&project(&["one"]));
    let metadata = cloud.nobody().env("GCE_METADATA_HOST", cloud.fake.plain().trim_start_matches("http://"));
    follows(&cloud.machine, &metadata, || cloud.fake.set(&project(&["one", "two"])));
}

/// A sidecar that logs in, and once more within.
fn logs_in_again(vault: &Vault, leasehold: &Leasehold, auth: &str) {
    vault.forget();
    let config = vault.config(auth, "sandbox: required\n");
    let sidecar = leasehold.spawn(&["sidecar", "--config", &config]);
    wait_until("the file", SOON, || vault.password().is_some());
    assert_inside(&sidecar);
    let before = vault.server.accessors();
    before.iter().for_each(|accessor| vault.server.revoke_accessor(accessor));
    wait_until("another login", SOON, || vault.server.accessors().iter().any(|now| !before.contains(now)));
    sidecar.stop().expect_code(0);
}

#[test]
fn aws_logs_in_within_a_sandbox() {
    if !has_landlock() {
        return;
    }
    let moto = Moto::start();
    let key = moto.user("web", &allowed());
    let vault = Vault::start(Some(&moto));
    let auth = format!("{{method: aws, role: web, region: eu-central-1, server_id: {SERVER_ID}}}");
    logs_in_again(&vault, &as_user(&vault, &key), &auth);

    let signer = Cluster::start();
    vault.trusts(&signer.public_key_pem(), "vault");
    let sts = Listener::start(move |_| {
        let token = signer.token(&Identity::default());
        (200, format!("<R><WebIdentityToken>{token}</WebIdentityToken></R>"))
    });
    let auth = "{method: jwt, role: web, jwt_from: aws, audience: vault, region: eu-west-1}";
    let key = AccessKey { id: "AKIA1".to_owned(), secret: CANARY.to_owned() };
    let leasehold = as_user(&vault, &key).env("AWS_ENDPOINT_URL_STS", &format!("http://{}", sts.address()));
    logs_in_again(&vault, &leasehold, auth);
}

#[test]
fn azure_and_google_log_in_within_a_sandbox() {
    if !has_landlock() {
        return;
    }
    let vault = Vault::start(None);
    let fake = trusted(&vault, AUDIENCE);
    let machine = vault.leasehold().env("AZURE_POD_IDENTITY_AUTHORITY_HOST", &fake.plain());
    logs_in_again(&vault, &machine, &format!("{{method: azure, role: web, audience: '{AUDIENCE}'}}"));
    let plain = format!("{{method: jwt, role: web, jwt_from: gcp, audience: '{AUDIENCE}'}}");
    let machine = vault.leasehold().env("GCE_METADATA_HOST", fake.plain().trim_start_matches("http://"));
    logs_in_again(&vault, &machine, &plain);
    let subject = vault.space.file("subject", "canary-subject");
    let acting = format!("{}/v1/projects/-/serviceAccounts/{ACCOUNT}:generateAccessToken", fake.plain());
    let federated = json!({
        "type": "external_account", "audience": "//iam.googleapis.com/pool", "subject_token_type": "jwt",
        "token_url": format!("{}/sts", fake.plain()), "credential_source": {"file": subject},
        "service_account_impersonation_url": acting,
    });
    let file = vault.space.file("federated.json", federated.to_string()).display().to_string();
    logs_in_again(&vault, &vault.leasehold().env("GOOGLE_APPLICATION_CREDENTIALS", &file), &plain);
}
