//! Removes absolute files, sinks among them, that a new configuration no longer names.
//!
//! Members of the set are swept by its next publish. An absolute file stands alone, perhaps in a folder of another
//! user, so it is removed only if it is what we published. It is removed after the files of the new configuration are
//! there: an application that moves from the one to the other finds either.
//!
//! The configuration may change while no process runs. Then the list in the handoff says what was published.

use std::collections::HashSet;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::PoisonError;

use super::Driver;
use super::files::{Files, Shared, Where};
use super::ledger::Ledger;
use crate::config::plan::{FilePlan, FileSource, Plan, Target};
use crate::core::event::Event;
use crate::handoff::Handoff;
use crate::observe::clock;
use crate::publish::{Attributes, Found, Listed, Look, PublishError};
use crate::secret::Secret;

/// A file that the configuration no longer names.
pub(super) struct Departed {
    path: PathBuf,
    published: Published,
}

/// How it was published.
enum Published {
    /// By this run.
    Here {
        place: Shared,
        /// What was published last; `None` if this run has not published it yet.
        bytes: Option<Secret>,
        attributes: Attributes,
    },
    /// By an earlier run.
    Earlier(Listed),
}

impl Files {
    /// Returns those of these files that `plan` no longer names.
    pub(super) fn departed(&self, plan: &Plan, earlier: &Ledger) -> Vec<Departed> {
        let named = named(plan);
        let files = self.alone().filter(|(_, _, path)| !named.contains(path.as_path()));
        let departed = files.map(|(file, place, path)| {
            let published = match (self.rendered(file), earlier.get(path)) {
                (None, Some(listed)) => Published::Earlier(listed),
                (bytes, _) => {
                    let plan = self.plan_of(file);
                    let attributes = Attributes { mode: plan.mode, uid: plan.uid, gid: plan.gid };
                    Published::Here { place, bytes, attributes }
                }
            };
            Departed { path: path.clone(), published }
        });
        departed.collect()
    }
}

/// Returns the absolute files of `plan`.
fn named(plan: &Plan) -> HashSet<&Path> {
    let absolute = plan.files.iter().filter_map(|file| match &file.target {
        Target::Alone(path) => Some(path.as_path()),
        Target::Member(_) => None,
    });
    absolute.collect()
}

/// Returns the files that an earlier run has published and `plan` does not name.
pub(super) fn from_earlier(plan: &Plan, published: &[Listed]) -> Vec<Departed> {
    let named = named(plan);
    let departed = published.iter().filter(|file| !named.contains(file.path.as_path()));
    let departed = departed
        .map(|file| Departed { path: file.path.clone(), published: Published::Earlier(file.clone()) });
    departed.collect()
}

/// Returns the folders from which a run of `plan` for `pod` will remove files of an earlier run. The sandbox has to
/// know them before anything else is read.
#[must_use]
pub fn folders_to_clear(plan: &Plan, pod: &str) -> Vec<PathBuf> {
    let Some(handoff) = &plan.handoff else { return Vec::new() };
    let files = Handoff::published(handoff, pod);
    let unchanged = |file: &&Listed| matches!(file.find(), Ok(Found::Unchanged));
    let named = named(plan);
    let departed = files.iter().filter(|file| !named.contains(file.path.as_path())).filter(unchanged);
    departed.filter_map(|file| file.path.parent().map(Path::to_owned)).collect()
}

impl Departed {
    /// Removes the file if it is as it was published, and logs what was done.
    fn leave(self) {
        let why = match self.published {
            Published::Here { place, bytes, attributes } => remove_own(&place, bytes.as_ref(), &attributes),
            Published::Earlier(listed) => match listed.remove() {
                Ok(Found::Gone) => Ok(false),
                Ok(Found::Unchanged) => Ok(true),
                Ok(Found::Changed) => Err(Stays::Changed),
                Ok(Found::Elsewhere) => Err(Stays::Elsewhere),
                Err(error) => Err(Stays::Failed(error)),
            },
        };
        let path = self.path.display();
        match why {
            Ok(false) => {}
            Ok(true) => tracing::info!("removed {path}, which the configuration no longer names"),
            Err(why) => tracing::warn!(
                "{path} stays, although the configuration no longer names it: {why}; remove it by hand"
            ),
        }
    }
}

/// Why a file that left the configuration stays on the disk.
#[derive(Debug)]
enum Stays {
    Changed,
    Elsewhere,
    NotOurs,
    Failed(PublishError),
}

impl fmt::Display for Stays {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Changed => f.write_str("it is not as it was published"),
            Self::Elsewhere => f.write_str("its folder has no `..leasehold.lock` of this user any more"),
            Self::NotOurs => f.write_str("this run did not publish it"),
            Self::Failed(error) => error.fmt(f),
        }
    }
}

/// Removes a file that this run has published; returns false if it is not there.
fn remove_own(place: &Shared, bytes: Option<&Secret>, attributes: &Attributes) -> Result<bool, Stays> {
    let mut place = place.lock().unwrap_or_else(PoisonError::into_inner);
    let Where::Alone(file) = &mut place.target else { return Ok(false) };
    if !file.exists().map_err(Stays::Failed)? {
        return Ok(false);
    }
    let bytes = bytes.ok_or(Stays::NotOurs)?;
    let look = Look { wall: clock::now().wall, thorough: true };
    match file.inspect(Some(bytes), attributes, look).map_err(Stays::Failed)? {
        None => file.remove().map(|()| true).map_err(Stays::Failed),
        Some(_) => Err(Stays::Changed),
    }
}

impl Driver {
    /// Records which files of the configuration that is about to end `plan` does not name.
    pub(super) fn depart(&mut self, plan: &Plan) {
        self.departed.extend(self.files.departed(plan, self.keeper.ledger()));
        // A file that is named again stays.
        if !self.departed.is_empty() {
            let named = named(plan);
            self.departed.retain(|departed| !named.contains(departed.path.as_path()));
        }
        let is_sink = |file: &FilePlan| matches!(file.source, FileSource::Token { .. });
        let stays =
            |sink: &FilePlan| plan.files.iter().any(|file| is_sink(file) && file.target == sink.target);
        if self.plan.files.iter().any(|file| is_sink(file) && !stays(file)) {
            if plan.auth.owns_token() {
                tracing::info!(
                    "a sink left the configuration: logging in anew, to revoke the token that it showed"
                );
                self.exposed = true;
            } else {
                tracing::warn!(
                    "a sink left the configuration: the token that it showed was given to us, so it is not ours to revoke and lives on; \
                     revoke it where it was made"
                );
            }
        }
    }

    /// Has a token replaced that a sink showed, after the new engine has started.
    pub(super) fn replace_exposed(&mut self) {
        if std::mem::take(&mut self.exposed) {
            self.backlog.push_back(Event::Exposed);
        }
    }

    /// Removes files that left the configuration, once all others are published. If the run ends before that, the
    /// next run finds them in the handoff; without a handoff they are removed now.
    pub(super) fn sweep_departed(&mut self, at_the_end: bool) {
        if self.departed.is_empty() {
            return;
        }
        let waits = !self.engine.is_all_published();
        if !waits || (at_the_end && self.plan.handoff.is_none()) {
            for departed in std::mem::take(&mut self.departed) {
                self.keeper.ledger().forget(&departed.path);
                departed.leave();
            }
        }
    }
}
