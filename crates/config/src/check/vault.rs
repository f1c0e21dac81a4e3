//! `vault`: the server, and what may never go to it in the clear.

use std::net::IpAddr;
use std::time::Duration;

use url::{Host, Url};

use crate::defaults;
use crate::desk::Desk;
use crate::file::{Plaintext, RateLimit as RateLimitEntry, Vault};
use crate::keypath::KeyPath;
use crate::plan::{ClientCert, RateLimit, VaultPlan};

use super::optional_path;

const URL_EXAMPLE: &str = "write it like https://vault.example.com:8200";

pub(super) fn check(entry: &Vault, desk: &mut Desk<'_>) -> Option<VaultPlan> {
    let at = KeyPath::of(&["vault"]);
    let address = address(entry, &at, desk);
    let proxy = proxy(entry, &at, desk);
    if let Some(address) = &address {
        plaintext(address, proxy.as_ref(), entry.plaintext.unwrap_or_default(), &at, desk);
    }
    let timeout = entry.timeout.unwrap_or(defaults::REQUEST.value);
    if timeout < Duration::from_millis(100) {
        desk.wrong_value(&at.key("timeout"), "too short for any request", "give it a second at least");
    }
    Some(VaultPlan {
        namespace: namespace(entry.namespace.as_deref(), &at.key("namespace"), desk),
        ca_file: optional_path(entry.ca_file.as_deref(), &at.key("ca_file"), desk),
        ca_dir: optional_path(entry.ca_dir.as_deref(), &at.key("ca_dir"), desk),
        client_cert: client_cert(entry, &at, desk),
        server_name: host_name(entry.server_name.as_deref(), &at.key("server_name"), desk),
        redirect_hosts: redirect_hosts(&entry.redirect_hosts, &at.key("redirect_hosts"), desk),
        rate_limit: entry.rate_limit.as_ref().and_then(|limit| rate_limit(limit, &at, desk)),
        max_in_flight: entry.max_in_flight.unwrap_or(defaults::MAX_IN_FLIGHT.value) as usize,
        proxy,
        timeout,
        address: address?,
    })
}

fn address(entry: &Vault, at: &KeyPath, desk: &mut Desk<'_>) -> Option<Url> {
    let at = at.key("address");
    let Some(text) = entry.address.as_deref() else {
        desk.missing(&at, "`vault.address` is missing", format!("set it or VAULT_ADDR: {URL_EXAMPLE}"));
        return None;
    };
    let mut url = server_url(text, &at, URL_EXAMPLE, desk)?;
    let path = url.path().trim_end_matches('/').to_owned();
    if path.ends_with("/v1") {
        desk.wrong_value(&at, "the address ends with /v1", "leave that out: Leasehold adds it");
        return None;
    }
    url.set_path(&path);
    Some(url)
}

fn proxy(entry: &Vault, at: &KeyPath, desk: &mut Desk<'_>) -> Option<Url> {
    server_url(entry.proxy.as_deref()?, &at.key("proxy"), "write it like http://proxy.example.com:3128", desk)
}

/// Checks a [`web_url`] to which paths are appended, so it has no query: behind one, a path would be no path.
fn server_url(text: &str, at: &KeyPath, example: &str, desk: &mut Desk<'_>) -> Option<Url> {
    let url = web_url(text, at, example, desk)?;
    if url.query().is_some() {
        desk.wrong_value(at, "the URL has a query", "take out what follows the ?");
        return None;
    }
    Some(url)
}

/// Checks an http or https URL. It names a server, and carries no credentials and no fragment.
pub(super) fn web_url(text: &str, at: &KeyPath, example: &str, desk: &mut Desk<'_>) -> Option<Url> {
    let (message, hint) = match Url::parse(text.trim()) {
        _ if !text.contains("://") => ("not a URL: it has no scheme".to_owned(), example),
        Err(_) => ("not a URL".to_owned(), example),
        Ok(url) if !matches!(url.scheme(), "http" | "https") => {
            (format!("`{}://` is not supported", url.scheme()), example)
        }
        Ok(url) if !url.username().is_empty() || url.password().is_some() => (
            "the URL holds a user or a password".to_owned(),
            "take them out: they would show in places that are not secret",
        ),
        Ok(url) if url.fragment().is_some() => {
            ("the URL has a fragment".to_owned(), "take out what follows the #")
        }
        Ok(url) => return Some(url),
    };
    desk.wrong_value(at, message, hint);
    None
}

/// Returns whether a request to `url` stays on this machine.
pub(crate) fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

