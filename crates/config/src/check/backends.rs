//! `backends`: the stores that are no Vault, by the names that paths begin with.

use leasehold_settings::stores::{Kind, Settings};

#[cfg(feature = "clouds")]
use super::clouds;
use super::path;
use super::vault::rate_limit;
use crate::desk::Desk;
use crate::file::{BackendEntry, EnvironmentStore, File, FileStore};
use crate::keypath::KeyPath;

/// The mounts that every Vault has by itself.
const TAKEN: [&str; 5] = ["auth", "cubbyhole", "identity", "sys", "vault"];

/// Checks the stores, and returns them sorted by name.
pub(super) fn check(file: &File, desk: &mut Desk<'_>) -> Vec<Settings> {
    let at = KeyPath::of(&["backends"]);
    let all = file.backends.iter().filter_map(|(name, entry)| {
        let at = at.key(name);
        let named = is_named_well(name, &at, desk);
        let rate_limit = entry.rate_limit.as_ref().and_then(|limit| rate_limit(limit, &at, desk));
        let kind = kind(entry, &at, desk)?;
        named.then(|| Settings { name: name.clone(), kind, rate_limit })
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
    let kinds = [
        ("environment", entry.environment.is_some()),
        ("files", entry.files.is_some()),
        ("aws_secrets_manager", entry.aws_secrets_manager.is_some()),
        ("azure_key_vault", entry.azure_key_vault.is_some()),
        ("google_secret_manager", entry.google_secret_manager.is_some()),
    ];
    let mut named = kinds.iter().filter(|(_, is_there)| *is_there).map(|(name, _)| *name);
    if let (Some(first), Some(second)) = (named.next(), named.next()) {
        let message = format!("`{first}` and `{second}` exclude one another");
        desk.wrong_key(&at.key(second), message, "give each a backend of its own");
        return None;
    }
    let of_environment = entry.environment.as_ref().map(|entry| environment(entry, at, desk));
    let of_files = entry.files.as_ref().map(|entry| files(entry, at, desk));
    let of_clouds = of_cloud(entry, at, desk);
    of_environment.or(of_files).or(of_clouds).unwrap_or_else(|| {
        if !kinds.iter().any(|(kind, _)| desk.is_broken(&at.key(kind))) {
            let hint =
                "add `environment`, `files`, `aws_secrets_manager`, `azure_key_vault` or `google_secret_manager`";
            desk.missing(at, "a backend that does not say what it is", hint);
        }
        None
    })
}

#[cfg(feature = "clouds")]
fn of_cloud(entry: &BackendEntry, at: &KeyPath, desk: &mut Desk<'_>) -> Option<Option<Kind>> {
    let of_aws = entry.aws_secrets_manager.as_ref().map(|entry| clouds::aws(entry, at, desk));
    let of_azure = entry.azure_key_vault.as_ref().map(|entry| clouds::azure(entry, at, desk));
    let of_google = entry.google_secret_manager.as_ref().map(|entry| clouds::google(entry, at, desk));
    of_aws.or(of_azure).or(of_google)
}

#[cfg(not(feature = "clouds"))]
fn of_cloud(entry: &BackendEntry, at: &KeyPath, desk: &mut Desk<'_>) -> Option<Option<Kind>> {
    let kinds = [
        ("aws_secrets_manager", entry.aws_secrets_manager.is_some()),
        ("azure_key_vault", entry.azure_key_vault.is_some()),
        ("google_secret_manager", entry.google_secret_manager.is_some()),
    ];
    let (kind, _) = kinds.iter().find(|(_, is_there)| *is_there)?;
    let message = "this binary has no clouds";
    desk.wrong_key(&at.key(kind), message, "take the binary leasehold-clouds, or the image with it");
    Some(None)
}

fn environment(entry: &EnvironmentStore, at: &KeyPath, desk: &mut Desk<'_>) -> Option<Kind> {
    let prefix = entry.prefix.clone().unwrap_or_default();
    if prefix.contains(|c: char| c == '=' || c.is_control()) {
        let at = at.key("environment").key("prefix");
        desk.wrong_value(&at, "no variable's name can begin so", "write it like APP_");
        return None;
    }
    Some(Kind::Environment { prefix })
}

fn files(entry: &FileStore, at: &KeyPath, desk: &mut Desk<'_>) -> Option<Kind> {
    let at = at.key("files");
    let Some(dir) = &entry.dir else {
        desk.missing(&at, "a folder of files without `dir`", "name it, like /run/credentials/app");
        return None;
    };
    let dir = path(dir, &at.key("dir"), desk)?;
    if !dir.has_root() {
        desk.wrong_value(&at.key("dir"), "not an absolute path", "write it from the root");
        return None;
    }
    Some(Kind::Files { dir })
}
