//! Whether what was published is still there: what to look at and when, and what follows.
//!
//! A volume is shared with an application, a cleaner of temporary files, an administrator. What one of
//! them removed or changed is put back by the next look, whether or not a secret has changed. The bytes are
//! those that the applications were notified of when they were new, so putting them back notifies nothing.
//!
//! A look costs a stat for each file, but an idle process should not wake up for it. So it comes with what
//! wakes the process anyway: an answer from the server that brought nothing new, the driver's minute, and
//! whatever asks for news (`POST /refresh`, HUP), which has every byte compared.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::engine::Engine;
use crate::interface::action::{Action, Level};
use crate::interface::event::Loss;
use crate::interface::ids::{FileId, SecretId, UnitId};
use leasehold_base::exit::Ending;
use leasehold_base::time::Moment;

/// Answers that come one after the other do not each cause a look. Less than the shortest sensible `refresh`.
const PAUSE: Duration = Duration::from_millis(900);

/// How soon a look is to be, and how close.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Look {
    /// Once for all answers that are on their way.
    WithAnswers,
    /// Now, whatever a server has to answer: that may take long.
    Now,
    /// Now, and at every byte.
    Thorough,
}

/// How it stands with the looks at each unit.
#[derive(Debug, Default)]
pub(crate) struct Inspector {
    units: BTreeMap<UnitId, Watch>,
}

#[derive(Debug, Default)]
struct Watch {
    /// A look is wanted.
    wanted: Option<Look>,
    under_way: bool,
    last: Option<Moment>,
    /// What the last look did not find as it was published, and no publish has put back since.
    lost: BTreeMap<FileId, Loss>,
}

impl Inspector {
    /// Whether a look at this unit is under way.
    pub(crate) fn is_looking(&self, id: UnitId) -> bool {
        self.units.get(&id).is_some_and(|watch| watch.under_way)
    }

    /// Whether any look is under way.
    pub(crate) fn is_at_work(&self) -> bool {
        self.units.values().any(|watch| watch.under_way)
    }

    /// Whether something of this unit is to be put back.
    pub(crate) fn misses(&self, id: UnitId) -> bool {
        self.units.get(&id).is_some_and(|watch| !watch.lost.is_empty())
    }

    /// What became of a file of this unit, where it is not there as it was published.
    pub(crate) fn loss(&self, id: UnitId, file: FileId) -> Option<Loss> {
        self.units.get(&id)?.lost.get(&file).copied()
    }

    /// The unit is on the disk as it should be: what was lost until then.
    pub(crate) fn put_back(&mut self, id: UnitId) -> BTreeMap<FileId, Loss> {
        let Some(watch) = self.units.get_mut(&id) else { return BTreeMap::new() };
        // To publish is to compare everything.
        watch.wanted = None;
        std::mem::take(&mut watch.lost)
    }

    /// The next look need not keep a distance to the last.
    pub(crate) fn forget_pause(&mut self, id: UnitId) {
        self.watch(id).last = None;
    }

    fn watch(&mut self, id: UnitId) -> &mut Watch {
        self.units.entry(id).or_default()
    }
}

/// What a look calls a loss.
pub(crate) fn words(loss: Loss) -> &'static str {
    match loss {
        Loss::Gone => "it was removed after it was published",
        Loss::Changed => "it was changed after it was published",
    }
}

impl Engine {
    /// Every unit is to be looked at.
    pub(crate) fn inspect_all(&mut self, look: Look) {
        let units: Vec<UnitId> = self.shelf.units().map(|(id, _)| id).collect();
        for id in units {
            self.want_look(id, look);
        }
    }

    /// An answer came about this secret: its files are looked at on that occasion.
    pub(crate) fn inspect_users(&mut self, id: SecretId) {
        let users = self.graph.get(id).into_iter().flat_map(|node| &node.users);
        let units: BTreeSet<UnitId> = users.map(|file| self.shelf.file(*file).unit).collect();
        for id in units {
            self.want_look(id, Look::WithAnswers);
        }
    }

