//! Makes a [`Plan`] of what was typed, or reports everything that is wrong with it.

mod auth;
mod backends;
#[cfg(feature = "clouds")]
mod clouds;
mod exec;
mod files;
mod identity;
mod levels;
mod listen;
mod manner;
mod notify;
mod runtime;
mod sinks;
mod source;
mod surroundings;
pub(super) mod vault;
mod vaultless;
mod written;

use std::path::PathBuf;

use self::files::Folders;
use super::desk::Desk;
use super::digest;
use super::file::File;
use super::keypath::KeyPath;
use super::plan::{AuthPlan, Plan, VaultPlan};

/// Returns the plan that `file` asks for, or `None` if something is wrong. Then `desk` has the problem.
pub(super) fn check(file: &File, desk: &mut Desk<'_>) -> Option<Plan> {
    let stores = backends::check(file, desk);
    let (vault, auth) = if vaultless::is(file) {
        (Some(VaultPlan::nowhere()), Some(AuthPlan::none()))
    } else {
        let vault = vault::check(&file.vault, desk);
        let auth = auth::check(file.auth.as_ref(), vault.as_ref(), desk);
        (vault, auth)
    };
    let secrets_dir = runtime::folder(file.secrets_dir.as_deref(), &KeyPath::of(&["secrets_dir"]), desk);
    let handoff = runtime::handoff(file.handoff.file.as_deref(), secrets_dir.as_deref(), desk);
    let defaults = runtime::defaults(&file.defaults, desk);
    let notifiers = notify::check(&file.notify, desk);
    let folders = Folders { secrets_dir: secrets_dir.as_deref(), handoff: handoff.as_deref() };
    let files = files::check(file, &folders, &defaults, desk);
    if let Some(auth) = &file.auth {
        sinks::wrapped_login(file, auth, desk);
    }
    let writes = runtime::writes(&file.write_to_file, &folders, &files, desk);
    let exec = exec::check(&file.exec, file.auth.as_ref(), &defaults, desk);
    let listen_tls = listen::tls(file.listen_tls.as_ref(), file.listen.as_deref(), desk);
    let listen = listen::listen(file.listen.as_deref(), file.listen_tls.is_some(), desk);
    let init_timeout = runtime::init_timeout(&file.init, desk);
    let sandbox = runtime::sandbox(file.sandbox.unwrap_or_default(), &notifiers, &exec, desk);
    let require_tmpfs = runtime::require_tmpfs(file.require_tmpfs, desk);
    if desk.is_clean() {
        written::check(&files, &exec.env, &writes, desk);
        levels::check(&files, &exec.env, desk);
        surroundings::check(file, desk);
        if vaultless::is(file) {
            vaultless::check(&files, &exec.env, desk);
        }
    }
    let (vault, auth) = (vault?, auth?);
    let digest = digest::of(&vault, &auth, &stores, &files);
    Some(Plan {
        vault,
        auth,
        stores,
        secrets_dir,
        dir_mode: defaults.dir_mode,
        require_tmpfs,
        files,
        writes,
        notifiers,
        exec,
        init_timeout,
        handoff,
        shutdown: runtime::shutdown(&file.shutdown),
        listen,
        listen_tls,
        sandbox,
        log: runtime::log(&file.log),
        digest,
        overrides: Vec::new(),
    })
}

/// Checks a path as typed: it is not empty, and has nothing that no path can hold.
fn path(text: &str, at: &KeyPath, desk: &mut Desk<'_>) -> Option<PathBuf> {
    if text.is_empty() {
        desk.wrong_value(at, "an empty path", "name a file or a folder");
        return None;
    }
    if text.chars().any(char::is_control) {
        desk.wrong_value(at, "a path with a control character", "remove it");
        return None;
    }
    Some(PathBuf::from(text))
}

/// Does the same as [`path`] if a path is given.
fn optional_path(text: Option<&str>, at: &KeyPath, desk: &mut Desk<'_>) -> Option<PathBuf> {
    path(text?, at, desk)
}
