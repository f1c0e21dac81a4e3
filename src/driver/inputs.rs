//! What can happen from outside: a signal, a question on the listener, the core's own deadline, a change of a TLS or
//! credential file, the service manager's watchdog.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use notify::event::{AccessKind, AccessMode};
use notify::{RecursiveMode, Watcher as _};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc;

use crate::exit::Ending;
use crate::observe::http::{Ask, Server};
use crate::observe::timer::Timer;
use crate::process::kernel;
use crate::process::signals::{Arrived, Held, Signals};
use leasehold_base::time::Moment;

/// How often watched files are checked besides the watch, which misses changes on some file systems.
const LOOK: Duration = Duration::from_secs(60);
/// How long after the start they are checked for the first time, and watched from then on. To close a watch takes the
/// kernel 15 ms, and the process of `exec` may be over before that.
pub(super) const FIRST_LOOK: Duration = Duration::from_secs(1);
/// How often to check for processes that use the files, while the end is delayed for them.
const OTHERS: Duration = Duration::from_millis(500);
/// How many questions of the listener may wait; the listener holds more of them back.
const ASKS: usize = 8;

/// Something from outside.
#[derive(Debug)]
pub(super) enum Input {
    /// The core's deadline.
    Wake,
    /// SIGTERM or SIGINT, by name.
    Stop(&'static str),
    /// SIGHUP.
    Reload,
    /// SIGUSR1.
    Tell,
    /// A question on the listener.
    Ask(Ask),
    /// Watched files changed, or may have.
    Files,
    /// The service manager's watchdog expects a sign of life.
    Watchdog,
    /// Perhaps no process is left that uses the files.
    Others,
    /// Children have ended: our own, or orphans that were left to us.
    Children,
    /// In `exec` mode: a signal that is meant for the process.
    Signal(Arrived),
}

/// All inputs in one place.
pub(super) struct Inputs {
    timer: Timer,
    signals: Heard,
    children: Signal,
    asks: mpsc::Receiver<Ask>,
    /// Kept, so that `asks` stays open without a listener.
    _asks: mpsc::Sender<Ask>,
    changes: mpsc::Receiver<()>,
    change_sender: mpsc::Sender<()>,
    /// The files that are checked.
    files: Vec<PathBuf>,
    /// The folders that are watched for these files.
    folders: Vec<PathBuf>,
    watcher: Option<notify::RecommendedWatcher>,
    look: Option<tokio::time::Interval>,
    watchdog: Option<tokio::time::Interval>,
    others: Option<tokio::time::Interval>,
}

/// The signals that we listen to.
enum Heard {
    /// The signals that are meant for us.
    Ours { terminate: Signal, interrupt: Signal, hangup: Signal, user1: Signal },
    /// The signals that are meant for the process of `exec`.
    Its(Signals),
}

impl Heard {
    fn new(held: Option<&Held>) -> io::Result<Self> {
        Ok(match held {
            Some(held) => Self::Its(Signals::new(held)?),
            None => Self::Ours {
                terminate: signal(SignalKind::terminate())?,
                interrupt: signal(SignalKind::interrupt())?,
                hangup: signal(SignalKind::hangup())?,
                user1: signal(SignalKind::user_defined1())?,
            },
        })
    }

    /// Returns the next signal. The future can be dropped without losing one.
    async fn next(&mut self) -> Input {
        match self {
            Self::Ours { terminate, interrupt, hangup, user1 } => tokio::select! {
                _ = terminate.recv() => Input::Stop("SIGTERM"),
                _ = interrupt.recv() => Input::Stop("SIGINT"),
                _ = hangup.recv() => Input::Reload,
                _ = user1.recv() => Input::Tell,
            },
            Self::Its(signals) => match signals.next().await {
                Ok(signal) => Input::Signal(signal),
                // It fails only if the descriptor is no signalfd, and this one is.
                Err(_never) => std::future::pending().await,
            },
        }
    }
}

impl Inputs {
    /// Listens to signals (the `held` ones if there are any), the timer, and `server`. Must be called inside the
    /// runtime's `LocalSet`.
    ///
    /// # Errors
    /// 71 if the kernel refuses what this needs.
    pub(super) fn new(
        server: Option<Server>,
        watchdog: Option<Duration>,
        held: Option<&Held>,
    ) -> Result<Self, Ending> {
        let (sender, asks) = mpsc::channel(ASKS);
        if let Some(server) = server {
            tokio::task::spawn_local(server.serve(sender.clone()));
        }
        let (change_sender, changes) = mpsc::channel(1);
        Ok(Self {
            timer: timer()?,
            signals: Heard::new(held).map_err(|error| {
                let call = if held.is_some() { "signalfd4" } else { "rt_sigaction" };
                kernel::refused(call, &error)
            })?,
            children: signal(SignalKind::child()).map_err(|error| kernel::refused("rt_sigaction", &error))?,
            asks,
            _asks: sender,
            changes,
            change_sender,
            files: Vec::new(),
            folders: Vec::new(),
            watcher: None,
            look: None,
            watchdog: watchdog.map(tokio::time::interval),
            others: None,
        })
    }

