//! From new data to files on disk and notified applications: renders what is dirty, gathers what belongs together,
//! publishes whole units, and notifies each notifier once.

use leasehold_base::gather::Gather as _;
use std::collections::BTreeSet;
use std::time::Duration;

use crate::engine::{Engine, Phase};
use crate::files::inspect::Look;
use crate::files::notice::{After, News, Reader};
use crate::interface::action::{Action, Level};
use crate::interface::event::{Published, RenderOutcome, Unpublished};
use crate::interface::ids::{FileId, NotifierId, SecretId, UnitId};
use crate::interface::policy::Mode;
use crate::interface::policy::OnInit;
use crate::secrets::graph::Node;
use crate::tools::dice::pause;
use crate::tools::few::Few;
use crate::tools::steps::step;
use crate::tools::timers::Timer;
use crate::upstream::judge::HELD_BACK;
use leasehold_base::request::Request;
use leasehold_base::time::Moment;

/// The number of a unit's first generation.
const FIRST: u64 = 1;

impl Engine {
    /// Marks the files of a secret whose data has changed, to be rendered.
    pub(crate) fn mark_users(&mut self, id: SecretId) {
        let Some(node) = self.graph.get(id) else { return };
        for file in &node.users {
            self.shelf.mark(*file, self.now.moment);
        }
    }

    /// Has the units of a secret's files checked, since they may now go on.
    pub(crate) fn touch_users(&mut self, id: SecretId) {
        let Some(node) = self.graph.get(id) else { return };
        for file in &node.users {
            let unit = self.shelf.file(*file).unit;
            self.shelf.touched.insert(unit);
        }
    }

    /// Has the units that wait for the server checked when it comes or goes: they may go on without it.
    pub(crate) fn touch_waiting(&mut self) {
        let waiting: Vec<UnitId> =
            self.shelf.units().filter(|(_, unit)| !unit.blocked.is_empty()).map(|(id, _)| id).collect();
        self.shelf.touched.extend(waiting);
    }

    pub(crate) fn settle_units(&mut self) {
        while let Some(id) = self.shelf.touched.pop_first() {
            self.settle_unit(id);
        }
    }

    /// Renders and publishes a unit as far as that is possible now.
    fn settle_unit(&mut self, id: UnitId) {
        if let Some(until) = self.gathers_until(id) {
            self.timers.set(Timer::Unit(id), until);
            return;
        }
        for file in self.shelf.unit(id).dirty.clone() {
            if self.is_renderable(file) {
                self.shelf.start(file, self.now.moment);
                let action = self.rendering_of(file);
                self.out.push(action);
            } else {
                self.shelf.block(file);
                self.want_wrapping(file);
            }
        }
        let unit = self.shelf.unit(id);
        let looking = self.inspector.is_looking(id);
        let idle = unit.rendering.is_empty() && unit.publishing.is_none() && !looking;
        let pause = unit.retry.filter(|at| *at > self.now.moment);
        if let Some(at) = pause {
            // Gathering since the failure may have moved the unit's only deadline.
            self.timers.set(Timer::Unit(id), at);
        }
        // A file that is put back was there before, so nothing else has to be ready for that.
        let wanted = if unit.fresh.is_empty() {
            self.inspector.misses(id)
        } else {
            idle && self.nothing_is_awaited(id)
        };
        // `init` publishes everything at once, when all of it is rendered.
        if !self.is_starting() && idle && wanted && pause.is_none() {
            self.publish(id);
        }
        self.settle_look(id);
    }

    /// Returns until when the unit waits for more changes: for other reads of the same batch, and for the quiet time
    /// of the files. The first generation waits for neither.
    fn gathers_until(&self, id: UnitId) -> Option<Moment> {
        let unit = self.shelf.unit(id);
        let since = unit.since.filter(|_| unit.generation.is_some())?;
        let now = self.now.moment;
        let gather = Some(since.after(unit.gather())).filter(|until| *until > now && self.is_reading_for(id));
        let quiet = self.shelf.quiet_until(id).filter(|until| *until > now);
        gather.max(quiet)
    }

