//! What the driver reports: to the log, and to the service manager.

use std::time::Duration;

use crate::core::action::{Level, Say};
use crate::core::policy::FirstReady;
use crate::core::view::Outlook;
use crate::observe::life::{Life, Line};
use crate::observe::paint::{Paint, Palette};
use crate::observe::repeats::Repeats;
use crate::observe::systemd::ServiceManager;
use crate::observe::{clock, readiness, stderr};
use leasehold_base::time::Moment;

/// The least time before the same trouble is logged again.
const EVERY: Duration = Duration::from_secs(60);

/// The log and the service manager, and what was reported to them last.
#[derive(Debug)]
pub(super) struct Voice {
    manager: ServiceManager,
    troubles: Repeats,
    ready: Option<bool>,
    life: Life,
    line: String,
    /// Shows each step to a person at a terminal, if there is one.
    progress: Option<Palette>,
    began: Moment,
    /// When the outlook is checked again although nothing has happened.
    look: Moment,
    /// The next end of something, which is news when it comes.
    end: Option<Moment>,
    /// Whether the server was silent for long at the last check.
    silent: bool,
}

/// How often time alone is a reason for a check: a thousand secrets wake us a hundred times a second.
const LOOK: Duration = Duration::from_secs(1);

impl Voice {
    /// Makes one that has reported nothing yet.
    pub(super) fn new(manager: ServiceManager, progress: Option<Palette>) -> Self {
        Self {
            progress,
            began: clock::moment(),
            manager,
            troubles: Repeats::new(EVERY),
            ready: None,
            life: Life::default(),
            line: String::new(),
            look: Moment::default(),
            end: None,
            silent: false,
        }
    }

    /// Returns whether a service manager waits for the first readiness.
    pub(super) fn first_ready(&self) -> FirstReady {
        if self.manager.is_there() { FirstReady::Awaited } else { FirstReady::Wanted }
    }

    /// Shows a step that is done and began then, with how long it took, to a person who waits.
    pub(super) fn step(&self, what: impl FnOnce() -> String, since: Moment) {
        let Some(palette) = self.progress else { return };
        let took = format!("{:>8.1?}", since.until(clock::moment()));
        let what = what().replace(char::is_control, " ");
        stderr::say(&format!("{}  {what}", palette.paint(Paint::Faint, &took)));
    }

    /// Shows that everything is done.
    pub(super) fn done(&self) {
        self.step(|| "done".to_owned(), self.began);
    }

    /// Logs a line of the core's. What goes wrong again and again is logged once in a while, with how often it was
    /// held back. What goes well is logged each time.
    pub(super) fn say(&mut self, say: &Say, now: Moment) {
        let troubled = matches!(say.level, Level::Error | Level::Warn);
        let held_back = if troubled { self.troubles.say(&say.text, now) } else { Some(0) };
        let Some(held_back) = held_back else { return };
        let held_back = (held_back > 0).then_some(held_back);
        let secret = say.about.as_ref().map(|about| about.secret.as_str());
        let lease = say.about.as_ref().and_then(|about| Some(about.lease.as_ref()?.0.as_str()));
        log(say.level, (secret, lease, held_back), &say.text);
    }

    /// Reports the state to the service manager when it has changed. We are not ready before what others wait for has
    /// `begun`, however current the files are.
    pub(super) fn follow(&mut self, outlook: &Outlook, begun: bool) {
        let next = outlook.now.after(LOOK);
        self.end = outlook.until.filter(|end| *end > outlook.now);
        self.look = self.end.map_or(next, |end| end.min(next));
        self.silent = outlook.silence.is_some();
        let line = readiness::line(outlook);
        let ready = outlook.readiness.is_ready();
        if ready && !begun {
            return;
        }
        if ready && self.ready.is_none() {
            tracing::info!("{line}");
            told(self.manager.ready());
        }
        for Line { level, text, held_back } in self.life.look(outlook) {
            log(level, (None, None, held_back), &text);
        }
        if ready || self.ready.is_some() {
            self.ready = Some(ready);
        }
        if line != self.line {
            told(self.manager.status(&line));
            self.line = line;
        }
    }

    /// Returns when time alone changes what is to be reported. The server's silence `is_long_at` the given time. Once
    /// that is known, how long it lasts is news every now and then.
    pub(super) fn deadline(&self, is_long_at: Option<Moment>) -> Option<Moment> {
        let silence = if self.silent { Some(self.look) } else { is_long_at };
        self.end.into_iter().chain(self.life.next()).chain(silence).min()
    }

    /// Returns whether time alone may have changed the outlook since the last [`follow`](Self::follow), now that the
    /// server has been silent since `silence`.
    pub(super) fn is_due(&self, now: Moment, silence: Option<Moment>) -> bool {
        let turned = self.silent != silence.is_some();
        turned || now >= self.look || self.deadline(None).is_some_and(|at| at <= now)
    }

    /// Records that a reload begins. The next [`follow`](Self::follow) that finds us ready ends it.
    pub(super) fn reloading(&mut self) {
        told(self.manager.reloading());
        self.life.reloading();
        self.ready = None;
    }

    /// Reports that the end begins.
    pub(super) fn stopping(&self) {
        told(self.manager.stopping());
    }

    /// Reports that the loop still turns.
    pub(super) fn alive(&self) {
        told(self.manager.alive());
    }
}

/// Logs a line, with the secret and the lease that it is about, and how often it was held back.
fn log(level: Level, (secret, lease, held_back): (Option<&str>, Option<&str>, Option<u64>), text: &str) {
    match level {
        Level::Error => tracing::error!(secret, lease, held_back, "{text}"),
        Level::Warn => tracing::warn!(secret, lease, held_back, "{text}"),
        Level::Info => tracing::info!(secret, lease, "{text}"),
        Level::Debug => tracing::debug!(secret, lease, "{text}"),
    }
}

/// Logs that the service manager does not listen, which is no reason to stop keeping secrets current.
fn told(result: std::io::Result<()>) {
    if let Err(error) = result {
        tracing::debug!("the service manager does not listen: {error}");
    }
}