    /// Watches the folders of `files` after a first look, and checks the files every minute besides. A folder is
    /// watched and not the file, since a projected volume changes by a swap of `..data`, which a watch on the file
    /// misses.
    #[expect(clippy::disallowed_methods, reason = "a delay before the first look, no deadline of the core's")]
    pub(super) fn watch<'f>(&mut self, files: impl Iterator<Item = &'f PathBuf>) {
        (self.watcher, self.look) = (None, None);
        self.files = files.cloned().collect();
        // Published files are checked on the same occasion, so there is one even if nothing is watched.
        let first = tokio::time::Instant::now() + if self.files.is_empty() { LOOK } else { FIRST_LOOK };
        self.look = Some(tokio::time::interval_at(first, LOOK));
    }

    /// Sets whether to check now and then for processes that use the files.
    pub(super) fn look_for_others(&mut self, wanted: bool) {
        if wanted != self.others.is_some() {
            self.others = wanted.then(|| tokio::time::interval(OTHERS));
        }
    }

    /// Starts the watch, since the files are about to be checked: later changes are noticed.
    fn listen(&mut self) {
        // A folder that was not there may have been mounted or created since.
        let folders = folders(&self.files);
        if self.watcher.is_some() && folders == self.folders {
            return;
        }
        self.folders = folders;
        let sender = self.change_sender.clone();
        let heard = move |event: notify::Result<notify::Event>| {
            // A check opens and reads the files. That must not count as a change, or the checks never end.
            if event.is_ok_and(|event| is_change(event.kind)) {
                let _a_look_is_due_already = sender.try_send(());
            }
        };
        // The watch has a thread of its own, and the crate panics if no further thread can be made.
        let Ok(mut watcher) =
            kernel::thread().map_err(notify::Error::io).and_then(|()| notify::recommended_watcher(heard))
        else {
            return;
        };
        for folder in &self.folders {
            if let Err(error) = watcher.watch(folder, RecursiveMode::NonRecursive) {
                tracing::warn!(folder = %folder.display(), "cannot watch for changed files, looking every minute: {error}");
            }
        }
        self.watcher = Some(watcher);
    }

    /// Returns the next input; `deadline` is the core's. The future can be dropped without losing an input.
    pub(super) async fn next(&mut self, deadline: Option<Moment>) -> Input {
        // It fails only if the descriptor is not a timer, and this one is.
        let _armed = self.timer.arm(deadline);
        tokio::select! {
            _ = self.timer.elapsed() => Input::Wake,
            input = self.signals.next() => input,
            _ = self.children.recv() => Input::Children,
            Some(ask) = self.asks.recv() => Input::Ask(ask),
            Some(()) = self.changes.recv() => Input::Files,
            () = tick(&mut self.look) => {
                self.listen();
                Input::Files
            }
            () = tick(&mut self.watchdog) => Input::Watchdog,
            () = tick(&mut self.others) => Input::Others,
        }
    }
}

/// Returns the folders that show a change of `files`, as far as they are there: the folders that the files are in,
/// and the folders among the files.
fn folders(files: &[PathBuf]) -> Vec<PathBuf> {
    let mut folders: Vec<&Path> =
        files.iter().flat_map(|file| [file.parent(), Some(file)]).flatten().collect();
    folders.retain(|folder| folder.is_dir());
    folders.sort_unstable();
    folders.dedup();
    folders.into_iter().map(Path::to_owned).collect()
}

/// Returns whether a file may be another one after this event. An error of the watch counts as no change: the check
/// every [`LOOK`] is there for that.
fn is_change(kind: notify::EventKind) -> bool {
    const WRITTEN: AccessKind = AccessKind::Close(AccessMode::Write);
    !matches!(kind, notify::EventKind::Access(access) if access != WRITTEN)
}

async fn tick(interval: &mut Option<tokio::time::Interval>) {
    match interval {
        Some(interval) => drop(interval.tick().await),
        None => std::future::pending().await,
    }
}

/// Makes a timer that was armed once: if the kernel refuses that, every deadline would pass without a word.
fn timer() -> Result<Timer, Ending> {
    let timer = Timer::new().map_err(|error| kernel::refused("timerfd_create", &error))?;
    timer.arm(None).map_err(|error| kernel::refused("timerfd_settime", &error))?;
    Ok(timer)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_file_whose_folder_is_made_later_is_looked_at_and_watched_from_then_on() {
        let space = tempfile::tempdir().expect("a folder");
        let folder = space.path().join("mounted-later");
        let mut inputs = Inputs::new(None, None, None).expect("descriptors");
        inputs.watch([folder.join("token")].iter());
        assert!(inputs.look.is_some(), "looked at every minute");
        inputs.listen();
        std::fs::create_dir(&folder).expect("made");
        inputs.listen();
        std::fs::File::create(folder.join("token")).expect("made");
        assert_eq!(inputs.changes.recv().await, Some(()));
    }
}