    /// Returns whether reads are under way whose answers may change this unit.
    pub(crate) fn is_reading_for(&self, id: UnitId) -> bool {
        if !self.upstream.breaker.is_closed() {
            return false;
        }
        let for_unit = |secret: &SecretId| {
            let users = self.graph.get(*secret).into_iter().flat_map(|node| &node.users);
            users.into_iter().any(|file| self.shelf.file(*file).unit == id)
        };
        let files = &self.shelf.unit(id).files;
        let is_read = |file: &FileId| self.shelf.file(*file).uses.iter().any(|id| self.reading.contains(id));
        // An absolute file is a unit of its own, so there are as many units as there may be reads.
        match files.len() < self.reading.len() {
            true => files.iter().any(is_read),
            false => self.reading.iter().any(for_unit),
        }
    }

    /// Returns whether everything is there that the file's last rendering lacked.
    fn is_renderable(&mut self, id: FileId) -> bool {
        if self.sinks.contains(id) {
            return self.is_sink_renderable(id);
        }
        let graph = &self.graph;
        self.shelf.has_needs(id, |secret| graph.get(*secret).is_some_and(|node| node.held.is_some()))
    }

    /// Returns whether every file of the unit is rendered or has failed at least once. While the server is away, all
    /// files that wait for it count as failed. The search begins with the file that was found the last time.
    fn nothing_is_awaited(&mut self, id: UnitId) -> bool {
        self.graph.note_troubled();
        let unit = self.shelf.unit(id);
        let last = unit.awaited.unwrap_or(FileId(0));
        let mut all = unit.blocked.range(last..).chain(unit.blocked.range(..last));
        let awaited = all.find(|file| !self.is_hindered(**file)).copied();
        self.shelf.unit_mut(id).awaited = awaited;
        awaited.is_none()
    }

    /// Returns whether something that the file cannot do without has failed, as far as that is recorded.
    fn is_hindered(&self, file: FileId) -> bool {
        step();
        let now = self.now.moment;
        let held_back = |at: Moment| at.until(now) >= HELD_BACK;
        let failed = |node: &Node| node.trouble.is_some() || node.denied.is_some_and(held_back);
        let away = !self.upstream.breaker.is_closed() || self.upstream.session.trouble.is_some();
        if self.sinks.contains(file) {
            return away || self.shelf.file(file).failed.is_some();
        }
        let needs = &self.shelf.file(file).needs;
        !needs.is_empty() && (away || self.graph.has_troubled(needs, failed))
    }

    /// Publishes a unit.
    pub(crate) fn publish(&mut self, id: UnitId) {
        let files = self.shelf.publish(id, self.now.moment);
        self.sinks.publishing(&files);
        self.timers.clear(&Timer::Unit(id));
        if self.has_someone_to_tell(id) {
            self.promise();
        }
        self.out.push(Action::Publish { unit: id, files });
    }

    fn has_someone_to_tell(&self, id: UnitId) -> bool {
        let files = self.shelf.unit(id).publishing.iter().flatten();
        files.into_iter().any(|file| self.policy.files[file.0].notify.iter().any(|whom| self.notifies(*whom)))
    }

    pub(crate) fn rendered(&mut self, file: FileId, outcome: RenderOutcome) {
        let again = self.shelf.stop(file);
        match outcome {
            RenderOutcome::Rendered { changed, used } => {
                let outrun = self.set_uses(file, &used);
                self.shelf.brought(file, changed);
                if outrun {
                    self.shelf.mark(file, self.now.moment);
                }
                if !self.shelf.file(file).stale {
                    self.free_of_files(&[file]);
                }
            }
            RenderOutcome::Needs { missing, used } => {
                self.set_uses(file, missing.iter().chain(&used));
                let missing = missing.iter().map(|request| self.graph.intern(request)).collect();
                self.shelf.wants(file, missing);
                if !again {
                    self.doubt_store(file);
                }
            }
            RenderOutcome::Failed { why, used } => {
                if self.set_uses(file, &used) {
                    self.shelf.mark(file, self.now.moment);
                }
                let known = self.shelf.file(file).failed.as_ref() == Some(&why);
                // At a start the failure ends the run, or is reported with the end.
                if !known && !self.is_starting() {
                    self.say(Level::Error, why.what.clone());
                }
                self.shelf.file_mut(file).failed = Some(why);
                self.setback = true;
            }
        }
        if self.shelf.undiscovered.is_empty() {
            self.drop_unused();
        }
    }

