//! Kubernetes in place of a disk. A unit is a Secret. The API server accepts a write of it only under the version that
//! was read. The server may be away, its answers may be lost, and changes by other clients are seen with a lag. This
//! file also has a small model of what `leasehold-kubernetes sync` does around the engine: its records, its looks, its
//! restarts of workloads, and its ends.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use leasehold_base::exit::{Cause, Ending};
use leasehold_core::event::{Event, Loss, Published, Unpublished};
use leasehold_core::ids::{FileId, UnitId};

use super::dice::Dice;
use super::driver::Content;
use super::faults::{Fault, Planned};
use super::setup::Setup;
use super::world::{Next, World};
use super::{MINUTE, secs};

/// The life of a leader's Lease.
pub const LEASE: Duration = secs(15);
/// After this time, a leader that cannot renew its Lease ends.
pub const PATIENT: Duration = secs(10);
/// Why a write failed that may have been done nevertheless.
const UNHEARD: &str = "the answer is lost";

/// How this world's controller is run.
#[derive(Debug, Clone, Copy)]
pub struct ClusterSetup {
    /// Whether the controller ends when it cannot renew its Lease.
    pub elects: bool,
    /// How long it takes to restart the workloads that read a Secret.
    pub rollout: Duration,
}

impl ClusterSetup {
    /// Draws how the controller is run, for the worlds that have one. The function has dice of its own, so that the
    /// other worlds stay as they were.
    pub fn random(seed: u64) -> Option<Self> {
        let mut own = Dice::new(seed ^ 0xc1_057e);
        own.chance(40).then(|| Self { elects: own.chance(50), rollout: secs(own.pick(&[0, 0, 20, 90])) })
    }
}

/// What is wrong with the API server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Api {
    /// It does not answer.
    Away,
    /// Half of the time, another client changes a Secret first.
    Conflicts,
    /// It writes or does not write, and its answer is lost.
    Unheard,
    /// Watches are late by this much.
    Lags(Duration),
}

/// A Secret on its way to the API server.
#[derive(Debug, Clone)]
pub struct Write {
    unit: UnitId,
    files: BTreeMap<FileId, Content>,
    /// The version of the Secret as it was read.
    version: u64,
}

/// What happens next in the cluster.
#[derive(Debug, Clone)]
pub enum Step {
    /// A write arrives.
    Write { run: u64, write: Write },
    /// A Secret is compared with what was published.
    Compare { run: u64, unit: UnitId, files: Vec<FileId> },
    /// A watch reports a version of a Secret, or that the Secret is gone.
    Seen { unit: UnitId, version: u64, gone: bool },
    /// The leader could not renew its Lease.
    LoseLease,
}

/// A Secret as the process has written or compared it.
#[derive(Debug)]
struct Record {
    files: BTreeMap<FileId, Content>,
    version: u64,
    /// The time of the change for which its readers still have to be restarted.
    owed: Option<Duration>,
    /// It was found changed or gone, and is not published again yet.
    lost: bool,
    /// A later write had no answer, so it may have other values.
    unsure: bool,
}

/// The Secrets' versions, and what the controller knows of them.
#[derive(Debug, Default)]
pub struct Cluster {
    versions: BTreeMap<UnitId, u64>,
    /// When the values of a Secret changed last, as the Secret notes it.
    notes: BTreeMap<UnitId, Duration>,
    records: BTreeMap<UnitId, Record>,
    /// The units that had a Secret before the process began.
    known: BTreeSet<UnitId>,
    /// The newest version of each Secret that a watch has reported.
    seen: BTreeMap<UnitId, u64>,
    /// How many requests about each Secret are under way.
    busy: BTreeMap<UnitId, u32>,
    /// The version of the deletion that a watch reported while a request was under way, by unit.
    gone: BTreeMap<UnitId, u64>,
    /// When the process last could not render all keys of each Secret.
    partial: BTreeMap<UnitId, Duration>,
    /// When the API server answered again.
    pub back: Duration,
}

