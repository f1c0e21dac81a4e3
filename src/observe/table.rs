//! A [`Status`] for people.

use std::fmt::Write as _;
use std::time::Duration;

use super::status::{File, Next, Notifier, Secret, Status};

/// What stands in a cell that has nothing to say.
const NOTHING: &str = "-";

/// Several lines, columns aligned, nothing that could steer a terminal.
#[must_use]
pub fn text(status: &Status) -> String {
    let mut text = String::new();
    let mut line = |line: String| {
        let plain = line.trim_end().chars().map(|char| if char.is_control() { ' ' } else { char });
        text.extend(plain);
        text.push('\n');
    };
    line(format!("leasehold {}: {}", status.version, status.reason));
    line(format!("server  {}", server(status)));
    line(format!("token   {}", token(status)));
    let files = status.files.iter().map(file_row);
    let secrets = status.secrets.iter().map(secret_row);
    let notifiers = status.notifiers.iter().map(notifier_row);
    for table in [
        columns(["FILE", "GENERATION", "CHANGED", "EXPIRES", "STATE"], files.collect()),
        columns(["SECRET", "VERSION", "EXPIRES", "NEXT", "STATE"], secrets.collect()),
        columns(["NOTIFIER", "TOLD", "SENT", "FAILED", "STATE"], notifiers.collect()),
    ] {
        table.into_iter().for_each(&mut line);
    }
    text
}

fn server(status: &Status) -> String {
    match (&status.server.error, status.server.down_seconds) {
        _ if status.server.up => "up".to_owned(),
        (Some(why), Some(seconds)) => format!("down for {}: {why}", span(seconds)),
        _ => "down".to_owned(),
    }
}

fn token(status: &Status) -> String {
    let Some(token) = &status.token else { return "none".to_owned() };
    let mut text = if token.accessor.is_empty() { "batch".to_owned() } else { token.accessor.clone() };
    let ends = token
        .ttl_seconds
        .map_or_else(|| "does not expire".to_owned(), |left| format!("expires {}", until(left)));
    let _into_a_string = write!(text, ", {ends}");
    if let Some(next) = &token.next {
        let _into_a_string = write!(text, ", {}", action(next));
    }
    text
}

fn file_row(file: &File) -> [String; 5] {
    [
        file.name.clone(),
        number(file.generation),
        file.changed_seconds_ago.map_or_else(nothing, ago),
        file.expires_in_seconds.map_or_else(nothing, until),
        state(file.error.as_ref(), if file.generation.is_some() { "ok" } else { "not yet rendered" }),
    ]
}

fn secret_row(secret: &Secret) -> [String; 5] {
    [
        secret.source.clone(),
        number(secret.version),
        secret.expires_in_seconds.map_or_else(nothing, until),
        secret.next.as_ref().map_or_else(nothing, action),
        state(secret.error.as_ref(), if secret.fresh_seconds_ago.is_some() { "ok" } else { "not yet read" }),
    ]
}

fn notifier_row(notifier: &Notifier) -> [String; 5] {
    [
        notifier.name.clone(),
        notifier.told_seconds_ago.map_or_else(nothing, ago),
        notifier.sent.to_string(),
        notifier.failed.to_string(),
        state(notifier.error.as_ref(), "ok"),
    ]
}

fn state(error: Option<&String>, otherwise: &str) -> String {
    error.cloned().unwrap_or_else(|| otherwise.to_owned())
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
    if seconds < 0 { ago(-seconds) } else { format!("in {}", span(seconds)) }
}

fn ago(seconds: i64) -> String {
    format!("{} ago", span(seconds))
}

/// The two largest units of a length of time.
fn span(seconds: i64) -> String {
    let exact = humantime::format_duration(Duration::from_secs(seconds.unsigned_abs())).to_string();
    exact.split(' ').take(2).collect::<Vec<_>>().join(" ")
}

/// An empty line, the heads and the rows, every column as wide as its widest cell but the last;
/// nothing where there are no rows.
pub(crate) fn columns<const N: usize>(heads: [&str; N], rows: Vec<[String; N]>) -> Vec<String> {
    if rows.is_empty() {
        return Vec::new();
    }
    let heads = heads.map(str::to_owned);
    let width = |column: usize| {
        let cells = std::iter::once(&heads).chain(&rows).map(|row| row[column].chars().count());
        cells.max().unwrap_or_default()
    };
    let widths: Vec<usize> = (0..N).map(width).collect();
    let aligned = |row: &[String; N]| {
        let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}"));
        cells.collect::<Vec<_>>().join("  ")
    };
    let lines = std::iter::once(&heads).chain(&rows).map(aligned);
    std::iter::once(String::new()).chain(lines).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::view::{Fault, Outage};
    use crate::observe::sample;

    #[test]
    fn a_person_sees_files_secrets_and_notifiers_in_columns() {
        let expected = "\
leasehold VERSION: ready
server  up
token   acc, expires in 30m, renew in 15m

FILE     GENERATION  CHANGED     EXPIRES  STATE
db.env   4           1m 40s ago  in 10m   ok
api-key  4           -           -        ok

SECRET              VERSION  EXPIRES  NEXT         STATE
database/creds/web  -        in 10m   renew in 5m  ok
secret/data/web     7        -        read in 25s  ok

NOTIFIER  TOLD        SENT  FAILED  STATE
app       1m 39s ago  2     1       no answer
";
        let version = env!("CARGO_PKG_VERSION");
        assert_eq!(text(&Status::from(&sample::view())).replace(version, "VERSION"), expected);
    }

    #[test]
    fn trouble_is_told_and_cannot_steer_the_terminal() {
        let mut view = sample::view();
        view.outage = Some(Outage { since: view.now, why: "refused\u{1b}[2J\nforged".into() });
        view.now = view.now.after(Duration::from_secs(700));
        view.token = None;
        view.files[1].generation = None;
        view.files[0].error = Some(Fault { class: "denied", text: "permission denied".into() });
        let text = text(&Status::from(&view));
        for words in [
            "server  down for 11m 40s: refused [2J forged\n",
            "token   none\n",
            "1m 40s ago  permission denied\n",
            "not yet rendered\n",
            "renew now",
        ] {
            assert!(text.contains(words), "{words:?} in:\n{text}");
        }
        assert!(!text.chars().any(|char| char.is_control() && char != '\n'));
    }

    #[test]
    fn a_length_of_time_has_two_units_at_most() {
        assert_eq!(span(0), "0s");
        assert_eq!(span(59), "59s");
        assert_eq!(span(3_661), "1h 1m");
        assert_eq!(span(86_400 * 3 + 1), "3days 1s");
        assert_eq!(until(-5), "5s ago");
        span(i64::MIN);
    }
}
