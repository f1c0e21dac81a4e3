//! The variables of vault-k8s' injector, so that its Deployment needs a new image and nothing else.

use base64::Engine as _;

use super::{Settings, Unusable};
use crate::annotations::grammar;
use crate::refusal::shown;

/// What a variable does to the settings.
type Apply = fn(&str, &mut Settings) -> Result<(), &'static str>;

/// A variable of the injector, with what it does here.
#[derive(Debug, Clone, Copy)]
pub struct Variable {
    /// Behind `AGENT_INJECT_`.
    pub name: &'static str,
    /// For the documentation.
    pub does: &'static str,
    /// Nothing where it has no effect, or where the webhook reads it.
    apply: Option<Apply>,
    /// Whether a note says that it has no effect.
    idle: bool,
}

const fn used(name: &'static str, apply: Apply, does: &'static str) -> Variable {
    Variable { name, does, apply: Some(apply), idle: false }
}

const fn idle(name: &'static str, does: &'static str) -> Variable {
    Variable { name, does, apply: None, idle: true }
}

const fn webhook(name: &'static str, does: &'static str) -> Variable {
    Variable { name, does, apply: None, idle: false }
}

const FLAG: &str = "is not a boolean; write \"true\" or \"false\"";
const NUMBER: &str = "is not a whole number";
const QUANTITY: &str = "is not a quantity of Kubernetes; write it such as \"64Mi\" or \"100m\"";

/// All variables of vault-k8s 1.7.6.
#[rustfmt::skip]
pub static VARIABLES: &[Variable] = &[
    webhook("LISTEN", "where the webhook listens"),
    webhook("LOG_LEVEL", "the webhook's own log"),
    webhook("LOG_FORMAT", "the webhook's own log; it is JSON unless this is `standard`"),
    webhook("TLS_CERT_FILE", "the webhook's certificate"),
    webhook("TLS_KEY_FILE", "its key"),
    idle("TLS_CA_CERT_FILE", "the webhook does not send its authority"),
    webhook("TLS_AUTO", "the MutatingWebhookConfiguration whose CA bundle is kept, with certificates of the webhook's own"),
    webhook("TLS_AUTO_HOSTS", "names of the certificate besides that of the service in the registration"),
    idle("TLS_MIN_VERSION", "TLS 1.2 and 1.3 are served"),
    idle("TLS_CIPHER_SUITES", "the suites are those of rustls"),
    webhook("USE_LEADER_ELECTOR", "not needed: replicas share certificates and elect a leader wherever their rights allow it"),
    idle("TELEMETRY_PATH", "metrics are at `/metrics`"),
    idle("VAULT_IMAGE", "names an image of Vault; ours is `image` in the settings file, or LEASEHOLD_IMAGE"),
    used("VAULT_ADDR", |text, settings| set(&mut settings.address, Some(text.to_owned())), "the address of Vault"),
    used("VAULT_CACERT_BYTES", authority, "the authority of its certificate: PEM, or base64 of it"),
    used("VAULT_NAMESPACE", |text, settings| set(&mut settings.namespace, Some(text.to_owned())), "the namespace of Vault"),
    used("VAULT_AUTH_TYPE", |text, settings| set(&mut settings.auth_type, text.to_owned()), "the login method"),
    used("VAULT_AUTH_PATH", |text, settings| set(&mut settings.auth_path, text.to_owned()), "its mount"),
    used("PROXY_ADDR", |text, settings| set(&mut settings.proxy, Some(text.to_owned())), "the proxy to Vault"),
    used("REVOKE_ON_SHUTDOWN", |text, settings| set(&mut settings.revoke, Some(flag(text)?)), "whether sidecars revoke at their end"),
    used("RUN_AS_USER", |text, settings| set(&mut settings.user, number(text)?), "the user of our containers"),
    used("RUN_AS_GROUP", |text, settings| set(&mut settings.group, number(text)?), "their group"),
    used("RUN_AS_SAME_USER", |text, settings| set(&mut settings.same_user, flag(text)?), "whether they run as the first container's user"),
    used("SET_SECURITY_CONTEXT", |text, settings| set(&mut settings.security_context, flag(text)?), "whether they get a `securityContext`"),
    used("DEFAULT_TEMPLATE", default_template, "what a secret without a template renders as"),
    used("CPU_REQUEST", |text, settings| resource(text, "cpu", &mut settings.requests), "the processor that our containers ask for"),
    used("MEM_REQUEST", |text, settings| resource(text, "memory", &mut settings.requests), "the memory that they ask for"),
    used("EPHEMERAL_REQUEST", |text, settings| resource(text, "ephemeral-storage", &mut settings.requests), "the disk that they ask for"),
    used("CPU_LIMIT", |text, settings| resource(text, "cpu", &mut settings.limits), "the processor that they may have"),
    used("MEM_LIMIT", |text, settings| resource(text, "memory", &mut settings.limits), "the memory that they may have"),
    used("EPHEMERAL_LIMIT", |text, settings| resource(text, "ephemeral-storage", &mut settings.limits), "the disk that they may have"),
    used("TEMPLATE_STATIC_SECRET_RENDER_INTERVAL", refresh, "how often a secret without an end of its own, such as one of KV, is polled"),
    used("TEMPLATE_MAX_CONNECTIONS_PER_HOST", |text, settings| set(&mut settings.max_in_flight, Some(number(text)?.max(1))), "how many requests may be under way at once"),
    idle("TEMPLATE_LEASE_RENEWAL_THRESHOLD", "a lease is renewed at half of its life"),
    idle("TEMPLATE_CONFIG_EXIT_ON_RETRY_FAILURE", "init ends with an exit code; a sidecar goes on"),
    idle("AUTH_MIN_BACKOFF", "Leasehold has its own pace"),
    idle("AUTH_MAX_BACKOFF", "Leasehold has its own pace"),
    idle("DISABLE_IDLE_CONNECTIONS", "Leasehold keeps one connection"),
    idle("DISABLE_KEEP_ALIVES", "Leasehold keeps one connection"),
];

