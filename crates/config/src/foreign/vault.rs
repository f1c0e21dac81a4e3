//! `vault`: the server. Vault Agent says how to reach it, consul-template and envconsul say how to
//! log in besides.

use super::draft::{Origin, Weight};
use super::kinds;
use super::stanza::{Desk, Row, Stanza, To, row};
use super::tree::Item;
use crate::keypath::KeyPath;

const VERIFIED: (&str, &str) = (
    "the server's certificate is always verified: otherwise anyone on the way could read every secret",
    "trust its authority with `ca_cert`, or name the server with `tls_server_name`",
);

const TRIES: &str = "a request that fails is tried again for as long as it takes";

const AGENT: &[Row] = &[
    row("address", To::Text(&["address"])),
    row("namespace", To::Text(&["namespace"])),
    row("ca_cert", To::Path(&["ca_file"])),
    row("ca_path", To::Path(&["ca_dir"])),
    row("client_cert", To::Path(&["client_cert_file"])),
    row("client_key", To::Path(&["client_key_file"])),
    row("tls_skip_verify", To::Refused(VERIFIED.0, VERIFIED.1)),
    row("tls_server_name", To::Text(&["server_name"])),
    row("retry", To::Moot(TRIES)),
    row(
        "tls_disable",
        To::Lost("the address says whether there is TLS", "write http:// where there is none"),
    ),
];

fn home() -> KeyPath {
    KeyPath::of(&["vault"])
}

/// Makes `vault` of the Agent's.
pub(super) fn agent(top: &Stanza<'_>, desk: &mut Desk<'_>) {
    if let Some(stanza) = top.only("vault", desk) {
        desk.walk_over(&stanza, AGENT, &home());
    }
}

const CONSUL_TEMPLATE: &[Row] = &[
    row("address", To::Text(&["address"])),
    row("namespace", To::Text(&["namespace"])),
    row("enabled", To::Moot("there is nothing without a server")),
    row("token", To::Own),
    row("vault_agent_token_file", To::Own),
    row(
        "unwrap_token",
        To::Refused(
            "Leasehold does not unwrap a token that it is given",
            "unwrap it before, or log in by a method",
        ),
    ),
    row("renew", To::Moot("a token is renewed where it can be")),
    row("renew_token", To::Moot("a token is renewed where it can be")),
    row("retry", To::Moot(TRIES)),
    row("grace", To::Moot("leases are renewed at half of their life")),
    row("lease_renewal_threshold", To::Moot("leases are renewed at half of their life")),
    row("default_lease_duration", To::Own),
    row("transport", To::Moot("connections are few and short")),
    row("ssl", To::Own),
    row("k8s_auth_role_name", To::Own),
    row("k8s_service_account_token_path", To::Own),
    row("k8s_service_mount_path", To::Own),
    row(
        "k8s_service_account_token",
        To::Refused("a token in the configuration", "give its file: `k8s_service_account_token_path`"),
    ),
    row("clients", To::Moot("there is one connection for all")),
];

const TLS: &[Row] = &[
    row("enabled", To::Moot("the address says whether there is TLS")),
    row("verify", To::Own),
    row("ca_cert", To::Path(&["ca_file"])),
    row("ca_cert_bytes", To::Refused("certificates in the configuration", "put them into a file: `ca_cert`")),
    row("ca_path", To::Path(&["ca_dir"])),
    row("cert", To::Path(&["client_cert_file"])),
    row("key", To::Path(&["client_key_file"])),
    row("server_name", To::Text(&["server_name"])),
];

/// Makes `vault` and `auth` of consul-template's or envconsul's.
pub(super) fn consul_template(top: &Stanza<'_>, desk: &mut Desk<'_>) {
    let Some(stanza) = top.only("vault", desk) else { return token_of_the_environment(desk) };
    desk.walk(&stanza, CONSUL_TEMPLATE, &home());
    if let Some(tls) = stanza.only("ssl", desk) {
        desk.walk(&tls, TLS, &home());
        if let Some(item) = tls.get("verify")
            && desk.read(&tls, item, &home(), kinds::flag) == Some(false)
        {
            let told = (VERIFIED.0.to_owned(), "trust its authority with `ca_cert`".to_owned());
            desk.note(Weight::Refused, item.at, tls.path("verify"), &home(), told);
        }
    }
    if let Some(item) = stanza.get("default_lease_duration") {
        desk.set(&stanza, item, &KeyPath::of(&["defaults", "refresh"]), |node| {
            kinds::duration(node).map(kinds::spelled)
        });
    }
    login(&stanza, desk);
}

/// Sets the login, in the order in which consul-template looks for a token.
fn login(stanza: &Stanza<'_>, desk: &mut Desk<'_>) {
    let given = |key: &str| {
        let item = stanza.get(key);
        item.filter(|item| kinds::text(&item.value).as_deref() != Ok(""))
    };
    let at = KeyPath::of(&["auth"]);
    if let Some(item) = given("vault_agent_token_file") {
        method("token_file", item, desk);
        path(stanza, item, "token_file", desk);
    } else if let Some(item) = given("token") {
        let message = "a token in the configuration, where it outlives its use".to_owned();
        let hint = "put it into a file for `vault_agent_token_file`, or into VAULT_TOKEN".to_owned();
        desk.refuse(item.at, stanza.path("token"), &at, (message, hint));
    } else if let Some(item) = given("k8s_auth_role_name") {
        method("kubernetes", item, desk);
        desk.set(stanza, item, &at.key("role"), kinds::text);
        if let Some(item) = given("k8s_service_account_token_path") {
            path(stanza, item, "jwt_file", desk);
        }
        if let Some(item) = given("k8s_service_mount_path") {
            super::auth::mount(stanza, item, "kubernetes", desk);
        }
    } else {
        token_of_the_environment(desk);
    }
}

fn method(name: &str, item: &Item, desk: &mut Desk<'_>) {
    desk.draft.put(&KeyPath::of(&["auth", "method"]), name, Some(Origin::of(item)));
}

fn path(stanza: &Stanza<'_>, item: &Item, key: &str, desk: &mut Desk<'_>) {
    let folder = desk.folder;
    let read = |node: &_| kinds::text(node).map(|text| super::stanza::absolute(&text, folder));
    desk.set(stanza, item, &KeyPath::of(&["auth", key]), read);
}

fn token_of_the_environment(desk: &mut Desk<'_>) {
    desk.draft.put_default(&["auth", "method"], "token");
    desk.draft.put_default(&["auth", "token_env"], "VAULT_TOKEN");
}
