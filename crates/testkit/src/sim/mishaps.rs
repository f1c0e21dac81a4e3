//! What a fault does to the world when it begins and when it is mended.

use std::time::Duration;

use leasehold_core::event::{Event, Loss};
use leasehold_core::ids::FileId;

use super::MINUTE;
use super::cluster::{Api, LEASE, PATIENT, Step};
use super::faults::Fault;
use super::handoff;
use super::server::Health;
use super::setup::Kind;
use super::world::{Next, World};

impl World {
    pub fn begin(&mut self, fault: Fault, lasts: Duration) -> Result<(), String> {
        self.log(|| format!("-- {fault:?} for {lasts:?}"));
        let now = self.now;
        match &fault {
            Fault::Change(path) => {
                let path = self.server.paths.get_mut(path).expect("it is known");
                if matches!(path.kind, Kind::Static { .. }) {
                    path.rotate(now);
                } else {
                    path.version += 1;
                    path.changed = now;
                }
                return Ok(());
            }
            Fault::StoreChange(path) => {
                self.change_in_store(path);
                return Ok(());
            }
            Fault::Refresh => return self.give(Event::Refresh),
            Fault::Lost { file, link, how } => {
                self.lose_files(*file, *link, *how);
                return Ok(());
            }
            Fault::Reload if self.asleep > self.now => {
                let wait = self.asleep - self.now;
                self.push(wait, Next::Begin(fault, lasts));
                return Ok(());
            }
            Fault::Reload => return self.give(Event::Yield),
            Fault::Restart(_) if self.asleep > self.now => {
                let wait = self.asleep - self.now;
                self.push(wait, Next::Begin(fault, lasts));
                return Ok(());
            }
            Fault::Restart(patience) => return self.restart(*patience),
            Fault::KillAtWrite { after, written } => self.doom = Some((*after, *written)),
            Fault::Kill | Fault::KillAndForget => {
                self.kill(fault == Fault::KillAndForget, Duration::from_secs(1));
            }
            Fault::Reboot(takes) => {
                self.misled = true;
                self.kill(false, *takes);
                // How long ago it was refused the next run cannot tell, and takes it for just now.
                self.server.turned_away = self.server.turned_away.map(|_| now + *takes);
                self.boot.ahead += Duration::from_secs(1 + self.dice.below(1_000_000));
            }
            Fault::WallJump(by) => self.wall += by,
            Fault::Suspend(time) => self.asleep = self.asleep.max(now + *time),
            Fault::TokensRevoked => {
                self.meddled = true;
                let all: Vec<u64> = self.server.tokens.keys().copied().collect();
                all.into_iter().for_each(|id| self.server.kill(id));
            }
            Fault::LeasesRevoked => {
                self.server.leases.values_mut().for_each(|lease| {
                    lease.revoked.get_or_insert(now);
                });
            }
            _ => {
                self.misled |= fault.misleads();
                self.spoil(&fault, true);
                if fault == Fault::Api(Api::Away) {
                    self.push(PATIENT, Next::Kubernetes(Step::LoseLease));
                }
                self.faults.push(fault.clone());
                self.push(lasts, Next::End(fault));
                self.apply();
                return Ok(());
            }
        }
        self.disturbed(self.now.max(self.asleep));
        Ok(())
    }

    /// Removes or changes a file that is there, or removes everything that a link leads to, as another process does.
    fn lose_files(&mut self, file: u64, link: bool, how: Loss) {
        let variable = |file: &FileId| self.setup.is_variable(*file);
        let there: Vec<FileId> = self.disk.files.keys().filter(|file| !variable(file)).copied().collect();
        let Some(index) = file.checked_rem(there.len() as u64) else { return };
        let file = there[usize::try_from(index).expect("small")];
        if self.setup.cluster.is_some() {
            return self.meddle_with(self.setup.unit_of(file), how);
        }
        let with = |other: &FileId| *other == file || link && file.0.max(other.0) < self.setup.members;
        for file in there.iter().filter(|file| with(file)) {
            self.disk.lost.insert(*file, if link { Loss::Gone } else { how });
            self.checks.note_loss(*file, self.now);
        }
    }

    /// Looks at what is published, as happens every minute, and plans the next look.
    pub fn look(&mut self) -> Result<(), String> {
        self.push(MINUTE, Next::Look);
        if self.asleep > self.now { Ok(()) } else { self.give(Event::Look) }
    }

