//! Writes the log to standard error, so that a reader that no longer reads does not stop the loop.
//!
//! A pipe that is full, a terminal that was stopped with Ctrl-S and a journal that hangs all block a plain write,
//! and with it every renewal. So no write here blocks. Lines wait in a bounded queue; what does not fit is dropped
//! and counted, and the log says so where the gap is.
//!
//! `O_NONBLOCK` on standard error itself is no way to do that. It belongs to the open file description, which the
//! process of `exec`, the shell and other containers of a pipe share. A pipe or terminal is opened a second time
//! instead, and each write to a socket asks not to wait. A writer thread would cost memory for as long as the
//! process runs, and could only be started behind the sandbox, when the first lines are written already.

use std::collections::VecDeque;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::OpenOptionsExt as _;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{FileType, OFlags, fstat};
use rustix::io::Errno;
use rustix::net::{SendFlags, send};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::{FormatTime as _, SystemTime};

use super::clock;

/// The most bytes that may wait to be written: about a thousand lines.
const MOST: usize = 256 * 1024;

/// The time that a full queue waits for its reader before lines are dropped, once until all of it is written. A
/// reader that is only slower than a burst of lines loses none of them.
const PATIENCE: Duration = Duration::from_millis(200);

/// How often the loop tries again while lines wait.
const AGAIN: Duration = Duration::from_millis(250);

/// The time that the end of the process waits for the reader.
const FAREWELL: Duration = Duration::from_secs(1);

/// The bytes that a pipe takes as a whole, if it takes any.
const PIPE_BUF: usize = 4096;

/// The one standard error, once the log was started.
static OUTLET: Mutex<Option<Outlet>> = Mutex::new(None);

/// True if lines wait or were dropped. It can be looked at without the lock.
static BEHIND: AtomicBool = AtomicBool::new(false);

/// Turns the number of dropped lines into the line that says so.
pub(super) type Notice = fn(u64) -> String;

/// Begins to keep lines for standard error, and to write them.
pub(super) fn open(notice: Notice) {
    *lock() = Some(Outlet::new(Target::of(rustix::stdio::stderr()), notice));
}

/// Writes lines that stand outside the log: the steps of `init` on a terminal and the last line. None is dropped.
pub fn say(line: &str) {
    match lock().as_mut() {
        Some(outlet) => outlet.add(format!("{line}\n").into_bytes()),
        // It may be closed.
        None => drop(writeln!(io::stderr(), "{line}")),
    }
}

/// Writes the last line of a panic, which may have come from this very module.
pub(super) fn say_last(line: &str) {
    let mut held = match OUTLET.try_lock() {
        Ok(held) => Some(held),
        Err(std::sync::TryLockError::Poisoned(held)) => Some(held.into_inner()),
        Err(std::sync::TryLockError::WouldBlock) => None,
    };
    match held.as_deref_mut().and_then(Option::as_mut) {
        Some(outlet) => {
            outlet.add(format!("{line}\n").into_bytes());
            outlet.finish(FAREWELL);
        }
        None => drop(Target::of(rustix::stdio::stderr()).write(format!("{line}\n").as_bytes())),
    }
}

/// Waits until the lines that wait are written, a second at most. To be called at the end of the process.
pub fn finish() {
    if let Some(outlet) = lock().as_mut() {
        outlet.finish(FAREWELL);
    }
}

/// Writes what waits, as far as it is read now.
pub fn catch_up() {
    if BEHIND.load(Ordering::Relaxed)
        && let Some(outlet) = lock().as_mut()
    {
        outlet.catch_up();
    }
}

/// Ends when it is time to [`catch_up`], and never if nothing waits.
pub async fn is_due() {
    if BEHIND.load(Ordering::Relaxed) {
        tokio::time::sleep(AGAIN).await;
    } else {
        std::future::pending().await
    }
}

fn lock() -> MutexGuard<'static, Option<Outlet>> {
    OUTLET.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The writer of the log's lines, one write for each line.
#[derive(Debug, Clone, Copy)]
pub(super) struct Lines;

impl Write for Lines {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        if let Some(outlet) = lock().as_mut() {
            outlet.log(line.to_vec());
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A standard error that can be written to without waiting.
enum Target {
    /// A description of our own, which does not block.
    Own(File),
    /// Each write asks not to wait.
    Socket(BorrowedFd<'static>),
    /// A description that others share. It is asked before each write. That is enough for a file or a device. A
    /// pipe of another user, which we may not open again, can still be filled by others between the question and
    /// the write.
    Shared(BorrowedFd<'static>),
}

impl Target {
    fn of(stderr: BorrowedFd<'static>) -> Self {
        match fstat(stderr).map(|stat| FileType::from_raw_mode(stat.st_mode)) {
            Ok(FileType::Socket) => Self::Socket(stderr),
            Ok(FileType::Fifo | FileType::CharacterDevice) => {
                again(stderr).map_or(Self::Shared(stderr), Self::Own)
            }
            _ => Self::Shared(stderr),
        }
    }

    fn fd(&self) -> BorrowedFd<'_> {
        match self {
            Self::Own(file) => file.as_fd(),
            Self::Socket(fd) | Self::Shared(fd) => *fd,
        }
    }

    /// Writes a part at least, or fails with [`io::ErrorKind::WouldBlock`].
    fn write(&self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Own(file) => (&mut &*file).write(bytes),
            Self::Socket(fd) => Ok(send(fd, bytes, SendFlags::DONTWAIT | SendFlags::NOSIGNAL)?),
            Self::Shared(_) if !self.takes_more(Duration::ZERO) => Err(io::ErrorKind::WouldBlock.into()),
            Self::Shared(fd) => Ok(rustix::io::write(fd, &bytes[..bytes.len().min(PIPE_BUF)])?),
        }
    }

