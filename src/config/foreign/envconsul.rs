//! envconsul's configuration, so far as it is about Vault: the variables of a process.

use super::draft::Origin;
use super::kinds;
use super::stanza::{Block, Desk, Row, Stanza, To, row};
use super::tree::Item;
use super::{exec, log, vault};
use crate::config::keypath::KeyPath;

const CONSUL: (&str, &str) = ("there is no Consul here", "take it out");

pub(super) const TOP: &[Row] = &[
    row("vault", To::Own),
    row("secret", To::Own),
    row("exec", To::Own),
    row("upcase", To::Own),
    row("sanitize", To::Own),
    row("wait", To::Own),
    row("log_level", To::Own),
    row(
        "prefix",
        To::Refused(
            "variables out of Consul: there is no Consul here",
            "put the values into Vault, or set them otherwise",
        ),
    ),
    row(
        "service",
        To::Refused(
            "variables out of Consul: there is no Consul here",
            "put the values into Vault, or set them otherwise",
        ),
    ),
    row(
        "pristine",
        To::Lost(
            "the process gets our environment, less our own credentials",
            "start Leasehold through `env -i`",
        ),
    ),
    row("pristine_except", To::Moot("the process gets our environment, less our own credentials")),
    row("consul", To::Lost(CONSUL.0, CONSUL.1)),
    row("token", To::Lost(CONSUL.0, CONSUL.1)),
    row("auth", To::Lost(CONSUL.0, CONSUL.1)),
    row("ssl", To::Lost(CONSUL.0, CONSUL.1)),
    row("retry", To::Moot(CONSUL.0)),
    row("max_stale", To::Moot(CONSUL.0)),
    row("once", To::Lost("the process is supplied for as long as it runs", "take it out")),
    row("reload_signal", To::Lost("HUP has Leasehold read everything again", "send HUP")),
    row("kill_signal", To::Lost("TERM and INT stop Leasehold", "send these")),
    row("pid_file", To::Lost("Leasehold writes no pid file", "ask the service manager")),
    row("syslog", To::Lost("Leasehold logs to standard error", "let the journal keep it")),
    row("log_file", To::Lost("Leasehold logs to standard error", "let the journal keep it")),
];

const SECRET: &[Row] =
    &[row("path", To::Own), row("no_prefix", To::Own), row("format", To::Own), row("key", To::Own)];

const KEY: &[Row] = &[row("name", To::Own), row("format", To::Own)];

/// How all names are changed.
struct Spelling {
    sanitize: bool,
    upcase: bool,
}

/// Makes ours of the whole of it.
pub(super) fn convert(top: &Stanza<'_>, desk: &mut Desk<'_>) {
    desk.walk(top, TOP, &KeyPath::top());
    vault::consul_template(top, desk);
    exec::consul_template(top, "TERM", desk);
    let mut flag = |key: &str| {
        let item = top.get(key);
        item.and_then(|item| desk.read(top, item, &KeyPath::top(), kinds::flag)) == Some(true)
    };
    let spelling = Spelling { sanitize: flag("sanitize"), upcase: flag("upcase") };
    let consul = ["prefix", "service"].iter().any(|key| top.get(key).is_some());
    if consul {
        desk.draft.broken(&KeyPath::of(&["exec", "env"]));
    }
    for block in top.blocks("secret", desk) {
        secret(&block, &spelling, desk);
    }
    exec::wait_for_all(top, desk);
    log::convert(top, desk);
    desk.draft.put_default(&["log", "level"], "warn");
}

/// One variable for each key that the block names. envconsul takes all keys that it finds; here each
/// is named, so that what somebody adds to a secret does not become a variable of a process.
fn secret(block: &Block<'_>, spelling: &Spelling, desk: &mut Desk<'_>) {
    let stanza = &block.stanza;
    let home = KeyPath::of(&["exec", "env"]);
    desk.walk(stanza, SECRET, &home);
    let read = |key: &str, desk: &mut Desk<'_>| {
        stanza.get(key).and_then(|item| desk.read(stanza, item, &home, kinds::text))
    };
    let Some(path) = read("path", desk).filter(|path| !path.is_empty()) else {
        return desk.mistake(stanza.at, stanza.path("path"), "a secret without a `path`", "say which");
    };
    let keys = stanza.blocks("key", desk);
    if keys.is_empty() {
        let hint = format!(
            "name them: exec: {{env: {{NAME: {{secret: \"{path}#key\"}}}}}}, or here: key {{ name = \"…\" format = \"…\" }}"
        );
        let told = ("every key of a secret as a variable: Leasehold wants each named".to_owned(), hint);
        return desk.refuse(stanza.at, stanza.name.clone(), &home, told);
    }
    let no_prefix = stanza.get("no_prefix").and_then(|item| desk.read(stanza, item, &home, kinds::flag));
    let prefix = (no_prefix != Some(true)).then(|| sanitized(&path));
    let format = read("format", desk);
    for key in &keys {
        desk.walk(&key.stanza, KEY, &home);
        variable(&key.stanza, &path, prefix.as_deref(), format.as_deref(), spelling, desk);
    }
}

fn variable(
    key: &Stanza<'_>,
    path: &str,
    prefix: Option<&str>,
    format: Option<&str>,
    spelling: &Spelling,
    desk: &mut Desk<'_>,
) {
    let home = KeyPath::of(&["exec", "env"]);
    let own = key.get("format").and_then(|item| desk.read(key, item, &home, kinds::text));
    let Some(item) = key.get("name") else {
        return desk.mistake(key.at, key.path("name"), "a key without a `name`", "say which");
    };
    let Some(name) = desk.read(key, item, &home, kinds::text) else { return };
    let plain = prefix.map_or_else(|| name.clone(), |prefix| format!("{prefix}_{name}"));
    let Some(mut variable) = formatted(own.as_deref().or(format), plain) else {
        return odd_format(key, item, desk);
    };
    if spelling.sanitize {
        variable = sanitized(&variable);
    }
    if spelling.upcase {
        variable = variable.to_uppercase();
    }
    let at = home.key(&variable).key("secret");
    desk.draft.put(&at, format!("{path}#{name}"), Some(Origin::of(item)));
}

/// A format is a template with one value, `{{ key }}`.
fn formatted(format: Option<&str>, plain: String) -> Option<String> {
    let Some(format) = format.filter(|format| !format.is_empty()) else { return Some(plain) };
    let Some((before, rest)) = format.split_once("{{") else { return Some(format.to_owned()) };
    let (inner, after) = rest.split_once("}}")?;
    (inner.trim() == "key" && !after.contains("{{")).then(|| format!("{before}{plain}{after}"))
}

fn odd_format(key: &Stanza<'_>, item: &Item, desk: &mut Desk<'_>) {
    let hint = "write the variable's name, or a name with one {{ key }} in it";
    desk.mistake(item.at, key.path("format"), "a format that is more than `{{ key }}`", hint);
}

/// envconsul's own rule for names.
fn sanitized(name: &str) -> String {
    name.chars().map(|c| if c.is_ascii_alphanumeric() || c == '_' { c } else { '_' }).collect()
}
