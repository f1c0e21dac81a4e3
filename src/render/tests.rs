use std::collections::HashMap;
use std::time::{Duration, Instant};

use super::*;
use crate::config::plan::{MissingKey, WriteRules};
use crate::functions;
use crate::template::Template;
use crate::tree::Tree;

mod writes;

#[derive(Default)]
struct Store(HashMap<Request, Arc<Response>>);

impl Secrets for Store {
    fn get(&self, request: &Request) -> Option<Arc<Response>> {
        self.0.get(request).cloned()
    }
}

fn read(path: &str) -> Request {
    Request::read(path).expect("a good path")
}

fn store(secrets: &[(&str, &str)]) -> Store {
    let answer = |json: &str| {
        let data = Tree::from_json(json.as_bytes()).expect("valid JSON");
        Arc::new(Response { data, ..Response::default() })
    };
    Store(secrets.iter().map(|(path, json)| (read(path), answer(json))).collect())
}

fn environment() -> Environment {
    Environment {
        variables: Arc::new(BTreeMap::from([("NAME".to_owned(), "web".into())])),
        read_file: Arc::new(|path| match path.to_str() {
            Some("/etc/motd") => Ok("hello".into()),
            Some("/etc/passwd") => Ok("web:x:101:102::/:\n".into()),
            Some("/etc/group") => Ok("tls:x:7:\n".into()),
            _ => Err(HostError(format!("{}: no such file", path.display()))),
        }),
        now: || WallTime { seconds: 1_700_000_000, nanoseconds: 0 },
        zone: |_| None,
        network: || Err(HostError("no network".to_owned())),
        random: |bytes| bytes.fill(7),
    }
}

/// The name that messages use.
const FILE: &str = "db.env";

fn template(text: &str) -> Source {
    let name = "files[0].template".to_owned();
    let template = Template::parse(&name, text.as_bytes(), None, functions::all()).expect("a good template");
    Source::Template(TemplateSource {
        name,
        file: None,
        origin: None,
        template: Arc::new(template),
        missing_key: MissingKey::Error,
        delimiters: ("{{".into(), "}}".into()),
        denied: Vec::new(),
    })
}

fn field(path: &str, key: &str, base64: bool) -> Source {
    Source::Field { request: read(path), key: key.to_owned(), base64 }
}

fn rendered(file: &Source, store: &Store) -> Result<String, Ending> {
    match render(FILE, file, store, &environment(), &WriteRules::default()) {
        Outcome::Done { made, .. } => Ok(made.bytes.expose_str().expect("UTF-8").to_owned()),
        Outcome::Failed { why, .. } => Err(why),
        other @ Outcome::Needs { .. } => panic!("unexpected: {other:?}"),
    }
}

