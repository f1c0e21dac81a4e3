//! `leasehold status`: asks the running daemon. It ends with 0 where everything is well, and with 1 where anything is not,
//! so that a script need not read the table.
//!
//! A pod runs it every few seconds as a probe, beside an application that wants the processor for
//! itself: no runtime is started, no library for HTTP, one request over a blocking socket.

pub(super) mod absent;
pub(super) mod client;
mod tls;

use std::io::{self, IsTerminal as _, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use super::output::written;
use crate::config::plan::{Listen, ListenTls};
use crate::exit::{Cause, Ending};
use crate::observe::paint::{Paint, Palette};
use crate::observe::status::{File, Status};
use crate::observe::{explain, table};

/// How often `--watch` asks.
const EVERY: Duration = Duration::from_secs(2);
/// The characters that clear a terminal.
const CLEAR: &str = "\u{1b}[H\u{1b}[2J";

/// The daemon of a configuration, as a command reaches it.
#[derive(Debug, Clone)]
pub struct Daemon {
    /// The address that it listens on.
    pub listen: Listen,
    /// The certificate that it shows.
    pub tls: Option<ListenTls>,
    /// The folder of its set.
    pub set: Option<PathBuf>,
    /// The absolute files that it publishes.
    pub alone: Vec<PathBuf>,
}

/// The part of the state that is shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Show {
    /// Everything, as a table for people.
    Table,
    /// One file, secret, backend or notifier, by its name.
    Named(String),
    /// The reason why this file, or each file that is not as it should be, is so.
    Explained(Option<String>),
    /// Everything, as the daemon's JSON in one line.
    Json,
    /// One line that says whether the files can be relied on, and the exit code 0 or 1.
    Ready,
    /// One line that says whether the daemon answers at all, and the exit code 0 or 1.
    Live,
}

/// Asks once and shows the answer on standard output.
///
/// # Errors
/// 69 if no daemon answers, or something else does; for the probes, that is exit code 1 instead. 73 if standard
/// output cannot be written.
pub fn run(daemon: &Daemon, show: &Show) -> Result<ExitCode, Ending> {
    let mut output = io::stdout();
    let palette = Palette::of(output.is_terminal());
    once(daemon, show, palette, &mut output)
}

/// Asks again and again, until it is interrupted or standard output is no longer read. While no daemon answers, it
/// says so and goes on: a daemon that restarts is worth watching.
///
/// # Errors
/// 73 if standard output cannot be written.
pub fn watch(daemon: &Daemon, show: &Show) -> Result<ExitCode, Ending> {
    let mut output = io::stdout();
    let palette = Palette::of(output.is_terminal());
    let clear = output.is_terminal() && !matches!(show, Show::Json);
    loop {
        // In one piece, so that the terminal is never seen empty.
        let mut screen = Vec::from(if clear { CLEAR } else { "" });
        match once(daemon, show, palette, &mut screen) {
            Ok(_well_or_not) => {}
            Err(ending) if ending.cause == Cause::Unavailable => {
                written(writeln!(screen, "{}", palette.paint(Paint::Bad, &ending.what)))?
            }
            Err(ending) => return Err(ending),
        }
        written(output.write_all(&screen).and_then(|()| output.flush()))?;
        std::thread::sleep(EVERY);
    }
}

fn once(daemon: &Daemon, show: &Show, palette: Palette, output: &mut impl Write) -> Result<ExitCode, Ending> {
    match show {
        Show::Ready => probe(daemon, "/readyz", output),
        Show::Live => probe(daemon, "/livez", output),
        Show::Json => shown(status(daemon)?, output, |json, _| Ok(json.to_owned())),
        Show::Table => shown(status(daemon)?, output, |_, status| Ok(table::text(status, palette))),
        Show::Named(name) => shown(status(daemon)?, output, |_, status| {
            table::text_of(status, name, palette).ok_or_else(|| unknown(status, name))
        }),
        Show::Explained(name) => {
            shown(status(daemon)?, output, |_, status| explained(status, name.as_deref(), palette))
        }
    }
}

/// Shows a text of the status, and ends with 0 where all is well and with 1 where anything is not.
fn shown(
    (json, status): (String, Status),
    output: &mut impl Write,
    text: impl FnOnce(&str, &Status) -> Result<String, Ending>,
) -> Result<ExitCode, Ending> {
    let text = text(&json, &status)?;
    show_line(output, text.trim_end())?;
    Ok(if status.is_well() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn explained(status: &Status, name: Option<&str>, palette: Palette) -> Result<String, Ending> {
    let files: Vec<&File> = match name {
        Some(name) => status.files.iter().filter(|file| file.name == name).collect(),
        None => status.files.iter().filter(|file| !file.is_ok()).collect(),
    };
    match name {
        Some(name) if files.is_empty() => {
            let hint = format!("name a file ({})", names(status));
            Err(Ending::new(Cause::Missing, format!("the daemon has no file by the name {name}"), hint))
        }
        None if files.is_empty() => Ok(format!("{}: every file is as it should be", status.reason)),
        _ => Ok(explain::text(status, &files, palette)),
    }
}

fn unknown(status: &Status, name: &str) -> Ending {
    let hint = format!("name a file ({}), a secret's id or path, a backend or a notifier", names(status));
    Ending::new(Cause::Missing, format!("the daemon knows nothing by the name {name}"), hint)
}

/// Returns the names of the first files.
fn names(status: &Status) -> String {
    status.files.iter().map(|file| file.name.as_str()).take(10).collect::<Vec<_>>().join(", ")
}

/// Prints one line, and returns 0 if the daemon answers 200.
fn probe(daemon: &Daemon, path: &str, output: &mut impl Write) -> Result<ExitCode, Ending> {
    let (line, code) = match client::get(daemon, path) {
        Ok(answer) if answer.status == 200 => (answer.body, ExitCode::SUCCESS),
        Ok(answer) => (answer.body, ExitCode::FAILURE),
        Err(why) => (absent::ending(daemon, &why).what, ExitCode::FAILURE),
    };
    let plain: String =
        line.trim_end().chars().map(|char| if char.is_control() { ' ' } else { char }).collect();
    show_line(output, &plain).map(|_shown| code)
}

/// Returns `/status`, as it came and as what it means.
fn status(daemon: &Daemon) -> Result<(String, Status), Ending> {
    let answer = client::get(daemon, "/status").map_err(|why| absent::ending(daemon, &why))?;
    let place = name(&daemon.listen);
    if answer.status != 200 {
        let what = format!("no status from {place}: {} {}", answer.status, answer.body.trim_end());
        return Err(Ending::new(Cause::Unavailable, what, "see its log"));
    }
    let status = serde_json::from_str(&answer.body).map_err(|_| {
        let what = format!("no status from {place}: what answers is no leasehold, or another version");
        Ending::new(Cause::Unavailable, what, "compare `listen` and the versions")
    })?;
    Ok((answer.body, status))
}

fn show_line(output: &mut impl Write, text: &str) -> Result<ExitCode, Ending> {
    written(writeln!(output, "{text}").and_then(|()| output.flush())).map(|()| ExitCode::SUCCESS)
}

pub(super) fn name(listen: &Listen) -> String {
    match listen {
        Listen::Tcp(address) => address.to_string(),
        Listen::Unix(path) => format!("unix:{}", path.display()),
    }
}

#[cfg(test)]
mod tests;
