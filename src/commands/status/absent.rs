//! Finds out why no daemon answers. The process that publishes the files of this configuration holds locks, and the
//! locks lead to it wherever it listens.

use std::io::{self, ErrorKind};
use std::path::Path;

use super::{Daemon, name};
use crate::exit::{Cause, Ending, in_a_pod};
use crate::publish::{self, Wanted};

/// The process that publishes what this configuration names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Publisher {
    pid: i32,
    /// The state of the process in `/proc`: `S` for one that waits, `T` for one that a signal has stopped.
    state: char,
}

impl Publisher {
    /// Finds the process, or returns `None` if there is none, or if it belongs to another container.
    pub(super) fn of(daemon: &Daemon) -> Option<Self> {
        let alone = daemon.alone.iter().map(AsRef::as_ref).collect();
        let wanted = Wanted { set: daemon.set.as_deref(), alone, ..Wanted::default() };
        let pid = publish::publisher(&wanted)?;
        let stat = std::fs::read_to_string(Path::new("/proc").join(pid.to_string()).join("stat")).ok()?;
        Some(Self { pid, state: state(&stat)? })
    }

    /// Returns whether a signal or a debugger has stopped it.
    pub(super) fn is_stopped(self) -> bool {
        matches!(self.state, 'T' | 't')
    }
}

/// Returns the state behind the program's name, which may hold anything but is in parentheses.
fn state(stat: &str) -> Option<char> {
    stat.rsplit_once(") ")?.1.chars().next()
}

/// Returns the ending of a request that the daemon did not answer.
pub(in crate::commands) fn ending(daemon: &Daemon, why: &io::Error) -> Ending {
    explained(&name(&daemon.listen), Publisher::of(daemon), why, in_a_pod())
}

/// Returns what is wrong at `place`, and what to do about it in a pod or on a machine.
fn explained(place: &str, publisher: Option<Publisher>, why: &io::Error, pod: bool) -> Ending {
    match (publisher, why.kind()) {
        (Some(Publisher { pid, state }), _) if matches!(state, 'T' | 't') => Ending::new(
            Cause::Unavailable,
            format!("no leasehold answers at {place}: process {pid} is stopped (state {state})"),
            format!("continue it with `kill -CONT {pid}`; its files stay as they are until then"),
        ),
        (Some(Publisher { pid, state }), ErrorKind::TimedOut | ErrorKind::WouldBlock) => Ending::new(
            Cause::Unavailable,
            format!("no leasehold answers at {place}: process {pid} hangs (state {state})"),
            format!("see its log; {}", ends_it(pod)),
        ),
        (None, ErrorKind::TimedOut | ErrorKind::WouldBlock) => Ending::new(
            Cause::Unavailable,
            format!("no leasehold answers at {place}: what listens there hangs or is stopped"),
            format!("see its log; {}", ends_it(pod)),
        ),
        (Some(Publisher { pid, .. }), ErrorKind::ConnectionRefused | ErrorKind::NotFound) => Ending::new(
            Cause::Unavailable,
            format!("no leasehold answers at {place}: {why}, but process {pid} publishes these files"),
            "it listens elsewhere, or not yet: give the configuration that it runs with",
        ),
        (None, ErrorKind::ConnectionRefused | ErrorKind::NotFound) => Ending::new(
            Cause::Unavailable,
            format!(
                "no leasehold answers at {place}: {why}; it is not running, or has another configuration"
            ),
            format!("start it, or give the configuration that it runs with; {}", why_it_ended(pod)),
        ),
        (_, ErrorKind::PermissionDenied) => Ending::new(
            Cause::Unavailable,
            format!("no leasehold answers at {place}: {why}"),
            "run this as the daemon's user, or as root",
        ),
        _ => Ending::new(
            Cause::Unavailable,
            format!("no leasehold answers at {place}: {why}"),
            "see that leasehold listens there, and no other program",
        ),
    }
}

fn ends_it(pod: bool) -> &'static str {
    if pod {
        "the liveness probe ends a process that hangs"
    } else {
        "the watchdog of systemd ends a process that hangs"
    }
}

fn why_it_ended(pod: bool) -> &'static str {
    if pod {
        "`kubectl logs POD -c leasehold --previous` says why it has ended"
    } else {
        "`systemctl status leasehold@NAME` says why a unit has ended"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(publisher: Option<(i32, char)>, kind: ErrorKind, pod: bool) -> String {
        let publisher = publisher.map(|(pid, state)| Publisher { pid, state });
        let ending = explained("PLACE", publisher, &io::Error::new(kind, "WHY"), pod);
        assert_eq!(ending.cause, Cause::Unavailable);
        let said = format!("{}; {}", ending.what, ending.hint);
        said.strip_prefix("no leasehold answers at PLACE: ").expect("it begins so").to_owned()
    }

    #[test]
    fn what_is_known_of_the_process_is_said_and_advice_fits_the_place() {
        let stopped = said(Some((12, 'T')), ErrorKind::WouldBlock, false);
        assert!(
            stopped.starts_with("process 12 is stopped (state T); continue it with `kill -CONT 12`"),
            "{stopped}"
        );
        let hangs = said(Some((12, 'R')), ErrorKind::TimedOut, false);
        assert!(hangs.starts_with("process 12 hangs (state R); see its log; "), "{hangs}");
        let elsewhere = said(Some((12, 'S')), ErrorKind::NotFound, false);
        assert!(
            elsewhere.contains("WHY, but process 12 publishes these files; it listens elsewhere"),
            "{elsewhere}"
        );
        let gone = said(None, ErrorKind::ConnectionRefused, false);
        assert!(gone.contains("it is not running, or has another configuration"), "{gone}");
        assert!(gone.contains("systemctl status") && !gone.contains("kubectl"), "{gone}");
        let gone = said(None, ErrorKind::NotFound, true);
        assert!(gone.contains("kubectl logs") && !gone.contains("systemctl"), "{gone}");
        assert!(said(None, ErrorKind::PermissionDenied, false).contains("as root"));
    }

    #[test]
    fn a_program_may_have_any_name() {
        assert_eq!(state("7 (a) T b) S 1 2"), Some('S'));
        assert_eq!(state("7 (leasehold) T 1 2"), Some('T'));
        assert_eq!(state("nonsense"), None);
    }
}
