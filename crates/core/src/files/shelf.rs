//! The files, and the units in which they are published: what is to be rendered, what is rendered but not yet
//! visible, and what is on disk.

mod unit;

use leasehold_base::gather::Gather as _;
use std::collections::BTreeSet;

pub(crate) use self::unit::Unit;
use crate::interface::ids::{FileId, SecretId, UnitId};
use crate::interface::policy::Policy;
use crate::interface::policy::Wait;
use crate::tools::few::Few;
use crate::tools::steps::step;
use leasehold_base::exit::Ending;
use leasehold_base::time::Moment;

/// The state of a file's rendering.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stage {
    /// It is rendered from the newest data, or the rendering failed.
    Clean,
    /// It is to be rendered, or waits for what it needs.
    Dirty,
    /// It is being rendered; `again` if its data has changed since.
    Rendering { again: bool },
}

/// One file.
#[derive(Debug)]
pub(crate) struct File {
    pub(crate) unit: UnitId,
    pub(crate) wait: Option<Wait>,
    /// Every secret that it uses.
    pub(crate) uses: Few<SecretId>,
    /// The secrets that its last good rendering is made of, and (`shown`) those that are on disk, or may be during a
    /// publish. They differ from `uses` if the template fails or takes another path.
    pub(crate) made: Few<SecretId>,
    pub(crate) shown: Few<SecretId>,
    /// The secrets that its rendering needs and did not have.
    pub(crate) needs: Few<SecretId>,
    pub(crate) stage: Stage,
    /// When its last rendering began.
    pub(crate) began: Moment,
    /// The last rendering lacked a value that we hold.
    pub(crate) baffled: bool,
    /// Whether the driver has a rendering of it.
    pub(crate) rendered: bool,
    /// A publish had a rendering of the file: the one under way, or an earlier one.
    offered: bool,
    /// The file on disk is older than the newest data that the engine knows of.
    pub(crate) stale: bool,
    /// The template failed on its data.
    pub(crate) failed: Option<Ending>,
    /// The first and the last change since it was published.
    pub(crate) changes: Option<(Moment, Moment)>,
    pub(crate) generation: Option<u64>,
    pub(crate) changed: Option<Moment>,
    pub(crate) renders: u64,
    /// The place among `needs` of a secret that was missing at the last look.
    lacking: usize,
}

/// All files and units.
#[derive(Debug)]
pub(crate) struct Shelf {
    files: Vec<File>,
    units: Vec<Unit>,
    /// The units in which something may have to be done.
    pub(crate) touched: BTreeSet<UnitId>,
    /// The files without a finished rendering: it is not known what they use.
    pub(crate) undiscovered: BTreeSet<FileId>,
    /// The secrets that files on disk have just ceased to depend on.
    pub(crate) departed: Vec<(FileId, SecretId)>,
    /// The units that may have a file that is not rendered from the newest data. All others have none.
    unready: BTreeSet<UnitId>,
    /// The units that are being published.
    publishing: BTreeSet<UnitId>,
    /// The files that may be visible although their publish failed, since its answer was lost.
    unheard: BTreeSet<FileId>,
    /// The units before this one have nothing to be published.
    first_fresh: usize,
    /// The files without a generation.
    unpublished: BTreeSet<FileId>,
    /// The secrets that files depend on, on disk or in their last rendering, but no longer use.
    former: BTreeSet<(SecretId, FileId)>,
}

impl Shelf {
    pub(crate) fn new(policy: &Policy) -> Self {
        let files = policy.files.iter().map(|file| File {
            unit: file.unit,
            wait: file.wait,
            uses: Few::default(),
            made: Few::default(),
            shown: Few::default(),
            needs: Few::default(),
            stage: Stage::Clean,
            began: Moment::default(),
            baffled: false,
            rendered: false,
            offered: false,
            stale: true,
            failed: None,
            changes: None,
            generation: None,
            changed: None,
            renders: 0,
            lacking: 0,
        });
        let waits = |id: &FileId| policy.files[id.0].wait.is_some();
        let units = policy.units.iter().map(|unit| Unit {
            files: unit.files.clone(),
            waits: unit.files.iter().any(waits),
            ..Unit::default()
        });
        Self {
            files: files.collect(),
            units: units.collect(),
            touched: BTreeSet::new(),
            undiscovered: (0..policy.files.len()).map(FileId).collect(),
            departed: Vec::new(),
            unready: (0..policy.units.len()).map(UnitId).collect(),
            publishing: BTreeSet::new(),
            unheard: BTreeSet::new(),
            first_fresh: 0,
            unpublished: (0..policy.files.len()).map(FileId).collect(),
            former: BTreeSet::new(),
        }
    }