impl Cluster {
    /// Replaces what the controller knows, because another process begins and lists what is there. The units in `known`
    /// had a Secret once.
    pub fn list(&mut self, known: impl Iterator<Item = UnitId>) {
        let (versions, notes) = (std::mem::take(&mut self.versions), std::mem::take(&mut self.notes));
        let (seen, known, back) = (versions.clone(), known.collect(), self.back);
        *self = Self { versions, notes, seen, known, back, ..Self::default() };
    }

    fn version(&self, unit: UnitId) -> u64 {
        self.versions.get(&unit).copied().unwrap_or_default()
    }

    /// Returns whether a later version of the Secret was seen than the one that was published.
    fn is_later(&self, unit: UnitId) -> bool {
        let published = self.records.get(&unit).map(|record| record.version);
        published.is_some_and(|published| self.seen.get(&unit).is_some_and(|seen| *seen > published))
    }

    /// Returns whether a Secret has to be looked at, now that a watch has reported a change of it. While a request
    /// about the Secret is under way, `release` decides that.
    fn drifted(&mut self, unit: UnitId, gone: Option<u64>) -> bool {
        if self.busy.contains_key(&unit) {
            self.gone.extend(gone.map(|gone| (unit, gone)));
            return false;
        }
        let later = self.is_later(unit);
        let Some(record) = self.records.get_mut(&unit) else { return false };
        let lost = gone.is_some_and(|gone| gone > record.version);
        // Another engine may take over before this one has looked.
        record.lost |= lost;
        lost || later
    }

    /// Records that a request has its answer. Returns whether the Secret has to be looked at because of what was seen
    /// meanwhile.
    fn release(&mut self, unit: UnitId) -> bool {
        match self.busy.get_mut(&unit) {
            Some(count) if *count > 1 => {
                *count -= 1;
                return false;
            }
            _ => self.busy.remove(&unit),
        };
        let gone = self.gone.remove(&unit);
        self.drifted(unit, gone)
    }
}

impl World {
    /// Records which Secrets cannot be written because one of their keys cannot be rendered.
    pub fn note_partial(&mut self) {
        let Some(process) = self.process.as_ref().filter(|_| self.setup.cluster.is_some()) else { return };
        let lacks = |file: &FileId| !process.renderings.contains_key(file) || process.failing.contains(file);
        let all = (0..self.setup.files.len()).map(FileId).filter(lacks);
        let partial: Vec<UnitId> = all.map(|file| self.setup.unit_of(file)).collect();
        self.cluster.partial.extend(partial.into_iter().map(|unit| (unit, self.now)));
    }

    /// Returns whether a file waits, or has recently waited, for another key of its Secret.
    pub fn waits_for_others(&self, file: FileId) -> bool {
        let partial = self.cluster.partial.get(&self.setup.unit_of(file));
        partial.is_some_and(|at| *at + MINUTE > self.now)
    }

    /// Returns whether this is wrong with the API server.
    pub fn has(&self, api: Api) -> bool {
        self.faults.contains(&Fault::Api(api))
    }

    /// Returns how long a notification takes.
    pub fn rollout(&self) -> Duration {
        self.setup.cluster.map_or(Duration::ZERO, |cluster| cluster.rollout)
    }

    /// Returns how long a start waits: for the machine to be awake, or for an API server that says which replica leads.
    pub(super) fn waits_to_start(&self) -> Option<Duration> {
        let away = self.setup.cluster.is_some() && self.has(Api::Away);
        if self.asleep > self.now { Some(self.asleep - self.now) } else { away.then_some(secs(2)) }
    }

