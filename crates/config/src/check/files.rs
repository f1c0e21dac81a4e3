//! `files`, and what `sinks` share with them: where each goes, whose it is, and that no two are in each other's way.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::accounts::{self, Account};
use crate::desk::Desk;
use crate::file::{File, PlaceKeys, WaitEntry};
use crate::keypath::KeyPath;
use crate::plan::{FilePlan, FileSource, Target, Wait};
use crate::problem::io_words;
use crate::shape;
use crate::writes::odd_component;

use super::notify::CHILD;
use super::runtime::{self, Defaults};
use super::{sinks, source};

/// The paths that a file must not collide with.
pub(super) struct Folders<'p> {
    pub(super) secrets_dir: Option<&'p Path>,
    pub(super) handoff: Option<&'p Path>,
}

/// Checks the files in the order of the configuration, and then the sinks.
pub(super) fn check(
    file: &File,
    folders: &Folders<'_>,
    defaults: &Defaults,
    desk: &mut Desk<'_>,
) -> Vec<FilePlan> {
    let at = KeyPath::of(&["files"]);
    let env = KeyPath::of(&["exec", "env"]);
    let child_alone =
        !file.exec.env.is_empty() || file.exec.resolve_env == Some(true) || desk.is_broken(&env);
    if file.files.is_empty() && file.sinks.is_empty() && !child_alone {
        desk.missing(
            &at,
            "there are no `files`: nothing to render",
            "add an entry with `path` and `template`",
        );
    }
    let names: Vec<&str> = file.notify.keys().map(String::as_str).collect();
    let mut clerk = Clerk { folders, defaults, names: &names, taken: BTreeMap::new() };
    let mut plans = Vec::new();
    for (index, entry) in file.files.iter().enumerate() {
        let at = at.index(index);
        let place = clerk.place(&entry.place(), "a file", &at, desk);
        let source = source::check("a file", &entry.source(), defaults.missing_key, &at, desk);
        if let (Some(place), Some(source)) = (place, source) {
            plans.push(place.holding(FileSource::Made(source)));
        }
    }
    plans.extend(sinks::check(&file.sinks, &mut clerk, desk));
    if desk.is_clean() {
        unheard(&plans, &names, desk);
    }
    plans
}

/// Gives files their places, each its own.
pub(super) struct Clerk<'c> {
    folders: &'c Folders<'c>,
    defaults: &'c Defaults,
    /// The notifiers', sorted.
    names: &'c [&'c str],
    /// The key that each path was given by.
    taken: BTreeMap<PathBuf, KeyPath>,
}

impl Clerk<'_> {
    /// Checks all of a file but its source. `whose` is its name in messages.
    pub(super) fn place(
        &mut self,
        keys: &PlaceKeys<'_>,
        whose: &str,
        at: &KeyPath,
        desk: &mut Desk<'_>,
    ) -> Option<Placed> {
        let target = target(keys, whose, self.folders, at, desk);
        if let Some(target) = target.as_ref().filter(|target| !target.is_nowhere()) {
            collide(target, at, &mut self.taken, desk);
        }
        if let Some(mode) = keys.mode {
            runtime::file_mode(mode, &at.key("mode"), desk);
        }
        if let Some(refresh) = keys.refresh {
            runtime::least_refresh(refresh, &at.key("refresh"), desk);
        }
        let tells_child = keys.notify.is_none_or(|wanted| wanted.iter().any(|name| name == CHILD));
        let place = Placed {
            name: keys.path.unwrap_or_default().to_owned(),
            mode: keys.mode.unwrap_or(self.defaults.mode),
            uid: owner(keys.user, Account::User, &at.key("user"), desk),
            gid: owner(keys.group, Account::Group, &at.key("group"), desk),
            refresh: keys.refresh.unwrap_or(self.defaults.refresh),
            wait: keys.wait.and_then(|entry| wait(entry, &at.key("wait"), desk)),
            notify: notify(keys.notify, self.names, &at.key("notify"), desk),
            tells_child,
            target: target?,
        };
        Some(place)
    }
}

/// Warns of notifiers that no file uses.
fn unheard(plans: &[FilePlan], names: &[&str], desk: &mut Desk<'_>) {
    let mut told = vec![false; names.len()];
    for notifier in plans.iter().flat_map(|plan| &plan.notify) {
        told[*notifier] = true;
    }
    for (name, _) in names.iter().zip(told).filter(|(_, told)| !told) {
        let at = KeyPath::of(&["notify", name]);
        desk.warn(&at, format!("no file notifies `{name}`"), "name it in a file's `notify`, or take it out");
    }
}

/// The parts of a file besides its source.
pub(super) struct Placed {
    name: String,
    target: Target,
    mode: u32,
    uid: Option<u32>,
    gid: Option<u32>,
    refresh: Duration,
    wait: Option<Wait>,
    notify: Vec<usize>,
    tells_child: bool,
}

impl Placed {
    /// Makes the file whose content `source` says.
    pub(super) fn holding(self, source: FileSource) -> FilePlan {
        let Self { name, target, mode, uid, gid, refresh, wait, notify, tells_child } = self;
        FilePlan { name, target, source, mode, uid, gid, refresh, wait, notify, tells_child }
    }
}

