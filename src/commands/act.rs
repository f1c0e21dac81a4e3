//! `leasehold refresh`, `quit` and `log-level`: what the listener does on request, for containers without a shell.

use std::process::ExitCode;

use url::form_urlencoded::byte_serialize;

use super::output::write_out;
use super::status::{Daemon, absent, client, name};
use crate::exit::{Cause, Ending};

/// A request to the daemon.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Act {
    /// Polls everything now.
    Refresh,
    /// Polls the secrets of one file.
    RefreshFile(String),
    /// Polls one path.
    RefreshPath(String),
    /// Revokes everything and ends the daemon.
    Quit,
    /// Shows log lines of this level and above.
    LogLevel(tracing::Level),
}

impl Act {
    fn path(&self) -> String {
        let encoded = |text: &str| byte_serialize(text.as_bytes()).collect::<String>();
        match self {
            Self::Refresh => "/refresh".to_owned(),
            Self::RefreshFile(name) => format!("/refresh?file={}", encoded(name)),
            Self::RefreshPath(path) => format!("/refresh?path={}", encoded(path)),
            Self::Quit => "/quit".to_owned(),
            Self::LogLevel(level) => format!("/log?level={}", level.as_str().to_lowercase()),
        }
    }
}

/// Asks the daemon to do it, and shows its answer.
///
/// # Errors
/// 66 if the daemon knows no such file or path, 69 if no daemon answers or it refuses, 73 if standard output cannot
/// be written.
pub fn run(daemon: &Daemon, act: &Act) -> Result<ExitCode, Ending> {
    let place = name(&daemon.listen);
    let answer = client::post(daemon, &act.path()).map_err(|why| absent::ending(daemon, &why))?;
    let said = answer.body.trim_end().replace(char::is_control, " ");
    match answer.status {
        200..=299 => write_out(&mut std::io::stdout().lock(), format!("{said}\n").as_bytes())
            .map(|()| ExitCode::SUCCESS),
        404 => Err(Ending::new(Cause::Missing, said, "`leasehold status` shows the names and the paths")),
        status => {
            let what = format!("the daemon on {place} refuses: {status} {said}");
            Err(Ending::new(Cause::Unavailable, what, "`leasehold status` shows how it is, its log why"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_written_so_that_the_daemon_reads_them_as_they_are() {
        assert_eq!(Act::RefreshFile("a&path=b c".into()).path(), "/refresh?file=a%26path%3Db+c");
        assert_eq!(Act::RefreshPath("secret/web".into()).path(), "/refresh?path=secret%2Fweb");
        assert_eq!(Act::LogLevel(tracing::Level::DEBUG).path(), "/log?level=debug");
    }
}
