//! `exec`: the process to run. Vault Agent gives it variables, consul-template files.

use crate::value::Mapping;

use super::draft::Origin;
use super::kinds;
use super::stanza::{Block, Desk, Row, Stanza, To, row};
use super::template::{self, Habits};
use super::tree::Lies;
use super::wait;
use crate::keypath::KeyPath;

const AGENT: &[Row] = &[
    row("command", To::Own),
    row("restart_on_secret_changes", To::Own),
    row("restart_stop_signal", To::Own),
    row("child_process_stdout", To::Lost(OUTPUT.0, OUTPUT.1)),
    row("child_process_stderr", To::Lost(OUTPUT.0, OUTPUT.1)),
];

const OUTPUT: (&str, &str) = (
    "the process writes where Leasehold does",
    "let the container runtime or the journal keep it, or run it through a shell: sh -c 'exec app >file'",
);

const ENV_TEMPLATE: &[Row] = &[
    row("contents", To::Own),
    row("source", To::Path(&["template_file"])),
    row("error_on_missing_key", To::Own),
    row("error_fatal", To::Moot("a template that fails leaves the process as it is")),
    row("left_delimiter", To::Own),
    row("right_delimiter", To::Own),
    row("function_denylist", To::Own),
    row("function_blacklist", To::Own),
];

fn home() -> KeyPath {
    KeyPath::of(&["exec"])
}

/// Makes `exec` of Vault Agent's `exec` and `env_template`.
pub(super) fn agent(top: &Stanza<'_>, desk: &mut Desk<'_>) {
    for block in top.labelled("env_template", desk) {
        variable(&block, desk);
    }
    let Some(exec) = top.only("exec", desk) else { return };
    desk.walk(&exec, AGENT, &home());
    command(&exec, desk);
    signal(&exec, "restart_stop_signal", "stop_signal", desk);
    if let Some(item) = exec.get("restart_on_secret_changes") {
        let at = home().key("on_change");
        let word = desk.read(&exec, item, &at, kinds::text);
        let ours = match word.as_deref() {
            Some("always") => "restart",
            Some("never") => "ignore",
            Some(_) => {
                let bad = ("unknown value".to_owned(), "use one of always, never".to_owned());
                return desk.refuse(item.value.at, exec.path("restart_on_secret_changes"), &at, bad);
            }
            None => return,
        };
        desk.draft.put(&at, ours, Some(Origin::of(item)));
    }
}

fn variable(block: &Block<'_>, desk: &mut Desk<'_>) {
    let stanza = &block.stanza;
    let Some((name, at)) = block.label else {
        let hint = "write env_template \"DB_PASSWORD\" { … }";
        return desk.mistake(stanza.at, stanza.name.clone(), "a variable without a name", hint);
    };
    let home = home().key("env").key(name);
    if desk.draft.get(&home).is_some() {
        let hint = "a variable has one value: remove one";
        return desk.mistake(at, stanza.name.clone(), "a variable that is there already", hint);
    }
    let here = Origin { key: stanza.at, value: at, lies: Lies::Somewhere };
    desk.draft.put(&home, Mapping::new(), Some(here));
    desk.walk(stanza, ENV_TEMPLATE, &home);
    if let Some(item) = stanza.get("contents") {
        desk.text(stanza, item, &home.key("template"));
    }
    template::manner(stanza, &Habits::default(), &home, desk);
}

const CONSUL_TEMPLATE: &[Row] = &[
    row("command", To::Own),
    row("enabled", To::Own),
    row("env", To::Own),
    row("kill_signal", To::Own),
    row("kill_timeout", To::Duration(&["stop_timeout"])),
    row("reload_signal", To::Own),
    row("splay", To::Duration(&["splay"])),
    row("timeout", To::Moot("the process runs as long as it runs")),
];

const ENV: (&str, &str) = (
    "the process gets Leasehold's environment, without its credentials",
    "start it through `env -i` or `env -u NAME`, or set variables in `exec.env`",
);

const ENVIRONMENT: &[Row] = &[
    row("pristine", To::Lost(ENV.0, ENV.1)),
    row("custom", To::Own),
    row("allowlist", To::Lost(ENV.0, ENV.1)),
    row("denylist", To::Lost(ENV.0, ENV.1)),
    row("whitelist", To::Lost(ENV.0, ENV.1)),
    row("blacklist", To::Lost(ENV.0, ENV.1)),
];

/// Makes `exec` of consul-template's or envconsul's; its own stop signal is `stop`.
pub(super) fn consul_template(top: &Stanza<'_>, stop: &str, desk: &mut Desk<'_>) {
    let Some(exec) = top.only("exec", desk) else { return };
    desk.walk(&exec, CONSUL_TEMPLATE, &home());
    let enabled = exec.get("enabled").and_then(|item| desk.read(&exec, item, &home(), kinds::flag));
    if enabled == Some(false) {
        return;
    }
    // It may stand on the command line, as there.
    if exec.get("command").is_some_and(|item| kinds::text(&item.value).as_deref() != Ok("")) {
        command(&exec, desk);
    }
    if let Some(env) = exec.only("env", desk) {
        desk.walk(&env, ENVIRONMENT, &home());
        custom(&env, desk);
    }
    signal(&exec, "reload_signal", "on_change", desk);
    signal(&exec, "kill_signal", "stop_signal", desk);
    desk.draft.put_default(&["exec", "stop_signal"], stop);
}

/// Makes the variables that are written down: each is a template without an action.
fn custom(env: &Stanza<'_>, desk: &mut Desk<'_>) {
    let Some(item) = env.get("custom") else { return };
    let home = home().key("env");
    for word in desk.read(env, item, &home, kinds::texts).unwrap_or_default() {
        let Some((name, value)) = word.split_once('=').filter(|(name, _)| !name.is_empty()) else {
            let hint = "write it like [\"NAME=value\"]";
            desk.mistake(item.value.at, env.path("custom"), "a variable without a `=` and a name", hint);
            continue;
        };
        let text = value.replace("{{", "{{ \"{{\" }}");
        desk.draft.put(&home.key(name).key("template"), text, Some(Origin::of(item)));
    }
}

fn command(exec: &Stanza<'_>, desk: &mut Desk<'_>) {
    match exec.get("command") {
        Some(item) => desk.set(exec, item, &home().key("command"), kinds::command),
        None => desk.mistake(exec.at, exec.path("command"), "`exec` without a `command`", "name a program"),
    }
}

/// Sets a signal from their word for it. An empty one is none.
fn signal(exec: &Stanza<'_>, theirs: &str, ours: &str, desk: &mut Desk<'_>) {
    let given = exec.get(theirs).filter(|item| kinds::text(&item.value).as_deref() != Ok(""));
    if let Some(item) = given {
        desk.set(exec, item, &home().key(ours), kinds::text);
    }
}

/// Sets the quiescence of a whole configuration for the variables.
pub(super) fn wait_for_all(top: &Stanza<'_>, desk: &mut Desk<'_>) {
    wait::for_all(top, &home().key("wait"), desk);
}