fn plaintext(url: &Url, proxy: Option<&Url>, policy: Plaintext, at: &KeyPath, desk: &mut Desk<'_>) {
    if policy == Plaintext::Anywhere {
        let message = "plain http:// is allowed to any host: tokens and secrets can be read on the way";
        desk.warn(&at.key("plaintext"), message, "use https:// and `plaintext: loopback`");
    }
    if url.scheme() != "http" {
        return;
    }
    let at = at.key("address");
    let way = [Some(url), proxy].into_iter().flatten().find(|hop| !is_loopback(hop));
    match policy {
        Plaintext::Never => {
            desk.wrong_value(&at, "plain http:// is not allowed by `plaintext: never`", "use https://")
        }
        Plaintext::Loopback => {
            let Some(host) = way.and_then(Url::host_str) else { return };
            let message = format!("plain http:// would send tokens and secrets in the clear to {host}");
            desk.wrong_value(&at, message, "use https://; `plaintext: anywhere` allows it, and then anyone on the way can read every secret");
        }
        Plaintext::Anywhere => {}
    }
}

/// Checks a namespace, and removes the slashes at its ends. An empty one is the root.
pub(super) fn namespace(text: Option<&str>, at: &KeyPath, desk: &mut Desk<'_>) -> Option<String> {
    let text = text?.trim_matches('/');
    let odd = |segment: &str| {
        matches!(segment, "" | "." | "..") || segment.contains(|c: char| c.is_control() || c == ' ')
    };
    if !text.is_empty() && (!text.is_ascii() || text.split('/').any(odd)) {
        desk.wrong_value(at, "not a namespace", "write it like team-a or org/team-a");
        return None;
    }
    Some(text.to_owned()).filter(|text| !text.is_empty())
}

fn client_cert(entry: &Vault, at: &KeyPath, desk: &mut Desk<'_>) -> Option<ClientCert> {
    let (cert_at, key_at) = (at.key("client_cert_file"), at.key("client_key_file"));
    let cert_file = optional_path(entry.client_cert_file.as_deref(), &cert_at, desk);
    let key_file = optional_path(entry.client_key_file.as_deref(), &key_at, desk);
    match (cert_file, key_file) {
        (Some(cert_file), Some(key_file)) => return Some(ClientCert { cert_file, key_file }),
        (Some(_), None) if !desk.is_broken(&key_at) => {
            desk.wrong_key(&cert_at, "a client certificate without its key", "set `client_key_file` too");
        }
        (None, Some(_)) if !desk.is_broken(&cert_at) => {
            desk.wrong_key(&key_at, "a client key without its certificate", "set `client_cert_file` too");
        }
        _ => {}
    }
    None
}

fn host_name(text: Option<&str>, at: &KeyPath, desk: &mut Desk<'_>) -> Option<String> {
    let text = text?;
    // Without brackets, too: it stands in no URL.
    if let Ok(address) = text.parse::<IpAddr>() {
        return Some(address.to_string());
    }
    match Host::parse(text) {
        Ok(host) => Some(host.to_string()),
        Err(_) => {
            desk.wrong_value(
                at,
                "not a host name",
                "write it like vault.example.com, without scheme and port",
            );
            None
        }
    }
}

fn redirect_hosts(hosts: &[String], at: &KeyPath, desk: &mut Desk<'_>) -> Vec<String> {
    let mut known = Vec::new();
    for (index, host) in hosts.iter().enumerate() {
        let at = at.index(index);
        if !desk.is_broken(&at) {
            known.extend(redirect_host(host, &at, desk));
        }
    }
    known
}

/// Checks `host:port`, or `host`, which stands for each of its ports that the sandbox lets through.
fn redirect_host(text: &str, at: &KeyPath, desk: &mut Desk<'_>) -> Option<String> {
    // The colons of an IPv6 address are inside its brackets.
    let port = text.rsplit_once(':').and_then(|(host, port)| Some((host, port.parse::<u16>().ok()?)));
    let (host, port) = port.map_or((text, None), |(host, port)| (host, Some(port)));
    let Ok(host) = Host::parse(host) else {
        desk.wrong_value(at, "not a host name", "write it like vault.example.com or vault.example.com:8200");
        return None;
    };
    Some(port.map_or_else(|| host.to_string(), |port| format!("{host}:{port}")))
}

/// Checks the `rate_limit` below `at`.
pub(super) fn rate_limit(entry: &RateLimitEntry, at: &KeyPath, desk: &mut Desk<'_>) -> Option<RateLimit> {
    let at = at.key("rate_limit");
    let Some(per_second) = entry.per_second else {
        desk.missing(
            &at.key("per_second"),
            "a rate limit without `per_second`",
            "write {per_second: 20, burst: 40}",
        );
        return None;
    };
    // Saturating: a float above the largest u32 becomes that.
    let burst = entry.burst.unwrap_or(per_second.ceil() as u32);
    Some(RateLimit { per_second, burst: burst.max(1) })
}
