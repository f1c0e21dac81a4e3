//! The process of `exec`: found, started with exactly the environment that it has to have, signalled.
//!
//! It is started with `posix_spawn` rather than through the standard library, which would keep copies of the
//! environment that are never wiped.

use std::ffi::{CString, OsStr, OsString};
use std::fs::File;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use nix::errno::Errno;
use nix::spawn::{PosixSpawnAttr, PosixSpawnFileActions, PosixSpawnFlags, posix_spawn};
use nix::sys::signal::{SigSet, Signal as NixSignal};
use rustix::fs::{Access, access};
use rustix::process::{
    Pid, Resource, Signal, WaitOptions, getpgid, getrlimit, kill_process, kill_process_group, waitpid,
};
use zeroize::Zeroizing;

use super::{group, hook, limits, signal};
use crate::exit::{Cause, Ending, in_a_pod};
use leasehold_base::clock;

/// How the process is to be stopped if a bug of our own ends us.
#[derive(Debug, Clone, Copy)]
struct Last {
    child: Child,
    signal: Signal,
    timeout: Duration,
}

/// The process that runs, for the panic hook, which can reach nothing else.
static LAST: Mutex<Option<Last>> = Mutex::new(None);

/// A process that runs, or has ended and was not collected yet.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Child {
    pid: Pid,
    /// Whether it leads a process group of its own.
    leads: bool,
}

/// What to start, besides the environment.
#[derive(Debug)]
pub(crate) struct ChildCommand {
    /// Program and arguments, at least one.
    pub(crate) command: Vec<OsString>,
    /// The signals that were blocked when we were started.
    pub(crate) mask: SigSet,
    /// The signal that stops it.
    pub(crate) stop_signal: i32,
    /// How long after that signal it is killed.
    pub(crate) stop_timeout: Duration,
}

impl ChildCommand {
    /// Starts the process with `environment`, entries `NAME=value`.
    ///
    /// On a terminal it stays in our process group. What is typed there (Ctrl-C, Ctrl-Z) reaches it from the kernel,
    /// once, and a pipeline stays one job. Elsewhere it gets a group of its own, so that all of it can be stopped.
    ///
    /// # Errors
    /// 127 if there is no such program, 126 if it cannot be run.
    pub(crate) fn start(&self, environment: &[Zeroizing<CString>]) -> Result<Child, Ending> {
        let path = environment.iter().find_map(|entry| entry.as_bytes().strip_prefix(b"PATH="));
        let program = find(&self.command, path.map(OsStr::from_bytes))?;
        let fault = |why: Errno| not_started(&program, why);
        let words: Vec<CString> = self.command.iter().map(|word| text(word)).collect::<Result<_, _>>()?;
        let leads = !is_on_terminal();
        let mut attributes = PosixSpawnAttr::init().map_err(fault)?;
        let mut flags = PosixSpawnFlags::POSIX_SPAWN_SETSIGDEF | PosixSpawnFlags::POSIX_SPAWN_SETSIGMASK;
        if leads {
            flags |= PosixSpawnFlags::POSIX_SPAWN_SETPGROUP;
        }
        attributes.set_flags(flags).map_err(fault)?;
        attributes.set_sigmask(&self.mask).map_err(fault)?;
        // Rust ignores SIGPIPE from the start. A program that writes to a closed pipe expects to be ended by it.
        let mut default = SigSet::empty();
        default.add(NixSignal::SIGPIPE);
        attributes.set_sigdefault(&default).map_err(fault)?;
        let actions = PosixSpawnFileActions::init().map_err(fault)?;
        let entries: Vec<&CString> = environment.iter().map(|entry| &**entry).collect();
        let spawn = || posix_spawn(&program, &actions, &attributes, &words, &entries);
        let pid = limits::as_found(spawn).map_err(fault)?;
        let pid = Pid::from_raw(pid.as_raw()).expect("the kernel numbers processes from 1");
        let child = Child { pid, leads };
        let signal = signal::from_number(self.stop_signal).unwrap_or(Signal::TERM);
        *last() = Some(Last { child, signal, timeout: self.stop_timeout });
        Ok(child)
    }
}

impl Child {
    /// Returns its number.
    pub(crate) fn pid(&self) -> Pid {
        self.pid
    }

    /// Returns whether it gets the signals, too, that the kernel sends us for what is typed on a terminal.
    pub(crate) fn shares_terminal(&self) -> bool {
        !self.leads
    }

    /// Sends a signal to it alone. To be called before it is collected, while its number is its own.
    pub(crate) fn signal(&self, number: i32) {
        if let Ok(signal) = signal::from_number(number) {
            // It fails only if the process became another user's, and then nothing can be done.
            let _changed_its_user = kill_process(self.pid, signal);
        }
    }

    /// Sends a signal to it and, if it leads its own group, to the whole group.
    ///
    /// A process may join another group of its session (`setpgid`), as shells do. Then the group that it led is
    /// empty, and a signal to that group alone would reach nothing. In all other cases the process gets the signal
    /// once: to many programs a second SIGTERM means that they have to hurry.
    pub(crate) fn signal_all(&self, number: i32) {
        if !self.leads {
            return self.signal(number);
        }
        if let Ok(signal) = signal::from_number(number) {
            let _nobody_left = kill_process_group(self.pid, signal);
        }
        if getpgid(Some(self.pid)) != Ok(self.pid) {
            self.signal(number);
        }
    }

