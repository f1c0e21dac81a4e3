//! The files, and the variables of a process: rendered from the store, published as units.

use std::collections::{BTreeMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use crate::config::plan::{FilePlan, FileSource, Plan, Target};
use crate::config::policy::Subject;
use crate::core::event::{self, Event, Published, RenderOutcome, Unpublished};
use crate::core::ids::{FileId, UnitId};
use crate::core::policy::Policy;
use crate::driver::apart::Apart;
use crate::driver::ledger::Ledger;
use crate::driver::store::Store;
use crate::driver::variables::{self, Room, Variables};
use crate::driver::written::Written;
use crate::exit::{Cause, Ending};
use crate::observe::clock;
use crate::publish::{self, Attributes, Content, Look, Loss, Member, PublishError, Set, SingleFile, Wanted};
use crate::render::{self, Environment, Outcome, Rendering, Write};
use crate::secret::Secret;

/// So many files are published, checked and opened by another thread, and so many secrets written down. That takes a
/// good part of a second, in which leases have to be renewed and probes to be answered.
pub(super) const MANY: usize = 1000;

/// The files of a plan, their last renderings, and where they go.
pub(super) struct Files {
    plan: Arc<Plan>,
    environment: Environment,
    /// What each [`FileId`] stands for: a file or a variable.
    subjects: Vec<Subject>,
    /// By [`FileId`].
    renderings: Vec<Option<Rendering>>,
    /// By [`UnitId`].
    units: Vec<Unit>,
    /// Whether a publish may wait for a disk.
    on_disk: bool,
    /// The wrappings for the sinks that hold a wrapped token.
    wrappings: BTreeMap<FileId, Secret>,
    /// The values for the next process, by the place in `plan.exec.env`.
    variables: Arc<Mutex<Variables>>,
    /// The list of the absolute files that were published.
    ledger: Ledger,
}

struct Unit {
    /// Locked by one publish at a time; the core never starts two publishes of one unit.
    place: Shared,
    files: Vec<FileId>,
}

/// A place that one publish at a time uses.
pub(super) type Shared = Arc<Mutex<Destination>>;

/// Where a unit is published, and what its templates write beside it.
pub(super) struct Destination {
    pub(super) target: Where,
    written: Written,
}

pub(super) enum Where {
    Set(Set),
    Alone(SingleFile),
    /// A device, which is left alone: only what templates write beside it is published.
    Device,
    Environment(Arc<Mutex<Variables>>),
}

impl Files {
    /// Opens every destination; what is published there stays as it is.
    ///
    /// # Errors
    /// 73 for the first destination that cannot be written, or is not tmpfs where it must be.
    pub(super) fn open(
        plan: Arc<Plan>,
        policy: &Policy,
        environment: Environment,
        room: Room,
        ledger: Ledger,
    ) -> Result<Self, Ending> {
        for folder in &plan.writes.folders {
            publish::prepare(folder, plan.dir_mode, plan.require_tmpfs)?;
        }
        let spreads = plan.exec.env.iter().map(|variable| variable.spread.clone()).collect();
        let variables = Arc::new(Mutex::new(Variables::new(spreads, room)));
        let environment_unit = policy.child.and_then(|child| child.environment);
        let open = |(id, unit): (usize, &crate::core::policy::UnitPolicy)| {
            let target = if environment_unit == Some(UnitId(id)) {
                Where::Environment(Arc::clone(&variables))
            } else {
                Where::open(&plan, &unit.files)?
            };
            let written = Written::new(plan.dir_mode, plan.require_tmpfs);
            let place = Destination { target, written };
            Ok(Unit { place: Arc::new(Mutex::new(place)), files: unit.files.clone() })
        };
        let units = policy.units.iter().enumerate().map(open);
        let units = units.collect::<Result<_, PublishError>>()?;
        let renderings = vec![None; policy.files.len()];
        let (on_disk, wrappings) = (!plan.require_tmpfs, BTreeMap::new());
        let subjects = plan.subjects();
        Ok(Self { on_disk, plan, environment, subjects, renderings, units, wrappings, variables, ledger })
    }

    /// Returns the variables that were published last, by name.
    pub(super) fn variables(&self) -> Vec<(String, Secret)> {
        let values = self.variables.lock().unwrap_or_else(PoisonError::into_inner);
        variables::environment_of(&self.plan.exec.env, &values.values)
    }

    /// Returns the length of each file's last rendering. Variables are left out: they are single values, and their
    /// length must not be shown.
    pub(super) fn sizes(&self) -> Vec<Option<usize>> {
        let files = self.renderings.iter().take(self.plan.files.len());
        files.map(|made| Some(made.as_ref()?.bytes.expose().len())).collect()
    }

    /// Returns the name of a file or a variable in messages.
    pub(super) fn name(&self, file: FileId) -> String {
        match self.subjects[file.0] {
            Subject::File(index) => self.plan.files[index].name.clone(),
            Subject::Variable(index) => self.plan.exec.env[index].label(),
        }
    }

    /// Returns the plan of a file; `None` for a variable.
    fn file(&self, id: FileId) -> Option<&FilePlan> {
        match self.subjects[id.0] {
            Subject::File(index) => Some(&self.plan.files[index]),
            Subject::Variable(_) => None,
        }
    }

    /// Returns the absolute files, with their places.
    pub(super) fn alone(&self) -> impl Iterator<Item = (FileId, Shared, &PathBuf)> {
        self.units.iter().filter_map(|unit| {
            let file = *unit.files.first()?;
            match &self.file(file)?.target {
                Target::Alone(path) => Some((file, Arc::clone(&unit.place), path)),
                Target::Member(_) => None,
            }
        })
    }

    /// Returns the bytes of a file's last rendering.
    pub(super) fn rendered(&self, file: FileId) -> Option<Secret> {
        self.renderings[file.0].as_ref().map(|made| made.bytes.clone())
    }

    /// Returns the plan of a file, which must not be a variable.
    pub(super) fn plan_of(&self, file: FileId) -> &FilePlan {
        &self.plan.files[file.0]
    }

    /// Renders a file or a variable from the store.
    pub(super) fn render(&mut self, file: FileId, store: &Store) -> Event {
        let (plan, environment) = (&self.plan, &self.environment);
        let outcome = match self.subjects[file.0] {
            Subject::File(index) => match &plan.files[index] {
                FilePlan { name, source: FileSource::Made(source), .. } => {
                    render::render(name, source, store, environment, &plan.writes)
                }
                // The core has sinks rendered by `render_sink`.
                FilePlan { source: FileSource::Token { .. }, .. } => return self.render_sink(file, None),
            },
            Subject::Variable(index) => variables::render(&plan.exec.env[index], store, environment),
        };
        let outcome = match outcome {
            Outcome::Done { made, used } => RenderOutcome::Rendered { changed: self.keep(file, made), used },
            Outcome::Needs { missing, used } => RenderOutcome::Needs { missing, used },
            Outcome::Failed { why, used } => RenderOutcome::Failed { why, used },
        };
        Event::Rendered { file, outcome }
    }

    /// Keeps a file's rendering. Returns whether it differs from the one before. Equal bytes stay where they are,
    /// since what is known of the published file shares them.
    fn keep(&mut self, file: FileId, made: Rendering) -> bool {
        let kept = &mut self.renderings[file.0];
        let changed = kept.as_ref() != Some(&made);
        if changed {
            *kept = Some(made);
        }
        changed
    }

    /// Keeps the wrapping for a sink.
    pub(super) fn keep_wrapping(&mut self, file: FileId, wrapping: Secret) {
        self.wrappings.insert(file, wrapping);
    }

    /// Renders a sink: `token`, or its wrapping.
    pub(super) fn render_sink(&mut self, file: FileId, token: Option<&Secret>) -> Event {
        let plan = &self.plan.files[file.0];
        let held = match plan.source {
            FileSource::Token { wrap_ttl: Some(_) } => self.wrappings.get(&file),
            _ => token,
        };
        let outcome = match held.cloned() {
            Some(bytes) => {
                let changed = self.keep(file, Rendering { bytes, writes: Vec::new() });
                RenderOutcome::Rendered { changed, used: Vec::new() }
            }
            None => {
                let what = format!(
                    "{}: the token for this sink has expired; it is written after the next login",
                    plan.name
                );
                RenderOutcome::Failed { why: Ending::new(Cause::Denied, what, ""), used: Vec::new() }
            }
        };
        Event::Rendered { file, outcome }
    }

    /// Publishes the `files` of a unit that have a rendering, after what these wrote beside themselves. Other members
    /// keep what is there.
    pub(super) fn publish(&self, unit: UnitId, files: &[FileId]) -> impl Future<Output = Event> + use<> {
        let Unit { place, files: of_unit } = &self.units[unit.0];
        let (place, of_unit) = (Arc::clone(place), of_unit.clone());
        let wanted: HashSet<FileId> = files.iter().copied().collect();
        let made = |file: FileId| self.renderings[file.0].as_ref().filter(|_| wanted.contains(&file));
        let (mut members, mut writes) = (Vec::with_capacity(of_unit.len()), Vec::new());
        for &file in &of_unit {
            let made = made(file);
            let bytes = made.map(|made| made.bytes.clone());
            members.push(match self.subjects[file.0] {
                Subject::File(index) => member(&self.plan.files[index], bytes),
                Subject::Variable(index) => variables::member(&self.plan.exec.env[index].name, bytes),
            });
            writes.extend(made.map(|made| (file, made.writes.clone())));
        }
        let (apart, ledger) = (self.on_disk || of_unit.len() >= MANY, self.ledger.clone());
        ledger.begin();
        let publish = move || {
            // A poisoned lock means that a publish panicked, and a panic ends the process.
            let mut place = place.lock().unwrap_or_else(PoisonError::into_inner);
            let Destination { target, written } = &mut *place;
            let writing = writes.iter().try_for_each(|(file, writes)| written.publish(*file, writes));
            let published = writing.and_then(|()| target.publish(&members));
            let published = published.map_err(|error| Unpublished {
                why: Ending::from(error),
                may_be_visible: written.shows_news(),
            })?;
            target.note(&members, &ledger);
            if let Some(leftover) = &published.aftermath {
                tracing::warn!("published, but {leftover}");
            }
            let mut changed = written.take_changed();
            changed.extend(published.changed.iter().map(|&index| of_unit[index]));
            Ok(Published { generation: published.generation, changed: changed.into_iter().collect() })
        };
        async move {
            // On tmpfs nothing waits. On a disk fsync does, and must not hold up renewals.
            let result = if apart { Apart::begin(publish).outcome("publishing").await } else { publish() };
            Event::Published { unit, result }
        }
    }
}

impl Files {
    /// Checks whether these published `files` of a unit are there as published. Of files that are `newer` in memory,
    /// it checks only whether they are there.
    pub(super) fn inspect(
        &self,
        unit: UnitId,
        files: &[FileId],
        newer: &[FileId],
        look: Look,
    ) -> impl Future<Output = Event> + use<> {
        let place = Arc::clone(&self.units[unit.0].place);
        let newer: HashSet<FileId> = newer.iter().copied().collect();
        let expected = |&file: &FileId| {
            let made = self.renderings[file.0].as_ref().filter(|_| !newer.contains(&file));
            let (bytes, writes) =
                made.map_or((None, Vec::new()), |made| (Some(made.bytes.clone()), made.writes.clone()));
            Some((file, member(self.file(file)?, bytes), writes))
        };
        let expected: Vec<_> = files.iter().filter_map(expected).collect();
        let apart = self.on_disk || files.len() >= MANY;
        let inspect = move || {
            let mut place = place.lock().unwrap_or_else(PoisonError::into_inner);
            place.inspect(expected, look).map_err(Ending::from)
        };
        async move {
            let result =
                if apart { Apart::begin(inspect).outcome("a look at the files").await } else { inspect() };
            Event::Inspected { unit, result }
        }
    }
}

impl Destination {
    fn inspect(
        &mut self,
        expected: Vec<(FileId, Member, Vec<Write>)>,
        look: Look,
    ) -> Result<BTreeMap<FileId, event::Loss>, PublishError> {
        let mut lost = BTreeMap::new();
        let (mut ids, mut members) = (Vec::new(), Vec::new());
        for (file, member, writes) in expected {
            lost.extend(self.written.inspect(&writes, look)?.map(|loss| (file, loss)));
            ids.push(file);
            members.push(member);
        }
        lost.extend(self.target.inspect(&members, look)?.into_iter().map(|(index, loss)| (ids[index], loss)));
        let told = |loss| match loss {
            Loss::Gone => event::Loss::Gone,
            Loss::Changed => event::Loss::Changed,
        };
        Ok(lost.into_iter().map(|(file, loss)| (file, told(loss))).collect())
    }
}

impl Where {
    fn open(plan: &Plan, files: &[FileId]) -> Result<Self, PublishError> {
        match &plan.files[files[0].0].target {
            Target::Member(_) => {
                let dir = plan.secrets_dir.as_deref().expect("checked: relative files have a folder");
                Set::open(dir, plan.dir_mode, plan.require_tmpfs).map(Self::Set)
            }
            target if target.is_nowhere() => Ok(Self::Device),
            Target::Alone(path) => match SingleFile::open(path, plan.dir_mode, plan.require_tmpfs) {
                Err(error) if error.is_a_device() => Ok(Self::Device),
                opened => opened.map(Self::Alone),
            },
        }
    }

    /// Returns the indices of the `members` that are not there as published.
    fn inspect(&mut self, members: &[Member], look: Look) -> Result<Vec<(usize, Loss)>, PublishError> {
        match (self, members) {
            (Self::Set(set), _) => set.inspect(members, look),
            (Self::Alone(file), [Member { content, attributes, .. }]) => {
                let bytes = match content {
                    Content::Bytes(bytes) => Some(bytes),
                    Content::Keep => None,
                };
                let loss = file.inspect(bytes, attributes, look)?;
                Ok(loss.into_iter().map(|loss| (0, loss)).collect())
            }
            // The variables of a process are in memory, and a device is never ours.
            (Self::Environment(_) | Self::Alone(_) | Self::Device, _) => Ok(Vec::new()),
        }
    }

    /// Adds an absolute file that was just published to the list.
    fn note(&self, members: &[Member], ledger: &Ledger) {
        if let (Self::Alone(file), [Member { content: Content::Bytes(bytes), path, .. }]) = (self, members) {
            ledger.note(path, file, bytes);
        }
    }

    fn publish(&mut self, members: &[Member]) -> Result<publish::Published, PublishError> {
        match (self, members) {
            (Self::Set(set), _) => set.at(clock::now().wall).publish(members).map_err(|error| {
                let folder = error.path.parent().map(Path::to_owned).unwrap_or_default();
                error.named(&folder)
            }),
            (Self::Environment(variables), _) => {
                variables.lock().unwrap_or_else(PoisonError::into_inner).publish(members)
            }
            (Self::Alone(file), [Member { content: Content::Bytes(bytes), attributes, path }]) => {
                file.publish(bytes, attributes).map_err(|error| error.named(path))
            }
            (Self::Alone(_) | Self::Device, _) => {
                Ok(publish::Published { generation: 0, changed: Vec::new(), aftermath: None })
            }
        }
    }
}

/// Returns where a run with `plan` publishes.
#[must_use]
pub fn wanted(plan: &Plan) -> Wanted<'_> {
    let alone = plan.files.iter().filter_map(|file| match &file.target {
        target if target.is_nowhere() => None,
        Target::Alone(path) => Some(path.as_path()),
        Target::Member(_) => None,
    });
    let (dir_mode, require_tmpfs) = (plan.dir_mode, plan.require_tmpfs);
    Wanted { set: plan.set_folder(), alone: alone.collect(), dir_mode, require_tmpfs }
}

fn member(file: &FilePlan, bytes: Option<Secret>) -> Member {
    let path: &Path = match &file.target {
        Target::Member(path) | Target::Alone(path) => path,
    };
    Member {
        path: path.to_owned(),
        content: bytes.map_or(Content::Keep, Content::Bytes),
        attributes: Attributes { mode: file.mode, uid: file.uid, gid: file.gid },
    }
}
