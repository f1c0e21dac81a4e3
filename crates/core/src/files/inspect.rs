//! Checks whether what was published is still there: which files, when, and what is done about a loss.
//!
//! A volume is shared with an application, a cleaner of temporary files, an administrator. The next look puts back
//! what one of them removed or changed, whether or not a secret has changed. The bytes are those that the
//! applications were notified of when they were new, so putting them back notifies no one again.
//!
//! A look costs a stat for each file, but an idle process should not wake up for it. So looks come with what wakes
//! the process anyway:
//!
//! - an answer from the server that brought nothing new: only the files of that secret are checked;
//! - the driver's minute: all files are checked;
//! - a request for news (`POST /refresh`, HUP): every byte is compared.
//!
//! So the cost of one answer does not grow with the number of other files.

use leasehold_base::gather::Gather as _;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::engine::Engine;
use crate::interface::action::{Action, Level};
use crate::interface::event::Loss;
use crate::interface::ids::{FileId, SecretId, UnitId};
use leasehold_base::exit::Ending;
use leasehold_base::time::Moment;

/// Occasions that follow each other sooner cause one look at everything. It is less than the shortest sensible
/// `refresh`.
const PAUSE: Duration = Duration::from_millis(900);

/// How soon a look is wanted, and how close.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Look {
    /// One look for all answers that are on their way.
    WithAnswers,
    /// A look now, without waiting for any server's answer, which may take long.
    Now,
    /// The same, although the last look was a moment ago.
    AtOnce,
    /// A look now, at every byte.
    Thorough,
}

/// The looks at each unit, wanted and under way.
#[derive(Debug, Default)]
pub(crate) struct Inspector {
    units: BTreeMap<UnitId, Watch>,
}

/// Which files of a unit are looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Scope {
    All,
    Only(BTreeSet<FileId>),
}

impl Scope {
    fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::Only(mut files), Self::Only(more)) => {
                files.extend(more);
                Self::Only(files)
            }
            _ => Self::All,
        }
    }

    fn has(&self, file: FileId) -> bool {
        match self {
            Self::All => true,
            Self::Only(files) => files.contains(&file),
        }
    }
}

#[derive(Debug, Default)]
struct Watch {
    /// The look that is wanted, if any.
    wanted: Option<(Look, Scope)>,
    under_way: Option<Scope>,
    /// The last look at everything.
    last: Option<Moment>,
    /// The losses that the last look found, and that no publish has put back since.
    lost: BTreeMap<FileId, Loss>,
}

impl Watch {
    /// Wants a look. One look serves everything that was wanted, as closely as the closest wish.
    fn want(&mut self, look: Look, scope: Scope) {
        self.wanted = Some(match self.wanted.take() {
            None => (look, scope),
            Some((before, files)) => (before.max(look), files.and(scope)),
        });
    }
}

impl Inspector {
    /// Returns whether a look at this unit is under way.
    pub(crate) fn is_looking(&self, id: UnitId) -> bool {
        self.units.get(&id).is_some_and(|watch| watch.under_way.is_some())
    }

    /// Returns whether any look is under way.
    pub(crate) fn is_at_work(&self) -> bool {
        self.units.values().any(|watch| watch.under_way.is_some())
    }

    /// Returns whether something of this unit has to be put back.
    pub(crate) fn misses(&self, id: UnitId) -> bool {
        self.units.get(&id).is_some_and(|watch| !watch.lost.is_empty())
    }

    /// Returns what became of a file of this unit, if it is not there as published.
    pub(crate) fn loss(&self, id: UnitId, file: FileId) -> Option<Loss> {
        self.units.get(&id)?.lost.get(&file).copied()
    }

    /// Records that the unit is on disk as it should be. Returns what was lost until then.
    pub(crate) fn put_back(&mut self, id: UnitId) -> BTreeMap<FileId, Loss> {
        let Some(watch) = self.units.get_mut(&id) else { return BTreeMap::new() };
        // A publish compares everything.
        watch.wanted = None;
        std::mem::take(&mut watch.lost)
    }

    /// Records the outcome of the look under way. Returns what was lost before it, and what is lost now.
    fn looked(
        &mut self,
        id: UnitId,
        found: BTreeMap<FileId, Loss>,
    ) -> (BTreeMap<FileId, Loss>, &BTreeMap<FileId, Loss>) {
        let watch = self.watch(id);
        let scope = watch.under_way.take().unwrap_or(Scope::All);
        let before = watch.lost.clone();
        watch.lost.retain(|file, _| !scope.has(*file));
        watch.lost.extend(found);
        (before, &watch.lost)
    }

    /// Lets the next look come without a pause after the last.
    pub(crate) fn forget_pause(&mut self, id: UnitId) {
        self.watch(id).last = None;
    }

    fn watch(&mut self, id: UnitId) -> &mut Watch {
        self.units.entry(id).or_default()
    }
}

/// Returns the words for a loss that a look found.
pub(crate) fn words(loss: Loss) -> &'static str {
    match loss {
        Loss::Gone => "it was removed after it was published",
        Loss::Changed => "it was changed after it was published",
    }
}

