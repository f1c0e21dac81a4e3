//! Hostile texts, and credentials in the wrong places. Our reader of YAML agrees with serde_yaml, and the table of
//! keys with the types.

use std::time::Duration;

use proptest::prelude::*;

use super::World;
use crate::file::File;
use crate::keypath::KeyPath;
use crate::keys::{Key, Kind, TOP};
use crate::value::{Number, Value};
use crate::yaml::{self, MAX_BYTES, MAX_DEPTH, MERGE};

/// Returns the one line that is said about a text that is not read at all.
fn refusal(bytes: Vec<u8>) -> String {
    let mut world = World::new("");
    world.texts[0].bytes = bytes;
    let problems = world.problems();
    assert_eq!(problems.len(), 1, "{problems:?}");
    problems[0].clone()
}

#[test]
fn more_than_the_cap_is_refused() {
    assert_eq!(
        refusal(vec![b'#'; MAX_BYTES + 1]),
        "c.yaml: larger than 8 MiB; move templates to files of their own"
    );
}

#[test]
fn what_is_not_utf_8_is_refused_at_its_place() {
    assert_eq!(refusal(b"vault:\n  address: \xff".to_vec()), "c.yaml:2:12: not UTF-8; save it as UTF-8");
}

#[test]
fn nesting_past_the_limit_is_refused_before_it_costs_anything() {
    let says = format!("nested deeper than {MAX_DEPTH} levels; flatten it");
    for deep in ["[", "{a: ", "- "] {
        let text = deep.repeat(1_000_000);
        assert!(refusal(text.into_bytes()).ends_with(&says), "{deep}");
    }
    let block: String = (0..200).map(|depth| format!("{}a:\n", " ".repeat(depth))).collect();
    assert!(refusal(block.into_bytes()).ends_with(&says));
}

#[test]
fn aliases_that_explode_are_refused() {
    let mut bomb = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
    for level in 1..30 {
        let below = format!("*a{}, ", level - 1).repeat(10);
        bomb.push_str(&format!("a{level}: &a{level} [{below}]\n"));
    }
    assert!(refusal(bomb.into_bytes()).contains("aliases expand to more than 8 MiB"));
    let wide = format!("a: &a {}\nb: [{}]\n", "x".repeat(MAX_BYTES / 8), "*a, ".repeat(9));
    assert!(refusal(wide.into_bytes()).contains("aliases expand to more than 8 MiB"));
    assert!(refusal(b"a: &a [*a]\n".to_vec()).contains("`*a` refers to no anchor above it"));
}

#[test]
fn thousands_of_mistakes_are_counted_and_the_first_are_shown() {
    let files = World::new(&format!("files: [{}]\n", "{a: 1}, ".repeat(1000))).problems();
    assert_eq!(files.len(), 201);
    assert!(files[200].ends_with("more problems are not shown; correct these first"), "{}", files[200]);
    assert_eq!(World::new(&"a: 1\n".repeat(1000)).problems().len(), 100);
    let entries = World::new(&format!("files: [{}]\n", "x, ".repeat(10_001))).problems();
    assert!(entries.iter().any(|problem| problem.contains("more than 10000 entries")), "{entries:?}");
}

/// A credential in a wrong place.
const CANARY: &str = "hunter2";