    /// Returns whether something can be written within `wait`.
    fn takes_more(&self, wait: Duration) -> bool {
        let fd = self.fd();
        let wait = Timespec::try_from(wait).ok();
        // An error of the stream counts as well: the write says which.
        match poll(&mut [PollFd::new(&fd, PollFlags::OUT)], wait.as_ref()) {
            Ok(ready) => ready > 0,
            // A signal, such as that of a child's end: the caller looks what is left of its time.
            Err(error) => error == Errno::INTR,
        }
    }
}

/// Opens what a descriptor is of once more, with a description of our own that does not block.
fn again(fd: BorrowedFd<'_>) -> io::Result<File> {
    use std::os::fd::AsRawFd as _;
    let flags = OFlags::NONBLOCK | OFlags::NOCTTY;
    let path = format!("/proc/self/fd/{}", fd.as_raw_fd());
    OpenOptions::new().write(true).custom_flags(flags.bits().cast_signed()).open(path)
}

/// The lines that wait for a target.
struct Outlet {
    target: Target,
    notice: Notice,
    lines: VecDeque<Vec<u8>>,
    bytes: usize,
    dropped: u64,
    /// True if the reader was waited for in vain since the queue was empty last.
    gave_up: bool,
    /// The time that a full queue waits for its reader.
    patience: Duration,
}

impl Outlet {
    fn new(target: Target, notice: Notice) -> Self {
        Self {
            target,
            notice,
            lines: VecDeque::new(),
            bytes: 0,
            dropped: 0,
            gave_up: false,
            patience: PATIENCE,
        }
    }

    /// Takes a line of the log: writes it, keeps it, or drops it if too many wait.
    fn log(&mut self, line: Vec<u8>) {
        self.catch_up();
        // One gap, in one place: what comes behind a dropped line is dropped until the notice is written.
        if self.dropped > 0 || !(self.has_room(&line) || self.waits_for_room(&line)) {
            self.dropped += 1;
            BEHIND.store(true, Ordering::Relaxed);
            return;
        }
        self.add(line);
    }

    fn has_room(&self, line: &[u8]) -> bool {
        self.bytes + line.len() <= MOST || self.lines.is_empty()
    }

    fn waits_for_room(&mut self, line: &[u8]) -> bool {
        if !self.gave_up {
            self.drain_for(self.patience, |outlet| outlet.has_room(line));
            self.gave_up = !self.has_room(line);
        }
        !self.gave_up
    }

    fn add(&mut self, line: Vec<u8>) {
        self.bytes += line.len();
        self.lines.push_back(line);
        self.catch_up();
    }

    /// Writes what can be written now, then what was dropped before.
    fn catch_up(&mut self) {
        self.drain();
        if self.lines.is_empty() && self.dropped > 0 {
            let notice = (self.notice)(std::mem::take(&mut self.dropped)).into_bytes();
            self.bytes += notice.len();
            self.lines.push_back(notice);
            self.drain();
        }
        if self.lines.is_empty() {
            self.gave_up = false;
            self.lines.shrink_to(0);
        }
        BEHIND.store(!self.lines.is_empty() || self.dropped > 0, Ordering::Relaxed);
    }

    fn drain(&mut self) {
        while let Some(line) = self.lines.front_mut() {
            match self.target.write(line) {
                Err(why) if why.kind() == io::ErrorKind::WouldBlock => return,
                Err(why) if why.kind() == io::ErrorKind::Interrupted => {}
                Ok(written) if written < line.len() => {
                    line.drain(..written);
                    self.bytes -= written;
                }
                // If standard error is closed, or a disk is full, the line is lost as it ever was.
                Ok(_) | Err(_) => {
                    self.bytes -= line.len();
                    self.lines.pop_front();
                }
            }
        }
    }

    fn finish(&mut self, most: Duration) {
        self.drain_for(most, |outlet| outlet.lines.is_empty() && outlet.dropped == 0);
    }

    /// Writes, and waits for the reader, until `enough` or for as long as that may take.
    fn drain_for(&mut self, most: Duration, enough: impl Fn(&Self) -> bool) {
        let end = clock::moment().after(most);
        loop {
            self.catch_up();
            let left = clock::moment().until(end);
            if enough(self) || left.is_zero() || !self.target.takes_more(left) {
                return;
            }
        }
    }
}

/// Returns the time as the log's other lines have it.
pub(super) fn timestamp() -> String {
    let mut text = String::new();
    // It fails only if the text does, which takes everything.
    let _never = SystemTime.format_time(&mut Writer::new(&mut text));
    text
}

#[cfg(test)]
mod tests;
