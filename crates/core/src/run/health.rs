//! The state of files and secrets, in one word each.

use crate::engine::{Engine, Phase};
use crate::files::shelf::File;
use crate::interface::ids::{FileId, SecretId};
use crate::interface::view::{Health, NextAction, Outage};
use crate::secrets::graph::{Node, Step};
use leasehold_base::time::Moment;

impl Engine {
    /// Returns how many leases of ours the server may still have.
    #[must_use]
    pub fn leases(&self) -> usize {
        let held = self.graph.iter().filter_map(|(_, node)| node.lease());
        let all = held.chain(self.retirees.iter().map(|one| &one.lease));
        all.filter(|lease| lease.latest > self.now.moment).count()
    }

    /// Returns whether the end has begun, and everything is being revoked.
    #[must_use]
    pub fn is_leaving(&self) -> bool {
        matches!(self.phase, Phase::Leaving(_) | Phase::Over)
    }

    /// Returns whether the server may still have a login of ours.
    #[must_use]
    pub fn has_login(&self) -> bool {
        !self.upstream.session.logins.is_empty()
    }

    /// Returns how many requests about a file's secrets have failed.
    pub(crate) fn failures(&self, file: &File) -> u64 {
        let alone = file.needs.difference(&file.uses);
        file.uses.iter().chain(alone).filter_map(|id| Some(self.graph.get(*id)?.failures)).sum()
    }

    pub(crate) fn outage(&self) -> Option<Outage> {
        self.upstream.breaker.outage().map(|(since, last)| Outage { since, why: last.why.clone() })
    }

    /// Returns since when there is no login to ask with, if one is needed.
    pub(crate) fn logged_out(&self) -> Option<Moment> {
        let out = self.policy.logs_in && self.upstream.session.current.is_none();
        self.upstream.session.logged_out.filter(|_| out)
    }

    /// Returns since when nothing about this secret can be asked of its server or store; `None` while it can.
    fn cut_off(&self, node: &Node) -> Option<Moment> {
        if let Some(store) = node.store {
            return self.stores.get(store)?.rest.outage().map(|(since, _)| since);
        }
        let away = self.upstream.breaker.outage().map(|(since, _)| since);
        away.into_iter().chain(self.logged_out()).min()
    }

    pub(crate) fn secret_health(&self, id: SecretId, node: &Node, now: Moment) -> Health {
        if node.held.is_none() {
            return Health::Missing;
        }
        if let Some(end) = self.secret_expires(id).filter(|end| *end <= now) {
            return Health::Expired(end);
        }
        // A failure that comes only from the server's absence is not a fault of the secret.
        let (cut_off, own) = (self.cut_off(node), node.trouble.as_ref().filter(|it| !it.kind.is_outage()));
        let due = match node.step {
            Step::Waiting { what: NextAction::Retry, .. } | Step::Busy(_) | Step::Suspect(_) => true,
            Step::Waiting { at, .. } => at <= now,
            Step::Idle => false,
        };
        match cut_off {
            _ if own.is_some() => Health::Failing,
            Some(since) if due => Health::Stale(since),
            None if node.trouble.is_some() => Health::Failing,
            _ => Health::Good,
        }
    }

    pub(crate) fn file_health(
        &self,
        id: FileId,
        file: &File,
        expires: Option<Moment>,
        fails: bool,
        now: Moment,
    ) -> Health {
        if file.generation.is_none() || self.inspector.loss(file.unit, id).is_some() {
            return Health::Missing;
        }
        if let Some(end) = expires.filter(|end| *end <= now) {
            return Health::Expired(end);
        }
        let of_secret = |secret: &SecretId| match self.secret_health(*secret, self.graph.get(*secret)?, now) {
            stale @ Health::Stale(_) => Some(stale),
            _ => None,
        };
        let stale = file.uses.iter().find_map(of_secret);
        let own = || {
            let of = |id: &SecretId| Some(self.graph.get(*id)?.trouble.as_ref()?.kind.is_outage());
            !file.uses.iter().chain(&file.needs).filter_map(of).any(|outage| outage)
        };
        match stale {
            Some(stale) if !fails || !own() => stale,
            _ if fails => Health::Failing,
            _ => Health::Good,
        }
    }
}
