//! Telling the application: a signal, a command or an HTTP request.
//!
//! A process is found afresh each time and told through a pidfd after its identity was checked
//! again, for a number read a moment ago may belong to somebody else by now, and the default of
//! most signals is death. Retrying is the core's business: one call here is one try.

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

/// Tells notifiers. Keep one for the life of the process: it remembers which hooks are running,
/// so that none of them is taken for the application, and whom each pid file meant.
#[derive(Debug, Default)]
pub struct Teller {
    hooks: hook::Running,
    pid_files: pid_file::Memory,
    reaper: Rc<Reaper>,
}

/// How telling went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Told {
    /// So many processes got the signal; at least one.
    Signalled(usize),
    /// The command ended with 0.
    Ran,
    /// The server answered with this 2xx status.
    Answered(u16),
}

impl Teller {
    /// Nobody told yet. Children are waited for with `reaper`.
    #[must_use]
    pub(crate) fn new(reaper: Rc<Reaper>) -> Self {
        Self { reaper, ..Self::default() }
    }

    /// Waits for `delay` (the splay, drawn by the caller), then tells once. Dropping the future
    /// takes a command with it, its whole process group.
    ///
    /// # Errors
    /// What went wrong and what to do; whoever could be told was.
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
