//! `exec`: the process of `leasehold exec`, and the variables that it gets.

use crate::defaults;
use crate::desk::Desk;
use crate::file::{Auth, Exec, VariableEntry};
use crate::keypath::KeyPath;
use crate::plan::{ExecPlan, OnChange, Source, Spread, VariablePlan, VariableSource};
use crate::scalars;
use leasehold_base::request::Request;

use super::runtime::{self, Defaults};
use super::{files, notify, source};

pub(super) fn check(entry: &Exec, auth: Option<&Auth>, defaults: &Defaults, desk: &mut Desk<'_>) -> ExecPlan {
    let at = KeyPath::of(&["exec"]);
    let command = entry.command.as_deref().and_then(|words| notify::command(words, &at.key("command"), desk));
    let env = variables(entry, defaults, &at.key("env"), desk);
    let on_change = on_change(entry.on_change.as_deref(), &at.key("on_change"), desk);
    let stop_signal = entry.stop_signal.as_deref();
    let stop_signal = stop_signal.and_then(|text| notify::signal(text, &at.key("stop_signal"), desk));
    if entry.stop_timeout.is_some_and(|timeout| timeout.is_zero()) {
        let hint = "write it like 30s, or `stop_signal: KILL` to give it no time";
        desk.wrong_value(&at.key("stop_timeout"), "no time to stop in", hint);
    }
    if on_change != OnChange::Restart && !env.is_empty() {
        let message = "a change does not reach the variables of a process that runs";
        desk.warn(&at.key("on_change"), message, "use `restart`, or give it files");
    }
    ExecPlan {
        command: command.unwrap_or_default().into_iter().map(Into::into).collect(),
        env,
        on_change,
        stop_signal: stop_signal.unwrap_or(defaults::STOP_SIGNAL.value),
        stop_timeout: entry.stop_timeout.unwrap_or(defaults::STOP.value),
        splay: entry.splay.unwrap_or_default(),
        wait: entry.wait.as_ref().and_then(|wait| files::wait(wait, &at.key("wait"), desk)),
        resolve_env: (entry.resolve_env == Some(true)).then_some(defaults.refresh),
        withheld: auth
            .iter()
            .flat_map(|auth| [&auth.token_env, &auth.secret_id_env])
            .flatten()
            .cloned()
            .collect(),
    }
}

fn on_change(text: Option<&str>, at: &KeyPath, desk: &mut Desk<'_>) -> OnChange {
    match text {
        None | Some("restart") => OnChange::Restart,
        Some("ignore") => OnChange::Ignore,
        Some(text) => match scalars::signal(text) {
            Ok(signal) => OnChange::Signal(signal),
            Err(_) => {
                let hint = "use restart, ignore, or a signal like HUP or SIGUSR1";
                desk.wrong_value(at, "neither `restart` nor `ignore` nor a signal", hint);
                OnChange::Restart
            }
        },
    }
}

fn variables(entry: &Exec, defaults: &Defaults, at: &KeyPath, desk: &mut Desk<'_>) -> Vec<VariablePlan> {
    let mut variables = Vec::new();
    for (name, entry) in &entry.env {
        let at = at.key(name);
        if name.is_empty() || name.contains(|c: char| c == '=' || c.is_control()) {
            desk.wrong_key(&at, "not the name of a variable", "write it like DB_PASSWORD");
            continue;
        }
        if let Some(refresh) = entry.refresh {
            runtime::least_refresh(refresh, &at.key("refresh"), desk);
        }
        let refresh = entry.refresh.unwrap_or(defaults.refresh);
        let (source, spread) = match &entry.from {
            Some(from) => (all_of(from, entry, &at, desk), spread(entry, &at, desk)),
            None => (source_of(entry, defaults, &at, desk), None),
        };
        if let Some(source) = source {
            let source = VariableSource::Made(source);
            variables.push(VariablePlan { name: name.clone(), source, spread, refresh });
        }
    }
    variables
}

/// Checks the secret whose keys are all variables.
fn all_of(from: &str, entry: &VariableEntry, at: &KeyPath, desk: &mut Desk<'_>) -> Option<Source> {
    let others = [
        ("template", entry.template.is_some()),
        ("template_file", entry.template_file.is_some()),
        ("secret", entry.secret.is_some()),
        ("encoding", entry.encoding.is_some()),
    ];
    for (other, _) in others.iter().filter(|(_, given)| *given) {
        let message = format!("`{other}` means nothing beside `from`, which takes every key of a secret");
        desk.wrong_key(&at.key(other), message, "make it a variable of its own");
    }
    match Request::read(from) {
        Ok(request) => Some(Source::Json { request }),
        Err(bad) => {
            desk.wrong_value(&at.key("from"), bad.to_string(), "write the path of a secret, like secret/web");
            None
        }
    }
}

fn spread(entry: &VariableEntry, at: &KeyPath, desk: &mut Desk<'_>) -> Option<Spread> {
    let around = match entry.format.as_deref() {
        None => Some(<(String, String)>::default()),
        Some(format) => Spread::around(format),
    };
    let Some(around) = around else {
        let hint = "write a name with one {{ key }} in it, like APP_{{ key }}";
        desk.wrong_value(&at.key("format"), "a format that is more than `{{ key }}`", hint);
        return None;
    };
    Some(Spread {
        prefix: entry.prefix.clone().unwrap_or_default(),
        around,
        sanitize: entry.sanitize == Some(true),
        upcase: entry.upcase == Some(true),
    })
}

/// Refuses the keys that say how names are made, if the entry is one variable.
fn not_spread(entry: &VariableEntry, at: &KeyPath, desk: &mut Desk<'_>) {
    let given = [
        ("prefix", entry.prefix.is_some()),
        ("format", entry.format.is_some()),
        ("sanitize", entry.sanitize.is_some()),
        ("upcase", entry.upcase.is_some()),
    ];
    for (key, _) in given.iter().filter(|(_, given)| *given) {
        let message = format!("`{key}` means nothing without `from: PATH`");
        desk.wrong_key(&at.key(key), message, "take it out, and write the name as it is to be");
    }
}

/// Returns the source of a variable, which may be every source of a file.
fn source_of(
    entry: &VariableEntry,
    defaults: &Defaults,
    at: &KeyPath,
    desk: &mut Desk<'_>,
) -> Option<Source> {
    not_spread(entry, at, desk);
    source::check("a variable", &entry.source(), defaults.missing_key, at, desk)
}
