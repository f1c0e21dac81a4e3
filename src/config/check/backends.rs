//! `backends`: the stores that are no Vault, by the names that paths begin with.

use leasehold_stores::{Kind, Settings};

use super::path;
use crate::config::desk::Desk;
use crate::config::file::{BackendEntry, File};
use crate::config::keypath::KeyPath;

/// What every Vault has there by itself.
const TAKEN: [&str; 5] = ["auth", "cubbyhole", "identity", "sys", "vault"];

/// The stores, sorted by name.
pub(super) fn check(file: &File, desk: &mut Desk<'_>) -> Vec<Settings> {
    let at = KeyPath::of(&["backends"]);
    let all = file.backends.iter().filter_map(|(name, entry)| {
        let at = at.key(name);
        let named = is_named_well(name, &at, desk);
        let kind = kind(entry, &at, desk)?;
        named.then(|| Settings { name: name.clone(), kind })
    });
    let all: Vec<Settings> = all.collect();
    desk.stores = all.iter().map(|store| store.name.clone()).collect();
    all
}

fn is_named_well(name: &str, at: &KeyPath, desk: &mut Desk<'_>) -> bool {
    let good = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    if TAKEN.contains(&name) {
        let message = format!("a backend may not be called `{name}`: every Vault has something of that name");
        desk.wrong_key(at, message, "call it otherwise, and write that name in the paths");
        return false;
    }
    if name.is_empty() || name.starts_with('.') || !name.chars().all(good) {
        let message = "not a name that a path can begin with";
        desk.wrong_key(at, message, "use letters, digits, `-`, `_` and `.`, as in app-env");
        return false;
    }
    true
}

fn kind(entry: &BackendEntry, at: &KeyPath, desk: &mut Desk<'_>) -> Option<Kind> {
    match (&entry.environment, &entry.files) {
        (Some(environment), None) => {
            let prefix = environment.prefix.clone().unwrap_or_default();
            if prefix.contains(|c: char| c == '=' || c.is_control()) {
                let at = at.key("environment").key("prefix");
                desk.wrong_value(&at, "no variable's name can begin so", "write it like APP_");
                return None;
            }
            Some(Kind::Environment { prefix })
        }
        (None, Some(files)) => {
            let at = at.key("files");
            let Some(dir) = &files.dir else {
                desk.missing(&at, "a folder of files without `dir`", "name it, like /run/credentials/app");
                return None;
            };
            let dir = path(dir, &at.key("dir"), desk)?;
            if dir.is_relative() {
                desk.wrong_value(&at.key("dir"), "not an absolute path", "write it from the root");
                return None;
            }
            Some(Kind::Files { dir })
        }
        (Some(_), Some(_)) => {
            let message = "`environment` and `files` exclude one another";
            desk.wrong_key(&at.key("files"), message, "give each a backend of its own");
            None
        }
        (None, None) => {
            let broken = ["environment", "files"].iter().any(|kind| desk.is_broken(&at.key(kind)));
            if !broken {
                desk.missing(at, "a backend that does not say what it is", "add `environment` or `files`");
            }
            None
        }
    }
}
