//! `listener`: Vault Agent's door for applications, which is not here, and the one for metrics, which is.

use super::draft::{Origin, Weight};
use super::kinds;
use super::stanza::{Block, Desk, Row, Stanza, To, row};
use super::tree::Item;
use crate::keypath::KeyPath;

const PROXY: (&str, &str) = (
    "Leasehold is not a proxy: applications that ask it for secrets would get no answer",
    "give them files or variables, or keep Vault Agent or Vault Proxy for them; take this out where no application asks, or write `role = \"metrics_only\"`",
);

const HERE: &str = "Leasehold serves metrics at /metrics, beside its status and readiness";

const LISTENER: &[Row] = &[
    row("type", To::Own),
    row("role", To::Own),
    row("address", To::Own),
    row("tls_disable", To::Own),
    row("tls_cert_file", To::Path(&["listen_tls", "cert_file"])),
    row("tls_key_file", To::Path(&["listen_tls", "key_file"])),
    row("tls_client_ca_file", To::Path(&["listen_tls", "client_ca_file"])),
    row(
        "tls_require_and_verify_client_cert",
        To::Moot("clients need a certificate wherever an authority is named"),
    ),
    row("tls_disable_client_certs", To::Moot("clients need a certificate only where an authority is named")),
    row("tls_min_version", To::Moot("TLS 1.2 is the oldest that is spoken")),
    row("require_request_header", To::Moot("nothing that a header would protect is served")),
    row("agent_api", To::Moot("`POST /quit` is there on loopback")),
];

/// The address that the Agent listens on if its configuration does not say.
const DEFAULT: &str = "127.0.0.1:8200";

/// Makes `listen` of the first listener that is for metrics only; all others are refused.
pub(super) fn convert(top: &Stanza<'_>, desk: &mut Desk<'_>) {
    let mut served = false;
    for block in top.labelled("listener", desk) {
        let at = block.stanza.at;
        if !is_for_metrics(&block.stanza, desk) {
            let told = (PROXY.0.to_owned(), PROXY.1.to_owned());
            desk.note(Weight::Refused, at, "listener".to_owned(), &KeyPath::top(), told);
        } else if std::mem::replace(&mut served, true) {
            let told = ("there is one listener: the first counts".to_owned(), "take this one out".to_owned());
            desk.note(Weight::Lost, at, "listener".to_owned(), &home(), told);
        } else {
            listen(&block, desk);
        }
    }
}

fn home() -> KeyPath {
    KeyPath::of(&["listen"])
}

fn is_for_metrics(stanza: &Stanza<'_>, desk: &mut Desk<'_>) -> bool {
    let role = stanza.get("role").and_then(|item| desk.read(stanza, item, &home(), kinds::text));
    role.as_deref() == Some("metrics_only")
}

fn listen(block: &Block<'_>, desk: &mut Desk<'_>) {
    let stanza = &block.stanza;
    let typed = stanza.get("type").and_then(|item| kinds::text(&item.value).ok());
    let unix = typed.as_deref().or(block.label.map(|(label, _)| label)) == Some("unix");
    desk.walk_over(stanza, LISTENER, &KeyPath::top());
    let told =
        (format!("{HERE}; the Agent's are at /agent/v1/metrics"), "have them scraped there".to_owned());
    desk.note(Weight::Lost, stanza.at, "listener".to_owned(), &home(), told);
    let Some(item) = stanza.get("address") else {
        let here = Origin { key: stanza.at, value: stanza.at, lies: super::tree::Lies::Somewhere };
        return desk.draft.put(&home(), DEFAULT, Some(here));
    };
    address(stanza, item, unix, desk);
    let flag = |key: &str, desk: &mut Desk<'_>| {
        stanza.get(key).and_then(|item| desk.read(stanza, item, &home(), kinds::flag)) == Some(true)
    };
    let secured = desk.draft.get(&KeyPath::of(&["listen_tls"])).is_some();
    if !secured && !unix && !flag("tls_disable", desk) {
        let hint = "name `tls_cert_file` and `tls_key_file`, or write `tls_disable = true`";
        desk.mistake(stanza.at, "listener".to_owned(), "a listener with TLS and without a certificate", hint);
    }
}

/// Sets the address. The Agent's may be a name, or a port alone. Ours is an address that needs no look-up.
fn address(stanza: &Stanza<'_>, item: &Item, unix: bool, desk: &mut Desk<'_>) {
    let Some(text) = desk.read(stanza, item, &home(), kinds::text) else { return };
    let ours = match text.rsplit_once(':') {
        _ if unix => format!("unix:{}", super::stanza::absolute(&text, desk.folder)),
        Some(("", port)) => format!("0.0.0.0:{port}"),
        Some(("localhost", port)) => format!("127.0.0.1:{port}"),
        Some(_) => text,
        None => format!("{text}:8200"),
    };
    desk.draft.put(&home(), ours, Some(Origin::of(item)));
}
