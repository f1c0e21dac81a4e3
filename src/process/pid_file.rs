//! Finds the process that a pid file means.
//!
//! A pid file outlives its process, and then its number belongs to another one. Two signs show that:
//!
//! - A process that is younger than the file cannot have been meant by it.
//! - A file that has not changed cannot have come to mean another process than the one that was notified last time.
//!
//! The second sign needs no wall clock, so it is checked first; after a jump of that clock the first sign is wrong.
//!
//! The number in the file is believed only within the rights of the users who can have written it ([`trust`]).

use std::collections::BTreeMap;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use rustix::process::Pid;

use super::find;
use super::hook::Running;
use super::table::{self, Process};
use super::trust::{self, Bound, Opened};
use super::{NotifyError, PidFileFault};
use leasehold_base::clock;

/// How much younger than its file a process may seem: file systems round their times, process start times are
/// rounded, and the wall clock is slewed.
const SLACK: Duration = Duration::from_secs(2);
/// The longest text that can still be a number with white space around it.
const MAX_LEN: u64 = 64;

/// The process that each pid file meant when it was last used.
#[derive(Debug, Default)]
pub(super) struct Memory(Mutex<BTreeMap<PathBuf, Meant>>);

/// A pid file's state and the process it meant.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Meant {
    stamp: Stamp,
    start: u64,
}

/// Changes whenever the file is written or replaced.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Stamp {
    device: u64,
    inode: u64,
    seconds: i64,
    nanoseconds: i64,
    pid: Pid,
}

impl Memory {
    /// Returns the live process that the file means, and the users whose process it has to be.
    pub(super) fn find(&self, path: &Path, hooks: &Running) -> Result<(Process, Bound), NotifyError> {
        let find = || {
            let opened = trust::open(path).map_err(PidFileFault::Unreadable)?;
            let (stamp, bound) = Stamp::read(opened)?;
            let number = stamp.pid.as_raw_nonzero().get();
            if let Some(why) = bound.refused {
                return Err(PidFileFault::Open(why));
            }
            let process =
                Process::read(stamp.pid).filter(|process| !process.dead).ok_or(PidFileFault::Gone(number))?;
            if !find::is_theirs(&process, hooks) {
                return Err(PidFileFault::Ours(number));
            }
            let user = table::user(stamp.pid).ok_or(PidFileFault::Gone(number))?;
            if let Some((owner, why)) = bound.broken_by(user) {
                return Err(PidFileFault::Foreign { pid: number, user, owner: *owner, why: why.clone() });
            }
            self.recognise(path, stamp, &process)?;
            Ok((process, bound))
        };
        find().map_err(|fault| NotifyError::PidFile { path: path.to_owned(), fault })
    }

    /// Refuses a process that cannot be the one that was meant, and remembers one that can.
    fn recognise(&self, path: &Path, stamp: Stamp, process: &Process) -> Result<(), PidFileFault> {
        let reused = PidFileFault::Reused(stamp.pid.as_raw_nonzero().get());
        let mut meant = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match meant.get(path).filter(|known| known.stamp == stamp) {
            Some(known) if known.start == process.start => return Ok(()),
            Some(_) => return Err(reused),
            None if younger(process.start, stamp.seconds) => return Err(reused),
            None => {}
        }
        meant.insert(path.to_owned(), Meant { stamp, start: process.start });
        Ok(())
    }
}

impl Stamp {
    fn read(opened: Opened) -> Result<(Self, Bound), PidFileFault> {
        let Opened { file, stat, bound } = opened;
        let mut text = String::new();
        file.take(MAX_LEN).read_to_string(&mut text).map_err(|why| match why.kind() {
            io::ErrorKind::InvalidData => PidFileFault::Rubbish,
            _ => PidFileFault::Unreadable(why),
        })?;
        let stamp = Self {
            device: stat.st_dev,
            inode: stat.st_ino,
            seconds: stat.st_mtime,
            nanoseconds: i64::try_from(stat.st_mtime_nsec).unwrap_or_default(),
            pid: number(&text).ok_or(PidFileFault::Rubbish)?,
        };
        Ok((stamp, bound))
    }
}

/// Parses one positive number, with white space around it allowed.
fn number(text: &str) -> Option<Pid> {
    let digits = text.trim();
    let all_digits = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    all_digits.then(|| digits.parse().ok()).flatten().and_then(Pid::from_raw)
}

/// Returns whether a process that started at this tick is younger than a file written at `written`.
fn younger(start: u64, written: i64) -> bool {
    let ticks_a_second = rustix::param::clock_ticks_per_second();
    let started = Duration::from_millis(start.saturating_mul(1000) / ticks_a_second.max(1));
    let now = clock::now();
    let age = now.moment.since_boot().saturating_sub(started);
    let since_written = now.wall.saturating_sub(written);
    u64::try_from(since_written).is_ok_and(|seconds| age + SLACK < Duration::from_secs(seconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn this() -> Process {
        Process::read(rustix::process::getpid()).expect("we run")
    }

    fn stamp(inode: u64, seconds: i64) -> Stamp {
        Stamp { device: 1, inode, seconds, nanoseconds: 0, pid: this().pid }
    }

    #[test]
    fn a_number_may_have_white_space_around_it_and_nothing_else() {
        assert_eq!(number(" 12\n").map(|pid| pid.as_raw_nonzero().get()), Some(12));
        for text in
            ["", " ", "0", "-1", "+1", "1 2", "1x", "0x1", "99999999999999999999", "2147483648", "1\u{0}"]
        {
            assert_eq!(number(text), None, "{text:?}");
        }
    }

    #[test]
    fn a_process_younger_than_its_pid_file_is_refused() {
        let memory = Memory::default();
        let long_before = clock::now().wall - 100 * 365 * 86_400;
        let fault = memory.recognise(Path::new("f"), stamp(1, long_before), &this()).expect_err("reused");
        assert!(matches!(fault, PidFileFault::Reused(_)));
        assert!(memory.recognise(Path::new("f"), stamp(1, clock::now().wall), &this()).is_ok());
    }

    #[test]
    fn an_unchanged_file_never_comes_to_mean_another_process() {
        let memory = Memory::default();
        let mut process = this();
        let written = clock::now().wall;
        memory.recognise(Path::new("f"), stamp(1, written), &process).expect("first use");
        memory.recognise(Path::new("f"), stamp(1, written), &process).expect("the same again");
        process.start -= 1;
        assert!(
            memory.recognise(Path::new("f"), stamp(1, written), &process).is_err(),
            "same number, other process"
        );
        memory.recognise(Path::new("f"), stamp(2, written), &process).expect("a file written anew");
    }

    #[test]
    fn a_jump_of_the_wall_clock_does_not_lose_a_process_told_before() {
        let memory = Memory::default();
        let known = Meant { stamp: stamp(1, 0), start: this().start };
        memory.0.lock().expect("not poisoned").insert("f".into(), known);
        assert!(memory.recognise(Path::new("f"), stamp(1, 0), &this()).is_ok());
    }
}
