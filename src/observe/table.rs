//! A [`Status`] for people.

use std::fmt::Write as _;
use std::time::Duration;

use super::paint::{Paint, Palette};
use super::status::{File, Next, Notifier, Secret, Status};

/// What stands in a cell that has nothing to say.
const NOTHING: &str = "-";

/// Several lines, columns aligned, nothing that could steer a terminal but the palette's colours.
#[must_use]
pub fn text(status: &Status, palette: Palette) -> String {
    let line =
        |name: &str, (text, paint): (String, Paint)| format!("{name}{}", palette.paint(paint, &plain(&text)));
    let mut lines = vec![
        line(&format!("leasehold {}: ", plain(&status.version)), reason(status)),
        line("server  ", server(status)),
        line("token   ", token(status)),
    ];
    lines.extend(status.certificates.iter().filter_map(|one| {
        let paint = if one.expires_in_seconds <= 0 { Paint::Bad } else { Paint::Doubtful };
        Some(line("cert    ", (one.error.clone()?, paint)))
    }));
    let files = status.files.iter().map(file_row);
    let secrets = status.secrets.iter().map(secret_row);
    let notifiers = status.notifiers.iter().map(notifier_row);
    for table in [
        columns(["FILE", "GENERATION", "CHANGED", "EXPIRES", "STATE"], files.collect(), palette),
        columns(["SECRET", "VERSION", "EXPIRES", "NEXT", "STATE"], secrets.collect(), palette),
        columns(["NOTIFIER", "TOLD", "SENT", "FAILED", "STATE"], notifiers.collect(), palette),
    ] {
        if !table.is_empty() {
            lines.push(String::new());
            lines.extend(table);
        }
    }
    lines.iter().map(|line| format!("{}\n", line.trim_end())).collect()
}

fn plain(text: &str) -> String {
    text.chars().map(|char| if char.is_control() { ' ' } else { char }).collect()
}

/// What stands in a cell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Cell(pub(crate) String, pub(crate) Paint);

impl From<String> for Cell {
    fn from(text: String) -> Self {
        Self(text, Paint::Plain)
    }
}

fn reason(status: &Status) -> (String, Paint) {
    let paint = match (status.ready, status.server.up) {
        (true, true) => Paint::Good,
        (true, false) => Paint::Doubtful,
        (false, _) => Paint::Bad,
    };
    (status.reason.clone(), paint)
}

fn server(status: &Status) -> (String, Paint) {
    match (&status.server.error, status.server.down_seconds) {
        _ if status.server.up => ("up".to_owned(), Paint::Good),
        (Some(why), Some(seconds)) => (format!("down for {}: {why}", span(seconds)), Paint::Bad),
        _ => ("down".to_owned(), Paint::Bad),
    }
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

fn file_row(file: &File) -> [Cell; 5] {
    let there = file.generation.is_some();
    [
        file.name.clone().into(),
        number(file.generation).into(),
        file.changed_seconds_ago.map_or_else(nothing, ago).into(),
        end(file.expires_in_seconds),
        state(file.error.as_ref(), there, "not yet rendered"),
    ]
}

fn secret_row(secret: &Secret) -> [Cell; 5] {
    [
        secret.source.clone().into(),
        number(secret.version).into(),
        end(secret.expires_in_seconds),
        secret.next.as_ref().map_or_else(nothing, action).into(),
        state(secret.error.as_ref(), secret.fresh_seconds_ago.is_some(), "not yet read"),
    ]
}

fn notifier_row(notifier: &Notifier) -> [Cell; 5] {
    [
        notifier.name.clone().into(),
        notifier.told_seconds_ago.map_or_else(nothing, ago).into(),
        notifier.sent.to_string().into(),
        notifier.failed.to_string().into(),
        state(notifier.error.as_ref(), true, ""),
    ]
}

/// The error; or that it is good, or `not yet` so.
fn state(error: Option<&String>, there: bool, not_yet: &str) -> Cell {
    match error {
        Some(error) => Cell(error.clone(), Paint::Bad),
        None if there => Cell("ok".to_owned(), Paint::Good),
        None => Cell(not_yet.to_owned(), Paint::Doubtful),
    }
}

/// When something ends.
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

/// The two largest units of a length of time.
fn span(seconds: i64) -> String {
    let exact = humantime::format_duration(Duration::from_secs(seconds.unsigned_abs())).to_string();
    exact.split(' ').take(2).collect::<Vec<_>>().join(" ")
}

/// The heads and the rows, every column as wide as its widest cell but the last; nothing where
/// there are no rows.
pub(crate) fn columns<const N: usize>(
    heads: [&str; N],
    rows: Vec<[Cell; N]>,
    palette: Palette,
) -> Vec<String> {
    if rows.is_empty() {
        return Vec::new();
    }
    let heads = heads.map(|head| Cell(head.to_owned(), Paint::Faint));
    let cleaned = rows.into_iter().map(|row| row.map(|Cell(text, paint)| Cell(plain(&text), paint)));
    let rows: Vec<[Cell; N]> = std::iter::once(heads).chain(cleaned).collect();
    let width =
        |column: usize| rows.iter().map(|row| row[column].0.chars().count()).max().unwrap_or_default();
    let widths: Vec<usize> = (0..N).map(width).collect();
    let aligned = |row: &[Cell; N]| {
        let cells = row.iter().zip(&widths).enumerate().map(|(column, (Cell(text, paint), width))| {
            let width = if column + 1 == N { 0 } else { *width };
            // What fills a column up has no colour. Not by a width of the format, which ends at 65,535.
            palette.paint(*paint, text) + &" ".repeat(width.saturating_sub(text.chars().count()))
        });
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    rows.iter().map(aligned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::view::{Fault, Outage};
    use crate::observe::sample;

    #[test]
    fn a_cell_of_any_length_and_a_time_of_any_sign_are_shown() {
        let long = "p".repeat(70_000);
        let row = |text: &str| [Cell::from(text.to_owned()), Cell::from("x".to_owned())];
        let lines = columns(["PATH", "STATE"], vec![row(&long), row("short")], Palette::PLAIN);
        assert_eq!(lines[2].len(), 70_000 + 3, "as wide as the widest");
        assert!(until(i64::MIN).ends_with(" ago"));
    }

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
        assert_eq!(
            text(&Status::from(&sample::view()), Palette::PLAIN).replace(version, "VERSION"),
            expected
        );
    }

    #[test]
    fn trouble_is_told_and_cannot_steer_the_terminal() {
        let mut view = sample::view();
        view.outage = Some(Outage { since: view.now, why: "refused\u{1b}[2J\nforged".into() });
        view.now = view.now.after(Duration::from_secs(700));
        view.token = None;
        view.files[1].generation = None;
        view.files[0].error = Some(Fault { class: "denied", text: "permission denied".into() });
        let text = text(&Status::from(&view), Palette::PLAIN);
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
    fn colours_tell_good_from_bad_and_move_no_column() {
        let mut view = sample::view();
        view.files[0].error = Some(Fault { class: "denied", text: "permission denied".into() });
        let status = Status::from(&view);
        let coloured = text(&status, Palette::COLOURED);
        assert!(coloured.contains("\u{1b}[31mpermission denied\u{1b}[0m\n"), "{coloured:?}");
        assert!(coloured.contains("\u{1b}[32mok\u{1b}[0m\n"), "{coloured:?}");
        let codes = ["2", "31", "32", "33", "0"].map(|code| format!("\u{1b}[{code}m"));
        let without = codes.iter().fold(coloured, |text, code| text.replace(code, ""));
        assert_eq!(without, text(&status, Palette::PLAIN));
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
