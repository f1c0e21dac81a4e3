//! Checks the address that the daemon listens on, and its certificates.

use std::net::SocketAddr;

use super::path;
use super::runtime::absolute;
use crate::desk::Desk;
use crate::file::ListenTls as ListenTlsEntry;
use crate::keypath::KeyPath;
use crate::plan::{Listen, ListenTls};

/// Checks `listen`. `secured` says whether it is secured by TLS.
pub(super) fn listen(text: Option<&str>, secured: bool, desk: &mut Desk<'_>) -> Option<Listen> {
    let (at, text) = (KeyPath::of(&["listen"]), text?);
    if let Some(socket) = text.strip_prefix("unix:") {
        return absolute(socket, &at, desk).map(Listen::Unix);
    }
    let Ok(address) = text.parse::<SocketAddr>() else {
        let hint = "write it like 127.0.0.1:9110 or unix:/run/leasehold.sock";
        desk.wrong_value(&at, "neither IP:PORT nor unix:/path", hint);
        return None;
    };
    if address.port() == 0 {
        let message = "port 0, for which the kernel chooses another port at each start";
        desk.warn(&at, message, "name one, like 127.0.0.1:9110");
    }
    if !address.ip().is_loopback() && !secured {
        let message = "status and metrics are served to other machines, without TLS";
        let hint =
            "add `listen_tls`, or listen on 127.0.0.1 and use exec probes (`leasehold status --ready`)";
        desk.warn(&at, message, hint);
    }
    Some(Listen::Tcp(address))
}

/// Checks `listen_tls`, which needs both files, and a port to serve.
pub(super) fn tls(
    entry: Option<&ListenTlsEntry>,
    listen: Option<&str>,
    desk: &mut Desk<'_>,
) -> Option<ListenTls> {
    let (at, entry) = (KeyPath::of(&["listen_tls"]), entry?);
    match listen {
        None => desk.wrong_key(&at, "TLS without `listen`", "add listen: 0.0.0.0:9110, or take it out"),
        Some(text) if text.starts_with("unix:") => {
            desk.wrong_key(&at, "TLS on a Unix socket, which its mode protects", "take it out");
        }
        Some(_) => {}
    }
    let mut file = |name: &'static str, text: Option<&str>| match text {
        Some(text) => path(text, &at.key(name), desk),
        None => {
            if !desk.is_broken(&at.key(name)) {
                desk.missing(&at, format!("`listen_tls` without `{name}`"), "add it, a file in PEM");
            }
            None
        }
    };
    let cert_file = file("cert_file", entry.cert_file.as_deref());
    let key_file = file("key_file", entry.key_file.as_deref());
    let client_ca_file =
        super::optional_path(entry.client_ca_file.as_deref(), &at.key("client_ca_file"), desk);
    Some(ListenTls { cert_file: cert_file?, key_file: key_file?, client_ca_file })
}
