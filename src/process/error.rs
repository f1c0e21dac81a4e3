//! Why a notification failed.

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::process::ExitStatus;
use std::time::Duration;

use crate::exit::in_a_pod;

/// Why a notification failed. The text is lowercase, says what to do, and holds nothing that the notifier itself
/// said: a hook's output or a body may quote a secret.
#[derive(Debug)]
pub enum NotifyError {
    /// No process matches the target.
    NoProcess {
        /// The target, in words.
        target: String,
    },
    /// The pid file names no process that can be notified.
    PidFile {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        fault: PidFileFault,
    },
    /// The regular expression of `command_line` does not parse; the configuration's check says so
    /// first.
    Pattern(regex_lite::Error),
    /// `/proc` cannot be listed.
    ProcessList(io::Error),
    /// The kernel refuses to let us signal this process.
    NotPermitted {
        /// The process.
        pid: i32,
    },
    /// Signalling failed otherwise.
    Signal {
        /// The process.
        pid: i32,
        /// The kernel's answer.
        why: io::Error,
    },
    /// There is no such signal.
    NoSuchSignal(i32),
    /// The command cannot be started.
    Start {
        /// The program.
        program: String,
        /// Why.
        why: io::Error,
    },
    /// The command ended with a failure.
    Failed {
        /// The program.
        program: String,
        /// Its exit code or the signal that ended it.
        status: ExitStatus,
    },
    /// The command was killed at its time-out.
    Killed {
        /// The program.
        program: String,
        /// Its time-out.
        timeout: Duration,
    },
    /// The HTTP request could not be set up.
    Client {
        /// Host and port; a URL's user and query may be secrets.
        host: String,
        /// Why.
        why: String,
    },
    /// No answer came.
    NoAnswer {
        /// Host and port.
        host: String,
        /// Why.
        why: String,
    },
    /// The answer was not 2xx.
    Status {
        /// Host and port.
        host: String,
        /// The status.
        status: u16,
    },
}

/// What is wrong with a pid file.
#[derive(Debug)]
pub enum PidFileFault {
    /// It cannot be read.
    Unreadable(io::Error),
    /// It does not hold one positive number.
    Rubbish,
    /// There is no process with that number any more.
    Gone(i32),
    /// Another process has that number now.
    Reused(i32),
    /// It names Leasehold itself or one of its hooks.
    Ours(i32),
    /// It names a process that the users who can have written the file may not signal themselves.
    Foreign {
        /// The process.
        pid: i32,
        /// The user of the process.
        user: u32,
        /// The user who can have chosen the number.
        owner: u32,
        /// How that user can have chosen it, in words.
        why: String,
    },
    /// Other users may write root's own file, for the reason given.
    Open(String),
}

impl NotifyError {
    /// Returns a word for metrics, and for recognising repeats.
    #[must_use]
    pub fn class(&self) -> &'static str {
        match self {
            Self::PidFile { fault: PidFileFault::Foreign { .. } | PidFileFault::Open(_), .. } => {
                "not_permitted"
            }
            Self::NoProcess { .. } | Self::PidFile { .. } => "not_found",
            Self::Pattern(_) | Self::NoSuchSignal(_) | Self::Client { .. } => "invalid",
            Self::ProcessList(_) | Self::Signal { .. } => "system",
            Self::NotPermitted { .. } => "not_permitted",
            Self::Start { .. } | Self::Failed { .. } => "command",
            Self::Killed { .. } => "timeout",
            Self::NoAnswer { .. } => "no_answer",
            Self::Status { .. } => "status",
        }
    }
}