#[test]
fn no_credential_reaches_a_message_wherever_it_was_put() {
    let base = "vault: {address: 'https://v:8200'}\nauth: {method: kubernetes, role: web}\nfiles: [{path: /a, secret: kv/a}]\n";
    let texts = [
        "auth: {method: approle, role_id: 5, secret_id: hunter2, x: y}",
        "auth:\n  method: approle\n  role_id: hunter2\n  role_id_file: /x",
        "auth:\n  method: approle\n  secret_id: hunter2\n  secret_id: hunter2",
        "auth: {method: token, token: hunter2}",
        "auth: {method: token, token_env: 'hunter2='}",
        "auth: {method: userpass, username: u, password: hunter2}",
        "auth: {method: kubernetes, role: w, jwt_file: \"hunter2\\u0007\"}",
        "vault: {address: 'https://user:hunter2@v'}",
        "vault: {address: 'user:hunter2@v'}",
        "vault: {proxy: 'http://user:hunter2@v'}",
        "vault: {proxy: 'http:/user:hunter2@v'}",
        "vault: {adress: 'https://user:hunter2@v', timeout: 5}",
        "password: hunter2",
        "password: |\n  hunter2\n  hunter2",
        "notify: {a: {http: 'ftp://h/?token=hunter2'}, b: {command: [a, 5, hunter2]}}",
        "exec: {env: {A: hunter2}}",
        "log: {level: infos} # hunter2",
        "secret_id: \"hunter2",
        "secret_id: hunter2: hunter2",
        "- hunter2",
        "hunter2",
        "log: {level: x, hunter: 'hunter2'}",
        "a: &hunter hunter2\nb: *hunter3",
    ];
    for text in texts {
        let world = World::new(base).text("b.yaml", text);
        let rejected = world.read().expect_err(text);
        for problem in &rejected.problems {
            let json = serde_json::to_string(problem).expect("plain fields");
            let all = format!("{problem}\n{}\n{json}\n{problem:?}", problem.one_line());
            assert!(!all.contains(CANARY), "{text}\n{all}");
        }
        assert!(!rejected.ending().to_string().contains(CANARY), "{text}");
    }
}

#[test]
fn no_credential_of_the_environment_reaches_a_message_or_a_plan() {
    let base = "vault: {}\nauth: {method: token}\nfiles: [{path: /a, secret: kv/a}]\n";
    let world =
        World::new(base).var("VAULT_ADDR", "https://user:hunter2@v").var("VAULT_TOKEN", "hunter2 hunter2");
    let rejected = world.read().expect_err("an address with a password");
    assert_eq!(rejected.problems.len(), 2);
    assert!(!format!("{rejected:?}").contains(CANARY));
    let world = World::new(base).var("VAULT_ADDR", "https://v").var("VAULT_TOKEN", CANARY);
    assert!(!format!("{:?}", world.plan()).contains(CANARY));
}

/// Returns a value that a key of this kind accepts.
fn sample(kind: &Kind) -> String {
    match kind {
        Kind::Text | Kind::Word | Kind::TextOr(_) => "x".into(),
        Kind::Flag => "true".into(),
        Kind::Count => "1".into(),
        Kind::Rate => "0.5".into(),
        Kind::Duration => "1s".into(),
        Kind::Mode => "'0400'".into(),
        Kind::Choice(words) => words[0].into(),
        Kind::List(kind) => format!("[{}]", sample(kind)),
        Kind::Named(kind) => format!("{{x: {}}}", sample(kind)),
        Kind::Map(keys) => format!("{{{}}}", pairs(keys)),
    }
}

fn pairs(keys: &[Key]) -> String {
    keys.iter().map(|key| format!("{}: {}", key.name, sample(&key.kind))).collect::<Vec<_>>().join(", ")
}

/// Puts a map's text where the map stands.
type Wrap<'w> = &'w dyn Fn(String) -> String;

/// Visits all maps of the table, each with its place.
fn maps(keys: &'static [Key], wrap: Wrap<'_>, visit: &mut dyn FnMut(&'static [Key], Wrap<'_>)) {
    visit(keys, wrap);
    for key in keys {
        let below = |inner: String| wrap(format!("{{{}: {inner}}}", key.name));
        match &key.kind {
            Kind::Map(inner) => maps(inner, &below, visit),
            Kind::List(Kind::Map(inner)) => maps(inner, &|text| below(format!("[{text}]")), visit),
            Kind::Named(Kind::Map(inner)) => maps(inner, &|text| below(format!("{{x: {text}}}")), visit),
            _ => {}
        }
    }
}

