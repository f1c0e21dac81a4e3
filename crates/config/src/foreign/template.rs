//! `template`: the same block for Vault Agent and consul-template.

use std::collections::BTreeMap;
use std::path::Path;

use crate::value::{Mapping, Value};

use super::draft::{Origin, Weight};
use super::kinds;
use super::stanza::{Block, Desk, Row, Stanza, To, row};
use super::tree::{Item, Lies};
use super::wait;
use crate::keypath::KeyPath;

/// The name by which a file's `notify` means the process of `leasehold exec`.
const CHILD: &str = "exec";

const TEMPLATE: &[Row] = &[
    row("source", To::Path(&["template_file"])),
    row("contents", To::Own),
    row("destination", To::Path(&["path"])),
    row("perms", To::Own),
    row("user", To::Own),
    row("group", To::Own),
    row("uid", To::Own),
    row("gid", To::Own),
    row("command", To::Own),
    row("command_timeout", To::Own),
    row("exec", To::Own),
    row("wait", To::Own),
    row("error_on_missing_key", To::Own),
    row("error_fatal", To::Moot("a template that fails keeps its file as it was; `init` ends with it")),
    row("left_delimiter", To::Own),
    row("right_delimiter", To::Own),
    row("function_denylist", To::Own),
    row("function_blacklist", To::Own),
    row(
        "backup",
        To::Lost(
            "no copy of the file before is kept: nothing would ever remove that secret",
            "a new file is put in place of the old in one step",
        ),
    ),
    row("create_dest_dirs", To::Own),
    row(
        "sandbox_path",
        To::Refused(
            "Leasehold cannot confine `file` to a folder, and without that a template could read more",
            "take `file` away with `function_denylist = [\"file\"]`, or take this out",
        ),
    ),
];

const EXEC: &[Row] = &[
    row("command", To::Own),
    row("timeout", To::Own),
    row("splay", To::Own),
    row("enabled", To::Own),
    row(
        "env",
        To::Lost("a command gets PATH, HOME and the like, and none of the rest", "set it in the command"),
    ),
    row("kill_signal", To::Lost("a command that takes too long is killed", "give it more `timeout`")),
    row("kill_timeout", To::Lost("a command that takes too long is killed", "give it more `timeout`")),
    row("reload_signal", To::Lost("a command is run at each change", "notify the process by a signal")),
];

/// The settings that hold for all templates of a configuration.
#[derive(Default)]
pub(super) struct Habits<'o> {
    /// True if the program ends when everything is rendered. It has run the commands by then.
    pub(super) ends: bool,
    /// The block that holds a `wait` for all.
    pub(super) wait: Option<&'o Stanza<'o>>,
    /// Delimiters for all.
    pub(super) delimiters: [Option<String>; 2],
}

/// Makes `files` and `notify` of the `template` blocks.
pub(super) fn convert(top: &Stanza<'_>, habits: &Habits<'_>, desk: &mut Desk<'_>) {
    let blocks = top.blocks("template", desk);
    let mut commands = Commands::default();
    let mut told = Vec::new();
    for (index, block) in blocks.iter().enumerate() {
        let at = KeyPath::of(&["files"]).index(index);
        let here = Origin { key: block.stanza.at, value: block.stanza.at, lies: Lies::Somewhere };
        desk.draft.put(&at, Mapping::new(), Some(here));
        file(block, habits, &at, desk);
        told.push(command(&block.stanza, &at, &mut commands, desk));
    }
    notifiers(&told, &commands.all, desk);
    on_init(&commands.all, habits.ends, desk);
}

