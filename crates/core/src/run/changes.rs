//! What has changed of a [`snapshot`](Engine::snapshot) since it was last written down, so that a write of the
//! handoff costs only as much as what has changed.
//!
//! Every access to a secret or a replaced lease puts it on a list. What is on the list is compared with a digest of
//! what was written down. So no change can be forgotten, and what was only read is not written again.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::Arc;

use crate::engine::Engine;
use crate::interface::event::Life;
use crate::interface::ids::{LeaseId, SecretId};
use crate::interface::snapshot::{Changes, KeptLease};
use crate::run::handoff::kept;
use crate::secrets::graph::Node;
use crate::secrets::lease::Lease;
use leasehold_base::request::Request;

impl Engine {
    /// Returns what has changed since the last call, or since the engine was made. The caller writes that down, or
    /// the whole [`snapshot`](Self::snapshot) instead.
    #[must_use]
    pub fn changes(&mut self) -> Changes {
        let (touched, gone) = self.graph.take_touched();
        let dropped = gone.into_iter().map(Arc::unwrap_or_clone).collect();
        let mut changes = Changes { dropped, rest: self.rest(), ..Changes::default() };
        for id in touched {
            self.note_secret(id, &mut changes);
        }
        changes.retired = self.retirees.take_gone();
        for id in self.retirees.take_touched() {
            let Some(one) = self.retirees.get_to_note(&id) else { continue };
            let lease = one.lease.kept();
            if one.noted.replace(digest_of_lease(&lease)) != one.noted {
                changes.retiring.push(lease);
            }
        }
        changes
    }

    fn note_secret(&mut self, id: SecretId, changes: &mut Changes) {
        let Some(node) = self.graph.get(id) else { return };
        let leaving = self.is_given_back(node);
        let now = if leaving { None } else { digest(node) };
        if now != node.noted {
            let before = node.noted.as_ref().map(|(request, _)| request);
            let stays = now.as_ref().map(|(request, _)| request) == before;
            changes.dropped.extend(before.filter(|_| !stays).map(|request| Request::clone(request)));
            changes.secrets.extend(kept(node).filter(|_| now.is_some()));
        }
        // A secret that is leaving depends on its lease, whose end does not show here, so it is checked again.
        let again = if leaving { self.graph.get_mut(id) } else { self.graph.get_to_note(id) };
        if let Some(node) = again {
            node.noted = now;
        }
    }
}

/// Returns the request of what is held, and a digest of everything in it that is written down when it changes.
fn digest(node: &Node) -> Option<(Arc<Request>, u64)> {
    let (held, request) = (node.held.as_ref()?, node.request.as_ref()?);
    let mut hash = DefaultHasher::new();
    for way in &node.written {
        way.hash(&mut hash);
    }
    held.lease.as_ref().map(Lease::kept).map(|lease| digest_of_lease(&lease)).hash(&mut hash);
    match held.life {
        Life::Unknown => 0_u8.hash(&mut hash),
        Life::Until(wall) => (1_u8, wall).hash(&mut hash),
        Life::RotatesIn(wait) => (2_u8, wait).hash(&mut hash),
        Life::EndsIn(ttl) => (3_u8, ttl).hash(&mut hash),
    }
    // The time of a read that found no change is not worth a line.
    let counts = held.lease.is_some() || held.life != Life::Unknown;
    (held.version, node.turned, counts.then_some(held.read)).hash(&mut hash);
    Some((request.clone(), hash.finish()))
}

fn digest_of_lease(lease: &KeptLease) -> u64 {
    let KeptLease { id: LeaseId(id), token, expires, latest, granted, renewable, orphan, undated } = lease;
    let mut hash = DefaultHasher::new();
    (id, token, expires, latest, granted, renewable, orphan, undated).hash(&mut hash);
    hash.finish()
}