#[test]
fn the_table_of_keys_and_the_types_know_the_same() {
    maps(TOP, &|text| text, &mut |keys, wrap| {
        let text = wrap(format!("{{{}}}", pairs(keys)));
        serde_yaml::from_str::<File>(&text).unwrap_or_else(|error| panic!("{text}: {error}"));
        let error =
            serde_yaml::from_str::<File>(&wrap("{no_such_key: 1}".into())).expect_err("unknown").to_string();
        let choices = keys.iter().filter_map(|key| match key.kind {
            Kind::Choice(words) => Some(words.iter().map(|word| format!("{{{}: {word}}}", key.name))),
            _ => None,
        });
        for text in choices.flatten().map(wrap) {
            serde_yaml::from_str::<File>(&text).unwrap_or_else(|error| panic!("{text}: {error}"));
        }
        for key in keys {
            let typed = error.contains(&format!("`{}`", key.name));
            assert!(typed, "{}: {error}", key.name);
        }
        let quoted = error.split_once("expected").map_or(0, |(_, names)| names.matches('`').count() / 2);
        assert_eq!(quoted, keys.len(), "{error}");
    });
}

/// Returns what serde_yaml makes of `text`, as a value of ours; `None` if it refuses the text.
fn theirs(text: &str) -> Option<Value> {
    let mut value: serde_yaml::Value = serde_yaml::from_str(text).ok()?;
    value.apply_merge().ok()?;
    Some(ours(&value))
}

fn ours(theirs: &serde_yaml::Value) -> Value {
    use serde_yaml::Value as Yaml;
    match theirs {
        Yaml::Null => Value::Null,
        Yaml::Bool(flag) => (*flag).into(),
        Yaml::Number(number) => Value::Number(match (number.as_u64(), number.as_i64()) {
            (Some(whole), _) => Number::Whole(whole),
            (_, Some(negative)) => Number::Negative(negative),
            _ => Number::Real(number.as_f64().expect("a number")),
        }),
        Yaml::String(text) => text.as_str().into(),
        Yaml::Sequence(items) => items.iter().map(ours).collect::<Vec<_>>().into(),
        Yaml::Mapping(map) => {
            let mut mapping = crate::value::Mapping::new();
            map.iter().for_each(|(key, value)| mapping.push(ours(key), ours(value)));
            mapping.into()
        }
        Yaml::Tagged(tagged) => Value::Tagged(Box::new(ours(&tagged.value))),
    }
}

/// Adds all paths of a value to `all`.
fn paths(value: &Value, at: &KeyPath, all: &mut Vec<KeyPath>) {
    all.push(at.clone());
    match value {
        Value::Mapping(map) => {
            for (key, value) in map.iter() {
                if let Some(key) = key.as_str() {
                    paths(value, &at.key(key), all);
                }
            }
        }
        Value::Sequence(items) => {
            for (index, item) in items.iter().enumerate() {
                paths(item, &at.index(index), all);
            }
        }
        _ => {}
    }
}

/// Pieces of which texts are made that come close to YAML.
fn yaml_like() -> impl Strategy<Value = String> {
    let piece = prop::sample::select(vec![
        "a",
        "b: ",
        "- ",
        "\n",
        "\n  ",
        "\n    ",
        "[",
        "]",
        "{",
        "}",
        ", ",
        ": ",
        "'",
        "\"",
        "|\n",
        ">-\n ",
        "&x ",
        "*x",
        "!t ",
        "# c\n",
        "---\n",
        "...\n",
        "? ",
        "<<: ",
        "\t",
        "\\",
        "é",
        "0440",
        "~",
        "%YAML 1.2\n",
        "@",
        "`",
        "\r\n",
        "\u{feff}",
        "\u{85}",
        "vault:\n  address: ",
        "files:\n  - path: x\n    ",
        "template: |\n      x\n",
    ]);
    // The mark of a byte order at the start is taken off before a text is read.
    prop::collection::vec(piece, 0..24)
        .prop_map(|pieces| pieces.concat().trim_start_matches('\u{feff}').to_owned())
}

