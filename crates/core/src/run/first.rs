//! The first readiness of a daemon: what waits for it, and how a run ends that never was ready.
//!
//! A service manager waits for the first readiness, and only the end of the process can tell a person why it does not
//! come. A container runtime would only start the container again, later and later, so there the daemon goes on
//! trying. After the first readiness it stays in both cases.

use std::time::Duration;

use crate::engine::{Engine, Phase};
use crate::interface::ids::{FileId, UnitId};
use crate::interface::policy::{FirstReady, Mode};
use crate::tools::timers::Timer;
use leasehold_base::exit::Ending;
use leasehold_base::failure::{Failure, FailureKind};
use leasehold_base::time::Moment;

use super::init::no_login;

/// Where a service manager waits, a cause that keeps a daemon from being ready ends it after this time. A role or a
/// secret may be made at the same moment as the machine that needs it.
const PATIENCE: Duration = Duration::from_secs(30);

/// The state of the first readiness.
#[derive(Debug)]
pub(crate) struct First {
    state: FirstReady,
    /// Since when something keeps it from coming that does not pass by itself.
    hindered: Option<Moment>,
    /// Which file or unit was found to keep it from coming at the last look.
    by: Option<Hindering>,
}

/// A file or a unit that keeps a daemon from being ready.
#[derive(Debug, Clone, Copy)]
enum Hindering {
    File(FileId),
    Unit(UnitId),
}

/// Something that keeps a daemon from being ready.
struct Hindrance {
    ending: Ending,
    /// Retrying changes nothing.
    stays: bool,
}

impl First {
    pub(crate) fn new(state: FirstReady) -> Self {
        Self { state, hindered: None, by: None }
    }
}

impl Engine {
    /// Returns whether everything was ready at some time.
    #[must_use]
    pub fn was_ready(&self) -> bool {
        self.first.state == FirstReady::Past
    }

    /// Returns whether this run has published every file.
    #[must_use]
    pub fn is_all_published(&self) -> bool {
        self.shelf.is_all_published()
    }

    /// Records the first readiness, or ends a run that a service manager waits for in vain.
    pub(crate) fn settle_first(&mut self) {
        if self.was_ready() || self.policy.mode != Mode::Daemon {
            return;
        }
        if self.is_ready() {
            self.first = First::new(FirstReady::Past);
            self.timers.clear(&Timer::First);
            return;
        }
        if self.first.state != FirstReady::Awaited || !matches!(self.phase, Phase::Running) {
            return;
        }
        let Some(Hindrance { ending, stays }) = self.hindrance() else {
            self.first.hindered = None;
            self.timers.clear(&Timer::First);
            return;
        };
        let now = self.now.moment;
        let until = self.first.hindered.get_or_insert(now).after(PATIENCE);
        if stays || until <= now {
            // The first of all is named, and not the one that was found first.
            self.first.by = None;
            let first = self.hindrance().map_or(ending, |hindrance| hindrance.ending);
            self.fail(first);
        } else {
            self.timers.set(Timer::First, until);
        }
    }

    /// Returns how a daemon ends that is asked to stop: well, unless it never was ready and something kept it from
    /// that.
    pub(crate) fn stopped(&self) -> Result<(), Ending> {
        if self.was_ready() || self.policy.mode != Mode::Daemon {
            return Ok(());
        }
        self.seen().map_or(Ok(()), Err)
    }

    /// Returns whether a reader may have found anything yet, of this run or an earlier one.
    #[must_use]
    pub fn has_served(&self) -> bool {
        let mut tokens = self.upstream.session.logins.keys();
        self.was_ready()
            || self.shelf.files().any(|(_, file)| file.generation.is_some())
            || tokens.any(|token| !self.upstream.session.is_of_this_run(*token))
    }

    fn is_ready(&self) -> bool {
        // Most of the time before a start is over, the check of one file is enough.
        if !self.shelf.is_all_published() {
            return false;
        }
        let now = self.now.moment;
        let until = self.shelf.files().filter_map(|(id, file)| self.file_expires(id, file)).min();
        self.readiness(until, now).is_ready()
    }

    /// Returns what keeps the daemon from being ready. A server that is away does not count: it comes back, and a
    /// service manager has a time limit of its own for that.
    fn hindrance(&mut self) -> Option<Hindrance> {
        // A locked account may be granted a login after a while, and a missing file may come.
        let unusable = |failure: &Failure| failure.kind == FailureKind::Unusable;
        let stays = self.upstream.session.trouble.as_ref().is_some_and(unusable);
        if let Some(ending) = self.login_hopeless() {
            return Some(Hindrance { ending, stays });
        }
        let refused = |kind| matches!(kind, FailureKind::Refused | FailureKind::Denied);
        if let (None, Some(failure)) = (self.upstream.session.current, &self.upstream.session.trouble)
            && refused(failure.kind)
        {
            return Some(Hindrance { ending: no_login(failure, &self.policy.login_advice), stays });
        }
        // As long as nothing has failed, thousands of files are not walked through after every event.
        if !self.setback {
            return None;
        }
        let found = self.first.by.and_then(|by| Some((by, self.hindered_by(by)?)));
        let found = found.or_else(|| self.hindering());
        (self.first.by, self.setback) = (found.as_ref().map(|(by, _)| *by), found.is_some());
        found.map(|(_, ending)| Hindrance { ending, stays: false })
    }

    /// Returns the first file that keeps the daemon from being ready, or the first unit, and how the run ends by that.
    fn hindering(&self) -> Option<(Hindering, Ending)> {
        let files = self.shelf.files().map(|(id, _)| Hindering::File(id));
        let mut all = files.chain(self.shelf.units().map(|(id, _)| Hindering::Unit(id)));
        all.find_map(|by| Some((by, self.hindered_by(by)?)))
    }

    /// Returns how the run ends by this file or unit, if that keeps the daemon from being ready.
    fn hindered_by(&self, by: Hindering) -> Option<Ending> {
        match by {
            Hindering::File(id) if self.shelf.file(id).generation.is_some() => None,
            Hindering::File(id) => self.file_hopeless(id),
            Hindering::Unit(id) => self.shelf.unit(id).error.clone(),
        }
    }
}
