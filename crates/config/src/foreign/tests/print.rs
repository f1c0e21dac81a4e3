//! The YAML of `leasehold convert`.

use super::{HEAD, converted, without_places};
use crate::tests::World;

/// Texts that a YAML writer can get wrong.
const ODD: &[&str] = &[
    "plain",
    "{{ with secret \"kv/a\" }}{{ end }}",
    "a\nb\n",
    "a\nb",
    "a\n\n\n",
    "\na\n",
    "  indented\nless\n",
    "\ttab\n\tmore\t \n",
    "trailing \n  spaces  \n\n x",
    " \n",
    "\n",
    "",
    " ",
    "a: b # c\n- d\n",
    "---\n...\n",
    "%x\n",
    "\u{85}next\u{2028}line\nx",
    "é 😀\n\u{feff}bom",
    "nul\u{0}bell\u{7}del\u{7f}\n",
    "cr\r\nlf\n",
    "true",
    "No",
    "~",
    "0600",
    "1e3",
    "=",
    "\"quotes\" 'and' \\back\\",
    "*alias &anchor !tag",
    "a\n b\n  c\n",
    "{{ env \"B\" }}\n\n  \n",
    "# not a comment\nx",
    "ends with spaces   ",
];

fn as_json(text: &str) -> String {
    let json = serde_json::to_string(text).expect("a string");
    let raw = |c: char| matches!(c, '\u{7f}'..='\u{9f}' | '\u{2028}' | '\u{2029}' | '\u{feff}');
    let escaped = |c: char| if raw(c) { format!("\\u{:04x}", c as u32) } else { c.to_string() };
    json.chars().map(escaped).collect()
}

#[test]
fn what_is_printed_loads_to_the_same_plan_whatever_the_template() {
    for (index, odd) in ODD.iter().enumerate() {
        for wrap in ["{}", "{{- /* c */ -}}\n{}", "{}\n{{ env \"A\" }}\n", "  {}{{ env \"A\" }}"] {
            let text = wrap.replacen("{}", odd, 1);
            let json = format!(
                r#"{{"vault": {{"address": "https://v:8200"}},
                "auto_auth": {{"method": {{"type": "kubernetes", "config": {{"role": "web"}}}}}},
                "template": [
                  {{"contents": {text}, "destination": "/o/a", "error_on_missing_key": true}},
                  {{"contents": "second", "destination": "/o/b", "command": {command}, "perms": "0600"}}
                ]}}"#,
                text = as_json(&text),
                command = as_json(&text.replace('\0', "")),
            );
            same(&[("agent.json", &json)], index);
        }
    }
}

fn same(texts: &[(&str, &str)], case: usize) {
    let theirs = texts.iter().fold(World::empty(), |world, (name, text)| world.text(name, text)).plan();
    let yaml = converted(texts).yaml;
    let ours = World::empty().text("converted.yaml", &yaml);
    let (ours, _) = ours.read().unwrap_or_else(|rejected| panic!("{case}: {:?}\n{yaml}", rejected.problems));
    assert_eq!(theirs.digest, ours.digest, "{case}:\n{yaml}");
    let told = |plan| format!("{:?}", without_places(plan));
    assert_eq!(told(theirs), told(ours), "{case}:\n{yaml}");
}

/// One key with its value of each kind that a `template` can have.
const KEYS: [&str; 12] = [
    "perms = 0640",
    "perms = \"600\"",
    "user = \"0\" group = 7",
    "error_on_missing_key = true",
    "left_delimiter = \"[[\" right_delimiter = \"]]\"",
    "function_denylist = [\"env\", \"file\"]",
    "command = \"systemctl reload app\"",
    "command = [\"/bin/true\"] command_timeout = \"5s\"",
    "exec { command = \"a b\" splay = \"3s\" timeout = \"1m\" }",
    "wait { min = \"1s\" max = \"90s\" }",
    "wait = \"2s\"",
    "backup = true create_dest_dirs = false",
];

const TOPS: [&str; 5] = [
    "template_config { static_secret_render_interval = \"90s\" max_connections_per_host = 3 }\n",
    "log_level = \"debug\"\nlog_format = \"standard\"\n",
    "pid_file = \"/run/x\"\n",
    "cache {}\n",
    "exit_after_auth = true\n",
];

const METHODS: [&str; 4] = [
    "method \"kubernetes\" { namespace = \"a/b\" config = { role = \"web\" } }",
    "method \"jwt\" { mount_path = \"auth/east/jwt\" config = { role = \"web\" path = \"j\" } }",
    "method \"approle\" { config = { role_id_file_path = \"/r\" secret_id_file_path = \"/s\" } }",
    "method \"token_file\" { config = { token_file_path = \"/t\" } }",
];