#[test]
fn a_line_end_of_yaml_alone_cannot_make_an_excerpt_show_what_it_leaves_out() {
    for (end, message) in [
        ("\r", "a carriage return without a line feed"),
        ("\u{85}", "a line separator of Unicode"),
        ("\u{2028}", "a line separator of Unicode"),
        ("\u{2029}", "a line separator of Unicode"),
    ] {
        let text = format!(
            "vault: {{address: 'https://v:8200'}} # a{end}# b\nauth:\n  method: approle\n  rol: web\n  role_id: hunter2-hunter2\n"
        );
        let problems = World::empty().text("c.yaml", &text).read().expect_err("a mistake").problems;
        let shown: Vec<String> = problems.iter().map(ToString::to_string).collect();
        assert!(!shown.concat().contains("hunter2"), "{end:?}: {shown:#?}");
        assert!(shown[0].starts_with(&format!("c.yaml:1:39: {message}; ")), "{end:?}: {shown:#?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_text_panics_and_every_problem_has_a_place(text in yaml_like()) {
        let world = World::new(&text);
        if let Err(rejected) = world.read() {
            for problem in rejected.problems {
                prop_assert!(problem.place.source == "c.yaml" && problem.place.line.is_some(), "{problem:?}");
                prop_assert!(!problem.to_string().is_empty());
            }
        }
    }

    #[test]
    fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let mut world = World::new("");
        world.texts[0].bytes = bytes;
        prop_assert!(world.read().is_err());
    }

    /// A value without a place would be shown at the place of another.
    #[test]
    fn every_value_has_a_place_and_is_what_serde_yaml_finds(text in yaml_like()) {
        let Ok((marks, value)) = yaml::read(&text) else { return Ok(()) };
        let mut all = Vec::new();
        paths(&value, &KeyPath::top(), &mut all);
        for path in all {
            prop_assert_eq!(marks.find(&path).steps, path.steps().len(), "{} of {:?}", path, text);
        }
        // serde_yaml leaves the merge key of a map that is itself merged.
        if let Some(theirs) = theirs(&text).filter(|theirs| !format!("{theirs:?}").contains(MERGE)) {
            prop_assert_eq!(value, theirs, "{:?}", text);
        }
    }

    /// What serde_yaml reads, we read, too: a configuration that worked with it must go on working.
    #[test]
    fn what_serde_yaml_reads_is_refused_for_a_reason_of_ours_only(text in yaml_like()) {
        let (Err(flaws), Some(_)) = (yaml::read(&text), theirs(&text)) else { return Ok(()) };
        if text.trim().is_empty() {
            return Ok(());
        }
        let ours = ["stands here twice", "not text", "opens two maps", "a second YAML document", "line separator",
            "control character", "line feed"];
        let known = |message: &str| ours.iter().any(|reason| message.contains(reason));
        prop_assert!(flaws.iter().all(|flaw| known(&flaw.message)), "{:?}: {:?}", text, flaws);
    }

    #[test]
    fn a_duration_is_never_longer_than_what_clocks_can_add(text in "[0-9]{1,22}(ns|us|ms|s|m|h|d|w|M|y)") {
        if let Ok(duration) = crate::scalars::duration(&text) {
            prop_assert!(duration <= Duration::from_secs(10 * 366 * 86_400));
        }
    }
}

#[test]
fn a_block_at_the_very_end_is_the_key_that_it_is() {
    for text in
        ["? |\n\n  a", "? |\n  a\n", "? >+\n  a", "? |\n  é\n: b", "? |\n  a\n: |\n  b", "a: |\n  b", "a: |"]
    {
        let (marks, value) = yaml::read(text).expect("YAML");
        assert_eq!(Some(&value), theirs(text).as_ref(), "{text:?}");
        let mut all = Vec::new();
        paths(&value, &KeyPath::top(), &mut all);
        for path in all {
            assert_eq!(marks.find(&path).steps, path.steps().len(), "{path} of {text:?}");
        }
    }
}

#[test]
fn maps_that_are_merged_may_merge_others() {
    let (_, value) =
        yaml::read("a: &a {x: 1, y: 1}\nb: &b {<<: *a, y: 2}\nc: {<<: [*b], z: 3}").expect("YAML");
    let c = value.get("c").expect("there");
    let number = |key| c.get(key).cloned();
    let wanted = [("x", 1u64), ("y", 2), ("z", 3)];
    assert!(wanted.into_iter().all(|(key, value)| number(key) == Some(value.into())), "{c:?}");
}
