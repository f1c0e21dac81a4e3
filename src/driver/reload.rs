//! Handles changes while we run: of the files that the connection and the login depend on, and on HUP of the
//! configuration itself.

use std::sync::Arc;

use sha2::{Digest as _, Sha256};

use super::Driver;
use super::apart::Apart;
use super::child::{self, ChildProcess};
use super::files::{Files, MANY, wanted};
use super::folder::Folder;
use super::reopening::Opened;
use crate::config::plan::{AuthMethod, Listen, ListenTls, LogFormat, Plan, Sandbox};
use crate::core::Engine;
use crate::core::event::Event;
use crate::core::policy::{FirstReady, Policy};
use crate::core::snapshot::Snapshot;
use crate::exit::{Cause, Ending};
use crate::observe::clock;

impl Driver {
    /// Handles that watched files changed, or may have.
    pub(super) fn look_at_files(&mut self) -> Option<Event> {
        let changed = self.look_at_credentials();
        // A change is noticed once, so this look must not be left out because the last one was a moment ago.
        let look = if self.folder.has_changed(clock::moment()) { Event::FolderChanged } else { Event::Look };
        self.reload_listener();
        self.look_at_own_certificates(false);
        self.claim_again();
        if changed {
            self.backlog.push_back(Event::UsedUp(self.client.is_used_up()));
        }
        let news = match (self.certificate.take(), changed) {
            (true, _) => Event::CertificateChanged,
            (false, true) => Event::CredentialsChanged,
            // Without an event the loop goes on waiting, so this one must be returned and not only queued.
            (false, false) => return Some(look),
        };
        self.backlog.push_back(look);
        Some(news)
    }

    /// Returns whether the credentials have changed. A client certificate counts once the connection has it.
    fn look_at_credentials(&mut self) -> bool {
        let changed = self.credentials.look();
        self.certificate.touched |= changed && matches!(self.plan.auth.method, AuthMethod::Cert { .. });
        self.reload_tls();
        changed
    }

    /// Claims the folders again. A folder may be another one by now, and then what is published there has to be
    /// claimed as well. If the folder cannot be opened, the next publish reports that.
    fn claim_again(&mut self) {
        // What another configuration is to publish is claimed, too, until it is known whether that takes over.
        if self.reopening.is_wanted() {
            return;
        }
        let plan = Arc::clone(&self.plan);
        let wanted = wanted(&plan);
        if let Err(error) = self.surroundings.claims.hold(&wanted)
            && error.is_held_elsewhere()
        {
            tracing::warn!("{error}");
        }
        self.surroundings.claims.keep_only(&wanted);
    }

    fn reload_tls(&mut self) {
        match self.client.reload() {
            Ok(false) => {}
            Ok(true) => {
                tracing::info!("TLS files changed: new connections use them");
                self.certificate.taken = self.certificate.touched;
                self.look_at_own_certificates(true);
                self.watch();
            }
            Err(failure) => {
                tracing::warn!("TLS files changed but cannot be used, the old ones stay: {failure}")
            }
        }
    }

    fn reload_listener(&mut self) {
        let Some(tls) = &self.listen_tls else { return };
        match tls.reload() {
            Ok(false) => {}
            Ok(true) => {
                tracing::info!("the files of `listen_tls` changed: new connections use them");
                self.look_at_own_certificates(true);
                self.watch();
            }
            Err(why) => tracing::warn!("the files of `listen_tls` changed but the old ones stay: {why}"),
        }
    }

    /// Handles HUP: the configuration is read again. The engine goes on meanwhile.
    pub(super) fn reload(&mut self) {
        self.voice.reloading();
        self.look_at_credentials();
        self.reload_listener();
        self.client.forget_mounts();
        self.rereading.begin();
    }

    /// Handles that the configuration was read: the same engine gets a new policy. It goes on from its own snapshot
    /// once it has come to rest.
    pub(super) fn was_read(&mut self, read: Result<Plan, Ending>) -> Event {
        self.unseen = true;
        match read.and_then(|plan| self.admitted(plan)) {
            Ok(plan) => {
                self.reload_error = None;
                self.successor = Some(plan);
                Event::Yield
            }
            Err(ending) => {
                self.stays(&ending);
                Event::Refresh
            }
        }
    }

    /// Returns the plan if this process can go on with it.
    fn admitted(&self, plan: Plan) -> Result<Plan, Ending> {
        let changed = named([
            ("vault", plan.vault != self.plan.vault),
            ("auth", plan.auth != self.plan.auth),
            ("backends", plan.stores != self.plan.stores),
            ("handoff", plan.handoff != self.plan.handoff),
        ]);
        match changed {
            Some(keys) => {
                let what = format!("{keys} changed, which takes a restart");
                Err(Ending::new(Cause::Config, what, "restart leasehold"))
            }
            None => Ok(plan),
        }
    }

