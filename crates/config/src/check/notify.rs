//! Checks `notify`: the notifiers, each of which has exactly one kind.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::defaults;
use crate::desk::Desk;
use crate::file::NotifierEntry;
use crate::keypath::KeyPath;
use crate::plan::{Notifier, NotifierPlan, OnInit, ProcessTarget};
use crate::scalars;

use super::{path, vault};

/// The name by which a file's `notify` means the process of `leasehold exec`.
pub(super) const CHILD: &str = "exec";

const URL_EXAMPLE: &str = "write it like http://127.0.0.1:8080/-/reload";

/// Checks the notifiers, and returns them sorted by name, as the map is.
pub(super) fn check(entries: &BTreeMap<String, NotifierEntry>, desk: &mut Desk<'_>) -> Vec<NotifierPlan> {
    let at = KeyPath::of(&["notify"]);
    let mut notifiers = Vec::new();
    for (name, entry) in entries {
        if name == CHILD {
            let message = format!("`{CHILD}` in a `notify` list means the process of `leasehold exec`");
            desk.wrong_key(&at.key(name), message, "give this notifier another name");
            continue;
        }
        if let Some(how) = notifier(entry, &at.key(name), desk) {
            let on_init = on_init(entry, &at.key(name), desk);
            let on_first = entry.on_first.unwrap_or(true);
            notifiers.push(NotifierPlan { name: name.clone(), how, on_first, on_init });
        }
    }
    notifiers
}

fn on_init(entry: &NotifierEntry, at: &KeyPath, desk: &mut Desk<'_>) -> Option<OnInit> {
    if entry.may_fail.is_some() && entry.on_init != Some(true) {
        desk.wrong_key(
            &at.key("may_fail"),
            "`may_fail` means nothing without `on_init: true`",
            "take it out",
        );
    }
    Some(match (entry.on_init?, entry.may_fail) {
        (false, _) => OnInit::No,
        (true, Some(true)) => OnInit::MayFail,
        (true, _) => OnInit::Must,
    })
}

fn notifier(entry: &NotifierEntry, at: &KeyPath, desk: &mut Desk<'_>) -> Option<Notifier> {
    const WAYS: [&str; 3] = ["signal", "http", "command"];
    let given = [entry.signal.is_some(), entry.http.is_some(), entry.command.is_some()];
    let ways: Vec<&str> = WAYS.iter().zip(given).filter_map(|(way, given)| given.then_some(*way)).collect();
    let [way] = ways[..] else {
        match ways.last() {
            Some(last) => {
                let message = format!("`{}` are more than one way to notify", ways.join("` and `"));
                desk.wrong_key(&at.key(last), message, "make it a notifier of its own");
            }
            None if WAYS.iter().any(|way| desk.is_broken(&at.key(way))) => {}
            None => desk.missing(
                at,
                "a notifier without a way to notify",
                "give it `signal`, `http` or `command`",
            ),
        }
        return None;
    };
    foreign_fields(entry, way, at, desk);
    let splay = entry.splay.unwrap_or_default();
    match way {
        "signal" => {
            let target = target(entry, at, desk);
            let signal = signal(entry.signal.as_deref()?, &at.key("signal"), desk);
            Some(Notifier::Signal { signal: signal?, target: target?, splay })
        }
        "http" => {
            let url = vault::web_url(entry.http.as_deref()?, &at.key("http"), URL_EXAMPLE, desk);
            let timeout = timeout(entry, defaults::HTTP.value, at, desk);
            Some(Notifier::Http { url: url?, timeout, splay })
        }
        _ => {
            let command = command(entry.command.as_deref()?, &at.key("command"), desk);
            let timeout = timeout(entry, defaults::HOOK.value, at, desk);
            Some(Notifier::Command { command: command?, timeout, splay })
        }
    }
}

fn foreign_fields(entry: &NotifierEntry, way: &str, at: &KeyPath, desk: &mut Desk<'_>) {
    let given = [
        ("process", entry.process.is_some(), way == "signal"),
        ("pid_file", entry.pid_file.is_some(), way == "signal"),
        ("command_line", entry.command_line.is_some(), way == "signal"),
        ("timeout", entry.timeout.is_some(), way != "signal"),
    ];
    for (field, _, _) in given.iter().filter(|(_, given, own)| *given && !own) {
        desk.wrong_key(&at.key(field), format!("`{field}` means nothing beside `{way}`"), "take it out");
    }
}

pub(super) fn signal(text: &str, at: &KeyPath, desk: &mut Desk<'_>) -> Option<i32> {
    scalars::signal(text).map_err(|bad| desk.wrong_value(at, bad.message, bad.hint)).ok()
}

fn target(entry: &NotifierEntry, at: &KeyPath, desk: &mut Desk<'_>) -> Option<ProcessTarget> {
    match (entry.process.as_deref(), entry.pid_file.as_deref(), entry.command_line.as_deref()) {
        (Some(name), None, None) => {
            if name.is_empty() || name.contains(|c: char| c == '/' || c.is_control()) {
                let hint = "write the last part of its path, or use `command_line`";
                desk.wrong_value(&at.key("process"), "not the name of a process", hint);
                return None;
            }
            Some(ProcessTarget::Name(name.to_owned()))
        }
        (None, Some(file), None) => path(file, &at.key("pid_file"), desk).map(ProcessTarget::PidFile),
        (None, None, Some(pattern)) => pattern_of(pattern, &at.key("command_line"), desk),
        (None, None, None) => {
            let fields = ["process", "pid_file", "command_line"];
            if !fields.iter().any(|field| desk.is_broken(&at.key(field))) {
                let hint = "add `process`, `pid_file` or `command_line`";
                desk.wrong_key(&at.key("signal"), "a signal without a process to send it to", hint);
            }
            None
        }
        _ => {
            let message = "`process`, `pid_file` and `command_line` exclude one another";
            desk.wrong_key(at, message, "keep one");
            None
        }
    }
}

fn pattern_of(pattern: &str, at: &KeyPath, desk: &mut Desk<'_>) -> Option<ProcessTarget> {
    if pattern.is_empty() {
        desk.wrong_value(
            at,
            "an empty pattern, which fits every process",
            "write a part of the command line",
        );
        return None;
    }
    if let Err(error) = regex_lite::Regex::new(pattern) {
        desk.wrong_value(
            at,
            format!("not a regular expression: {error}"),
            "put a backslash before . ( [ and their like",
        );
        return None;
    }
    Some(ProcessTarget::CommandLine(pattern.to_owned()))
}

pub(super) fn command(words: &[String], at: &KeyPath, desk: &mut Desk<'_>) -> Option<Vec<String>> {
    if words.first().is_none_or(String::is_empty) && !desk.is_broken(&at.index(0)) {
        desk.wrong_value(
            at,
            "a command without a program",
            "write a list: [/usr/local/bin/reload, argument]",
        );
        return None;
    }
    if words.iter().any(|word| word.contains('\0')) {
        desk.wrong_value(at, "a command with a NUL character", "remove it");
        return None;
    }
    Some(words.to_vec())
}

fn timeout(entry: &NotifierEntry, default: Duration, at: &KeyPath, desk: &mut Desk<'_>) -> Duration {
    let timeout = entry.timeout.unwrap_or(default);
    if timeout.is_zero() {
        desk.wrong_value(&at.key("timeout"), "no time at all", "write it like 5s");
    }
    timeout
}
