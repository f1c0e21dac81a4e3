//! Questions that are asked after each event. Their answers are remembered while they hold, so that none of the
//! questions walks all secrets each time.

use std::collections::{BTreeMap, BTreeSet};

use crate::interface::ids::{SecretId, TokenId};
use crate::secrets::graph::{Graph, Node};
use crate::tools::few::Few;

/// The remembered answers.
#[derive(Debug, Default)]
pub(super) struct Asked {
    /// Secrets that may have failed or recovered since `troubled` was brought up to date.
    unseen: Vec<SecretId>,
    /// Secrets that have failed, or were denied.
    troubled: BTreeSet<SecretId>,
    /// For each login, the secret that had a lease of it at the last look.
    holders: BTreeMap<TokenId, SecretId>,
}

impl Asked {
    /// Notes that this secret may change.
    pub(super) fn note(&mut self, id: SecretId, node: &mut Node) {
        if !std::mem::replace(&mut node.unseen, true) {
            self.unseen.push(id);
        }
    }

    /// Forgets a secret that is taken out.
    pub(super) fn forget(&mut self, id: SecretId) {
        self.troubled.remove(&id);
    }
}

impl Graph {
    /// Brings up to date which secrets have failed.
    pub(crate) fn note_troubled(&mut self) {
        let Asked { unseen, troubled, .. } = &mut self.asked;
        for id in unseen.drain(..) {
            let Some(node) = self.nodes.get_mut(&id) else { continue };
            node.unseen = false;
            if node.trouble.is_some() || node.denied.is_some() {
                troubled.insert(id);
            } else {
                troubled.remove(&id);
            }
        }
    }

    /// Returns true if `failed` holds for one of these secrets that had failed or were denied when that was last
    /// [noted](Self::note_troubled).
    pub(crate) fn has_troubled(&self, few: &Few<SecretId>, failed: impl Fn(&Node) -> bool) -> bool {
        let failed = |id: &SecretId| self.get(*id).is_some_and(&failed);
        let troubled = &self.asked.troubled;
        match few.len() <= troubled.len() {
            true => few.iter().any(|id| troubled.contains(id) && failed(id)),
            false => troubled.iter().any(|id| few.contains(id) && failed(id)),
        }
    }

    /// Returns true if a secret has a lease of this login. The search begins with the secret that had one the last
    /// time.
    pub(crate) fn holds_lease_of(&mut self, token: TokenId) -> bool {
        let from = self.asked.holders.get(&token).copied().unwrap_or(SecretId(0));
        let has = |node: &Node| node.lease().is_some_and(|lease| lease.token == token);
        let all = self.nodes.range(from..).chain(self.nodes.range(..from));
        let holder = all.into_iter().find(|(_, node)| has(node)).map(|(id, _)| *id);
        match holder {
            Some(id) => drop(self.asked.holders.insert(token, id)),
            None => drop(self.asked.holders.remove(&token)),
        }
        holder.is_some()
    }
}