    pub(crate) fn file(&self, id: FileId) -> &File {
        &self.files[id.0]
    }

    pub(crate) fn file_mut(&mut self, id: FileId) -> &mut File {
        let file = &mut self.files[id.0];
        self.unready.insert(file.unit);
        file
    }

    pub(crate) fn files(&self) -> impl Iterator<Item = (FileId, &File)> {
        self.files.iter().enumerate().map(|(index, file)| (FileId(index), file))
    }

    pub(crate) fn unit(&self, id: UnitId) -> &Unit {
        &self.units[id.0]
    }

    pub(crate) fn unit_mut(&mut self, id: UnitId) -> &mut Unit {
        &mut self.units[id.0]
    }

    /// Returns true if every file is rendered from the newest data. A unit that was found to be rendered is skipped
    /// until something in it changes.
    pub(crate) fn is_all_rendered(&mut self) -> bool {
        while let Some(id) = self.unready.first().copied() {
            if !self.is_rendered(id) {
                return false;
            }
            self.unready.remove(&id);
        }
        true
    }

    fn is_rendered(&self, id: UnitId) -> bool {
        let unit = &self.units[id.0];
        let idle = unit.dirty.is_empty() && unit.blocked.is_empty() && unit.rendering.is_empty();
        let good = |file: &FileId| self.files[file.0].rendered && self.files[file.0].failed.is_none();
        idle && unit.files.iter().all(good)
    }

    /// Returns the files that may show what their readers were not notified of: those of the publishes under way, and
    /// of those whose answer was lost.
    pub(crate) fn may_show_news(&self) -> impl Iterator<Item = &FileId> {
        let under_way = self.publishing.iter().filter_map(|id| self.units[id.0].publishing.as_ref());
        under_way.flatten().chain(&self.unheard)
    }

    /// Returns true while a publish is under way.
    pub(crate) fn is_publishing(&self) -> bool {
        !self.publishing.is_empty()
    }

    /// Records that the publish of this unit has ended, with or without success.
    pub(crate) fn end_publish(&mut self, id: UnitId) {
        self.publishing.remove(&id);
        self.units[id.0].publishing = None;
    }

    /// Returns the first unit that has something to be published.
    pub(crate) fn first_fresh(&mut self) -> Option<UnitId> {
        while self.units.get(self.first_fresh)?.fresh.is_empty() {
            self.first_fresh += 1;
        }
        Some(UnitId(self.first_fresh))
    }

    /// Returns true if `has` holds for every secret that the file needs. The engine calls it after each answer, so it
    /// begins with the secret that was missing the last time.
    pub(crate) fn has_needs(&mut self, id: FileId, has: impl Fn(&SecretId) -> bool) -> bool {
        let File { needs, lacking, .. } = &mut self.files[id.0];
        let (count, start) = (needs.len(), *lacking);
        let places = (0..count).map(|step| (start + step) % count);
        match places.into_iter().find(|place| !needs.get(*place).is_some_and(&has)) {
            Some(place) => {
                *lacking = place;
                false
            }
            None => true,
        }
    }

    pub(crate) fn units(&self) -> impl Iterator<Item = (UnitId, &Unit)> {
        self.units.iter().enumerate().map(|(index, unit)| (UnitId(index), unit))
    }

    /// Marks a file to be rendered, since its data has changed.
    pub(crate) fn mark(&mut self, id: FileId, now: Moment) {
        let file = &mut self.files[id.0];
        file.stale = true;
        file.changes = Some((file.changes.map_or(now, |(first, _)| first), now));
        self.unready.insert(file.unit);
        let unit = &mut self.units[file.unit.0];
        unit.since.get_or_insert(now);
        match &mut file.stage {
            Stage::Rendering { again } => *again = true,
            stage => {
                *stage = Stage::Dirty;
                unit.blocked.remove(&id);
                unit.dirty.insert(id);
            }
        }
        self.touched.insert(file.unit);
    }

