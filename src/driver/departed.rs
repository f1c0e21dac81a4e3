//! Absolute files, sinks among them, that a new configuration no longer names: they leave the disk.
//!
//! Members of the set are swept by its next publish. An absolute file stands alone, perhaps in a folder of
//! somebody else's, so it is removed only where it is what we published. It goes after the files of the new
//! configuration are there: an application that moves from the one to the other finds either.

use std::path::PathBuf;
use std::sync::PoisonError;

use super::Driver;
use super::files::{Files, Shared, Where};
use crate::config::plan::{FilePlan, Plan, Source, Target};
use crate::core::event::Event;
use crate::core::view::Readiness;
use crate::observe::clock;
use crate::publish::{Attributes, Look};
use crate::secret::Secret;

/// One such file.
pub(super) struct Departed {
    path: PathBuf,
    place: Shared,
    /// What we published last, where this run did.
    bytes: Option<Secret>,
    attributes: Attributes,
}

impl Files {
    /// What of these files `plan` no longer names.
    pub(super) fn departed(&self, plan: &Plan) -> Vec<Departed> {
        let is_at = |target: &Target, path: &PathBuf| matches!(target, Target::Alone(at) if at == path);
        let stays = |path: &PathBuf| plan.files.iter().any(|file| is_at(&file.target, path));
        let files = self.alone().filter(|(_, _, path)| !stays(path));
        let departed = files.map(|(file, place, path)| {
            let bytes = self.rendered(file);
            let plan = self.plan_of(file);
            let attributes = Attributes { mode: plan.mode, uid: plan.uid, gid: plan.gid };
            Departed { path: path.clone(), place, bytes, attributes }
        });
        departed.collect()
    }
}

impl Departed {
    /// Removes it where it is as we published it; a line in the log says what was done.
    fn leave(self) {
        let path = self.path.display();
        let mut place = self.place.lock().unwrap_or_else(PoisonError::into_inner);
        let Where::Alone(file) = &mut place.target else { return };
        let look = Look { wall: clock::now().wall, thorough: true };
        let why = match (&self.bytes, file.exists()) {
            (_, Ok(false)) => return,
            (_, Err(error)) => error.to_string(),
            (None, Ok(true)) => "this run did not publish it".to_owned(),
            (Some(bytes), Ok(true)) => match file.inspect(Some(bytes), &self.attributes, look) {
                Ok(None) => match file.remove() {
                    Ok(()) => {
                        tracing::info!("removed {path}, which the configuration no longer names");
                        return;
                    }
                    Err(error) => error.to_string(),
                },
                Ok(Some(_)) => "it is not as it was published".to_owned(),
                Err(error) => error.to_string(),
            },
        };
        tracing::warn!(
            "{path} stays, although the configuration no longer names it: {why}; remove it by hand"
        );
    }
}

impl Driver {
    /// Notes what the configuration that is about to end names and `plan` does not.
    pub(super) fn depart(&mut self, plan: &Plan) {
        self.departed.extend(self.files.departed(plan));
        let is_sink = |file: &FilePlan| matches!(file.source, Source::Token { .. });
        let stays =
            |sink: &FilePlan| plan.files.iter().any(|file| is_sink(file) && file.target == sink.target);
        if self.plan.files.iter().any(|file| is_sink(file) && !stays(file)) {
            tracing::info!(
                "a sink left the configuration: logging in anew, to revoke the token that it showed"
            );
            self.exposed = true;
        }
    }

    /// The new agent has started: a token that a sink showed is to be replaced.
    pub(super) fn replace_exposed(&mut self) {
        if std::mem::take(&mut self.exposed) {
            self.backlog.push_back(Event::Exposed);
        }
    }

    /// Removes files that left the configuration, once all others are published; at the end, in any case.
    pub(super) fn sweep_departed(&mut self, at_the_end: bool) {
        if self.departed.is_empty() {
            return;
        }
        let waits = matches!(self.agent.outlook(clock::now()).readiness, Readiness::NotRendered { .. });
        if at_the_end || !waits {
            self.departed.drain(..).for_each(Departed::leave);
        }
    }
}
