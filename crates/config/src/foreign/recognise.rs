//! Finds out which program a text is a configuration of.
//!
//! YAML is the default: nothing that could be ours is taken for another program's.

use std::path::Path;

use crate::value::Value;

use super::tree::Object;
use crate::document::Document;
use crate::read::Text;

/// The program that a configuration belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Program {
    /// Vault Agent, and OpenBao's.
    Agent,
    ConsulTemplate,
    Envconsul,
}

/// The keys that only one of the programs has.
const AGENT: &[&str] = &[
    "auto_auth",
    "template_config",
    "env_template",
    "exit_after_auth",
    "listener",
    "api_proxy",
    "cache",
    "log_format",
];
/// More keys of theirs. They do not say which program it is, and none of them is ours.
const THEIRS: &[&str] = &["pid_file", "log_level", "log_file", "telemetry", "once", "template", "syslog"];

/// Keys of their `vault` for which ours has other words.
const THEIR_VAULT: &[&str] = &[
    "ca_cert",
    "ca_path",
    "client_cert",
    "client_key",
    "tls_skip_verify",
    "tls_server_name",
    "retry",
    "ssl",
    "renew_token",
    "unwrap_token",
    "vault_agent_token_file",
];

const ENVCONSUL: &[&str] = &["secret", "prefix", "service", "upcase", "sanitize", "pristine"];

/// Keys of ours that none of the programs has.
const OURS: &[&str] = &["files", "secrets_dir", "defaults", "handoff", "notify", "auth"];

/// Returns whether `text` is a configuration of one of these programs, by its name or by how it begins.
pub(crate) fn is_foreign(text: &Text) -> bool {
    let ending = Path::new(&text.name).extension().and_then(|ending| ending.to_str());
    match ending.map(str::to_ascii_lowercase).as_deref() {
        Some("hcl") => true,
        Some("yaml" | "yml") => false,
        _ if is_json(&text.bytes) => is_foreign_json(text),
        Some("json") => false,
        _ => begins_like_hcl(&text.bytes),
    }
}

/// Returns whether the text can only be JSON, since no HCL begins with a brace.
pub(super) fn is_json(bytes: &[u8]) -> bool {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    bytes.trim_ascii_start().starts_with(b"{")
}

fn is_foreign_json(text: &Text) -> bool {
    let Ok((_, Value::Mapping(map))) = Document::read(&text.name, &text.bytes) else { return false };
    let has = |keys: &[&str]| keys.iter().any(|key| map.get(key).is_some());
    let vault = map.get("vault").is_some_and(|vault| THEIR_VAULT.iter().any(|key| vault.get(key).is_some()));
    !has(OURS) && (has(AGENT) || has(ENVCONSUL) || has(THEIRS) || vault)
}

/// Returns whether a JSON text says the same in the words of both: the address of the server, and no more. Beside a
/// foreign text, it is a part of that configuration.
pub(crate) fn is_of_both(text: &Text) -> bool {
    if !is_json(&text.bytes) {
        return false;
    }
    let Ok((_, Value::Mapping(map))) = Document::read(&text.name, &text.bytes) else { return false };
    let Some(Value::Mapping(vault)) = map.get("vault") else { return false };
    map.len() == 1 && vault.keys().all(|key| matches!(key.as_str(), Some("address" | "namespace")))
}

/// Returns whether the first line that says something is the beginning of an item of HCL: `key =`, `key {` or `key
/// "label"`. In YAML, such a line would be a text, which no configuration is.
fn begins_like_hcl(bytes: &[u8]) -> bool {
    let text = String::from_utf8_lossy(bytes);
    let mut rest = text.trim_start_matches('\u{feff}').trim_start();
    loop {
        let comment = rest.starts_with('#') || rest.starts_with("//");
        rest = match rest.strip_prefix("/*").and_then(|rest| rest.split_once("*/")) {
            Some((_, behind)) => behind.trim_start(),
            None if comment => rest.split_once('\n').map_or("", |(_, behind)| behind.trim_start()),
            None => break,
        };
    }
    let key = rest.trim_start_matches(|c: char| c.is_ascii_alphanumeric() || c == '_');
    key.len() < rest.len() && key.trim_start().starts_with(['=', '{', '"'])
}

/// Returns the program that has the keys of `whole`.
pub(super) fn program(whole: &Object) -> Program {
    if AGENT.iter().any(|key| whole.has(key)) {
        Program::Agent
    } else if ENVCONSUL.iter().any(|key| whole.has(key)) {
        Program::Envconsul
    } else {
        Program::ConsulTemplate
    }
}