proptest::proptest! {
    #[test]
    fn what_is_printed_loads_to_the_same_plan_whatever_was_configured(
        address in proptest::sample::select(vec!["https://v:8200", "http://127.0.0.1:8200/x", "http://v"]),
        method in proptest::sample::select(METHODS.to_vec()),
        tops in proptest::sample::subsequence(TOPS.to_vec(), 0..=TOPS.len()),
        files in proptest::collection::vec(proptest::sample::subsequence(KEYS.to_vec(), 0..4), 1..5),
    ) {
        let mut text = format!("vault {{ address = \"{address}\" }}\nauto_auth {{ {method} }}\n{}", tops.concat());
        for (index, keys) in files.iter().enumerate() {
            // No key stands twice.
            let mut seen = std::collections::BTreeSet::new();
            let keys: Vec<&str> = keys.iter().copied().filter(|key| seen.insert(key.split(' ').next())).collect();
            let keys = keys.join("\n  ");
            text += &format!("template {{\n  destination = \"/o/{index}\"\n  contents = \"x {index}\\n\"\n  {keys}\n}}\n");
        }
        same(&[("agent.hcl", &text)], 0);
    }

    #[test]
    fn no_bytes_panic(bytes in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..200)) {
        let texts = [crate::read::Text { name: "a.hcl".into(), bytes }];
        let _any = super::convert(&texts, std::path::Path::new("/"), &|_| Err(std::io::ErrorKind::NotFound.into()), None);
    }

    #[test]
    fn no_tokens_panic(tokens in proptest::collection::vec(proptest::sample::select(vec![
        "vault", "auto_auth", "template", "method", "sink", "config", "exec", "env_template", "secret", "key", "wait",
        "{", "}", "[", "]", "=", ",", "\"", "\n", " ", "\"x\"", "\"1s\"", "0600", "-1", "1.5", "true", "<<E\nx\nE\n",
        "<<-E", "type", "path", "contents", "command", "perms", "#", "/*", "${",
    ]), 0..60)) {
        let text = tokens.join(" ");
        let texts = [crate::read::Text { name: "a.hcl".into(), bytes: text.clone().into_bytes() }];
        let _any = super::convert(&texts, std::path::Path::new("/"), &|_| Err(std::io::ErrorKind::NotFound.into()), None);
        let _any = World::empty().text("a.hcl", &text).read();
    }
}

#[test]
fn what_is_refused_is_never_crowded_out() {
    let lost = "template { contents = \"x\" destination = \"/x\" backup = true }\n".repeat(2_000);
    let text =
        format!("{HEAD}{lost}template {{ contents = \"x\" destination = \"/y\" sandbox_path = \"/z\" }}\n");
    let problems = converted(&[("agent.hcl", &text)]).problems;
    assert_eq!(problems.len(), 1_001);
    assert_eq!(problems[1_000].severity, crate::Severity::Error);
}

/// This took more than a minute while each mistake was looked for among all others.
#[test]
fn thousands_of_mistakes_take_no_longer_each_than_a_few() {
    let problems =
        converted(&[("agent.hcl", &format!("{HEAD}{}", "template { }\n".repeat(30_000)))]).problems;
    assert_eq!((problems.len(), problems[0].message.as_str()), (1_000, "a template without `destination`"));
}

#[test]
fn a_page_says_everything_where_it_stands() {
    let text = format!(
        "{HEAD}pid_file = \"/run/x\"\ncache {{}}\ntemplate {{\n  destination = \"/etc/app.env\"\n  backup = true\n  contents = <<EOT\n{{{{ with secret \"kv/a\" }}}}\nA={{{{ .Data.a }}}}\n{{{{ end }}}}\nEOT\n  command = \"systemctl reload app\"\n}}\ntemplate {{ contents = \"x\" destination = \"/y\" sandbox_path = \"/z\" }}\n"
    );
    let converted = converted(&[("agent.hcl", &text)]);
    assert_eq!(
        converted.yaml,
        r#"# From agent.hcl by `leasehold convert`.
# What the other program does by default is written out, so that it can be tightened:
# `missing_key: error`, `mode: "0440"`, `require_tmpfs: true`, `revoke: true`.
# lost: `pid_file` (agent.hcl:3:1): Leasehold writes no pid file; ask the service manager, or signal the container
# not needed: `cache` (agent.hcl:4:1): each path is read once, however many templates use it
vault:
  address: "https://v:8200"
  timeout: 60s
auth:
  method: kubernetes
  role: web
require_tmpfs: false
defaults:
  mode: "0644"
  refresh: 5m
  missing_key: zero
files:
  # lost: `template[0].backup` (agent.hcl:7:3): no copy of the file before is kept: nothing would ever remove that secret; a new file is put in place of the old in one step
  - path: /etc/app.env
    template: |
      {{ with secret "kv/a" }}
      A={{ .Data.a }}
      {{ end }}
    notify: [command-1]
  # REFUSED: `template[1].sandbox_path` (agent.hcl:15:46): Leasehold cannot confine `file` to a folder, and without that a template could read more; take `file` away with `function_denylist = ["file"]`, or take this out
  - path: /y
    template: x
    notify: []
notify:
  command-1:
    # note: `command` (agent.hcl:13:3): run by `sidecar` and `exec` at every change; `init` does not run it; write `on_init: true` where `init` should
    command: [sh, "-c", "systemctl reload app"]
    timeout: 30s
shutdown:
  revoke: false
"#
    );
    let lines: Vec<String> = converted.problems.iter().map(crate::Problem::one_line).collect();
    assert_eq!(lines.len(), 4, "{lines:?}");
}

#[test]
fn what_is_ours_already_is_not_converted() {
    let texts = [crate::read::Text { name: "c.yaml".into(), bytes: b"vault: {}".to_vec() }];
    let rejected = super::convert(
        &texts,
        std::path::Path::new("/"),
        &|_| Err(std::io::ErrorKind::NotFound.into()),
        None,
    )
    .expect_err("ours");
    assert_eq!(
        rejected.problems[0].one_line(),
        "c.yaml: not a configuration of Vault Agent, consul-template or envconsul; Leasehold's own needs no conversion; HCL is known by .hcl"
    );
}