fn file(block: &Block<'_>, habits: &Habits<'_>, at: &KeyPath, desk: &mut Desk<'_>) {
    let stanza = &block.stanza;
    desk.walk(stanza, TEMPLATE, at);
    needed(stanza, &["destination"], &at.key("path"), "say where the file goes", desk);
    needed(stanza, &["contents", "source"], &at.key("template"), "say what the file is made of", desk);
    if let Some(item) = stanza.get("contents") {
        desk.text(stanza, item, &at.key("template"));
        let text = desk.draft.get(&at.key("template")).and_then(Value::as_str).map(str::to_owned);
        written(item, text.as_deref().unwrap_or_default(), desk);
    }
    if let Some(item) = stanza.get("source") {
        let file = desk.draft.get(&at.key("template_file")).and_then(Value::as_str).map(Path::new);
        // A file that cannot be read is reported when the template is read.
        let bytes = file.and_then(|file| (desk.read_file)(file).ok()).unwrap_or_default();
        written(item, &String::from_utf8_lossy(&bytes), desk);
    }
    // No permission bits at all mean the default.
    if let Some(item) = stanza.get("perms").filter(|item| kinds::mode(&item.value) != Ok(0)) {
        desk.mode(stanza, item, &at.key("mode"));
    }
    for (ours, theirs) in [("user", ["user", "uid"]), ("group", ["group", "gid"])] {
        let given = theirs.into_iter().find_map(|key| stanza.get(key));
        if let Some(item) = given.filter(|item| kinds::text(&item.value).as_deref() != Ok("")) {
            desk.set(stanza, item, &at.key(ours), kinds::text);
        }
    }
    if let Some(item) = stanza.get("create_dest_dirs")
        && desk.read(stanza, item, at, kinds::flag) == Some(false)
    {
        let told = ("missing folders are made, whatever this says", "make sure that they are there");
        let told = (told.0.to_owned(), told.1.to_owned());
        desk.note(Weight::Lost, item.at, stanza.path("create_dest_dirs"), at, told);
    }
    manner(stanza, habits, at, desk);
    match (stanza.get("wait"), habits.wait) {
        (Some(item), _) => wait::convert(stanza, item, &at.key("wait"), desk),
        (None, Some(above)) => wait::for_all(above, &at.key("wait"), desk),
        (None, None) => {}
    }
}

/// Refuses a block with none of `keys`, of which `home` would be made.
fn needed(stanza: &Stanza<'_>, keys: &[&str], home: &KeyPath, hint: &str, desk: &mut Desk<'_>) {
    let broken = |at: &KeyPath| desk.draft.broken.contains(at);
    let mistyped = broken(home) || broken(&home.first(home.steps().len() - 1));
    if keys.iter().any(|key| stanza.get(key).is_some()) || mistyped {
        return;
    }
    let message = format!("a template without `{}`", keys.join("` or `"));
    desk.refuse(stanza.at, stanza.name.clone(), home, (message, hint.to_owned()));
}

/// Allows the folders that a template itself says it writes below. The Agent allows every folder.
fn written(item: &Item, text: &str, desk: &mut Desk<'_>) {
    let home = KeyPath::of(&["write_to_file"]);
    let paths = text.split("writeToFile").skip(1).filter_map(|rest| {
        let path = rest.trim_start().strip_prefix('"')?.split('"').next()?;
        let folder = Path::new(path).parent()?.to_str()?;
        (path.starts_with('/') && folder != "/").then(|| folder.to_owned())
    });
    let mut folders: Vec<String> = paths.collect();
    if folders.is_empty() {
        return;
    }
    if let Some(Value::Sequence(before)) = desk.draft.get(&home) {
        folders.extend(before.iter().filter_map(Value::as_str).map(str::to_owned));
    }
    folders.sort_unstable();
    folders.dedup();
    desk.draft.put(&home, folders, Some(Origin::of(item)));
}

/// Sets how a template is read, also that of an `env_template`.
pub(super) fn manner(stanza: &Stanza<'_>, habits: &Habits<'_>, at: &KeyPath, desk: &mut Desk<'_>) {
    if let Some(item) = stanza.get("error_on_missing_key")
        && desk.read(stanza, item, at, kinds::flag) == Some(true)
    {
        desk.draft.put(&at.key("missing_key"), "error", Some(Origin::of(item)));
    }
    let sides = [("left_delimiter", "left", "{{"), ("right_delimiter", "right", "}}")];
    for ((theirs, ours, usual), habit) in sides.into_iter().zip(&habits.delimiters) {
        let home = at.key("delimiters").key(ours);
        let given = stanza.get(theirs).filter(|item| kinds::text(&item.value).as_deref() != Ok(""));
        // What holds without it need not be said: the injector writes it into every template.
        let is_usual = |item: &&Item| habit.is_none() && kinds::text(&item.value).as_deref() == Ok(usual);
        match (given.filter(|item| !is_usual(item)), habit) {
            (Some(item), _) => desk.set(stanza, item, &home, kinds::text),
            (None, Some(habit)) => desk.draft.put(&home, habit.as_str(), None),
            (None, None) => {}
        }
    }
    let home = at.key("deny_functions");
    let mut denied = Vec::new();
    let lists = ["function_denylist", "function_blacklist"].map(|key| stanza.get(key));
    for item in lists.into_iter().flatten() {
        denied.extend(desk.read(stanza, item, &home, kinds::words).unwrap_or_default());
        desk.draft.put(&home, denied.clone(), Some(Origin::of(item)));
    }
}