    /// Starts a new engine, which goes on from the snapshot of the old engine as soon as that is at rest.
    pub fn hand_over(&mut self) -> Result<(), String> {
        if !self.process.as_ref().is_some_and(|process| process.engine.has_yielded()) {
            return Ok(());
        }
        // What is being rendered or told ends, and nobody hears of it.
        let run = self.next_run();
        let Some(process) = &mut self.process else { return Ok(()) };
        let snapshot = process.reconfigure(&self.setup, run);
        // Its first rendering is awaited, and whoever asks for a new start gets a login at once.
        self.disturbed(self.now);
        self.checks.forget_logins();
        self.log(|| "-- another engine goes on".to_owned());
        self.give(Event::Start { kept: Some(snapshot), rebooted: false })?;
        // A changed definition is nobody's wish to look at all of them.
        if self.setup.cluster.is_some() { Ok(()) } else { self.give(Event::Refresh) }
    }

    /// Restarts the process: it is told to stop, and killed if it takes longer than `patience`.
    fn restart(&mut self, patience: Duration) -> Result<(), String> {
        let Some(process) = self.process.as_mut().filter(|process| !process.stopping) else { return Ok(()) };
        process.stopping = true;
        process.restarting = true;
        let run = process.run;
        if self.leaves_its_leases() {
            self.kill(false, patience);
            return Ok(());
        }
        self.push(patience, Next::Kill { run });
        self.give(Event::Stop { at_once: true })
    }

    /// Notes that a write of the handoff begins. If the process is killed at this write, returns whether the write is
    /// on disk by then.
    pub fn doomed(&mut self) -> Option<bool> {
        let (left, written) = self.doom?;
        self.doom = left.checked_sub(1).map(|left| (left, written));
        self.doom.is_none().then_some(written)
    }

    /// Kills the process, which is started again after `pause`. If `forget` is true, its handoff is lost.
    pub fn kill(&mut self, forget: bool, pause: Duration) {
        // What a run that has ended left is lost with its handoff, too.
        let mut lost = forget && self.handoff.take().is_some();
        if let Some(process) = self.process.take() {
            self.over |= process.stopping && !process.restarting;
            // Another replica leads when the Lease of this one is over.
            let pause = pause + if self.setup.cluster.is_some() { LEASE } else { Duration::ZERO };
            self.push(pause, Next::StartProcess(process.mode));
            // A login under way may be refused, and nobody hears of it.
            lost |= forget || !self.setup.handoff || self.unsaved || process.logging_in;
            // Or what was minted while it was stopping, and is written down at the end.
            lost |= !handoff::has_every_lease(self.handoff.as_ref(), &process);
        }
        self.checks.note_kill(lost);
    }

    pub fn end(&mut self, fault: &Fault) -> Result<(), String> {
        self.log(|| format!("-- mended: {fault:?}"));
        self.spoil(fault, false);
        if *fault == Fault::Api(Api::Away) {
            self.cluster.back = self.now;
        }
        if let Some(index) = self.faults.iter().position(|on| on == fault) {
            self.faults.remove(index);
        }
        self.apply();
        let now = self.now.max(self.asleep);
        if fault.is_of_stores() {
            self.calm = now
        } else {
            self.disturbed(now)
        }
        if *fault != Fault::CredentialsStale {
            return Ok(());
        }
        self.checks.delivered(self.now);
        self.give(Event::CredentialsChanged)
    }

    /// Makes a KV value bad, or good again, if the fault does that. Either is a new version of the value.
    fn spoil(&mut self, fault: &Fault, bad: bool) {
        if let Fault::BadData(path) = fault {
            let path = self.server.paths.get_mut(path).expect("it is known");
            path.version += 1;
            path.changed = self.now;
            path.bad = bad;
        }
    }

    /// Applies the faults that are on to the server and the stores.
    fn apply(&mut self) {
        let (faults, server) = (&self.faults, &mut self.server);
        server.health = faults
            .iter()
            .find_map(|fault| match fault {
                Fault::Health(health) => Some(*health),
                _ => None,
            })
            .unwrap_or(Health::Good);
        server.role = self.setup.role;
        for fault in faults {
            if let Fault::ShortTokens(ttl) = fault {
                server.role.ttl = Some(*ttl);
                server.role.max = Some(*ttl);
            }
        }
        server.refuses_logins =
            faults.iter().any(|fault| matches!(fault, Fault::LoginsRefused | Fault::CredentialsStale));
        server.denies_all = faults.contains(&Fault::AllDenied);
        server.renews_no_tokens = faults.contains(&Fault::TokensStuck);
        server.wrapping_stolen = faults.contains(&Fault::WrappingStolen);
        server.forgets_leases = faults.contains(&Fault::LeasesForgotten);
        server.kv1 = faults.contains(&Fault::Downgraded);
        super::stores::apply(faults, &mut self.stores, self.now);
        for (name, path) in &mut server.paths {
            path.denied = faults.contains(&Fault::Denied(name.clone()));
            path.missing = faults.contains(&Fault::Missing(name.clone()));
            path.broken = faults.iter().find_map(|fault| match fault {
                Fault::Broken(path, kind) if path == name => Some(*kind),
                _ => None,
            });
        }
    }
}