    /// Records which secrets a file uses. Returns true if a newly used secret changed after this rendering began, so
    /// that the file has to be rendered again: it was not marked for that change.
    fn set_uses<'a>(&mut self, file: FileId, requests: impl IntoIterator<Item = &'a Request>) -> bool {
        let requests: Vec<&Request> = requests.into_iter().collect();
        let uses: Few<SecretId> = requests.iter().map(|request| self.need(request, file)).collect();
        let before = std::mem::replace(&mut self.shelf.file_mut(file).uses, uses.clone());
        let began = self.shelf.file(file).began;
        let turned = |id: &SecretId| self.graph.get(*id).and_then(|node| node.turned);
        let outrun = uses.difference(&before).any(|id| turned(id).is_some_and(|at| at >= began));
        for gone in before.difference(&uses) {
            self.shelf.ceases_to_use(file, *gone);
            self.unneed(*gone, file);
        }
        outrun
    }

    /// Handles a rendering that lacked a value that we hold. Mostly the value came while the file was being rendered,
    /// and the next rendering has it. If not, the store has lost it, and it is read again.
    fn doubt_store(&mut self, file: FileId) {
        let node = |id: &SecretId| self.graph.get(*id);
        let needs = &self.shelf.file(file).needs;
        let held: Vec<SecretId> =
            needs.iter().filter(|id| node(id).is_some_and(|node| node.held.is_some())).copied().collect();
        let baffled = std::mem::replace(&mut self.shelf.file_mut(file).baffled, !held.is_empty());
        if baffled {
            for id in held {
                self.lose(id);
            }
        }
    }

    /// Drops the secrets of an earlier run that no file uses, once every file has shown what it uses.
    fn drop_unused(&mut self) {
        if !std::mem::take(&mut self.keeper.unsorted) {
            return;
        }
        let unused = |id: &SecretId| self.graph.get(*id).is_some_and(|node| node.users.is_empty());
        let unused: Vec<SecretId> = self.graph.ids().into_iter().filter(unused).collect();
        for id in unused {
            self.drop_secret(id);
        }
    }

    pub(crate) fn published(&mut self, id: UnitId, result: Result<Published, Unpublished>) {
        match result {
            Ok(published) => {
                self.counters.publishes += 1;
                // The handoff on disk promises a notification. If nothing has changed, there will be none.
                let promised = self.has_someone_to_tell(id);
                if promised {
                    self.keep(false);
                }
                let new = self.shelf.unit(id).publishing.clone().unwrap_or_default();
                let settled = self.shelf.published(id, published.generation, self.now.moment);
                let lost = self.inspector.put_back(id);
                let (news, restored) = published.changed.iter().partition(|file| new.contains(file));
                self.tell_restored(
                    lost.into_keys().chain(restored).filter(|file| !new.contains(file)).collect(),
                );
                let published = Published { changed: news, ..published };
                self.tell_published(id, &published);
                self.notify_of(&published.changed, published.generation == FIRST);
                self.free_of_files(&settled);
            }
            Err(why) => self.not_published(id, why),
        }
    }

    /// Logs files that were put back. Their bytes are those that their notifiers were notified of.
    fn tell_restored(&mut self, files: BTreeSet<FileId>) {
        if !files.is_empty() {
            self.say(Level::Info, format!("put back {}", self.named(files.iter())));
        }
    }

    fn tell_published(&mut self, id: UnitId, published: &Published) {
        let now = self.now.moment;
        for file in &published.changed {
            self.shelf.file_mut(*file).changed = Some(now);
        }
        let unchanged = published.changed.is_empty();
        let what = if unchanged { "unchanged".to_owned() } else { self.named(published.changed.iter()) };
        let of = published.generation;
        let level = if unchanged { Level::Debug } else { Level::Info };
        let unit = if self.policy.units[id.0].files.len() > 1 { "set, " } else { "" };
        self.say(level, format!("published {unit}generation {of}: {what}"));
    }

    /// Notifies the notifiers of these files, once each. If this is the `first` generation of all, no reader has
    /// another.
    fn notify_of(&mut self, changed: &[FileId], first: bool) {
        let whom = self.notified_of(changed);
        if matches!(self.policy.mode, Mode::Init { .. }) {
            // A notifier of several files is notified once, when all of them are there.
            return whom.into_iter().for_each(|notifier| self.notices.owe(notifier));
        }
        for notifier in whom {
            // A process that is not there yet will start with everything.
            if self.is_absent(notifier) {
                continue;
            }
            let delay = match first {
                true => self.notices.publish_first(notifier, self.now.moment),
                false => self.notices.publish(notifier, self.now.moment),
            };
            if let Some(delay) = delay {
                self.tell(notifier, delay);
            }
        }
    }

    /// Ends a publish while the run leaves. This run notifies nobody any more. So it records the notifications that the
    /// next run has to make.
    pub(crate) fn published_last(&mut self, id: UnitId, result: Result<Published, Unpublished>) {
        let new = self.shelf.unit(id).publishing.clone().unwrap_or_default();
        if result.as_ref().is_err_and(|failure| failure.may_be_visible) {
            self.shelf.unheard(id);
        }
        self.shelf.end_publish(id);
        let Ok(published) = result else { return };
        // The readers of a file that was only put back know its content.
        let changed: Vec<FileId> = published.changed.into_iter().filter(|file| new.contains(file)).collect();
        let init = matches!(self.policy.mode, Mode::Init { .. });
        for notifier in self.notified_of(&changed) {
            let on_first = init || self.policy.notifiers[notifier.0].on_first;
            let is_news = published.generation != FIRST || on_first;
            // A process starts with everything.
            if is_news && !self.is_child(notifier) {
                self.notices.owe(notifier);
            }
        }
    }

    fn notified_of(&self, changed: &[FileId]) -> BTreeSet<NotifierId> {
        let of_file = |file: &FileId| self.policy.files[file.0].notify.iter().copied();
        changed.iter().flat_map(of_file).filter(|whom| self.notifies(*whom)).gather()
    }

    /// Returns whether this run notifies it. `init` leaves out those that need not be notified of the first
    /// generation.
    pub(crate) fn notifies(&self, whom: NotifierId) -> bool {
        !matches!(self.policy.mode, Mode::Init { .. }) || self.policy.on_init.contains_key(&whom)
    }

    /// Returns the readers that were not notified yet of what these files contain on disk. That includes earlier
    /// publishes: one that changes nothing may follow so closely that the one before it was not notified yet.
    pub(crate) fn lacking(&self, files: &[FileId]) -> Vec<(FileId, Reader)> {
        let mut lacking = Vec::new();
        for file in files {
            let changed = self.shelf.file(*file).changed;
            let lacks = |whom: &&NotifierId| self.notices.lacks(**whom, changed);
            let whom = self.policy.files[file.0].notify.iter().filter(lacks);
            lacking.extend(whom.map(|whom| (*file, Reader::Notifier(*whom))));
        }
        lacking.extend(self.held_by_child(files));
        lacking
    }

    fn tell(&mut self, notifier: NotifierId, delay: Duration) {
        if self.is_child(notifier) {
            self.timers.set(Timer::Child, self.now.moment.after(delay));
        } else {
            self.out.push(Action::Notify { notifier, delay });
        }
    }

    fn not_published(&mut self, id: UnitId, failure: Unpublished) {
        let Unpublished { why, may_be_visible } = failure;
        if may_be_visible {
            self.shelf.unheard(id);
        } else if self.has_someone_to_tell(id) {
            // The handoff on disk promises a notification that will not be made.
            self.keep(false);
        }
        if self.is_starting() {
            self.shelf.end_publish(id);
            self.fail(why);
            return;
        }
        if matches!(self.phase, Phase::Yielding) {
            // The successor publishes at once, and says what keeps it from that.
            return self.shelf.put_off(id);
        }
        self.setback = true;
        let draw = self.session_draw();
        let unit = self.shelf.unit_mut(id);
        unit.tries = unit.tries.saturating_add(1);
        let wait = pause(unit.tries, Duration::from_secs(1), Duration::from_secs(60), draw);
        let known = unit.error.as_ref() == Some(&why);
        let at = self.now.moment.after(wait);
        if !known {
            let after = match may_be_visible {
                true => "; readers may have it all the same",
                false if self.inspector.misses(id) => "",
                false => "; what was there stays",
            };
            self.say(Level::Error, format!("could not publish: {}{after}", why.what));
        }
        self.shelf.not_published(id, why, at);
        // Readiness depends on whether the published files are still there.
        self.inspector.forget_pause(id);
        self.want_look(id, Look::Now);
        self.timers.set(Timer::Unit(id), at);
    }

    /// Notifies a notifier again.
    pub(crate) fn notify(&mut self, id: NotifierId) {
        let delay = self.notices.tell(id, self.now.moment);
        self.tell(id, delay);
    }

    pub(crate) fn notified(&mut self, id: NotifierId, result: Result<(), String>) {
        let result = self.forgiven(id, result);
        let why = result.as_ref().err().cloned();
        match self.notices.told(id, result, self.now.moment) {
            After::Told => {
                self.keep(false);
                self.has_heard(id, self.now.moment);
            }
            After::Again { knows } => {
                // If changes come faster than notifications end, another one is always due. The leases that this one
                // covered can be revoked now.
                self.has_heard(id, knows);
                self.notify(id);
            }
            After::Retry { at, news } => {
                self.timers.set(Timer::Notifier(id), at);
                let (name, why) = (self.notices.name(id), why.unwrap_or_default());
                match news {
                    News::No => {}
                    News::NotYet => {
                        let text =
                            format!("could not notify {name} of the first files yet, trying again: {why}");
                        self.say(Level::Info, text);
                    }
                    News::Failed => {
                        let text = format!("could not notify {name}: {why}");
                        self.say(Level::Warn, text);
                    }
                }
            }
        }
    }

    /// Records that a notifier knows of everything that was published up to `until`.
    fn has_heard(&mut self, id: NotifierId, until: Moment) {
        let free = self.retirees.told(id, until);
        self.free_leases(free);
        self.sinks_told(id, until);
    }

    /// Makes a success, after logging it, of a failure that `init` is to go on with.
    fn forgiven(&mut self, id: NotifierId, result: Result<(), String>) -> Result<(), String> {
        let may_fail = self.policy.on_init.get(&id) == Some(&OnInit::MayFail);
        match result {
            Err(why) if may_fail && matches!(self.policy.mode, Mode::Init { .. }) => {
                let text =
                    format!("could not notify {}: {why}; init goes on without it", self.notices.name(id));
                self.say(Level::Error, text);
                Ok(())
            }
            result => result,
        }
    }

    /// Notifies the notifiers of `init`, once everything is published.
    pub(crate) fn notify_on_init(&mut self) {
        let due =
            |id: &NotifierId| self.notices.is_waiting(*id) && self.timers.at(&Timer::Notifier(*id)).is_none();
        let due: Vec<NotifierId> = self.policy.on_init.keys().copied().filter(due).collect();
        due.into_iter().for_each(|id| self.notify(id));
    }

    /// Returns a notifier that `init` waits for, and its last failure.
    pub(crate) fn awaited(&self) -> Option<(&str, Option<&str>)> {
        let all = self.policy.on_init.keys().filter(|id| self.notices.is_owed(**id));
        all.map(|id| (self.notices.name(*id), self.notices.error(*id))).next()
    }
}