    /// Returns whether an orderly end leaves its leases to expire. That is so without a handoff, because Secrets have
    /// these leases until the next leader has others.
    pub(super) fn leaves_its_leases(&self) -> bool {
        let Some(process) = self.process.as_ref().filter(|_| self.setup.cluster.is_some()) else {
            return false;
        };
        let kept = process.engine.snapshot();
        let leased = !kept.retiring.is_empty() || kept.secrets.iter().any(|secret| secret.lease.is_some());
        leased && !self.setup.handoff
    }

    /// Changes or deletes a Secret, as another client does.
    pub(super) fn meddle_with(&mut self, unit: UnitId, how: Loss) {
        let files: Vec<FileId> = self.setup.files_of(unit).collect();
        for file in files.into_iter().filter(|file| self.disk.files.contains_key(file)) {
            self.disk.lost.insert(file, how);
            self.checks.note_loss(file, self.now);
        }
        if how == Loss::Gone {
            // With all that it notes.
            self.cluster.notes.remove(&unit);
        }
        self.changes(unit, how == Loss::Gone);
    }

    /// Gives a Secret another version, which watches report later.
    fn changes(&mut self, unit: UnitId, gone: bool) {
        let version = self.cluster.version(unit) + 1;
        self.cluster.versions.insert(unit, version);
        let late = self.faults.iter().find_map(|fault| match fault {
            Fault::Api(Api::Lags(late)) => Some(*late),
            _ => None,
        });
        let wait = late.unwrap_or_else(|| self.dice.millis(1, 1500));
        self.push(wait, Next::Kubernetes(Step::Seen { unit, version, gone }));
    }

    /// Sends a write of a unit's Secret. Reports the outcome at once if a key is missing, or if the Secret is known to
    /// have these values.
    pub(super) fn publish_secret(&mut self, unit: UnitId, files: BTreeMap<FileId, Content>) {
        let Some(run) = self.process.as_ref().map(|process| process.run) else { return };
        if files.len() < self.setup.files_of(unit).count() {
            let why =
                Ending::new(Cause::Missing, "a key cannot be had yet, and a Secret is written whole", "");
            return self.tell_later(Duration::ZERO, Event::Published { unit, result: Err(why.into()) });
        }
        let cluster = &mut self.cluster;
        let same = cluster
            .records
            .get(&unit)
            .is_some_and(|record| record.files == files && !record.lost && !record.unsure);
        if same && !cluster.is_later(unit) {
            let result = Ok(Published { generation: 2, changed: Vec::new() });
            return self.tell_later(Duration::ZERO, Event::Published { unit, result });
        }
        *cluster.busy.entry(unit).or_default() += 1;
        let write = Write { unit, files, version: cluster.version(unit) };
        let wait = self.way();
        self.push(wait, Next::Kubernetes(Step::Write { run, write }));
    }

    /// Returns how long a request to the API server takes, whether it is answered or not.
    fn way(&mut self) -> Duration {
        let hangs = self.has(Api::Away) && self.dice.chance(50);
        if hangs { secs(10) } else { self.dice.millis(1, 60) }
    }

    /// Compares a Secret, if more is asked than a watch has reported. Otherwise, the answer is what is known already.
    pub(super) fn inspect_secret(&mut self, unit: UnitId, files: Vec<FileId>, thorough: bool) {
        let Some(run) = self.process.as_ref().map(|process| process.run) else { return };
        let record = self.cluster.records.get(&unit);
        if !thorough || record.is_none() {
            // What was found to be lost is lost until it is published again.
            let lost = record.is_some_and(|record| record.lost);
            let loss = if self.cluster.seen.contains_key(&unit) { Loss::Changed } else { Loss::Gone };
            let files = files.into_iter().filter(|_| lost);
            let result = Ok(files.map(|file| (file, loss)).collect());
            return self.tell_later(Duration::ZERO, Event::Inspected { unit, result });
        }
        *self.cluster.busy.entry(unit).or_default() += 1;
        let wait = self.way();
        self.push(wait, Next::Kubernetes(Step::Compare { run, unit, files }));
    }

