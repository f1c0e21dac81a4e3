//! The one place that waits for children.
//!
//! A process that gets other processes' orphans (PID 1 of a container, a subreaper) has to wait for children that it
//! never started. Otherwise they stay as zombies until no further process can be made. But a general wait would take
//! the ends that other code here waits for. So all ends are collected here, and handed out by number.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io;
use std::os::unix::process::ExitStatusExt as _;
use std::process::ExitStatus;

use rustix::process::{Pid, WaitOptions, child_subreaper, getpid, wait, waitpid};
use tokio::signal::unix::{SignalKind, signal};

/// Collects the ends of children.
#[derive(Debug, Default)]
pub(crate) struct Reaper {
    /// The children that were started here, and how they ended.
    known: RefCell<BTreeMap<i32, Known>>,
    /// Whether we have to collect the orphans of other processes.
    orphans: bool,
}

/// A child that was started here.
#[derive(Debug, Clone, Copy)]
enum Known {
    /// Its end is awaited.
    Awaited,
    /// Its end is not awaited any more.
    Forgotten,
    /// It has ended.
    Ended(ExitStatus),
}

impl Reaper {
    /// Makes a reaper that knows no child yet. It collects orphans if the kernel gives them to us.
    pub(crate) fn of_this_process() -> Self {
        let orphans = getpid() == Pid::INIT || child_subreaper().is_ok_and(|reaper| reaper.is_some());
        Self { orphans, ..Self::default() }
    }

    /// Records that a child was started. To be called before the next [`reap`](Self::reap).
    pub(crate) fn started(&self, pid: Pid) {
        self.known.borrow_mut().insert(number(pid), Known::Awaited);
    }

    /// Returns whether the child was not collected yet, so that its number is its own.
    pub(crate) fn is_there(&self, pid: Pid) -> bool {
        matches!(self.known.borrow().get(&number(pid)), Some(Known::Awaited | Known::Forgotten))
    }

    /// Records that this child is not awaited any more; it is collected all the same.
    pub(crate) fn forget(&self, pid: Pid) {
        let mut known = self.known.borrow_mut();
        match known.get_mut(&number(pid)) {
            Some(Known::Ended(_)) => drop(known.remove(&number(pid))),
            Some(child) => *child = Known::Forgotten,
            None => {}
        }
    }

    /// Waits for the end of a child that was [`started`](Self::started).
    ///
    /// # Errors
    /// If the kernel has no descriptor left to report it.
    pub(crate) async fn ended(&self, pid: Pid) -> io::Result<ExitStatus> {
        // It listens before it checks, so that an end in between is not missed.
        let mut ends = signal(SignalKind::child())?;
        loop {
            self.reap();
            if let Some(status) = self.take(pid) {
                return Ok(status);
            }
            ends.recv().await;
        }
    }

    /// Returns how the child ended, if it has.
    fn take(&self, pid: Pid) -> Option<ExitStatus> {
        let mut known = self.known.borrow_mut();
        let Some(Known::Ended(status)) = known.get(&number(pid)).copied() else { return None };
        known.remove(&number(pid));
        Some(status)
    }

    /// Collects all children that have ended. To be called at each SIGCHLD, one of which may stand for many ends.
    pub(crate) fn reap(&self) {
        if self.orphans {
            while let Ok(Some((pid, status))) = wait(WaitOptions::NOHANG) {
                self.collected(pid, ExitStatus::from_raw(status.as_raw()));
            }
            return;
        }
        let known: Vec<i32> = self.known.borrow().keys().copied().collect();
        for pid in known.into_iter().filter_map(Pid::from_raw).filter(|pid| self.is_there(*pid)) {
            if let Ok(Some((pid, status))) = waitpid(Some(pid), WaitOptions::NOHANG) {
                self.collected(pid, ExitStatus::from_raw(status.as_raw()));
            }
        }
    }

    fn collected(&self, pid: Pid, status: ExitStatus) {
        let mut known = self.known.borrow_mut();
        match known.get_mut(&number(pid)) {
            Some(Known::Forgotten) => drop(known.remove(&number(pid))),
            Some(child) => *child = Known::Ended(status),
            // An orphan of another process.
            None => {}
        }
    }
}

fn number(pid: Pid) -> i32 {
    pid.as_raw_nonzero().get()
}
