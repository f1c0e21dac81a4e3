//! The rest: folders, defaults, and how the daemon runs, logs and stops.

use std::path::{Component, Path, PathBuf};
use std::time::Duration;

use crate::defaults;
use crate::desk::Desk;
use crate::file::{Defaults as DefaultsEntry, Init, Log, Shutdown};
use crate::keypath::KeyPath;
use crate::plan::{
    ExecPlan, FilePlan, LogPlan, MissingKey, Notifier, NotifierPlan, Sandbox, ShutdownPlan, Target,
    WriteRules,
};

use super::files::Folders;
use super::path;

/// The shortest `refresh`. A shorter one is taken for a mistake in the unit.
pub(super) const LEAST_REFRESH: Duration = Duration::from_secs(1);

/// The values that hold for a file that does not set them.
pub(super) struct Defaults {
    pub(super) mode: u32,
    pub(super) dir_mode: u32,
    pub(super) refresh: Duration,
    pub(super) missing_key: MissingKey,
}

pub(super) fn defaults(entry: &DefaultsEntry, desk: &mut Desk<'_>) -> Defaults {
    let at = KeyPath::of(&["defaults"]);
    if let Some(mode) = entry.mode {
        file_mode(mode, &at.key("mode"), desk);
    }
    let dir_mode = entry.dir_mode.unwrap_or(defaults::DIR_MODE.value);
    if dir_mode & 0o700 != 0o700 {
        desk.wrong_value(&at.key("dir_mode"), "a folder its owner cannot use", "begin with 7, like \"0750\"");
    } else if dir_mode & 0o002 != 0 {
        desk.warn(&at.key("dir_mode"), "anyone may replace files in the secrets' folder", "use \"0750\"");
    }
    if let Some(refresh) = entry.refresh {
        least_refresh(refresh, &at.key("refresh"), desk);
    }
    let missing_key = entry.missing_key.unwrap_or_default();
    holes(missing_key, &at.key("missing_key"), desk);
    let refresh = entry.refresh.unwrap_or(defaults::REFRESH.value);
    Defaults { mode: entry.mode.unwrap_or(defaults::MODE.value), dir_mode, refresh, missing_key }
}

/// Warns of a choice that leaves holes in files.
pub(super) fn holes(missing_key: MissingKey, at: &KeyPath, desk: &mut Desk<'_>) {
    if missing_key != MissingKey::Error {
        let message = "a missing key renders as `<no value>` instead of stopping";
        desk.warn(at, message, "use `error`, so that no file has a hole");
    }
}

/// Refuses set-uid and its kind on a file, and warns if every user may read the file, or no user.
pub(super) fn file_mode(mode: u32, at: &KeyPath, desk: &mut Desk<'_>) {
    if mode & 0o7000 != 0 {
        desk.wrong_value(
            at,
            "set-uid, set-gid or sticky on a file of secrets",
            "use three digits, like \"0440\"",
        );
    } else if mode & 0o002 != 0 {
        desk.warn(at, "a mode by which anyone on this machine may write the secrets", "use \"0440\"");
    } else if mode & 0o004 != 0 {
        desk.warn(
            at,
            "a mode by which anyone on this machine may read the secrets",
            "use \"0440\" and `group`",
        );
    } else if mode & 0o444 == 0 {
        desk.warn(at, "a mode by which only root may read the file", "use \"0440\" and `group`");
    }
}

pub(super) fn least_refresh(refresh: Duration, at: &KeyPath, desk: &mut Desk<'_>) {
    if refresh < LEAST_REFRESH {
        desk.wrong_value(at, "more often than once a second", "use 1s or more");
    }
}

/// Returns a folder, if one is given: absolute and without `..`.
pub(super) fn folder(text: Option<&str>, at: &KeyPath, desk: &mut Desk<'_>) -> Option<PathBuf> {
    let folder = absolute(text?, at, desk)?;
    if folder.file_name().is_none() {
        desk.wrong_value(at, "the root folder", "name a folder of its own, like /leasehold/secrets");
        return None;
    }
    Some(folder)
}

pub(super) fn absolute(text: &str, at: &KeyPath, desk: &mut Desk<'_>) -> Option<PathBuf> {
    let path = path(text, at, desk)?;
    // `is_absolute` would be false for every path in a browser.
    if !path.has_root() {
        desk.wrong_value(at, "not an absolute path", "begin it with /");
        return None;
    }
    if path.components().any(|part| part == Component::ParentDir) {
        desk.wrong_value(at, "a path with `..` in it", "write where it leads");
        return None;
    }
    // Collects `//` and `/./` and a slash at the end away.
    Some(path.components().collect())
}

