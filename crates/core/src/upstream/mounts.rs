//! What has to be known of mounts: which path is read at once, and whose mount is asked about first.
//!
//! A KV version 2 keeps `secret/web` under `secret/data/web`, and only its mount tells whether a path is to be read so. A
//! path that is written with `data/` already is read as it is, so that a start costs no question: the answer shows
//! that it is right. What leaves a doubt (a refusal, or an answer that is not of a KV version 2) has the mount asked about.
//!
//! A mount may also change under a running sidecar: it is upgraded to version 2, or another engine is mounted in its
//! place. Then nothing is found under the path that was right until then, and the mount is asked about anew.

use std::time::Duration;

use crate::engine::Engine;
use crate::interface::action::Action;
use crate::interface::event::ReadFacts;
use crate::interface::ids::SecretId;
use crate::secrets::graph::{Node, Op, Resolved, Step};
use crate::tools::work::Job;
use leasehold_base::failure::{Failure, FailureKind};
use leasehold_base::request::Request;

/// What was learned of a mount is right for so long. The client keeps it as long, for all secrets of the mount.
const SURE: Duration = Duration::from_secs(10);

/// What is known of the path of a secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Path {
    /// Nothing yet.
    #[default]
    Unknown,
    /// It is read as it is written, which the answer is to confirm.
    Assumed,
    /// It has an answer, or its mount was asked about.
    Known,
    /// Nothing is there any more, and its mount is to be asked about anew.
    Doubted,
}

impl Engine {
    /// Has a secret read at once whose mount was to be asked about, where it is written as a KV version 2 keeps it. Not
    /// with a token whose uses are counted: a read that fails costs one, and a question about a mount none.
    pub(crate) fn assume_path(&mut self, id: SecretId) -> bool {
        let counted = self.upstream.session.login().is_some_and(|login| login.uses.is_some());
        let Some(node) = self.graph.get_mut(id).filter(|node| node.path == Path::Unknown && !counted) else {
            return false;
        };
        let Some(request) = node.written.first().filter(|way| way.is_written_as_kept()) else { return false };
        let request = request.as_ref().clone();
        node.path = Path::Assumed;
        self.work.remove(&Job::Resolve(id));
        match self.graph.resolve(id, request) {
            Resolved::Itself => self.set_step(id, Step::Busy(Op::Read)),
            Resolved::Same(other) => self.merged(id, other),
        }
        true
    }

    /// Whether an answer does not show that the path was right: one of a KV version 2 does, and so does a lease, which
    /// no KV has to be read elsewhere for.
    pub(crate) fn is_doubtful_answer(&self, id: SecretId, facts: &ReadFacts) -> bool {
        self.graph.get(id).is_some_and(Node::is_assumed) && facts.version.is_none() && facts.lease.is_none()
    }

    /// Whether a refusal may be of the path alone, which is not known to be right.
    pub(crate) fn is_doubtful_refusal(&self, id: SecretId, failure: &Failure) -> bool {
        let refused =
            matches!(failure.kind, FailureKind::Denied | FailureKind::Missing | FailureKind::Rejected);
        refused && self.graph.get(id).is_some_and(Node::is_assumed)
    }

    /// Whether nothing is there because the mount may keep it elsewhere now. What has a lease is not of a KV.
    pub(crate) fn may_have_moved(&self, id: SecretId, failure: &Failure) -> bool {
        let Some(node) = self.graph.get(id).filter(|_| failure.kind == FailureKind::Missing) else {
            return false;
        };
        node.lease().is_none() && !node.is_assumed() && !Request::is_never_kv(node.path())
    }

    /// Whether the mount was asked about so lately that it is what that said.
    pub(crate) fn is_mount_certain(&self, id: SecretId) -> bool {
        let asked = self.graph.get(id).and_then(|node| node.mount_asked);
        asked.is_some_and(|at| at.until(self.now.moment) < SURE)
    }

    /// The mount is asked about, whatever is known of it.
    pub(crate) fn ask_about_mount_again(&mut self, id: SecretId) {
        if let Some(node) = self.graph.get_mut(id) {
            node.path = Path::Doubted;
        }
        self.set_step(id, Step::Busy(Op::Resolve));
    }

    /// What is to be tried again begins with its mount.
    pub(crate) fn retry_by_mount(&mut self, id: SecretId) {
        let Some(node) = self.graph.get_mut(id) else { return };
        if let Step::Waiting { what, at, .. } = node.step {
            node.path = Path::Doubted;
            self.set_step(id, Step::Waiting { what, at, op: Op::Resolve });
        }
    }

    /// An answer that does not count is dropped, and the mount of its path asked about.
    pub(crate) fn put_aside(&mut self, id: SecretId) {
        if let Some(request) = self.graph.get(id).and_then(|node| node.request.clone()) {
            self.out.push(Action::Forget(request));
        }
        self.ask_about_mount(id);
    }

    /// The mount of a path that was assumed is asked about after all.
    pub(crate) fn ask_about_mount(&mut self, id: SecretId) {
        let Some(node) = self.graph.get_mut(id) else { return };
        node.path = Path::Known;
        self.set_step(id, Step::Busy(Op::Resolve));
    }
}