    /// Lets the new engine take over, if there is one and the old one is at rest.
    pub(super) fn hand_over(&mut self) {
        let waits = !self.backlog.is_empty() || !self.chores.is_empty() || self.keeper.is_busy();
        // A configuration that was read meanwhile waits for the opening of the one before.
        if waits || self.reopening.is_under_way() || !self.engine.has_yielded() {
            return;
        }
        if let Some(plan) = self.successor.take() {
            self.open(Arc::new(plan));
        }
        let Some(opened) = self.reopening.take() else { return };
        match opened.map(|opened| self.reconfigured(opened)) {
            Ok(snapshot) => {
                self.folder = Folder::new(self.plan.set_folder(), clock::moment());
                tracing::info!("configuration read again");
                self.rest.owe_heap();
                self.backlog.push_back(Event::Start { kept: Some(snapshot), rebooted: false });
                self.backlog.push_back(Event::UsedUp(self.client.is_used_up()));
                self.replace_exposed();
            }
            Err(ending) => {
                self.stays(&ending);
                self.backlog.push_back(Event::Resume);
            }
        }
        self.backlog.push_back(Event::Refresh);
        if self.certificate.take() {
            self.backlog.push_back(Event::CertificateChanged);
        }
    }

    fn stays(&mut self, why: &Ending) {
        tracing::error!("the configuration stays as it was: {}", why.words());
        self.reload_error = Some(why.what.clone());
    }

    /// Opens the destinations of a configuration.
    fn open(&mut self, plan: Arc<Plan>) {
        let was_ready = self.engine.was_ready();
        let first_ready = if was_ready { FirstReady::Past } else { self.voice.first_ready() };
        let policy = Policy { first_ready, ..plan.policy(self.mode, seed(&plan, &self.surroundings.pod)) };
        let room = child::room(self.child.as_ref().map(ChildProcess::parent), &plan);
        // If the rest of the plan cannot be opened, the claim was in vain, and the next look gives it up.
        let claimed = self.surroundings.claims.hold(&wanted(&plan)).map_err(Ending::from);
        let (environment, ledger) = (self.surroundings.environment.clone(), self.keeper.ledger().clone());
        self.reopening.begin(policy.units.len(), clock::moment(), move || {
            claimed?;
            let files = Files::open(Arc::clone(&plan), &policy, environment, room, ledger)?;
            Ok(Opened { plan, policy, files })
        });
    }

    fn reconfigured(&mut self, opened: Opened) -> Snapshot {
        let Opened { plan, policy, files } = opened;
        self.depart(&plan);
        self.surroundings.claims.keep_only(&wanted(&plan));
        self.keeper.rebind(&plan);
        self.surroundings.log.set_level(plan.log.level);
        if let Some(keys) = self.lasting.changed(&plan) {
            tracing::warn!("{keys} changed, which takes a restart; the rest is in force");
        }
        // Notifications under way belong to the old engine, whose numbers mean nothing to the new one.
        self.requests.disown();
        let snapshot = self.engine.snapshot();
        let files = std::mem::replace(&mut self.files, files);
        let plan = std::mem::replace(&mut self.plan, plan);
        let engine = std::mem::replace(&mut self.engine, Engine::new(policy));
        if plan.files.len() >= MANY {
            // To wipe and free that much takes a while, and nothing waits for it.
            drop(Apart::begin(move || drop((engine, files, plan))));
        }
        snapshot
    }
}

/// The client certificate that logs in. It has two files, and one may be written long before the other.
#[derive(Debug, Default)]
pub(super) struct Certificate {
    /// One of its files has changed.
    touched: bool,
    /// The connection uses it.
    taken: bool,
}

impl Certificate {
    /// Returns whether the connection has another certificate that the login does not use yet.
    fn take(&mut self) -> bool {
        let taken = self.taken;
        if taken {
            *self = Self::default();
        }
        taken
    }
}

/// What holds from the start of a process to its end, whatever the configuration says later: the socket, the shape of
/// the log, on which its readers rely, and what was given up for good.
#[derive(Debug)]
pub(super) struct Lasting {
    listen: Option<Listen>,
    listen_tls: Option<ListenTls>,
    format: LogFormat,
    sandbox: Sandbox,
}

impl Lasting {
    pub(super) fn of(plan: &Plan) -> Self {
        let (listen, listen_tls) = (plan.listen.clone(), plan.listen_tls.clone());
        Self { listen, listen_tls, format: plan.log.format, sandbox: plan.sandbox }
    }

    /// Returns the keys that differ in `plan`.
    fn changed(&self, plan: &Plan) -> Option<String> {
        named([
            ("listen", plan.listen != self.listen),
            ("listen_tls", plan.listen_tls != self.listen_tls),
            ("log.format", plan.log.format != self.format),
            ("sandbox", plan.sandbox != self.sandbox),
        ])
    }
}

/// Returns the keys that hold, as they are named in a text.
fn named<const N: usize>(keys: [(&str, bool); N]) -> Option<String> {
    let keys: Vec<String> =
        keys.into_iter().filter(|(_, holds)| *holds).map(|(key, _)| format!("`{key}`")).collect();
    (!keys.is_empty()).then(|| keys.join(", "))
}

/// Returns a seed that spreads pods apart, and stays the same for one pod.
pub(super) fn seed(plan: &Plan, pod: &str) -> u64 {
    let mut hash = Sha256::new();
    hash.update(plan.digest);
    hash.update(pod);
    let hash = hash.finalize();
    u64::from_le_bytes(hash[..8].try_into().expect("a SHA-256 has more than 8 bytes"))
}