    pub(super) fn kubernetes(&mut self, step: Step) {
        match step {
            Step::Write { run, write } => self.write_secret(run, write),
            Step::Compare { run, unit, files } => self.compare_secret(run, unit, &files),
            Step::Seen { .. } if self.has(Api::Away) || self.asleep > self.now => {
                self.push(secs(1), Next::Kubernetes(step));
            }
            Step::Seen { unit, version, gone } => {
                if gone {
                    self.cluster.seen.remove(&unit);
                } else {
                    self.cluster.seen.insert(unit, version);
                }
                let drifted = self.cluster.drifted(unit, gone.then_some(version));
                self.look_where(drifted, unit);
            }
            Step::LoseLease => {
                let elects = self.setup.cluster.is_some_and(|cluster| cluster.elects);
                if elects && self.has(Api::Away) && self.process.is_some() {
                    self.log(|| "-- the Lease is lost".to_owned());
                    self.kill(false, Duration::ZERO);
                    self.disturbed(self.now);
                }
            }
        }
    }

    fn look_where(&mut self, so: bool, unit: UnitId) {
        if so {
            self.tell_later(Duration::ZERO, Event::LookAt(unit));
        }
    }

    fn is_run(&self, run: u64) -> bool {
        self.process.as_ref().is_some_and(|process| process.run == run)
    }

    /// Returns whether the Secret is there with these values.
    fn holds(&self, files: &BTreeMap<FileId, Content>) -> bool {
        let is_good = |(file, content): (&FileId, &Content)| {
            self.disk.files.get(file) == Some(content) && !self.disk.lost.contains_key(file)
        };
        files.iter().all(is_good)
    }

    fn write_secret(&mut self, run: u64, write: Write) {
        let heard = self.is_run(run);
        // What a process that is gone had sent may arrive.
        if !heard && !self.dice.chance(50) {
            return;
        }
        let unit = write.unit;
        let (files, was_there) = (write.files.clone(), self.is_there(unit));
        let record = self.cluster.records.get(&unit);
        // What readers have of a Secret that is gone, as far as this process knows: nothing, these values, or others.
        let had = record.is_some() || self.cluster.known.contains(&unit);
        let note = match record {
            Some(record) if record.files == files && !record.unsure => record.owed,
            _ => had.then_some(self.now),
        };
        let result = self.take(write, note);
        if !heard {
            // It may have met a conflict.
            if let Ok(true) = result {
                self.checks.note_late(&files);
            }
            return;
        }
        let result = result.map(|wrote| {
            let (version, owed) = (self.cluster.version(unit), self.owed(unit, &files));
            let is_news = wrote || owed.is_some();
            let changed = if is_news { files.keys().copied().collect() } else { Vec::new() };
            self.cluster.records.insert(unit, Record { files, version, owed, lost: false, unsure: false });
            Published { generation: if wrote && !was_there && !had { 1 } else { 2 }, changed }
        });
        if let (Err(UNHEARD), Some(record)) = (&result, self.cluster.records.get_mut(&unit)) {
            record.unsure = true;
        }
        let result = result.map_err(|why| Unpublished {
            why: Ending::new(Cause::Destination, why, ""),
            may_be_visible: why == UNHEARD,
        });
        self.tell_later(Duration::ZERO, Event::Published { unit, result });
        let drifted = self.cluster.release(unit);
        self.look_where(drifted, unit);
    }

    fn is_there(&self, unit: UnitId) -> bool {
        let gone = |file: FileId| self.disk.lost.get(&file) == Some(&Loss::Gone);
        self.setup.files_of(unit).any(|file| self.disk.files.contains_key(&file) && !gone(file))
    }

