//! What people type because other programs take it. Some of it simply works ([`meant`]); for the rest, one line says what to
//! type instead ([`ending`]). Both are asked only where the command line was refused, so that they cost a good one nothing.

use std::ffi::{OsStr, OsString};
use std::path::Path;

use clap::error::{ContextKind, ContextValue, ErrorKind};

use super::definition;
use crate::exit::{Cause, Ending};

/// Words that mean one thing, and what to type for that.
pub(super) struct Habit {
    /// The commands that they stand behind; none where they stand in a command's place.
    pub(super) behind: &'static [&'static str],
    /// The words.
    pub(super) typed: &'static [&'static str],
    /// What to do. `-c FILE` becomes the configuration that was named, `{word}` the word, and `{path}` the one behind it.
    pub(super) instead: &'static str,
}

const fn command(typed: &'static [&'static str], instead: &'static str) -> Habit {
    Habit { behind: &[], typed, instead }
}

const fn flag(
    behind: &'static [&'static str],
    typed: &'static [&'static str],
    instead: &'static str,
) -> Habit {
    Habit { behind, typed, instead }
}

/// Commands that run the engine, or ask the server as it would.
const RUNS: &[&str] = &["init", "sidecar", "exec", "plan"];

/// Commands that take `--config`.
const CONFIGURED: &[&str] =
    &["init", "sidecar", "exec", "plan", "check", "policy", "status", "refresh", "quit", "log-level"];

/// The table. Words of Vault, kubectl, git, docker, consul-template and of other programs that run one with secrets.
pub(super) const HABITS: &[Habit] = &[
    command(
        &["get", "show", "cat"],
        "type bao kv get {path}, or vault kv get {path}; leasehold new makes a configuration that has it in a file",
    ),
    command(
        &["read", "list", "write", "delete", "kv"],
        "type bao {word} {path}, or vault {word} {path}; leasehold new makes a configuration that has a secret in a file",
    ),
    command(&["put"], "type bao kv put {path} KEY=VALUE, or vault kv put {path} KEY=VALUE"),
    command(
        &["login", "auth", "token"],
        "leasehold logs in by itself, as `auth` of the configuration says; to try that, type leasehold plan -c FILE",
    ),
    command(
        &["agent", "server", "daemon", "start", "serve", "up", "watch"],
        "type leasehold sidecar -c FILE; or leasehold init -c FILE, which ends when the files are there",
    ),
    command(
        &["run"],
        "type leasehold exec -c FILE -- COMMAND; without a command leasehold sidecar -c FILE, or init for once",
    ),
    command(&["env", "printenv", "sh", "bash"], "type leasehold exec -c FILE -- {word}"),
    command(&["apply", "fetch", "pull", "once"], "type leasehold init -c FILE"),
    command(&["diff"], "type leasehold init --dry-run -c FILE"),
    command(&["validate", "verify", "test", "lint", "fmt"], "type leasehold check -c FILE"),
    command(&["template"], "type leasehold render --template FILE"),
    command(&["generate", "create", "config", "setup", "configure"], "type leasehold new"),
    command(
        &["stop", "down", "shutdown", "kill"],
        "type leasehold quit -c FILE, or systemctl stop leasehold@NAME",
    ),
    command(
        &["reload", "restart"],
        "a sidecar reads its configuration again at SIGHUP: type systemctl reload leasehold@NAME, or kill -HUP PID",
    ),
    command(
        &["log", "logs"],
        "its log is where it was started: type journalctl -u leasehold@NAME for a unit",
    ),
    command(&["health", "healthcheck", "ping", "ready"], "type leasehold status --ready -c FILE, or --live"),
    command(&["metrics"], "type curl http://ADDRESS/metrics, with the address that `listen` names"),
    command(&["webhook", "inject", "injector", "sync", "crds"], "type leasehold-kubernetes"),
    command(
        &["uninstall", "remove", "purge"],
        "a package goes with apt purge leasehold; a program that install put somewhere is that one file",
    ),
    command(&["proxy"], "leasehold is no proxy: applications that ask one keep that of Vault"),
    flag(
        &["init", "sidecar", "exec", "plan", "check"],
        &["-v", "--verbose", "--debug", "--log-level", "--trace"],
        "write log: {level: debug} into the configuration; for a daemon that runs, type leasehold log-level debug -c FILE",
    ),
    flag(
        &["init", "sidecar", "exec", "plan", "check"],
        &["-q", "--quiet", "--silent"],
        "write log: {level: error} into the configuration",
    ),
    flag(CONFIGURED, &["-f", "--file", "--filename", "--config-file", "--conf"], "type -c FILE"),
    flag(&["status"], &["-o", "--output", "--format"], "type leasehold status --json -c FILE"),
    flag(&["status"], &["-w", "--follow"], "type leasehold status --watch -c FILE"),
    flag(&["check", "plan"], &["-o", "--output", "--json"], "type --format json"),
    flag(&["init"], &["--diff", "--check", "--plan"], "type leasehold init --dry-run -c FILE"),
    flag(
        &["init", "sidecar"],
        &["--once", "--exit-after-auth"],
        "type leasehold init -c FILE, which ends when the files are there",
    ),
    flag(
        &["sidecar"],
        &["-d", "--detach", "--daemon", "--background"],
        "a sidecar stays in the foreground: start it as a unit, or with & behind it",
    ),
    flag(
        RUNS,
        &["--address", "--addr", "--vault-addr", "--vault-address"],
        "write vault: {address: URL} into the configuration, or set BAO_ADDR or VAULT_ADDR",
    ),
    flag(RUNS, &["--namespace", "--ns"], "write vault: {namespace: NAME} into the configuration"),
    flag(RUNS, &["--ca-cert", "--ca-file"], "write vault: {ca_file: PATH} into the configuration"),
    flag(
        RUNS,
        &["--token", "--vault-token"],
        "a token on a command line can be seen by all: write auth: {method: token_file, token_file: PATH}",
    ),
    flag(RUNS, &["--role"], "write auth: {role: NAME} into the configuration"),
];

