//! The model of the handoff on disk: a state as a whole, and a journal of what has changed since.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use leasehold_base::time::Moment;
use leasehold_core::event::{Event, Life};
use leasehold_core::ids::{LeaseId, TokenId};
use leasehold_core::snapshot::{Changes, KeptSecret, Snapshot};

use super::clock::Boot;
use super::cluster::Api;
use super::driver::{Process, Store};
use super::faults::Fault;
use super::world::World;

/// After this many lines, the state is written as a whole again.
const LINES: u32 = 7;

/// What outlives a process in the handoff, as the lines say it.
#[derive(Debug, Clone)]
pub struct Handoff {
    /// The state. It also has secrets whose lease is among the retiring ones. The reader leaves those out.
    pub snapshot: Snapshot,
    pub tokens: BTreeMap<TokenId, u64>,
    pub store: Store,
    /// The boot with whose clock it was written.
    pub boot: Boot,
    lines: u32,
}

impl Handoff {
    /// Makes a handoff of what the process has, as a whole.
    fn whole(process: &Process, boot: Boot) -> Self {
        let (snapshot, store) = (process.engine.snapshot(), process.store.clone().settled());
        Self { snapshot, tokens: process.tokens.clone(), store, boot, lines: 0 }.found()
    }

    /// Returns what the next run finds in the handoff.
    pub fn found(mut self) -> Self {
        self.snapshot.awaited.clear();
        let leaving: BTreeSet<&LeaseId> = self.snapshot.retiring.iter().map(|lease| &lease.id).collect();
        let stays =
            |secret: &KeptSecret| !secret.lease.as_ref().is_some_and(|lease| leaving.contains(&lease.id));
        self.snapshot.secrets.retain(stays);
        let secrets = &self.snapshot.secrets;
        let is_kept = |path: &String| secrets.iter().any(|secret| secret.request.path == *path);
        self.store.answers.retain(|path, _| is_kept(path));
        let ways = |secret: &KeptSecret| {
            let path = secret.request.path.clone();
            secret.written.iter().map(move |way| (way.path.clone(), path.clone())).collect::<Vec<_>>()
        };
        self.store.resolved = secrets.iter().flat_map(ways).collect();
        self
    }

    /// Appends one more line with these changes.
    fn append(&mut self, changes: &Changes, process: &Process) {
        self.lines += 1;
        self.tokens = process.tokens.clone();
        let store = process.store.clone().settled();
        let snapshot = &mut self.snapshot;
        snapshot.secrets.retain(|secret| !changes.dropped.contains(&secret.request));
        snapshot.retiring.retain(|lease| !changes.retired.contains(&lease.id));
        for secret in &changes.secrets {
            snapshot.secrets.retain(|before| before.request != secret.request);
            snapshot.secrets.push(secret.clone());
            let path = &secret.request.path;
            self.store.answers.remove(path);
            self.store.answers.extend(store.answers.get(path).map(|value| (path.clone(), value.clone())));
        }
        for lease in &changes.retiring {
            snapshot.retiring.retain(|before| before.id != lease.id);
            snapshot.retiring.push(lease.clone());
        }
        let (secrets, retiring) =
            (std::mem::take(&mut snapshot.secrets), std::mem::take(&mut snapshot.retiring));
        self.snapshot = Snapshot { secrets, retiring, ..changes.rest.clone() };
    }
}

/// Writes what has changed since the last write, as the agent does: as one more line, or as a whole.
///
/// # Errors
/// What the next run would find is not what the engine says that it has.
pub fn write(handoff: &mut Option<Handoff>, process: &mut Process, boot: Boot) -> Result<(), String> {
    let changes = process.engine.changes();
    match handoff.as_mut().filter(|kept| process.has_written && kept.lines < LINES) {
        Some(kept) => {
            kept.append(&changes, process);
            if kept.lines % 2 == 1 {
                // A line that is there twice changes nothing.
                kept.append(&changes, process);
            }
        }
        None => *handoff = Some(Handoff::whole(process, boot)),
    }
    process.has_written = true;
    let found = handoff.clone().map(|kept| kept.found().snapshot).unwrap_or_default();
    let (found, there) = (comparable(found), comparable(process.engine.snapshot()));
    if found == there { Ok(()) } else { Err(format!("the journal says {found:?} of {there:?}")) }
}

/// Returns whether the next run finds every lease that the process has.
pub fn has_every_lease(handoff: Option<&Handoff>, process: &Process) -> bool {
    let leases = |snapshot: &Snapshot| -> BTreeSet<LeaseId> {
        let held = snapshot.secrets.iter().filter_map(|secret| secret.lease.as_ref());
        held.chain(&snapshot.retiring).map(|lease| lease.id.clone()).collect()
    };
    let written = handoff.map(|kept| leases(&kept.snapshot)).unwrap_or_default();
    leases(&process.engine.snapshot()).is_subset(&written)
}

/// Returns the snapshot in a form that can be compared: in one order, and without what no line records. No line records
/// a later read of a secret that has no lease and does not end.
fn comparable(mut snapshot: Snapshot) -> Snapshot {
    for secret in &mut snapshot.secrets {
        if secret.lease.is_none() && secret.life == Life::Unknown {
            secret.read = Moment::default();
        }
        secret.written.sort();
    }
    snapshot.awaited.clear();
    snapshot.secrets.sort_by(|one, other| one.request.cmp(&other.request));
    snapshot.retiring.sort_by(|one, other| one.id.cmp(&other.id));
    snapshot
}

impl World {
    /// Writes what the engine asks to be kept. The disk may be full, and the process may be killed before or after the
    /// write.
    pub(super) fn save_handoff(&mut self) -> Result<(), String> {
        let doomed = self.doomed();
        if doomed == Some(false) {
            self.log(|| "-- killed before the write".to_owned());
            self.checks.note_kill(true);
            self.disturbed(self.now);
            self.kill(false, Duration::from_secs(1));
            return Ok(());
        }
        let wait = self.dice.millis(0, 5);
        self.unsaved = self.faults.contains(&Fault::HandoffFull) || self.has(Api::Away);
        if self.unsaved {
            if let Some(process) = &mut self.process {
                // What has changed is asked for, and is in no line.
                let _ = process.engine.changes();
                process.has_written = false;
            }
            self.tell_later(wait, Event::HandoffSaved(Err("no space left on device".to_owned())));
        } else {
            if let Some(process) = &mut self.process {
                write(&mut self.handoff, process, self.boot)?;
            }
            self.tell_later(wait, Event::HandoffSaved(Ok(())));
        }
        if doomed.is_some() {
            self.log(|| "-- killed after the write".to_owned());
            self.disturbed(self.now);
            self.kill(false, Duration::from_secs(1));
        }
        Ok(())
    }
}