    /// Records that the file is being rendered.
    pub(crate) fn start(&mut self, id: FileId, now: Moment) {
        let file = &mut self.files[id.0];
        file.began = now;
        file.stage = Stage::Rendering { again: false };
        file.needs.clear();
        self.unready.insert(file.unit);
        let unit = &mut self.units[file.unit.0];
        unit.dirty.remove(&id);
        unit.rendering.insert(id);
    }

    /// Records that the rendering has ended. Returns whether the file's data has changed since it began.
    pub(crate) fn stop(&mut self, id: FileId) -> bool {
        let file = &mut self.files[id.0];
        let again = file.stage == (Stage::Rendering { again: true });
        let unit = &mut self.units[file.unit.0];
        unit.rendering.remove(&id);
        self.unready.insert(file.unit);
        if again {
            file.stage = Stage::Dirty;
            unit.dirty.insert(id);
        } else {
            file.stage = Stage::Clean;
        }
        file.renders += 1;
        self.undiscovered.remove(&id);
        self.touched.insert(file.unit);
        again
    }

    /// Records that the rendering lacked something, which the file waits for.
    pub(crate) fn wants(&mut self, id: FileId, needs: Few<SecretId>) {
        let file = &mut self.files[id.0];
        file.needs = needs;
        file.stage = Stage::Dirty;
        self.unready.insert(file.unit);
        self.units[file.unit.0].dirty.insert(id);
    }

    /// Makes the dirty file wait for what it needs.
    pub(crate) fn block(&mut self, id: FileId) {
        let of = self.files[id.0].unit;
        self.unready.insert(of);
        let unit = &mut self.units[of.0];
        unit.dirty.remove(&id);
        unit.blocked.insert(id);
    }

    /// Records that the rendering brought bytes; `changed` if they differ from those before.
    pub(crate) fn brought(&mut self, id: FileId, changed: bool) {
        let file = &mut self.files[id.0];
        file.failed = None;
        file.baffled = false;
        for secret in file.made.difference(&file.uses).filter(|secret| !file.shown.contains(secret)) {
            self.former.remove(&(*secret, id));
        }
        file.made.clone_from(&file.uses);
        let unit = &mut self.units[file.unit.0];
        if changed || !file.rendered {
            unit.fresh.insert(id);
            self.first_fresh = self.first_fresh.min(file.unit.0);
        }
        file.rendered = true;
        self.settle_change(id);
    }

    /// Begins the publish of a unit. Returns its files that have a rendering.
    pub(crate) fn publish(&mut self, id: UnitId, now: Moment) -> Vec<FileId> {
        self.publishing.insert(id);
        let unit = &mut self.units[id.0];
        unit.began = now;
        unit.publishing = Some(std::mem::take(&mut unit.fresh));
        unit.retry = None;
        unit.since = None;
        let files: Vec<FileId> =
            unit.files.iter().copied().filter(|file| self.files[file.0].rendered).collect();
        for file in &files {
            let file = &mut self.files[file.0];
            file.changes = None;
            file.offered = true;
            file.shown.extend(file.made.iter().copied());
        }
        files
    }

    /// Records that the publish under way, which failed, may be visible all the same.
    pub(crate) fn unheard(&mut self, id: UnitId) {
        self.unheard.extend(self.units[id.0].publishing.iter().flatten());
    }

    /// Records that the publish failed: its files are still to be made visible.
    pub(crate) fn not_published(&mut self, id: UnitId, why: Ending, retry: Moment) {
        self.take_back(id);
        let unit = &mut self.units[id.0];
        unit.error = Some(why);
        unit.retry = Some(retry);
    }

    /// Records that a unit was not published, and that nothing is wrong with it.
    pub(crate) fn put_off(&mut self, id: UnitId) {
        self.take_back(id);
        self.touched.insert(id);
    }

    fn take_back(&mut self, id: UnitId) {
        self.publishing.remove(&id);
        self.first_fresh = self.first_fresh.min(id.0);
        let unit = &mut self.units[id.0];
        unit.fresh.extend(unit.publishing.take().unwrap_or_default());
    }

    /// Records that what was published is there after all, whatever an attempt to put it back led to.
    pub(crate) fn is_there(&mut self, id: UnitId) {
        let unit = &mut self.units[id.0];
        if unit.fresh.is_empty() {
            (unit.error, unit.retry, unit.tries) = (None, None, 0);
        }
    }

