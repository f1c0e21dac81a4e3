//! What the driver says: to the log, and to the service manager.

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

/// The same trouble is told again after this time at the earliest.
const EVERY: Duration = Duration::from_secs(60);

/// The log and the service manager, and what they were told last.
#[derive(Debug)]
pub(super) struct Voice {
    manager: ServiceManager,
    troubles: Repeats,
    ready: Option<bool>,
    life: Life,
    line: String,
    /// Tells a person at a terminal of each step, where there is one.
    progress: Option<Palette>,
    began: Moment,
    /// When the outlook is looked at again though nothing has happened to it.
    look: Moment,
    /// The next end of something, which is news when it comes.
    end: Option<Moment>,
    /// Whether the server was silent for long when that was looked at last.
    silent: bool,
}

/// How often time alone is a reason to look: a thousand secrets wake us a hundred times a second.
const LOOK: Duration = Duration::from_secs(1);

impl Voice {
    /// Nothing said yet.
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

    /// Who waits for the first time that everything is ready.
    pub(super) fn first_ready(&self) -> FirstReady {
        if self.manager.is_there() { FirstReady::Awaited } else { FirstReady::Wanted }
    }

    /// A step is done that began then: a line with how long it took, for a person who waits.
    pub(super) fn step(&self, what: impl FnOnce() -> String, since: Moment) {
        let Some(palette) = self.progress else { return };
        let took = format!("{:>8.1?}", since.until(clock::moment()));
        let what = what().replace(char::is_control, " ");
        stderr::say(&format!("{}  {what}", palette.paint(Paint::Faint, &took)));
    }

    /// All is done.
    pub(super) fn done(&self) {
        self.step(|| "done".to_owned(), self.began);
    }

    /// A line of the core's. What goes wrong again and again is told once in a while, with how often
    /// it was not told; what goes well is told each time.
    pub(super) fn say(&mut self, say: &Say, now: Moment) {
        let troubled = matches!(say.level, Level::Error | Level::Warn);
        let held_back = if troubled { self.troubles.say(&say.text, now) } else { Some(0) };
        let Some(held_back) = held_back else { return };
        let held_back = (held_back > 0).then_some(held_back);
        let secret = say.about.as_ref().map(|about| about.secret.as_str());
        let lease = say.about.as_ref().and_then(|about| Some(about.lease.as_ref()?.0.as_str()));
        log(say.level, (secret, lease, held_back), &say.text);
    }

    /// Tells the service manager where things stand, when that has changed. We are not ready before what
    /// others wait for has `begun`, however true the files are.
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

    /// When time alone changes what is to be said, where the server's silence `is_long_at` that time. Once it is known,
    /// how long it lasts is news every now and then.
    pub(super) fn deadline(&self, is_long_at: Option<Moment>) -> Option<Moment> {
        let silence = if self.silent { Some(self.look) } else { is_long_at };
        self.end.into_iter().chain(self.life.next()).chain(silence).min()
    }

    /// Whether time alone may have changed the outlook since the last [`follow`](Self::follow), now that the server is
    /// silent since then.
    pub(super) fn is_due(&self, now: Moment, silence: Option<Moment>) -> bool {
        let turned = self.silent != silence.is_some();
        turned || now >= self.look || self.deadline(None).is_some_and(|at| at <= now)
    }

    /// A reload begins; the next [`follow`](Self::follow) that finds us ready ends it.
    pub(super) fn reloading(&mut self) {
        told(self.manager.reloading());
        self.life.reloading();
        self.ready = None;
    }

    /// The end begins.
    pub(super) fn stopping(&self) {
        told(self.manager.stopping());
    }

    /// The loop still turns.
    pub(super) fn alive(&self) {
        told(self.manager.alive());
    }
}

/// A line of the log, with the secret and the lease that it is about, and how often it was held back.
fn log(level: Level, (secret, lease, held_back): (Option<&str>, Option<&str>, Option<u64>), text: &str) {
    match level {
        Level::Error => tracing::error!(secret, lease, held_back, "{text}"),
        Level::Warn => tracing::warn!(secret, lease, held_back, "{text}"),
        Level::Info => tracing::info!(secret, lease, "{text}"),
        Level::Debug => tracing::debug!(secret, lease, "{text}"),
    }
}

/// A manager that does not listen is no reason to stop keeping secrets true.
fn told(result: std::io::Result<()>) {
    if let Err(error) = result {
        tracing::debug!("the service manager does not listen: {error}");
    }
}
