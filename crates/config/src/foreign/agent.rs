//! Vault Agent's and OpenBao Agent's configuration.

use super::stanza::{Desk, Row, Stanza, To, row};
use super::template::Habits;
use super::{auth, exec, kinds, listener, log, template, vault};
use crate::keypath::KeyPath;

const STANDARD_ERROR: (&str, &str) =
    ("Leasehold logs to standard error", "let the container runtime or the journal keep it");

const PROXY: (&str, &str) = (
    "Leasehold is not a proxy: applications that ask it for secrets would get no answer",
    "give them files or variables, or keep Vault Agent or Vault Proxy for them; take this out where no application asks",
);

pub(super) const TOP: &[Row] = &[
    row("vault", To::Own),
    row("auto_auth", To::Own),
    row("template", To::Own),
    row("template_config", To::Own),
    row("env_template", To::Own),
    row("exec", To::Own),
    row("log_level", To::Own),
    row("log_format", To::Own),
    row(
        "exit_after_auth",
        To::Lost(
            "`leasehold sidecar` goes on when everything is rendered",
            "run `leasehold init`, which ends then, and runs the templates' commands before",
        ),
    ),
    row(
        "pid_file",
        To::Lost("Leasehold writes no pid file", "ask the service manager, or signal the container"),
    ),
    row("log_file", To::Lost(STANDARD_ERROR.0, STANDARD_ERROR.1)),
    row("log_rotate_bytes", To::Moot(STANDARD_ERROR.0)),
    row("log_rotate_duration", To::Moot(STANDARD_ERROR.0)),
    row("log_rotate_max_files", To::Moot(STANDARD_ERROR.0)),
    row("cache", To::Moot("each path is read once, however many templates use it")),
    row("api_proxy", To::Refused(PROXY.0, PROXY.1)),
    row("listener", To::Own),
    row(
        "telemetry",
        To::Lost("metrics are not pushed", "have them scraped: `listen: 127.0.0.1:9110` serves /metrics"),
    ),
    row("disable_mlock", To::Moot("pages of secrets are locked as far as the limit allows")),
    row("disable_idle_connections", To::Moot("idle connections are few and short")),
    row("disable_keep_alives", To::Moot("idle connections are few and short")),
];

const TEMPLATE_CONFIG: &[Row] = &[
    row("static_secret_render_interval", To::Seconds(&["defaults", "refresh"])),
    row("max_connections_per_host", To::Count(&["vault", "max_in_flight"])),
    row(
        "exit_on_retry_failure",
        To::Lost(
            "`leasehold sidecar` keeps the files that it has, and tries on",
            "run `leasehold init`, which ends with a code, or watch `leasehold status --ready`",
        ),
    ),
    row("lease_renewal_threshold", To::Moot("leases are renewed at half of their life")),
];

/// Makes ours of the whole of it.
pub(super) fn convert(top: &Stanza<'_>, desk: &mut Desk<'_>) {
    let at = KeyPath::top();
    desk.walk_over(top, TOP, &at);
    vault::agent(top, desk);
    auth::convert(top, desk);
    if let Some(config) = top.only("template_config", desk) {
        desk.walk_over(&config, TEMPLATE_CONFIG, &at);
    }
    listener::convert(top, desk);
    exec::agent(top, desk);
    // A word that is no flag needs no refusal: the Agent would not start with it.
    let ends = top.get("exit_after_auth").is_some_and(|item| kinds::flag(&item.value) == Ok(true));
    template::convert(top, &Habits { ends, ..Habits::default() }, desk);
    log::convert(top, desk);
}
