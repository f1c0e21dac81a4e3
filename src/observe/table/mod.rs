//! A [`Status`] for people.

use std::fmt::Write as _;
use std::time::Duration;

use super::paint::{Paint, Palette};
use super::status::{Backend, File, Next, Notifier, Process, Secret, Status};

/// The text of a cell that has nothing to say.
const NOTHING: &str = "-";
/// The clouds name a version by 32 characters and more. The first few tell two apart; `--json` has all of them.
const VERSION: usize = 8;

/// Returns several lines with aligned columns. Nothing in them could steer a terminal but the palette's colours.
#[must_use]
pub fn text(status: &Status, palette: Palette) -> String {
    let files: Vec<&File> = status.files.iter().collect();
    let secrets: Vec<&Secret> = status.secrets.iter().collect();
    let mut lines = head(status, palette);
    lines.extend(tables(status, (files, secrets), palette));
    joined(&lines)
}

/// Returns the same of one file, one secret (by its id or path), one backend or one notifier; `None` if nothing has
/// that name.
#[must_use]
pub fn text_of(status: &Status, name: &str, palette: Palette) -> Option<String> {
    let uses = |file: &&File, secret: &Secret| file.sources.contains(&secret.source);
    let is_of = |secret: &Secret, backend: &str| {
        status.backend(&secret.source).is_some_and(|one| one.name == backend)
    };
    let named: Vec<&File> = status.files.iter().filter(|file| file.name == name).collect();
    let mut secrets: Vec<&Secret> = status
        .secrets
        .iter()
        .filter(|one| one.id == name || one.source == name || is_of(one, name))
        .collect();
    let files = if named.is_empty() {
        status.files.iter().filter(|file| secrets.iter().any(|secret| uses(file, secret))).collect()
    } else {
        let of_file = |one: &&Secret| named.iter().any(|file| uses(file, one)) || is_of(one, name);
        secrets = status.secrets.iter().filter(of_file).collect();
        named
    };
    let shown = |one: &&Backend| one.name == name || secrets.iter().any(|secret| is_of(secret, &one.name));
    let backends: Vec<Backend> = status.backends.iter().filter(shown).cloned().collect();
    let notifiers: Vec<Notifier> = status.notifiers.iter().filter(|one| one.name == name).cloned().collect();
    if files.is_empty() && secrets.is_empty() && backends.is_empty() && notifiers.is_empty() {
        return None;
    }
    let notifiers = if files.is_empty() { notifiers } else { status.notifiers.clone() };
    let mut lines = head(status, palette);
    lines.extend(tables(&Status { backends, notifiers, ..status.clone() }, (files, secrets), palette));
    Some(joined(&lines))
}

/// Returns whether everything is well, what to do if it is not, and how the daemon stands with the server.
fn head(status: &Status, palette: Palette) -> Vec<String> {
    let line =
        |name: &str, (text, paint): (String, Paint)| format!("{name}{}", palette.paint(paint, &plain(&text)));
    let mut lines = vec![line(&format!("leasehold {}: ", plain(&status.version)), reason(status))];
    lines.extend(status.next.clone().map(|next| line("next:   ", (next, Paint::Doubtful))));
    if status.has_vault() {
        lines.push(line("server  ", server(status)));
        lines.extend(login(status).map(|login| line("login   ", login)));
        lines.push(line("token   ", token(status)));
    }
    lines.extend(status.process.as_ref().map(|process| line("process ", self::process(process))));
    let overrides = status.process.iter().flat_map(|process| &process.overrides);
    lines.extend(overrides.map(|one| line("env     ", (one.clone(), Paint::Doubtful))));
    lines.extend(status.certificates.iter().filter_map(|one| {
        let paint = if one.expires_in_seconds <= 0 { Paint::Bad } else { Paint::Doubtful };
        Some(line("cert    ", (one.error.clone()?, paint)))
    }));
    lines
}