    /// Kills it and, if it leads its own group, the whole group.
    pub(crate) fn kill(&self) {
        self.signal_all(Signal::KILL.as_raw());
        self.signal(Signal::KILL.as_raw());
    }

    /// Returns once no process of the group that it led is left. To be called when it has ended.
    pub(crate) async fn company_gone(&self) {
        if self.leads {
            group::gone(self.pid).await;
        }
    }

    /// Records that its end was reported: its number may be another's from now on.
    pub(crate) fn over() {
        *last() = None;
    }

    fn has_company(&self) -> bool {
        self.leads && !group::members(self.pid).is_empty()
    }
}

/// Stops the process that runs with its whole group, within its time-out, and kills it after that. For the panic
/// hook.
pub(crate) fn stop_for_good() {
    let Some(Last { child, signal, timeout }) = last().take() else { return };
    child.signal_all(signal.as_raw());
    let until = clock::moment().after(timeout);
    // Another thread may collect it, and then it has ended as well.
    let runs = || matches!(waitpid(Some(child.pid), WaitOptions::NOHANG), Ok(None));
    while runs() || child.has_company() {
        if clock::moment() >= until {
            return child.kill();
        }
        std::thread::sleep(Duration::from_millis(10));
    }
}

fn last() -> std::sync::MutexGuard<'static, Option<Last>> {
    LAST.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Returns how many bytes arguments and environment of a program may take together, by execve(2): a quarter of the
/// stack's limit, at most 6 MiB and at least 128 KiB.
pub(crate) fn room() -> usize {
    let stack = getrlimit(Resource::Stack)
        .current
        .map_or(usize::MAX, |limit| usize::try_from(limit).unwrap_or(usize::MAX));
    (stack / 4).clamp(128 << 10, 6 << 20)
}

/// Returns how much one argument or entry of this many bytes takes of that: a NUL and a pointer more.
pub(crate) const fn takes(bytes: usize) -> usize {
    bytes + 1 + size_of::<*const u8>()
}

/// Returns the code that shells report: the exit code, or 128 and the number of the signal that ended it.
pub(crate) fn code(status: ExitStatus) -> u8 {
    use std::os::unix::process::ExitStatusExt as _;
    let code = status.code().or_else(|| status.signal().map(|signal| 128 + signal));
    code.and_then(|code| u8::try_from(code).ok()).unwrap_or(u8::MAX)
}

/// Returns whether we have a controlling terminal.
pub(crate) fn is_on_terminal() -> bool {
    File::open("/dev/tty").is_ok()
}

/// Returns the file of a command's program, as a shell finds it.
///
/// # Errors
/// 127 if there is none, 126 if none of them can be executed; 64 if there is no command.
pub(crate) fn find(command: &[OsString], path: Option<&OsStr>) -> Result<PathBuf, Ending> {
    let Some(program) = command.first().filter(|program| !program.is_empty()) else {
        return Err(Ending::new(
            Cause::Usage,
            "there is no command to run",
            "give it after --, or as `exec.command`",
        ));
    };
    let name = Path::new(program).display();
    if program.as_bytes().contains(&b'/') {
        let path = PathBuf::from(program);
        return match access(&path, Access::EXISTS) {
            Ok(()) if is_executable(&path) => Ok(path),
            Ok(()) => Err(not_executable(&path)),
            Err(_) => Err(not_found(format!("there is no {name}"))),
        };
    }
    let path = path.unwrap_or(OsStr::new(hook::DEFAULT_PATH));
    let places: Vec<PathBuf> = std::env::split_paths(path).map(|folder| folder.join(program)).collect();
    if let Some(found) = places.iter().find(|place| is_executable(place)) {
        return Ok(found.clone());
    }
    match places.iter().find(|place| place.is_file()) {
        Some(place) => Err(not_executable(place)),
        None => Err(not_found(format!("there is no {name} in PATH"))),
    }
}

fn is_executable(path: &Path) -> bool {
    path.is_file() && access(path, Access::EXEC_OK).is_ok()
}

fn not_found(what: String) -> Ending {
    let hint = if in_a_pod() {
        "check that the program is in this container, and its name"
    } else {
        "install the program, or correct its name"
    };
    Ending::new(Cause::NotFound, what, hint)
}

fn not_executable(path: &Path) -> Ending {
    let what = format!("{} cannot be executed", path.display());
    Ending::new(Cause::NotExecutable, what, "make it executable (chmod +x), or name a program")
}

fn not_started(program: &Path, why: Errno) -> Ending {
    let what = format!("cannot start {}: {}", program.display(), why.desc());
    match why {
        Errno::ENOENT => Ending::new(
            Cause::NotFound,
            what,
            "install the interpreter that its first line names, or correct that line",
        ),
        Errno::E2BIG => Ending::new(Cause::NotExecutable, what, "give large values to it as files"),
        _ => Ending::new(
            Cause::NotExecutable,
            what,
            "check that it is a program for this kind of machine, and not cut off",
        ),
    }
}

fn text(word: &OsStr) -> Result<CString, Ending> {
    CString::new(word.as_bytes())
        .map_err(|_| Ending::new(Cause::Usage, "an argument holds a NUL byte", "remove it"))
}