    pub(crate) fn want_look(&mut self, id: UnitId, look: Look) {
        let environment = self.policy.child.and_then(|child| child.environment);
        if self.is_starting() || environment == Some(id) || self.shelf.unit(id).generation.is_none() {
            return;
        }
        let now = self.now.moment;
        let watch = self.inspector.watch(id);
        let lately = watch.last.is_some_and(|at| at.until(now) < PAUSE);
        if look == Look::Thorough || !lately {
            watch.wanted = watch.wanted.max(Some(look));
            self.shelf.touched.insert(id);
        }
    }

    /// Looks at a unit, where that is wanted and nothing of it is about to change.
    pub(crate) fn settle_look(&mut self, id: UnitId) {
        let unit = self.shelf.unit(id);
        let quiet = unit.publishing.is_none() && unit.rendering.is_empty() && unit.dirty.is_empty();
        let (now, watch) = (self.now.moment, self.inspector.watch(id));
        let Some(look) = watch.wanted.filter(|_| quiet && !watch.under_way) else { return };
        let thorough = look == Look::Thorough;
        if look == Look::WithAnswers && self.is_reading_for(id) {
            return;
        }
        let watch = self.inspector.watch(id);
        watch.wanted = None;
        (watch.under_way, watch.last) = (true, Some(now));
        let published = |file: &&FileId| self.shelf.file(**file).generation.is_some();
        let files: Vec<FileId> = self.shelf.unit(id).files.iter().filter(published).copied().collect();
        let newer = files.iter().filter(|file| self.shelf.unit(id).fresh.contains(file)).copied().collect();
        self.out.push(Action::Inspect { unit: id, files, newer, thorough });
    }

    pub(crate) fn inspected(&mut self, id: UnitId, result: Result<BTreeMap<FileId, Loss>, Ending>) {
        self.inspector.watch(id).under_way = false;
        self.shelf.touched.insert(id);
        let lost = result.unwrap_or_else(|_why_the_publish_says| self.all_of(id));
        let before = std::mem::replace(&mut self.inspector.watch(id).lost, lost.clone());
        if lost.is_empty() {
            if !before.is_empty() {
                self.shelf.is_there(id);
                self.say(Level::Info, format!("{} again there, as published", self.are(&before)));
            }
        } else if before.is_empty() {
            for (how, what) in [(Loss::Gone, "removed"), (Loss::Changed, "changed")] {
                let some: BTreeMap<FileId, Loss> = lost
                    .iter()
                    .filter(|(_, loss)| **loss == how)
                    .map(|(file, loss)| (*file, *loss))
                    .collect();
                if !some.is_empty() {
                    let text = format!("{} {what} by another process: putting it back", self.are(&some));
                    self.say(Level::Warn, text);
                }
            }
        }
    }

    /// Everything that a unit has published, where it cannot be looked at.
    fn all_of(&self, id: UnitId) -> BTreeMap<FileId, Loss> {
        let published = |file: &&FileId| self.shelf.file(**file).generation.is_some();
        self.shelf.unit(id).files.iter().filter(published).map(|file| (*file, Loss::Gone)).collect()
    }

    fn are(&self, lost: &BTreeMap<FileId, Loss>) -> String {
        let verb = if lost.len() == 1 { "is" } else { "are" };
        format!("{} {verb}", self.named(lost.keys()))
    }

    /// Files in words: the first, and how many besides.
    pub(crate) fn named<'a>(&self, files: impl ExactSizeIterator<Item = &'a FileId>) -> String {
        let more = files.len().saturating_sub(1);
        let mut files = files;
        let first = files.next().map_or("", |file| self.policy.files[file.0].name.as_str());
        if more == 0 { first.to_owned() } else { format!("{first} and {more} more") }
    }
}