/// Returns the tables. What is wrong stands first, each with a blank line before it.
fn tables(
    status: &Status,
    (mut files, mut secrets): (Vec<&File>, Vec<&Secret>),
    palette: Palette,
) -> Vec<String> {
    files.sort_by_key(|file| badness(&file.state, file.error.is_some()));
    secrets.sort_by_key(|secret| badness(&secret.state, secret.error.is_some()));
    let mut notifiers: Vec<&Notifier> = status.notifiers.iter().collect();
    notifiers.sort_by_key(|notifier| notifier.error.is_none());
    let mut backends: Vec<&Backend> = status.backends.iter().collect();
    backends.sort_by_key(|backend| backend.up);
    let backends = backends.into_iter().map(backend_row).collect();
    let files = files.into_iter().map(|file| file_row(status, file)).collect();
    let secrets = secrets.into_iter().map(|secret| secret_row(status, secret)).collect();
    let notifiers = notifiers.into_iter().map(notifier_row).collect();
    let mut lines = Vec::new();
    for table in [
        columns(["FILE", "GENERATION", "CHANGED", "EXPIRES", "STATE"], files, palette),
        columns(["SECRET", "ID", "VERSION", "EXPIRES", "NEXT", "STATE"], secrets, palette),
        columns(["BACKEND", "ANSWERS", "FAILURES", "STATE"], backends, palette),
        columns(["NOTIFIER", "NOTIFIED", "SENT", "FAILED", "STATE"], notifiers, palette),
    ] {
        if !table.is_empty() {
            lines.push(String::new());
            lines.extend(table);
        }
    }
    lines
}

fn joined(lines: &[String]) -> String {
    lines.iter().map(|line| format!("{}\n", line.trim_end())).collect()
}

/// Orders rows: the worst first.
fn badness(state: &str, fails: bool) -> u8 {
    match state {
        "expired" => 0,
        "missing" => 1,
        "failing" => 2,
        "stale" => 3,
        _ => 4 - u8::from(fails),
    }
}

fn plain(text: &str) -> String {
    text.chars().map(|char| if char.is_control() { ' ' } else { char }).collect()
}

/// A cell: its text and its meaning.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Cell(pub(crate) String, pub(crate) Paint);

impl From<String> for Cell {
    fn from(text: String) -> Self {
        Self(text, Paint::Plain)
    }
}

fn reason(status: &Status) -> (String, Paint) {
    let paint = match (status.ready, status.is_well()) {
        (true, true) if status.server.silent_seconds.is_none() => Paint::Good,
        (true, _) => Paint::Doubtful,
        (false, _) => Paint::Bad,
    };
    (status.reason.clone(), paint)
}

fn server(status: &Status) -> (String, Paint) {
    let at = status.server.address.as_ref().map(|address| format!(", {address}")).unwrap_or_default();
    match (&status.server.error, status.server.down_seconds) {
        _ if status.server.up && status.server.breaker == "narrow" => {
            (format!("up{at}; it asked for fewer requests, one goes at a time"), Paint::Doubtful)
        }
        _ if status.server.up => match status.server.silent_seconds {
            Some(seconds) => (format!("up{at}; it has not answered for {}", span(seconds)), Paint::Doubtful),
            None => (format!("up{at}"), Paint::Good),
        },
        (Some(why), Some(seconds)) => {
            // It is mostly named by the reason already.
            let at = status.server.address.as_ref().filter(|address| !why.contains(address.as_str()));
            let at = at.map(|address| format!("{address}: ")).unwrap_or_default();
            (format!("down for {}: {at}{why}", span(seconds)), Paint::Bad)
        }
        _ => (format!("down{at}"), Paint::Bad),
    }
}

/// Returns how logins are made, and what is wrong with them.
fn login(status: &Status) -> Option<(String, Paint)> {
    let how = status.auth.as_ref().map(|auth| {
        let role = auth.role.as_ref().map(|role| format!(", role {role}")).unwrap_or_default();
        format!("{} at auth/{}{role}", auth.method, auth.mount)
    });
    let Some(login) = &status.login else { return Some((how?, Paint::Plain)) };
    let (what, since) = match login.logged_out_seconds {
        Some(seconds) => ("not logged in since", seconds),
        None => ("fails since", login.failing_seconds),
    };
    let next = match login.next_in_seconds {
        Some(seconds) if seconds > 0 => format!("next try in {}", span(seconds)),
        _ => "a try is under way".to_owned(),
    };
    let how = how.map(|how| how + ": ").unwrap_or_default();
    Some((format!("{how}{what} {}, {next}: {}", span(since), login.error), Paint::Bad))
}

