//! Translates envconsul's configuration, as far as it is about Vault: the variables of a process.

use super::draft::Origin;
use super::kinds;
use super::stanza::{Block, Desk, Row, Stanza, To, row};
use super::tree::Item;
use super::{exec, log, vault};
use crate::keypath::KeyPath;
use crate::plan::Spread;

const CONSUL: (&str, &str) = ("Leasehold does not ask Consul", "take it out");

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
            "variables out of Consul: Leasehold does not ask Consul",
            "put the values into Vault, or set them otherwise",
        ),
    ),
    row(
        "service",
        To::Refused(
            "variables out of Consul: Leasehold does not ask Consul",
            "put the values into Vault, or set them otherwise",
        ),
    ),
    row(
        "pristine",
        To::Lost(
            "the process gets Leasehold's environment, without its credentials",
            "start Leasehold through `env -i`",
        ),
    ),
    row("pristine_except", To::Moot("the process gets Leasehold's environment, without its credentials")),
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

/// The way in which all names are changed.
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

/// Makes one variable for each key that the block names, or for every key of the secret.
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
    let no_prefix = stanza.get("no_prefix").and_then(|item| desk.read(stanza, item, &home, kinds::flag));
    let prefix = (no_prefix != Some(true)).then(|| sanitized(path.trim_matches('/')));
    let format = read("format", desk);
    if keys.is_empty() {
        return all_keys(stanza, &path, prefix.as_deref(), format.as_deref(), spelling, desk);
    }
    for key in &keys {
        desk.walk(&key.stanza, KEY, &home);
        variable(&key.stanza, &path, prefix.as_deref(), format.as_deref(), spelling, desk);
    }
}

/// Makes a variable of every key of a secret: each by its name if the server was asked for them, and otherwise as
/// they come.
fn all_keys(
    stanza: &Stanza<'_>,
    path: &str,
    prefix: Option<&str>,
    format: Option<&str>,
    spelling: &Spelling,
    desk: &mut Desk<'_>,
) {
    let home = KeyPath::of(&["exec", "env"]);
    let format = format.filter(|format| !format.is_empty());
    let Some(around) = format.map_or(Some(<(String, String)>::default()), Spread::around) else {
        let hint = "write a name with one {{ key }} in it, or name each: key { name = \"…\" format = \"…\" }";
        let told = ("a format that is more than `{{ key }}`".to_owned(), hint.to_owned());
        return desk.refuse(stanza.at, stanza.path("format"), &home, told);
    };
    let prefix = prefix.map(|prefix| format!("{prefix}_")).unwrap_or_default();
    let Spelling { sanitize, upcase } = *spelling;
    let spread = Spread { prefix, around, sanitize, upcase };
    let here = Origin { key: stanza.at, value: stanza.at, lies: super::tree::Lies::Somewhere };
    let path = path.trim_matches('/');
    if let Some(keys) = desk.keys.and_then(|keys| keys.get(path)) {
        for key in keys {
            let at = home.key(&spread.name(key)).key("secret");
            desk.draft.put(&at, format!("{path}#{key}"), Some(here));
        }
        return;
    }
    let mut label = sanitized(path);
    while desk.draft.get(&home.key(&label)).is_some() {
        label.push('_');
    }
    let home = home.key(&label);
    desk.draft.put(&home.key("from"), path, Some(here));
    if !spread.prefix.is_empty() {
        desk.draft.put(&home.key("prefix"), spread.prefix, None);
    }
    if let Some(format) = format {
        desk.draft.put(&home.key("format"), format, None);
    }
    for (key, _) in [("sanitize", sanitize), ("upcase", upcase)].iter().filter(|(_, wanted)| *wanted) {
        desk.draft.put(&home.key(key), true, None);
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

/// Returns the template of a format, which has one value, `{{ key }}`.
fn formatted(format: Option<&str>, plain: String) -> Option<String> {
    let Some(format) = format.filter(|format| !format.is_empty()) else { return Some(plain) };
    if !format.contains("{{") {
        return Some(format.to_owned());
    }
    Spread::around(format).map(|(before, after)| format!("{before}{plain}{after}"))
}

fn odd_format(key: &Stanza<'_>, item: &Item, desk: &mut Desk<'_>) {
    let hint = "write the variable's name, or a name with one {{ key }} in it";
    desk.mistake(item.at, key.path("format"), "a format that is more than `{{ key }}`", hint);
}

/// Changes a name by envconsul's own rule.
fn sanitized(name: &str) -> String {
    Spread::sanitized(name)
}
