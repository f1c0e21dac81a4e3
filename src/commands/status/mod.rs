//! `leasehold status`: asks the running daemon.
//!
//! A pod runs it every few seconds as a probe, beside an application that wants the processor for
//! itself: no runtime is started, no library for HTTP, one request over a blocking socket.

mod client;
mod tls;

use std::io::{self, IsTerminal as _, Write};
use std::process::ExitCode;
use std::time::Duration;

use super::output::written;
use crate::config::plan::{Listen, ListenTls};
use crate::exit::{Cause, Ending};
use crate::observe::paint::{Paint, Palette};
use crate::observe::status::Status;
use crate::observe::table;

/// How often `--watch` asks.
const EVERY: Duration = Duration::from_secs(2);
/// What clears a terminal.
const CLEAR: &str = "\u{1b}[H\u{1b}[2J";

/// How the daemon can be asked.
#[derive(Debug, Clone)]
pub struct Daemon {
    /// Where it listens.
    pub listen: Listen,
    /// With which certificate.
    pub tls: Option<ListenTls>,
}

/// What is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Show {
    /// Everything, as a table for people.
    Table,
    /// Everything, as the daemon's JSON in one line.
    Json,
    /// Whether the files can be relied on: one line, exit code 0 or 1.
    Ready,
    /// Whether the daemon answers at all: one line, exit code 0 or 1.
    Live,
}

/// Asks once and shows the answer on standard output.
///
/// # Errors
/// 69 where nobody answers, or something else does; for the probes that is exit code 1 instead.
/// 73 where standard output cannot be written.
pub fn run(daemon: &Daemon, show: Show) -> Result<ExitCode, Ending> {
    let mut output = io::stdout();
    let palette = Palette::of(output.is_terminal());
    once(daemon, show, palette, &mut output)
}

/// Asks again and again, until it is interrupted or nobody reads standard output any more. While
/// nobody answers it says so and goes on: a daemon that restarts is worth watching.
///
/// # Errors
/// 73 where standard output cannot be written.
pub fn watch(daemon: &Daemon, show: Show) -> Result<ExitCode, Ending> {
    let mut output = io::stdout();
    let palette = Palette::of(output.is_terminal());
    let clear = output.is_terminal() && show == Show::Table;
    loop {
        // In one piece, so that the terminal is never seen empty.
        let mut screen = Vec::from(if clear { CLEAR } else { "" });
        match once(daemon, show, palette, &mut screen) {
            Ok(_probe) => {}
            Err(ending) if ending.cause == Cause::Unavailable => {
                written(writeln!(screen, "{}", palette.paint(Paint::Bad, &ending.what)))?
            }
            Err(ending) => return Err(ending),
        }
        written(output.write_all(&screen).and_then(|()| output.flush()))?;
        std::thread::sleep(EVERY);
    }
}

fn once(daemon: &Daemon, show: Show, palette: Palette, output: &mut impl Write) -> Result<ExitCode, Ending> {
    match show {
        Show::Ready => probe(daemon, "/readyz", output),
        Show::Live => probe(daemon, "/livez", output),
        Show::Json => status(daemon).and_then(|(json, _)| show_line(output, json.trim_end())),
        Show::Table => {
            let text = |status: &Status| table::text(status, palette);
            status(daemon).and_then(|(_, status)| show_line(output, text(&status).trim_end()))
        }
    }
}

/// One line, and 0 where the daemon answers 200.
fn probe(daemon: &Daemon, path: &str, output: &mut impl Write) -> Result<ExitCode, Ending> {
    let (line, code) = match client::get(daemon, path) {
        Ok(answer) if answer.status == 200 => (answer.body, ExitCode::SUCCESS),
        Ok(answer) => (answer.body, ExitCode::FAILURE),
        Err(why) => (format!("no daemon answers on {}: {why}", name(&daemon.listen)), ExitCode::FAILURE),
    };
    let plain: String =
        line.trim_end().chars().map(|char| if char.is_control() { ' ' } else { char }).collect();
    show_line(output, &plain).map(|_shown| code)
}

/// `/status`, as it came and as what it means.
fn status(daemon: &Daemon) -> Result<(String, Status), Ending> {
    let unavailable = |why: String, hint: &str| {
        Ending::new(Cause::Unavailable, format!("no status from {}: {why}", name(&daemon.listen)), hint)
    };
    let answer = client::get(daemon, "/status").map_err(|why| {
        unavailable(why.to_string(), "start the daemon, or give the configuration that it runs with")
    })?;
    if answer.status != 200 {
        return Err(unavailable(format!("{} {}", answer.status, answer.body.trim_end()), "look at its log"));
    }
    let status = serde_json::from_str(&answer.body).map_err(|_| {
        unavailable("not a status".to_owned(), "something else listens there, or another version")
    })?;
    Ok((answer.body, status))
}

fn show_line(output: &mut impl Write, text: &str) -> Result<ExitCode, Ending> {
    written(writeln!(output, "{text}").and_then(|()| output.flush())).map(|()| ExitCode::SUCCESS)
}

fn name(listen: &Listen) -> String {
    match listen {
        Listen::Tcp(address) => address.to_string(),
        Listen::Unix(path) => format!("unix:{}", path.display()),
    }
}

#[cfg(test)]
mod tests;
