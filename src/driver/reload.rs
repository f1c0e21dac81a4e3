//! What changes while we run: the files that the connection and the login depend on, and with HUP the
//! configuration itself.

use std::sync::Arc;

use sha2::{Digest as _, Sha256};

use super::Driver;
use super::files::Files;
use crate::config::plan::Plan;
use crate::core::Agent;
use crate::core::event::Event;
use crate::core::policy::Policy;
use crate::core::snapshot::Snapshot;
use crate::exit::{Cause, Ending};

impl Driver {
    /// Watched files changed, or may have.
    pub(super) fn look_at_files(&mut self) -> Option<Event> {
        self.reload_tls();
        self.reload_listener();
        self.credentials.look().then_some(Event::CredentialsChanged)
    }

    fn reload_tls(&mut self) {
        match self.client.reload() {
            Ok(false) => {}
            Ok(true) => {
                tracing::info!("TLS files changed: new connections use them");
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
                self.watch();
            }
            Err(why) => tracing::warn!("the files of `listen_tls` changed but the old ones stay: {why}"),
        }
    }

    /// HUP: the same engine with a new policy, going on from its own snapshot.
    pub(super) fn reload(&mut self) -> Event {
        self.voice.reloading();
        self.reload_tls();
        self.reload_listener();
        self.client.forget_mounts();
        match self.reconfigured() {
            Ok(snapshot) => {
                tracing::info!("configuration read again");
                self.backlog.push_back(Event::Refresh);
                Event::Start { kept: Some(snapshot), rebooted: false }
            }
            Err(ending) => {
                tracing::error!("the configuration stays as it was: {}", ending.what);
                Event::Refresh
            }
        }
    }

    fn reconfigured(&mut self) -> Result<Snapshot, Ending> {
        let plan = Arc::new((self.surroundings.reread)()?);
        if plan.vault != self.plan.vault || plan.auth != self.plan.auth || plan.handoff != self.plan.handoff {
            let what = "`vault`, `auth` or `handoff` changed, which takes a restart";
            return Err(Ending::new(Cause::Config, what, "restart leasehold"));
        }
        let policy = Policy::new(&plan, self.mode, seed(&plan, &self.surroundings.pod));
        self.files = Files::open(Arc::clone(&plan), &policy, self.surroundings.environment.clone())?;
        self.keeper.rebind(&plan);
        self.surroundings.log.set_level(plan.log.level);
        let place = |plan: &Plan| (plan.listen.clone(), plan.listen_tls.clone(), plan.log.format);
        if place(&plan) != place(&self.plan) {
            let keys = "`listen`, `listen_tls` or `log.format`";
            tracing::warn!("{keys} changed, which takes a restart; the rest is in force");
        }
        self.plan = plan;
        // What is under way was asked by the old agent, whose numbers mean nothing to the new one.
        self.requests.disown();
        let snapshot = self.agent.snapshot();
        self.agent = Agent::new(policy);
        Ok(snapshot)
    }
}

/// Spreads pods apart, and stays the same for one pod.
pub(super) fn seed(plan: &Plan, pod: &str) -> u64 {
    let mut hash = Sha256::new();
    hash.update(plan.digest);
    hash.update(pod);
    let hash = hash.finalize();
    u64::from_le_bytes(hash[..8].try_into().expect("a SHA-256 has more than 8 bytes"))
}
