//! Lines for systemd's journal. The journal knows the time and the unit already, and takes the priority from the
//! start of a line: `<3>` for an error.

use std::ffi::OsStr;
use std::fmt;
use std::os::fd::AsFd;

use rustix::fs::fstat;
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

/// The beginning of a line that says why the program ends.
pub const ERROR: &str = "<3>";
/// The beginning of a warning.
pub(super) const WARN: &str = "<4>";

/// Returns whether the journal reads `stream`. `JOURNAL_STREAM` names the device and inode of the socket that a
/// service was given. Whatever that service starts inherits the variable, even if its output goes elsewhere.
#[must_use]
pub fn reads(stream: impl AsFd, variable: Option<&OsStr>) -> bool {
    let Some((device, inode)) = variable.and_then(OsStr::to_str).and_then(|value| value.split_once(':'))
    else {
        return false;
    };
    let (device, inode) = (device.parse::<u64>(), inode.parse::<u64>());
    fstat(stream).is_ok_and(|stat| device == Ok(stat.st_dev) && inode == Ok(stat.st_ino))
}

/// Writes an event as the priority, the message and the fields.
#[derive(Debug)]
pub(super) struct Lines;

impl<S, N> FormatEvent<S, N> for Lines
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        writer.write_str(priority(*event.metadata().level()))?;
        context.field_format().format_fields(writer.by_ref(), event)?;
        writeln!(writer)
    }
}

/// Returns the priority as syslog counts it.
fn priority(level: Level) -> &'static str {
    match level {
        Level::ERROR => ERROR,
        Level::WARN => WARN,
        Level::INFO => "<6>",
        _ => "<7>",
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixStream;

    use super::*;

    #[test]
    fn only_the_very_stream_that_the_variable_names_is_the_journals() {
        let (stream, other) = UnixStream::pair().expect("two sockets");
        let stat = fstat(&stream).expect("it is open");
        let name = format!("{}:{}", stat.st_dev, stat.st_ino);
        let reads = |stream: &UnixStream, value: Option<&str>| super::reads(stream, value.map(OsStr::new));
        assert!(reads(&stream, Some(&name)));
        assert!(!reads(&other, Some(&name)), "inherited by a child with another standard error");
        let elsewhere = format!("{}:{}", stat.st_dev + 1, stat.st_ino);
        for value in [None, Some(""), Some("8"), Some("a:b"), Some(elsewhere.as_str())] {
            assert!(!reads(&stream, value), "{value:?}");
        }
    }
}