fn token(status: &Status) -> (String, Paint) {
    let Some(token) = &status.token else { return ("none".to_owned(), Paint::Bad) };
    let mut text = if token.accessor.is_empty() { "batch".to_owned() } else { token.accessor.clone() };
    let ends = token
        .ttl_seconds
        .map_or_else(|| "does not expire".to_owned(), |left| format!("expires {}", until(left)));
    let _into_a_string = write!(text, ", {ends}");
    if let Some(next) = &token.next {
        let _into_a_string = write!(text, ", {}", action(next));
    }
    if status.credentials_used_up {
        text.push_str("; deliver another wrapping token, this one was opened by an earlier run");
        return (text, Paint::Doubtful);
    }
    (text, Paint::Plain)
}

fn process(process: &Process) -> (String, Paint) {
    let from = process.configuration.join(", ");
    let from = if from.is_empty() { from } else { format!(", {from}") };
    let text = format!("up for {}{from}", span(process.uptime_seconds));
    match &process.reload_error {
        Some(why) => (format!("{text}; not read again: {why}"), Paint::Bad),
        None => (text, Paint::Plain),
    }
}

fn file_row(status: &Status, file: &File) -> [Cell; 5] {
    let there = file.generation.is_some();
    [
        file.name.clone().into(),
        number(file.generation).into(),
        file.changed_seconds_ago.map_or_else(nothing, ago).into(),
        end(file.expires_in_seconds),
        state(&away(status, &file.sources), &file.state, file.error.as_ref(), (there, "not yet rendered")),
    ]
}

/// Returns who does not answer of those that these sources are asked of.
fn away<'s>(status: &'s Status, sources: &[String]) -> Vec<&'s str> {
    let of_vault = sources.is_empty() || sources.iter().any(|source| status.backend(source).is_none());
    let server = (of_vault && !status.server.up).then_some("the server");
    let asked = |backend: &&Backend| sources.iter().any(|source| status.backend(source) == Some(*backend));
    let backends = status.backends.iter().filter(|backend| !backend.up).filter(asked);
    server.into_iter().chain(backends.map(|backend| backend.name.as_str())).collect()
}

fn secret_row(status: &Status, secret: &Secret) -> [Cell; 6] {
    let away = away(status, std::slice::from_ref(&secret.source));
    let of_vault = status.backend(&secret.source).is_none();
    let next = match (&secret.next, secret.state.as_str(), away.first()) {
        (Some(_), "stale" | "expired", Some(away)) => format!("waits for {away}"),
        (Some(_), "stale" | "expired", None) if of_vault && status.login.is_some() => {
            "waits for a login".to_owned()
        }
        (next, ..) => next.as_ref().map_or_else(nothing, action),
    };
    [
        secret.source.clone().into(),
        secret.id.clone().into(),
        version(secret).into(),
        end(secret.expires_in_seconds),
        next.into(),
        state(
            &away,
            &secret.state,
            secret.error.as_ref(),
            (secret.fresh_seconds_ago.is_some(), "not yet read"),
        ),
    ]
}

/// Returns the number of the version, or the first characters of a store's name for it.
fn version(secret: &Secret) -> String {
    match (secret.version, &secret.version_id) {
        (None, Some(id)) if id.chars().count() > VERSION => id.chars().take(VERSION).chain(['…']).collect(),
        (None, Some(id)) => id.clone(),
        (version, _) => number(version),
    }
}

fn backend_row(backend: &Backend) -> [Cell; 4] {
    let state = match (backend.up, &backend.error) {
        (true, _) => Cell("ok".to_owned(), Paint::Good),
        (false, why) => {
            let since = span(backend.down_seconds.unwrap_or_default());
            let why = why.as_ref().map(|why| format!(": {why}")).unwrap_or_default();
            Cell(format!("down for {since}{why}"), Paint::Bad)
        }
    };
    [
        backend.name.clone().into(),
        backend.answers.to_string().into(),
        backend.failures.to_string().into(),
        state,
    ]
}

fn notifier_row(notifier: &Notifier) -> [Cell; 5] {
    let state = match &notifier.error {
        Some(error) => Cell(format!("failing: {error}"), Paint::Bad),
        None => Cell("ok".to_owned(), Paint::Good),
    };
    [
        notifier.name.clone().into(),
        notifier.told_seconds_ago.map_or_else(nothing, ago).into(),
        notifier.sent.to_string().into(),
        notifier.failed.to_string().into(),
        state,
    ]
}

