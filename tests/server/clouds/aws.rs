//! AWS Secrets Manager, as moto's server has it: signatures are judged by botocore's own code.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use leasehold_testkit::evidence;
use serde_json::{Value, json};

use super::Machine;
use crate::support::{AccessKey, CANARY, Leasehold, Listener, Moto, SOON, request, request_unix, wait_until};

pub(super) fn may_read() -> Value {
    let action =
        ["secretsmanager:GetSecretValue", "secretsmanager:ListSecrets", "secretsmanager:BatchGetSecretValue"];
    json!({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": action, "Resource": "*"}]})
}

pub(super) fn backend(moto: &Moto) -> String {
    format!("{{aws_secrets_manager: {{region: eu-central-1, endpoint: '{}'}}}}", moto.url())
}

pub(super) fn as_user(machine: &Machine, key: &AccessKey) -> Leasehold {
    machine.leasehold().env("AWS_ACCESS_KEY_ID", &key.id).env("AWS_SECRET_ACCESS_KEY", &key.secret)
}

const FILES: &str = r#"
log: {level: trace}
files:
  - {path: plain, secret: cloud/plain, refresh: 1s}
  - {path: user, secret: "cloud/prod/db#username"}
  - {path: binary, secret: cloud/binary}
  - {path: before, secret: "cloud/plain?stage=AWSPREVIOUS", refresh: 1s}
  - {path: chosen, template: '{{ with secret "cloud/plain" "stage=AWSPREVIOUS" }}{{ .Data.value }}{{ end }}'}
  - {path: all, template: '{{ with secret "cloud/prod/db" }}{{ .Data.username }}{{ end }} {{ range secrets "cloud/prod" }}{{ . }} {{ end }}'}
"#;

#[test]
fn secrets_are_read_with_signatures_that_botocore_takes_and_a_rotation_is_followed() {
    let moto = Moto::start();
    moto.put("plain", &format!("{CANARY}-zero"));
    moto.put("plain", &format!("{CANARY}-one"));
    moto.put("prod/db", r#"{"username": "web", "password": "canary-4f1d"}"#);
    moto.put("prod/api/key", "k");
    moto.put("production", "not below prod");
    moto.secrets("CreateSecret", &json!({"Name": "binary", "SecretBinary": "/wAK"}));
    let key = moto.user("web", &may_read());
    let stage = |version: &str| {
        moto.secrets(
            "PutSecretValue",
            &json!({"SecretId": "plain", "SecretString": format!("{CANARY}-{version}")}),
        );
    };
    let machine = Machine::new(&backend(&moto));
    let config = machine.config(FILES);
    let leasehold = as_user(&machine, &key);
    let granted = leasehold.run(&["policy", "--backend", "cloud", "--config", &config]).expect_code(0);
    let granted: Value = serde_json::from_str(&granted.stdout).expect("a policy in JSON");
    assert_eq!(
        granted["Statement"][0]["Resource"][0],
        "arn:aws:secretsmanager:eu-central-1:*:secret:binary-??????"
    );
    let nothing = leasehold.run(&["policy", "--config", &config]).expect_code(0);
    assert!(
        nothing.stdout.contains("`leasehold policy --backend cloud` prints what cloud needs"),
        "{}",
        nothing.stdout
    );
    leasehold.run(&["policy", "--backend", "other", "--config", &config]).expect_code(64);
    let planned = leasehold.run(&["plan", "--config", &config]).expect_code(0);
    let finished = leasehold.run(&["init", "--config", &config]).expect_code(0);
    for shown in [&planned, &finished] {
        shown.assert_silent_about(CANARY);
        shown.assert_silent_about(&key.secret);
    }
    assert_eq!(machine.read("plain"), Some(format!("{CANARY}-one")));
    assert_eq!(machine.read("before"), Some(format!("{CANARY}-zero")));
    assert_eq!(machine.read("chosen"), Some(format!("{CANARY}-zero")));
    assert_eq!(machine.read("user").as_deref(), Some("web"));
    assert_eq!(machine.read("all").as_deref(), Some("web api/ db "));
    let binary = std::fs::read(machine.space.join("secrets/binary")).expect("it is there");
    assert_eq!(binary, [0xff, 0x00, b'\n'], "a value need not be text");
    let sidecar = leasehold.spawn(&["sidecar", "--config", &config]);
    stage("two");
    wait_until("the rotation", SOON, || {
        machine.read("plain") == Some(format!("{CANARY}-two"))
            && machine.read("before") == Some(format!("{CANARY}-one"))
    });
    let get =
        |path: &str| request_unix(&machine.space.join("status.sock"), "GET", path).expect("it answers").text;
    assert!(get("/metrics").contains("leasehold_backend_up{backend=\"cloud\"} 1"));
    let status: Value = serde_json::from_str(&get("/status")).expect("JSON");
    let ids: Vec<&str> = status["secrets"]
        .as_array()
        .expect("a list")
        .iter()
        .filter_map(|one| one["version_id"].as_str())
        .collect();
    assert!(ids.len() >= 4 && ids.iter().all(|id| id.len() == 36), "{ids:?}");
    assert!(get("/metrics").contains(&format!("version_id=\"{}\"", ids[0])));
    assert!(!get("/status").contains(CANARY));
    let log = sidecar.stop().expect_code(0);
    log.assert_silent_about(CANARY);
    log.assert_silent_about(&key.secret);
}

#[test]
fn with_signatures_judged_ours_are_good_and_wrong_ones_are_named() {
    let mut evidence = evidence!(65, Server);
    let moto = Moto::start();
    moto.put("plain", CANARY);
    moto.put("gone", CANARY);
    moto.secrets("DeleteSecret", &json!({"SecretId": "gone"}));
    let key = moto.user("web", &may_read());
    let nobody = moto.user("nobody", &json!({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"}]}));
    moto.check_signatures();
    let machine = Machine::new(&backend(&moto));
    let mut init = |source: &str, key: &AccessKey, code: i32| {
        let config = machine.config(&format!("files: [{{path: a, secret: '{source}'}}]"));
        let finished = as_user(&machine, key).run(&["init", "--timeout", "20s", "--config", &config]);
        let finished = finished.expect_code(code);
        finished.assert_silent_about(CANARY);
        finished.assert_silent_about(&key.secret);
        if source == "cloud/gone" {
            evidence.exit(finished.code, 66);
        }
        finished.last_line()
    };
    init("cloud/plain", &key, 0);
    assert_eq!(machine.read("a").as_deref(), Some(CANARY));
    let wrong = AccessKey { secret: "wrong".to_owned(), ..key.clone() };
    let unknown = AccessKey { id: "AKIANOBODY".to_owned(), ..key.clone() };
    for (source, key, code, words) in [
        ("cloud/absent", &key, 66, "does not have it (Secrets Manager can't find the specified secret)"),
        ("cloud/gone", &key, 66, "it is marked for deletion in AWS Secrets Manager in eu-central-1"),
        (
            "cloud/plain#key",
            &key,
            66,
            "the value is no JSON object, so it has no keys; write cloud/plain for",
        ),
        ("cloud/plain?colour=blue", &key, 66, "takes `version` and `stage`, and no argument colour"),
        ("cloud/plain", &nobody, 77, "denies it"),
        (
            "cloud/plain",
            &wrong,
            77,
            "asked with AWS_ACCESS_KEY_ID: the signature is refused; check AWS_SECRET_ACCESS_KEY",
        ),
        ("cloud/plain", &unknown, 77, "it does not know the access key"),
    ] {
        let said = init(source, key, code);
        assert!(said.contains(words), "{source}: {said}");
    }
    evidence.holds("marked for deletion has words of its own, with how to restore it");
}

/// What AWS answers, as it would, without AWS.
fn answering(
    headers: &str,
    answer: impl Fn() -> (u16, String) + Send + Sync + 'static,
) -> (Listener, Machine) {
    let listener = Listener::with_headers(headers, move |_| answer());
    let backend = format!(
        "{{aws_secrets_manager: {{region: eu-central-1, endpoint: 'http://{}'}}}}",
        listener.address()
    );
    let machine = Machine::new(&backend);
    (listener, machine)
}

fn refusal(code: &str, message: &str) -> (u16, String) {
    (400, json!({"__type": format!("com.amazonaws.secretsmanager#{code}"), "message": message}).to_string())
}

#[test]
fn what_aws_refuses_is_said_in_words_of_its_own() {
    let mut evidence = evidence!(69, Wire);
    let key = AccessKey { id: "AKIA1".to_owned(), secret: "canary-secret-key".to_owned() };
    let quoted = "The Canonical String was 'x-amz-security-token:canary-4f1d'";
    let old = "Date: Sun, 29 Nov 2020 14:11:27 GMT\r\n";
    for (headers, answer, code, words) in [
        (old, refusal("InvalidSignatureException", quoted), 77, "s ahead of AWS'; set the clock"),
        (old, refusal("RequestExpired", quoted), 77, "because this machine's clock is"),
        ("", refusal("InvalidSignatureException", quoted), 77, "the signature is refused"),
        ("", refusal("ExpiredTokenException", "it has expired"), 77, "the credentials have ended"),
        (
            "",
            refusal("AccessDeniedException", "Access to KMS is not allowed"),
            77,
            "(Access to KMS is not allowed)",
        ),
        ("", refusal("DecryptionFailure", "no"), 77, "allow kms:Decrypt on its key"),
        ("", refusal("ThrottlingException", "Rate exceeded"), 69, "too many requests (ThrottlingException)"),
        ("", (500, "{\"__type\":\"InternalServiceError\"}".to_owned()), 69, "a fault of its own"),
        ("", (200, "<html>sign in</html>".to_owned()), 69, "none of AWS'"),
        ("", (200, "{}".to_owned()), 75, "has no value"),
        (
            "Location: http://127.0.0.1:9/x\r\n",
            (302, String::new()),
            69,
            "redirects to http://127.0.0.1:9, which the clouds never do",
        ),
    ] {
        let (_listener, machine) = answering(headers, move || answer.clone());
        let config = machine.config("files: [{path: a, secret: cloud/a}]");
        let leasehold = as_user(&machine, &key).env("AWS_SESSION_TOKEN", CANARY);
        // A plan says the same, and what is not understood is away there.
        let planned =
            leasehold.run(&["plan", "--config", &config]).expect_code(if code == 75 { 69 } else { code });
        assert!(planned.last_line().contains(words), "{words}: {}", planned.last_line());
        planned.assert_silent_about(CANARY);
        let finished = leasehold.run(&["init", "--timeout", "2s", "--config", &config]).expect_code(code);
        finished.assert_silent_about(CANARY);
        finished.assert_silent_about(&key.secret);
        assert!(finished.stderr.contains(words), "{words}: {}", finished.stderr);
        if words.contains("clock") {
            evidence.exit(finished.code, 77);
        }
    }
    evidence.holds("the message says by how many seconds, and quotes nothing of the signature");
}

/// Secrets Manager that has every secret but those named `absent`, notes what it does, and may refuse several at once.
pub(super) fn with_batches(refuses: bool) -> (Listener, Machine, Arc<Mutex<Vec<String>>>) {
    let asked = Arc::new(Mutex::new(Vec::new()));
    let noted = Arc::clone(&asked);
    let listener = Listener::start(move |request| {
        let action = request.headers.get("x-amz-target").cloned().unwrap_or_default();
        let body: Value = serde_json::from_slice(&request.body).expect("JSON");
        let ids: Vec<String> = match body["SecretIdList"].as_array() {
            Some(ids) => ids.iter().map(|id| id.as_str().expect("text").to_owned()).collect(),
            None => vec![body["SecretId"].as_str().expect("text").to_owned()],
        };
        let is_batch = action.ends_with("BatchGetSecretValue");
        noted.lock().expect("no test panics with it").push(format!(
            "{} of {}",
            if is_batch { "batch" } else { "one" },
            ids.len()
        ));
        if is_batch && refuses {
            return refusal(
                "AccessDeniedException",
                "not authorized to perform: secretsmanager:BatchGetSecretValue",
            );
        }
        let missing = "ResourceNotFoundException";
        let (absent, there): (Vec<_>, Vec<_>) = ids.into_iter().partition(|id| id.starts_with("absent"));
        if !is_batch {
            return match there.first() {
                Some(id) => (200, json!({"Name": id, "SecretString": format!("value of {id}")}).to_string()),
                None => refusal(missing, "Secrets Manager can't find the specified secret."),
            };
        }
        let values: Vec<Value> = there
            .iter()
            .map(|id| json!({"Name": id, "SecretString": format!("value of {id}"), "VersionId": "v-1"}))
            .collect();
        let errors: Vec<Value> = absent
            .iter()
            .map(|id| json!({"SecretId": id, "ErrorCode": missing, "Message": "none"}))
            .collect();
        (200, json!({"SecretValues": values, "Errors": errors}).to_string())
    });
    let backend = format!(
        "{{aws_secrets_manager: {{region: eu-central-1, endpoint: 'http://{}'}}}}",
        listener.address()
    );
    (listener, Machine::new(&backend), asked)
}

/// How many are asked in one turn of the loop depends on how soon the files are rendered; what is asked in one turn goes out
/// together (`crates/stores/src/aws/gather.rs`).
#[test]
fn secrets_are_asked_together_or_by_themselves_and_each_by_itself_where_that_is_denied() {
    let key = AccessKey { id: "AKIA1".to_owned(), secret: "x".to_owned() };
    let files: String = (0..40).map(|n| format!("  - {{path: f{n}, secret: cloud/s{n}}}\n")).collect();
    for refuses in [false, true] {
        let (_listener, machine, asked) = with_batches(refuses);
        let config = machine.config(&format!("files:\n{files}"));
        as_user(&machine, &key).run(&["init", "--config", &config]).expect_code(0);
        for n in 0..40 {
            assert_eq!(machine.read(&format!("f{n}")), Some(format!("value of s{n}")));
        }
        let asked = asked.lock().expect("no test panics with it").clone();
        let of = |kind: &str| -> Vec<usize> {
            let count = |line: &String| line.strip_prefix(kind)?.parse().ok();
            asked.iter().filter_map(count).collect()
        };
        let (together, alone) = (of("batch of "), of("one of "));
        assert!(together.iter().all(|many| (2..=20).contains(many)), "{asked:?}");
        let once = if refuses { 0 } else { together.iter().sum() };
        assert_eq!(alone.len() + once, 40, "each is read once: {asked:?}");
    }
    // One that is not there harms no other.
    let (_listener, machine, _) = with_batches(false);
    let config = machine.config("files: [{path: a, secret: cloud/a}, {path: b, secret: cloud/absent}]");
    let finished =
        as_user(&machine, &key).run(&["init", "--timeout", "20s", "--config", &config]).expect_code(66);
    assert!(
        finished
            .last_line()
            .contains("cloud/absent does not exist: AWS Secrets Manager in eu-central-1 does not have it"),
        "{}",
        finished.last_line()
    );
}

#[test]
fn a_sidecar_keeps_its_files_while_aws_throttles() {
    let mut evidence = evidence!(64, Wire);
    let throttles = Arc::new(AtomicBool::new(false));
    let refused = Arc::new(Mutex::new(Vec::new()));
    let (switch, noted) = (Arc::clone(&throttles), Arc::clone(&refused));
    let (_listener, machine) = answering("Retry-After: 5\r\n", move || match switch.load(Ordering::SeqCst) {
        true => {
            noted.lock().expect("no test panics with it").push(leasehold_base::clock::moment());
            refusal("ThrottlingException", "Rate exceeded")
        }
        false => (200, json!({"SecretString": CANARY}).to_string()),
    });
    let key = AccessKey { id: "AKIA1".to_owned(), secret: "x".to_owned() };
    let config = machine.config("files: [{path: a, secret: cloud/a, refresh: 1s}]");
    let sidecar = as_user(&machine, &key).spawn(&["sidecar", "--config", &config]);
    wait_until("the file", SOON, || machine.read("a").as_deref() == Some(CANARY));
    throttles.store(true, Ordering::SeqCst);
    let get =
        |path: &str| request_unix(&machine.space.join("status.sock"), "GET", path).expect("it answers").text;
    let up = "leasehold_backend_up{backend=\"cloud\"}";
    wait_until("the store to be away", SOON, || get("/metrics").contains(&format!("{up} 0")));
    evidence.metric(&get("/metrics"), &format!("{up} 0"));
    assert_eq!(machine.read("a").as_deref(), Some(CANARY));
    let times = || refused.lock().expect("no test panics with it").clone();
    wait_until("another try", SOON, || times().len() > 1);
    let pause = times()[0].until(times()[1]);
    assert!(pause >= Duration::from_secs(5), "it was asked after {pause:?}");
    throttles.store(false, Ordering::SeqCst);
    wait_until("the store to be back", SOON, || get("/metrics").contains(&format!("{up} 1")));
    sidecar.stop().expect_code(0).assert_silent_about(CANARY);
    evidence
        .holds("the files keep their bytes, the store is named as away, and nothing is asked before it says");
}

#[test]
fn a_portal_that_redirects_is_no_store_that_is_back() {
    let answers = Arc::new(Mutex::new((200, json!({"SecretString": CANARY}).to_string())));
    let asked = Arc::new(AtomicUsize::new(0));
    let (now, noted) = (Arc::clone(&answers), Arc::clone(&asked));
    let (_listener, machine) = answering("Location: http://127.0.0.1:9/portal\r\n", move || {
        noted.fetch_add(1, Ordering::SeqCst);
        now.lock().expect("no test panics with it").clone()
    });
    let answer = |status: u16| {
        let body = json!({"SecretString": format!("{CANARY}-{status}")}).to_string();
        *answers.lock().expect("no test panics with it") = (status, body);
        asked.store(0, Ordering::SeqCst);
    };
    let key = AccessKey { id: "AKIA1".to_owned(), secret: "x".to_owned() };
    let config = machine.config("files: [{path: a, secret: cloud/a, refresh: 1s}]");
    let sidecar = as_user(&machine, &key).spawn(&["sidecar", "--config", &config]);
    wait_until("the file", SOON, || machine.read("a").as_deref() == Some(CANARY));
    let metrics =
        || request_unix(&machine.space.join("status.sock"), "GET", "/metrics").expect("it answers").text;
    let is = |value: &str| metrics().contains(&format!("leasehold_backend_up{{backend=\"cloud\"}} {value}"));
    answer(503);
    wait_until("the outage", SOON, || is("0"));
    answer(302);
    wait_until("two tries", SOON, || asked.load(Ordering::SeqCst) > 1);
    assert!(is("0") && !sidecar.stderr().contains("the store cloud is back"), "{}", sidecar.stderr());
    answer(200);
    wait_until("the return", SOON, || is("1"));
    assert!(sidecar.stderr().contains("the store cloud is back"));
    sidecar.stop().expect_code(0).assert_silent_about(CANARY);
}

/// Moto behind a listener that notes the action and the number of secrets of each request.
fn counted(moto: &Moto) -> (Listener, Machine, Arc<Mutex<Vec<String>>>) {
    let asked = Arc::new(Mutex::new(Vec::new()));
    let noted = Arc::clone(&asked);
    let address = moto.url().trim_start_matches("http://").parse().expect("an address");
    let listener = Listener::start(move |got| {
        let header = |name: &str| got.headers.get(name).cloned().unwrap_or_default();
        let (target, by) = (header("x-amz-target"), header("authorization"));
        let body: Value = serde_json::from_slice(&got.body).expect("JSON");
        let many = body["SecretIdList"].as_array().map_or(1, Vec::len);
        let action = target.rsplit('.').next().expect("a word").to_owned();
        noted.lock().expect("no test panics with it").push(format!("{action} of {many}"));
        let headers = [("X-Amz-Target", target.as_str()), ("Authorization", by.as_str())];
        let reply = request(address, "POST", "/", &headers, Some(&body)).expect("moto answers");
        (reply.status, reply.text)
    });
    let backend = format!(
        "{{aws_secrets_manager: {{region: eu-central-1, endpoint: 'http://{}'}}}}",
        listener.address()
    );
    (listener, Machine::new(&backend), asked)
}

#[test]
fn twenty_secrets_of_one_template_are_one_request() {
    let moto = Moto::start();
    let mut template = String::new();
    for n in 0..20 {
        moto.put(&format!("s{n}"), &format!("value {n}"));
        template += &format!("{{{{ with secret \"cloud/s{n}\" }}}}{{{{ .Data.value }}}};{{{{ end }}}}");
    }
    let (_listener, machine, asked) = counted(&moto);
    let config = machine.config(&format!("files: [{{path: all, template: '{template}'}}]"));
    let key = AccessKey { id: "AKIA1".to_owned(), secret: "x".to_owned() };
    as_user(&machine, &key).run(&["init", "--config", &config]).expect_code(0);
    let expected: String = (0..20).map(|n| format!("value {n};")).collect();
    assert_eq!(machine.read("all"), Some(expected));
    assert_eq!(*asked.lock().expect("no test panics with it"), ["BatchGetSecretValue of 20"]);
}

#[test]
fn a_version_is_read_by_its_id() {
    let moto = Moto::start();
    let made = moto.secrets("CreateSecret", &json!({"Name": "a", "SecretString": "one"}));
    moto.put("a", "two");
    let (_listener, machine, asked) = counted(&moto);
    let id = made["VersionId"].as_str().expect("an id");
    let config = machine.config(&format!(
        "files: [{{path: first, secret: 'cloud/a?version={id}'}}, {{path: none, secret: cloud/a}}]"
    ));
    let key = AccessKey { id: "AKIA1".to_owned(), secret: "x".to_owned() };
    as_user(&machine, &key).run(&["init", "--config", &config]).expect_code(0);
    assert_eq!(machine.read("first").as_deref(), Some("one"));
    assert_eq!(machine.read("none").as_deref(), Some("two"));
    assert_eq!(*asked.lock().expect("no test panics with it"), ["GetSecretValue of 1"; 2]);
    let absent =
        machine.config("files: [{path: b, secret: 'cloud/a?version=00000000-0000-4000-8000-000000000000'}]");
    as_user(&machine, &key).run(&["init", "--timeout", "20s", "--config", &absent]).expect_code(66);
    // A plan asks for the version that the template chooses.
    for (version, code) in [(id, 0), ("00000000-0000-4000-8000-000000000000", 66)] {
        let config = machine.config(&format!(
            "files: [{{path: c, template: '{{{{ with secret \"cloud/a\" \"version={version}\" }}}}{{{{ .Data.value }}}}{{{{ end }}}}'}}]"
        ));
        as_user(&machine, &key).run(&["plan", "--config", &config]).expect_code(code);
    }
}

#[test]
fn a_policy_names_on_standard_error_what_only_a_rendering_knows() {
    let machine = Machine::new("{aws_secrets_manager: {region: eu-central-1}}");
    let unknown = "{path: b, template: '{{ with secret (env \"X\") }}{{ . }}{{ end }}'}";
    let policy = |files: &str| {
        let config = machine.config(&format!("files: [{files}]"));
        machine.leasehold().run(&["policy", "--backend", "cloud", "--config", &config]).expect_code(0)
    };
    let says = "warning: files[1].template:1:9 (secret): its path is known when it is rendered; if that begins with cloud/, add it\n";
    let finished = policy(&format!("{{path: a, secret: cloud/a}}, {unknown}"));
    assert_eq!(finished.stderr, says);
    let printed: Value = serde_json::from_str(&finished.stdout).expect("a policy in JSON");
    assert_eq!(printed["Statement"].as_array().map(Vec::len), Some(1));
    let finished = policy(unknown);
    assert_eq!(finished.stdout, "", "a policy without a statement is none");
    assert!(finished.stderr.contains("no path is known to begin with cloud/, so nothing is granted"));
}
