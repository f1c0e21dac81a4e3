//! How the server is reached.

use super::Server;
use crate::annotations::Annotations;
use crate::annotations::grammar::duration_text;
use crate::refusal::{Refusal, shown};
use crate::settings::{Settings, allows};

/// Reads what the annotations say about the server.
pub(super) fn server(
    annotations: &Annotations<'_>,
    settings: &Settings,
    warnings: &mut Vec<String>,
) -> Result<Server, Refusal> {
    let text = |name| annotations.text(name).map(str::to_owned);
    // An annotation that is there and empty undoes the operator's setting.
    let or = |name, setting: &Option<String>| match annotations.get(name) {
        Some(_) => text(name),
        None => setting.clone(),
    };
    let address = address(annotations, settings)?;
    let plaintext = address.starts_with("http://") && !is_loopback(&address);
    if plaintext {
        warnings.push(format!("{address}: tokens and secrets travel in plain text; use https://"));
    }
    if annotations.flag("tls-skip-verify") == Some(true) {
        let full = annotations.full("tls-skip-verify");
        warnings.push(format!(
            "{full}: has no effect; the server's certificate is always verified: name its authority with \
             vault.hashicorp.com/tls-secret and ca-cert, or ask the operator to set it"
        ));
    }
    Ok(Server {
        address: Some(address),
        namespace: or("namespace", &settings.namespace),
        ca_file: text("ca-cert"),
        ca_dir: text("ca-key"),
        client_cert: text("client-cert"),
        client_key: text("client-key"),
        server_name: text("tls-server-name"),
        proxy: or("proxy-address", &settings.proxy),
        timeout: annotations.duration("client-timeout").filter(|time| !time.is_zero()).map(duration_text),
        max_in_flight: in_flight(annotations, settings),
        plaintext,
    })
}

fn in_flight(annotations: &Annotations<'_>, settings: &Settings) -> Option<u64> {
    annotations
        .number("template-max-connections-per-host")
        .filter(|number| *number > 0)
        .or(settings.max_in_flight)
}

/// Returns the address that the pod names, or else the operator's.
fn address(annotations: &Annotations<'_>, settings: &Settings) -> Result<String, Refusal> {
    if let Some(address) = annotations.text("service") {
        allowed(address, settings).map_err(|(what, advice)| annotations.refusal("service", what, advice))?;
        return Ok(address.to_owned());
    }
    settings.address.clone().ok_or_else(|| {
        annotations.refusal(
            "service",
            "there is no address of Vault",
            "name it, or ask the operator to set it",
        )
    })
}

/// Checks whether the operator lets a pod name this address. If not, the error is what is wrong, and what to do.
pub(super) fn allowed(address: &str, settings: &Settings) -> Result<(), (String, &'static str)> {
    // The operator's own address is allowed, whatever the list says.
    let known = settings.address.as_deref() == Some(address);
    match &settings.allowed_addresses {
        Some(list) if !known && !allows(list, address) => {
            let what = format!("{} is not on the operator's list of addresses", shown(address));
            Err((what, "leave it out, or ask the operator to add it (allowed_addresses)"))
        }
        _ => Ok(()),
    }
}

fn is_loopback(address: &str) -> bool {
    let host = address.trim_start_matches("http://").split(['/', ':']).next().unwrap_or_default();
    host == "localhost" || host.starts_with("127.") || address.starts_with("http://[::1]")
}