/// A command to run when a file changed.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Command {
    words: Vec<String>,
    timeout: Option<String>,
    splay: Option<String>,
}

/// Returns the command of a template, as an index into `commands`. Each command stands there once, so what several
/// templates run is run once for all of them.
fn command(stanza: &Stanza<'_>, at: &KeyPath, commands: &mut Commands, desk: &mut Desk<'_>) -> Option<usize> {
    let exec = stanza.only("exec", desk);
    if let Some(exec) = &exec {
        desk.walk(exec, EXEC, at);
        let enabled = exec.get("enabled").map(|item| kinds::flag(&item.value));
        if enabled == Some(Ok(false)) {
            return None;
        }
    }
    let mut time = |stanza: &Stanza<'_>, key: &str| {
        let item = stanza.get(key)?;
        desk.read(stanza, item, at, kinds::duration).filter(|time| !time.is_zero()).map(kinds::spelled)
    };
    let own = time(stanza, "command_timeout");
    let timeout = exec.as_ref().and_then(|exec| time(exec, "timeout")).or(own);
    let splay = exec.as_ref().and_then(|exec| time(exec, "splay"));
    let inner = exec.as_ref().and_then(|exec| Some((exec, exec.get("command")?)));
    let (owner, item) = inner.or_else(|| Some((stanza, stanza.get("command")?)))?;
    let words = desk.read(owner, item, at, kinds::command)?;
    if words.iter().all(String::is_empty) {
        return None;
    }
    let command = Command { words, timeout, splay };
    Some(commands.index(command, Origin::of(item)))
}

/// The commands so far, each once.
#[derive(Default)]
struct Commands {
    all: Vec<(Command, Origin)>,
    known: BTreeMap<Command, usize>,
}

impl Commands {
    fn index(&mut self, command: Command, origin: Origin) -> usize {
        let index = *self.known.entry(command.clone()).or_insert(self.all.len());
        if index == self.all.len() {
            self.all.push((command, origin));
        }
        index
    }
}

/// Makes init run the commands if the program did that. The program went on if a command failed, and so does init.
fn on_init(commands: &[(Command, Origin)], ends: bool, desk: &mut Desk<'_>) {
    for (index, (_, origin)) in commands.iter().enumerate() {
        let at = KeyPath::of(&["notify", &name(index)]);
        if ends {
            desk.draft.put(&at.key("on_init"), true, None);
            desk.draft.put(&at.key("may_fail"), true, None);
        } else {
            let told = (NOT_ON_INIT.0.to_owned(), NOT_ON_INIT.1.to_owned());
            desk.note(Weight::Partly, origin.key, "command".to_owned(), &at, told);
        }
    }
}

const NOT_ON_INIT: (&str, &str) = (
    "run by `sidecar` and `exec` at every change; `init` does not run it",
    "write `on_init: true` where `init` should",
);

/// Returns the name of the notifier for the command of this index.
fn name(index: usize) -> String {
    format!("command-{}", index + 1)
}

/// Writes the commands down, and for each file which of them is its own.
fn notifiers(told: &[Option<usize>], commands: &[(Command, Origin)], desk: &mut Desk<'_>) {
    for (index, (command, origin)) in commands.iter().enumerate() {
        let at = KeyPath::of(&["notify", &name(index)]);
        desk.draft.put(&at.key("command"), command.words.clone(), Some(*origin));
        desk.draft.put(&at.key("timeout"), command.timeout.as_deref().unwrap_or("30s"), None);
        if let Some(splay) = &command.splay {
            desk.draft.put(&at.key("splay"), splay.as_str(), None);
        }
    }
    if commands.is_empty() {
        return;
    }
    // Without this, each file would notify every notifier.
    let child = desk.draft.get(&KeyPath::of(&["exec"])).map(|_| CHILD.to_owned());
    for (index, told) in told.iter().enumerate() {
        let names: Vec<Value> = told.map(name).into_iter().chain(child.clone()).map(Value::from).collect();
        let at = KeyPath::of(&["files"]).index(index).key("notify");
        let origin = told.and_then(|told| commands.get(told)).map(|(_, origin)| *origin);
        desk.draft.put(&at, names, origin);
    }
}