fn target(
    keys: &PlaceKeys<'_>,
    whose: &str,
    folders: &Folders<'_>,
    at: &KeyPath,
    desk: &mut Desk<'_>,
) -> Option<Target> {
    let path_at = at.key("path");
    let Some(text) = keys.path else {
        desk.missing(&path_at, format!("{whose} without a `path`"), "say where it goes");
        return None;
    };
    let (relative, parts) = match text.strip_prefix('/') {
        Some(rest) => (false, rest),
        None => (true, text),
    };
    if let Some((message, hint)) = parts.split('/').find_map(odd_component) {
        desk.wrong_value(&path_at, message, hint);
        return None;
    }
    let path = PathBuf::from(text);
    if !relative {
        if folders.secrets_dir.is_some_and(|dir| path.starts_with(dir)) {
            let message = "an absolute path inside `secrets_dir`";
            desk.wrong_value(&path_at, message, "write it relative, so that it is a member of the set");
            return None;
        }
        if folders.handoff == Some(&path) {
            desk.wrong_value(&path_at, "the same path as the handoff", "rename one of them");
            return None;
        }
        return Some(Target::Alone(path));
    }
    if folders.secrets_dir.is_none() {
        desk.missing(
            &KeyPath::of(&["secrets_dir"]),
            format!("`secrets_dir` is missing, and `{at}` has a relative path"),
            "set it to a folder on a tmpfs, like /leasehold/secrets in a pod, or /run/leasehold/secrets on a machine",
        );
        return None;
    }
    Some(Target::Member(path))
}

/// Refuses a target that is another's, or a folder of another's, or below another.
fn collide(target: &Target, at: &KeyPath, taken: &mut BTreeMap<PathBuf, KeyPath>, desk: &mut Desk<'_>) {
    // A relative path cannot begin with a slash, so the two kinds never meet in the map.
    let (Target::Member(path) | Target::Alone(path)) = target;
    let path_at = at.key("path");
    if let Some(other) = taken.get(path) {
        let message = format!("the same path as {other}");
        return desk.wrong_value(&path_at, message, "two files cannot be one: rename it");
    }
    let above = path.ancestors().skip(1).find_map(|folder| taken.get(folder));
    // Paths sort by their components, so what is below a folder comes right behind it.
    let next = taken.range(path.clone()..).next();
    let below = next.filter(|(other, _)| other.starts_with(path)).map(|(_, other)| other);
    if let Some(other) = above {
        let message = format!("{other} is a file where this path needs a folder");
        desk.wrong_value(&path_at, message, "rename one of them");
    } else if let Some(other) = below {
        let message = format!("{other} needs a folder where this path is a file");
        desk.wrong_value(&path_at, message, "rename one of them");
    } else {
        taken.insert(path.clone(), at.clone());
    }
}

fn owner(text: Option<&str>, kind: Account, at: &KeyPath, desk: &mut Desk<'_>) -> Option<u32> {
    let text = text?;
    if let Ok(number) = text.parse::<u32>() {
        // The last number means "leave it as it is" to chown.
        if number == u32::MAX {
            desk.wrong_value(at, "not the number of an account", "use one below 4294967295");
        }
        return Some(number);
    }
    let book = match (desk.read_file)(Path::new(kind.file())) {
        Ok(book) => book,
        Err(error) => {
            let message = format!("cannot look the name up: {}: {}", kind.file(), io_words(&error));
            desk.wrong_value(at, message, "write the number");
            return None;
        }
    };
    let number = accounts::look_up(&book, text);
    if number.is_none() && desk.asked {
        let message = format!("no such name in {} of this machine", kind.file());
        desk.warn(at, message, "add it where Leasehold is to run, or write the number");
    } else if number.is_none() {
        desk.wrong_value(at, format!("no such name in {}", kind.file()), "add it there, or write the number");
    }
    number
}

pub(super) fn wait(entry: &WaitEntry, at: &KeyPath, desk: &mut Desk<'_>) -> Option<Wait> {
    let Some(min) = entry.min else {
        desk.missing(&at.key("min"), "a `wait` without `min`", "write it like {min: 1s, max: 10s}");
        return None;
    };
    // As consul-template has it. Durations end at ten years, so this cannot overflow.
    let max = entry.max.unwrap_or(min * 4);
    if max < min {
        desk.wrong_value(&at.key("max"), "`max` is shorter than `min`", "make it at least as long");
        return None;
    }
    Some(Wait { min, max })
}

fn notify(entry: Option<&[String]>, names: &[&str], at: &KeyPath, desk: &mut Desk<'_>) -> Vec<usize> {
    let Some(wanted) = entry else { return (0..names.len()).collect() };
    let mut told = Vec::new();
    for (index, name) in wanted.iter().enumerate() {
        let at = at.index(index);
        match names.binary_search(&name.as_str()) {
            Ok(notifier) if !told.contains(&notifier) => told.push(notifier),
            Ok(_) => {}
            Err(_) if name == CHILD => {}
            Err(_) if desk.is_broken(&at) || desk.is_broken(&KeyPath::of(&["notify", name])) => {}
            Err(_) => {
                let hint = match shape::nearest(name, names) {
                    Some(near) => format!("did you mean `{near}`?"),
                    None => format!("define it under `notify`: {name}: {{signal: HUP, process: …}}"),
                };
                desk.wrong_value(&at, format!("no notifier is called `{name}`"), hint);
            }
        }
    }
    told
}