/// Returns the command line that a refused one means without doubt. Returns `None` if the refused one is wrong in any
/// other way.
pub(super) fn meant(words: &[OsString]) -> Option<Vec<OsString>> {
    let plain: Vec<&str> = words.iter().filter_map(|word| word.to_str()).collect();
    let again = |words: [&str; 2]| Some(words.map(OsString::from).to_vec());
    match plain.as_slice() {
        ["version" | "-v" | "-version"] => Some(vec!["--version".into()]),
        ["-h" | "--help", name] | [name, "help"] if is_command(name) => again([name, "--help"]),
        _ => with_two_dashes(words),
    }
}

/// Returns the words with a second dash before each flag of ours that has one dash, as Vault's own programs take it.
/// Returns `None` if there is no such flag.
fn with_two_dashes(words: &[OsString]) -> Option<Vec<OsString>> {
    let definition = definition();
    let ours: Vec<&str> = definition
        .get_subcommands()
        .flat_map(clap::Command::get_arguments)
        .filter_map(|it| it.get_long())
        .collect();
    let ours_end = words.iter().position(|word| word == "--").unwrap_or(words.len());
    let is_ours = |word: &OsStr| {
        let name =
            word.to_str().and_then(|word| word.strip_prefix('-')).and_then(|word| word.split('=').next());
        name.is_some_and(|name| ours.contains(&name))
    };
    let (mut changed, mut again) = (false, words.to_vec());
    for word in again.iter_mut().take(ours_end).filter(|word| is_ours(word)) {
        *word = [OsStr::new("-"), word.as_os_str()].into_iter().collect();
        changed = true;
    }
    changed.then_some(again)
}

/// Returns all that is to be said about a refused command line, in one line. Returns `None` if the command line is no
/// habit.
pub(super) fn ending(words: &[OsString], error: &clap::Error) -> Option<Ending> {
    // Behind the dashes stands another program's command line.
    let words = words.iter().take_while(|word| *word != "--");
    let words: Vec<String> = words.map(|word| word.to_string_lossy().into_owned()).collect();
    let first = words.first()?;
    let mut ending = if is_command(first) {
        behind_a_command(first, &words, error)?
    } else {
        in_the_place_of_a_command(first, &words)?
    };
    let path = words.get(1).filter(|word| !word.starts_with('-') && !word.contains('='));
    let config = configuration(&words);
    let fillings = [
        (UNNAMED, config.as_deref().unwrap_or(UNNAMED)),
        ("{word}", first),
        ("{path}", path.map_or("PATH", |path| path)),
    ];
    ending.hint = fillings.iter().fold(ending.hint, |hint, (mark, text)| hint.replace(mark, text));
    Some(ending)
}