#[test]
fn a_template_sees_secrets_environment_files_and_time() {
    let store = store(&[("kv/web", r#"{"user":"u"}"#)]);
    let file = template(
        r#"{{ with secret "kv/web" }}{{ .Data.user }}{{ end }} {{ env "NAME" }} {{ file "/etc/motd" }} {{ timestamp }}"#,
    );
    assert_eq!(rendered(&file, &store).as_deref(), Ok("u web hello 2023-11-14T22:13:20Z"));
}

#[test]
fn the_versions_of_a_secret_are_not_taken_for_the_secret() {
    let store = store(&[("kv/metadata/web", r#"{"versions":{"1":{}},"current_version":1}"#)]);
    let why = rendered(&field("kv/metadata/web", "password", false), &store).expect_err("no such key");
    assert_eq!(why.hint, "these are its versions: write kv/web#password");
}

#[test]
fn what_is_missing_is_named_and_the_pass_thrown_away() {
    let store = store(&[("kv/a", r#"{"next":"kv/b"}"#)]);
    // The path comes out of another secret; the field of a secret that is not there fails.
    let file = template(
        r#"{{ with secret "kv/a" }}{{ with secret .Data.next }}{{ .Data.x }}{{ end }}{{ end }}{{ (secret "kv/c").Data.x }}"#,
    );
    let outcome = render(FILE, &file, &store, &environment(), &WriteRules::default());
    let Outcome::Needs { missing, used } = outcome else { panic!("it needs two") };
    assert_eq!(missing, [read("kv/b"), read("kv/c")]);
    assert_eq!(used, [read("kv/a")]);
}

#[test]
fn a_missing_key_fails_with_file_and_place_and_no_value() {
    let store = store(&[("kv/web", r#"{"user":"hunter2"}"#)]);
    let why = rendered(&template("a\n{{ with secret \"kv/web\" }}{{ .Data.pass }}{{ end }}"), &store)
        .expect_err("no such key");
    assert_eq!(why.cause, Cause::Template);
    assert!(why.what.starts_with("db.env: files[0].template:2:"), "{why}");
    assert!(why.what.contains("map has no entry for key \"pass\""), "{why}");
    assert!(!why.to_string().contains("hunter2"), "{why}");
}

#[test]
fn one_value_is_its_exact_bytes() {
    let store = store(&[(
        "kv/web",
        r#"{"t":"a\nb ","n":1.50,"e":1e3,"f":true,"l":[1, "<&>"],"m":{"b":1,"a":null},"z":null,"":""}"#,
    )]);
    for (key, bytes) in [
        ("t", "a\nb "),
        ("n", "1.50"),
        ("e", "1e3"),
        ("f", "true"),
        ("l", r#"[1,"<&>"]"#),
        ("m", r#"{"a":null,"b":1}"#),
        ("", ""),
    ] {
        assert_eq!(rendered(&field("kv/web", key, false), &store).as_deref(), Ok(bytes), "{key}");
    }
    for key in ["z", "none"] {
        let why = rendered(&field("kv/web", key, false), &store).expect_err("nothing there");
        assert_eq!(why.cause, Cause::Missing);
        assert!(why.what.contains(&format!("kv/web#{key}")), "{why}");
    }
}

#[test]
fn the_fields_of_a_version_2_secret_are_those_of_its_data() {
    let kv2 = r#"{"data":{"k":"v"},"metadata":{"version":3,"created_time":"2024-01-01T00:00:00Z"}}"#;
    let deleted = r#"{"data":null,"metadata":{"version":3,"created_time":"2024-01-01T00:00:00Z"}}"#;
    let plain = r#"{"data":{"k":"v"},"metadata":"mine"}"#;
    let store = store(&[("a", kv2), ("b", plain), ("c", deleted)]);
    let json = |path: &str| rendered(&Source::Json { request: read(path) }, &store);
    assert_eq!(json("a").as_deref(), Ok(r#"{"k":"v"}"#));
    assert_eq!(rendered(&field("a", "k", false), &store).as_deref(), Ok("v"));
    assert_eq!(json("b").as_deref(), Ok(plain));
    assert_eq!(json("c").expect_err("deleted").cause, Cause::Missing);
}

#[test]
fn base64_is_decoded_with_or_without_padding_and_line_breaks() {
    let store = store(&[("s", r#"{"a":"aGk=","b":"aGk","c":"aG\r\nk=\n","d":"a!hunter2"}"#)]);
    for key in ["a", "b", "c"] {
        assert_eq!(rendered(&field("s", key, true), &store).as_deref(), Ok("hi"), "{key}");
    }
    let why = rendered(&field("s", "d", true), &store).expect_err("not base64");
    assert_eq!(why.cause, Cause::Template);
    assert!(why.what.contains("s#d") && !why.what.contains("hunter2"), "{why}");
}

#[test]
fn what_is_used_is_told_once_each_in_order() {
    let store = store(&[("b", "{}"), ("a", "{}")]);
    let file = template(r#"{{ $_ := secret "b" }}{{ $_ = secret "a" }}{{ $_ = secret "/b/" }}"#);
    let outcome = render(FILE, &file, &store, &environment(), &WriteRules::default());
    let Outcome::Done { used, .. } = outcome else { panic!("rendered: {outcome:?}") };
    assert_eq!(used, [read("b"), read("a")]);
}

/// A thousand files of one secret take 20 ms in a release build; this guards against a copy of the
/// secret for each, which would take seconds in any build.
#[test]
fn a_thousand_files_share_one_secret() {
    let fields: Vec<String> =
        (0..2000).map(|index| format!(r#""k{index}":{{"deep":["{index}"]}}"#)).collect();
    let store = store(&[("kv/big", &format!("{{{}}}", fields.join(",")))]);
    let file = template(r#"{{ with secret "kv/big" }}{{ index .Data.k7.deep 0 }}{{ end }}"#);
    #[expect(clippy::disallowed_methods, reason = "measures itself")]
    let start = Instant::now();
    for _ in 0..1000 {
        assert_eq!(rendered(&file, &store).as_deref(), Ok("7"));
    }
    assert!(start.elapsed() < Duration::from_secs(1), "{:?}", start.elapsed());
}

#[test]
fn a_key_on_the_wrong_level_of_a_secret_is_found_and_the_advice_never_leaves_a_hole() {
    let kv2 = r#"{"data":{"password":"hunter2","user":"u"},"metadata":{"version":3,"created_time":"2024-01-01T00:00:00Z"}}"#;
    let store = store(&[("secret/web", kv2), ("kv1/app", r#"{"password":"hunter2"}"#)]);
    let hint = |text: &str, missing_key: MissingKey| {
        let Source::Template(source) = template(text) else { panic!("a template") };
        let why = rendered(&Source::Template(TemplateSource { missing_key, ..source }), &store);
        let why = why.expect_err("no such key");
        assert!(!why.to_string().contains("hunter2") && !why.hint.contains("missing_key"), "{why}");
        why.hint
    };
    for (text, says) in [
        (
            r#"{{ with secret "secret/web" }}{{ .Data.password }}{{ end }}"#,
            "secret/web is a secret of KV version 2: write .Data.data.password",
        ),
        (
            r#"{{ with secret "secret/web" }}{{ .Data.user }}{{ .Data.data.user }}{{ end }}"#,
            "secret/web is a secret of KV version 2: write .Data.data.user",
        ),
        (
            r#"{{ (secret "secret/web").Data.password }}"#,
            "secret/web is a secret of KV version 2: write .Data.data.password",
        ),
        (
            r#"{{ with secret "kv1/app" }}{{ .Data.data.password }}{{ end }}"#,
            "kv1/app is not a secret of KV version 2: its keys are in .Data, not in .Data.data",
        ),
        (r#"{{ with secret "secret/web" }}{{ .Data.data.pasword }}{{ end }}"#, "did you mean `password`?"),
        (
            r#"{{ with secret "kv1/app" }}{{ .Data.host }}{{ end }}"#,
            r#"add the key to the secret, or correct its name; for one that may be absent, write {{ with index … "host" }}"#,
        ),
    ] {
        assert_eq!(hint(text, MissingKey::Error), says, "{text}");
    }
    for (text, says) in [
        (
            r#"{{ with secret "kv1/app" }}{{ .Data.data.password }}{{ end }}"#,
            "kv1/app is not a secret of KV version 2: write .Data.password",
        ),
        (
            r#"{{ with secret "secret/web" }}{{ .Data.nested.password }}{{ end }}"#,
            "secret/web is a secret of KV version 2: write .Data.data.password",
        ),
        (
            r#"{{ with secret "kv1/app" }}{{ .Data.a.b }}{{ end }}"#,
            "the template looks for `.b` in something that the secret does not have; check what the secret holds: the keys of a KV version 2 secret are in .Data.data",
        ),
    ] {
        assert_eq!(hint(text, MissingKey::Zero), says, "{text}");
    }
}
