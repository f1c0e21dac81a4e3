//! Work that takes long, on another thread, so that the loop goes on meanwhile.

use tokio::task::JoinHandle;

use crate::exit::{Cause, Ending};
use crate::process::kernel;

/// Work that was begun.
pub(super) enum Apart<T> {
    /// A thread does it.
    Thread(JoinHandle<T>),
    /// It was done at once.
    Done(Option<T>),
}

impl<T: Send + 'static> Apart<T> {
    /// Begins work on another thread. Where no thread can be made, the work is done here and now: tokio panics if it gets
    /// none, and a limit of processes must not end the run.
    pub(super) fn begin(work: impl FnOnce() -> T + Send + 'static) -> Self {
        match kernel::thread() {
            Ok(()) => Self::Thread(tokio::task::spawn_blocking(work)),
            Err(_) => Self::Done(Some(work())),
        }
    }

    /// Returns what came of it, once; `None` if the thread did not finish. The future can be dropped without losing
    /// anything.
    pub(super) async fn ends(&mut self) -> Option<T> {
        match self {
            Self::Thread(thread) => thread.await.ok(),
            Self::Done(made) => made.take(),
        }
    }
}

impl<T: Send + 'static, E: From<Ending> + Send + 'static> Apart<Result<T, E>> {
    /// Returns what came of it, once. A thread that did not finish is a fault of ours, which names `what` it did.
    pub(super) async fn outcome(&mut self, what: &str) -> Result<T, E> {
        let bug = || Ending::new(Cause::Bug, format!("{what} did not finish"), "please report this");
        self.ends().await.unwrap_or_else(|| Err(bug().into()))
    }
}
