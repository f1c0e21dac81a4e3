//! Notifies the application: by a signal, a command or an HTTP request.
//!
//! A process is found afresh each time, and signalled through a pidfd after its identity was checked again. A number
//! that was read a moment ago may belong to another process by now, and the default of most signals is death. The
//! core decides about retries: one call here is one try.

pub(crate) mod child;
mod error;
mod find;
mod group;
mod hook;
mod http;
pub(crate) mod kernel;
pub(crate) mod limits;
pub(crate) mod others;
mod pid_file;
pub(crate) mod reaper;
mod signal;
pub(crate) mod signals;
mod table;
mod trust;

use std::rc::Rc;
use std::time::Duration;

pub use error::{NotifyError, PidFileFault};

use crate::config::plan::Notifier;
use reaper::Reaper;

/// Notifies. Keep one for the life of the process: it remembers which hooks are running, so that none of them is
/// taken for the application, and which process each pid file meant.
#[derive(Debug, Default)]
pub struct Teller {
    hooks: hook::Running,
    pid_files: pid_file::Memory,
    reaper: Rc<Reaper>,
}

/// The outcome of a notification.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Told {
    /// This many processes got the signal; at least one.
    Signalled(usize),
    /// The command ended with 0.
    Ran,
    /// The server answered with this 2xx status.
    Answered(u16),
}

impl Teller {
    /// Makes one that has notified nothing yet. It waits for children with `reaper`.
    #[must_use]
    pub(crate) fn new(reaper: Rc<Reaper>) -> Self {
        Self { reaper, ..Self::default() }
    }

    /// Waits for `delay` (the splay, drawn by the caller), then notifies once. If the future is dropped, a command is
    /// killed with its whole process group.
    ///
    /// # Errors
    /// Some targets could not be notified; the others were.
    pub async fn tell(&self, how: &Notifier, delay: Duration) -> Result<Told, NotifyError> {
        if !delay.is_zero() {
            tokio::time::sleep(delay).await;
        }
        match how {
            Notifier::Signal { signal, target, .. } => {
                let signal = signal::from_number(*signal)?;
                let found = find::find(target, &self.hooks, &self.pid_files)?;
                signal::send(&found, signal).map(Told::Signalled)
            }
            Notifier::Command { command, timeout, .. } => {
                hook::run(command, *timeout, &self.hooks, &self.reaper).await.map(|()| Told::Ran)
            }
            Notifier::Http { url, timeout, .. } => http::post(url, *timeout).await.map(Told::Answered),
        }
    }
}

#[cfg(test)]
mod tests;
