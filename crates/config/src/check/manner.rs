//! Checks how a file's template is read: its delimiters, the rendering of a missing key, and the functions that it
//! may not call.

use crate::desk::Desk;
use crate::file::SourceKeys;
use crate::keypath::KeyPath;
use crate::plan::MissingKey;
use leasehold_template::{DELIMITERS, ParseError, Template};

use super::runtime;

/// How a template is read, after the check.
pub(super) struct Manner {
    pub(super) missing_key: MissingKey,
    pub(super) delimiters: (String, String),
    /// The names of the functions, sorted, each once.
    pub(super) denied: Vec<String>,
}

impl Manner {
    /// Checks `keys`, which stand at `at`. `missing_key` holds if they do not say.
    pub(super) fn check(
        keys: &SourceKeys<'_>,
        missing_key: MissingKey,
        at: &KeyPath,
        desk: &mut Desk<'_>,
    ) -> Self {
        let given = [
            ("delimiters", keys.delimiters.is_some()),
            ("missing_key", keys.missing_key.is_some()),
            ("deny_functions", keys.deny_functions.is_some()),
        ];
        for (key, _) in given.iter().filter(|(_, given)| *given && keys.secret.is_some()) {
            desk.wrong_key(&at.key(key), format!("`{key}` means nothing beside `secret`"), "take it out");
        }
        if let Some(own) = keys.missing_key {
            runtime::holes(own, &at.key("missing_key"), desk);
        }
        Self {
            missing_key: keys.missing_key.unwrap_or(missing_key),
            delimiters: delimiters(keys, &at.key("delimiters"), desk),
            denied: denied(keys.deny_functions.unwrap_or_default(), at, desk),
        }
    }

    /// Parses `text` in this manner.
    pub(super) fn parse(&self, name: &str, text: &[u8], desk: &Desk<'_>) -> Result<Template, ParseError> {
        let delimiters = Some((self.delimiters.0.as_str(), self.delimiters.1.as_str()));
        if self.denied.is_empty() {
            return Template::parse(name, text, delimiters, desk.functions);
        }
        let mut functions = desk.functions.clone();
        let known = self.denied.iter().filter_map(|denied| desk.functions.get(denied));
        known.for_each(|function| functions.forbid(function.name, "`deny_functions` names it"));
        Template::parse(name, text, delimiters, &functions)
    }
}

fn delimiters(keys: &SourceKeys<'_>, at: &KeyPath, desk: &mut Desk<'_>) -> (String, String) {
    let given = keys.delimiters;
    let mut one = |name: &str, text: Option<&String>, default: &[u8]| match text.map(String::as_str) {
        Some(text) if text.is_empty() || text.contains(['\n', '\r', '\0']) => {
            desk.wrong_value(&at.key(name), "not a delimiter", "write it like \"[[\"");
            String::new()
        }
        Some(text) => text.to_owned(),
        None => String::from_utf8_lossy(default).into_owned(),
    };
    let left = one("left", given.and_then(|given| given.left.as_ref()), DELIMITERS.0);
    (left, one("right", given.and_then(|given| given.right.as_ref()), DELIMITERS.1))
}

fn denied(names: &[String], at: &KeyPath, desk: &mut Desk<'_>) -> Vec<String> {
    let at = at.key("deny_functions");
    for (index, name) in names.iter().enumerate() {
        let is_one = desk.functions.get(name).is_some() || desk.functions.why_absent(name).is_some();
        if !is_one && !desk.is_broken(&at.index(index)) {
            let message = "no function of this name can be denied";
            desk.warn(
                &at.index(index),
                message,
                "see that it is spelled right; built-in ones are always there",
            );
        }
    }
    let mut denied = names.to_vec();
    denied.sort_unstable();
    denied.dedup();
    denied
}
