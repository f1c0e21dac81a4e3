//! Translates consul-template's configuration, as far as it is about Vault.

use super::stanza::{Desk, Row, Stanza, To, row};
use super::template::Habits;
use super::{exec, kinds, log, template, vault};
use crate::keypath::KeyPath;

const CONSUL: (&str, &str) =
    ("Leasehold does not ask Consul", "take it out; a template that asks Consul is refused with its place");

const OWN_SIGNALS: (&str, &str) = (
    "Leasehold's own signals are fixed: TERM and INT stop it, HUP has it read everything again",
    "send these",
);

pub(super) const TOP: &[Row] = &[
    row("vault", To::Own),
    row("template", To::Own),
    row("exec", To::Own),
    row("wait", To::Own),
    row("log_level", To::Own),
    row("default_left_delimiter", To::Own),
    row("default_right_delimiter", To::Own),
    row("left_delimiter", To::Own),
    row("right_delimiter", To::Own),
    row("consul", To::Lost(CONSUL.0, CONSUL.1)),
    row("nomad", To::Lost("Leasehold does not ask Nomad", CONSUL.1)),
    row("token", To::Lost(CONSUL.0, CONSUL.1)),
    row("auth", To::Lost(CONSUL.0, CONSUL.1)),
    row("ssl", To::Lost(CONSUL.0, CONSUL.1)),
    row("retry", To::Moot(CONSUL.0)),
    row("max_stale", To::Moot(CONSUL.0)),
    row("block_query_wait", To::Moot(CONSUL.0)),
    row("deduplicate", To::Moot(CONSUL.0)),
    row("reload_signal", To::Lost(OWN_SIGNALS.0, OWN_SIGNALS.1)),
    row("kill_signal", To::Lost(OWN_SIGNALS.0, OWN_SIGNALS.1)),
    row("dump_signal", To::Lost("Leasehold dumps no core", "send USR1: it writes its status to the log")),
    row(
        "pid_file",
        To::Lost("Leasehold writes no pid file", "ask the service manager, or signal the container"),
    ),
    row(
        "syslog",
        To::Lost("Leasehold logs to standard error", "let the container runtime or the journal keep it"),
    ),
    row(
        "log_file",
        To::Lost("Leasehold logs to standard error", "let the container runtime or the journal keep it"),
    ),
    row(
        "telemetry",
        To::Lost("metrics are not pushed", "have them scraped: `listen: 127.0.0.1:9110` serves /metrics"),
    ),
    row(
        "once",
        To::Lost(
            "`leasehold sidecar` goes on when everything is rendered",
            "run `leasehold init`, which ends then, and runs the templates' commands before",
        ),
    ),
    row("parse_only", To::Lost("`leasehold` runs what it is told", "run `leasehold check`")),
    row("template_error_fatal", To::Moot("a template that fails keeps its file as it was")),
    row("err_on_failed_lookup", To::Moot("a path that is not there is an error")),
];

/// Makes ours of the whole of it.
pub(super) fn convert(top: &Stanza<'_>, desk: &mut Desk<'_>) {
    desk.walk(top, TOP, &KeyPath::top());
    vault::consul_template(top, desk);
    exec::consul_template(top, "INT", desk);
    let delimiter = |side: &str| {
        let keys = [format!("default_{side}_delimiter"), format!("{side}_delimiter")];
        let item = keys.iter().find_map(|key| top.get(key))?;
        kinds::text(&item.value).ok().filter(|text| !text.is_empty())
    };
    let ends = top.get("once").is_some_and(|item| kinds::flag(&item.value) == Ok(true));
    let habits = Habits { ends, wait: Some(top), delimiters: [delimiter("left"), delimiter("right")] };
    template::convert(top, &habits, desk);
    log::convert(top, desk);
    desk.draft.put_default(&["log", "level"], "warn");
}