impl Engine {
    /// Wants a look at every unit.
    pub(crate) fn inspect_all(&mut self, look: Look) {
        let units: Vec<UnitId> = self.shelf.units().map(|(id, _)| id).collect();
        for id in units {
            self.want_look(id, look);
        }
    }

    /// Wants a look at the files of a secret for which an answer came.
    pub(crate) fn inspect_users(&mut self, id: SecretId) {
        let users = self.graph.get(id).into_iter().flat_map(|node| &node.users).copied().gather();
        self.inspect_files(users, Look::WithAnswers);
    }

    /// Wants a look at these files, and at no others.
    pub(crate) fn inspect_files(&mut self, files: BTreeSet<FileId>, look: Look) {
        let mut units: BTreeMap<UnitId, BTreeSet<FileId>> = BTreeMap::new();
        for file in files {
            units.entry(self.shelf.file(file).unit).or_default().insert(file);
        }
        for (id, files) in units {
            if self.may_be_looked_at(id) {
                self.inspector.watch(id).want(look, Scope::Only(files));
                self.shelf.touched.insert(id);
            }
        }
    }

    /// Wants a look at everything of a unit.
    pub(crate) fn want_look(&mut self, id: UnitId, look: Look) {
        if !self.may_be_looked_at(id) {
            return;
        }
        let now = self.now.moment;
        let watch = self.inspector.watch(id);
        let lately = watch.last.is_some_and(|at| at.until(now) < PAUSE);
        if look >= Look::AtOnce || !lately {
            watch.want(look, Scope::All);
            self.shelf.touched.insert(id);
        }
    }

    fn may_be_looked_at(&self, id: UnitId) -> bool {
        let environment = self.policy.child.and_then(|child| child.environment);
        !self.is_starting() && environment != Some(id) && self.shelf.unit(id).generation.is_some()
    }

    /// Starts a look at a unit, if one is wanted and nothing of the unit is about to change.
    pub(crate) fn settle_look(&mut self, id: UnitId) {
        let unit = self.shelf.unit(id);
        let quiet = unit.publishing.is_none() && unit.rendering.is_empty() && unit.dirty.is_empty();
        let (now, watch) = (self.now.moment, self.inspector.watch(id));
        let look = watch.wanted.as_ref().map(|(look, _)| *look);
        let Some(look) = look.filter(|_| quiet && watch.under_way.is_none()) else { return };
        let thorough = look == Look::Thorough;
        if look == Look::WithAnswers && self.is_reading_for(id) {
            return;
        }
        let watch = self.inspector.watch(id);
        let Some((_, scope)) = watch.wanted.take() else { return };
        if scope == Scope::All {
            watch.last = Some(now);
        }
        let published = |file: &FileId| self.shelf.file(*file).generation.is_some();
        let files: Vec<FileId> = match &scope {
            Scope::All => self.shelf.unit(id).files.iter().copied().filter(published).collect(),
            Scope::Only(files) => files.iter().copied().filter(published).collect(),
        };
        self.inspector.watch(id).under_way = Some(scope);
        let newer = files.iter().filter(|file| self.shelf.unit(id).fresh.contains(file)).copied().collect();
        self.out.push(Action::Inspect { unit: id, files, newer, thorough });
    }

    pub(crate) fn inspected(&mut self, id: UnitId, result: Result<BTreeMap<FileId, Loss>, Ending>) {
        self.shelf.touched.insert(id);
        let found = result.unwrap_or_else(|_why_the_publish_says| self.all_of(id));
        let (before, lost) = self.inspector.looked(id, found);
        let lost = lost.clone();
        if lost.is_empty() {
            if !before.is_empty() {
                self.shelf.is_there(id);
                self.say(Level::Info, format!("{} again there, as published", self.are(&before)));
            }
        } else if before.is_empty() {
            for (how, what) in [(Loss::Gone, "removed"), (Loss::Changed, "changed")] {
                let some: BTreeMap<FileId, Loss> =
                    lost.iter().filter(|(_, loss)| **loss == how).map(|(file, loss)| (*file, *loss)).gather();
                if !some.is_empty() {
                    let text = format!("{} {what} by another process: putting it back", self.are(&some));
                    self.say(Level::Warn, text);
                }
            }
        }
    }

    /// Returns everything that a unit has published, for when it cannot be looked at.
    fn all_of(&self, id: UnitId) -> BTreeMap<FileId, Loss> {
        let published = |file: &&FileId| self.shelf.file(**file).generation.is_some();
        self.shelf.unit(id).files.iter().filter(published).map(|file| (*file, Loss::Gone)).gather()
    }

    fn are(&self, lost: &BTreeMap<FileId, Loss>) -> String {
        let verb = if lost.len() == 1 { "is" } else { "are" };
        format!("{} {verb}", self.named(lost.keys()))
    }

    /// Returns files in words: the first, and how many more.
    pub(crate) fn named<'a>(&self, files: impl ExactSizeIterator<Item = &'a FileId>) -> String {
        let more = files.len().saturating_sub(1);
        let mut files = files;
        let first = files.next().map_or("", |file| self.policy.files[file.0].name.as_str());
        if more == 0 { first.to_owned() } else { format!("{first} and {more} more") }
    }
}
