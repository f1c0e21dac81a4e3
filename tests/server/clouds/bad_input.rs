//! What a store holds, or does not, that nobody expects: each as it is or one clear line, and nothing half-written.

use serde_json::json;

use super::Machine;
use super::aws::{as_user, with_batches};
use super::canary::vault;
use super::fake::Fake;
use super::google::Cloud;
use crate::support::{AccessKey, Leasehold, Listener, Workspace};

/// What AWS and Google take at most.
const LARGE: usize = 64 * 1024;

fn key() -> AccessKey {
    AccessKey { id: "AKIA1".to_owned(), secret: "x".to_owned() }
}

#[track_caller]
fn published(machine: &Machine, leasehold: &Leasehold, expected: &[u8]) {
    let config = machine.config("files: [{path: a, secret: cloud/plain}]");
    leasehold.run(&["init", "--config", &config]).expect_code(0);
    assert!(std::fs::read(machine.space.join("secrets/a")).expect("it is there") == expected);
}

#[test]
fn values_of_64_kib_arrive_whole() {
    let text = "0123456789abcde\n".repeat(LARGE / 16);
    let credentials = Workspace::new();
    credentials.file("plain", &text);
    let machine = Machine::new(&format!("{{files: {{dir: '{}'}}}}", credentials.path().display()));
    published(&machine, &machine.leasehold(), text.as_bytes());
    let machine = Machine::new("{environment: {prefix: APP_}}");
    published(&machine, &machine.leasehold().env("APP_plain", &text), text.as_bytes());

    let answer = json!({"SecretString": text}).to_string();
    let listener = Listener::start(move |_| (200, answer.clone()));
    let endpoint = format!("http://{}", listener.address());
    let machine =
        Machine::new(&format!("{{aws_secrets_manager: {{region: eu-central-1, endpoint: '{endpoint}'}}}}"));
    published(&machine, &as_user(&machine, &key()), text.as_bytes());

    let fake = Fake::start();
    let mut state = vault("v1");
    state["vault"]["plain"]["versions"][0][1] = text.clone().into();
    fake.set(&state);
    let machine = Machine::new(&format!("{{azure_key_vault: {{url: '{}'}}}}", fake.secure()));
    let leasehold = machine.leasehold().env("SSL_CERT_FILE", &fake.ca_file());
    published(&machine, &leasehold.env("AZURE_POD_IDENTITY_AUTHORITY_HOST", &fake.plain()), text.as_bytes());

    let cloud = Cloud::start();
    cloud.fake.set(&json!({"project": {"plain": [["ENABLED", text]]}}));
    published(&cloud.machine, &cloud.account(), text.as_bytes());
}

#[test]
fn bytes_that_are_no_text_arrive_as_they_are_from_google_too() {
    let cloud = Cloud::start();
    // Its checksum is left out, as Google may.
    let answer =
        json!({"name": "projects/1/secrets/plain/versions/1", "payload": {"data": "/wAK"}}).to_string();
    cloud.fake.set(&json!({"next": [["/secrets/plain", 200, {}, answer]]}));
    published(&cloud.machine, &cloud.account(), &[0xff, 0x00, b'\n']);
}

#[test]
fn a_key_of_what_is_no_object_is_named_whatever_it_is() {
    let credentials = Workspace::new();
    for (name, value) in
        [("text", &b"hunter2"[..]), ("binary", &[0xff, 0x00]), ("list", b"[1]"), ("cut", b"{\"key\": ")]
    {
        credentials.file(name, value);
    }
    let machine = Machine::new(&format!("{{files: {{dir: '{}'}}}}", credentials.path().display()));
    for name in ["text", "binary", "list", "cut"] {
        let config = machine.config(&format!(
            "files: [{{path: a, secret: 'cloud/{name}#key'}}, {{path: b, secret: cloud/text}}]"
        ));
        let finished =
            machine.leasehold().run(&["init", "--timeout", "20s", "--config", &config]).expect_code(66);
        let expected = format!(
            "cloud/{name}#key: the value is no JSON object, so it has no keys; write cloud/{name} for the whole value, or store an object with this key"
        );
        assert_eq!(finished.last_line(), expected);
        finished.assert_silent_about("hunter2");
        assert_eq!(machine.read("b"), None, "nothing is published by halves");
    }
}

#[test]
fn a_vault_that_is_none_is_named() {
    // A name that may be one, and is none.
    let machine = Machine::new("{azure_key_vault: {url: 'https://no-such-vault.vault.azure.net.invalid'}}");
    let config = machine.config("files: [{path: a, secret: cloud/plain}]");
    let leasehold = machine
        .leasehold()
        .env("AZURE_TENANT_ID", "tenant")
        .env("AZURE_CLIENT_ID", "client")
        .env("AZURE_CLIENT_SECRET", "canary-client-secret");
    let finished = leasehold.run(&["init", "--timeout", "2s", "--config", &config]).expect_code(69);
    let words = "https://no-such-vault.vault.azure.net.invalid: its name does not resolve; check what names it in `backends`, and the DNS";
    assert!(finished.last_line().ends_with(words), "{}", finished.last_line());
    finished.assert_silent_about("canary-client-secret");
}

#[test]
fn a_hundred_secrets_that_are_missing_have_a_line_each_and_nothing_is_written() {
    let (_listener, machine, asked) = with_batches(false);
    let missing: String =
        (0..100).map(|n| format!("  - {{path: f{n}, secret: cloud/absent-{n}}}\n")).collect();
    let config = machine.config(&format!("files:\n  - {{path: good, secret: cloud/good}}\n{missing}"));
    let finished =
        as_user(&machine, &key()).run(&["init", "--timeout", "20s", "--config", &config]).expect_code(66);
    for n in 0..100 {
        let words =
            format!("cloud/absent-{n} does not exist: AWS Secrets Manager in eu-central-1 does not have it");
        let lines = finished.stderr.lines().filter(|line| line.contains(&words));
        assert_eq!(lines.count(), 1, "{words}");
    }
    assert!(finished.last_line().ends_with("; create it, or correct the path"), "{}", finished.last_line());
    let written = std::fs::read_dir(machine.space.join("secrets")).expect("it is there").count();
    assert_eq!(written, 0, "nothing is published by halves");
    let asked = asked.lock().expect("no test panics with it");
    assert!(asked.len() <= 101, "each is asked for once: {asked:?}");
}