    /// Records that the publish went well. Returns the files that are now on disk as they should be.
    pub(crate) fn published(&mut self, id: UnitId, generation: u64, now: Moment) -> Vec<FileId> {
        self.end_publish(id);
        let unit = &mut self.units[id.0];
        unit.took = unit.began.until(now);
        unit.generation = Some(generation);
        unit.error = None;
        unit.tries = 0;
        let members: Vec<FileId> = unit.files.clone();
        for id in &members {
            self.unheard.remove(id);
            let file = &mut self.files[id.0];
            if file.offered {
                file.generation = Some(generation);
                self.unpublished.remove(id);
            }
        }
        self.touched.insert(id);
        members.into_iter().filter(|file| self.settle_change(*file)).collect()
    }

    /// Records that the file on disk is made of the newest data, if it is. Returns whether it is.
    pub(crate) fn settle_change(&mut self, id: FileId) -> bool {
        let file = &mut self.files[id.0];
        let unit = &self.units[file.unit.0];
        let in_flight = unit.publishing.as_ref().is_some_and(|files| files.contains(&id));
        let settled = file.rendered
            && file.stage == Stage::Clean
            && file.failed.is_none()
            && !unit.fresh.contains(&id)
            && !in_flight
            && file.generation.is_some();
        if settled {
            file.stale = false;
            for secret in file.shown.difference(&file.made) {
                self.former.remove(&(*secret, id));
                self.departed.push((id, *secret));
            }
            file.shown.clone_from(&file.made);
            file.changes = None;
        }
        settled
    }

    /// Returns true if every file has a generation.
    pub(crate) fn is_all_published(&self) -> bool {
        self.unpublished.is_empty()
    }

    /// Records that the file no longer uses `gone`, on which it may still depend on disk.
    pub(crate) fn ceases_to_use(&mut self, id: FileId, gone: SecretId) {
        let file = &self.files[id.0];
        if file.shown.contains(&gone) || file.made.contains(&gone) {
            self.former.insert((gone, id));
        }
    }

    /// Returns the files that on disk may still depend on the former value of `id`, which `users` use now, as far as
    /// this run knows what its files are made of.
    pub(crate) fn still_made_of(&self, id: SecretId, users: &Few<FileId>) -> BTreeSet<FileId> {
        let former = self.former.range((id, FileId(0))..=(id, FileId(usize::MAX))).map(|(_, file)| file);
        let stale = |file: &&FileId| self.files[file.0].stale;
        let of = |file: &&FileId| {
            let file = &self.files[file.0];
            file.uses.contains(&id) || file.shown.contains(&id)
        };
        users.iter().chain(former).inspect(|_| step()).filter(of).filter(stale).copied().gather()
    }

    /// Replaces `gone` by `other`, which is the same secret and which `users` use.
    pub(crate) fn merge(&mut self, gone: SecretId, other: SecretId, users: &[FileId]) {
        let of_gone = self.former.range((gone, FileId(0))..=(gone, FileId(usize::MAX)));
        let of_gone: Vec<(SecretId, FileId)> = of_gone.copied().collect();
        for pair in &of_gone {
            self.former.remove(pair);
            self.former.insert((other, pair.1));
        }
        for id in users.iter().chain(of_gone.iter().map(|(_, file)| file)) {
            let file = &mut self.files[id.0];
            for set in [&mut file.uses, &mut file.made, &mut file.shown, &mut file.needs] {
                if set.remove(&gone) {
                    set.insert(other);
                }
            }
        }
    }

    /// Returns until when the unit gathers changes; `None` once it has been quiet.
    pub(crate) fn quiet_until(&self, id: UnitId) -> Option<Moment> {
        let unit = &self.units[id.0];
        if !unit.waits {
            return None;
        }
        unit.dirty
            .iter()
            .chain(&unit.blocked)
            .chain(&unit.fresh)
            .filter_map(|file| {
                step();
                let file = &self.files[file.0];
                let (wait, (first, last)) = (file.wait?, file.changes?);
                Some(last.after(wait.min).min(first.after(wait.max)))
            })
            .max()
    }
}

#[cfg(test)]
mod tests;