/// Returns the state in one word, and the reason. An older daemon names no state. Then the error decides, and
/// whether it is `there`.
fn state(away: &[&str], state: &str, error: Option<&String>, (there, not_yet): (bool, &str)) -> Cell {
    let with = |state: &str| error.map_or_else(|| state.to_owned(), |error| format!("{state}: {error}"));
    match (state, away) {
        ("ok", _) => Cell("ok".to_owned(), Paint::Good),
        ("stale", [one]) => Cell(format!("stale: {one} is down"), Paint::Doubtful),
        ("stale", [_, _, ..]) => Cell(format!("stale: {} are down", away.join(" and ")), Paint::Doubtful),
        ("stale", []) => Cell("stale: not logged in".to_owned(), Paint::Doubtful),
        ("missing", _) if error.is_none() => Cell(format!("missing: {not_yet}"), Paint::Doubtful),
        ("", _) if error.is_none() && there => Cell("ok".to_owned(), Paint::Good),
        ("", _) if error.is_none() => Cell(not_yet.to_owned(), Paint::Doubtful),
        ("", _) => Cell(with("failing"), Paint::Bad),
        (state, _) => Cell(with(state), Paint::Bad),
    }
}

/// Returns the cell of an end.
fn end(seconds: Option<i64>) -> Cell {
    let paint = if seconds.is_some_and(|left| left <= 0) { Paint::Bad } else { Paint::Plain };
    Cell(seconds.map_or_else(nothing, until), paint)
}

fn nothing() -> String {
    NOTHING.to_owned()
}

fn number(number: Option<u64>) -> String {
    number.map_or_else(nothing, |number| number.to_string())
}

fn action(next: &Next) -> String {
    let word = next.action.replace('_', " ");
    if next.in_seconds <= 0 { format!("{word} now") } else { format!("{word} {}", until(next.in_seconds)) }
}

fn until(seconds: i64) -> String {
    if seconds < 0 { ago(seconds.saturating_neg()) } else { format!("in {}", span(seconds)) }
}

fn ago(seconds: i64) -> String {
    format!("{} ago", span(seconds))
}

/// Returns the two largest units of a length of time.
pub(super) fn span(seconds: i64) -> String {
    let exact = humantime::format_duration(Duration::from_secs(seconds.unsigned_abs())).to_string();
    exact.split(' ').take(2).collect::<Vec<_>>().join(" ")
}

/// Returns the heads and the rows. Every column but the last is as wide as its widest cell. Without rows, the
/// result is empty.
pub(crate) fn columns<const N: usize>(
    heads: [&str; N],
    rows: Vec<[Cell; N]>,
    palette: Palette,
) -> Vec<String> {
    let rows = rows.into_iter().map(Vec::from).collect();
    aligned(&heads, rows, palette)
}

/// Does the same for any number of columns, so that it is compiled once.
fn aligned(heads: &[&str], rows: Vec<Vec<Cell>>, palette: Palette) -> Vec<String> {
    if rows.is_empty() {
        return Vec::new();
    }
    let heads = heads.iter().map(|head| Cell((*head).to_owned(), Paint::Faint)).collect();
    let cleaned = rows
        .into_iter()
        .map(|row| row.into_iter().map(|Cell(text, paint)| Cell(plain(&text), paint)).collect());
    let rows: Vec<Vec<Cell>> = std::iter::once(heads).chain(cleaned).collect();
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column));
        cells.map(|Cell(text, _)| text.chars().count()).max().unwrap_or_default()
    };
    let columns = rows.first().map_or(0, Vec::len);
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let line = |row: &Vec<Cell>| {
        let cells = row.iter().zip(&widths).enumerate().map(|(column, (Cell(text, paint), width))| {
            let width = if column + 1 == columns { 0 } else { *width };
            // What fills a column up has no colour. Not by a width of the format, which ends at 65,535.
            palette.paint(*paint, text) + &" ".repeat(width.saturating_sub(text.chars().count()))
        });
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    rows.iter().map(line).collect()
}

#[cfg(test)]
mod tests;