pub(super) fn handoff(
    text: Option<&str>,
    secrets_dir: Option<&Path>,
    desk: &mut Desk<'_>,
) -> Option<PathBuf> {
    let at = KeyPath::of(&["handoff", "file"]);
    let file = absolute(text?, &at, desk)?;
    if file.file_name().is_none() {
        desk.wrong_value(&at, "not a file", "write it like /leasehold/handoff/state");
        return None;
    }
    if secrets_dir.is_some_and(|dir| file.starts_with(dir)) {
        let message = "the handoff lies in `secrets_dir`, where the application could read the token";
        desk.wrong_value(&at, message, "put it on a tmpfs that the application does not mount");
        return None;
    }
    Some(file)
}

/// Checks the folders that templates may write below. None may hold what others publish there, because a template
/// could replace it.
pub(super) fn writes(
    entries: &[String],
    ours: &Folders<'_>,
    files: &[FilePlan],
    desk: &mut Desk<'_>,
) -> WriteRules {
    let at = KeyPath::of(&["write_to_file"]);
    let mut folders = Vec::new();
    for (index, entry) in entries.iter().enumerate() {
        let at = at.index(index);
        let Some(found) = folder(Some(entry), &at, desk) else { continue };
        let set = ours.secrets_dir.is_some_and(|dir| found.starts_with(dir) || dir.starts_with(&found));
        if set {
            let message = "`secrets_dir` is in it or around it, where a template could replace the set";
            desk.wrong_value(&at, message, "name a folder of its own, like /leasehold/written");
        } else if ours.handoff.is_some_and(|file| file.starts_with(&found)) {
            desk.wrong_value(
                &at,
                "the handoff lies in it",
                "name a folder of its own, like /leasehold/written",
            );
        } else {
            folders.push(found);
        }
    }
    let alone = files.iter().filter_map(|file| match &file.target {
        Target::Alone(path) => Some(path.clone()),
        Target::Member(_) => None,
    });
    WriteRules { folders, taken: alone.collect() }
}

pub(super) fn require_tmpfs(wanted: Option<bool>, desk: &mut Desk<'_>) -> bool {
    if wanted == Some(false) {
        let message = "secrets may be written to a disk, where they outlive the run";
        desk.warn(&KeyPath::of(&["require_tmpfs"]), message, "use a tmpfs and `require_tmpfs: true`");
    }
    wanted.unwrap_or(defaults::REQUIRE_TMPFS.value)
}

pub(super) fn sandbox(
    sandbox: Sandbox,
    notifiers: &[NotifierPlan],
    exec: &ExecPlan,
    desk: &mut Desk<'_>,
) -> Sandbox {
    let at = KeyPath::of(&["sandbox"]);
    let hook = notifiers.iter().find(|notifier| matches!(notifier.how, Notifier::Command { .. }));
    match (sandbox, hook) {
        (Sandbox::Auto, _) => {}
        (Sandbox::Off, _) => {
            let message = "without the sandbox, nothing limits what this process can do if it is attacked";
            desk.warn(&at, message, "use `auto`, which closes what it can");
        }
        (Sandbox::Required, None) if exec.command.is_empty() => {}
        (Sandbox::Required, None) => {
            let message = "`exec.command` would inherit the sandbox, and could not work inside it";
            desk.wrong_value(&at, message, "use `sandbox: auto`, which leaves the sandbox off for `exec`");
        }
        (Sandbox::Required, Some(hook)) => {
            let message =
                format!("notifier `{}` runs a command, which cannot work inside the sandbox", hook.name);
            let hint = "use `signal` or `http` there, or `sandbox: auto`, which leaves the sandbox off";
            desk.wrong_value(&at, message, hint);
        }
    }
    sandbox
}

pub(super) fn init_timeout(entry: &Init, desk: &mut Desk<'_>) -> Duration {
    let timeout = entry.timeout.unwrap_or(defaults::INIT.value);
    if timeout < Duration::from_secs(1) {
        desk.wrong_value(&KeyPath::of(&["init", "timeout"]), "too short to log in", "use a second or more");
    }
    timeout
}

pub(super) fn shutdown(entry: &Shutdown) -> ShutdownPlan {
    ShutdownPlan {
        revoke: entry.revoke.unwrap_or(defaults::REVOKE.value),
        delay: entry.delay.unwrap_or_default(),
    }
}

pub(super) fn log(entry: &Log) -> LogPlan {
    let default = LogPlan::default();
    LogPlan { level: entry.level.unwrap_or(default.level), format: entry.format.unwrap_or(default.format) }
}