fn in_the_place_of_a_command(word: &str, words: &[String]) -> Option<Ending> {
    if word.starts_with('-') {
        configuration(words)?;
        let name = words.iter().find(|word| is_command(word))?;
        let instead = format!("type leasehold {name} -c FILE");
        return Some(Ending::new(Cause::Usage, "the command comes first", instead));
    }
    let what = format!("there is no command {word}");
    if is_a_configuration(word) {
        let instead = "type leasehold check -c FILE, or another command with -c FILE";
        return Some(Ending::new(Cause::Usage, what, instead));
    }
    Some(Ending::new(Cause::Usage, what, find(None, word)?.instead))
}

fn behind_a_command(command: &str, words: &[String], error: &clap::Error) -> Option<Ending> {
    if error.kind() == ErrorKind::MissingRequiredArgument && command == "render" {
        let instead = "type --template FILE, or --template - for standard input";
        return Some(Ending::new(Cause::Usage, "render has no template", instead));
    }
    let Some(ContextValue::String(refused)) = error.get(ContextKind::InvalidArg) else { return None };
    if command == "render" && refused.contains("{{") {
        let what = "render takes its template from a file, and no text of one";
        let instead = "type --template FILE, or pipe the text into it with --template -";
        return Some(Ending::new(Cause::Usage, what, instead));
    }
    let refused = refused.split(['=', ' ']).next().unwrap_or_default();
    if refused.starts_with('-') {
        let (typed, habit) = flag_that_was_typed(words, refused)?;
        return Some(Ending::new(
            Cause::Usage,
            format!("the command {command} takes no {typed}"),
            habit.instead,
        ));
    }
    if command == "render" || is_a_configuration(refused) {
        let what = format!("the command {command} takes no {refused} by itself");
        let flag = if command == "render" { "--template" } else { "--config" };
        return Some(Ending::new(Cause::Usage, what, format!("type {flag} {refused}")));
    }
    let instead = format!("type leasehold exec -c FILE -- {refused}, and its arguments behind it");
    let ending = Ending::new(Cause::Usage, "-- has to stand before the command of exec", instead);
    (command == "exec").then_some(ending)
}

/// Returns the flag as it was typed, and the habit. If a word has a single dash, clap refuses only the first letter of
/// the word, so the whole word is looked up first.
fn flag_that_was_typed<'w>(words: &'w [String], refused: &'w str) -> Option<(&'w str, &'static Habit)> {
    let known = |flag: &str| find(words.first().map(String::as_str), flag);
    let whole = words.iter().filter(|word| word.starts_with(refused)).map(|word| word.split('=').next());
    let whole = whole.flatten().find_map(|word| Some((word, known(&format!("-{word}"))?)));
    whole.or_else(|| Some((refused, known(refused)?)))
}

fn find(behind: Option<&str>, typed: &str) -> Option<&'static Habit> {
    HABITS.iter().find(|habit| {
        let place = behind.map_or(habit.behind.is_empty(), |command| habit.behind.contains(&command));
        place && habit.typed.contains(&typed)
    })
}

fn is_command(word: &str) -> bool {
    definition().get_subcommands().any(|command| command.get_name() == word)
}

/// What stands for a configuration until it is known how that was named.
const UNNAMED: &str = "-c FILE";

/// Returns the configuration as the command line names it, with `-c` before a file that was named without a flag.
fn configuration(words: &[String]) -> Option<String> {
    let named = |word: &String| word == "-c" || word == "--config" || word.starts_with("--config=");
    match words.iter().position(named).and_then(|at| words.get(at..)) {
        Some([word, ..]) if word.contains('=') => Some(word.clone()),
        Some([word, file, ..]) => Some(format!("{word} {file}")),
        _ => words.iter().find(|word| is_a_configuration(word)).map(|file| format!("-c {file}")),
    }
}

/// Returns whether a word is the name of a configuration.
fn is_a_configuration(word: &str) -> bool {
    let ending = Path::new(word).extension();
    ending.is_some_and(|ending| ["yaml", "yml", "hcl", "json"].iter().any(|known| ending == *known))
}
