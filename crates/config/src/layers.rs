//! Merges several texts, the environment and flags: maps merge key by key, and everything else is replaced. The
//! replaced keys are kept, to be reported once at the start.

use std::collections::BTreeMap;

use crate::value::{Mapping, Value};

use super::keypath::{KeyPath, Step};

/// A value from outside the texts, for one key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setting {
    /// The key it sets.
    pub key: KeyPath,
    /// The value, as it would stand in the YAML text.
    pub value: String,
    /// The name of its origin in messages: `VAULT_ADDR`, `--timeout`.
    pub by: String,
}

/// The variables that mean what they mean to `vault` and `bao`, without their prefix.
const VARIABLES: &[(&str, &[&str])] = &[
    ("ADDR", &["vault", "address"]),
    ("NAMESPACE", &["vault", "namespace"]),
    ("CACERT", &["vault", "ca_file"]),
    ("CAPATH", &["vault", "ca_dir"]),
    ("CLIENT_CERT", &["vault", "client_cert_file"]),
    ("CLIENT_KEY", &["vault", "client_key_file"]),
    ("TLS_SERVER_NAME", &["vault", "server_name"]),
    ("CLIENT_TIMEOUT", &["vault", "timeout"]),
];

/// Returns what the environment sets, weakest first: `BAO_` wins over `VAULT_`, as it does for `bao` itself. An
/// empty variable sets nothing.
pub(super) fn from_environment(env: &dyn Fn(&str) -> Option<String>) -> Vec<Setting> {
    let mut settings = Vec::new();
    for (name, key) in VARIABLES {
        for prefix in ["VAULT", "BAO"] {
            let by = format!("{prefix}_{name}");
            let Some(mut value) = env(&by).filter(|value| !value.is_empty()) else { continue };
            // Their time-out may be a bare number of seconds.
            if *name == "CLIENT_TIMEOUT" && value.bytes().all(|b| b.is_ascii_digit()) {
                value.push('s');
            }
            settings.push(Setting { key: KeyPath::of(key), value, by });
        }
    }
    settings
}

/// Merges `over` into `base`, and records each single value that it replaced by another.
pub(super) fn merge(base: &mut Value, over: Value, at: &KeyPath, replaced: &mut Vec<KeyPath>) {
    match (base, over) {
        (Value::Mapping(base), Value::Mapping(over)) => {
            base.lay(over, |name, below, value| merge(below, value, &at.key(name), replaced));
        }
        // A text without anything in it takes nothing away.
        (_, Value::Null) if at.steps().is_empty() => {}
        (base, over) => {
            if !base.is_null() && *base != over {
                replaced.push(at.clone());
            }
            *base = over;
        }
    }
}

/// A setting that replaced another value.
#[derive(Debug)]
pub(super) struct Replaced {
    pub(super) setting: Setting,
    /// The setting whose value it was; `None` if it was a text's.
    pub(super) before: Option<String>,
}

/// Lays `settings` upon `value`. Answers whose value each key has, and what was replaced.
pub(super) fn apply(value: &mut Value, settings: &[Setting]) -> (BTreeMap<KeyPath, String>, Vec<Replaced>) {
    let (mut owners, mut replaced) = (BTreeMap::new(), Vec::new());
    for setting in settings {
        let new = Value::String(setting.value.clone());
        if let Some(slot) = slot(value, setting.key.steps()) {
            let before = std::mem::replace(slot, new);
            let owner_before = owners.insert(setting.key.clone(), setting.by.clone());
            if !before.is_null() && before != *slot {
                replaced.push(Replaced { setting: setting.clone(), before: owner_before });
            }
        }
    }
    (owners, replaced)
}

/// Returns the value at `steps`, which is made if it is not there. `None` if something else than a map is on the
/// way; that is reported as a wrong kind anyhow.
fn slot<'v>(value: &'v mut Value, steps: &[Step]) -> Option<&'v mut Value> {
    let Some((Step::Key(name), rest)) = steps.split_first() else { return Some(value) };
    if value.is_null() {
        *value = Value::Mapping(Mapping::new());
    }
    let below = value.as_mapping_mut()?.slot(name);
    slot(below, rest)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::yaml;

    fn yaml(text: &str) -> Value {
        yaml::read(text).expect("valid YAML").1
    }

    #[test]
    fn maps_merge_and_lists_are_replaced() {
        let mut base = yaml("{vault: {address: a, timeout: 1s}, files: [{path: x}, {path: y}]}");
        let mut replaced = Vec::new();
        let over = yaml("{vault: {address: b, timeout: 1s}, files: [{path: z}], listen: l}");
        merge(&mut base, over, &KeyPath::top(), &mut replaced);
        assert_eq!(base, yaml("{vault: {address: b, timeout: 1s}, files: [{path: z}], listen: l}"));
        assert_eq!(replaced, [KeyPath::of(&["vault", "address"]), KeyPath::of(&["files"])]);
    }

    #[test]
    fn bao_wins_over_vault_and_the_last_owner_is_known() {
        let env = |name: &str| match name {
            "VAULT_ADDR" => Some("https://v".to_owned()),
            "BAO_ADDR" => Some("https://b".to_owned()),
            "VAULT_CLIENT_TIMEOUT" => Some("60".to_owned()),
            "VAULT_NAMESPACE" => Some(String::new()),
            _ => None,
        };
        let mut value = Value::Null;
        let (owners, replaced) = apply(&mut value, &from_environment(&env));
        assert_eq!(value, yaml("{vault: {address: 'https://b', timeout: 60s}}"));
        assert_eq!(owners[&KeyPath::of(&["vault", "address"])], "BAO_ADDR");
        assert_eq!(replaced.len(), 1);
        assert_eq!(replaced[0].before.as_deref(), Some("VAULT_ADDR"));
    }
}