impl NotifyError {
    /// Writes the text in a pod, or on a machine: what to do differs between them.
    fn fmt_in(&self, pod: bool, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoProcess { target } if pod => write!(
                f,
                "no process {target}; check that it is running, and that the pod shares its processes (shareProcessNamespace: true)"
            ),
            Self::NoProcess { target } => {
                write!(f, "no process {target}; check that it is running, and how `ps -ef` spells it")
            }
            Self::PidFile { path, fault } => {
                write!(f, "pid file {}: ", path.display())?;
                fault.fmt_in(pod, f)
            }
            Self::Pattern(why) => write!(f, "command_line is not a regular expression: {why}"),
            Self::ProcessList(why) => {
                write!(f, "cannot list the processes in /proc: {why}; check that /proc is mounted here")
            }
            Self::NotPermitted { pid } => write!(
                f,
                "not permitted to signal process {pid}; run Leasehold under the uid that the process has"
            ),
            Self::Signal { pid, why } => write!(f, "cannot signal process {pid}: {why}"),
            Self::NoSuchSignal(number) => write!(f, "there is no signal {number}"),
            Self::Start { program, why } if pod => write!(
                f,
                "cannot start {program}: {why}; check that it is in Leasehold's own container, and executable"
            ),
            Self::Start { program, why } => {
                write!(f, "cannot start {program}: {why}; check that it is installed here, and executable")
            }
            Self::Failed { program, status } => write!(
                f,
                "{program} failed with {status}; run it by hand to see why: its output is not kept, since it may hold secrets"
            ),
            Self::Killed { program, timeout } => write!(
                f,
                "{program} was killed after {}, its timeout; raise `timeout`, or make it return sooner",
                humantime::format_duration(*timeout)
            ),
            Self::Client { host, why } => write!(f, "cannot ask {host}: {why}"),
            Self::NoAnswer { host, why } => {
                write!(f, "no answer from {host}: {why}; check that the application listens there")
            }
            Self::Status { host, status } => {
                write!(f, "{host} answered {status}, where 2xx was expected; see the application's own log")
            }
        }
    }
}

impl fmt::Display for NotifyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.fmt_in(in_a_pod(), f)
    }
}

impl PidFileFault {
    fn fmt_in(&self, pod: bool, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable(why) if pod => write!(
                f,
                "{why}; check that the application is running, and that the file's folder is mounted in Leasehold's container"
            ),
            Self::Unreadable(why) => {
                write!(f, "{why}; check that the application is running, and that it writes this file")
            }
            Self::Rubbish => {
                f.write_str("does not hold one process number; have the application write its process number into it, and nothing else")
            }
            Self::Gone(pid) if pod => write!(
                f,
                "process {pid} has ended, or is not in Leasehold's pid namespace; check that the application is running, and that the pod shares its processes (shareProcessNamespace: true)"
            ),
            Self::Gone(pid) => {
                write!(f, "process {pid} has ended; start the application, or remove the file")
            }
            Self::Reused(pid) => write!(
                f,
                "process {pid} is not the one that it was written for; restart the application, or remove the file"
            ),
            Self::Ours(pid) => {
                write!(f, "process {pid} is Leasehold itself; name the file that the application writes")
            }
            Self::Foreign { pid, user, owner, why } => write!(
                f,
                "process {pid} belongs to uid {user}, and only one of uid {owner} is signalled, since {why}; let root write the file, in a folder that only root may write"
            ),
            Self::Open(why) => write!(f, "{why}; take that away: chmod go-w"),
        }
    }
}

impl fmt::Display for PidFileFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.fmt_in(in_a_pod(), f)
    }
}

impl std::error::Error for NotifyError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_machine_is_given_no_advice_for_pods() {
        struct In(NotifyError, bool);
        impl fmt::Display for In {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt_in(self.1, f)
            }
        }
        let none = || io::Error::from(io::ErrorKind::NotFound);
        let file = |fault| NotifyError::PidFile { path: "/run/app.pid".into(), fault };
        let errors: [&dyn Fn() -> NotifyError; 4] = [
            &|| NotifyError::NoProcess { target: "called nginx".into() },
            &|| NotifyError::Start { program: "reload".into(), why: none() },
            &|| file(PidFileFault::Unreadable(none())),
            &|| file(PidFileFault::Gone(12)),
        ];
        for error in errors {
            let (pod, machine) = (In(error(), true).to_string(), In(error(), false).to_string());
            assert_ne!(pod, machine);
            for word in ["pod", "container", "namespace", "Namespace", "mount"] {
                assert!(!machine.contains(word), "{machine}");
            }
            assert!(machine.contains("; "), "what to do: {machine}");
        }
    }
}