    /// Returns the time of the change for which the readers of a Secret were not restarted, as the Secret notes it.
    fn owed(&self, unit: UnitId, files: &BTreeMap<FileId, Content>) -> Option<Duration> {
        let note = *self.cluster.notes.get(&unit)?;
        let told = |file: &FileId| {
            let notifier = self.setup.notifier_of(*file);
            notifier.is_none_or(|notifier| self.told.get(&notifier).is_some_and(|told| *told >= note))
        };
        (!files.keys().all(told)).then_some(note)
    }

    /// Writes a Secret as the API server does, if it differs from what is there. Returns whether it did.
    fn take(&mut self, write: Write, note: Option<Duration>) -> Result<bool, &'static str> {
        let Write { unit, files, version } = write;
        if self.has(Api::Away) {
            return Err("the API server does not answer");
        }
        if self.holds(&files) {
            return Ok(false);
        }
        if self.faults.contains(&Fault::DiskFull) {
            return Err("the API server does not write the Secret (403)");
        }
        let quicker = self.has(Api::Conflicts) && self.dice.chance(50);
        if quicker || version != self.cluster.version(unit) {
            return Err("the Secret was changed at the same moment; it is compared again");
        }
        // Half of what has no answer is not done.
        if self.has(Api::Unheard) && self.dice.chance(50) {
            return Err(UNHEARD);
        }
        self.totals.publishes += 1;
        // Nobody reads other values than the first ones.
        let told = self.disk.generations.contains_key(&unit).then_some(self.now);
        let (was_there, before) = (self.is_there(unit), self.disk.files.clone());
        let differs = files.iter().any(|(file, content)| before.get(file) != Some(content));
        self.disk.publish(unit, files, told);
        let note = if was_there { differs.then_some(self.now) } else { note };
        self.cluster.notes.extend(note.map(|note| (unit, note)));
        self.changes(unit, false);
        if self.has(Api::Unheard) { Err(UNHEARD) } else { Ok(true) }
    }

    fn compare_secret(&mut self, run: u64, unit: UnitId, files: &[FileId]) {
        if !self.is_run(run) {
            return;
        }
        let lost = |loss: Loss| files.iter().map(|file| (*file, loss)).collect::<BTreeMap<_, _>>();
        let published = self.cluster.records.get(&unit).map(|record| record.files.clone());
        let result = match published {
            _ if self.has(Api::Away) => Err(Ending::new(Cause::Destination, "no answer", "")),
            Some(content) if self.holds(&content) => Ok(BTreeMap::new()),
            _ if self.is_there(unit) => Ok(lost(Loss::Changed)),
            _ => Ok(lost(Loss::Gone)),
        };
        let version = self.cluster.version(unit);
        if let Some(record) = self.cluster.records.get_mut(&unit) {
            record.lost = !matches!(&result, Ok(lost) if lost.is_empty());
            if !record.lost {
                record.version = version;
            }
        }
        self.tell_later(Duration::ZERO, Event::Inspected { unit, result });
        let drifted = self.cluster.release(unit);
        self.look_where(drifted, unit);
    }
}

/// Plans failures of the API server, and changes of definitions. Each change of a definition starts another engine.
pub fn plan(setup: &Setup, all: &mut Vec<Planned>) {
    if setup.cluster.is_none() || setup.faults == 0 {
        return;
    }
    let mut own = Dice::new(setup.seed ^ 0xc1_057f);
    let span = setup.trouble.as_secs() * 700;
    for _ in 0..=own.below(3) {
        let api = match own.below(4) {
            0 => Api::Away,
            1 => Api::Conflicts,
            2 => Api::Unheard,
            _ => Api::Lags(own.seconds(2, 30)),
        };
        let most = own.pick(&[5, 60, 600]);
        all.push(Planned { at: own.millis(0, span), lasts: own.seconds(1, most), fault: Fault::Api(api) });
    }
    let mut at = own.millis(0, span);
    for _ in 0..own.below(6) {
        all.push(Planned { at, lasts: Duration::ZERO, fault: Fault::Reload });
        at += own.pick(&[Duration::from_millis(100), secs(1), secs(60)]);
    }
}