/// Applies the variables that are set, and returns notes of those that have no effect. As in vault-k8s, an empty one is
/// as good as none.
pub(super) fn apply(
    variable: &dyn Fn(&str) -> Option<String>,
    settings: &mut Settings,
) -> Result<Vec<String>, Unusable> {
    let mut notes = Vec::new();
    for known in VARIABLES {
        let name = format!("AGENT_INJECT_{}", known.name);
        let Some(text) = variable(&name).filter(|text| !text.is_empty()) else { continue };
        if let Some(apply) = known.apply {
            let wrong = |what: &str| format!("{} {what}", shown(&text));
            apply(&text, settings).map_err(|what| Unusable { place: name.clone(), what: wrong(what) })?;
        }
        if known.idle {
            notes.push(format!("{name}: has no effect; {}", known.does));
        }
    }
    if let Some(image) = variable("LEASEHOLD_IMAGE").filter(|text| !text.is_empty()) {
        settings.image = image;
    }
    Ok(notes)
}

fn set<T>(place: &mut T, value: T) -> Result<(), &'static str> {
    *place = value;
    Ok(())
}

fn flag(text: &str) -> Result<bool, &'static str> {
    grammar::flag(text).ok_or(FLAG)
}

fn number(text: &str) -> Result<u64, &'static str> {
    text.parse().map_err(|_| NUMBER)
}

fn default_template(text: &str, settings: &mut Settings) -> Result<(), &'static str> {
    if !["map", "json"].contains(&text) {
        return Err("is not known; use map or json");
    }
    text.clone_into(&mut settings.default_template);
    Ok(())
}

fn refresh(text: &str, settings: &mut Settings) -> Result<(), &'static str> {
    let duration = grammar::duration(text).ok_or("is not a duration; write it such as \"5m\"")?;
    settings.refresh = Some(grammar::duration_text(duration));
    Ok(())
}

fn resource(
    text: &str,
    name: &str,
    resources: &mut std::collections::BTreeMap<String, String>,
) -> Result<(), &'static str> {
    if !grammar::is_quantity(text) {
        return Err(QUANTITY);
    }
    resources.insert(name.to_owned(), text.to_owned());
    Ok(())
}

fn authority(text: &str, settings: &mut Settings) -> Result<(), &'static str> {
    settings.authority = Some(pem(text).ok_or("is neither PEM nor base64 of it")?);
    Ok(())
}

/// Returns the PEM in a text that is PEM, or base64 of PEM.
pub(super) fn pem(text: &str) -> Option<String> {
    const BEGIN: &str = "-----BEGIN CERTIFICATE-----";
    if text.contains(BEGIN) {
        return Some(text.to_owned());
    }
    let without_breaks: String = text.split_whitespace().collect();
    let bytes = base64::engine::general_purpose::STANDARD.decode(without_breaks).ok()?;
    String::from_utf8(bytes).ok().filter(|text| text.contains(BEGIN))
}
