//! What the configuration's checks, templates and the log say.

use leasehold::render::failed;
use leasehold::template::{ExecError, ExecErrorKind, ParseError, Position};
use syn::Expr;

use super::{each, known, paired, split};
use crate::reference::source::{Chosen, File, Scope, Site, scopes};

/// What tells the desk of a configuration about a problem: the last two arguments are what is wrong and what to do.
const TOLD: &[&str] = &[
    ".wrong_key",
    ".wrong_value",
    ".missing",
    ".wrong_text",
    ".warn",
    "warn_in",
    ".mistake",
    ".note",
    "Flaw::new",
    "Problem::whole",
    "bad",
    "refuse",
    "To::Refused",
    "To::Lost",
    "close_comma",
    "told",
    ".refuse",
];

pub(super) fn problems(files: &[File]) -> Vec<Vec<String>> {
    let mut rows = Vec::new();
    for file in files.iter().filter(|file| file.path.starts_with("config/")) {
        let scopes = scopes(file);
        for (scope, site) in each(&scopes) {
            let told = TOLD.contains(&site.name.as_str()) && site.arguments.len() >= 2;
            // A rule that another function finds, or a pair in a table.
            let words = file.path == "config/yaml_error" && site.name.is_empty() && site.arguments.len() == 4;
            let pair = words || is_pair(scope, site, &file.path);
            if !told && !pair {
                continue;
            }
            let (what, mend) = match site.arguments[..] {
                // The words for what the YAML parser says.
                [_, what, _, mend] if site.name.is_empty() => (what, mend),
                [.., what, mend] => (what, mend),
                _ => continue,
            };
            for chosen in scope.choices(site) {
                let pairs = paired(scope.texts(site, what, &chosen), scope.texts(site, mend, &chosen));
                rows.extend(
                    pairs.into_iter().filter(|(what, _)| what != "…").map(|(what, mend)| vec![what, mend]),
                );
            }
        }
    }
    rows
}

/// Whether a tuple, or the arguments of a function, are what is wrong and what to do: two texts of several words.
fn is_pair<'f>(scope: &Scope<'f>, site: &Site<'f>, path: &str) -> bool {
    let words = |expression: &'f Expr| {
        let texts = scope.texts(site, expression, &Chosen::new());
        (!texts.is_empty()).then(|| texts.iter().all(|text| text.contains(' ')))
    };
    match site.arguments[..] {
        // In that room tuples are what the desk is told, and a caller may have given what to do.
        [what, mend] => {
            words(what) == Some(true) && words(mend).unwrap_or(path.starts_with("config/foreign/"))
        }
        _ => false,
    }
}

pub(super) fn templates(files: &[File]) -> Vec<Vec<String>> {
    // The last is given the words for its error.
    const FAILING: [&str; 7] =
        ["fail", "failed", "FunctionError::new", ".error", ".error_of", "HostError", ".quoted"];
    // What a limit of ours ended has a hint of its own.
    const LIMITS: [&str; 3] = ["FunctionError::beyond", "Self::beyond", ".limit"];
    let mut rows = Vec::new();
    for file in files {
        let room = file.path.split('/').next().unwrap_or_default();
        if !matches!(room, "template" | "functions" | "render") {
            continue;
        }
        let read = file.path.starts_with("template/lex") || file.path.starts_with("template/parse");
        let scopes = scopes(file);
        for (scope, site) in each(&scopes) {
            let limit = LIMITS.contains(&site.name.as_str());
            if !limit && !FAILING.contains(&site.name.as_str()) {
                continue;
            }
            let Some(what) = site.arguments.last() else { continue };
            for what in known(scope.texts(site, what, &Chosen::new())) {
                if what.chars().any(|c| c.is_alphabetic()) {
                    let mend = if read { parse_mend(&what) } else { failure_mend(&what, limit) };
                    rows.push(vec![what, mend]);
                }
            }
        }
    }
    rows.sort();
    rows
}

/// What the program itself says to do about a text that is no template.
fn parse_mend(message: &str) -> String {
    let position = Position { offset: 0, line: 1, column: 0 };
    let error =
        ParseError { name: String::new(), position, line: 1, message: message.to_owned(), hint: None };
    error.advice().to_owned()
}

/// What it says to do about a rendering that failed.
fn failure_mend(message: &str, limit: bool) -> String {
    let (name, executing) = (String::new(), String::new());
    let kind = match message {
        _ if limit => ExecErrorKind::Limit,
        message if message.starts_with("map has no entry") => ExecErrorKind::NoEntry("…".to_owned()),
        message if message.starts_with("nil pointer evaluating") => {
            ExecErrorKind::Nil { field: "…".to_owned(), of_any: false }
        }
        message if message.starts_with("error calling") => ExecErrorKind::Function("…".to_owned()),
        _ => ExecErrorKind::Other,
    };
    let place = |_: Position| String::new();
    failed(place, &ExecError { name, executing, at: None, message: message.to_owned(), kind }, &[]).hint
}

pub(super) fn logged(files: &[File]) -> Vec<Vec<String>> {
    let mut rows = Vec::new();
    for file in files {
        let scopes = scopes(file);
        for (scope, site) in each(&scopes) {
            let texts = match (site.name.as_str(), &site.arguments[..]) {
                ("warn!" | "error!", _) => site.text.clone().into_iter().collect(),
                (".say", [level, text])
                    if scope
                        .variants(site, level, &["Level"], &Chosen::new())
                        .iter()
                        .any(|it| it == "Warn" || it == "Error") =>
                {
                    scope.texts(site, text, &Chosen::new())
                }
                _ => Vec::new(),
            };
            for text in texts.into_iter().filter(|text| text.contains(' ')) {
                let (what, mend) = split(&text);
                rows.push(vec![what, mend]);
            }
        }
    }
    rows
}
